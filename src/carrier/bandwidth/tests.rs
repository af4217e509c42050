//! Bandwidth: settings, credentials, expiry and faults; cases are in `fixtures/bandwidth`.

use http::{StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::*;
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        outbound::{OutboundCall, OutboundMessage},
        plan::{Plan, Prompt},
        settings::basic,
    },
    domain::{message::Body, phone::Identifier},
    ids::LegId,
};

const CARRIER: &str = include_str!("../../../fixtures/bandwidth/carrier.toml");
const LEG: &str = "LG01900000000070008000000000000001";
const OTHER_LEG: &str = "LG01900000000070008000000000000002";
const NOW: Timestamp = Timestamp::from_millis(1_795_292_727_000);

/// What HMAC-SHA-256 of "entremise leg LG…01" with the fixtures' password is, by another library.
const LEG_PASSWORD: &str = "7udEPySLxYCHsdyW_f8hphCJ9IjYpVGbZDEbv2KXHM4";

fn settings(change: impl FnOnce(&mut toml::Table)) -> Settings {
    let facts: toml::Table = CARRIER.parse().unwrap();
    let mut values = facts["settings"].as_table().unwrap().clone();
    change(&mut values);
    Settings { id: "bandwidth".to_owned(), api_base: None, values }
}

fn carrier(change: impl FnOnce(&mut toml::Table)) -> Box<dyn Carrier> {
    build(&settings(change)).unwrap()
}

fn same(_: &mut toml::Table) {}

fn links() -> Links {
    Links::new("https://relay.example.com", "bandwidth")
}

fn leg(text: &str) -> LegId {
    LegId::parse(text).unwrap()
}

fn number() -> ProxyNumber {
    ProxyNumber::parse("+14155550150").unwrap()
}

fn posted(url: String, credentials: &str) -> Request {
    Request::post(url, "application/json", "{}").with_header(AUTHORIZATION, credentials)
}

fn text(validity: Duration, media: usize) -> Outbound {
    Outbound::Message(OutboundMessage {
        leg: leg(LEG),
        from: number().into(),
        to: Identifier::parse("+447700900456").unwrap(),
        body: Body::new("hello".to_owned()),
        media: vec!["https://relay.example.com/media/1".to_owned(); media],
        validity,
    })
}

fn call() -> Outbound {
    Outbound::Call(OutboundCall {
        leg: leg(LEG),
        from: number(),
        to: Identifier::parse("+447700900456").unwrap(),
        ring_timeout: Duration::from_secs(25),
        duration_max: Duration::from_hours(1),
    })
}

/// All that is wrong with the settings is told at once, and no value with it.
#[test]
fn every_fault_is_told_at_once() {
    let faults = build(&settings(|values| {
        values.insert("account_id".into(), "99/00".into());
        values.insert("username".into(), "a:b".into());
        values.insert("password".into(), "with a space".into());
        values.insert("webhook_username".into(), "c:d".into());
        values.remove("webhook_password");
        values.insert("webhook_password_secondary".into(), 7.into());
        values.remove("voice_application_id");
        values.remove("messaging_application_id");
        values.insert("api_token".into(), "secret".into());
    }))
    .unwrap_err();
    let keys: std::collections::BTreeSet<&str> =
        faults.iter().map(|one| one.key.as_str()).collect();
    let expected = [
        "account_id",
        "api_token",
        "password",
        "username",
        "voice_application_id",
        "webhook_password",
        "webhook_password_secondary",
        "webhook_username",
    ];
    assert_eq!(keys, expected.into());
    let told = format!("{faults:?}");
    for value in ["99/00", "a:b", "with a space", "c:d", "secret\""] {
        assert!(!told.contains(value), "{told}");
    }
}

/// The vector of the fact sheet: what `bwuser` and `bwpass` are as a header.
#[test]
fn the_vector_is_taken() {
    let carrier = carrier(|values| {
        values.insert("webhook_username".into(), "bwuser".into());
        values.insert("webhook_password".into(), "bwpass".into());
    });
    let right = posted(links().message(), "Basic Ynd1c2VyOmJ3cGFzcw==");
    assert_eq!(carrier.verify(&right, NOW), Ok(()));
    assert_eq!(carrier.challenge(), Some("Basic realm=\"entremise\", charset=\"UTF-8\""));
    for wrong in [
        "",
        "Basic",
        "basic Ynd1c2VyOmJ3cGFzcw==",
        "Basic  Ynd1c2VyOmJ3cGFzcw==",
        "Basic Ynd1c2VyOmJ3cGFzcw",
        "Bearer Ynd1c2VyOmJ3cGFzcw==",
    ] {
        let wrong = carrier.verify(&posted(links().message(), wrong), NOW);
        assert_eq!(wrong, Err(WebhookError::BadSignature));
    }
    let mut get = right;
    get.method = Method::GET;
    assert_eq!(carrier.verify(&get, NOW), Err(WebhookError::BadSignature));
}

/// What a document names for one leg opens no address of another leg, and none without a leg; with a
/// secondary password both kinds are taken while it lasts.
#[test]
fn a_legs_password_opens_that_leg_only() {
    let carrier = carrier(same);
    let name = "entremise-hooks";
    let config = Config::read(&settings(same)).unwrap();
    assert_eq!(config.leg_password(&leg(LEG)), LEG_PASSWORD);
    let credentials = basic(name, LEG_PASSWORD);
    let own = links().leg_status(&leg(LEG));
    assert_eq!(carrier.verify(&posted(own, &credentials), NOW), Ok(()));
    let other = links().leg_status(&leg(OTHER_LEG));
    for url in [other, links().message(), links().call(), links().status()] {
        let refused = carrier.verify(&posted(url, &credentials), NOW);
        assert_eq!(refused, Err(WebhookError::BadSignature));
    }
    let rotated = self::carrier(|values| {
        let old = values.insert("webhook_password".into(), "new-and-long".into()).unwrap();
        values.insert("webhook_password_secondary".into(), old);
    });
    let own = links().leg_status(&leg(LEG));
    assert_eq!(rotated.verify(&posted(own, &credentials), NOW), Ok(()));
}

/// An entry does what its applications are for: it says so, is probed so, and refuses the rest.
#[test]
fn applications_decide_what_it_can_do() {
    let texts = carrier(|values| drop(values.remove("voice_application_id")));
    let calls = carrier(|values| drop(values.remove("messaging_application_id")));
    let both = carrier(same);
    let can = |carrier: &dyn Carrier| {
        let can = carrier.capabilities();
        (can.voice, can.sms, can.mms)
    };
    assert_eq!(can(&*texts), (false, true, true));
    assert_eq!(can(&*calls), (true, false, false));
    assert_eq!(can(&*both), (true, true, true));
    let unsupported = SendError::new(SendErrorKind::Unsupported, Retry::Never);
    let request = |carrier: &dyn Carrier, outbound| carrier.request(&outbound, &links());
    assert_eq!(request(&*texts, call()).unwrap_err(), unsupported);
    assert_eq!(request(&*calls, text(Duration::from_secs(9), 0)).unwrap_err(), unsupported);
    assert_eq!(request(&*both, text(Duration::from_secs(9), 11)).unwrap_err(), unsupported);
    assert!(texts.probe().unwrap().url.contains("/users/9900000/messages"));
    assert!(calls.probe().unwrap().url.contains("/accounts/9900000/calls"));
    assert!(texts.probe_calls().is_none() && calls.probe_calls().is_none());
    assert!(both.probe_calls().is_some());
    assert_eq!((texts.account().len(), calls.account().len(), both.account().len()), (1, 1, 2));
}

/// A text expires when its session does, counted from when it leaves; nothing else is touched.
#[test]
fn a_text_expires() {
    let carrier = carrier(same);
    let expiration = |validity| {
        let request = carrier.request(&text(validity, 0), &links()).unwrap();
        let request = carrier.authorize(request, NOW);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["text"], "hello");
        body["expiration"].as_str().unwrap().to_owned()
    };
    assert_eq!(expiration(Duration::from_mins(5)), "2026-11-21T20:30:27.000Z");
    assert_eq!(expiration(Duration::ZERO), "2026-11-21T20:25:28.000Z");
    assert_eq!(expiration(Duration::from_hours(1000)), "2026-11-22T20:25:27.000Z");
    let request = carrier.request(&call(), &links()).unwrap();
    let dated = carrier.authorize(request.clone(), NOW);
    assert_eq!((&dated.url, &dated.body), (&request.url, &request.body));
}

/// Each language is read by a voice of its own, one without a voice by the default one, and what says
/// nothing is not said.
#[test]
fn languages_have_voices() {
    let carrier = carrier(same);
    let document = |text: &str, language: &str| {
        let prompt = Prompt { text: text.to_owned(), language: language.to_owned() };
        let reply = carrier.reply(&Answer::Plan(Plan::Announce(prompt)), &links());
        String::from_utf8(reply.response.body.to_vec()).unwrap()
    };
    for (language, locale) in [
        ("en-US", "en_US"),
        ("en", "en_US"),
        ("en-GB", "en_UK"),
        ("en-AU", "en_UK"),
        ("es-ES", "es"),
        ("es-MX", "es_MX"),
        ("fr-CA", "fr"),
        ("de", "de"),
        ("DE-at", "de"),
        ("ja-JP", "ja"),
        ("zh-CN", "cmn-CN"),
    ] {
        let said = document("Hello.", language);
        assert!(said.contains(&format!("<SpeakSentence locale=\"{locale}\">Hello.<")), "{said}");
    }
    assert!(document("Hallo.", "nl-NL").contains("<SpeakSentence>Hallo.<"));
    assert!(document(" \n", "en").ends_with("<Response><Hangup/></Response>"));
    assert!(document(&"x".repeat(4000), "en").len() < 3200);
}

const NUMBER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>
<TelephoneNumbersResponse><TelephoneNumberCount>2</TelephoneNumberCount>
<Links><first>Link=&lt;https://dashboard.bandwidth.com:443/v1.0/tns?page=1&amp;size=2&gt;;</first></Links>
<TelephoneNumbers>
<TelephoneNumber><City>SAN FRANCISCO</City><FullNumber>4155550150</FullNumber><Status>Inservice</Status>
<AccountId>753</AccountId></TelephoneNumber>
<TelephoneNumber><City>SAN FRANCISCO</City><FullNumber>4155550150</FullNumber><Status>Inservice</Status>
<AccountId>9900000</AccountId></TelephoneNumber>
</TelephoneNumbers></TelephoneNumbersResponse>";

fn xml(body: impl Into<String>) -> Response {
    Response::new(StatusCode::OK, "application/xml", body.into())
}

#[track_caller]
fn one_fault(faults: &[NumberFault], grave: bool, found: &str, fix: &str) {
    let [fault] = faults else { panic!("{found}: {faults:?}") };
    assert_eq!(fault.grave, grave, "{fault:?}");
    assert!(fault.found.contains(found) && fault.fix.contains(fix), "{fault:?}");
    assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
}

/// A number is asked for as Bandwidth writes it, and must be in service in this account.
#[test]
fn numbers_are_looked_at() {
    let carrier = carrier(same);
    let can = pool::Capabilities { voice: true, sms: true, mms: true };
    let judge = |body: String| carrier.number_faults(&number(), can, &links(), &xml(body));
    assert_eq!(judge(NUMBER.to_owned()), Some(Vec::new()));
    let elsewhere = judge(NUMBER.replace("9900000", "8800000")).unwrap();
    one_fault(&elsewhere, true, "is not a number of this", "order it");
    let aging = judge(NUMBER.replace("Inservice", "Aging")).unwrap();
    one_fault(&aging, true, "is not in service", "finish its order");
    for body in ["", "{}", "<html></html>", "<TelephoneNumbersResponse>"] {
        assert_eq!(judge(body.to_owned()), None, "{body}");
    }
    let asked = |number: &str| carrier.number(&ProxyNumber::parse(number).unwrap()).unwrap().url;
    assert_eq!(
        asked("+14155550150"),
        "https://dashboard.bandwidth.com/api/tns?accountId=9900000&fullNumber=4155550150&page=1&size=2"
    );
    assert!(asked("+33639980101").contains("fullNumber=%2B33639980101"));
}

fn texts_application() -> String {
    let url = "https://relay.example.com/hooks/bandwidth";
    format!(
        "<ApplicationProvisioningResponse><Application>
        <ApplicationId>93de2206-9669-4e07-948d-329f4b722ee2</ApplicationId>
        <ServiceType>Messaging-V2</ServiceType><AppName>a</AppName>
        <InboundCallbackUrl>{url}/message</InboundCallbackUrl>
        <OutboundCallbackUrl>{url}/status</OutboundCallbackUrl>
        <InboundCallbackCreds><UserId>entremise-hooks</UserId></InboundCallbackCreds>
        <OutboundCallbackCreds><UserId>entremise-hooks</UserId></OutboundCallbackCreds>
        <RequestedCallbackTypes><CallbackType>message-delivered</CallbackType>
        <CallbackType>message-failed</CallbackType></RequestedCallbackTypes>
        </Application></ApplicationProvisioningResponse>"
    )
}

fn calls_application() -> String {
    let url = "https://relay.example.com:443/hooks/bandwidth";
    format!(
        "<ApplicationProvisioningResponse><Application>
        <ApplicationId>04e88489-df02-4e34-a0ee-27a91849555f</ApplicationId>
        <ServiceType>Voice-V2</ServiceType><AppName>b</AppName>
        <CallInitiatedCallbackUrl>{url}/call</CallInitiatedCallbackUrl>
        <CallInitiatedMethod>POST</CallInitiatedMethod>
        <CallStatusCallbackUrl>{url}/status</CallStatusCallbackUrl>
        <CallbackCreds><UserId>entremise-hooks</UserId></CallbackCreds>
        <CallInitiatedFallbackUrl>https://static.example/sorry.xml</CallInitiatedFallbackUrl>
        </Application></ApplicationProvisioningResponse>"
    )
}

/// Each setting of an application that takes calls or texts elsewhere, or that makes us refuse them, is
/// told with what to set.
#[test]
fn applications_are_looked_at() {
    let carrier = carrier(same);
    let judge = |place, body: String| carrier.account_faults(place, &links(), &xml(body));
    assert_eq!(judge(0, texts_application()), Some(Vec::new()));
    assert_eq!(judge(1, calls_application()), Some(Vec::new()));
    let user = "<UserId>entremise-hooks</UserId>";
    for (place, what, instead, grave, found, fix) in [
        (0, "/message<", "/old?secret<", true, "/hooks/bandwidth/old", "/hooks/bandwidth/message"),
        (0, "/status<", "/x<", true, "OutboundCallbackUrl is https", "/hooks/bandwidth/status"),
        (0, "message-failed", "message-read", true, "lacks message-failed", "add message-failed"),
        (0, "Messaging-V2", "Voice-V2", true, "messaging_application_id is not", "set messaging_"),
        (0, "93de2206", "00000000", true, "messaging_application_id is not", "set messaging_"),
        (1, "/call<", "<", true, "CallInitiatedCallbackUrl is https", "/hooks/bandwidth/call"),
        (1, ">POST<", ">GET<", true, "CallInitiatedMethod is not POST", "to POST"),
        (1, user, "", true, "name of CallbackCreds", "webhook_password"),
        (1, user, "<UserId>x</UserId>", true, "name of CallbackCreds", "webhook_password"),
        (1, "https://static.example/sorry.xml", "", false, "hear nothing", "with GET"),
    ] {
        let good = if place == 0 { texts_application() } else { calls_application() };
        assert!(good.contains(what), "{what}");
        one_fault(&judge(place, good.replace(what, instead)).unwrap(), grave, found, fix);
    }
    let empty =
        calls_application().replace("https://relay.example.com:443/hooks/bandwidth/status", "");
    one_fault(&judge(1, empty).unwrap(), true, "CallStatusCallbackUrl is empty", "/status");
    for body in ["", "<html></html>", "<ApplicationProvisioningResponse/>"] {
        assert_eq!(judge(0, body.to_owned()), None, "{body}");
    }
    assert_eq!(judge(2, texts_application()), None);
}

/// One application is looked at where there is one, whichever it is.
#[test]
fn a_lone_application_is_the_first() {
    let calls = carrier(|values| drop(values.remove("messaging_application_id")));
    let response = xml(calls_application());
    assert_eq!(calls.account_faults(0, &links(), &response), Some(Vec::new()));
}

/// A call is ended by its id, and no other path is reached by what is none.
#[test]
fn only_ids_reach_a_path() {
    let carrier = carrier(same);
    let end = |id: &str| carrier.request(&Outbound::EndCall { id: id.to_owned() }, &links());
    let request = end("c-15ac29a2-1331029c-2cb0-4a07-b215-b22865662d85").unwrap();
    assert!(request.url.ends_with("/calls/c-15ac29a2-1331029c-2cb0-4a07-b215-b22865662d85"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "state": "completed" }));
    for id in ["", "../x", "a/b", "a?b", "c_1"] {
        assert_eq!(end(id).unwrap_err().kind, SendErrorKind::Rejected, "{id}");
    }
}
