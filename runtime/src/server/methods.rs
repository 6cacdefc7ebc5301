//! Which methods a server has, and how each is called.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::call::Accepted;
use super::context::ServerContext;
use super::interceptor::{Answering, AnyInterceptor, Chain, ServerInterceptor};
use super::method_limits::MessageSizes;
use super::pace::Pace;
use super::requests::Requests;
use super::responses::Responses;
use super::served::ServedServices;
use crate::call::Method;
use crate::codec::{BytesCodec, SharedCodec};
use crate::status::Status;

pub(super) type OnShutdown = Box<dyn FnOnce() + Send + Sync>;
pub(super) type Handled<'a, T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>>;

type Run = Box<dyn for<'a> Fn(Accepted<'a>) -> Handled<'a, ()> + Send + Sync>;
type Answer = Box<dyn Fn(Answering) -> Handled<'static, ()> + Send + Sync>;

/// What runs the calls of a method.
pub(super) struct Handler {
    run: Run,
    /// Sends what an interceptor answers in its place.
    answer: Answer,
    streams_responses: bool,
    is_fallback: bool,
    /// What is around it, outermost first.
    interceptors: Chain,
    /// How large its messages may be.
    pub(super) sizes: MessageSizes,
    /// How fast they are.
    pub(super) pace: Pace,
}

impl Handler {
    fn new<Res: Send + 'static>(
        run: impl for<'a> Fn(Accepted<'a>) -> Handled<'a, ()> + Send + Sync + 'static,
        response: SharedCodec<Res>,
        streams_responses: bool,
        interceptors: &[Arc<dyn AnyInterceptor>],
    ) -> Handler {
        let answer: Answer = Box::new(move |answering| Box::pin(answering.send(response.clone(), streams_responses)));
        let (run, interceptors) = (Box::new(run), interceptors.into());
        let (sizes, pace) = (MessageSizes::default(), Pace::default());
        Handler { run, answer, streams_responses, is_fallback: false, interceptors, sizes, pace }
    }

    /// One for methods that nobody has registered.
    fn fallback(
        run: impl for<'a> Fn(Accepted<'a>) -> Handled<'a, ()> + Send + Sync + 'static,
        interceptors: &[Arc<dyn AnyInterceptor>],
    ) -> Handler {
        Handler { is_fallback: true, ..Handler::new(run, SharedCodec::Static(&BytesCodec), true, interceptors) }
    }

    pub(super) fn is_fallback(&self) -> bool {
        self.is_fallback
    }

    pub(super) fn run<'a>(&self, call: Accepted<'a>) -> Handled<'a, ()> {
        (self.run)(call)
    }

    pub(super) fn answer(&self, answering: Answering) -> Handled<'static, ()> {
        (self.answer)(answering)
    }

    pub(super) fn interceptors(&self) -> &Chain {
        &self.interceptors
    }

    pub(super) fn streams_responses(&self) -> bool {
        self.streams_responses
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// What can be added to a server: the generator makes one for each service, called `FooServer`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service that a server can serve",
    note = "wrap your servicer in what the generator made for it: GreeterServer::new(MyGreeter)"
)]
pub trait Service {
    /// Registers the service's methods.
    fn register(self, methods: &mut Methods);

    /// A serialized `FileDescriptorSet` of the file that the service is declared in and of all that it imports, for the
    /// server's reflection; empty where that is not known, which is what a service answers that does not say otherwise.
    ///
    /// The files below `google/protobuf` that come with every protoc can be left out.
    fn file_descriptor_set(&self) -> Bytes {
        Bytes::new()
    }
}

/// A service whose name is known before it is made: every `FooServer` that is generated.
pub trait NamedService {
    /// The full name, `package.Service`.
    const NAME: &'static str;
}

/// The methods of a server, by path.
#[derive(Default)]
pub struct Methods {
    handlers: HashMap<String, Arc<Handler>>,
    fallback: Option<Arc<Handler>>,
    served: ServedServices,
    duplicate: Option<String>,
    /// Around those methods that are registered now.
    interceptors: Vec<Arc<dyn AnyInterceptor>>,
    /// Around the calls of methods that are not served.
    unserved: Chain,
    on_shutdown: Vec<OnShutdown>,
}

impl Methods {
    /// Registers methods of the service with this full name, all served by `servicer`.
    pub fn service<S>(&mut self, name: impl Into<String>, servicer: Arc<S>) -> ServiceMethods<'_, S> {
        let name = name.into();
        if !self.served.add(name.clone()) {
            self.duplicate.get_or_insert(name);
        }
        ServiceMethods { methods: self, servicer }
    }

    /// Adds a service, as [`ServerBuilder::add_service`](crate::ServerBuilder::add_service) does: for a service that is
    /// made of several.
    pub fn add(&mut self, service: impl Service) {
        // Without reflection nobody calls it, and the descriptors are not even linked.
        #[cfg(feature = "reflection")]
        self.served.describe(service.file_descriptor_set());
        service.register(self);
    }

    /// Has an interceptor around the methods that `register` registers, inside of those that are there already: for a service
    /// that brings its own.
    pub fn intercept(&mut self, interceptor: impl ServerInterceptor, register: impl FnOnce(&mut Methods)) {
        self.interceptors.push(Arc::new(interceptor));
        register(self);
        self.interceptors.pop();
    }

    /// Has these around all methods, outside of those that are there already.
    pub(super) fn intercept_all(&mut self, interceptors: &[Arc<dyn AnyInterceptor>]) {
        for (_, handler) in self.handlers_mut() {
            handler.interceptors = interceptors.iter().chain(&*handler.interceptors).cloned().collect();
        }
        self.unserved = interceptors.into();
    }

    /// All that can be called, by path, and the fallback without one.
    pub(super) fn handlers_mut(&mut self) -> impl Iterator<Item = (Option<&str>, &mut Handler)> {
        let by_path = self.handlers.iter_mut().map(|(path, handler)| (Some(path.as_str()), handler));
        let all = by_path.chain(self.fallback.as_mut().map(|handler| (None, handler)));
        // Nobody else has them before the server starts.
        all.filter_map(|(path, handler)| Arc::get_mut(handler).map(|handler| (path, handler)))
    }

    /// The paths of all methods that are registered, in no order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }

    /// Those that services have brought with them, each as often as it is around a method.
    pub(super) fn all_interceptors(&self) -> impl Iterator<Item = &Arc<dyn AnyInterceptor>> {
        self.handlers.values().flat_map(|handler| handler.interceptors.iter())
    }

    /// What is around the calls of methods that are not served.
    pub(super) fn interceptors(&self) -> &Chain {
        &self.unserved
    }

    /// The services of this server, those that are added later too: for a service that tells of them.
    pub fn served(&self) -> ServedServices {
        self.served.clone()
    }

    /// Calls `callback` once when the server begins to [shut down](crate::RunningServer::shutdown), before any client is
    /// told: calls still come in. It must not block. A server that is [stopped](crate::RunningServer::stop) at once, or
    /// whose runtime ends, does not call it.
    pub fn on_shutdown(&mut self, callback: impl FnOnce() + Send + Sync + 'static) {
        self.on_shutdown.push(Box::new(callback));
    }

    pub(super) fn take_on_shutdown(&mut self) -> Vec<OnShutdown> {
        std::mem::take(&mut self.on_shutdown)
    }

    /// Serves every method that is not registered, of any service, with messages that stay bytes (grpc-go's
    /// `UnknownServiceHandler`): for what passes calls on. All four kinds of call come as a stream both ways. The last
    /// fallback that is registered counts.
    pub fn fallback<S, F>(&mut self, servicer: Arc<S>, function: F)
    where
        S: Send + Sync + 'static,
        F: for<'a> Fn(&'a S, Requests<Bytes>, &'a mut Responses<Bytes>, &'a mut ServerContext) -> Handled<'a, ()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let run = for_any(move |accepted| {
            let (servicer, function) = (servicer.clone(), function.clone());
            Box::pin(async move {
                let mut call = accepted.open(SharedCodec::Static(&BytesCodec), SharedCodec::Static(&BytesCodec));
                function(&servicer, call.requests, &mut call.responses, call.context.get()).await?;
                call.responses.flush().await
            })
        });
        self.fallback = Some(Arc::new(Handler::fallback(run, &self.interceptors)));
    }

    pub(super) fn find(&self, path: &str) -> Option<&Arc<Handler>> {
        self.handlers.get(path).or(self.fallback.as_ref())
    }

    /// Whether any method of the service in this path is served.
    pub(super) fn has_service_of(&self, path: &str) -> bool {
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        self.served.contains(service)
    }

    pub(super) fn duplicate(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.handlers.keys()).finish()
    }
}

/// The methods of one service, while they are registered.
///
/// Each takes a function of the servicer, the request or requests, the responses where the method streams them, and the
/// context. Generated code calls these.
pub struct ServiceMethods<'m, S> {
    methods: &'m mut Methods,
    servicer: Arc<S>,
}

impl<S: Send + Sync + 'static> ServiceMethods<'_, S> {
    /// A method of one request and one response.
    pub fn unary<Req, Res, F>(self, method: Method<Req, Res>, function: F) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        F: for<'a> Fn(&'a S, Req, &'a mut ServerContext) -> Handled<'a, Res> + Clone + Send + Sync + 'static,
    {
        self.add(method, false, move |servicer, accepted, request, response| {
            let function = function.clone();
            Box::pin(async move {
                let mut call = accepted.open(request, response);
                let request = call.single().await?;
                let reply = function(&servicer, request, call.context.get()).await?;
                call.responses.reply(reply)
            })
        })
    }

    /// A method of one request and a stream of responses.
    pub fn server_streaming<Req, Res, F>(self, method: Method<Req, Res>, function: F) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        F: for<'a> Fn(&'a S, Req, &'a mut Responses<Res>, &'a mut ServerContext) -> Handled<'a, ()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.add(method, true, move |servicer, accepted, request, response| {
            let function = function.clone();
            Box::pin(async move {
                let mut call = accepted.open(request, response);
                let request = call.single().await?;
                function(&servicer, request, &mut call.responses, call.context.get()).await?;
                call.responses.flush().await
            })
        })
    }

    /// A method of a stream of requests and one response.
    pub fn client_streaming<Req, Res, F>(self, method: Method<Req, Res>, function: F) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        F: for<'a> Fn(&'a S, Requests<Req>, &'a mut ServerContext) -> Handled<'a, Res> + Clone + Send + Sync + 'static,
    {
        self.add(method, false, move |servicer, accepted, request, response| {
            let function = function.clone();
            Box::pin(async move {
                let mut call = accepted.open(request, response);
                let reply = function(&servicer, call.requests, call.context.get()).await?;
                call.responses.reply(reply)
            })
        })
    }

    /// A method with a stream both ways.
    pub fn bidi<Req, Res, F>(self, method: Method<Req, Res>, function: F) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        F: for<'a> Fn(&'a S, Requests<Req>, &'a mut Responses<Res>, &'a mut ServerContext) -> Handled<'a, ()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.add(method, true, move |servicer, accepted, request, response| {
            let function = function.clone();
            Box::pin(async move {
                let mut call = accepted.open(request, response);
                function(&servicer, call.requests, &mut call.responses, call.context.get()).await?;
                call.responses.flush().await
            })
        })
    }

    fn add<Req, Res, F>(self, method: Method<Req, Res>, streams_responses: bool, run: F) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        F: for<'a> Fn(Arc<S>, Accepted<'a>, SharedCodec<Req>, SharedCodec<Res>) -> Handled<'a, ()>
            + Send
            + Sync
            + 'static,
    {
        let servicer = self.servicer.clone();
        let (path, request, response) = method.into_parts();
        let codec = response.clone();
        let run = for_any(move |accepted| run(servicer.clone(), accepted, request.clone(), response.clone()));
        let handler = Handler::new(run, codec, streams_responses, &self.methods.interceptors);
        self.methods.handlers.insert(path.into_owned(), Arc::new(handler));
        self
    }
}

/// Has the compiler see that a closure takes a call of any lifetime.
fn for_any<F>(run: F) -> F
where
    F: for<'a> Fn(Accepted<'a>) -> Handled<'a, ()>,
{
    run
}

impl<S> fmt::Debug for ServiceMethods<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceMethods").field("methods", &self.methods).finish_non_exhaustive()
    }
}
