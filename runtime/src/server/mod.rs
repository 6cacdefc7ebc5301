//! The server's side: a [`Server`], the services on it, and the context of each call.

mod accept;
mod auth;
mod bind;
mod builder;
mod call;
mod connection;
mod context;
mod exchange;
#[cfg(feature = "http-service")]
pub mod http_service;
pub mod interceptor;
mod lifetime;
mod method_limits;
mod methods;
mod pace;
mod request;
mod requests;
mod responses;
mod running;
mod served;
mod shared;
mod watchdog;

pub use auth::{AuthContext, UnixCredentials};
pub use bind::ListenAddress;
pub use builder::{BindError, Server, ServerBuilder};
pub use context::{Cancelled, Outcome, ServerContext};
pub use method_limits::MethodLimits;
pub use methods::{Methods, NamedService, Service, ServiceMethods};
pub use requests::Requests;
pub use responses::Responses;
pub use running::RunningServer;
pub use served::ServedServices;
