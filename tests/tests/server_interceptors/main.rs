//! Code around a server's handlers: what it sees of all four kinds of call, however they end, and what it may do in their place.

mod actor;
mod chain;
mod edges;
mod messages;
mod ready_made;
