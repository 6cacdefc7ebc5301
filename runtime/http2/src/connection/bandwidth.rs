//! How large the windows have to be for what the path carries: the bandwidth-delay product, measured by a PING while data
//! flows (as grpc-go and C-core do).

/// The payload of the PINGs that measure.
pub(super) const PAYLOAD: [u8; 8] = *b"bdp-ping";

/// Measures, and says when a window is too small.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// Bytes received since the measurement began, or since the last one ended.
    received: u64,
    measuring: bool,
}

impl Bandwidth {
    pub(super) fn new() -> Bandwidth {
        Bandwidth { received: 0, measuring: false }
    }

    /// Notes data; whether to send a PING now.
    pub(super) fn received(&mut self, bytes: usize, window: u32) -> bool {
        self.received += bytes as u64;
        // A connection that carries little is not measured, and not bothered with PINGs.
        if self.measuring || self.received < u64::from(window / 4) {
            return false;
        }
        self.received = 0;
        self.measuring = true;
        true
    }

    /// The PING has come back; whether a window of this size was nearly full in the meantime, so that a larger one is
    /// worth it.
    pub(super) fn answered(&mut self, window: u32) -> bool {
        let full = self.measuring && self.received >= u64::from(window) * 2 / 3;
        self.measuring = false;
        self.received = 0;
        full
    }
}
