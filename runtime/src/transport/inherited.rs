//! Listening sockets that a process is given by whoever starts it: systemd's socket activation, inetd, a supervisor.

#[cfg(feature = "socket-activation")]
use std::env;
use std::io;
#[cfg(feature = "socket-activation")]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(feature = "socket-activation")]
use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(feature = "socket-activation")]
use listenfd::ListenFd;
#[cfg(feature = "socket-activation")]
use socket2::{Socket, Type};

use super::ListeningSocket;

/// The prefix of a file descriptor's number.
const FD: &str = "fd:";
/// The prefix of the names of sockets that systemd gives.
const SYSTEMD: &str = "systemd:";

/// Whether an address is of sockets that are there already.
pub(crate) fn is_inherited(address: &str) -> bool {
    address.starts_with(FD) || address.starts_with(SYSTEMD)
}

#[cfg(not(feature = "socket-activation"))]
pub(crate) fn sockets(_: &str) -> io::Result<Vec<ListeningSocket>> {
    let problem = "sockets that the process was given need the feature socket-activation of callwright";
    Err(io::Error::new(io::ErrorKind::Unsupported, problem))
}

/// The sockets at `fd:N`, `systemd:` or `systemd:NAME`: one at least. They are taken, and not there a second time.
#[cfg(feature = "socket-activation")]
pub(crate) fn sockets(address: &str) -> io::Result<Vec<ListeningSocket>> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    match address.strip_prefix(FD) {
        Some(number) => given.numbered(number).map(|socket| vec![socket]),
        None => given.named(address.strip_prefix(SYSTEMD).unwrap_or_default()),
    }
}

#[cfg(feature = "socket-activation")]
static GIVEN: LazyLock<Mutex<Given>> = LazyLock::new(|| Mutex::new(Given::from_env()));

/// What LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say of this process (sd_listen_fds(3)).
#[cfg(feature = "socket-activation")]
struct Given {
    sockets: ListenFd,
    first: usize,
    /// As many as there are sockets, or fewer.
    names: Vec<String>,
}

#[cfg(feature = "socket-activation")]
impl Given {
    fn from_env() -> Given {
        // First, since the other one takes what it reads away from the processes that this one starts.
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let first = env::var("LISTEN_FDS_FIRST_FD").ok().and_then(|first| first.parse().ok()).unwrap_or(3);
        Given { sockets: ListenFd::from_env(), first, names: names.split(':').map(str::to_owned).collect() }
    }

    fn numbered(&mut self, number: &str) -> io::Result<ListeningSocket> {
        let number: usize = number.parse().map_err(|_| problem("a file descriptor is a number, as in fd:0"))?;
        // The standard library has these, as sockets too; for others somebody has to say that they are this process's own.
        match number {
            0 => return listening(io::stdin().as_fd().try_clone_to_owned()?),
            1 => return listening(io::stdout().as_fd().try_clone_to_owned()?),
            2 => return listening(io::stderr().as_fd().try_clone_to_owned()?),
            _ => {}
        }
        let taken = number.checked_sub(self.first).map(|at| self.take(at)).transpose()?.flatten();
        taken.ok_or_else(|| {
            problem(
                "it is not among those that LISTEN_FDS and LISTEN_PID say are for this process, or was taken before",
            )
        })
    }

    fn named(&mut self, name: &str) -> io::Result<Vec<ListeningSocket>> {
        let mut sockets = Vec::new();
        for at in 0..self.sockets.len() {
            if name.is_empty() || self.names.get(at).is_some_and(|known| known == name) {
                sockets.extend(self.take(at)?);
            }
        }
        match (sockets.is_empty(), self.sockets.len()) {
            (false, _) => Ok(sockets),
            (true, 0) => {
                Err(problem("the process was given no sockets: LISTEN_FDS is not set, or LISTEN_PID is another's"))
            }
            (true, _) if name.is_empty() => {
                Err(problem("the sockets that the process was given were all taken before"))
            }
            (true, _) => {
                Err(problem(&format!("no socket of this name is left; LISTEN_FDNAMES has {:?}", self.names.join(":"))))
            }
        }
    }

    /// `None` for one that is not there, or was taken before.
    fn take(&mut self, at: usize) -> io::Result<Option<ListeningSocket>> {
        let fd = match self.sockets.take_tcp_listener(at) {
            Ok(listener) => listener.map(OwnedFd::from),
            Err(_) => self.sockets.take_unix_listener(at).map_err(|_| no_listener(self.first + at))?.map(OwnedFd::from),
        };
        fd.map(listening).transpose()
    }
}

/// A socket as what it is.
#[cfg(feature = "socket-activation")]
fn listening(fd: OwnedFd) -> io::Result<ListeningSocket> {
    let socket = Socket::from(fd);
    // What is no socket has neither.
    let (Ok(Type::STREAM), Ok(address)) = (socket.r#type(), socket.local_addr()) else {
        return Err(problem("it is no stream socket"));
    };
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if !socket.is_listener()? {
        return Err(problem("the socket does not listen"));
    }
    if address.is_unix() {
        Ok(std::os::unix::net::UnixListener::from(OwnedFd::from(socket)).into())
    } else {
        Ok(std::net::TcpListener::from(OwnedFd::from(socket)).into())
    }
}

#[cfg(feature = "socket-activation")]
fn no_listener(number: usize) -> io::Error {
    problem(&format!("file descriptor {number} is no stream socket of TCP or Unix"))
}

#[cfg(feature = "socket-activation")]
fn problem(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
