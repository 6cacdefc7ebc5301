//! A service with an interceptor of its own.

use bytes::Bytes;

use super::ServerInterceptor;
use crate::server::methods::{Methods, NamedService, Service};

/// A service with an interceptor around its methods alone, inside of those of the server.
///
/// ```
/// # use callwright::server::interceptor::{Next, ServerInterceptor};
/// # use callwright::server::{Methods, Service};
/// # use callwright::{ServerContext, Status};
/// # struct Auth;
/// # impl ServerInterceptor for Auth {
/// #     async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
/// #         next.run(context).await
/// #     }
/// # }
/// # struct GreeterServer;
/// # impl Service for GreeterServer { fn register(self, _: &mut Methods) {} }
/// # let greeter = GreeterServer;
/// use callwright::Server;
/// use callwright::server::interceptor::Intercepted;
///
/// let builder = Server::builder().add_service(Intercepted::new(greeter, Auth));
/// ```
#[derive(Debug)]
pub struct Intercepted<S, I> {
    service: S,
    interceptor: I,
}

impl<S: Service, I: ServerInterceptor> Intercepted<S, I> {
    /// Has `interceptor` around the methods of `service`. With several, the one that was given last is outermost.
    pub fn new(service: S, interceptor: I) -> Self {
        Intercepted { service, interceptor }
    }
}

impl<S: Service, I: ServerInterceptor> Service for Intercepted<S, I> {
    fn register(self, methods: &mut Methods) {
        let service = self.service;
        methods.intercept(self.interceptor, |methods| service.register(methods));
    }

    fn file_descriptor_set(&self) -> Bytes {
        self.service.file_descriptor_set()
    }
}

impl<S: NamedService, I> NamedService for Intercepted<S, I> {
    const NAME: &'static str = S::NAME;
}
