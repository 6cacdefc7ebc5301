//! One stream.
//!
//! ```text
//!        receiving                            sending
//!   Head ──HEADERS──▶ Body ──END_STREAM──▶ Done      Head ──headers──▶ Body ──end──▶ Done
//!     └──HEADERS with END_STREAM───────────▶┘          └──headers with end──────────▶┘
//! ```
//!
//! With both halves Done the stream is closed, and forgotten but for its id; a reset closes it from anywhere (RFC 9113
//! section 5.1).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::fields::Fields;
use crate::flow::{RecvWindow, SendWindow};

/// How far one half of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// Before the headers.
    Head,
    /// Between the headers and the end.
    Body,
    /// After the end.
    Done,
}

/// What ends what is sent.
#[derive(Debug)]
pub(crate) enum End {
    Data,
    Trailers(Fields),
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) recv: Half,
    pub(crate) send: Half,
    pub(crate) recv_window: RecvWindow,
    pub(crate) send_window: SendWindow,
    /// How much is to come, where the headers said so.
    pub(crate) content_left: Option<u64>,
    /// Nobody reads what arrives.
    pub(crate) unread: bool,
    /// The response has no body, whatever its headers say of one.
    pub(crate) head_only: bool,
    /// Tiny parts of the body that were passed on since nothing was unread, and what is gathered behind them.
    pub(crate) parts: u32,
    pub(crate) held: Vec<u8>,
    /// What waits for the windows.
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) queued: usize,
    pub(crate) end: Option<End>,
    /// Whether it stands in the line of those that send.
    pub(crate) in_line: bool,
    /// Whether there was no room when it was last asked for.
    pub(crate) wants_room: bool,
}

impl Stream {
    pub(crate) fn new(recv_window: u32, send_window: u32) -> Stream {
        Stream {
            recv: Half::Head,
            send: Half::Head,
            recv_window: RecvWindow::new(recv_window),
            send_window: SendWindow::new(send_window),
            content_left: None,
            unread: false,
            head_only: false,
            parts: 0,
            held: Vec::new(),
            queue: VecDeque::new(),
            queued: 0,
            end: None,
            in_line: false,
            wants_room: false,
        }
    }

    /// Whether all that this side has to send is sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.send == Half::Done && self.queue.is_empty() && self.end.is_none()
    }

    /// Whether it has something that could be sent now, as far as its own window goes.
    pub(crate) fn can_send(&self) -> bool {
        match self.queue.is_empty() {
            true => self.end.is_some(),
            false => self.send_window.room() > 0,
        }
    }
}
