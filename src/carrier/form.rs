//! The parameters of one webhook that is a form, or a query.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::{Method, header::CONTENT_TYPE};

use super::{Request, WebhookError, fields, is_id};

/// The type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The most keys that are read: a plan asks for fewer.
const KEYS_MAX: usize = 32;

/// Whether a webhook's body says that it is a form.
pub(super) fn is_form(request: &Request) -> bool {
    let kind = request.header(CONTENT_TYPE.as_str()).and_then(|value| value.split(';').next());
    request.method == Method::POST
        && kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
}

/// Parameters by name; equal values of one name are one value, as in what Twilio signs.
#[derive(Default)]
pub(super) struct Form(BTreeMap<String, BTreeSet<String>>);

impl Form {
    /// Reads a body of `application/x-www-form-urlencoded`.
    ///
    /// `None` for anything that no serialiser writes (WHATWG URL §5.2): bytes that are not visible
    /// ASCII, escapes that are cut short or in lower case, and values that are not UTF-8. Twilio
    /// signs the decoded values, so leniency would let a changed body pass as the signed one.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        Some(Self::of(pairs(body)?))
    }

    /// The form with these names and values.
    pub(super) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            form.0.entry(name).or_default().insert(value);
        }
        form
    }

    /// Reads a query, or a body that is signed as it stands: leniently, since no other bytes would
    /// pass for the signed ones.
    pub(super) fn read_query(query: &str) -> Self {
        Self::of(form_urlencoded::parse(query.as_bytes()).into_owned())
    }

    /// Each name with its one value; `None` where a name has several.
    pub(super) fn single(self) -> Option<BTreeMap<String, String>> {
        let one = |mut values: BTreeSet<String>| values.pop_first().filter(|_| values.is_empty());
        self.0.into_iter().map(|(name, values)| Some((name, one(values)?))).collect()
    }

    /// Names and values in byte order, without separators: what Twilio appends to the address.
    pub(super) fn signed(&self) -> String {
        let mut signed = String::new();
        for (name, values) in &self.0 {
            for value in values {
                signed.push_str(name);
                signed.push_str(value);
            }
        }
        signed
    }

    /// Names and values in byte order as in a query, but not encoded: what Plivo has for the address's
    /// own.
    pub(super) fn sorted_query(&self) -> String {
        let pairs = self
            .0
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Every value of `name`.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> + use<'_> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The one value of `name`.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] if there are several.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, WebhookError> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(WebhookError::Malformed(name)),
        }
    }

    /// The one value of `name`, which must be there.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] if there is none, or several.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, WebhookError> {
        self.one(name)?.ok_or(WebhookError::Malformed(name))
    }

    /// An id under the first of `names` that is there: at most 64 letters, digits and dashes.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] naming the first of them.
    pub(super) fn id(&self, names: &[&'static str]) -> Result<String, WebhookError> {
        for name in names {
            if let Some(id) = self.one(name)? {
                let fits = is_id(id).then(|| id.to_owned());
                return fits.ok_or(WebhookError::Malformed(name));
            }
        }
        Err(WebhookError::Malformed(names.first().copied().unwrap_or("Sid")))
    }

    /// The keys that a person pressed, under `name`; none where none are there.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] for more keys than any plan asks for, or none of a telephone's.
    pub(super) fn keys(&self, name: &'static str) -> Result<String, WebhookError> {
        let digits = self.one(name)?.unwrap_or_default();
        fields::keys(digits, KEYS_MAX, name)
    }

    /// A length of time in whole seconds; one that does not read as such is as good as none.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] if there are several.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<Duration>, WebhookError> {
        let seconds = self.one(name)?.and_then(|text| text.parse::<u32>().ok());
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
    }
}

/// Names and values in byte order of the names, without separators; values of one name stay in the order
/// in which they came: what `SignalWire` appends to the address.
pub(super) fn signed_in_order(body: &[u8]) -> Option<String> {
    let mut pairs = pairs(body)?;
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(pairs.into_iter().flat_map(|(name, value)| [name, value]).collect())
}

/// The pairs of a body as [`Form::read`] reads it, in order.
fn pairs(body: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let cut = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        Some((decode(&pair[..cut])?, decode(pair.get(cut + 1..).unwrap_or_default())?))
    };
    pairs.map(pair).collect()
}

fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => 16 * digit(*rest.next()?)? + digit(*rest.next()?)?,
            byte if byte.is_ascii_graphic() => *byte,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
