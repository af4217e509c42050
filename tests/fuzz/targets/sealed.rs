//! What is sealed: it opens to what it was, in its place, with its key, and not with a bit turned.
//!
//! Input: which reader · a bit to turn · a context · a foreign text · the bytes.

use entremise::privacy::{DataKey, IndexKey, Keyring, MasterKey, webhook::{WebhookKeys, WebhookSecret}};

use super::input::{Input, flipped};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (bit, context, foreign) = (input.count(), input.text(), input.text());
    let plain = input.rest();
    thread_local! {
        static KEYS: (Keyring, DataKey) = (Keyring::new(MasterKey::generate()), DataKey::generate());
    }
    KEYS.with(|(ring, key)| {
        let sealed = key.seal(plain, &context);
        let opened = key.open(&sealed, &context).expect("what was sealed opens");
        assert_eq!(opened.expose(), plain);
        let wrapped = key.wrap(ring, &context);
        let again = ring.unwrap(&wrapped, &context).expect("what was wrapped opens");
        assert_eq!(again.open(&sealed, &context).expect("with the same key").expose(), plain);
        assert!(key.open(&sealed, &format!("{context}x")).is_err(), "in another place");
        assert!(key.open_text(&sealed, &context).is_err(), "as another kind");
        let bent = |text: &str| String::from_utf8(flipped(text.as_bytes(), bit).unwrap());
        if let Ok(bent) = bent(&sealed) {
            assert!(key.open(&bent, &context).is_err(), "a bit turned: {bent}");
        }
        if let Ok(bent) = bent(&wrapped) {
            assert!(ring.unwrap(&bent, &context).is_err(), "a bit turned: {bent}");
        }
        // Nobody can make up what opens.
        assert!(key.open(&foreign, &context).is_err());
        assert!(ring.unwrap(&foreign, &context).is_err());
        assert!(ring.unwrap_index(&foreign, &context).is_err());
        let index = IndexKey::generate().wrap(ring, &context);
        assert!(ring.unwrap(&index, &context).is_err(), "an index key as a data key");
        // A mark that none of our own words has.
        let marked = format!("{foreign}\u{1f512}");
        let errors = [key.open(&marked, &context).err(), ring.unwrap(&marked, &context).err()];
        for error in errors.into_iter().flatten() {
            assert!(!error.to_string().contains('\u{1f512}'), "{error}");
        }
    });
    if let Ok(secret) = WebhookSecret::parse(&foreign) {
        assert_eq!(secret.expose(), foreign, "two spellings of one secret");
    }
    if let Ok(keys) = WebhookKeys::parse(&foreign) {
        assert_eq!(keys.to_text(), foreign, "two spellings of one pair");
    }
    if let Ok(master) = MasterKey::from_base64(&foreign) {
        assert_eq!(master.id(), MasterKey::from_base64(foreign.trim()).unwrap().id());
        assert!(!foreign.contains(&master.id()), "the id tells of the key");
    }
}
