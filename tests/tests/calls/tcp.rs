//! Over TCP on the loopback interface.

const LISTEN: &str = "127.0.0.1:0";

#[path = "cases.rs"]
mod cases;
#[path = "deadlines.rs"]
mod deadlines;
