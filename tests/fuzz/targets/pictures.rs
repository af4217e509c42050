//! Pictures and files of strangers: what is passed on is what it says, short enough, and made of nothing but
//! pixels.
//!
//! Input: the file.

use entremise::{
    domain::{
        media::{MediaRefusal, MediaType, PASSED_ON_MAX},
        policy::MediaRule,
    },
    media::{Ready, prepare},
};

pub(crate) fn run(data: &[u8]) {
    let kind = MediaType::of(data);
    match prepare(data, MediaRule::Images, false) {
        Ok(ready) => {
            assert!(kind.is_some_and(MediaType::is_picture));
            judge(&ready);
            let again = prepare(&ready.bytes, MediaRule::Images, false).expect("what we made reads");
            assert_eq!(again.kind, ready.kind);
        }
        Err(MediaRefusal::Vcard) => assert_eq!(kind, Some(MediaType::Vcard)),
        Err(MediaRefusal::Type) => assert!(!kind.is_some_and(MediaType::is_picture)),
        Err(MediaRefusal::TooLarge | MediaRefusal::Unreadable) => {
            assert!(kind.is_some_and(MediaType::is_picture));
        }
        Err(other) => panic!("{other}"),
    }
    assert!(prepare(data, MediaRule::None, true).is_err());
}

fn judge(ready: &Ready) {
    assert_eq!(MediaType::of(&ready.bytes), Some(ready.kind));
    assert!(ready.kind.is_picture() && ready.kind != MediaType::Webp);
    assert!(ready.bytes.len() <= PASSED_ON_MAX);
    // Four letters may stand among many pixels by chance.
    if ready.bytes.len() <= 4096 {
        for hidden in [&b"Exif"[..], b"tEXt", b"iTXt", b"eXIf", b"iCCP", b"Jane"] {
            let holds = ready.bytes.windows(hidden.len()).any(|window| window == hidden);
            assert!(!holds, "{}", hidden.escape_ascii());
        }
    }
}
