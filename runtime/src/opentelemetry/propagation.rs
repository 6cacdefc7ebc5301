//! Which span a call belongs to, in its metadata.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

use crate::metadata::Metadata;

/// Writes what a propagator says. Keys that end in `-bin` hold bytes, which propagators give as base64.
pub(super) struct MetadataInjector<'a>(pub(super) &'a mut Metadata);

impl Injector for MetadataInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        // What cannot be metadata is not sent: the call matters more than its trace.
        let _ = match key.ends_with("-bin") {
            true => STANDARD.decode(value).map(|bytes| self.0.insert(key, bytes)).ok(),
            false => Some(self.0.insert(key, value)),
        };
    }
}

/// Gives a propagator what it looks for, binary values as base64.
pub(super) struct MetadataExtractor {
    entries: Vec<(String, String)>,
}

impl MetadataExtractor {
    /// What of the metadata this propagator may look for.
    pub(super) fn new(metadata: &Metadata, propagator: &dyn TextMapPropagator) -> Self {
        let entry = |key: &str| match key.ends_with("-bin") {
            true => metadata.get_bin(key).map(|bytes| STANDARD.encode(bytes)),
            false => metadata.get(key).map(str::to_owned),
        };
        let fields = propagator.fields().map(str::to_lowercase);
        let entries = fields.filter_map(|key| entry(&key).map(|value| (key, value))).collect();
        MetadataExtractor { entries }
    }
}

impl Extractor for MetadataExtractor {
    fn get(&self, key: &str) -> Option<&str> {
        let found = self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.entries.iter().map(|(key, _)| key.as_str()).collect()
    }
}

/// The metadata `grpc-trace-bin`, in OpenCensus's binary format (gRFC A72): for peers that trace with OpenCensus.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcTraceBinPropagator;

const KEY: &str = "grpc-trace-bin";
/// Version 0, and its fields: trace id, span id, options.
const SIZE: usize = 29;

fn to_bytes(span: &SpanContext) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    bytes[2..18].copy_from_slice(&span.trace_id().to_bytes());
    bytes[18] = 1;
    bytes[19..27].copy_from_slice(&span.span_id().to_bytes());
    bytes[27] = 2;
    bytes[28] = span.trace_flags().to_u8();
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<SpanContext> {
    let [0, 0, ids @ ..] = bytes else { return None };
    let (trace_id, rest) = ids.split_first_chunk()?;
    let [1, rest @ ..] = rest else { return None };
    let (span_id, rest) = rest.split_first_chunk()?;
    // What comes later is of a later version, and left out.
    let flags = if let [2, flags, ..] = rest { *flags } else { 0 };
    let (trace_id, span_id) = (TraceId::from_bytes(*trace_id), SpanId::from_bytes(*span_id));
    let span = SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, TraceState::NONE);
    span.is_valid().then_some(span)
}

impl TextMapPropagator for GrpcTraceBinPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        if span.span_context().is_valid() {
            injector.set(KEY, STANDARD.encode(to_bytes(span.span_context())));
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let bytes = extractor.get(KEY).and_then(|value| STANDARD.decode(value).ok());
        match bytes.as_deref().and_then(from_bytes) {
            Some(span) => context.with_remote_span_context(span),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| [KEY.to_owned()]);
        FieldIter::new(&*FIELDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_format_is_read_as_it_is_written() {
        let span = SpanContext::new(
            TraceId::from_bytes(*b"0123456789abcdef"),
            SpanId::from_bytes(*b"ghijklmn"),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        );
        let bytes = to_bytes(&span);
        assert_eq!(&bytes[..], b"\0\x000123456789abcdef\x01ghijklmn\x02\x01");
        assert_eq!(from_bytes(&bytes), Some(span));
        for length in 0..SIZE {
            // Without its options it is one that is not sampled; anything shorter is none.
            assert_eq!(from_bytes(&bytes[..length]).is_some(), length >= 27, "{length}");
        }
        assert_eq!(from_bytes(&[0; SIZE]), None);
        assert_eq!(from_bytes(&[9; SIZE]), None);
    }

    #[test]
    fn metadata_holds_bytes_where_a_propagator_gives_base64() {
        let context =
            Context::new().with_remote_span_context(from_bytes(b"\0\x000123456789abcdef\x01ghijklmn\x02\x01").unwrap());
        let mut metadata = Metadata::new();
        GrpcTraceBinPropagator.inject_context(&context, &mut MetadataInjector(&mut metadata));
        assert_eq!(metadata.get_bin(KEY).map(<[u8]>::len), Some(SIZE));
        let extractor = MetadataExtractor::new(&metadata, &GrpcTraceBinPropagator);
        let found = GrpcTraceBinPropagator.extract_with_context(&Context::new(), &extractor);
        assert_eq!(found.span().span_context(), context.span().span_context());
        assert_eq!(extractor.keys(), [KEY]);
    }
}
