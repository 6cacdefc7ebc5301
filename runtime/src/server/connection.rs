//! One client's connection: its calls, until it or the server ends.
//!
//! The task that has the connection's turn drives it, and runs the calls of [quick](super::pace) methods itself. While it does,
//! nothing is locked: should a handler not come back, the turn is given to another task ([`watchdog`](super::watchdog)), and the
//! connection's other calls go on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::auth::AuthContext;
use super::call::Call;
use super::lifetime::{Fate, Lifetime};
use super::request::Requested;
use super::shared::Shared;
use super::watchdog::{self, Handlers, Look, Watched};
use crate::stats::{Moment, SocketStats};
use crate::transport::Address;
use crate::transport::server::{Connection, Incoming};

/// How many calls are begun before other tasks have a turn.
const AT_ONCE: usize = 1024;
/// How many requests that come again and again are known.
const KNOWN: usize = 8;

/// Resolves when the server is asked to drain.
pub(super) async fn drains(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        // Nobody holds the server, so nobody will ask.
        std::future::pending::<()>().await;
    }
}

/// Who a connection is from.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) peer: Address,
    pub(super) auth: AuthContext,
    /// The places for interceptors that go on after their call was cut off.
    pub(super) lingering: Arc<Semaphore>,
}

/// Serves a connection until the client closes it, or until `draining` and its calls are done.
pub(super) async fn serve(
    connection: Connection,
    local: Option<Address>,
    client: Client,
    shared: Arc<Shared>,
    mut draining: watch::Receiver<bool>,
) {
    let record = shared.stats.accepted(local, client.peer.clone());
    let stopped = shared.stopped.subscribe();
    let lifetime = match &client.peer {
        Address::Inproc(_) => None,
        _ => Lifetime::new(&shared.settings.lifetime),
    };
    let calls = Calls {
        shared,
        client,
        socket: record.socket().clone(),
        now: Moment::now(),
        handlers: Arc::default(),
        waiting: JoinSet::new(),
        requested: Vec::new(),
    };
    let drain = Box::pin(async move { drains(&mut draining).await });
    let served = Arc::new(Served {
        state: Mutex::new(State {
            connection: Some(connection),
            calls,
            drain: Some(drain),
            lifetime,
            turn: Arc::default(),
            running: None,
        }),
        rescuers: Mutex::default(),
        runtime: Handle::current(),
        stopped,
    });
    watchdog::watch(&served);
    if let End::Turn = served.turn().await {
        poll_fn(|cx| served.poll_rescuers(cx)).await;
    }
    // The connection is gone, so every call that is left learns of that and ends by itself.
    poll_fn(|cx| served.lock().calls.poll_ended(cx)).await;
}

/// A connection, for the tasks that may have its turn.
pub(super) struct Served {
    state: Mutex<State>,
    /// The tasks that were given the turn, one after the other.
    rescuers: Mutex<Vec<JoinHandle<()>>>,
    runtime: Handle,
    stopped: watch::Receiver<bool>,
}

struct State {
    // Dropped before the calls, whose clients then see a connection that broke and not calls that were cancelled. `None`
    // when the server was stopped while a handler kept the first task.
    connection: Option<Connection>,
    calls: Calls,
    /// Resolves when the server is asked to drain, until it has.
    drain: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// `None` for a connection that may last for ever.
    lifetime: Option<Lifetime>,
    /// What the task that has the turn does.
    turn: Arc<Watched>,
    /// The call that it runs itself.
    running: Option<Running>,
}

struct Running {
    id: u32,
    requested: Arc<Requested>,
}

impl Served {
    /// Looks at what happened since the last look, and gives the turn to a new task if a handler keeps the one that has it.
    pub(super) fn look(self: &Arc<Self>) -> Look {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody drives it.
            Err(TryLockError::WouldBlock) => return Look::Busy,
        };
        let handlers = state.calls.handlers.look();
        if handlers == Look::Kept {
            // It wakes a thread, and that one looks at the sockets before it sleeps again.
            self.runtime.spawn(async {});
        }
        let look = state.turn.look();
        if look == Look::Kept {
            state.turn = Arc::default();
            state.let_go();
            let served = self.clone();
            let mut stopped = self.stopped.clone();
            let rescuer = self.runtime.spawn(async move {
                tokio::select! {
                    _ = served.turn() => {}
                    // The task that began is told by being dropped, which has to wait for the handler.
                    _ = stopped.wait_for(|stopped| *stopped) => served.close(),
                }
            });
            self.lock_rescuers().push(rescuer);
        }
        if look == Look::Quiet { handlers } else { look }
    }

    fn close(&self) {
        let closed = self.lock().connection.take();
        drop(closed);
    }

    fn turn(self: &Arc<Self>) -> Turn<'_> {
        Turn { served: self, watched: self.lock().turn.clone() }
    }

    fn poll_rescuers(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rescuers = self.lock_rescuers();
        rescuers.retain_mut(|rescuer| Pin::new(rescuer).poll(cx).is_pending());
        if rescuers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_rescuers(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.rescuers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives a connection, until it is over or another task has the turn.
struct Turn<'a> {
    served: &'a Arc<Served>,
    watched: Arc<Watched>,
}

impl Turn<'_> {
    fn has_ended(&self, state: &State) -> bool {
        !Arc::ptr_eq(&self.watched, &state.turn)
    }
}

/// What ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The connection is over.
    Connection,
    /// Another task has it.
    Turn,
}

impl Future for Turn<'_> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let mut state = self.served.lock();
        state.poll_drain(cx);
        state.calls.now = Moment::now();
        let mut woke = false;
        for _ in 0..AT_ONCE {
            if self.has_ended(&state) {
                return Poll::Ready(End::Turn);
            }
            let Some(connection) = &mut state.connection else { return Poll::Ready(End::Connection) };
            let incoming = match connection.poll_accept(cx) {
                Poll::Ready(Some(incoming)) => incoming,
                Poll::Ready(None) => return Poll::Ready(End::Connection),
                Poll::Pending => {
                    state.calls.forget_ended(cx);
                    if state.poll_lifetime(cx) == Fate::Close {
                        state.connection = None;
                        return Poll::Ready(End::Connection);
                    }
                    return Poll::Pending;
                }
            };
            // A task that was woken here may be next on this thread, where no other comes for it: nothing that could keep the
            // thread runs before it.
            woke |= connection.has_woken();
            let id = incoming.id;
            match state.calls.begin(incoming) {
                Some(mut call) if !woke && call.is_quick() => {
                    state.running = Some(Running { id, requested: call.requested().clone() });
                    drop(state);
                    self.watched.begin();
                    let polled = call.poll_at_once(cx);
                    self.watched.end();
                    state = self.served.lock();
                    if !self.has_ended(&state) {
                        state.running = None;
                    }
                    if polled.is_pending() {
                        state.calls.spawn(call);
                        woke = true;
                    }
                }
                Some(call) => {
                    state.calls.spawn(call);
                    woke = true;
                }
                None => {}
            }
            let ended = self.has_ended(&state);
            if let Some(connection) = &mut state.connection {
                connection.attend(id);
                if ended {
                    // Whoever has the turn does not know of what this call has sent.
                    connection.wake();
                }
            }
        }
        state.calls.forget_ended(cx);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl State {
    /// Sees to the call that keeps the task which had the turn: what it has sent and will send leaves, and the next calls of its
    /// method are not trusted.
    fn let_go(&mut self) {
        let Some(Running { id, requested }) = self.running.take() else { return };
        if let Some(connection) = &mut self.connection {
            connection.attend(id);
        }
        if let Some(head) = requested.call() {
            head.handler.pace.lose();
        }
    }

    /// What is to become of the connection, by its age and its calls. One that is to drain does so from now on.
    fn poll_lifetime(&mut self, cx: &mut Context<'_>) -> Fate {
        let (Some(lifetime), Some(connection)) = (&mut self.lifetime, &mut self.connection) else { return Fate::GoOn };
        let fate = lifetime.poll(cx, connection.has_calls());
        if fate == Fate::Drain {
            connection.graceful_shutdown();
        }
        fate
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) {
        if let Some(drain) = &mut self.drain
            && drain.as_mut().poll(cx).is_ready()
        {
            self.drain = None;
            if let Some(connection) = &mut self.connection {
                connection.graceful_shutdown();
            }
        }
    }
}

/// The calls of a connection.
struct Calls {
    shared: Arc<Shared>,
    client: Client,
    socket: Arc<SocketStats>,
    /// About what time it is.
    now: Moment,
    handlers: Arc<Handlers>,
    /// Those that have waited for something, or may: each on a task of its own.
    waiting: JoinSet<()>,
    /// What the requests that come again and again ask for.
    requested: Vec<Arc<Requested>>,
}

impl Calls {
    /// Begins a call; `None` for one that is answered already.
    fn begin(&mut self, incoming: Incoming) -> Option<Call> {
        let requested = self.requested(&incoming);
        Call::new(incoming, requested, self.socket.open_remote(self.now), &self.client, &self.shared, self.now)
    }

    /// Gives a call a task of its own.
    fn spawn(&mut self, mut call: Call) {
        let handlers = self.handlers.clone();
        self.waiting.spawn(poll_fn(move |cx| {
            let _at_work = handlers.work();
            Pin::new(&mut call).poll(cx)
        }));
    }

    fn requested(&mut self, incoming: &Incoming) -> Arc<Requested> {
        if let Some(known) = self.requested.iter().find(|known| known.is_of(&incoming.head)) {
            return known.clone();
        }
        let requested = Arc::new(Requested::new(&incoming.head, &self.shared));
        // The connection shares headers that it will see again: they are here, in the call, and there.
        if Arc::strong_count(&incoming.head) > 2 {
            if self.requested.len() == KNOWN {
                self.requested.remove(0);
            }
            self.requested.push(requested.clone());
        }
        requested
    }

    fn forget_ended(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(_)) = self.waiting.poll_join_next(cx) {}
    }

    /// Ready when all have ended.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while ready!(self.waiting.poll_join_next(cx)).is_some() {}
        Poll::Ready(())
    }
}
