//! What is wrong with a proxy number at its carrier: where its calls and texts go instead.

/// A setting of a number at its carrier that is not as the relay needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFault {
    /// Whether calls or texts are lost by it: otherwise it only deserves a warning.
    pub grave: bool,
    /// What is there, in words and with the carrier's name of the setting. No secret: of an address
    /// its scheme, host and path at most.
    pub found: String,
    /// What to do, with the exact value to set.
    pub fix: String,
}

impl NumberFault {
    /// A fault by which calls or texts are lost.
    pub fn grave(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grave: true, found: found.into(), fix: fix.into() }
    }

    /// A fault that the relay lives with.
    pub fn minor(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grave: false, found: found.into(), fix: fix.into() }
    }
}

/// An address without what may be secret in it, for [`NumberFault::found`].
pub(super) fn shown(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Err(_) => "not an address".to_owned(),
    }
}
