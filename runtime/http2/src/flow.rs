//! What may be received and sent (RFC 9113 section 5.2).

use crate::frame::settings::MAX_WINDOW;

/// How much the peer lets this side send. A change of the peer's SETTINGS can make it negative.
#[derive(Debug)]
pub(crate) struct SendWindow(i64);

impl SendWindow {
    pub(crate) fn new(size: u32) -> SendWindow {
        SendWindow(i64::from(size))
    }

    /// How many bytes may be sent.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    /// Whether the window is no larger than it may be after it grew by so much.
    #[must_use]
    pub(crate) fn grow(&mut self, by: i64) -> bool {
        self.0 += by;
        self.0 <= i64::from(MAX_WINDOW)
    }
}

/// How much this side lets the peer send, and how much of it is unread.
#[derive(Debug)]
pub(crate) struct RecvWindow {
    /// What the peer may still send.
    left: i64,
    /// What it sent that nobody has read.
    unread: usize,
}

impl RecvWindow {
    pub(crate) fn new(size: u32) -> RecvWindow {
        RecvWindow { left: i64::from(size), unread: 0 }
    }

    /// Whether the peer was allowed to send so much.
    #[must_use]
    pub(crate) fn received(&mut self, bytes: usize) -> bool {
        self.left -= bytes as i64;
        self.unread += bytes;
        // It is below zero where the peer began with a larger window than the SETTINGS gave it.
        self.left >= 0 || bytes == 0
    }

    /// What the peer sent that nobody has read.
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    #[cfg(test)]
    pub(crate) fn room(&self) -> i64 {
        self.left
    }

    /// The windows that SETTINGS give have changed by so much.
    pub(crate) fn shift(&mut self, by: i64) {
        self.left += by;
    }

    pub(crate) fn read(&mut self, bytes: usize) {
        self.unread = self.unread.saturating_sub(bytes);
    }

    /// By how much to raise the window, so that the peer may send `target` bytes but no more than `bound` are unread; 0
    /// while that is too little to be worth a frame.
    pub(crate) fn update(&mut self, target: u32, bound: usize) -> u32 {
        let target = i64::from(target);
        let wanted = target.min(bound.saturating_sub(self.unread) as i64);
        let by = wanted - self.left;
        if by < (target / 4).max(1) {
            return 0;
        }
        self.left += by;
        u32::try_from(by).unwrap_or(MAX_WINDOW).min(MAX_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_raised_in_quarters_and_never_past_its_bound() {
        let mut window = RecvWindow::new(1000);
        assert!(window.received(200));
        assert_eq!(window.update(1000, 1000), 0);
        window.read(200);
        assert_eq!(window.update(1000, 1000), 0);
        assert!(window.received(50));
        window.read(50);
        assert_eq!(window.update(1000, 1000), 250);
        assert!(window.received(1000));
        assert_eq!(window.update(1000, 1200), 0);
        window.read(500);
        assert_eq!((window.update(1000, 1200), window.unread), (700, 500));
        assert!(!window.received(701));
    }

    #[test]
    fn what_may_be_sent_can_be_negative_and_has_an_end() {
        let mut window = SendWindow::new(100);
        window.sent(80);
        assert!(window.grow(-60));
        assert_eq!(window.room(), 0);
        assert!(window.grow(50));
        assert_eq!(window.room(), 10);
        assert!(!window.grow(i64::from(MAX_WINDOW)));
    }
}
