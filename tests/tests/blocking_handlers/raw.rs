//! A client that says when its bytes leave, so that several requests are in one write.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Long enough never to run out unless something hangs.
const LONG: Duration = Duration::from_secs(30);
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub(super) struct Raw {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(super) async fn connect(address: &str) -> Raw {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
        socket.write_all(&hello).await.unwrap();
        Raw { socket, buffer: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Waits for the end of this stream.
    pub(super) async fn answered(&mut self, id: u32) {
        let ended = async {
            loop {
                while let Some(&[a, b, c, kind, flags, w, x, y, z]) = self.buffer.first_chunk::<9>() {
                    let len = 9 + (u32::from_be_bytes([0, a, b, c]) as usize);
                    if self.buffer.len() < len {
                        break;
                    }
                    self.buffer.drain(..len);
                    if u32::from_be_bytes([w, x, y, z]) == id && kind <= HEADERS && flags & END_STREAM != 0 {
                        return;
                    }
                }
                assert!(self.socket.read_buf(&mut self.buffer).await.unwrap() > 0, "the connection ended");
            }
        };
        tokio::time::timeout(LONG, ended).await.unwrap_or_else(|_| panic!("stream {id} is not answered"));
    }
}

pub(super) fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &id.to_be_bytes()[..], payload].concat()
}

/// A call with this text as its one request.
pub(super) fn request(id: u32, path: &str, text: &str) -> Vec<u8> {
    let (path_len, text_len) = (path.len() as u8, text.len() as u8);
    // POST and http by their indices; the path and content-type in full.
    let content_type = [&[0x0f, 0x10, 16], &b"application/grpc"[..]].concat();
    let block = [&[0x83, 0x86, 0x04, path_len], path.as_bytes(), &content_type].concat();
    let message = [&[0, 0, 0, 0, text_len + 2, 0x0a, text_len], text.as_bytes()].concat();
    [frame(HEADERS, END_HEADERS, id, &block), frame(DATA, END_STREAM, id, &message)].concat()
}
