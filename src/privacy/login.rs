//! What staff prove themselves with: passwords, codes of their apps, recovery codes. The database holds
//! nothing that opens the console, and nothing that can be guessed at without the lasting secrets.

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use totp_rs::{Builder, Secret, Totp};

use super::Keyring;

/// How many random bytes salt a password.
pub const SALT_BYTES: usize = 16;
/// How long a code of an app is shown, in seconds (RFC 6238 §5.2).
const STEP: u64 = 30;
/// OWASP's cheat sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

fn hasher(pepper: &[u8; 32]) -> Option<Argon2<'_>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).ok()?;
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params).ok()
}

impl Keyring {
    /// The hash of the password of `staff` (argon2id under a key of ours, PHC string): what is stored. It
    /// takes tens of milliseconds of one core. `None` if it can't be made.
    pub fn password_hash(
        &self,
        staff: &str,
        password: &str,
        salt: [u8; SALT_BYTES],
    ) -> Option<String> {
        let pepper = self.sign("staff-password", staff.as_bytes());
        let hash = hasher(&pepper)?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
        Some(hash.to_string())
    }

    /// Whether `hash` is that of this password of `staff`; as slow.
    pub fn password_matches(&self, staff: &str, password: &str, hash: &str) -> bool {
        let pepper = self.sign("staff-password", staff.as_bytes());
        hasher(&pepper)
            .is_some_and(|hasher| hasher.verify_password(password.as_bytes(), hash).is_ok())
    }

    fn totp(&self, staff: &str, name: &str, salt: &str) -> Option<Totp> {
        let secret = self.sign("staff-totp", format!("{staff}:{salt}").as_bytes());
        let secret = Secret::from(secret.get(..20)?.to_vec());
        // A colon would end the issuer's part of the label.
        let name = name.replace(':', " ");
        let builder = Builder::new().with_secret(secret).with_skew(1).with_step_duration(STEP);
        builder.with_account_name(name).with_issuer(Some("Entremise")).build().ok()
    }

    /// What the app of `staff`, called `name`, is to hold: its secret in Base32, and the `otpauth` address that
    /// says the same. It comes from `salt` and a key of ours.
    pub fn totp_secret(&self, staff: &str, name: &str, salt: &str) -> Option<(String, String)> {
        let totp = self.totp(staff, name, salt)?;
        let address = totp.to_url().ok()?;
        let secret = url::Url::parse(&address).ok()?;
        let secret = secret.query_pairs().find(|(key, _)| key == "secret")?.1.into_owned();
        Some((secret, address))
    }

    /// The step to which a code belongs at `seconds` since 1970, one step early and late included.
    pub fn totp_step(&self, staff: &str, salt: &str, code: &str, seconds: u64) -> Option<i64> {
        let bare: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let digits = bare.len() == 6 && bare.bytes().all(|b| b.is_ascii_digit());
        let step = self.totp(staff, "", salt).filter(|_| digits)?.check(&bare, seconds)?;
        i64::try_from(step).ok()
    }

    /// The code that such an app shows: for tests and for whoever demonstrates.
    pub fn totp_code(&self, staff: &str, salt: &str, seconds: u64) -> Option<String> {
        Some(self.totp(staff, "", salt)?.generate(seconds).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::MasterKey;

    fn ring() -> Keyring {
        Keyring::new(
            MasterKey::from_base64("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap(),
        )
    }

    /// A hash is of one person's password under one key, and says how it was made.
    #[test]
    fn passwords_are_hashed_under_a_key() {
        let hash = ring().password_hash("ST1", "correct horse battery", [7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(ring().password_matches("ST1", "correct horse battery", &hash));
        assert!(!ring().password_matches("ST1", "correct horse batterz", &hash));
        assert!(!ring().password_matches("ST2", "correct horse battery", &hash));
        let other = Keyring::new(MasterKey::generate());
        assert!(!other.password_matches("ST1", "correct horse battery", &hash));
        assert!(!ring().password_matches("ST1", "x", "not a hash"));
    }

    /// A code holds for its step and the two beside, and is what an app of the same secret shows.
    #[test]
    fn codes_hold_for_their_step() {
        let (secret, address) = ring().totp_secret("ST1", "Ada: L", "salt").unwrap();
        assert_eq!(secret.len(), 32);
        assert!(address.starts_with("otpauth://totp/Entremise:Ada"), "{address}");
        let app = Totp::from_url(&address).unwrap();
        let at = 1_795_252_727;
        let code = app.generate(at).to_string();
        assert_eq!(ring().totp_code("ST1", "salt", at).as_deref(), Some(&*code));
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let step = ring().totp_step("ST1", "salt", &spaced, at).unwrap();
        assert_eq!(u64::try_from(step).unwrap(), at / 30);
        assert_eq!(ring().totp_step("ST1", "salt", &code, at + 30), Some(step));
        assert_eq!(ring().totp_step("ST1", "salt", &code, at + 90), None);
        assert_eq!(ring().totp_step("ST1", "other", &code, at), None);
        assert_eq!(ring().totp_step("ST2", "salt", &code, at), None);
        assert_eq!(ring().totp_step("ST1", "salt", "", at), None);
    }
}
