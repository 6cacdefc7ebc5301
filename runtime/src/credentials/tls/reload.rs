//! Configurations that are made anew when the files that they came from have changed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pem::Files;
use crate::credentials::error::CredentialsError;

/// How a configuration is made of what a user gave.
pub(super) trait Recipe: fmt::Debug + Send + Sync + 'static {
    type Config: Send + Sync;

    /// Reads all files.
    fn read(&self, files: &mut Files) -> Result<(), CredentialsError>;

    /// Makes the configuration of what the files held.
    fn make(&self, files: &Files) -> Result<Self::Config, CredentialsError>;
}

/// The configuration of now.
pub(super) struct Reloading<R: Recipe> {
    recipe: R,
    interval: Duration,
    state: Mutex<State<R::Config>>,
}

struct State<C> {
    config: Arc<C>,
    /// What it was made of.
    files: Files,
    looked_at: Instant,
}

impl<R: Recipe> Reloading<R> {
    pub(super) fn new(recipe: R, interval: Duration) -> Result<Self, CredentialsError> {
        let mut files = Files::new();
        recipe.read(&mut files)?;
        let config = Arc::new(recipe.make(&files)?);
        Ok(Reloading { recipe, interval, state: Mutex::new(State { config, files, looked_at: Instant::now() }) })
    }

    /// The configuration, made anew if the last look at the files is too old and they have changed since. What cannot be used
    /// changes nothing: perhaps it is only half written.
    pub(super) async fn config(self: &Arc<Self>) -> Arc<R::Config> {
        if self.looks_now() {
            let this = self.clone();
            // A runtime that is shutting down looks at nothing more.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
        self.lock().config.clone()
    }

    /// Whether this caller is to look at the files; others go on with what there is meanwhile.
    fn looks_now(&self) -> bool {
        let mut state = self.lock();
        if state.files.is_empty() || state.looked_at.elapsed() < self.interval {
            return false;
        }
        state.looked_at = Instant::now();
        true
    }

    fn look(&self) {
        let mut files = Files::new();
        if self.recipe.read(&mut files).is_err() || files == self.lock().files {
            return;
        }
        if let Ok(config) = self.recipe.make(&files) {
            let mut state = self.lock();
            (state.config, state.files) = (Arc::new(config), files);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R::Config>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Recipe> fmt::Debug for Reloading<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloading").field(&self.recipe).finish()
    }
}
