//! The instruments of gRFC A66.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use crate::status::Code;

/// In seconds.
const LATENCIES: [f64; 41] = [
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01,
    0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8,
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// In bytes.
const SIZES: [f64; 14] = [
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];

/// How long something took and how much it carried, by how it ended.
pub(super) struct Ends {
    duration: Histogram<f64>,
    sent: Histogram<u64>,
    received: Histogram<u64>,
}

impl Ends {
    fn new(meter: &Meter, of: &str, duration: &'static str) -> Self {
        let size = |way: &str, description: &'static str| {
            meter
                .u64_histogram(format!("{of}.{way}_total_compressed_message_size"))
                .with_unit("By")
                .with_description(description)
                .with_boundaries(SIZES.to_vec())
                .build()
        };
        Ends {
            duration: latency(meter, format!("{of}.duration"), duration),
            sent: size("sent", "Compressed message bytes sent."),
            received: size("rcvd", "Compressed message bytes received."),
        }
    }

    /// It took so long and carried so many bytes.
    pub(super) fn record(&self, took: Duration, sent: u64, received: u64, attributes: &[KeyValue]) {
        self.duration.record(took.as_secs_f64(), attributes);
        self.sent.record(sent, attributes);
        self.received.record(received, attributes);
    }
}

pub(super) struct ClientInstruments {
    pub(super) call_duration: Histogram<f64>,
    pub(super) attempts_started: Counter<u64>,
    pub(super) attempts: Ends,
}

impl ClientInstruments {
    pub(super) fn new(meter: &Meter) -> Self {
        ClientInstruments {
            call_duration: latency(
                meter,
                "grpc.client.call.duration".to_owned(),
                "Time taken to complete an RPC from the application's perspective.",
            ),
            attempts_started: meter
                .u64_counter("grpc.client.attempt.started")
                .with_unit("{attempt}")
                .with_description("Number of client call attempts started.")
                .build(),
            attempts: Ends::new(meter, "grpc.client.attempt", "Time taken to complete a client call attempt."),
        }
    }
}

pub(super) struct ServerInstruments {
    pub(super) calls_started: Counter<u64>,
    pub(super) calls: Ends,
}

impl ServerInstruments {
    pub(super) fn new(meter: &Meter) -> Self {
        ServerInstruments {
            calls_started: meter
                .u64_counter("grpc.server.call.started")
                .with_unit("{call}")
                .with_description("Number of server calls started.")
                .build(),
            calls: Ends::new(meter, "grpc.server.call", "Time taken to complete a call from the server's perspective."),
        }
    }
}

fn latency(meter: &Meter, name: String, description: &'static str) -> Histogram<f64> {
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(LATENCIES.to_vec()).build()
}

/// The code as an attribute: `OK`, `DEADLINE_EXCEEDED`.
pub(super) fn status_attribute(code: Code) -> KeyValue {
    KeyValue::new("grpc.status", code.to_string())
}
