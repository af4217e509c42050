//! Ids and our callback addresses: read only as they are written, and the same when read back.
//!
//! Input: a text · a query.

use entremise::{
    carrier::links::{self, At, Step},
    ids::{AccountId, LegId, NumberId, SessionId},
};

use super::{
    adapters::TWILIO,
    input::{Input, pairs},
};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (text, query) = (input.text(), input.text());
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let form = text.len() == 34 && text.get(2..).is_some_and(|rest| rest.chars().all(hex));
    let of = |prefix: &str| form && text.starts_with(prefix);
    assert_eq!(AccountId::parse(&text).is_ok(), of("AC"), "{text:?}");
    assert_eq!(SessionId::parse(&text).is_ok(), of("KC"), "{text:?}");
    assert_eq!(NumberId::parse(&text).is_ok(), of("PN"), "{text:?}");
    let leg = LegId::parse(&text);
    assert_eq!(leg.is_ok(), of("LG"), "{text:?}");
    if let Ok(leg) = leg {
        assert!(leg.as_str() == text && leg.to_string() == text && format!("{leg:?}") == text);
        for step in Step::ALL {
            let url = TWILIO.links.step(*step, &leg);
            let (_, query) = url.split_once('?').unwrap();
            let at = At { step: Some(*step), leg: Some(leg.clone()), turn: 0 };
            assert_eq!(links::read(query), at);
            let url = TWILIO.links.turn(*step, &leg, 7);
            let (_, query) = url.split_once('?').unwrap();
            assert_eq!(links::read(query), At { turn: 7, ..at });
        }
    }
    let At { step, leg, turn } = links::read(&query);
    let said = pairs(query.as_bytes());
    let among = |name: &str, value: &str| said.get(name).is_some_and(|all| all.iter().any(|v| v == value));
    assert!(step.is_none_or(|step| among("step", step.as_str())), "{step:?} out of {query:?}");
    assert!(leg.is_none_or(|leg| among("leg", leg.as_str())), "a leg out of {query:?}");
    let same = |value: &String| value.parse() == Ok(turn);
    let said = said.get("turn").is_some_and(|all| all.iter().any(same));
    assert!(turn == 0 || said, "a turn out of {query:?}");
}
