//! The case under which a session is known where support keeps its cases.

use super::audit::holds_a_number;

/// The longest, in characters.
const CHARS: usize = 64;

/// The longest note of staff, in characters.
pub const NOTE_CHARS: usize = 2000;

/// A case's id: it stands in clear, so it is never a telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseId(String);

impl CaseId {
    /// Reads 1 to 64 letters, digits and characters of `._-`; `None` for anything else, and for what looks like
    /// a telephone number.
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=CHARS).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !holds_a_number(text);
        good.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of cases are taken as ticket systems make them; numbers of people and what needs quoting are not.
    #[test]
    fn only_plain_names() {
        for good in ["T-1042", "zd.8812_b", "a", &"x".repeat(64)] {
            assert_eq!(CaseId::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", " T-1", "T 1", "é", "a/b", "<a>", "14155550100", "415-555-0100", &"x".repeat(65)]
        {
            assert_eq!(CaseId::parse(bad), None, "{bad}");
        }
    }
}
