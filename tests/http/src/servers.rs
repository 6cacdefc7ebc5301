//! HTTP servers that are not ours, on a free port of the loopback interface.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use callwright::Address;
use callwright::grpc_web::GrpcWebService;
use callwright::http_service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Failure;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// What a channel is built with.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        Ok((&mut self.task).await?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// axum, with a route of its own beside the services; it stops gracefully at the signal.
pub(crate) async fn axum(
    grpc: HttpService,
    signal: impl Future<Output = ()> + Send + 'static,
) -> Result<Running, Failure> {
    let services = Router::new()
        .route_service("/helloworld.Greeter/{*method}", grpc.clone())
        .route_service("/callwright.tests.Echo/{*method}", grpc)
        .layer(middleware::from_fn(tell_peer));
    serve_axum(Router::new().route("/", get(async || "home")).merge(services), signal).await
}

/// axum, with the services for browsers in the place of what is not found.
pub(crate) async fn axum_web(grpc: GrpcWebService) -> Result<Running, Failure> {
    let router = Router::new().route("/", get(async || "home")).fallback_service(grpc);
    serve_axum(router, std::future::pending()).await
}

/// Whatever axum serves.
pub(crate) async fn serve_axum(
    router: Router,
    signal: impl Future<Output = ()> + Send + 'static,
) -> Result<Running, Failure> {
    let (listener, address) = listen().await?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        // It ends with the signal, and not otherwise.
        let _ = axum::serve(listener, service).with_graceful_shutdown(signal).await;
    });
    Ok(Running { address, task })
}

/// Tells the services who calls.
async fn tell_peer(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Address::Ip(peer));
    next.run(request).await
}

/// hyper, with the services and nothing else.
pub(crate) async fn hyper(grpc: HttpService) -> Result<Running, Failure> {
    let (listener, address) = listen().await?;
    let task = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(grpc.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // A connection that breaks is its client's business.
                let _ = builder.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    Ok(Running { address, task })
}
