//! Which algorithms this side knows and accepts, and which of them the other side takes.

use std::sync::{Arc, LazyLock};

use http::HeaderValue;

use super::zlib::{Format, Zlib};
use super::{Compression, CompressionError, Compressor};

static BUILT_IN: LazyLock<Vec<Arc<dyn Compressor>>> = LazyLock::new(|| {
    vec![
        Arc::new(Zlib::new(Format::Zlib)),
        Arc::new(Zlib::new(Format::Gzip)),
        #[cfg(feature = "zstd")]
        Arc::new(super::zstd::Zstd),
    ]
});

/// The algorithms of one channel or server, and how it uses them.
#[derive(Clone, Debug)]
pub(crate) struct Compressors {
    known: Vec<Arc<dyn Compressor>>,
    accepted: Option<Vec<Compression>>,
    /// What both of the above come to in `grpc-accept-encoding`, which every call sends.
    accept_header: HeaderValue,
    pub(crate) level: Option<u32>,
    pub(crate) min_size: usize,
}

impl Default for Compressors {
    fn default() -> Self {
        let accept_header = accept_header(&BUILT_IN, None);
        Compressors { known: BUILT_IN.clone(), accepted: None, accept_header, level: None, min_size: 0 }
    }
}

impl Compressors {
    /// Adds an algorithm; one of the same name is replaced.
    pub(crate) fn register(&mut self, compressor: Arc<dyn Compressor>) {
        self.known.retain(|known| known.name() != compressor.name());
        self.known.push(compressor);
        self.accept_header = accept_header(&self.known, self.accepted.as_deref());
    }

    /// Restricts what is accepted from the peer to these.
    pub(crate) fn accept_only(&mut self, accepted: Vec<Compression>) {
        self.accepted = Some(accepted);
        self.accept_header = accept_header(&self.known, self.accepted.as_deref());
    }

    /// Whether a channel or a server can be built with these, compressing by `default`.
    pub(crate) fn check(&self, default: Compression) -> Result<(), CompressionError> {
        let invalid = self.known.iter().map(|compressor| compressor.name()).find(|name| !is_name(name));
        match invalid {
            Some(name) => Err(CompressionError::InvalidName(name)),
            None => self.find(default).map(drop),
        }
    }

    /// The algorithm of a setting; `None` for [`Compression::None`].
    pub(crate) fn find(&self, compression: Compression) -> Result<Option<Arc<dyn Compressor>>, CompressionError> {
        if compression == Compression::None {
            return Ok(None);
        }
        match self.by_name(compression.name()) {
            Some(compressor) => Ok(Some(compressor)),
            None if compression == Compression::Zstd => Err(CompressionError::FeatureMissing),
            None => Err(CompressionError::NotRegistered(compression.name())),
        }
    }

    /// The algorithm that a peer's `grpc-encoding` names: `Ok(None)` for identity, `Err` when it is not accepted here.
    pub(crate) fn accepted(&self, encoding: &str) -> Result<Option<Arc<dyn Compressor>>, NotAccepted> {
        if encoding == Compression::None.name() {
            return Ok(None);
        }
        self.by_name(encoding)
            .filter(|compressor| accepts(self.accepted.as_deref(), compressor.name()))
            .map(Some)
            .ok_or(NotAccepted)
    }

    /// The value of `grpc-accept-encoding`.
    pub(crate) fn accept_header(&self) -> HeaderValue {
        self.accept_header.clone()
    }

    fn by_name(&self, name: &str) -> Option<Arc<dyn Compressor>> {
        self.known.iter().find(|compressor| compressor.name() == name).cloned()
    }
}

/// Whether a name can stand in a list of encodings, and means one.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name != Compression::None.name() && name.bytes().all(fits)
}

fn accepts(accepted: Option<&[Compression]>, name: &str) -> bool {
    accepted.is_none_or(|accepted| accepted.iter().any(|compression| compression.name() == name))
}

fn accept_header(known: &[Arc<dyn Compressor>], accepted: Option<&[Compression]>) -> HeaderValue {
    let names = known.iter().map(|compressor| compressor.name()).filter(|name| accepts(accepted, name));
    let list = std::iter::once(Compression::None.name()).chain(names).collect::<Vec<_>>().join(",");
    HeaderValue::try_from(list).unwrap_or_else(|_| HeaderValue::from_static("identity"))
}

/// A peer's `grpc-encoding` that is not accepted here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAccepted;

/// A peer's `grpc-accept-encoding`.
#[derive(Clone, Debug, Default)]
pub(crate) struct AcceptEncoding {
    names: Option<HeaderValue>,
}

impl AcceptEncoding {
    pub(crate) fn new(header: Option<&HeaderValue>) -> AcceptEncoding {
        AcceptEncoding { names: header.cloned() }
    }

    /// Whether the peer said that it takes this encoding; a peer that said nothing takes identity alone.
    pub(crate) fn lists(&self, encoding: &str) -> bool {
        let names = self.names.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        encoding == Compression::None.name()
            || names.split(|byte| *byte == b',').any(|name| name.trim_ascii() == encoding.as_bytes())
    }
}
