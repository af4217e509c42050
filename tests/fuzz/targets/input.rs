//! Reads an input as fields, and holds what several targets judge by.

use std::collections::BTreeMap;

use ring::digest;

/// What ends a field: a byte that no UTF-8 has, so that any text can be a field.
pub(crate) const END: u8 = 0xff;

/// The fields of one input. Whatever is missing is empty.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The bytes before the next end of a field.
    pub(crate) fn field(&mut self) -> &'a [u8] {
        let at = self.0.iter().position(|byte| *byte == END);
        let (field, rest) = self.0.split_at(at.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        field
    }

    /// A field as text; what is no UTF-8 is replaced.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.field()).into_owned()
    }

    /// A field as a number in decimals; 0 for anything else.
    pub(crate) fn number(&mut self) -> i64 {
        self.text().trim().parse().unwrap_or(0)
    }

    /// The same without a sign.
    pub(crate) fn count(&mut self) -> u64 {
        self.number().unsigned_abs()
    }

    /// One byte as a choice: `0` is the first, `1` the second.
    pub(crate) fn choice(&mut self, of: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first.wrapping_sub(b'0')) % of
    }

    /// All that is left, ends of fields included.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// The bytes with one bit turned over, wherever `place` says; `None` if there are none.
pub(crate) fn flipped(bytes: &[u8], place: u64) -> Option<Vec<u8>> {
    let bits = u64::try_from(bytes.len()).unwrap() * 8;
    let place = usize::try_from(place.checked_rem(bits)?).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[place / 8] ^= 1 << (place % 8);
    Some(bytes)
}

/// HMAC by RFC 2104, written out: another way than the one that production takes.
pub(crate) fn hmac(hash: &'static digest::Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let short = digest::digest(hash, key);
    let key = if key.len() > block.len() { short.as_ref() } else { key };
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with).to_vec();
    let inner = digest::digest(hash, &[pad(0x36), message.to_vec()].concat());
    digest::digest(hash, &[pad(0x5c), inner.as_ref().to_vec()].concat()).as_ref().to_vec()
}

/// Every run of at least `least` ASCII digits.
pub(crate) fn digit_runs(text: &str, least: usize) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= least).collect()
}

/// Whether a text is `+` and 7 to 15 digits, the first not 0: read letter by letter.
pub(crate) fn is_e164(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    letters.len() >= 8
        && letters.len() <= 16
        && letters[0] == '+'
        && ('1'..='9').contains(&letters[1])
        && letters[2..].iter().all(char::is_ascii_digit)
}

/// The pairs of a query or a form, read leniently: every value of every name.
pub(crate) fn pairs(form: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(form) {
        pairs.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    pairs
}

/// A carrier's error code is kept in clear: it may not be able to hold a number.
pub(crate) fn assert_code(code: Option<&str>) {
    if let Some(code) = code {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!((1..=32).contains(&code.len()) && code.chars().all(plain), "code {code:?}");
        assert!(digit_runs(code, 7).is_empty(), "a code that may be a number: {code}");
    }
}
