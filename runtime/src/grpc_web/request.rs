//! The body of a request: messages as they are, or their base64.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Frame;

use super::{BoxError, Form};

/// The body of a request, as binary gRPC has it.
pub(super) struct RequestBody<B> {
    body: Pin<Box<B>>,
    /// `None` where nothing is to be decoded.
    decoder: Option<Decoder>,
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, form: Form) -> RequestBody<B> {
        RequestBody { body: Box::pin(body), decoder: (form == Form::Text).then(Decoder::default) }
    }
}

impl<B> http_body::Body for RequestBody<B>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx)).transpose().map_err(Into::into)?;
        let Some(frame) = frame else {
            let ended = self.decoder.as_ref().map_or(Ok(()), Decoder::end);
            return Poll::Ready(ended.err().map(|error| Err(error.into())));
        };
        let data = frame.into_data().map(|mut data| data.copy_to_bytes(data.remaining()));
        // Trailers of a request mean nothing.
        let data = data.unwrap_or_default();
        let data = match &mut self.decoder {
            Some(decoder) => decoder.decode(&data)?,
            None => data,
        };
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.as_ref().is_none_or(|decoder| decoder.end().is_ok()) && self.body.is_end_stream()
    }
}

/// Text that is no base64.
#[derive(Debug, thiserror::Error)]
enum TextError {
    #[error("its text is not base64")]
    Broken(#[from] base64::DecodeError),
    #[error("its base64 ends in the middle of four characters")]
    Unfinished,
}

/// Decodes base64 as it comes. It may be padded wherever the sender has paused.
#[derive(Debug, Default)]
struct Decoder {
    /// What is not four characters yet.
    rest: BytesMut,
}

impl Decoder {
    fn decode(&mut self, text: &[u8]) -> Result<Bytes, TextError> {
        self.rest.extend_from_slice(text);
        let whole = self.rest.len() / 4 * 4;
        let text = self.rest.split_to(whole);
        let (mut text, mut data) = (&text[..], Vec::with_capacity(whole / 4 * 3));
        while !text.is_empty() {
            let padding = text.iter().position(|character| *character == b'=');
            let (part, behind) = text.split_at(padding.map_or(text.len(), |at| (at / 4 + 1) * 4));
            STANDARD.decode_vec(part, &mut data)?;
            text = behind;
        }
        Ok(Bytes::from(data))
    }

    fn end(&self) -> Result<(), TextError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TextError::Unfinished) }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_however_it_is_cut_and_padded() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (mut text, mut data) = (String::new(), Vec::new());
            for _ in 0..random.usize(1..6) {
                let part: Vec<u8> = (0..random.usize(..9)).map(|_| random.u8(..)).collect();
                text.push_str(&STANDARD.encode(&part));
                data.extend(part);
            }
            let (mut decoder, mut decoded, mut left) = (Decoder::default(), Vec::new(), text.as_bytes());
            while !left.is_empty() {
                let (part, behind) = left.split_at(random.usize(1..=left.len()));
                decoded.extend(decoder.decode(part).unwrap());
                left = behind;
            }
            assert!(decoder.end().is_ok());
            assert_eq!(decoded, data, "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_is_an_error() {
        for broken in ["AAA!", "=AAA", "A===", "AA=A", "AB==CD"] {
            let mut decoder = Decoder::default();
            let result = decoder.decode(broken.as_bytes()).and_then(|_| decoder.end());
            assert!(result.is_err(), "{broken}");
        }
        let mut decoder = Decoder::default();
        assert!(decoder.decode(b"AAAAA").is_ok());
        assert_eq!(decoder.end().unwrap_err().to_string(), "its base64 ends in the middle of four characters");
    }
}
