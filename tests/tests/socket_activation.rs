//! Servers on sockets that their process was given by whoever started it.
//!
//! They have a test program of their own: until a process that is being started has begun its program, it holds copies of all
//! sockets, and others' would not be closed when they should be.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use callwright_tests::support::{channel, say};
use tempfile::TempDir;

/// What the server calls its client.
async fn peer(target: impl ToString) -> String {
    say(&channel(&target.to_string()).build().unwrap(), "peer").wait_for_ready(true).await.unwrap()
}

/// A server in a process of its own; it is killed when this is dropped.
struct Process {
    child: Child,
    said: String,
}

impl Process {
    /// Starts the server at `addresses` by a shell that has `script` before the program, with these as its standard input and
    /// error.
    fn start(script: &str, addresses: &[&str], input: impl Into<Stdio>, error: impl Into<Stdio>) -> Process {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{script} exec \"$@\" 3<&0 4<&2"), "sh", env!("CARGO_BIN_EXE_listening_server")])
            .args(addresses)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(error)
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Process { child, said: said.trim_end().to_owned() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two sockets as systemd would make them, what clients call them, and the folder of one.
struct Sockets {
    tcp: TcpListener,
    unix: UnixListener,
    targets: [String; 2],
    _folder: TempDir,
}

impl Sockets {
    fn new() -> Sockets {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.sock");
        let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
        let targets = [tcp.local_addr().unwrap().to_string(), format!("unix:{}", path.display())];
        Sockets { tcp, unix, targets, _folder: folder }
    }

    /// Starts a server that is given copies of both.
    fn serve(&self, script: &str, addresses: &[&str]) -> Process {
        let tcp = OwnedFd::from(self.tcp.try_clone().unwrap());
        Process::start(script, addresses, tcp, OwnedFd::from(self.unix.try_clone().unwrap()))
    }
}

/// As systemd starts a service.
const ACTIVATED: &str = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:local";

#[tokio::test]
async fn a_process_serves_the_sockets_that_it_was_given() {
    let sockets = Sockets::new();
    let [tcp, unix] = &sockets.targets;
    // Clients that are there before the server are served when it comes.
    let early = tokio::spawn(peer(tcp.clone()));
    for (script, addresses, expected) in [
        (ACTIVATED, &["systemd:"][..], format!("{tcp} {unix}")),
        (ACTIVATED, &["systemd:local"], unix.clone()),
        (ACTIVATED, &["systemd:local", "systemd:web"], format!("{unix} {tcp}")),
        (ACTIVATED, &["fd:4", "systemd:"], format!("{unix} {tcp}")),
        // A supervisor that says how many there are, and not for whom.
        ("LISTEN_FDS=1", &["fd:3"], tcp.clone()),
        // As inetd has it.
        ("", &["fd:0"], tcp.clone()),
        ("", &["fd:2", "fd:0"], format!("{unix} {tcp}")),
    ] {
        let server = sockets.serve(script, addresses);
        assert_eq!(server.said, expected, "{addresses:?}");
        for target in expected.split(' ') {
            peer(target).await;
        }
    }
    let early = early.await.unwrap();
    assert!(early.starts_with("ipv4:127.0.0.1:"), "{early}");
}

#[tokio::test]
async fn sockets_that_cannot_be_served_are_named_and_said_why() {
    let sockets = Sockets::new();
    for (script, addresses, why) in [
        ("", &["systemd:"][..], r#""systemd:": the process was given no sockets"#),
        ("LISTEN_PID=1 LISTEN_FDS=2", &["systemd:"], r#""systemd:": the process was given no sockets"#),
        (
            ACTIVATED,
            &["systemd:nope"],
            r#""systemd:nope": no socket of this name is left; LISTEN_FDNAMES has "web:local""#,
        ),
        (ACTIVATED, &["systemd:", "systemd:"], "taken before"),
        (ACTIVATED, &["fd:3", "systemd:web"], r#""systemd:web": no socket of this name is left"#),
        (ACTIVATED, &["fd:5"], r#""fd:5": it is not among those"#),
        ("", &["fd:3"], r#""fd:3": it is not among those"#),
        ("", &["fd:x"], r#""fd:x": a file descriptor is a number"#),
        // A pipe.
        ("", &["fd:1"], r#""fd:1": it is no stream socket"#),
    ] {
        let server = sockets.serve(script, addresses);
        assert!(server.said.contains(why), "{addresses:?}: {}", server.said);
    }
    let connected = TcpStream::connect(sockets.tcp.local_addr().unwrap()).unwrap();
    let server = Process::start("LISTEN_FDS=1", &["fd:3"], OwnedFd::from(connected), Stdio::null());
    assert!(server.said.contains(r#""fd:3": the socket does not listen"#), "{}", server.said);
    let file = std::fs::File::open("/dev/null").unwrap();
    let server = Process::start("LISTEN_FDS=1", &["systemd:"], file, Stdio::null());
    assert!(server.said.contains("file descriptor 3 is no stream socket"), "{}", server.said);
}
