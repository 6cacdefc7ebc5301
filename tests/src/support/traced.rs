//! What `tracing` is told.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps what is traced with one target, as text, without what differs from run to run.
#[derive(Clone, Debug)]
pub struct Traced {
    target: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Traced {
    /// Keeps what has this target.
    pub fn new(target: &'static str) -> Traced {
        Traced { target, lines: Arc::default() }
    }

    /// What was traced since the last time.
    pub fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }

    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !matches!(field.name(), "elapsed" | "peer" | "client.address" | "server.address" | "message") {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

fn fields(record: impl FnOnce(&mut dyn Visit)) -> String {
    let mut fields = Fields(String::new());
    record(&mut fields);
    fields.0
}

impl Subscriber for Traced {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == self.target
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.push(format!("span{}", fields(|visit| span.record(visit))));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.push(format!("record{}", fields(|visit| values.record(visit))));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.push(format!("{}{}", event.metadata().level(), fields(|visit| event.record(visit))));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
