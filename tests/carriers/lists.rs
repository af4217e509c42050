//! What carriers have on record: each declares what can be asked, and every captured page is read.

use std::{fmt::Write as _, time::Duration};

use entremise::{
    carrier::{
        Inbound,
        capabilities::Dedupe,
        error::SendErrorKind,
        listing::{Query, Recorded},
        wire::Response,
    },
    domain::phone::ProxyNumber,
};
use http::StatusCode;
use url::Url;

use crate::{
    fixtures::{self, Fixtures},
    render,
};

/// How far back the fixtures' lists are asked for.
const SINCE: Duration = Duration::from_mins(15);

/// Everything that can be asked for, by the word with which its cases begin.
pub(crate) fn queries(fixtures: &Fixtures) -> [(&'static str, Query); 3] {
    let since = fixtures.now() - SINCE;
    let from = ProxyNumber::parse("+14155550150").unwrap().into();
    [
        ("sent", Query::Sent { from, since }),
        ("texts", Query::Texts(since)),
        ("calls", Query::Calls(since)),
    ]
}

fn query_of(fixtures: &Fixtures, case: &str) -> Query {
    let (_, query) = queries(fixtures)
        .into_iter()
        .find(|(word, _)| case.starts_with(word))
        .unwrap_or_else(|| panic!("{case}: what does it list?"));
    query
}

/// A carrier that says that it can be looked up, or that it lists, answers for it with a request and
/// with captured pages; one that does not has neither.
#[test]
fn what_is_declared_can_be_asked() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let can = carrier.capabilities();
        for (word, query) in queries(&fixtures) {
            let declared = match query {
                Query::Sent { .. } => can.dedupe == Dedupe::Lookup,
                Query::Texts(_) => can.lists && can.sms,
                Query::Calls(_) => can.lists && can.voice,
            };
            let name = &fixtures.name;
            assert_eq!(carrier.list(&query).is_some(), declared, "{name}: {word}");
            let read = fixtures
                .lists
                .iter()
                .filter(|(case, _)| case.starts_with(word))
                .filter_map(|(_, response)| carrier.listed(&query, response).ok())
                .any(|page| !page.records.is_empty());
            assert_eq!(read, declared, "{name}: a page of {word} that reads");
            if !declared {
                let error = carrier.listed(&query, &Response::empty(StatusCode::OK)).unwrap_err();
                assert!(
                    matches!(error.kind, SendErrorKind::Unsupported | SendErrorKind::Unreachable),
                    "{name}: {word}"
                );
            }
        }
    }
}

/// Every captured page says what the snapshot says: texts that left, texts that came in, calls that
/// are over. A call that may still be put through is in none.
#[test]
fn pages_are_read() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let mut text = String::new();
        for (case, response) in &fixtures.lists {
            writeln!(text, "== {case}").unwrap();
            let query = query_of(&fixtures, case);
            match carrier.listed(&query, response) {
                Ok(page) => {
                    for record in &page.records {
                        assert!(record.at >= query.since(), "{case}: older than was asked for");
                        writeln!(text, "{record:#?}").unwrap();
                    }
                    let next = page.next.map(|next| next.url);
                    writeln!(text, "next: {}", next.as_deref().unwrap_or("none")).unwrap();
                }
                Err(error) => writeln!(text, "{error}").unwrap(),
            }
        }
        fixtures.assert_masked("lists", &text);
        fixtures.assert_no_secret("lists", &text);
        render::snapshot(&fixtures, "lists", &text);
    }
}

/// What a list tells is what its webhook would have told: the same kind of event, with an id.
#[test]
fn what_came_in_is_a_text_or_a_call() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        for (case, response) in &fixtures.lists {
            let query = query_of(&fixtures, case);
            let Ok(page) = carrier.listed(&query, response) else { continue };
            for record in page.records {
                let fits = match (&query, &record.what) {
                    (Query::Sent { .. }, Recorded::Sent(text)) => !text.id.is_empty(),
                    (Query::Texts(_), Recorded::CameIn(Inbound::Message(text))) => {
                        !text.id.is_empty()
                    }
                    (Query::Calls(_), Recorded::CameIn(Inbound::Call(call))) => !call.id.is_empty(),
                    _ => false,
                };
                assert!(fits, "{case}: {record:?}");
            }
        }
    }
}

/// I22: the next page is at the host and path where the first one was, whatever a page names.
#[test]
fn i22_next_pages_stay_at_the_carrier() {
    let hostile = [
        "http://169.254.169.254/latest?x=1",
        "//evil.example/?x=1",
        "https://relay.example.com@evil.example/?x=1",
        "\\\\evil.example\\?x=1",
        "/../../../?x=1",
        "?x=1",
        "https://[::1]/?x=1#y",
        "?x=1\r\nHost: evil.example",
        "gopher://127.0.0.1:6379/?x=1",
    ];
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let mut tried = 0;
        for (case, response) in &fixtures.lists {
            let query = query_of(&fixtures, case);
            let Some(first) = carrier.list(&query) else { continue };
            let first = Url::parse(&first.url).unwrap();
            let page: serde_json::Value =
                serde_json::from_slice(&response.body).unwrap_or_default();
            let Some(object) = page.as_object() else { continue };
            let names: Vec<&String> = object.keys().filter(|key| key.starts_with("next")).collect();
            for (name, url) in names.iter().flat_map(|name| hostile.map(|url| (*name, url))) {
                let mut changed = page.clone();
                changed[name] = url.into();
                let mut other = response.clone();
                other.body = changed.to_string().into();
                let Ok(read) = carrier.listed(&query, &other) else { continue };
                let Some(next) = read.next else { continue };
                tried += 1;
                let next = Url::parse(&next.url).unwrap();
                assert_eq!(next.origin(), first.origin(), "{case}: {url}");
                assert_eq!(next.path(), first.path(), "{case}: {url}");
                assert_eq!(next.fragment(), None, "{case}: {url}");
            }
        }
        let follows_addresses = fixtures.lists.iter().any(|(_, response)| {
            String::from_utf8_lossy(&response.body).contains("next_page_uri\": \"")
        });
        assert_eq!(tried > 0, follows_addresses, "{}: {tried} tried", fixtures.name);
    }
}
