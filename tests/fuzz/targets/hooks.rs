//! Webhooks all the way into the database: what is signed and read is taken, once, and answered with no
//! number but those of the session.
//!
//! Input: the carrier · who texts or calls · the hook · the query · the body, with `$TO` for the number
//! that the caller dials.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use entremise::{
    carrier::{
        WebhookError,
        links::{self, At},
    },
    ids::hex,
};
use http::{Request, request::Builder};
use md5::{Digest as _, Md5};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};
use serde_json::{Value, json};

use super::{
    adapters::{self, NOW, ORIGIN, SANDBOX_SECRET, TOKEN},
    input::{Input, digit_runs, hmac, pairs},
    world::{self, BUYER, SELLER, World},
};

const HOOKS: [&str; 3] = ["message", "call", "status"];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (carrier, person) = (input.choice(adapters::all().len()), input.choice(2));
    let hook = HOOKS[input.choice(3)];
    let (query, body) = (input.text(), input.rest());
    world::with(|world| {
        let to = &world.dialled[person];
        let form = !body.trim_ascii_start().starts_with(b"{");
        let to = match adapters::all()[carrier].kind {
            "vonage" | "plivo" | "infobip" | "sinch" => to.replace('+', ""),
            "bandwidth" => to.clone(),
            _ if form => to.replace('+', "%2B"),
            _ => to.clone(),
        };
        let body = match std::str::from_utf8(body) {
            Ok(text) => text.replace("$TO", &to).into_bytes(),
            Err(_) => body.to_vec(),
        };
        let query: String =
            query.chars().filter(|c| c.is_ascii_graphic() && !"#<>\"`{}\\^|".contains(*c)).collect();
        judge(world, carrier, &format!("/{hook}?{query}"), &body);
        if let Some(seal) = seal(world, carrier, &query) {
            judge(world, carrier, &format!("/{hook}?{query}&seal={seal}"), &body);
        }
    });
}

/// The seal of what a query names, if one of our addresses may name that.
fn seal(world: &World, carrier: usize, query: &str) -> Option<String> {
    let links = world.links(adapters::all()[carrier].kind);
    let At { step, leg, turn } = links::read(query);
    let address = match (step, leg?, links::read_rung(query)) {
        (None, leg, _) => links.leg_status(&leg),
        (Some(step), leg, None) => links.turn(step, &leg, turn),
        (Some(_), leg, Some(rung)) => links.dialling(&leg, &rung, turn),
    };
    Some(address.rsplit_once("&seal=")?.1.to_owned())
}

fn judge(world: &World, carrier: usize, target: &str, body: &[u8]) {
    let adapter = adapters::all()[carrier];
    let request = || signed(adapter.kind, &format!("/hooks/{}{target}", adapter.kind), body);
    let (head, bytes) = request().into_parts();
    let seen = entremise::carrier::Request {
        method: head.method,
        url: format!("{ORIGIN}{}", head.uri),
        headers: head.headers,
        body: bytes.into(),
    };
    let genuine = adapter.carrier.verify(&seen, NOW);
    let first = world.ask(request());
    if !world.links(adapter.kind).made(seen.query()) {
        return assert_eq!(first.status, 403, "{}", first.body);
    }
    match (genuine, adapter.carrier.parse_with(&seen, world.links(adapter.kind))) {
        (Err(_), _) | (_, Err(WebhookError::BadToken)) => {
            return assert_eq!(first.status, 403, "{}", first.body);
        }
        (Ok(()), Err(_)) => return assert_eq!(first.status, 400, "{}", first.body),
        (Ok(()), Ok(_)) => assert!((200..300).contains(&first.status), "{}", first.status),
    }
    let again = world.ask(request());
    assert_eq!((again.status, &again.body), (first.status, &first.body), "a duplicate is answered otherwise");
    let ours = [BUYER, SELLER, &world.dialled[0], &world.dialled[1]];
    for run in digit_runs(&without_ids(&first.body), 7) {
        let known = ours.iter().any(|number| &number[1..] == run);
        // Times in milliseconds have as many digits as a short number.
        assert!(known || run.len() < 9, "{} holds {run}", first.body);
    }
}

/// The text without the ids in it, which may look like numbers.
fn without_ids(text: &str) -> String {
    text.split("LG").enumerate().map(|(at, part)| part.get(if at == 0 { 0 } else { 32 }..).unwrap_or(part)).collect()
}

fn signed(kind: &str, path: &str, body: &[u8]) -> Request<Vec<u8>> {
    let url = format!("{ORIGIN}{path}");
    let builder = Request::builder().method("POST").uri(path);
    let builder = if kind == "sandbox" {
        let at = NOW.millis();
        let message = [format!("{at}.{url}.").as_bytes(), body].concat();
        let tag = hex(&hmac(&SHA256, SANDBOX_SECRET.as_bytes(), &message));
        builder
            .header("content-type", "application/json")
            .header("sandbox-signature", format!("t={at},v1={tag}"))
    } else if kind == "telnyx" {
        let at = NOW.millis() / 1000;
        let tag = adapters::telnyx_key().sign(&[format!("{at}|").as_bytes(), body].concat());
        builder
            .header("telnyx-timestamp", at.to_string())
            .header("telnyx-signature-ed25519", STANDARD.encode(tag))
    } else if matches!(kind, "bandwidth" | "infobip") {
        let said = adapters::webhook_password(kind);
        builder
            .header("content-type", "application/json")
            .header("authorization", format!("Basic {}", STANDARD.encode(said)))
    } else if kind == "vonage" {
        let claims = json!({
            "iat": NOW.seconds(), "iss": "Vonage", "api_key": adapters::vonage_setting("api_key"),
            "payload_hash": hex(digest(&SHA256, body).as_ref()),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({ "alg": "HS256" })), part(&claims));
        let secret = adapters::vonage_setting("signature_secret");
        let tag = URL_SAFE_NO_PAD.encode(hmac(&SHA256, secret.as_bytes(), message.as_bytes()));
        builder
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {message}.{tag}"))
    } else if kind == "plivo" {
        let sorted = |part: &[u8], between: &str| -> Vec<String> {
            let values = pairs(part).into_iter().flat_map(|(name, mut values)| {
                values.sort();
                values.dedup();
                values.into_iter().map(move |value| (name.clone(), value))
            });
            values.map(|(name, value)| format!("{name}{between}{value}")).collect()
        };
        let (address, query) = url.split_once('?').unwrap_or((&url, ""));
        let (query, form) = (sorted(query.as_bytes(), "=").join("&"), sorted(body, "").concat());
        let start = if query.is_empty() && form.is_empty() { "" } else { "?" };
        let dot = if query.is_empty() || form.is_empty() { "" } else { "." };
        let message = format!("{address}{start}{query}{dot}{form}.1");
        let tag = hmac(&SHA256, adapters::plivo_token().as_bytes(), message.as_bytes());
        builder
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-plivo-signature-v3", STANDARD.encode(tag))
            .header("x-plivo-signature-v3-nonce", "1")
    } else if kind == "sinch" {
        signed_by_sinch(builder, path, body)
    } else if kind == "signalwire" {
        signed_by_signalwire(builder, url, body)
    } else if kind == "jambonz" {
        signed_by_jambonz(builder, body)
    } else {
        let mut message = url;
        for (name, mut values) in pairs(body) {
            values.sort();
            values.dedup();
            for value in values {
                message.push_str(&name);
                message.push_str(&value);
            }
        }
        builder
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", STANDARD.encode(hmac(&SHA1, TOKEN.as_bytes(), message.as_bytes())))
    };
    builder.body(body.to_vec()).expect("a request")
}

fn signed_by_jambonz(builder: Builder, body: &[u8]) -> Builder {
    let at = NOW.seconds();
    let message = [format!("{at}.").as_bytes(), body].concat();
    let tag = hex(&hmac(&SHA256, adapters::jambonz_secret().as_bytes(), &message));
    builder
        .header("content-type", "application/json")
        .header("jambonz-signature", format!("t={at},v1={tag}"))
}

/// What has an event is signed as news of a call, and all else as news of a text.
fn signed_by_sinch(builder: Builder, path: &str, body: &[u8]) -> Builder {
    let setting = adapters::sinch_setting;
    let builder = builder.header("content-type", "application/json");
    if body.windows(7).any(|part| part == b"\"event\"") {
        let at = "2026-11-21T20:25:27Z";
        let (hash, bare) = (STANDARD.encode(Md5::digest(body)), path.split('?').next().unwrap_or_default());
        let message = format!("POST\n{hash}\napplication/json\nx-timestamp:{at}\n{bare}");
        let secret = STANDARD.decode(setting("application_secret")).unwrap();
        let tag = STANDARD.encode(hmac(&SHA256, &secret, message.as_bytes()));
        let credentials = format!("application {}:{tag}", setting("application_key"));
        return builder.header("x-timestamp", at).header("authorization", credentials);
    }
    let at = NOW.seconds().to_string();
    let message = [body, format!(".1.{at}").as_bytes()].concat();
    let tag = hmac(&SHA256, setting("sms_webhook_secret").as_bytes(), &message);
    builder
        .header("x-sinch-webhook-signature", STANDARD.encode(tag))
        .header("x-sinch-webhook-signature-nonce", "1")
        .header("x-sinch-webhook-signature-timestamp", at)
        .header("x-sinch-webhook-signature-algorithm", "HmacSHA256")
}

/// JSON is signed as it stands, and a form by its names in order, each with all that it says.
fn signed_by_signalwire(builder: Builder, url: String, body: &[u8]) -> Builder {
    let tag = |message: &[u8]| hmac(&SHA1, adapters::signalwire_key().as_bytes(), message);
    if body.trim_ascii_start().starts_with(b"{") {
        let message = [url.as_bytes(), body].concat();
        return builder
            .header("content-type", "application/json")
            .header("x-signalwire-signature", hex(&tag(&message)));
    }
    let mut message = url;
    for (name, values) in pairs(body) {
        for value in values {
            message.push_str(&name);
            message.push_str(&value);
        }
    }
    builder
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-signalwire-signature", STANDARD.encode(tag(message.as_bytes())))
}
