//! Keys, sealing and the blind index: what keeps real numbers and words out of the database.
//!
//! Master keys, which the database never holds, make a [`Keyring`]: the current one wraps, those before
//! it open what is not wrapped again yet. Under them each session and each account has a [`DataKey`],
//! which seals, each account an [`IndexKey`], which makes the hashes by which people are found, and the
//! installation its [`Lasting`] secrets. All are stored wrapped. To erase is to delete a data key.
//! The decisions are in docs/adr/0005.

mod aead;
pub mod audit;
mod index;
mod lasting;
mod login;
mod master;
mod seal;
pub mod webhook;

pub use index::{Counted, Counterpart, IndexKey, Person, PinHash};
pub use lasting::{LASTING, LASTING_BYTES, Lasting};
pub use login::SALT_BYTES;
pub use master::{Keyring, MasterKey, MasterKeyError, is_key_id};
pub use seal::{DataKey, Plain};

/// Why sealed text did not open. It never says what the text was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It was wrapped by another master key than those configured.
    #[error("wrapped by master key {id}, which is not among the configured ones")]
    UnknownKey {
        /// The id of the key that wrapped it: eight hex digits, not secret.
        id: String,
    },
    /// It was altered, moved from another row, or sealed with another key.
    #[error("does not open: altered, moved from another row, or sealed with another key")]
    Damaged,
    /// It is not text that this version seals, or what it holds is not what was asked for.
    #[error("is not sealed text of a form that this version knows")]
    Malformed,
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
