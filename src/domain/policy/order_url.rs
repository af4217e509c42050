//! Where support finds the order behind a session: an address of the marketplace's, with gaps.

use std::fmt::Write as _;

const NAME: &str = "{unique_name}";
const SESSION: &str = "{session}";

/// An `https` address with `{unique_name}` or `{session}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderUrl(String);

impl OrderUrl {
    /// The longest, in characters.
    pub const CHARS: usize = 500;
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = "must be an https:// address of at most 500 characters with {unique_name} or {session} behind its \
         host, and no other braces, space, quotes or login";

    /// Reads one; `None` where it is not as [`Self::ALLOWED`] says.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\^`|".contains(&b);
        if text.len() > Self::CHARS || !text.bytes().all(plain) {
            return None;
        }
        let rest = text.strip_prefix("https://")?;
        let end = rest.find(['/', '?', '#'])?;
        let (host, behind) = rest.split_at(end);
        let host_byte = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        let named = host.bytes().any(|b| b.is_ascii_alphanumeric());
        if !named || !host.bytes().all(host_byte) {
            return None;
        }
        let without = behind.replace(NAME, "").replace(SESSION, "");
        let filled = without.len() < behind.len();
        (filled && !without.contains(['{', '}'])).then(|| Self(text.to_owned()))
    }

    /// Its text, with the gaps.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address for one session; `None` where it names a session that has no name.
    pub fn of(&self, session: &str, unique_name: Option<&str>) -> Option<String> {
        let name = match unique_name {
            Some(name) => encoded(name),
            None if self.0.contains(NAME) => return None,
            None => String::new(),
        };
        // Neither value holds a brace once it is encoded: nothing is filled twice.
        Some(self.0.replace(NAME, &name).replace(SESSION, &encoded(session)))
    }
}

/// Percent-encoded but for what RFC 3986 leaves as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gaps are filled with what can't break out of its place.
    #[test]
    fn gaps_are_filled_encoded() {
        let url =
            OrderUrl::parse("https://market.example/orders/{unique_name}?s={session}").unwrap();
        assert_eq!(
            url.of("KC1", Some("a/b c&é\"{session}")).unwrap(),
            "https://market.example/orders/a%2Fb%20c%26%C3%A9%22%7Bsession%7D?s=KC1"
        );
        assert_eq!(url.of("KC1", None), None);
        let plain = OrderUrl::parse("https://market.example:8443/?q={session}").unwrap();
        assert_eq!(plain.of("KC1", None).unwrap(), "https://market.example:8443/?q=KC1");
    }

    /// Nothing but an https address of one host with a gap behind it.
    #[test]
    fn what_is_no_template() {
        for bad in [
            "",
            "https://market.example/orders",
            "http://market.example/{session}",
            "https://{session}.market.example/",
            "https://market.example{session}",
            "https:///{session}",
            "https://me@market.example/{session}",
            "https://market.example/{other}/{session}",
            "https://market.example/{session}}",
            "https://market.example/ {session}",
            "https://market.example/\"{session}",
            "javascript:alert({session})",
        ] {
            assert_eq!(OrderUrl::parse(bad), None, "{bad}");
        }
        let long = format!("https://market.example/{}{{session}}", "a".repeat(500));
        assert_eq!(OrderUrl::parse(&long), None);
    }
}
