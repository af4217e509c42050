//! AES-256-GCM with a random nonce: the one cipher, in one place.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::Error;
use crate::ids::{Entropy as _, SystemEntropy};

/// The bytes of a key.
pub(super) type Secret = [u8; 32];

/// A new random key.
pub(super) fn generate() -> Secret {
    let mut secret = [0; 32];
    SystemEntropy.fill(&mut secret);
    secret
}

/// A key that is ready to seal and open.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    #[expect(clippy::expect_used, reason = "fails only for another length than the cipher's")]
    pub(super) fn new(secret: &Secret) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).expect("32 bytes")))
    }

    /// `base64url(nonce ‖ ciphertext ‖ tag)`. It opens only with the same `bound` text.
    ///
    /// The nonce is the system's randomness, never a seeded source: one repeat under a key would
    /// give the key stream away.
    pub(super) fn seal(&self, plain: &[u8], bound: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.seal_bytes(plain, bound))
    }

    /// `nonce ‖ ciphertext ‖ tag`, else as [`Cipher::seal`].
    #[expect(
        clippy::expect_used,
        reason = "fails only beyond 64 GiB, more than memory that is sealed"
    )]
    pub(super) fn seal_bytes(&self, plain: &[u8], bound: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        SystemEntropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound),
                &mut sealed,
            )
            .expect("short enough");
        [nonce.as_slice(), &sealed, tag.as_ref()].concat()
    }

    /// What [`Cipher::seal`] was given.
    pub(super) fn open(&self, text: &str, bound: &[u8]) -> Result<Vec<u8>, Error> {
        self.open_bytes(URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Malformed)?, bound)
    }

    /// What [`Cipher::seal_bytes`] was given.
    pub(super) fn open_bytes(&self, mut bytes: Vec<u8>, bound: &[u8]) -> Result<Vec<u8>, Error> {
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>().ok_or(Error::Malformed)?;
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound), sealed)
            .map_err(|_| Error::Damaged)?;
        Ok(plain.to_vec())
    }
}
