//! The second net under the logs: what looks like a number, and every known secret, is replaced.
//!
//! The first net are types that do not print. This one catches what a library or a careless line
//! lets through, so it prefers to redact too much: proxy numbers are caught as well, and are
//! logged by their id.

use std::{borrow::Cow, io, sync::Arc};

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// Shorter secrets are left alone: replacing them would garble every line.
const SHORTEST_SECRET: usize = 8;

/// Takes numbers and known secrets out of text. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor(Arc<[String]>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.0.len())
    }
}

impl Redactor {
    /// Also takes out each of `secrets` that has at least eight bytes, also as `Debug` and JSON write
    /// it.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let long = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET);
        let mut forms: Vec<String> = long
            .flat_map(|secret| {
                let [debug, json] = [debug_form(&secret), json_form(&secret)];
                // A value that was shown by `Debug` and then put into JSON.
                let both = json_form(&debug);
                [secret, debug, json, both]
            })
            .collect();
        // A secret may begin another, whose rest would be left.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms.into())
    }

    /// `text` without secrets and without what looks like a person's number:
    ///
    /// - a `+` (also as `%2B`) and 7 to 15 digits, with one or two spaces, dots, dashes or
    ///   parentheses between them, and whatever digits follow without a gap;
    /// - 10 to 15 digits that stand alone: not next to a letter, `-`, `.` or `_`, so ids, UUIDs,
    ///   instants and fractions survive.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &*self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
            }
        }
        match numbers(&text) {
            Some(clean) => Cow::Owned(clean),
            None => text,
        }
    }
}

/// A text as `Debug` writes it, without the quotes around it.
fn debug_form(text: &str) -> String {
    unquoted(&format!("{text:?}"))
}

/// A text as JSON has it, without the quotes around it.
fn json_form(text: &str) -> String {
    unquoted(&serde_json::Value::from(text).to_string())
}

fn unquoted(quoted: &str) -> String {
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(quoted).to_owned()
}

/// The text without numbers, or nothing if there are none.
fn numbers(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let found = match bytes[at] {
            b'+' => international(bytes, at + 1),
            b'%' if bytes[at..].starts_with(b"%2B") || bytes[at..].starts_with(b"%2b") => {
                international(bytes, at + 3)
            }
            b'0'..=b'9' => {
                let end = run(bytes, at);
                let alone = boundary(at.checked_sub(1).map(|before| bytes[before]))
                    && boundary(bytes.get(end).copied());
                if alone && (10..=15).contains(&(end - at)) {
                    Some(end)
                } else {
                    at = end;
                    continue;
                }
            }
            _ => None,
        };
        if let Some(end) = found {
            clean.push_str(&text[copied..at]);
            clean.push_str(REDACTED);
            copied = end;
            at = end;
        } else {
            at += 1;
        }
    }
    (copied > 0).then(|| clean + &text[copied..])
}

fn run(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |len| from + len)
}

fn boundary(byte: Option<u8>) -> bool {
    byte.is_none_or(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')))
}

/// The end of 7 to 15 digits that begin at `from`; separators between them are allowed.
fn international(bytes: &[u8], from: usize) -> Option<usize> {
    let mut digits = 0;
    let mut end = from;
    let mut gap = 0;
    for (offset, byte) in bytes[from..].iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                gap = 0;
                end = from + offset + 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' if gap < 2 && digits > 0 => gap += 1,
            _ => break,
        }
        if digits == 15 {
            // Another number may have begun after a space: what is left of it would not stand out.
            end = run(bytes, end);
            break;
        }
    }
    (digits >= 7).then_some(end)
}

/// Redacts what is written to `inner`. One write must be one whole line, as `tracing` writes them.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    redactor: Redactor,
}

impl<W> Writer<W> {
    /// Writes to `inner` what `redactor` leaves.
    pub fn new(inner: W, redactor: Redactor) -> Self {
        Self { inner, redactor }
    }
}

impl<W: io::Write> io::Write for Writer<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.inner.write_all(self.redactor.redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        Redactor::default().redact(text).into_owned()
    }

    /// Numbers go, in the forms that they are written in.
    #[test]
    fn numbers_are_taken_out() {
        for number in [
            "+14155550100",
            "+1 (415) 555-0100",
            "+44 7700 900123",
            "%2B14155550100",
            "+33.6.39.98.00.01",
            "14155550100",
            "4155550100",
        ] {
            let text = format!("to={number}, ok");
            assert_eq!(clean(&text), format!("to={REDACTED}, ok"), "{number}");
            let json = format!("{{\"to\":\"{number}\"}}");
            assert_eq!(clean(&json), format!("{{\"to\":\"{REDACTED}\"}}"), "{number}");
        }
        let two = clean("+14155550100+14155550101");
        assert_eq!(two, format!("{REDACTED}{REDACTED}"));
        let two = clean("+33639980001 14155550100, ok");
        assert_eq!(two, format!("{REDACTED}, ok"));
    }

    /// What is no number stays: ids, UUIDs, instants, fractions, ports, short counts.
    #[test]
    fn the_rest_survives() {
        for text in [
            "KC01930f2a1b2c7d3e8f9012345678901a",
            "01930f2a-1b2c-7d3e-8f90-123456789012",
            "2026-11-21T20:25:16.123456789Z",
            "took 0.1234567890123 s",
            "1700000000000ms",
            "127.0.0.1:8080 port=65535 n=123456789",
            "é+ 5 %2 %2B12",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    /// A secret goes as it is written in a line of JSON too, and whole where it begins with another.
    #[test]
    fn secrets_go_in_every_form() {
        let secret = "pa\"ss\\wo/rd'1";
        let redactor = Redactor::new(["abcdefgh".to_owned(), "abcdefghij".into(), secret.into()]);
        assert_eq!(redactor.redact("abcdefghij abcdefgh"), format!("{REDACTED} {REDACTED}"));
        let debug = format!("{secret:?}");
        for text in [secret, &debug, &format!("{debug:?}"), &serde_json::json!(secret).to_string()]
        {
            let clean = redactor.redact(text);
            assert!(clean.contains(REDACTED) && !clean.contains("ss"), "{clean}");
        }
    }

    /// Secrets go wherever they stand; very short ones do not garble everything.
    #[test]
    fn secrets_are_taken_out() {
        let redactor = Redactor::new(["hunter2hunter2".to_owned(), "ab".to_owned()]);
        assert_eq!(redactor.redact("xhunter2hunter2y cab"), format!("x{REDACTED}y cab"));
        assert_eq!(format!("{redactor:?}"), "Redactor(1 secrets)");
    }

    proptest! {
        /// No text makes it panic, and a number between any two texts is found.
        #[test]
        fn any_text(before in ".{0,20}", after in "[^0-9]{0,20}") {
            prop_assume!(!before.ends_with(|c: char| c.is_ascii_digit()));
            let out = clean(&format!("{before} +14155550100{after}"));
            prop_assert!(!out.contains("4155550100"), "{}", out);
        }
    }
}
