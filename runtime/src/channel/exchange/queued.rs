//! A call as the channel's queue sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use tokio::time::Instant;

use super::{Applied, Exchange, Phase};
use crate::address::Address;
use crate::call::{GRPC_ENCODING, GRPC_TIMEOUT, timeout};
use crate::channel::balancer::PickArgs;
use crate::channel::configured::Configured;
use crate::channel::opened::Opened;
use crate::channel::queue::{QueuedCall, Traced};
use crate::channel::replay::Replay;
use crate::codec::frame;
use crate::metadata;
use crate::status::Status;
use crate::transport::client::RequestHead;

/// How often the call was sent before (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

impl QueuedCall for Exchange {
    fn configure(&self, configured: &Configured) {
        if self.applied.get().is_some() {
            return;
        }
        if let Some(config) = configured.of_method(&self.request.path)
            && self.applied.set(Applied::new(config, self.began)).is_ok()
        {
            // There may be an earlier deadline now.
            let mut state = self.lock();
            state.receiver.wake();
            state.sender.wake();
        }
    }

    fn pick_args(&self) -> PickArgs<'_> {
        PickArgs { path: &self.request.path, metadata: &self.request.metadata }
    }

    fn waits_for_ready(&self) -> bool {
        self.wait_for_ready().unwrap_or(false)
    }

    fn head(&self, limit: usize) -> Result<RequestHead, Status> {
        // A call that began before the service config was known has not been measured by it.
        if self.began.is_some() {
            let (size, most) = (self.lock().replay.as_ref().map_or(0, Replay::first_size), self.max_send_size());
            if size.saturating_sub(frame::PREFIX) > most {
                return Err(Status::resource_exhausted(format!(
                    "the message is larger than the {most} bytes that the service config allows (maxRequestMessageBytes)"
                )));
            }
        }
        self.head_of(self.previous_attempts.load(Ordering::Relaxed), limit)
    }

    fn note_wait(&self) {
        self.has_waited.store(true, Ordering::Relaxed);
    }

    fn trace(&self, peer: &Address) -> Option<Traced> {
        self.trace_attempt(self.previous_attempts.load(Ordering::Relaxed), peer)
    }

    fn first(&self) -> (Option<Bytes>, bool) {
        if self.becomes_hedged() {
            return (None, false);
        }
        let mut state = self.lock();
        let (first, end) = state.replay.as_mut().map_or((None, false), Replay::first);
        state.end_sent = end;
        (first, end)
    }

    fn leave_queue(self: Arc<Self>, outcome: Result<Opened, Status>) {
        if self.becomes_hedged() {
            return self.become_hedged(outcome);
        }
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Queued) {
            return;
        }
        match outcome {
            Ok(mut opened) => {
                if let Some(replay) = &state.replay {
                    let (rest, count) = replay.behind_head();
                    let rest: Vec<_> = rest.collect();
                    // What breaks here shows itself on the receiving half.
                    if rest.iter().try_for_each(|part| opened.send.send_now(part.clone(), false)).is_ok() {
                        opened.record.messages_sent_again(count, &rest);
                    }
                }
                if !state.end_sent && state.replay.as_ref().is_some_and(|replay| replay.finished) {
                    state.end_sent = true;
                    let _ = opened.send.finish();
                }
                state.phase = Phase::Open(opened);
                if state.replay.as_ref().is_some_and(Replay::is_beyond_memory) {
                    state.replay = None;
                }
                self.bound_attempt(&mut state);
            }
            Err(status) => {
                if !self.try_again(&mut state, &status) {
                    self.end(&mut state, Some(status), None);
                }
            }
        }
        state.receiver.wake();
        state.sender.wake();
    }
}

impl Exchange {
    /// What the call says of wait-for-ready, or the service config where it says nothing.
    fn wait_for_ready(&self) -> Option<bool> {
        self.request.wait_for_ready.or_else(|| self.method_config()?.wait_for_ready())
    }

    /// What follows an attempt after so many others.
    pub(super) fn trace_attempt(&self, previous_attempts: u32, peer: &Address) -> Option<Traced> {
        if self.request.tracers.is_empty() {
            return None;
        }
        // Until an attempt has failed, one more is made since no server saw the last.
        let transparent = self.unseen.swap(true, Ordering::Relaxed);
        let has_waited = self.has_waited.swap(false, Ordering::Relaxed);
        let (tracers, metadata) = self.request.tracers.attempt(previous_attempts, (transparent, has_waited), peer);
        Some(Traced { tracers, metadata, first_size: self.request.first_size })
    }

    /// The request's head, for an attempt after so many others.
    pub(super) fn head_of(&self, previous_attempts: u32, limit: usize) -> Result<RequestHead, Status> {
        // Before anything is made of it: there is no end to what a user may have put in.
        metadata::check_size(self.request.metadata.size(), limit)?;
        let mut headers = self.core().plain_head().clone();
        if let Some(compressor) = &self.request.compressor {
            headers.append(GRPC_ENCODING, HeaderValue::from_static(compressor.name()));
        }
        if let Some(deadline) = self.deadline() {
            headers.append(GRPC_TIMEOUT, timeout::encode(deadline.saturating_duration_since(Instant::now())));
        }
        if previous_attempts > 0 {
            headers.append(PREVIOUS_ATTEMPTS, HeaderValue::from(previous_attempts));
        }
        if !self.request.metadata.is_empty() {
            self.request.metadata.append_to(&mut headers);
            // Metadata that was passed on from another call may have that one's agent.
            headers.remove(&header::USER_AGENT);
            headers.append(header::USER_AGENT, self.core().settings().user_agent.clone());
        }
        let head = RequestHead {
            authority: self.core().authority().clone(),
            path: self.request.path.clone(),
            headers,
            wait_for_ready: self.wait_for_ready(),
        };
        // A call without metadata could not be made smaller.
        if !self.request.metadata.is_empty() {
            metadata::check_size(head.size(), limit)?;
        }
        Ok(head)
    }
}
