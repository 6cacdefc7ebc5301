//! A message that passes, for those who watch.

use crate::codec::frame::PREFIX;

/// A message that was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// How large it is, in bytes, decompressed. `None` for one that is sent compressed once more, since only what was made of it is
    /// kept for that.
    pub size: Option<usize>,
    /// How large it is compressed, in bytes; `None` for one that is not.
    pub compressed_size: Option<usize>,
}

impl MessageEvent {
    /// A message that came as these many bytes without its prefix, and is `size` bytes.
    pub(crate) fn received(on_wire: usize, compressed: bool, size: usize) -> Self {
        MessageEvent { size: Some(size), compressed_size: compressed.then_some(on_wire) }
    }

    /// A message with its prefix, which was `size` bytes before compression, where that is known.
    pub(crate) fn of_frame(frame: &[u8], size: Option<usize>) -> Self {
        let on_wire = frame.len().saturating_sub(PREFIX);
        match frame.first() {
            Some(0) | None => MessageEvent { size: Some(on_wire), compressed_size: None },
            Some(_) => MessageEvent { size, compressed_size: Some(on_wire) },
        }
    }

    /// A message of so many bytes with its prefix that is not compressed.
    pub(crate) fn plain(size: usize) -> Self {
        MessageEvent { size: Some(size.saturating_sub(PREFIX)), compressed_size: None }
    }

    /// The messages that are joined in `frames`.
    pub(crate) fn of_frames(mut frames: &[u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (_, rest) = frames.split_first()?;
            let size = u32::from_be_bytes(*rest.first_chunk()?) as usize;
            let (frame, rest) = frames.split_at_checked(PREFIX + size)?;
            frames = rest;
            Some(MessageEvent::of_frame(frame, None))
        })
    }

    /// How many bytes go over the wire, without prefix and encryption.
    pub fn size_on_wire(&self) -> usize {
        self.compressed_size.or(self.size).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_messages_are_told_apart() {
        let frames = [&[0, 0, 0, 0, 2, 7, 7][..], &[1, 0, 0, 0, 1, 9], &[0, 0, 0, 0, 0]].concat();
        let expected = [(Some(2), None), (None, Some(1)), (Some(0), None)];
        let events: Vec<_> = MessageEvent::of_frames(&frames).collect();
        assert_eq!(events.iter().map(|event| (event.size, event.compressed_size)).collect::<Vec<_>>(), expected);
        assert_eq!(events.iter().map(MessageEvent::size_on_wire).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(MessageEvent::of_frames(&frames[..6]).count(), 0);
    }
}
