//! What the calls of a run are, and what each side is to see of them.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Random numbers, always the same for a seed.
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit.max(1))
    }
}

/// One direction of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// In place of an end: what the sender resets the stream with, after all of the body.
    pub(crate) reset: Option<u32>,
}

/// What a side has seen of a message; of one that was reset, only that it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) reset: Option<u32>,
}

/// The calls of a run; the path of each is its number.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) calls: Vec<(Message, Message)>,
}

impl Script {
    pub(crate) fn new(random: &mut Random) -> Script {
        let calls = 1 + random.below(40);
        let call = |_| (message(random, false), message(random, true));
        Script { calls: (0..calls).map(call).collect() }
    }

    pub(crate) fn requests(&self) -> BTreeMap<usize, Seen> {
        self.calls.iter().map(|(request, _)| request.seen()).enumerate().collect()
    }

    pub(crate) fn responses(&self) -> BTreeMap<usize, Seen> {
        self.calls.iter().map(|(_, response)| response.seen()).enumerate().collect()
    }
}

impl Message {
    fn seen(&self) -> Seen {
        let Message { fields, body, trailers, reset } = self.clone();
        // What a reset overtakes is lost, headers included.
        if reset.is_some() { Seen { reset, ..Seen::default() } } else { Seen { fields, body, trailers, reset } }
    }

    /// The body in parts, none of them empty.
    pub(crate) fn parts(&self, random: &mut Random) -> Vec<bytes::Bytes> {
        let mut rest = &self.body[..];
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let part;
            (part, rest) = rest.split_at((1 + random.below(30_000)).min(rest.len()));
            parts.push(bytes::Bytes::copy_from_slice(part));
        }
        parts
    }
}

impl Seen {
    /// The message was reset.
    pub(crate) fn reset(&mut self, code: u32) {
        *self = Seen { reset: Some(code), ..Seen::default() };
    }
}

fn message(random: &mut Random, is_response: bool) -> Message {
    let size = [0, 1, 100, 5000, 100_000][random.below(5)];
    let body = (0..random.below(size + 1)).map(|at| (at * 7) as u8).collect();
    // A server resets after its headers alone; only there does a reset not depend on what of the request has come.
    let reset = (is_response && random.below(6) == 0).then(|| [2, 8, 11][random.below(3)]);
    let trailers = (reset.is_none() && random.below(2) == 0).then(|| fields(random));
    Message { fields: fields(random), body, trailers, reset }
}

fn fields(random: &mut Random) -> HeaderMap {
    const NAMES: [&str; 8] =
        ["content-type", "te", "x-a", "x-b-bin", "user-agent", "grpc-status", "authorization", "x-long"];
    let mut fields = HeaderMap::new();
    for _ in 0..random.below(6) {
        let name = NAMES[random.below(NAMES.len())];
        let value = match name {
            "te" => "trailers".to_owned(),
            // Some need CONTINUATION.
            "x-long" => "long".repeat([1, 100, 2000, 3500][random.below(4)]),
            "authorization" => format!("Bearer {}", random.below(1000)),
            _ => format!("{name} {}", "é".repeat(random.below(3))) + &random.below(4).to_string(),
        };
        let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        value.set_sensitive(name == "authorization");
        let one = ["te", "x-long"].contains(&name) && fields.contains_key(name);
        if !one {
            fields.append(HeaderName::from_static(name), value);
        }
    }
    fields
}
