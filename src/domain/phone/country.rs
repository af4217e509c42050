//! Countries, by their two letters.

use std::fmt;

use phonenumber::metadata::DATABASE;

/// A country or territory that has numbers: ISO 3166-1 alpha-2 (and `AC`, `TA`, `XK`, which ITU's
/// plan needs).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two upper-case letters; `None` unless some numbering plan is of that country.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
        DATABASE.by_id(text)?;
        Some(Self(letters))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The calling code of its numbers, without the plus.
    pub fn calling_code(self) -> Option<u16> {
        Some(DATABASE.by_id(self.as_str())?.country_code())
    }

    /// The country whose numbering plan this one lives in, or the country itself: a number of
    /// Guernsey is a British one to those who dial it.
    ///
    /// Only where plan, price and dialling are one. Russia and Kazakhstan share a calling code, and
    /// so do those of +1, and neither are one.
    #[must_use]
    pub fn group(self) -> Self {
        Self(match &self.0 {
            b"GG" | b"IM" | b"JE" => *b"GB",
            b"AX" => *b"FI",
            b"BL" | b"MF" => *b"GP",
            b"CC" | b"CX" => *b"AU",
            b"SJ" => *b"NO",
            b"TA" => *b"SH",
            b"VA" => *b"IT",
            b"YT" => *b"RE",
            own => *own,
        })
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the letters of a country with a numbering plan are read.
    #[test]
    fn only_countries_are_read() {
        assert_eq!(Country::parse("FR").unwrap().as_str(), "FR");
        for text in ["", "F", "fr", "FRA", "UK", "ZZ", "001", "É"] {
            assert_eq!(Country::parse(text), None, "{text}");
        }
    }

    /// A territory within another's plan is grouped with it, under the same calling code.
    #[test]
    fn groups_share_a_calling_code() {
        let own = |text| Country::parse(text).unwrap();
        for text in ["GG", "IM", "JE", "AX", "BL", "MF", "CC", "CX", "SJ", "TA", "VA", "YT"] {
            let group = own(text).group();
            assert_ne!(group, own(text));
            assert_eq!(group.calling_code(), own(text).calling_code(), "{text}");
            assert_eq!(group.group(), group);
        }
        assert_eq!(own("KZ").group(), own("KZ"));
        assert_eq!(own("CA").group(), own("CA"));
    }
}
