//! Over Twilio as the carrier: its numbers come in under their SIDs, and what is told of texts and calls
//! has Twilio's own SIDs and addresses.

use serde_json::{Value, json};

use http::StatusCode;

use crate::{
    fake::{self, Api},
    support::{self, World},
    world::{ALICE, BOB, Client, proxy, text},
};

const FIRST: &str = "PN0123456789abcdef0123456789abcdef";
const SECOND: &str = "PNfedcba9876543210fedcba9876543210";

/// Runs a test over Twilio as the default carrier, on each engine.
async fn over_twilio(test: impl AsyncFn(&World, &Client<'_>, &Api)) {
    for database in support::databases().await {
        let api = Api::start().await;
        let mut config = fake::settings(&database, &api);
        config.carriers.reverse();
        let world = World::with(config).await;
        test(&world, &Client::of(&world, &world.account), &api).await;
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// The Twilio account has this number.
fn rents(api: &Api, sid: &str, number: &str, name: &str, can: &[&str]) {
    let able = |what| can.contains(&what);
    let can = json!({
        "voice": able("voice"), "sms": able("sms"), "mms": able("mms"), "fax": able("fax"),
    });
    let entry = json!({
        "sid": sid, "phone_number": number, "friendly_name": name, "capabilities": can,
    });
    api.record("IncomingPhoneNumbers", entry);
}

/// A number of the Twilio account is added by its SID or its digits, under its SID there, with its name
/// and what it can do; one that the account lacks is refused.
#[tokio::test]
async fn numbers_of_the_account_come_in() {
    over_twilio(async |world, a, api| {
        let [one, two, three] = [0, 1, 2].map(proxy);
        rents(api, FIRST, &one, "Night desk", &["voice", "sms"]);
        rents(api, SECOND, &two, &two, &["sms", "fax"]);
        rents(api, "PN0000000000000000000000000000fa0c", &three, "Fax", &["fax"]);
        let service = a.service("rides", 0).await;
        let path = format!("{service}/PhoneNumbers");
        let form = [("Sid", FIRST), ("IsReserved", "true")];
        let made = a.post(&path, &form).await.is(201);
        assert_eq!((&made["sid"], &made["phone_number"]), (&json!(FIRST), &json!(one)));
        assert_eq!(
            (&made["friendly_name"], &made["iso_country"]),
            (&json!("Night desk"), &json!("US"))
        );
        let can = json!({ "voice": true, "sms": true, "mms": false, "fax": false });
        assert_eq!((&made["capabilities"], &made["is_reserved"]), (&can, &json!(true)));
        assert_eq!(a.get(&text(&made, "url")).await.is(200), made);
        let made = a.post(&path, &[("PhoneNumber", &two)]).await.is(201);
        assert_eq!((&made["sid"], &made["friendly_name"]), (&json!(SECOND), &json!(two)));
        let can = json!({ "voice": false, "sms": true, "mms": false, "fax": false });
        assert_eq!(made["capabilities"], can);
        let (_, native) = a.native(&format!("/numbers/{SECOND}")).await;
        assert_eq!(native["carrier"], "twilio");

        for form in [("Sid", FIRST), ("PhoneNumber", &*one), ("Sid", SECOND)] {
            a.post(&path, &[form]).await.refused(400, 80104);
        }
        let absent = proxy(3);
        let lacking = [("Sid", "PN00000000000000000000000000000bad"), ("PhoneNumber", &*absent)];
        for form in lacking {
            a.post(&path, &[form]).await.refused(400, 80301);
        }
        a.post(&path, &[("PhoneNumber", &three)]).await.refused(400, 80701);
        let b = world.running.relay.create_account("B").await.unwrap();
        let b = Client::of(world, &b);
        let theirs = format!("{}/PhoneNumbers", b.service("theirs", 0).await);
        b.post(&theirs, &[("Sid", FIRST)]).await.refused(400, 80601);
        b.post(&theirs, &[("PhoneNumber", &one)]).await.refused(400, 80601);
    })
    .await;
}

/// While Twilio can't be asked nothing is added, and it works afterwards; what is in the inventory needs
/// no asking.
#[tokio::test]
async fn nothing_is_added_unasked() {
    over_twilio(async |_, a, api| {
        let (one, two) = (proxy(0), proxy(1));
        rents(api, FIRST, &one, "One", &["voice", "sms"]);
        let service = a.service("rides", 0).await;
        let path = format!("{service}/PhoneNumbers");
        let troubles = [
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::UNAUTHORIZED,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        for trouble in troubles {
            for form in [("Sid", FIRST), ("PhoneNumber", &*one), ("PhoneNumber", &*two)] {
                api.lists_answer(&[trouble]);
                let refused = a.post(&path, &[form]).await.refused(500, 80502);
                assert!(text(&refused, "message").contains("nothing was done"), "{refused}");
            }
        }
        assert_eq!(a.get(&path).await.is(200)["phone_numbers"], json!([]));
        let made = a.post(&path, &[("PhoneNumber", &one)]).await.is(201);
        let asked = api.lists().len();
        a.post(&path, &[("PhoneNumber", &one)]).await.refused(400, 80104);
        a.delete(&text(&made, "url")).await.is(204);
        a.post(&path, &[("Sid", FIRST)]).await.is(201);
        assert_eq!(api.lists().len(), asked, "the inventory knows it");
        // Somebody else's service: refused before anybody is asked.
        let nowhere = "/v1/Services/KS0123456789abcdef0123456789abcdef/PhoneNumbers";
        a.post(nowhere, &[("PhoneNumber", &two)]).await.refused(404, 20404);
        assert_eq!(api.lists().len(), asked);
    })
    .await;
}

/// A number that was here under another id keeps it, since its quarantines have it.
#[tokio::test]
async fn a_number_that_was_here_keeps_its_id() {
    over_twilio(async |_, a, api| {
        let one = proxy(0);
        let service = a.service("rides", 0).await;
        let path = format!("{service}/PhoneNumbers");
        // A stand-in that keeps no numbers: the number is taken at its word, with an id of ours.
        let ours = a.post(&path, &[("PhoneNumber", &one)]).await.is(201);
        a.post(&path, &[("Sid", FIRST)]).await.refused(400, 80301);
        let named = [("Identifier", ALICE), ("ProxyIdentifier", &*one)];
        let session = a.session(&service, &[]).await;
        a.post(&format!("{session}/Participants"), &named).await.is(201);
        a.post(&format!("{session}/Participants"), &[("Identifier", BOB)]).await.is(201);
        rents(api, FIRST, &one, "One", &["voice", "sms"]);
        a.post(&path, &[("Sid", FIRST)]).await.refused(400, 80104);
        a.post(&session, &[("Status", "closed")]).await.is(200);
        a.delete(&text(&ours, "url")).await.is(204);
        for form in [("Sid", FIRST), ("PhoneNumber", &*one)] {
            let back = a.post(&path, &[form]).await.is(201);
            assert_eq!(back["sid"], ours["sid"]);
            let next = a.session(&service, &[]).await;
            a.post(&format!("{next}/Participants"), &named).await.refused(400, 80604);
            a.delete(&text(&back, "url")).await.is(204);
        }
    })
    .await;
}

/// The sandbox has every number, under a SID that is made of its digits.
#[tokio::test]
async fn the_sandbox_has_every_number() {
    crate::world::each(async |_, a| {
        let service = a.service("rides", 0).await;
        let path = format!("{service}/PhoneNumbers");
        let sid = "PN00000000000000000000014155550100";
        let made = a.post(&path, &[("Sid", sid)]).await.is(201);
        assert_eq!((&made["sid"], &made["phone_number"]), (&json!(sid), &json!(proxy(0))));
        a.post(&path, &[("PhoneNumber", &proxy(0))]).await.refused(400, 80104);
        for sid in [SECOND, "PN00000000000000000000000000000012"] {
            a.post(&path, &[("Sid", sid)]).await.refused(400, 80301);
        }
    })
    .await;
}

/// A session of two people on two numbers of Twilio's: its address, and what Alice and Bob dial.
async fn session(a: &Client<'_>, api: &Api) -> (String, String, String) {
    let (one, two) = (proxy(0), proxy(1));
    rents(api, FIRST, &one, "One", &["voice", "sms"]);
    rents(api, SECOND, &two, "Two", &["voice", "sms"]);
    let service = a.service("rides", 2).await;
    let session = a.session(&service, &[]).await;
    for (who, number) in [(ALICE, &one), (BOB, &two)] {
        let form = [("Identifier", who), ("ProxyIdentifier", number)];
        a.post(&format!("{session}/Participants"), &form).await.is(201);
    }
    (session, one, two)
}

async fn newest(a: &Client<'_>, session: &str) -> Value {
    a.get(&format!("{session}/Interactions")).await.is(200)["interactions"][0].clone()
}

#[track_caller]
fn is_side(one: &Value, way: &str, kind: &str, sid: &str, status: &str, api: &Api) {
    assert_eq!(one[format!("{way}_resource_sid")], sid, "{one}");
    assert_eq!(one[format!("{way}_resource_status")], status);
    assert_eq!(one[format!("{way}_resource_type")], kind);
    let url = format!("{}/2010-04-01/Accounts/{}/{kind}s/{sid}.json", api.base, fake::ACCOUNT);
    assert_eq!(one[format!("{way}_resource_url")], url);
}

/// A text has Twilio's SIDs and addresses on both sides, the outbound one once Twilio has told it.
#[tokio::test]
async fn texts_have_twilios_sids() {
    over_twilio(async |world, a, api| {
        let (session, dialled, _) = session(a, api).await;
        api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
        let came_in = format!("SM{:032x}", 0xaaa);
        let fields = [
            ("MessageSid", &*came_in),
            ("From", ALICE),
            ("To", &dialled),
            ("Body", "hello"),
            ("NumMedia", "0"),
        ];
        let answered = fake::webhook(world, "/hooks/twilio/message", &fields).await;
        assert_eq!(answered.status, StatusCode::OK);
        world.running.jobs.idle().await;
        let one = newest(a, &session).await;
        is_side(&one, "inbound", "Message", &came_in, "received", api);
        assert_eq!(one["outbound_resource_sid"], Value::Null, "Twilio has not taken it yet");
        assert_eq!(one["outbound_resource_url"], Value::Null);
        world.clock.advance(61_000);
        world.running.jobs.idle().await;
        let taken = api.asked().len();
        let sent = format!("SM{taken:032x}");
        is_side(&newest(a, &session).await, "outbound", "Message", &sent, "sent", api);
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let path = format!("{}/MessageInteractions", text(&people["participants"][0], "url"));
        let owed = a.post(&path, &[("Body", "your ride is here")]).await.is(200);
        world.running.jobs.idle().await;
        let sent = format!("SM{:032x}", taken + 1);
        let one = a.get(&text(&owed, "url")).await.is(200);
        is_side(&one, "outbound", "Message", &sent, "sent", api);
        assert_eq!(one["inbound_resource_sid"], Value::Null);
    })
    .await;
}

/// A call has Twilio's SIDs and addresses: the caller's from the start, so that a recording can be
/// asked for, the callee's once Twilio dials.
#[tokio::test]
async fn calls_have_twilios_sids() {
    over_twilio(async |world, a, api| {
        let (session, dialled, shown) = session(a, api).await;
        let (caller, callee) = (format!("CA{:032x}", 0xaaa), format!("CA{:032x}", 0xbbb));
        let call = [
            ("CallSid", &*caller),
            ("From", ALICE),
            ("To", &dialled),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
        ];
        let answer = fake::webhook(world, "/hooks/twilio/call", &call).await;
        let twiml = String::from_utf8(answer.body).unwrap();
        let one = newest(a, &session).await;
        is_side(&one, "inbound", "Call", &caller, "ringing", api);
        assert_eq!(one["outbound_resource_sid"], Value::Null);
        let path = twiml.split("statusCallback=\"").nth(1).unwrap().split('"').next().unwrap();
        let path = path.strip_prefix(&world.running.origin).unwrap().replace("&amp;", "&");
        let news = [
            ("CallSid", &*callee),
            ("ParentCallSid", &*caller),
            ("From", &*shown),
            ("To", BOB),
            ("CallStatus", "ringing"),
            ("Direction", "outbound-dial"),
        ];
        let told = fake::webhook(world, &path, &news).await;
        assert!(told.status.is_success(), "{told:?}");
        is_side(&newest(a, &session).await, "outbound", "Call", &callee, "ringing", api);
    })
    .await;
}
