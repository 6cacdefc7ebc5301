//! The calls of a script by this engine, driven with reads and writes of random lengths.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use callwright_http2::{Config, Connection, ErrorCode, Event, Fields, Head, OpenError, RequestHead};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::sleep_until;

use super::script::{Message, Random, Script, Seen};

/// What a stream is for, and how far it is.
struct Stream {
    number: usize,
    seen: Seen,
    /// What is still to be sent, once there is something to.
    sends: Option<(VecDeque<Bytes>, Message)>,
    is_seen: bool,
    is_sent: bool,
}

struct Side<'a> {
    connection: Connection,
    script: &'a Script,
    streams: BTreeMap<u32, Stream>,
    seen: BTreeMap<usize, Seen>,
    is_client: bool,
    next: usize,
}

/// Makes all calls; gives what was seen of the responses.
pub(crate) async fn call(
    socket: DuplexStream,
    script: &Script,
    config: Config,
    random: &mut Random,
) -> BTreeMap<usize, Seen> {
    Side::new(Connection::client(config, Instant::now()), script, true).run(socket, random).await
}

/// Answers all calls; gives what was seen of the requests.
pub(crate) async fn serve(
    socket: DuplexStream,
    script: &Script,
    config: Config,
    random: &mut Random,
) -> BTreeMap<usize, Seen> {
    Side::new(Connection::server(config, Instant::now()), script, false).run(socket, random).await
}

impl<'a> Side<'a> {
    fn new(connection: Connection, script: &'a Script, is_client: bool) -> Side<'a> {
        Side { connection, script, streams: BTreeMap::new(), seen: BTreeMap::new(), is_client, next: 0 }
    }

    async fn run(mut self, mut socket: DuplexStream, random: &mut Random) -> BTreeMap<usize, Seen> {
        let mut arrived = BytesMut::new();
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.note(event, random);
            }
            // Before its settings are known, h2 takes what it refuses for an error of the connection.
            if self.is_client && self.connection.is_ready() {
                self.open(random);
            }
            self.send();
            let is_over = self.seen.len() == self.script.calls.len() && self.streams.is_empty();
            let wants_write = self.connection.poll_transmit().is_some();
            if is_over && !wants_write {
                if self.is_client {
                    return self.seen;
                }
                self.connection.drain();
            }
            let (mut reader, mut writer) = tokio::io::split(&mut socket);
            let most = [10, 40_000, 40_000, 40_000][random.below(4)];
            let mut chunk = vec![0; 1 + random.below(most)];
            let limit = 1 + random.below(50_000);
            let resumes = self.connection.poll_timeout();
            let write = async {
                let output = self.connection.poll_transmit().expect("there is something");
                let mut slices = [IoSlice::new(&[]); 5];
                let filled = output.slices(&mut slices);
                let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).take(limit).collect();
                let written = writer.write(&bytes).await;
                written.map(|written| output.advance(written))
            };
            tokio::select! {
                written = write, if wants_write => if let Err(error) = written {
                    // The client needs no more than its responses.
                    assert!(is_over, "{error}");
                    return self.seen;
                },
                read = reader.read(&mut chunk) => {
                    let read = read.unwrap();
                    if read == 0 {
                        assert!(is_over, "closed too early");
                        return self.seen;
                    }
                    arrived.extend_from_slice(&chunk[..read]);
                }
                () = sleep_until(resumes.unwrap_or_else(Instant::now).into()), if resumes.is_some() => {}
            }
            self.connection.handle_read(Instant::now(), &mut arrived).unwrap();
        }
    }

    /// Opens as many calls as may be.
    fn open(&mut self, random: &mut Random) {
        while let Some((request, _)) = self.script.calls.get(self.next) {
            let head = RequestHead {
                method: Method::POST,
                scheme: HeaderValue::from_static("http"),
                authority: Some(HeaderValue::from_static("localhost")),
                path: HeaderValue::from_str(&format!("/{}", self.next)).unwrap(),
            };
            let end = request.body.is_empty() && request.trailers.is_none() && random.below(2) == 0;
            match self.connection.open(&head, &Fields::from(&request.fields), end) {
                Ok(id) => {
                    let sends = (!end).then(|| (request.parts(random).into(), request.clone()));
                    let stream =
                        Stream { number: self.next, seen: Seen::default(), sends, is_seen: false, is_sent: end };
                    self.streams.insert(id, stream);
                    self.next += 1;
                }
                Err(OpenError::Full) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends what there is room for.
    fn send(&mut self) {
        for (id, stream) in &mut self.streams {
            let Some((parts, message)) = &mut stream.sends else { continue };
            while !parts.is_empty() && self.connection.room(*id) > 0 {
                self.connection.send_data(*id, parts.pop_front().unwrap(), false);
            }
            if !parts.is_empty() {
                continue;
            }
            match (message.reset, &message.trailers) {
                (Some(code), _) => self.connection.reset(*id, ErrorCode(code)),
                (None, Some(trailers)) => self.connection.send_trailers(*id, trailers.into()),
                (None, None) => self.connection.send_data(*id, Bytes::new(), true),
            }
            (stream.sends, stream.is_sent) = (None, true);
        }
        let seen = &mut self.seen;
        self.streams.retain(|_, stream| {
            let is_over = stream.is_seen && stream.is_sent;
            if is_over {
                seen.insert(stream.number, std::mem::take(&mut stream.seen));
            }
            !is_over
        });
    }

    fn note(&mut self, event: Event, random: &mut Random) {
        let whole = match event {
            Event::Headers { id, headers, end } => {
                let fields = (&headers.fields).into();
                match &headers.head {
                    Head::Request(head) => self.accept(id, head, fields),
                    Head::Response(status) => {
                        assert_eq!(*status, StatusCode::OK);
                        self.streams.get_mut(&id).unwrap().seen.fields = fields;
                    }
                }
                end.then_some(id)
            }
            Event::Data { id, data, end } => {
                self.streams.get_mut(&id).unwrap().seen.body.extend_from_slice(&data);
                self.connection.read(id, data.len());
                end.then_some(id)
            }
            Event::Trailers { id, fields } => {
                self.streams.get_mut(&id).unwrap().seen.trailers = Some((&fields).into());
                Some(id)
            }
            Event::Reset { id, code, by_peer, .. } => {
                assert!(by_peer);
                let stream = self.streams.get_mut(&id).unwrap();
                stream.seen.reset(code.0);
                (stream.sends, stream.is_sent) = (None, true);
                Some(id)
            }
            _ => None,
        };
        let Some(id) = whole else { return };
        let stream = self.streams.get_mut(&id).unwrap();
        stream.is_seen = true;
        if !self.is_client && !stream.is_sent {
            let response = self.script.calls[stream.number].1.clone();
            self.connection.respond(id, StatusCode::OK, &Fields::from(&response.fields), false);
            stream.sends = Some((response.parts(random).into(), response));
        }
    }

    fn accept(&mut self, id: u32, head: &RequestHead, fields: HeaderMap) {
        assert_eq!((head.method.as_str(), head.authority.as_ref().unwrap().as_bytes()), ("POST", &b"localhost"[..]));
        let number = head.path.to_str().unwrap()[1..].parse().unwrap();
        let seen = Seen { fields, ..Seen::default() };
        self.streams.insert(id, Stream { number, seen, sends: None, is_seen: false, is_sent: false });
    }
}
