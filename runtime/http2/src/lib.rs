//! HTTP/2 for gRPC (RFC 9113 and RFC 7541) as a state machine: [`Connection`]. It does no I/O and reads no clock; whoever drives
//! it hands over what arrived, sends what it has written, and says what time it is.
//!
//! [`Connection`]'s documentation teaches the order of the calls; [`Config`] has the limits and why they are as they are.

mod config;
mod connection;
mod error;
mod fields;
mod flow;
mod frame;
mod head;
mod hpack;
mod output;
mod stream;
mod stream_map;
mod throttle;

pub use config::Config;
pub use connection::{Connection, Event, OpenError, Stats};
pub use error::{ConnectionError, ErrorCode};
pub use fields::Fields;
pub use head::{Head, Headers, RequestHead};
pub use output::Output;
pub use stream_map::StreamMap;
