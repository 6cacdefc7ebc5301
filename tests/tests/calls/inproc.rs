//! Within the process, without a socket.

const LISTEN: &str = "inproc:";

#[path = "cases.rs"]
mod cases;
#[path = "deadlines.rs"]
mod deadlines;
