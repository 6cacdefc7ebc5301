//! Channels and subchannels as channelz shows them.

use super::server::socket_ref;
use super::{number, timestamp};
use crate::call::ConnectivityState;
use crate::generated::channelz_v1::channel_connectivity_state::State;
use crate::generated::channelz_v1::channel_trace_event::{ChildRef, Severity as ProtoSeverity};
use crate::generated::channelz_v1::{
    Channel, ChannelConnectivityState, ChannelData, ChannelRef, ChannelTrace, ChannelTraceEvent, Subchannel,
    SubchannelRef,
};
use crate::stats::{CallCounts, ChannelStats, Child, Severity, SubchannelStats, Trace, TraceEvent};

pub(super) fn channel(stats: &ChannelStats) -> Channel {
    Channel {
        r#ref: Some(ChannelRef { channel_id: number(stats.id()), name: stats.target().to_owned() }),
        data: Some(data(stats.state(), stats.target().to_owned(), stats.trace(), stats.calls())),
        subchannel_ref: stats.subchannels().iter().map(|stats| subchannel_ref(stats)).collect(),
        ..Channel::default()
    }
}

pub(super) fn subchannel(stats: &SubchannelStats) -> Subchannel {
    Subchannel {
        r#ref: Some(subchannel_ref(stats)),
        data: Some(data(stats.state(), stats.address().to_uri(), stats.trace(), stats.calls())),
        socket_ref: stats.sockets().iter().map(|stats| socket_ref(stats)).collect(),
        ..Subchannel::default()
    }
}

fn subchannel_ref(stats: &SubchannelStats) -> SubchannelRef {
    SubchannelRef { subchannel_id: number(stats.id()), name: stats.address().to_uri() }
}

fn data(state: ConnectivityState, target: String, happened: Trace, calls: CallCounts) -> ChannelData {
    let state = match state {
        ConnectivityState::Idle => State::Idle,
        ConnectivityState::Connecting => State::Connecting,
        ConnectivityState::Ready => State::Ready,
        ConnectivityState::TransientFailure => State::TransientFailure,
        ConnectivityState::Shutdown => State::Shutdown,
    };
    ChannelData {
        state: Some(ChannelConnectivityState { state: state.into() }),
        target,
        trace: Some(trace(happened)),
        calls_started: number(calls.started),
        calls_succeeded: number(calls.succeeded),
        calls_failed: number(calls.failed),
        last_call_started_timestamp: calls.last_started.map(timestamp),
        ..ChannelData::default()
    }
}

pub(super) fn trace(trace: Trace) -> ChannelTrace {
    ChannelTrace {
        num_events_logged: number(trace.logged),
        creation_timestamp: Some(timestamp(trace.created)),
        events: trace.events.into_iter().map(event).collect(),
    }
}

fn event(event: TraceEvent) -> ChannelTraceEvent {
    let severity = match event.severity {
        Severity::Info => ProtoSeverity::CtInfo,
        Severity::Warning => ProtoSeverity::CtWarning,
        Severity::Error => ProtoSeverity::CtError,
    };
    let child_ref = event.child.map(|Child::Subchannel(id)| {
        ChildRef::SubchannelRef(SubchannelRef { subchannel_id: number(id), name: String::new() })
    });
    ChannelTraceEvent {
        description: event.description,
        severity: severity.into(),
        timestamp: Some(timestamp(event.timestamp)),
        child_ref,
    }
}
