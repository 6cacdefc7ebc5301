//! HTTP/2 by the frame, for peers that choose what they answer.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Frame types.
pub const HEADERS: u8 = 1;
/// The beginning of a connection's parameters.
pub const SETTINGS: u8 = 4;
/// A question whether the peer is there, or its answer.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// The flag of an answer.
pub const ACK: u8 = 1;
/// What a client begins with.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// What it holds.
    pub payload: Vec<u8>,
}

/// Writes a frame that is of no stream; a peer that is gone does not take it.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), kind: u8, flags: u8, payload: &[u8]) {
    let size = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![size[1], size[2], size[3], kind, flags, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    let _ = to.write_all(&frame).await;
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
    Ok(Frame { kind: head[3], flags: head[4], payload })
}

/// Reads a frame; an error at the end of the connection.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let head = read_head(from).await?;
    read_rest(from, head).await
}
