//! The epoch beside a database: whatever the file holds, it is a number or refused, and only grows.
//!
//! Input: the epoch to note · the bytes of the file.

use entremise::store::EpochFile;

use super::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let epoch = i64::try_from(input.count()).unwrap_or(i64::MAX);
    let bytes = input.rest();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let on_disk = folder.path().join("x.db.epoch");
    std::fs::write(&on_disk, bytes).unwrap();
    let file = EpochFile::beside(&path);
    let before = file.read();
    let digits = std::str::from_utf8(bytes).ok().map(str::trim);
    match &before {
        Ok(0) if bytes.is_empty() => {}
        Ok(number) => {
            let text = digits.expect("a number out of no text");
            assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()), "{text:?}");
            assert_eq!(text.trim_start_matches('0').parse().unwrap_or(0), *number);
        }
        Err(error) => {
            let whole = digits.is_some_and(|text| {
                bytes.len() <= 21 && (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
            });
            assert!(!whole, "{error}");
        }
    }
    match (before, file.raise(epoch)) {
        (Ok(before), Ok(())) => assert_eq!(file.read().unwrap(), before.max(epoch)),
        (Err(_), Err(_)) => assert_eq!(std::fs::read(&on_disk).unwrap(), bytes, "damage is kept"),
        (before, raised) => panic!("{before:?}, and then {raised:?}"),
    }
}
