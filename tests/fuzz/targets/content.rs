//! The reader of texts: it never fails, what it passes on is at most twice as long, and no canary gets
//! through, whatever stands around it.
//!
//! Input: which canary · what stands before · what stands after.

use entremise::domain::{
    content::{Actions, ContentAction, ContentKind, Outcome, find, judge},
    message::{BODY_CHARS_MAX, Body},
};

use super::input::Input;

/// Things that are found for themselves, and what must not be left of them.
const CANARIES: [(ContentKind, &str, &str); 10] = [
    (ContentKind::Phone, "+14155550123", "4155550123"),
    (ContentKind::Phone, "+33 6 39 98 12 34", "39 98 12"),
    (ContentKind::Phone, "0639981234", "639981234"),
    (ContentKind::Phone, "07700 900123", "900123"),
    (ContentKind::Email, "canary@mail.example.com", "canary@mail"),
    (ContentKind::Email, "canary(at)gmail(dot)com", "canary(at)gmail"),
    (ContentKind::Link, "https://canary.example/x", "canary.example"),
    (ContentKind::Link, "www.canary-shop.com", "canary-shop"),
    (ContentKind::Payment, "GB82 WEST 1234 5698 7654 32", "1234 5698 7654"),
    (ContentKind::Payment, "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "de0B295669a9"),
];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, canary, secret) = CANARIES[input.choice(CANARIES.len())];
    let (before, after) = (input.text(), input.text());
    for text in [&before, &after] {
        check(text);
    }
    // Sentences of their own: nobody can be kept from writing more digits behind a number.
    let text = format!("{before} word, word, word!\n{canary}\nword, word, word! {after}");
    let rest = check(&text);
    let elsewhere = before.contains(secret) || after.contains(secret);
    if !elsewhere {
        assert!(!rest.contains(secret), "{kind} in {text:?} became {rest:?}");
    }
}

/// What holds for any text; what is left of it where everything is taken out.
fn check(text: &str) -> String {
    let found = find(text, &["+14155550100"]);
    for one in &found {
        let part = text.get(one.at.clone()).expect("borders of characters");
        assert!(!part.is_empty(), "{one:?} in {text:?}");
    }
    let body = Body::new(text.to_owned());
    let chars = body.chars();
    let all = Actions::all(ContentAction::Redact);
    for action in ContentAction::ALL {
        let outcome = judge(Actions::all(*action), &body, &["+14155550100"], "fr");
        let nothing = found.is_empty() || *action == ContentAction::Allow;
        assert_eq!(outcome == Outcome::Unchanged, nothing, "{action}: {text:?}");
    }
    match judge(all, &body, &["+14155550100"], "fr") {
        Outcome::Redacted(rest, _) => {
            assert!(rest.expose().len() <= 2 * text.len(), "{text:?} became {rest:?}");
            assert!(rest.chars() <= chars.max(BODY_CHARS_MAX), "{chars} became {}", rest.chars());
            rest.expose().to_owned()
        }
        _ => text.to_owned(),
    }
}
