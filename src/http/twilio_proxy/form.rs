//! Reads what clients send: a form, in which a key may come again.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};

use super::error::{Code, Refusal};
use crate::{domain::time::Timestamp, ids::NumberId, relay::twilio_proxy::parse_date};

/// More fields than any client sends.
const FIELDS_MAX: usize = 500;

/// A form. Fields that nobody asks for are left alone.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        Self::parse(&Bytes::from_request(request, state).await?)
    }
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if fields.len() >= FIELDS_MAX {
                return Err(Refusal::parameter("The form", "has too many fields"));
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(fields))
    }

    /// A field's values, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A field's text, if it is there: the first, at most `most` characters, none of control.
    pub(super) fn text(&self, name: &str, most: usize) -> Result<Option<String>, Refusal> {
        self.all(name).next().map(|value| plain(name, value, most)).transpose()
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str, most: usize) -> Result<String, Refusal> {
        let text = self.text(name, most)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::parameter(name, "is required"))
    }

    /// `true` or `false`, in any case: old SDKs send Python's words.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Refusal::parameter(name, "must be true or false")),
        }
    }

    /// A whole number of seconds that fits 31 bits.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<std::time::Duration>, Refusal> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        let seconds = text.parse::<u64>().ok().filter(|number| *number < 0x7fff_ffff);
        let allowed = "must be a whole number of seconds, from 0 to 2147483646";
        let seconds = seconds.ok_or_else(|| Refusal::parameter(name, allowed))?;
        Ok(Some(std::time::Duration::from_secs(seconds)))
    }

    /// An instant, as ISO 8601 has it.
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        let at = parse_date(text).ok_or_else(|| {
            Refusal::parameter(name, "must be an ISO 8601 time such as 2026-11-21T18:00:00Z")
        })?;
        Ok(Some(at))
    }

    /// A word of a closed set, in any case.
    pub(super) fn word<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        let word = parse(&text.to_ascii_lowercase());
        let allowed = || format!("must be one of {}", all.join(", "));
        word.map(Some).ok_or_else(|| Refusal::parameter(name, allowed()))
    }

    /// A number's SID.
    pub(super) fn number(&self, name: &str) -> Result<Option<NumberId>, Refusal> {
        self.all(name).next().map(number).transpose()
    }
}

/// Reads a number's SID.
pub(super) fn number(text: &str) -> Result<NumberId, Refusal> {
    NumberId::parse(text).map_err(|_| Refusal::new(Code::PhoneSidInvalid))
}

/// A text without characters of control, at most `most` long.
pub(super) fn plain(name: &str, value: &str, most: usize) -> Result<String, Refusal> {
    if value.chars().count() > most {
        return Err(Refusal::parameter(name, format_args!("must have at most {most} characters")));
    }
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refusal::parameter(name, "must have no characters of control"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    /// A key may come again; a space is a plus or `%20`; what is no UTF-8 is no panic.
    #[test]
    fn forms_are_read_as_the_sdks_write_them() {
        let form = form("P=%7B%22a%22%3A+1%7D&P=b%20c&=x&q&bad=%ff%fe");
        assert_eq!(form.all("P").collect::<Vec<_>>(), ["{\"a\": 1}", "b c"]);
        assert_eq!(form.text("q", 9).unwrap().as_deref(), Some(""));
        assert!(form.text("bad", 9).unwrap().is_some());
        assert!(form.text("P", 3).is_err());
        assert!(form.required("q", 9).is_err());
        assert!(form.text("none", 9).unwrap().is_none());
    }

    /// Booleans in any case, times with offsets and fractions, seconds within 31 bits.
    #[test]
    fn values() {
        let form = form(
            "a=True&b=false&c=1&t=60&u=-1&v=2147483647&w=1.5\
             &d=2026-05-01T03%3A02%3A03.5%2B02%3A00&e=tomorrow&z=a%00b",
        );
        assert_eq!(form.flag("a").unwrap(), Some(true));
        assert_eq!(form.flag("b").unwrap(), Some(false));
        assert!(form.flag("c").is_err());
        assert_eq!(form.seconds("t").unwrap().unwrap().as_secs(), 60);
        assert!(["u", "v", "w"].iter().all(|name| form.seconds(name).is_err()));
        assert_eq!(form.instant("d").unwrap().unwrap().rfc3339(), "2026-05-01T01:02:03.500Z");
        assert!(form.instant("e").is_err());
        assert!(form.text("z", 9).is_err());
    }
}
