//! Starts the logs: one line an event on stderr, redacted.

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::redact::{Redactor, Writer};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people if stderr is a terminal, JSON if not.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Why logs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter can't be read.
    #[error("the log filter is wrong: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else logs in this process already.
    #[error("logs were started already")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends everything that passes `filter` to stderr, through `redactor`, and the message of every
/// panic with it. Once in a process.
///
/// # Errors
/// [`Error::Filter`] and [`Error::Started`].
pub fn init(filter: &str, format: Format, redactor: Redactor) -> Result<(), Error> {
    let terminal = io::stderr().is_terminal();
    let human = match format {
        Format::Auto => terminal,
        Format::Json => false,
        Format::Human => true,
    };
    subscriber(filter, human, human && terminal, redactor, io::stderr)?.try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or_default();
        tracing::error!(place, message, "panic");
    }));
    Ok(())
}

/// What [`init`] installs, writing to `to` instead.
///
/// # Errors
/// [`Error::Filter`].
pub fn subscriber<W>(
    filter: &str,
    human: bool,
    colours: bool,
    redactor: Redactor,
    to: W,
) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter)?;
    let to = Redacting { to, redactor };
    let layer = tracing_subscriber::fmt::layer().with_writer(to);
    let layer = if human {
        layer.with_ansi(colours).boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    };
    Ok(Registry::default().with(layer.with_filter(filter)))
}

struct Redacting<W> {
    to: W,
    redactor: Redactor,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Redacting<W> {
    type Writer = Writer<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Writer::new(self.to.make_writer(), self.redactor.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(human: bool, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
        let make = move || writer.clone();
        let subscriber = subscriber("info", human, false, redactor, make).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    /// Each event is one JSON object on a line; a number in a field, in the message or in a span
    /// does not reach the writer; what the filter excludes is not written.
    #[test]
    fn json_lines_are_redacted() {
        let out = logged(false, || {
            let _span = tracing::info_span!("relay", caller = "+14155550100").entered();
            tracing::info!(to = "+447700900123", token = "hunter2hunter2", "from 14155550101");
            tracing::debug!("not shown");
        });
        assert_eq!(out.lines().count(), 1, "{out}");
        let line: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
        assert_eq!(line["message"], "from [redacted]");
        assert_eq!(line["to"], "[redacted]");
        assert_eq!(line["span"]["caller"], "[redacted]");
        assert!(!out.contains("555010") && !out.contains("hunter2"), "{out}");
    }

    /// What somebody else wrote can't end a line and begin another, in a message, a field or a span.
    #[test]
    fn t21_one_event_is_one_line() {
        let forged = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{2028}\u{1b}[2Jy";
        let out = logged(false, || {
            let _span = tracing::info_span!("relay", brand = forged).entered();
            tracing::info!(role = forged, list = ?[forged], "{forged}");
        });
        assert_eq!(out.lines().count(), 1, "{out}");
        assert!(!out.trim_end().contains(['\n', '\r', '\u{1b}']), "{out}");
        let line: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["role"], forged);
    }

    /// The form for people is redacted by the same net.
    #[test]
    fn human_lines_are_redacted() {
        let out = logged(true, || tracing::warn!(to = "+447700900123", "held"));
        assert!(out.contains("WARN") && out.contains("held"), "{out}");
        assert!(!out.contains("7700900123"), "{out}");
    }

    /// A bad filter is an error, not silence.
    #[test]
    fn bad_filters_are_errors() {
        let made = subscriber("info,=x=", false, false, Redactor::default(), io::sink);
        assert!(matches!(made.map(|_| ()), Err(Error::Filter(_))));
    }
}
