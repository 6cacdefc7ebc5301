//! Watching the state of a channel.

use tokio::sync::watch;

use crate::call::ConnectivityState;

/// Follows the state of a channel; made by [`Channel::watch_state`](crate::Channel::watch_state).
///
/// A state that lasted shorter than the time between two looks is not seen. Watching does not keep the channel open.
#[derive(Clone, Debug)]
pub struct StateWatch {
    states: watch::Receiver<ConnectivityState>,
}

impl StateWatch {
    pub(super) fn new(states: watch::Receiver<ConnectivityState>) -> Self {
        StateWatch { states }
    }

    /// The state now.
    pub fn current(&mut self) -> ConnectivityState {
        *self.states.borrow_and_update()
    }

    /// Waits until the state is another than the one last seen here, and returns it; `None` when the channel is gone.
    pub async fn changed(&mut self) -> Option<ConnectivityState> {
        self.states.changed().await.ok()?;
        Some(self.current())
    }

    /// Waits until the channel is in `state`; `None` when the channel is gone before.
    pub async fn wait_for(&mut self, state: ConnectivityState) -> Option<()> {
        self.states.wait_for(|current| *current == state).await.ok().map(drop)
    }
}
