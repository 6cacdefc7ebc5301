//! Drives the HTTP/2 engine over a socket with nothing of gRPC around it: for h2spec and h2specd.

use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use callwright_http2::{Connection, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep_until, timeout};

/// How much is read at once, in bytes.
const READ: usize = 16 * 1024;
/// How long the peer has to take the last bytes and close, once this side is done; it may ask more before it does.
const LINGER: Duration = Duration::from_secs(1);

/// Drives a connection until it is done, or its peer closes, or a second after `handle` has broken off; `handle` sees every
/// event. The second is the peer's: what it sends behind the end of a response, such as a PING, is answered as before.
///
/// # Errors
/// Where the socket fails.
pub async fn drive(
    mut connection: Connection,
    socket: TcpStream,
    mut handle: impl FnMut(&mut Connection, Event) -> ControlFlow<()>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (mut reader, mut writer) = socket.into_split();
    let mut arrived = BytesMut::with_capacity(READ);
    let mut closed = false;
    let mut lingers_until = None;
    loop {
        while let Some(event) = connection.poll_event() {
            if handle(&mut connection, event).is_break() && lingers_until.is_none() {
                lingers_until = Some(Instant::now() + LINGER);
            }
        }
        let ended = closed || lingers_until.is_some_and(|until| Instant::now() >= until);
        let wants_write = connection.poll_transmit().is_some();
        if ended || !wants_write && connection.is_done() || connection.error().is_some() {
            return close(&mut connection, reader, writer).await;
        }
        let resumes = [connection.poll_timeout(), lingers_until].into_iter().flatten().min();
        tokio::select! {
            read = reader.read_buf(&mut arrived), if connection.wants_read() => {
                if read? == 0 {
                    connection.handle_close();
                    closed = true;
                }
            }
            written = write(&mut connection, &mut writer), if wants_write => written?,
            () = sleep_until(resumes.unwrap_or_else(Instant::now).into()), if resumes.is_some() => {}
        }
        // What is wrong is kept as the connection's error, and told to the peer before the socket is closed.
        let _ = connection.handle_read(Instant::now(), &mut arrived);
    }
}

async fn write(connection: &mut Connection, writer: &mut OwnedWriteHalf) -> io::Result<()> {
    let Some(output) = connection.poll_transmit() else { return Ok(()) };
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = output.slices(&mut slices);
    let written = writer.write_vectored(&slices[..filled]).await?;
    output.advance(written);
    Ok(())
}

/// Sends what is left, and waits for the peer to close: a socket that is closed with unread bytes loses what was sent last.
async fn close(connection: &mut Connection, mut reader: OwnedReadHalf, mut writer: OwnedWriteHalf) -> io::Result<()> {
    let last = async {
        while connection.poll_transmit().is_some() {
            write(connection, &mut writer).await?;
        }
        writer.shutdown().await?;
        let mut rest = [0; READ];
        while reader.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(LINGER, last).await.unwrap_or(Ok(()))
}
