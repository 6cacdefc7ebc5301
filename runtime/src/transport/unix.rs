//! Unix sockets: the socket file of a server, what stands at its path before, and after; and the sockets that have no file.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tokio::net::unix::{SocketAddr, UCred};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::Address;
use super::listener::BACKLOG;

/// A socket in the abstract namespace, as its path is given to the system: a null byte, and the name.
///
/// # Errors
/// Where there are none, which is everywhere but on Linux; and for a name that is empty or has a null byte in it.
pub(super) fn abstract_path(name: &[u8]) -> io::Result<PathBuf> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has abstract Unix sockets"));
    }
    if name.is_empty() || name.contains(&0) {
        let problem = "the name of an abstract Unix socket has at least one byte, and no null byte";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    Ok(PathBuf::from(OsString::from_vec([&[0], name].concat())))
}

/// The address of a Unix socket, of either kind.
pub(super) fn address(address: &SocketAddr) -> Address {
    match abstract_name(address) {
        Some(name) => Address::UnixAbstract(name.to_vec()),
        None => Address::Unix(address.as_pathname().map(Path::to_path_buf)),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    address.as_abstract_name()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

/// The names of what the system knows of a client: its user, its group, and its process.
pub(crate) const UID: &str = "unix_uid";
pub(crate) const GID: &str = "unix_gid";
pub(crate) const PID: &str = "unix_pid";

/// What the system knows of a client.
pub(super) fn properties(user: &UCred) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let pid = user.pid().map(|pid| (PID, pid.to_string()));
    let known = [(UID, user.uid().to_string()), (GID, user.gid().to_string())].into_iter().chain(pid);
    known.map(|(name, value)| (name, value.into_bytes()))
}

/// A socket file that this server has bound. Dropping it removes the file, unless another one has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: a path tells nothing of whose file it is.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// Listens at `path`; a socket that a server left behind which no longer listens is replaced, and nothing else is.
    pub(super) async fn bind(path: PathBuf) -> io::Result<(UnixListener, SocketFile)> {
        let listener = match listen(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if !fs::symlink_metadata(&path)?.file_type().is_socket() {
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists, and is no socket"));
                }
                if !is_left_behind(&path).await {
                    return Err(error);
                }
                fs::remove_file(&path)?;
                listen(&path)?
            }
            bound => bound?,
        };
        let identity = identity(&path).ok();
        Ok((listener, SocketFile { path, identity }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == identity(&self.path).ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, where nothing is.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// Whether nobody listens on a socket. One whose server is too busy to take a connection now is not left behind.
async fn is_left_behind(path: &Path) -> bool {
    UnixStream::connect(path).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}
