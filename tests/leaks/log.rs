//! Everything that any crate logs at any level, and every field of every span, as it is: nothing is redacted.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// Begins to listen, also to what panics say. Once in a process.
    pub(crate) fn listen() -> Self {
        let log = Self::default();
        tracing_subscriber::registry().with(log.clone()).init();
        let (panics, before) = (log.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            panics.line("panic", |line| line.record_text("", &panic.to_string()));
            before(panic);
        }));
        log
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn line(&self, target: &str, fill: impl FnOnce(&mut Line)) {
        let mut line = Line(target.to_owned());
        fill(&mut line);
        line.0.push('\n');
        self.0.lock().unwrap().push_str(&line.0);
    }
}

struct Line(String);

impl Line {
    fn record_text(&mut self, name: &str, value: &str) {
        write!(self.0, " {name}={value}").unwrap();
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_text(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_text(field.name(), value);
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.line(attributes.metadata().target(), |line| attributes.record(line));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.line("span", |line| values.record(line));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.line(event.metadata().target(), |line| event.record(line));
    }
}
