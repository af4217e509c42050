//! Secrets of the installation that outlive every master key: what hashes tokens, and what signs cursors and
//! addresses, and the audit log's heads.
//!
//! They are drawn at random and stored wrapped, as data keys are. An installation that is older than
//! that keeps what came from its master key then, so that no token and no signature is lost.

use std::fmt;

use super::{Error, Keyring, aead::Secret};

const KIND: &str = "lasting secret";
/// Their names, which are their places too.
pub const LASTING: [&str; 3] = ["tokens", "signatures", "heads"];
/// How many random bytes [`Lasting::from_random`] takes.
pub const LASTING_BYTES: usize = 96;

/// What hashes tokens, and what signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Lasting {
    pub(super) tokens: Secret,
    pub(super) signatures: Secret,
    pub(super) heads: Secret,
}

impl Lasting {
    /// Secrets of bytes that were just drawn at random.
    pub fn from_random(random: &[u8; LASTING_BYTES]) -> Self {
        let mut secrets = [Secret::default(); 3];
        for (secret, drawn) in secrets.iter_mut().zip(random.chunks_exact(32)) {
            secret.copy_from_slice(drawn);
        }
        let [tokens, signatures, heads] = secrets;
        Self { tokens, signatures, heads }
    }

    /// The secrets as they are stored, in the order of [`LASTING`].
    pub fn wrap(&self, ring: &Keyring) -> [String; 3] {
        let [tokens, signatures, heads] = LASTING;
        [
            ring.wrap(KIND, &self.tokens, tokens),
            ring.wrap(KIND, &self.signatures, signatures),
            ring.wrap(KIND, &self.heads, heads),
        ]
    }
}

impl fmt::Debug for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lasting(••••)")
    }
}

impl Keyring {
    /// Reads a stored [`Lasting::wrap`].
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn unwrap_lasting(&self, stored: &[String; 3]) -> Result<Lasting, Error> {
        let [tokens, signatures, heads] = stored;
        let [of_tokens, of_signatures, of_heads] = LASTING;
        Ok(Lasting {
            tokens: self.unwrap_secret(KIND, tokens, of_tokens)?,
            signatures: self.unwrap_secret(KIND, signatures, of_signatures)?,
            heads: self.unwrap_secret(KIND, heads, of_heads)?,
        })
    }

    /// The stored secret of that name, wrapped by the current master key.
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn rewrap_lasting(&self, name: &str, wrapped: &str) -> Result<String, Error> {
        self.rewrap(KIND, wrapped, name)
    }
}
