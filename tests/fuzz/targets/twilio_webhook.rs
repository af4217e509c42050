//! Webhooks of Twilio: what is taken was signed with a key of ours for what is read from it.
//!
//! Input: who signs · form, JSON or GET · whether the port is signed · a bit to turn · the address
//! after the origin · the settings of the signature · the body.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    carrier::{Inbound, Request, WebhookError, links},
    domain::phone::{Caller, ProxyNumber},
    ids::hex,
};
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};

use super::{
    adapters::{
        ACCOUNT_SID, NOW, ORIGIN, SHARED_KEY, SHARED_SECRET, TOKEN, TOKEN_SECONDARY, TWILIO,
    },
    input::{Input, assert_code, flipped, hmac, is_e164, pairs},
};

const SIGNATURE: &str = "x-twilio-signature";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (signer, shape, port) = (input.choice(5), input.choice(3), input.choice(2) == 1);
    let (bit, target, settings) = (input.count(), input.text(), input.text());
    let body = input.rest();
    let mut request = Request::post(format!("{ORIGIN}/hooks/twilio/{target}"), FORM, body.to_vec());
    if shape > 0 {
        let joint = if target.contains('?') { '&' } else { '?' };
        let hash = hex(digest(&SHA256, body).as_ref());
        request.url = format!("{}{joint}bodySHA256={hash}", request.url);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if shape == 2 {
        request.method = Method::GET;
    }
    sign(&mut request, signer, port, &settings);
    verify(&request, signer, &settings, bit);
    parse(&request);
}

fn is_form(request: &Request) -> bool {
    request.header("content-type") == Some(FORM)
}

/// Twilio's rule: the address, then names and values of the form in order, none twice.
fn sign(request: &mut Request, signer: usize, port: bool, settings: &str) {
    let address = if port { request.url.replacen("example/", "example:443/", 1) } else { request.url.clone() };
    let mut message = address;
    if is_form(request) {
        let set: BTreeSet<_> = form_urlencoded::parse(&request.body).collect();
        for (name, value) in set {
            message.push_str(&name);
            message.push_str(&value);
        }
    }
    let (hash, key) = match signer {
        0 => (&SHA1, TOKEN),
        1 => (&SHA1, TOKEN_SECONDARY),
        2 | 3 => (&SHA256, SHARED_SECRET),
        _ => (&SHA1, "somebody-elses-token"),
    };
    let tag = STANDARD.encode(hmac(hash, key.as_bytes(), message.as_bytes()));
    request.headers.insert(SIGNATURE, HeaderValue::from_str(&tag).unwrap());
    let settings = match signer {
        2 => format!("key={SHARED_KEY},algorithm=HMAC_SHA256"),
        3 => settings.to_owned(),
        _ => return,
    };
    if let Ok(value) = HeaderValue::from_str(&settings) {
        request.headers.insert(SETTINGS, value);
    }
}

fn verify(request: &Request, signer: usize, settings: &str, bit: u64) {
    let taken = TWILIO.carrier.verify(request, NOW);
    assert!(matches!(taken, Ok(()) | Err(WebhookError::BadSignature)), "{taken:?}");
    let body = pairs(&request.body);
    let ours = match signer {
        0..=2 => true,
        // Exactly one key and one algorithm, and those that were used.
        3 => {
            let named = |name: &str| -> Vec<&str> {
                let parts = settings.split(',').filter_map(|part| part.split_once('='));
                parts.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
            };
            named("key") == [SHARED_KEY] && named("algorithm") == ["HMAC_SHA256"]
        }
        _ => false,
    };
    if taken.is_ok() {
        assert!(ours, "taken from a stranger, or with settings {settings:?}");
        if is_form(request) {
            let sids = body.get("AccountSid").into_iter().flatten();
            assert!(sids.into_iter().all(|sid| sid == ACCOUNT_SID), "another's account");
        }
        bits(request, bit);
    }
    let written: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form_urlencoded::parse(&request.body))
        .finish();
    let sids = body.get("AccountSid").into_iter().flatten();
    let plain = is_form(request)
        && written.as_bytes() == request.body
        && sids.into_iter().all(|sid| sid == ACCOUNT_SID);
    if signer < 3 && plain {
        assert_eq!(taken, Ok(()), "what Twilio sends is refused");
    }
}

/// A webhook that was taken is refused with any bit turned, unless it says the same.
fn bits(request: &Request, bit: u64) {
    let refused = |changed: &Request, what: &str| {
        assert!(TWILIO.carrier.verify(changed, NOW).is_err(), "a bit of the {what} turned");
    };
    if let Some(body) = flipped(&request.body, bit) {
        let set = |bytes: &[u8]| -> BTreeSet<(String, String)> {
            form_urlencoded::parse(bytes).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
        };
        if !is_form(request) || set(&body) != set(&request.body) {
            refused(&Request { body: body.into(), ..request.clone() }, "body");
        }
    }
    if let Some(Ok(url)) = flipped(request.url.as_bytes(), bit).map(String::from_utf8) {
        refused(&Request { url, ..request.clone() }, "address");
    }
    let tag = request.headers[SIGNATURE].as_bytes();
    if let Some(Ok(value)) = flipped(tag, bit).map(|tag| HeaderValue::from_bytes(&tag)) {
        let mut changed = request.clone();
        changed.headers.insert(SIGNATURE, value);
        refused(&changed, "signature");
    }
}

/// What is left of a caller without scheme, host, parameters and RFC 3966's visual separators.
fn digits(said: &str) -> String {
    let user = said.split(['@', ';', '?']).next().unwrap_or_default();
    let user = user.rsplit(':').next().unwrap_or_default().trim();
    let user = ["%2B", "%2b", "+"].iter().find_map(|plus| user.strip_prefix(plus)).unwrap_or(user);
    user.replace(['-', '.', '(', ')', ' '], "")
}

struct Sent(BTreeMap<String, Vec<String>>);

impl Sent {
    /// The one value of a parameter.
    fn one(&self, name: &str) -> Option<&str> {
        let values: BTreeSet<&str> =
            self.0.get(name).into_iter().flatten().map(String::as_str).collect();
        assert!(values.len() <= 1, "{name} was read although it has {} values", values.len());
        values.into_iter().next()
    }

    fn is_id(&self, id: &str, names: &[&str]) {
        let first = names.iter().find_map(|name| self.one(name));
        assert_eq!(first, Some(id));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        assert!((1..=64).contains(&id.len()) && id.bytes().all(plain));
    }

    fn came(&self, from: &Caller, to: &ProxyNumber) {
        assert_eq!(self.one("To"), Some(to.as_str()));
        let said = self.one("From").unwrap();
        match from {
            // A name may stand before an address in angle brackets.
            Caller::Number(_) if said.contains(['<', '"']) => {}
            Caller::Number(number) => assert_eq!(&number.expose()[1..], digits(said)),
            // On a keypad the words spell ANONYMOUS, RESTRICTED, UNAVAILABLE, UNKNOWN, BLOCKED.
            Caller::Withheld => assert!(
                !is_e164(said)
                    || ["266696687", "7378742833", "86282452253", "8656696", "2562533"]
                        .contains(&&said[1..]),
                "a caller is lost"
            ),
        }
    }
}

fn parse(request: &Request) {
    let parsed = TWILIO.carrier.parse(request);
    assert_eq!(TWILIO.carrier.parse(request), parsed, "read differently the second time");
    let Ok(events) = parsed else { return };
    let [event] = &events[..] else { panic!("{} events", events.len()) };
    let query = request.query();
    let sent = Sent(if is_form(request) { pairs(&request.body) } else { pairs(query.as_bytes()) });
    let links::At { step, leg, turn } = links::read(query);
    match event {
        Inbound::Message(text) => {
            sent.is_id(&text.id, &["MessageSid", "SmsMessageSid", "SmsSid"]);
            sent.came(&text.from, &text.to);
            assert_eq!(text.body.expose(), sent.one("Body").unwrap_or_default());
            assert!(text.media.len() <= 10);
            for (at, address) in text.media.iter().enumerate() {
                assert_eq!(sent.one(&format!("MediaUrl{at}")), Some(&**address));
            }
        }
        Inbound::Call(call) => {
            assert!(step.is_none() && leg.is_none(), "our own leg is read as a new call");
            sent.is_id(&call.id, &["CallSid"]);
            sent.came(&call.from, &call.to);
        }
        Inbound::CalleeAnswered(at) => {
            sent.is_id(&at.id, &["CallSid"]);
            assert_eq!(leg.as_ref(), Some(&at.leg));
        }
        Inbound::PlacedCallAnswered(at) => {
            sent.is_id(&at.id, &["CallSid"]);
            assert_eq!(leg.as_ref(), Some(&at.leg));
        }
        Inbound::Keys(keys) => {
            assert_eq!(keys.digits, sent.one("Digits").unwrap_or_default());
            assert!(keys.digits.len() <= 32, "{} keys", keys.digits.len());
            assert!(keys.digits.chars().all(|c| "0123456789ABCD*#".contains(c)));
            assert!(leg.as_ref() == Some(&keys.leg) && keys.turn == turn);
        }
        Inbound::Played(at) => {
            assert!(leg.as_ref() == Some(&at.leg) && at.turn == turn);
        }
        Inbound::Recorded(at) => {
            sent.is_id(&at.id, &["RecordingSid"]);
            assert_eq!(sent.one("RecordingUrl"), Some(&*at.address));
            assert_eq!(leg.as_ref(), Some(&at.leg));
        }
        Inbound::DialEnded(end) => {
            assert!(end.state.is_final() && sent.one("DialCallStatus").is_some());
            assert_eq!(leg.as_ref(), Some(&end.leg));
        }
        Inbound::CallStatus(news) => {
            sent.is_id(&news.id, &["CallSid"]);
            assert!(news.leg == leg && step.is_none());
            assert!(news.duration.is_none() || news.state.is_final());
            assert_code(news.carrier_code.as_deref());
        }
        Inbound::MessageStatus(news) => {
            sent.is_id(&news.id, &["MessageSid", "SmsSid"]);
            assert!(news.leg == leg && step.is_none());
            assert_code(news.carrier_code.as_deref());
        }
        Inbound::Ignored(_) => {}
    }
}
