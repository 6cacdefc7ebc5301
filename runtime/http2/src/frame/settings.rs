//! SETTINGS (section 6.5).

use super::{ACK, SETTINGS, put_head};
use crate::error::{ErrorCode, Fault, frame_size, protocol};

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// The windows that both sides begin with, in bytes.
pub(crate) const DEFAULT_WINDOW: u32 = 65_535;
/// The largest window, in bytes.
pub(crate) const MAX_WINDOW: u32 = 0x7fff_ffff;
/// The largest payload that every peer takes, in bytes.
pub(crate) const DEFAULT_FRAME_SIZE: u32 = 16_384;
/// The largest payload that there can be, in bytes.
pub(crate) const MAX_FRAME: u32 = 0xff_ffff;

/// One setting that this side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    HeaderTableSize(u32),
    EnablePush(bool),
    MaxConcurrentStreams(u32),
    InitialWindowSize(u32),
    MaxFrameSize(u32),
    MaxHeaderListSize(u32),
}

/// The settings in a payload, in their order; those that are not known are left out.
pub(crate) fn parse(payload: &[u8]) -> Result<impl Iterator<Item = Result<Setting, Fault>> + '_, Fault> {
    let (settings, rest) = payload.as_chunks::<6>();
    if !rest.is_empty() {
        return Err(frame_size("SETTINGS whose length is not a multiple of six"));
    }
    Ok(settings.iter().filter_map(|&[a, b, value @ ..]| setting(u16::from_be_bytes([a, b]), u32::from_be_bytes(value))))
}

fn setting(name: u16, value: u32) -> Option<Result<Setting, Fault>> {
    Some(Ok(match name {
        HEADER_TABLE_SIZE => Setting::HeaderTableSize(value),
        ENABLE_PUSH => match value {
            0 | 1 => Setting::EnablePush(value == 1),
            _ => return Some(Err(protocol("SETTINGS_ENABLE_PUSH is neither 0 nor 1"))),
        },
        MAX_CONCURRENT_STREAMS => Setting::MaxConcurrentStreams(value),
        INITIAL_WINDOW_SIZE if value > MAX_WINDOW => {
            let reason = "SETTINGS_INITIAL_WINDOW_SIZE is over 2^31-1";
            return Some(Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, reason)));
        }
        INITIAL_WINDOW_SIZE => Setting::InitialWindowSize(value),
        MAX_FRAME_SIZE => match value {
            DEFAULT_FRAME_SIZE..=MAX_FRAME => Setting::MaxFrameSize(value),
            _ => return Some(Err(protocol("SETTINGS_MAX_FRAME_SIZE is out of its range"))),
        },
        MAX_HEADER_LIST_SIZE => Setting::MaxHeaderListSize(value),
        _ => return None,
    }))
}

/// Appends a frame with these settings.
pub(crate) fn put(settings: &[Setting], to: &mut Vec<u8>) {
    put_head(SETTINGS, 0, 0, settings.len() * 6, to);
    for setting in settings {
        let (name, value) = match *setting {
            Setting::HeaderTableSize(value) => (HEADER_TABLE_SIZE, value),
            Setting::EnablePush(value) => (ENABLE_PUSH, value.into()),
            Setting::MaxConcurrentStreams(value) => (MAX_CONCURRENT_STREAMS, value),
            Setting::InitialWindowSize(value) => (INITIAL_WINDOW_SIZE, value),
            Setting::MaxFrameSize(value) => (MAX_FRAME_SIZE, value),
            Setting::MaxHeaderListSize(value) => (MAX_HEADER_LIST_SIZE, value),
        };
        to.extend_from_slice(&name.to_be_bytes());
        to.extend_from_slice(&value.to_be_bytes());
    }
}

pub(crate) fn put_ack(to: &mut Vec<u8>) {
    put_head(SETTINGS, ACK, 0, 0, to);
}
