//! Headers and trailers that arrive.

use std::sync::Arc;

use http::StatusCode;

use super::body::pass_on_held;
use super::known::Section;
use super::recent::Closed;
use super::{Connection, Drain, Event, FRAMES_PER_WORK, Role};
use crate::error::{ErrorCode, Fault, protocol};
use crate::fields::Fields;
use crate::frame::{END_HEADERS, END_STREAM, Head as FrameHead, headers, unpadded};
use crate::head::{Block, Head, Headers};
use crate::hpack::HpackError;
use crate::stream::{Half, Stream};

/// A block may be cut into so many frames. Each is a chance to make this side work for nothing.
const MAX_CONTINUATIONS: u32 = 64;
/// So many bytes of a block that is too large count like a frame that does no work.
const LARGE_PER_FRAME: usize = 1024;

/// A header block of which CONTINUATION frames are awaited.
#[derive(Debug)]
pub(super) struct PartialBlock {
    pub(super) stream: u32,
    end: bool,
    bytes: Vec<u8>,
    frames: u32,
    /// What is wrong with its priority.
    wrong: Option<Fault>,
}

impl Connection {
    pub(super) fn take_headers(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let id = head.stream;
        if id == 0 {
            return Err(protocol("HEADERS on stream 0"));
        }
        // An error in the priority is the stream's; the block is read all the same, for the table's sake.
        let (range, wrong) = match headers::block(head, payload) {
            Ok(range) => (range, None),
            Err(fault @ Fault::Stream(..)) => (unpadded(head, payload)?, Some(fault)),
            Err(fault) => return Err(fault),
        };
        let range = if wrong.is_some() { range.start + 5..range.end } else { range };
        let end = head.has(END_STREAM);
        if head.has(END_HEADERS) {
            return self.take_block(id, &payload[range], end, wrong);
        }
        self.partial = Some(PartialBlock { stream: id, end, bytes: payload[range].to_vec(), frames: 0, wrong });
        Ok(())
    }

    pub(super) fn take_continuation(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let Some(mut partial) = self.partial.take() else {
            return Err(protocol("CONTINUATION without HEADERS before it"));
        };
        partial.frames += 1;
        self.throttle.charge(1);
        partial.bytes.extend_from_slice(payload);
        if partial.frames > MAX_CONTINUATIONS || partial.bytes.len() > 4 * self.config.max_header_list_size as usize {
            return Err(Fault::Connection(ErrorCode::ENHANCE_YOUR_CALM, "a header block without an end"));
        }
        if head.has(END_HEADERS) {
            return self.take_block(partial.stream, &partial.bytes, partial.end, partial.wrong);
        }
        self.partial = Some(partial);
        Ok(())
    }

    /// A whole header block.
    pub(super) fn take_block(&mut self, id: u32, bytes: &[u8], end: bool, wrong: Option<Fault>) -> Result<(), Fault> {
        // The next one has a time of its own.
        self.headers_since = None;
        let half = self.streams.get(id).map(|stream| stream.recv);
        let block = self.read_block(bytes, half == Some(Half::Body))?;
        let Some(stream) = self.streams.get_mut(id) else {
            return self.take_first_block(id, block, end, wrong);
        };
        if let Some(fault) = wrong {
            return Err(fault);
        }
        match (stream.recv, block) {
            (Half::Done, _) => Err(Fault::Stream(id, ErrorCode::STREAM_CLOSED)),
            (Half::Body, Read::Section(Section::Trailers(fields))) => {
                if !end || stream.content_left.is_some_and(|left| left > 0) {
                    return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
                }
                stream.recv = Half::Done;
                pass_on_held(id, stream, false, &mut self.events);
                if !stream.unread {
                    self.events.push_back(Event::Trailers { id, fields });
                }
                self.close_if_ended(id);
                Ok(())
            }
            (Half::Head, Read::Section(Section::Headers(headers))) => {
                if let Head::Response(status) = headers.head
                    && status.is_informational()
                {
                    self.throttle.charge(1);
                    let allowed = !end && status != StatusCode::SWITCHING_PROTOCOLS;
                    return if allowed { Ok(()) } else { Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR)) };
                }
                self.begin_message(id, headers, end)
            }
            (Half::Head, Read::TooLarge) => Err(Fault::Stream(id, ErrorCode::ENHANCE_YOUR_CALM)),
            (Half::Head | Half::Body, _) => Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR)),
        }
    }

    /// Reads a block, whatever stands in it: the table is to be kept right.
    fn read_block(&mut self, bytes: &[u8], trailers: bool) -> Result<Read, Fault> {
        let version = self.decoder.version();
        if let Some(section) = self.known.get(version, bytes, trailers) {
            return Ok(Read::Section(section.clone()));
        }
        let limit = self.config.max_header_list_size as usize;
        let mut block = Block::default();
        let read = self.decoder.decode(bytes, |name, value, size| block.take(name, value, size, limit));
        let indices = read.map_err(|error: HpackError| {
            let reason = match error {
                HpackError::Truncated => "a header block is cut off",
                HpackError::Integer => "a header block has an integer that is too large",
                HpackError::Index => "a header block has an index that is in no table",
                HpackError::Huffman => "a header block has a string that is not in the Huffman code",
                HpackError::TableSize => "a header block sets the size of its table wrongly",
            };
            Fault::Connection(ErrorCode::COMPRESSION_ERROR, reason)
        })?;
        if block.is_larger_than(limit) {
            // Reading it took time, and nothing comes of it.
            self.throttle.charge(1 + bytes.len() / LARGE_PER_FRAME);
            return Ok(Read::TooLarge);
        }
        let section = match (trailers, self.role) {
            (true, _) => block.trailers().map(Section::Trailers),
            (false, Role::Server) => block.request().map(|headers| Section::Headers(Arc::new(headers))),
            (false, Role::Client) => block.response().map(|headers| Section::Headers(Arc::new(headers))),
        };
        let Ok(section) = section else { return Ok(Read::Malformed) };
        if indices {
            self.known.add(version, bytes, &section);
        }
        Ok(Read::Section(section))
    }

    /// A block for a stream that is not there: a new request, or something late or wrong.
    fn take_first_block(&mut self, id: u32, block: Read, end: bool, wrong: Option<Fault>) -> Result<(), Fault> {
        if self.role == Role::Client {
            return self.on_closed(id, "HEADERS on a stream that the client did not open");
        }
        if self.is_local(id) {
            return Err(protocol("HEADERS on a stream with an even id"));
        }
        if id <= self.last_peer_id {
            return match self.recent.get(id) {
                None => Err(protocol("HEADERS with an id below those before")),
                Some(_) => self.on_closed(id, ""),
            };
        }
        if let Drain::Last(last) = self.drain
            && id > last
        {
            // It was told that this one would not be looked at; what follows on it is late, and not wrong.
            self.last_peer_id = id;
            self.recent.add(id, Closed::ResetHere);
            self.throttle.charge(1);
            return Ok(());
        }
        self.last_peer_id = id;
        if let Some(fault) = wrong {
            return Err(fault);
        }
        if self.open_by_peer >= self.config.max_concurrent_streams as usize {
            return Err(Fault::Stream(id, ErrorCode::REFUSED_STREAM));
        }
        let request = match block {
            Read::Section(Section::Headers(headers)) => Some(headers),
            Read::TooLarge => None,
            Read::Section(Section::Trailers(_)) | Read::Malformed => {
                return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
            }
        };
        self.open_by_peer += 1;
        self.stats.streams_started += 1;
        let mut stream = Stream::new(self.initial_window(), self.peer.initial_window);
        stream.unread = request.is_none();
        stream.recv = if end { Half::Done } else { Half::Body };
        self.streams.insert(id, stream);
        match request {
            Some(headers) => self.begin_message(id, headers, end),
            None => {
                // RFC 6585 section 5: the client is told what is wrong with its request. That this stream ends earns the
                // peer nothing.
                self.throttle.charge(if end { FRAMES_PER_WORK as usize } else { 0 });
                self.respond(id, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &Fields::new(), true);
                Ok(())
            }
        }
    }

    fn begin_message(&mut self, id: u32, headers: Arc<Headers>, end: bool) -> Result<(), Fault> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let length = headers.content_length;
        let no_body = stream.head_only
            || matches!(headers.head, Head::Response(StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT));
        if end && length.is_some_and(|length| length > 0) && !no_body {
            return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
        }
        stream.content_left = length.filter(|_| !no_body);
        stream.recv = if end { Half::Done } else { Half::Body };
        self.events.push_back(Event::Headers { id, headers, end });
        self.close_if_ended(id);
        Ok(())
    }
}

/// What a block is.
enum Read {
    Section(Section),
    /// Its fields are more than this side takes.
    TooLarge,
    /// It breaks the rules of HTTP/2.
    Malformed,
}
