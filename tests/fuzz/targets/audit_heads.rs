//! Signed heads of the audit log out of a file: what nobody signed is refused, whatever it is, and what
//! we signed is taken.
//!
//! Input: a place · lines.

use entremise::{
    domain::time::Timestamp,
    privacy::{Keyring, MasterKey, audit::Head},
    relay::{Heads, HeadsError, SignedHead},
};

use super::input::Input;

pub(crate) fn run(data: &[u8]) {
    let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let ring = Keyring::new(MasterKey::from_bytes(key).unwrap());
    let signer = ring.head_signer().unwrap();
    let public = signer.public();
    let mut input = Input::new(data);
    let seq = i64::try_from(input.count()).unwrap_or(i64::MAX);
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    let mut heads = Heads::default();
    for line in text.lines() {
        let refused = heads.add(&public, line).unwrap_err();
        assert!(matches!(refused, HeadsError::Malformed | HeadsError::Signature), "{refused}");
    }
    let at = Timestamp::from_millis(1_800_000_000_000);
    let head = Head { account: text.clone(), seq, hash: text, at };
    let signed = SignedHead { signature: signer.sign(&head), head };
    let line = signed.line();
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(heads.add(&public, &line), Ok(()));
    let moved = SignedHead { head: Head { seq: seq ^ 1, ..signed.head }, ..signed };
    assert_eq!(heads.add(&public, &moved.line()), Err(HeadsError::Signature));
}
