//! Length-prefixed messages (`doc/PROTOCOL-HTTP2.md`): one flag byte, four bytes of length, the message.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};

use super::{Codec, CodecError};
use crate::compression::{Compressor, Compressors, DecompressError};
use crate::spare_memory;
use crate::status::Status;

/// What is before each message.
pub(crate) const PREFIX: usize = 5;

const COMPRESSED: u8 = 1;

/// Chunks below this many bytes are joined while a message is not complete.
const SMALL: usize = 1024;

/// How one message is to be written.
pub(crate) struct Encoding<'a> {
    /// The algorithm of the stream; `None` writes plain messages.
    pub(crate) compressor: Option<&'a dyn Compressor>,
    pub(crate) compressors: &'a Compressors,
    /// The largest message that may go out, in bytes before compression.
    pub(crate) limit: usize,
    /// Who sends it, and has this limit.
    pub(crate) sender: Side,
}

/// Writes one message with its prefix.
///
/// A message that compression would not make smaller, or that is below the minimum size, goes out plain.
///
/// # Errors
/// INTERNAL when the codec refuses the message, RESOURCE_EXHAUSTED when it is larger than the limit.
pub(crate) fn encode<T: 'static>(codec: &dyn Codec<T>, message: &T, encoding: &Encoding<'_>) -> Result<Bytes, Status> {
    // Bytes whose room is filled are shared without another allocation.
    let expected = codec.encoded_len(message);
    check_size(expected.unwrap_or(0), encoding)?;
    let mut buffer = spare_memory::room(expected.map_or(128, |size| PREFIX + size));
    buffer.put_bytes(0, PREFIX);
    codec
        .encode(message, &mut buffer)
        .map_err(|error| Status::internal(format!("cannot encode the message: {error}")).with_source(error))?;
    let Some(size) = buffer.len().checked_sub(PREFIX) else {
        return Err(Status::internal("the codec took away what it was to append to"));
    };
    if let Some(expected) = expected
        && size != expected
    {
        return Err(wrong_size(expected, size));
    }
    check_size(size, encoding)?;
    if let Some(packed) = compress(&buffer[PREFIX..], encoding) {
        return Ok(packed);
    }
    put_prefix(&mut buffer, 0);
    Ok(spare_memory::share(buffer))
}

fn check_size(size: usize, encoding: &Encoding<'_>) -> Result<(), Status> {
    if size <= encoding.limit && u32::try_from(size).is_ok() {
        return Ok(());
    }
    let limit = encoding.limit.min(u32::MAX as usize);
    let (message, whose) = match encoding.sender {
        Side::Client => ("request", "the client's"),
        Side::Server => ("response", "the server's"),
    };
    Err(Status::resource_exhausted(format!(
        "{message} of {size} bytes is over {whose} limit of {limit} bytes (max_send_message_size)"
    )))
}

fn wrong_size(said: usize, wrote: usize) -> Status {
    Status::internal(format!("the codec said that the message has {said} bytes (Codec::encoded_len) and wrote {wrote}"))
}

/// Has a message that is small enough written where it waits, beside others: its bytes are copied once less. `send` is given the
/// size with the prefix, and what writes that; `false` for a message that is to be [encoded](encode) by itself.
///
/// # Errors
/// What `send` gives, and INTERNAL when the codec refuses the message, or writes another number of bytes than it said.
pub(crate) fn send_small<T: 'static>(
    codec: &dyn Codec<T>,
    message: &T,
    limit: usize,
    send: impl FnOnce(usize, &mut dyn FnMut(&mut BytesMut) -> Result<(), Status>) -> Result<bool, Status>,
) -> Result<bool, Status> {
    match codec.encoded_len(message) {
        Some(size) if size < SMALL && size <= limit => {
            send(PREFIX + size, &mut |buffer| append(codec, message, size, buffer))
        }
        _ => Ok(false),
    }
}

/// Appends one small message of this size, plain, with its prefix.
fn append<T: 'static>(codec: &dyn Codec<T>, message: &T, size: usize, buffer: &mut BytesMut) -> Result<(), Status> {
    buffer.reserve(PREFIX + size);
    buffer.put_u8(0);
    buffer.put_u32(size as u32);
    let before = buffer.len();
    codec
        .encode(message, buffer)
        .map_err(|error| Status::internal(format!("cannot encode the message: {error}")).with_source(error))?;
    if buffer.len() != before + size {
        return Err(wrong_size(size, buffer.len().saturating_sub(before)));
    }
    Ok(())
}

fn compress(message: &[u8], encoding: &Encoding<'_>) -> Option<Bytes> {
    let compressor = encoding.compressor?;
    if message.is_empty() || message.len() < encoding.compressors.min_size {
        return None;
    }
    let mut packed = Vec::with_capacity(PREFIX + message.len() / 2 + 64);
    packed.resize(PREFIX, 0);
    compressor.compress(message, encoding.compressors.level, &mut packed).ok()?;
    // None for a compressor that took away what it was to append to.
    if packed.len().checked_sub(PREFIX)? >= message.len() {
        return None;
    }
    put_prefix(&mut packed, COMPRESSED);
    Some(Bytes::from(packed))
}

fn put_prefix(frame: &mut [u8], flag: u8) {
    let size = (frame.len() - PREFIX) as u32;
    frame[0] = flag;
    frame[1..PREFIX].copy_from_slice(&size.to_be_bytes());
}

/// A message as it arrived.
#[derive(Debug)]
pub(crate) struct Message<T> {
    /// What it is, or why it cannot be read.
    pub(crate) content: Result<T, CodecError>,
    /// Whether its flag byte said that it was compressed.
    pub(crate) compressed: bool,
    /// How many bytes it was without its prefix, before decompression.
    pub(crate) size: usize,
    /// The same after decompression.
    pub(crate) plain_size: usize,
}

/// Who takes the messages, or sends them: an error says whose limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Takes the bytes of a stream as they come and gives its messages, one at a time.
///
/// It holds at most one message of `limit` bytes and the chunk that completes it: whoever feeds it asks for
/// messages before giving more.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The chunk that is read; empty only if there is no other.
    front: Bytes,
    more: Option<Box<More>>,
    buffered: usize,
    compressor: Option<Arc<dyn Compressor>>,
    limit: usize,
    receiver: Side,
}

/// What is behind the chunk that is read.
#[derive(Debug, Default)]
struct More {
    chunks: VecDeque<Bytes>,
    /// The small chunks behind those, joined: a chunk of one byte costs a hundred to keep as it is.
    tail: BytesMut,
}

impl Decoder {
    pub(crate) fn new(compressor: Option<Arc<dyn Compressor>>, limit: usize, receiver: Side) -> Decoder {
        Decoder { front: Bytes::new(), more: None, buffered: 0, compressor, limit, receiver }
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.buffered += chunk.len();
        // One that could be a whole message stays as it is: it is passed on without a copy.
        if chunk.len() < SMALL && self.buffered > chunk.len() {
            self.more.get_or_insert_default().tail.extend_from_slice(&chunk);
        } else if !chunk.is_empty() {
            self.join_tail();
            self.append(chunk);
        }
    }

    fn append(&mut self, chunk: Bytes) {
        match self.front.is_empty() {
            true => self.front = chunk,
            false => self.more.get_or_insert_default().chunks.push_back(chunk),
        }
    }

    /// Whether the stream could end here without cutting a message.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.buffered == 0
    }

    /// The next message, or `None` until more bytes come.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for a message over the limit, told from its prefix or as decompression passes it;
    /// INTERNAL for a flag that is neither 0 nor 1, for a compressed message on a stream without encoding, and for
    /// bytes that do not decompress.
    pub(crate) fn next<T: 'static>(&mut self, codec: &dyn Codec<T>) -> Result<Option<Message<T>>, Status> {
        let Some((size, compressed)) = self.next_prefix()? else { return Ok(None) };
        let mut plain_size = size;
        let content = if compressed {
            let bytes = self.decompressed(size)?;
            plain_size = bytes.len();
            codec.decode(bytes)
        } else {
            let mut bytes = MessageBytes { decoder: self, left: size };
            let content = codec.decode_from(&mut bytes);
            // What the codec has not read goes with the message.
            bytes.advance(bytes.left);
            content
        };
        Ok(Some(Message { content, compressed, size, plain_size }))
    }

    /// Takes the prefix of the next message once all of that is here: its size, and whether it is compressed.
    fn next_prefix(&mut self) -> Result<Option<(usize, bool)>, Status> {
        let Some((flag, size)) = self.peek_prefix() else {
            return Ok(None);
        };
        if flag > COMPRESSED {
            return Err(Status::internal(format!("message starts with flag byte {flag}; only 0 and 1 are defined")));
        }
        if flag == COMPRESSED && self.compressor.is_none() {
            return Err(Status::internal("message is flagged as compressed, but the stream has no grpc-encoding"));
        }
        if size > self.limit {
            return Err(self.too_large(&format!("{size} bytes")));
        }
        if self.buffered < PREFIX + size {
            return Ok(None);
        }
        self.join_tail();
        self.skip(PREFIX);
        Ok(Some((size, flag == COMPRESSED)))
    }

    /// Takes a message of `size` bytes, and decompresses it.
    fn decompressed(&mut self, size: usize) -> Result<Bytes, Status> {
        let bytes = self.take(size);
        let Some(compressor) = &self.compressor else { return Ok(bytes) };
        let mut plain = Vec::with_capacity((size * 2).min(self.limit));
        compressor.decompress(&bytes, self.limit, &mut plain).map_err(|error| match error {
            DecompressError::TooLarge { .. } => self.too_large("more than that, decompressed,"),
            corrupt => Status::internal(format!("cannot decompress the {} message: {corrupt}", compressor.name()))
                .with_source(corrupt),
        })?;
        // A compressor of a user's own may have passed the limit without noticing.
        if plain.len() > self.limit {
            return Err(self.too_large("more than that, decompressed,"));
        }
        Ok(Bytes::from(plain))
    }

    fn too_large(&self, what: &str) -> Status {
        let (message, whose) = match self.receiver {
            Side::Client => ("response", "the client's"),
            Side::Server => ("request", "the server's"),
        };
        let limit = self.limit;
        Status::resource_exhausted(format!(
            "{message} of {what} is over {whose} limit of {limit} bytes (max_receive_message_size)"
        ))
    }

    fn peek_prefix(&self) -> Option<(u8, usize)> {
        if self.buffered < PREFIX {
            return None;
        }
        let mut prefix = [0; PREFIX];
        match self.front.first_chunk::<PREFIX>() {
            Some(whole) => prefix = *whole,
            None => {
                let more = self.more.iter().flat_map(|more| more.chunks.iter().flatten().chain(&more.tail));
                let bytes = self.front.iter().chain(more);
                prefix.iter_mut().zip(bytes).for_each(|(target, byte)| *target = *byte);
            }
        }
        let [flag, size @ ..] = prefix;
        Some((flag, u32::from_be_bytes(size) as usize))
    }

    fn join_tail(&mut self) {
        if let Some(more) = &mut self.more
            && !more.tail.is_empty()
        {
            let tail = std::mem::take(&mut more.tail).freeze();
            self.append(tail);
        }
    }

    /// Leaves out `size` bytes that are known to be there.
    fn skip(&mut self, mut size: usize) {
        self.buffered -= size;
        while size > 0 {
            let part = self.front.len().min(size);
            self.front.advance(part);
            size -= part;
            self.refill();
        }
    }

    fn refill(&mut self) {
        if self.front.is_empty()
            && let Some(next) = self.more.as_mut().and_then(|more| more.chunks.pop_front())
        {
            self.front = next;
        }
    }

    /// Takes `size` bytes that are known to be there: shared where one chunk holds them, copied together otherwise.
    fn take(&mut self, size: usize) -> Bytes {
        self.buffered -= size;
        if self.front.len() > size {
            return self.front.split_to(size);
        }
        if self.front.len() == size {
            let whole = std::mem::take(&mut self.front);
            self.refill();
            return whole;
        }
        let mut joined = spare_memory::room(size);
        while joined.len() < size && !self.front.is_empty() {
            let part = self.front.len().min(size - joined.len());
            joined.put_slice(&self.front[..part]);
            self.front.advance(part);
            self.refill();
        }
        spare_memory::share(joined)
    }
}

/// The bytes of one message as they arrived, in one part or in several: what [`Codec::decode_from`] reads.
#[derive(Debug)]
pub struct MessageBytes<'a> {
    decoder: &'a mut Decoder,
    left: usize,
}

impl Buf for MessageBytes<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.left
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        let front = &self.decoder.front;
        front.get(..self.left).unwrap_or(front)
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        assert!(count <= self.left, "cannot advance past the end of the message");
        self.left -= count;
        if count < self.decoder.front.len() {
            self.decoder.front.advance(count);
            self.decoder.buffered -= count;
        } else {
            self.decoder.skip(count);
        }
    }

    /// The next bytes in one piece: shared with what arrived where they are in one part of it, copied together otherwise.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.left, "cannot read past the end of the message");
        self.left -= count;
        self.decoder.take(count)
    }
}
