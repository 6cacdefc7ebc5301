//! HTTP/2 by the frame, for peers that choose what they answer.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Frame types.
pub const DATA: u8 = 0;
/// The head of a request or of a response, or its trailers.
pub const HEADERS: u8 = 1;
/// The end of a stream before its time.
pub const RST_STREAM: u8 = 3;
/// The beginning of a connection's parameters.
pub const SETTINGS: u8 = 4;
/// A question whether the peer is there, or its answer.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// How much more may be sent.
pub const WINDOW_UPDATE: u8 = 8;
/// More of a head.
pub const CONTINUATION: u8 = 9;
/// The flag of an answer.
pub const ACK: u8 = 1;
/// The flag of the last frame of a stream's direction.
pub const END_STREAM: u8 = 1;
/// The flag of a head that needs no further frame.
pub const END_HEADERS: u8 = 4;
/// The flag of a frame with padding, whose first byte says how much.
pub const PADDED: u8 = 8;
/// What a client begins with.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The stream that it is of; 0 for the connection.
    pub stream: u32,
    /// What it holds.
    pub payload: Vec<u8>,
}

/// Writes a frame that is of no stream; a peer that is gone does not take it.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), kind: u8, flags: u8, payload: &[u8]) {
    let _ = to.write_all(&encoded(kind, flags, 0, payload)).await;
}

/// The bytes of a frame.
pub fn encoded(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![size[1], size[2], size[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads the head of a frame, which can be given up and begun anew as long as nothing of it has come.
pub async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; 9]> {
    let mut head = [0; 9];
    from.read_exact(&mut head).await?;
    Ok(head)
}

/// Reads the rest of a frame.
pub async fn read_rest(from: &mut (impl AsyncRead + Unpin), head: [u8; 9]) -> io::Result<Frame> {
    let size = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; size as usize];
    from.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
    Ok(Frame { kind: head[3], flags: head[4], stream, payload })
}

/// Reads a frame; an error at the end of the connection.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let head = read_head(from).await?;
    read_rest(from, head).await
}
