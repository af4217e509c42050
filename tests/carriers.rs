//! Conformance: every carrier of `carrier::KINDS` against the cases in `fixtures/<name>/`. Adding a
//! carrier adds no test code.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests; clippy knows only their functions"
)]

#[path = "carriers/api.rs"]
mod api;
#[path = "carriers/assurance.rs"]
mod assurance;
#[path = "carriers/documents.rs"]
mod documents;
#[path = "carriers/fixtures.rs"]
mod fixtures;
#[path = "carriers/layout.rs"]
mod layout;
#[path = "carriers/lists.rs"]
mod lists;
#[path = "carriers/media.rs"]
mod media;
#[path = "carriers/numbers.rs"]
mod numbers;
#[path = "carriers/render.rs"]
mod render;
#[path = "carriers/samples.rs"]
mod samples;
#[path = "carriers/schema.rs"]
mod schema;
#[path = "carriers/table.rs"]
mod table;

use std::{fmt::Write as _, time::Duration};

use entremise::{
    carrier::{
        Answer, Carrier, Inbound, SendError, WebhookError,
        capabilities::Control,
        error::{Retry, SendErrorKind},
        outbound::{Outbound, OutboundMessage},
        wire::{Request, Response},
    },
    domain::time::Timestamp,
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::fixtures::Fixtures;

const YEARS: Duration = Duration::from_hours(24 * 365 * 10);

/// Whether the carrier takes the webhook at the fixtures' time.
fn takes(carrier: &dyn Carrier, request: &Request, fixtures: &Fixtures) -> bool {
    carrier.verify(request, fixtures.now()).is_ok()
}

/// Every captured webhook is authentic, and reads to the events in the snapshot, each time.
#[test]
fn webhooks_are_taken_and_read() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let mut text = String::new();
        let links = fixtures.links();
        for (case, request) in &fixtures.requests {
            assert_eq!(carrier.verify(request, fixtures.now()), Ok(()), "{case}");
            let events = carrier.parse_with(request, &links);
            assert_eq!(carrier.parse_with(request, &links), events, "{case}");
            text.push_str(&render::events(case, &events, &fixtures));
        }
        render::snapshot(&fixtures, "events", &text);
    }
}

/// I21: flip any byte of what signs a webhook, or of the body and the address where they are signed, and
/// it is refused. None of them makes the reader panic or repeat a number.
#[test]
fn i21_every_flipped_byte_is_refused() {
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        let mut tried = 0_u32;
        for (case, request) in &fixtures.requests {
            for (what, changed) in fixtures::flips(request, &fixtures.facts) {
                tried += 1;
                let covered = fixtures.facts.signs_body || !what.contains("of the body");
                let taken = takes(&*carrier, &changed, &fixtures);
                assert!(!(covered && taken), "{case}: taken with {what}");
                if let Err(error) = carrier.parse_with(&changed, &links) {
                    fixtures.assert_masked(case, &format!("{error} {error:?}"));
                }
            }
        }
        assert!(tried > 1000, "{}: only {tried} flips", fixtures.name);
    }
}

/// I21: without its signature, with it twice, made with other keys, or put on another case's
/// body where that is signed, a webhook is refused.
#[test]
fn i21_forged_webhooks_are_refused() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let stranger = fixtures.carrier_with_other_secrets();
        for (case, request) in &fixtures.requests {
            assert!(!takes(&*stranger, request, &fixtures), "{case}: taken by a stranger's keys");
            let mut signed = 0;
            for name in &fixtures.facts.signature_headers {
                let Some(value) = request.headers.get(name).cloned() else { continue };
                signed += 1;
                let mut without = request.clone();
                without.headers.remove(name);
                assert!(!takes(&*carrier, &without, &fixtures), "{case}: taken without {name}");
                let mut twice = request.clone();
                let name: http::HeaderName = name.parse().unwrap();
                twice.headers.append(name.clone(), value);
                assert!(!takes(&*carrier, &twice, &fixtures), "{case}: taken with {name} twice");
            }
            assert!(signed > 0, "{case} has none of the signature headers");
            for (other, from) in &fixtures.requests {
                if from.body == request.body || !fixtures.facts.signs_body {
                    continue;
                }
                let mut moved = request.clone();
                moved.body = from.body.clone();
                assert!(!takes(&*carrier, &moved, &fixtures), "{case}: taken with {other}'s body");
            }
        }
    }
}

/// I21: where a carrier signs the time, a webhook is taken within 300 seconds of it and is stale
/// beyond; where it does not, the clock has no say.
#[test]
fn i21_stale_webhooks_are_refused() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let (inside, outside) = (Duration::from_secs(299), Duration::from_secs(302));
        let outside = if fixtures.facts.signs_time { outside } else { YEARS };
        for (case, request) in &fixtures.requests {
            for now in [fixtures.now() + inside, fixtures.now() - inside] {
                assert_eq!(carrier.verify(request, now), Ok(()), "{case}");
            }
            for now in [fixtures.now() + outside, fixtures.now() - outside] {
                let expected =
                    if fixtures.facts.signs_time { Err(WebhookError::Stale) } else { Ok(()) };
                assert_eq!(carrier.verify(request, now), expected, "{case}");
            }
        }
    }
}

/// The sample of `check --live` is a webhook that the adapter takes and that says nothing; with a
/// byte more, or made with other keys, it is refused.
#[test]
fn samples_are_authentic_and_harmless() {
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        let Some(sample) = carrier.sample(&links, fixtures.now()) else { continue };
        assert_eq!(sample.url, links.status(), "{}", fixtures.name);
        assert_eq!(carrier.verify(&sample, fixtures.now()), Ok(()), "{}", fixtures.name);
        let events = carrier.parse_with(&sample, &links).unwrap();
        assert!(matches!(events[..], [Inbound::Ignored(_)]), "{}: {events:?}", fixtures.name);
        let stranger = fixtures.carrier_with_other_secrets();
        assert!(!takes(&*stranger, &sample, &fixtures), "{}: a stranger's", fixtures.name);
        let mut longer = sample.clone();
        longer.body = [&sample.body[..], b"0"].concat().into();
        let taken = takes(&*carrier, &longer, &fixtures);
        assert_eq!(taken, !fixtures.facts.signs_body, "{}: a byte more", fixtures.name);
        fixtures.assert_no_secret("sample", &String::from_utf8_lossy(&sample.body));
    }
}

/// Every answer is worded as in the snapshot.
#[test]
fn answers_are_worded() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let mut text = String::new();
        for (name, answer) in samples::answers(samples::WORDS) {
            for (after, reply) in fixtures.replies(&*carrier, &answer) {
                text.push_str(&render::reply(&format!("{name}{after}"), &reply));
            }
        }
        render::snapshot(&fixtures, "answers", &text);
    }
}

/// I17: an answer holds the number of each person it dials once, where it dials and unless the call keeps
/// it, sealed, until then; and no other person's in any form; nor does anything that came in before find its
/// way into it.
#[test]
fn i17_answers_hold_no_number_but_the_dialled() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        for (_, request) in &fixtures.requests {
            // Whatever an adapter might remember of a caller, it has seen by now.
            let _ = carrier.parse_with(request, &fixtures.links());
        }
        let keeps = matches!(carrier.capabilities().control, Control::Commands { .. });
        let mut dialling = 0;
        for (name, answer) in samples::answers(samples::WORDS) {
            let targets = match &answer {
                Answer::Plan(plan) => plan.connects().map_or(&[][..], |plan| &plan.to),
                _ => &[],
            };
            let at_once = carrier.capabilities().simultaneous;
            let dialled: Vec<&str> =
                targets.iter().take(at_once).map(|target| target.number.expose()).collect();
            for (after, reply) in fixtures.replies(&*carrier, &answer) {
                let text = documents::everything(&reply);
                for person in samples::PEOPLE.iter().copied().chain(fixtures.people()) {
                    // The calling code and any trunk prefix may be left out: the rest may not be there.
                    let (_, subscriber) = person.split_at(person.len() - 7);
                    let digits = person.trim_start_matches('+');
                    let found = text.matches(subscriber).count();
                    assert_eq!(text.matches(digits).count(), found, "{name}{after}: {text}");
                    let most = usize::from(dialled.contains(&person));
                    let fits = found == most || keeps && found < most;
                    assert!(fits, "{name}{after}: {text}");
                    dialling += found;
                }
            }
        }
        assert!(dialling > 0, "{}: nobody is dialled", fixtures.name);
    }
}

/// Words that look like markup stay words: the document has the verbs that it has without them.
#[test]
fn words_never_become_verbs() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let plain = samples::answers(samples::WORDS);
        let hostile = samples::answers(samples::HOSTILE_WORDS);
        for ((name, plain), (_, hostile)) in plain.iter().zip(&hostile) {
            let plain = fixtures.replies(&*carrier, plain);
            for ((_, plain), (_, hostile)) in plain.iter().zip(fixtures.replies(&*carrier, hostile))
            {
                assert_eq!(documents::shapes(plain), documents::shapes(&hostile), "{name}");
                let spoken = documents::words(plain).contains(samples::WORDS);
                let words = documents::words(&hostile);
                assert_eq!(words.contains(samples::HOSTILE_WORDS), spoken, "{name}: {words}");
            }
        }
    }
}

/// Every request of ours is the one in the snapshot; secrets are in its `Authorization` alone, and
/// no number is in its address.
#[test]
fn requests_are_built() {
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        let mut text = String::new();
        for (name, outbound) in samples::outbounds(&fixtures.facts) {
            let request = carrier.request(&outbound, &links);
            let request = request.map(|one| carrier.authorize(one, fixtures.now()));
            if let Ok(request) = &request {
                fixtures.assert_masked(name, &request.url);
                fixtures.assert_no_secret(name, &String::from_utf8_lossy(&request.body));
            }
            text.push_str(&render::request(name, &request));
        }
        if let Some(probe) = carrier.probe() {
            fixtures.assert_masked("probe", &probe.url);
            text.push_str(&render::request("probe", &Ok(probe)));
        }
        if let Some(probe) = carrier.probe_calls() {
            let probe = carrier.authorize(probe, fixtures.now());
            text.push_str(&render::request("probe of calls", &Ok(probe)));
        }
        for (name, query) in lists::queries(&fixtures) {
            if let Some(request) = carrier.list(&query) {
                fixtures.assert_masked(name, &request.url);
                text.push_str(&render::request(name, &Ok(request)));
            }
        }
        render::snapshot(&fixtures, "requests", &text);
    }
}

/// Every captured response means what the snapshot says, and all three kinds of outcome have one.
#[test]
fn responses_are_understood() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let (mut text, mut outcomes) = (String::new(), Vec::new());
        for (case, response) in &fixtures.responses {
            let results: Vec<_> = samples::outbounds(&fixtures.facts)
                .into_iter()
                .map(|(name, outbound)| (name, carrier.response(&outbound, response)))
                .collect();
            text.push_str(&render::results(case, &results));
            outcomes.extend(results.into_iter().map(|(_, result)| result.map_err(|e| e.retry)));
        }
        assert!(outcomes.iter().any(Result::is_ok), "no response that succeeds");
        assert!(outcomes.contains(&Err(Retry::Never)), "no response that refuses");
        assert!(outcomes.contains(&Err(Retry::Unknown)), "no response that is ambiguous");
        assert!(
            outcomes.iter().any(|outcome| matches!(outcome, Err(Retry::After(_)))),
            "no response that says later"
        );
        render::snapshot(&fixtures, "responses", &text);
    }
}

/// A send that may have happened is never "try again": whatever comes with a 5xx or inside a 2xx
/// that can't be read is unknown, and nothing but a 2xx is a success.
#[test]
fn what_may_have_been_sent_is_unknown() {
    let bodies = ["", "{", "{}", "null", "[]", "7", "\"sid\"", "<html></html>", "{\"sid\":null}"];
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        for (name, outbound) in samples::outbounds(&fixtures.facts) {
            let deletes = matches!(
                outbound,
                Outbound::DeleteRecording { .. } | Outbound::DeleteRecord { .. }
            );
            // None does harm twice.
            let again = deletes || matches!(outbound, Outbound::EndCall { .. });
            // Nor does what is never asked.
            let never = matches!(outbound, Outbound::Recording(_));
            let again = again || never && !carrier.capabilities().recording;
            for (status, body) in (200..600).flat_map(|s| bodies.map(|body| (s, body))) {
                let mut response = Response::empty(StatusCode::from_u16(status).unwrap());
                response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response.body = body.into();
                let result = carrier.response(&outbound, &response);
                let retry = result.as_ref().err().map(|error| error.retry);
                let taken = (200..300).contains(&status);
                let ambiguous = taken || status >= 500;
                if ambiguous && !again {
                    assert_eq!(retry, Some(Retry::Unknown), "{name}: {status} {body}");
                } else if !(taken || deletes && status == 404) {
                    assert!(result.is_err(), "{name}: {status} {body}");
                }
            }
        }
    }
}

/// A text goes under a name where the carrier says so, and only with words; elsewhere it is refused, and never sent from
/// something else instead.
#[test]
fn names_are_sent_as_it_says() {
    let mut sent = 0;
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        for (name, outbound) in samples::outbounds(&fixtures.facts) {
            let Outbound::Message(text) = &outbound else { continue };
            let Some(id) = text.from.id() else { continue };
            let what = format!("{}: {name}", fixtures.name);
            let request = carrier.request(&outbound, &links);
            if carrier.capabilities().sends_as(id) {
                sent += 1;
                let body = String::from_utf8(request.unwrap().body.to_vec()).unwrap();
                assert!(body.contains(samples::NAME), "{what}: {body}");
            } else {
                assert_eq!(request.unwrap_err().kind, SendErrorKind::Unsupported, "{what}");
            }
            let media = vec!["https://relay.example.com/media/1".to_owned()];
            let pictures = Outbound::Message(OutboundMessage { media, ..text.clone() });
            let refused = carrier.request(&pictures, &links).unwrap_err();
            assert_eq!(refused.kind, SendErrorKind::Unsupported, "{what}");
        }
    }
    assert!(sent >= 7, "{sent}");
}

/// A carrier is asked to delete its records of what it says that it deletes, and of nothing else: it is never
/// made up by another request. One that is not there is deleted.
#[test]
fn records_are_deleted_as_it_says() {
    let mut asked = 0;
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        for (name, outbound) in samples::outbounds(&fixtures.facts) {
            let Outbound::DeleteRecord { kind, ref id, inbound } = outbound else { continue };
            let what = format!("{}: {name}", fixtures.name);
            let absent = Response::empty(StatusCode::NOT_FOUND);
            if !carrier.capabilities().deletes.takes(kind) {
                let refused = carrier.request(&outbound, &links).unwrap_err();
                assert_eq!(refused.kind, SendErrorKind::Unsupported, "{what}");
                continue;
            }
            asked += 1;
            let request = carrier.request(&outbound, &links).unwrap();
            let said = String::from_utf8_lossy(&request.body).contains(id.as_str());
            assert!(said || request.url.contains(id.as_str()), "{what}: {}", request.url);
            assert_eq!(carrier.response(&outbound, &absent).unwrap().id, *id, "{what}");
            // Another thing is not chosen by what is no id.
            for id in ["", "../Recordings/RE1", "SM1/Media", "a?b", "a b"] {
                let strange = Outbound::DeleteRecord { kind, inbound, id: id.to_owned() };
                if let Ok(request) = carrier.request(&strange, &links) {
                    assert!(!id.is_empty() && !request.url.contains(id), "{what}: {id}");
                }
            }
        }
    }
    assert!(asked >= 8, "{asked}");
}

/// I16: neither a secret nor a person's number is in the debug output or the error text of
/// anything that crosses the seam, nor of the adapter itself.
#[test]
fn i16_debug_shows_no_secret_and_no_number() {
    for fixtures in fixtures::all() {
        let (carrier, links) = (fixtures.carrier(), fixtures.links());
        let mut text = format!("{carrier:?} {carrier:#?}");
        for (_, request) in &fixtures.requests {
            write!(text, "{request:?} {:?}", carrier.parse_with(request, &links)).unwrap();
        }
        for (_, answer) in samples::answers(samples::WORDS) {
            write!(text, "{answer:?} {:?}", fixtures.replies(&*carrier, &answer)).unwrap();
        }
        for (_, outbound) in samples::outbounds(&fixtures.facts) {
            write!(text, "{outbound:?} {:?}", carrier.request(&outbound, &links)).unwrap();
            for (_, response) in &fixtures.responses {
                let result: Result<_, SendError> = carrier.response(&outbound, response);
                write!(text, "{response:?} {result:?}").unwrap();
                text.push_str(&result.err().map(|e| e.to_string()).unwrap_or_default());
            }
        }
        write!(text, "{:?}", carrier.probe()).unwrap();
        fixtures.assert_masked("debug output", &text);
        fixtures.assert_no_secret("debug output", &text);
    }
}

/// Every secret of the settings is among those that logs are searched for.
#[test]
fn secrets_are_named() {
    for fixtures in fixtures::all() {
        let secrets = fixtures.carrier().secrets();
        let mut seen = 0;
        for (key, value) in fixtures.leaves() {
            let named = ["token", "secret", "password", "shared_keys", "private_key"];
            if named.iter().any(|word| key.contains(word)) || key.ends_with("api_key") {
                seen += 1;
                assert!(secrets.contains(&value), "{}: {key} is not secret", fixtures.name);
            }
        }
        assert!(seen > 0, "{}: no secret in the fixtures' settings", fixtures.name);
    }
}

/// What a carrier says that it can do fits together.
#[test]
fn capabilities_fit_together() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let can = carrier.capabilities();
        assert!(can.voice || can.sms);
        assert!(!can.mms || can.sms);
        assert!(!can.voice || can.simultaneous > 0);
        assert!(can.ring_timeout.0 <= can.ring_timeout.1);
        assert!(!can.sms || can.validity_max > Duration::ZERO);
        assert!(fixtures.now() > Timestamp::EPOCH);
    }
}
