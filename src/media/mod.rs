//! Pictures and files of texts as bytes: made harmless, and kept for the hours in which carriers fetch
//! them.

mod connector;
mod objects;
mod picture;

pub use self::objects::{Objects, ObjectsError, S3, Settings};
use crate::domain::{
    media::{FETCHED_MAX, MediaRefusal, MediaType, PASSED_ON_MAX},
    policy::MediaRule,
};

/// A picture or file that may be passed on.
#[derive(Clone, PartialEq, Eq)]
pub struct Ready {
    /// What it is.
    pub kind: MediaType,
    /// The bytes. Secret: what a person sent.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready({}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// Judges what came by its bytes alone, and makes pictures anew. Takes up to some seconds of a
/// processor and some hundred megabytes: for a thread that may block, a few at once.
///
/// # Errors
/// Why it is not passed on.
pub fn prepare(bytes: &[u8], rule: MediaRule, vcards: bool) -> Result<Ready, MediaRefusal> {
    if bytes.len() > FETCHED_MAX {
        return Err(MediaRefusal::TooLarge);
    }
    let kind = MediaType::of(bytes).ok_or(MediaRefusal::Type)?;
    kind.admit(rule, vcards)?;
    if kind.is_picture() {
        let (kind, bytes) = picture::anew(bytes, kind)?;
        return Ok(Ready { kind, bytes });
    }
    if bytes.len() > PASSED_ON_MAX {
        return Err(MediaRefusal::TooLarge);
    }
    Ok(Ready { kind, bytes: bytes.to_vec() })
}
