//! Writes header blocks.

use http::HeaderValue;

use super::field::{Field, Name, Value};
use super::static_table::Found;
use super::table::Table;
use super::{DEFAULT_TABLE_SIZE, huffman, integer, static_table};
use crate::fields::Fields;

/// What is never put into the table of a peer, nor by anybody on the way (RFC 7541 section 7.1.3).
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];
/// What is the same in most calls of a connection, beside the pseudo-headers.
const STEADY: [&str; 7] =
    ["content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-status", "te", "user-agent", "accept-encoding"];
/// The largest field that takes a place in the table, in bytes.
const MAX_INDEXED: usize = 256;

/// How many lists of fields are known again, and how long the bytes of one may be.
const KNOWN: usize = 4;
const MAX_KNOWN: usize = 64;

/// Writes header blocks, one after the other.
#[derive(Debug)]
pub(crate) struct Encoder {
    table: Table,
    /// A size of the table that the peer has not been told, and the smallest one since it was told last.
    resized: Option<(usize, usize)>,
    /// Lists whose bytes are indices alone, for as long as the table stays as it is.
    known: Vec<Known>,
    /// Which of them is the next to be replaced.
    next: usize,
}

/// A list of fields, and its bytes.
#[derive(Debug)]
struct Known {
    fields: Fields,
    version: u64,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder { table: Table::new(DEFAULT_TABLE_SIZE), resized: None, known: Vec::new(), next: 0 }
    }

    /// The peer takes a table of so many bytes; more than the default is not used.
    pub(crate) fn allow(&mut self, size: usize) {
        let size = size.min(DEFAULT_TABLE_SIZE);
        if size == self.table.max_size() && self.resized.is_none() {
            return;
        }
        let smallest = self.resized.map_or(size, |(_, smallest)| smallest.min(size));
        self.table.resize(size);
        self.resized = Some((size, smallest));
    }

    /// Begins a block.
    pub(crate) fn begin(&mut self, to: &mut Vec<u8>) {
        if let Some((size, smallest)) = self.resized.take() {
            if smallest < size {
                integer::encode(smallest, 5, 0x20, to);
            }
            integer::encode(size, 5, 0x20, to);
        }
    }

    /// Appends the entry of the static table at `index`.
    pub(crate) fn is_static(&mut self, index: u8, to: &mut Vec<u8>) {
        to.push(0x80 | index);
    }

    /// Appends a list of fields.
    pub(crate) fn fields(&mut self, fields: &Fields, to: &mut Vec<u8>) {
        let version = self.table.version();
        if let Some(known) = self.known.iter().find(|known| known.version == version && known.fields.is(fields)) {
            return to.extend_from_slice(&known.bytes);
        }
        let from = to.len();
        let mut indexed = true;
        for (name, value) in fields.iter() {
            indexed &= self.put(&Name::Field(name.clone()), value, to);
        }
        // A list that nobody else has will not be seen again.
        if indexed && version == self.table.version() && !fields.is_single() && to.len() - from <= MAX_KNOWN {
            let known = Known { fields: fields.clone(), version, bytes: to[from..].to_vec() };
            if self.known.len() < KNOWN {
                self.known.push(known);
            } else {
                self.known[self.next] = known;
                self.next = (self.next + 1) % KNOWN;
            }
        }
    }

    /// Appends a field.
    pub(crate) fn field(&mut self, name: &Name, value: &HeaderValue, to: &mut Vec<u8>) {
        self.put(name, value, to);
    }

    /// Appends a field; whether an index was enough.
    fn put(&mut self, name: &Name, value: &HeaderValue, to: &mut Vec<u8>) -> bool {
        let (key, content) = (name.as_bytes(), value.as_bytes());
        let steady = is_steady(name) && !value.is_sensitive();
        let hash = steady.then(|| hash(key, content));
        if let Some(at) = hash.and_then(|hash| self.table.find(hash, name, content)) {
            integer::encode(static_table::LEN + 1 + at, 7, 0x80, to);
            return true;
        }
        let static_name = match static_table::find(key, content) {
            Found::Field(index) => {
                integer::encode(index, 7, 0x80, to);
                return true;
            }
            Found::Name(index) => Some(index),
            Found::Nothing => None,
        };
        let Some(hash) = hash else {
            let secret = value.is_sensitive() || matches!(name, Name::Field(name) if SECRET.contains(&name.as_str()));
            literal(static_name, key, content, 4, if secret { 0x10 } else { 0 }, to);
            return false;
        };
        let index_of_name = static_name.or_else(|| self.table.find_name(name).map(|at| static_table::LEN + 1 + at));
        let field = Field { name: name.clone(), value: Value::Valid(value.clone()) };
        if field.size() > MAX_INDEXED {
            literal(index_of_name, key, content, 4, 0, to);
            return false;
        }
        literal(index_of_name, key, content, 6, 0x40, to);
        self.table.add(field, hash);
        false
    }
}

/// Tells most fields apart without their bytes.
fn hash(name: &[u8], value: &[u8]) -> u32 {
    let mix = |hash: u64, bytes: &[u8]| {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let words = words.iter().chain(std::iter::once(&last));
        words.fold(hash, |hash, word| {
            (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
    };
    (mix(mix(value.len() as u64, name), value) >> 32) as u32
}

fn is_steady(name: &Name) -> bool {
    match name {
        Name::Authority | Name::Method | Name::Path | Name::Protocol | Name::Scheme | Name::Status => true,
        Name::Field(name) => STEADY.contains(&name.as_str()),
        Name::Invalid(_) => false,
    }
}

fn literal(index: Option<usize>, name: &[u8], value: &[u8], prefix: u32, first: u8, to: &mut Vec<u8>) {
    integer::encode(index.unwrap_or(0), prefix, first, to);
    if index.is_none() {
        string(name, to);
    }
    // What goes into the table is sent once, so that its length matters and the time for it does not.
    if first == 0x40 { string(value, to) } else { plain(value, to) }
}

fn plain(text: &[u8], to: &mut Vec<u8>) {
    integer::encode(text.len(), 7, 0, to);
    to.extend_from_slice(text);
}

fn string(text: &[u8], to: &mut Vec<u8>) {
    let encoded = huffman::encoded_len(text);
    if encoded >= text.len() {
        return plain(text, to);
    }
    integer::encode(encoded, 7, 0x80, to);
    huffman::encode(text, to);
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::super::Decoder;
    use super::*;

    fn field(name: &str, value: &str) -> (Name, HeaderValue) {
        (Name::parse(name.as_bytes()), value.parse().unwrap())
    }

    fn request() -> Vec<(Name, HeaderValue)> {
        vec![
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":path", "/helloworld.Greeter/SayHello"),
            field(":authority", "localhost:50051"),
            field("content-type", "application/grpc"),
            field("te", "trailers"),
            field("grpc-timeout", "4999m"),
            field("x-request-id", "42"),
            field("authorization", "Bearer secret"),
        ]
    }

    fn block(encoder: &mut Encoder, fields: &[(Name, HeaderValue)]) -> Vec<u8> {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        fields.iter().for_each(|(name, value)| encoder.field(name, value, &mut block));
        block
    }

    fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<(Name, HeaderValue)> {
        let mut fields = Vec::new();
        decoder
            .decode(block, |name, value, _| match value {
                Value::Valid(value) => fields.push((name.clone(), value.clone())),
                Value::Invalid(bytes) => panic!("{bytes:?}"),
            })
            .unwrap();
        fields
    }

    #[test]
    fn what_is_written_is_read_and_gets_shorter() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let lengths: Vec<_> = (0..3)
            .map(|_| {
                let block = block(&mut encoder, &request());
                assert_eq!(read(&mut decoder, &block), request());
                block.len()
            })
            .collect();
        assert!(lengths[1] < 60 && lengths[1] == lengths[2] && lengths[0] > 90, "{lengths:?}");
    }

    #[test]
    fn the_peers_table_is_kept_to() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for sizes in [&[0][..], &[4096], &[100, 0, 200], &[1_000_000], &[64]] {
            sizes.iter().for_each(|size| encoder.allow(*size));
            for _ in 0..2 {
                let block = block(&mut encoder, &request());
                assert_eq!(read(&mut decoder, &block), request(), "{sizes:?}");
            }
        }
    }

    #[test]
    fn a_list_that_is_known_again_is_written_as_it_would_be_anew() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let header =
            |name: &'static str, value: &'static str| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let lists: Vec<Fields> = (0..6)
            .map(|count| {
                let status = HeaderValue::from(count);
                let unique = (count == 5).then(|| header("x-request-id", "42"));
                let fields =
                    [header("content-type", "application/grpc"), (HeaderName::from_static("grpc-status"), status)];
                fields.into_iter().chain(unique).collect()
            })
            .collect();
        for round in 0..40 {
            for fields in lists.iter().take(1 + round % 6) {
                // A clone shares the list, a copy is equal and made apart.
                let fields = if round % 3 == 0 {
                    fields.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
                } else {
                    fields.clone()
                };
                let mut block = Vec::new();
                encoder.begin(&mut block);
                encoder.fields(&fields, &mut block);
                let expected: Vec<_> =
                    fields.iter().map(|(name, value)| (Name::Field(name.clone()), value.clone())).collect();
                assert_eq!(read(&mut decoder, &block), expected);
            }
            if round % 7 == 0 {
                encoder.allow([4096, 100, 0][round % 3]);
            }
        }
        assert!(encoder.known.len() <= KNOWN);
    }

    #[test]
    fn secrets_are_never_indexed() {
        let mut encoder = Encoder::new();
        let secret = block(&mut encoder, &[field("authorization", "x")]);
        assert_eq!(secret, [0x1f, 23 - 15, 1, b'x']);
        let mut value = HeaderValue::from_static("y");
        value.set_sensitive(true);
        let name = Name::Field(HeaderName::from_static("te"));
        assert_eq!(block(&mut encoder, &[(name, value)])[0], 0x10);
    }
}
