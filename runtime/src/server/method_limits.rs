//! How large the messages of a service or of a method may be.

use super::builder::BindError;
use super::methods::Methods;
use crate::call::{DEFAULT_MAX_RECEIVE_MESSAGE_SIZE, MessageSettings};

/// Limits of a service or of a method, for [`ServerBuilder::method_limits`](crate::ServerBuilder::method_limits). What is not set
/// is as it is without them.
///
/// ```
/// use callwright::MethodLimits;
///
/// let uploads = MethodLimits::new().max_receive_message_size(64 * 1024 * 1024);
/// # assert_ne!(uploads, MethodLimits::new());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "limits do nothing until a server has them"]
pub struct MethodLimits {
    receive: Option<usize>,
    send: Option<usize>,
}

impl MethodLimits {
    /// None so far.
    pub fn new() -> MethodLimits {
        MethodLimits::default()
    }

    /// The largest request message, in bytes, decompressed. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_receive_message_size(mut self, bytes: usize) -> MethodLimits {
        self.receive = Some(bytes);
        self
    }

    /// The largest response message, in bytes, before compression. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_send_message_size(mut self, bytes: usize) -> MethodLimits {
        self.send = Some(bytes);
        self
    }

    /// These, and what `wider` has where these have nothing.
    fn within(self, wider: MethodLimits) -> MethodLimits {
        MethodLimits { receive: self.receive.or(wider.receive), send: self.send.or(wider.send) }
    }
}

/// How large the messages of a method may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageSizes {
    pub(super) receive: usize,
    pub(super) send: usize,
}

impl Default for MessageSizes {
    fn default() -> Self {
        MessageSizes { receive: DEFAULT_MAX_RECEIVE_MESSAGE_SIZE, send: usize::MAX }
    }
}

/// Limits by the names of services and methods, as they were given: the last of a name counts.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedLimits(Vec<(String, MethodLimits)>);

impl NamedLimits {
    pub(super) fn add(&mut self, name: &str, limits: MethodLimits) {
        self.0.push((name.trim_start_matches('/').to_owned(), limits));
    }

    /// Settles what holds for each method, so that no call has to look for it.
    ///
    /// # Errors
    /// [`BindError::UnknownMethod`] for a name that is not served.
    pub(super) fn apply(&self, methods: &mut Methods, server: &MessageSettings) -> Result<(), BindError> {
        for (name, _) in &self.0 {
            check_served(name, methods)?;
        }
        for (path, handler) in methods.handlers_mut() {
            let method = path.and_then(|path| self.find(path.trim_start_matches('/')));
            let service = path.and_then(|path| self.find(service_of(path)));
            let limits = method.unwrap_or_default().within(service.unwrap_or_default());
            handler.sizes = MessageSizes {
                receive: limits.receive.unwrap_or(server.max_receive_size),
                send: limits.send.unwrap_or(server.max_send_size),
            };
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<MethodLimits> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, limits)| *limits)
    }
}

/// Whether a service or a method is served.
///
/// # Errors
/// [`BindError::UnknownMethod`] if it is not.
pub(super) fn check_served(name: &str, methods: &Methods) -> Result<(), BindError> {
    if methods.paths().any(|path| is_of(name, path)) { Ok(()) } else { Err(unknown(name, methods)) }
}

/// The service in a path, `/package.Service/Method`.
fn service_of(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Whether a path is that of the method, or of a method of the service, with this name.
fn is_of(name: &str, path: &str) -> bool {
    path.trim_start_matches('/') == name || service_of(path) == name
}

fn unknown(name: &str, methods: &Methods) -> BindError {
    let service = service_of(name);
    let mut methods_of: Vec<&str> = methods.paths().filter(|path| service_of(path) == service).collect();
    methods_of.sort_unstable();
    let help = if !methods_of.is_empty() {
        let names: Vec<&str> = methods_of.into_iter().map(|path| path.trim_start_matches('/')).collect();
        format!("the service has {}", names.join(", "))
    } else {
        match methods.served().names() {
            none if none.is_empty() => "no service was added".to_owned(),
            names => format!("served are {}", names.join(", ")),
        }
    };
    BindError::UnknownMethod { name: name.to_owned(), help }
}
