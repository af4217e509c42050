//! Pictures and files: what each carrier takes, where its own lie, and whom its credentials are sent to.

use entremise::carrier::{Inbound, SendError, error::Retry, outbound::Outbound};
use http::header::AUTHORIZATION;

use crate::{fixtures, samples};

fn text_with(pictures: usize) -> (Outbound, Vec<String>) {
    let addresses: Vec<String> =
        (0..pictures).map(|n| format!("https://relay.example.com/media/picture{n}")).collect();
    let fixtures = fixtures::all();
    let outbounds = samples::outbounds(&fixtures[0].facts);
    let text = outbounds.into_iter().find(|(name, _)| *name == "text with pictures").unwrap().1;
    let Outbound::Message(mut text) = text else { panic!("a text is none") };
    text.media.clone_from(&addresses);
    (Outbound::Message(text), addresses)
}

/// A carrier with pictures sends as many as it says, each at our address, and no more; one without sends
/// none, and says so at once.
#[test]
fn as_many_as_it_says() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let can = if carrier.capabilities().mms { carrier.media_max() } else { 0 };
        for pictures in 1..=can {
            let (text, addresses) = text_with(pictures);
            let request = carrier.request(&text, &fixtures.links()).unwrap();
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let body = body.replace("%3A", ":").replace("%2F", "/");
            for address in addresses {
                assert!(body.contains(&address), "{}: {address} in {body}", fixtures.name);
            }
        }
        let (text, _) = text_with(can + 1);
        let refused: SendError = carrier.request(&text, &fixtures.links()).unwrap_err();
        assert_eq!(refused.retry, Retry::Never, "{}", fixtures.name);
    }
}

/// Where a carrier's files are asked for with credentials they are asked for at the address that it named,
/// and the same path on another host, port or scheme, or of another account, never is.
#[test]
fn i22_credentials_stay_at_the_carrier() {
    let mut own = 0;
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let mut addresses = Vec::new();
        for (_, request) in &fixtures.requests {
            let events = carrier.parse_with(request, &fixtures.links());
            for event in events.into_iter().flatten() {
                match event {
                    Inbound::Message(message) => addresses.extend(message.media),
                    Inbound::Recorded(recorded) => addresses.push(recorded.address),
                    _ => {}
                }
            }
        }
        assert!(
            !carrier.capabilities().mms || !addresses.is_empty(),
            "{}: no fixture has a picture",
            fixtures.name
        );
        for address in &addresses {
            let Some(request) = carrier.media(address) else { continue };
            // As it leaves.
            let request = carrier.authorize(request, fixtures.now());
            own += 1;
            assert_eq!(&request.url, address, "{}", fixtures.name);
            assert!(request.headers.contains_key(AUTHORIZATION), "{}", fixtures.name);
            let (_, rest) = address.split_once("://").unwrap();
            let (host, path) = rest.split_once('/').unwrap();
            for other in [
                format!("https://evil.example/{path}"),
                format!("https://{host}.evil.example/{path}"),
                format!("https://{host}@evil.example/{path}"),
                format!("https://{host}:8443/{path}"),
                format!("ftp://{host}/{path}"),
                format!("https://{host}/"),
                format!("https://{host}/other/{path}"),
                format!("{address}/../../../../../../../../other"),
            ] {
                assert!(carrier.media(&other).is_none(), "{}: {other}", fixtures.name);
            }
        }
    }
    assert!(own > 0, "no carrier's own file was asked for");
}

/// A carrier with voicemail has a webhook that tells of a recording, and one without has none.
#[test]
fn recordings_are_told_of_where_they_are_asked_for() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let told = fixtures.requests.iter().any(|(_, request)| {
            let events = carrier.parse_with(request, &fixtures.links());
            events.into_iter().flatten().any(|event| matches!(event, Inbound::Recorded(_)))
        });
        assert_eq!(carrier.capabilities().voicemail, told, "{}", fixtures.name);
    }
}

/// A carrier that records calls has a webhook that tells of two who talked, and words the start, the pause, the
/// resumption and the end; one that does not refuses each.
#[test]
fn recordings_of_calls_are_asked_for_where_the_capabilities_say_so() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let can = carrier.capabilities().recording;
        let asked = samples::outbounds(&fixtures.facts).into_iter();
        let asked: Vec<_> =
            asked.filter(|(_, one)| matches!(one, Outbound::Recording(_))).collect();
        assert_eq!(asked.len(), 4);
        for (name, outbound) in asked {
            let worded = carrier.request(&outbound, &fixtures.links()).is_ok();
            assert_eq!(worded, can, "{}: {name}", fixtures.name);
        }
        let told = fixtures.requests.iter().any(|(_, request)| {
            let events = carrier.parse_with(request, &fixtures.links());
            let talk = |event: &Inbound| matches!(event, Inbound::Recorded(one) if one.talk);
            events.iter().flatten().any(talk)
        });
        assert_eq!(told, can, "{}", fixtures.name);
    }
}
