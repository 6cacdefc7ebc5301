//! A server as a tower service, and gRPC-Web on it: requests come and responses leave as HTTP bodies, without any HTTP server.

mod calls;
mod ends;
mod flow;
mod origins;
mod refusals;
mod statistics;
mod support;
mod web;
