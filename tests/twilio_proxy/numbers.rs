//! The pool: numbers come, are named, are reserved, run out and leave.

use entremise::{config::Config, domain::phone::Permits};
use serde_json::json;

use crate::{
    support::World,
    world::{ALICE, BOB, CAROL, Client, each, each_set, proxy, text},
};

/// A number is one service's and one account's; it leaves when nobody uses it, and comes back by its
/// SID or its digits under the same SID.
#[tokio::test]
async fn numbers_come_and_go() {
    each(async |world, a| {
        let b = world.running.relay.create_account("B").await.unwrap();
        let b = Client::of(world, &b);
        let (first, second) = (a.service("one", 1).await, a.service("two", 0).await);
        let path = |service: &str| format!("{service}/PhoneNumbers");
        let digits = proxy(0);
        let form = [("PhoneNumber", &*digits)];
        a.post(&path(&first), &form).await.refused(400, 80104);
        a.post(&path(&second), &form).await.refused(400, 80101);
        let theirs = b.service("theirs", 0).await;
        b.post(&path(&theirs), &form).await.refused(400, 80601);
        let number = a.get(&path(&first)).await.is(200)["phone_numbers"][0].clone();
        let (sid, url) = (text(&number, "sid"), text(&number, "url"));
        a.post(&path(&second), &[("Sid", &sid)]).await.refused(400, 80101);
        b.post(&path(&theirs), &[("Sid", &sid)]).await.refused(400, 80301);
        a.post(&path(&second), &[("Sid", "PN12")]).await.refused(400, 80407);
        a.post(&path(&second), &[("PhoneNumber", "5550100")]).await.refused(400, 80406);
        a.post(&path(&second), &[("IsReserved", "true")]).await.refused(400, 80701);
        let reserved = a.post(&url, &[("IsReserved", "True")]).await.is(200);
        assert_eq!(reserved["is_reserved"], true);

        let session = a.session(&first, &[]).await;
        let named = [("Identifier", ALICE), ("ProxyIdentifier", &*digits)];
        a.post(&format!("{session}/Participants"), &named).await.is(201);
        a.delete(&url).await.refused(400, 80611);
        a.post(&session, &[("Status", "closed")]).await.is(200);
        a.delete(&url).await.is(204);
        a.get(&url).await.refused(404, 20404);
        assert_eq!(a.get(&path(&first)).await.is(200)["phone_numbers"], json!([]));
        let back = a.post(&path(&second), &[("Sid", &sid)]).await.is(201);
        assert_eq!((&back["sid"], &back["is_reserved"]), (&json!(sid), &json!(false)));
        a.delete(&text(&back, "url")).await.is(204);
        let back = a.post(&path(&first), &form).await.is(201);
        assert_eq!(back["sid"], sid.as_str());
        let address = ("ShortCodes", "SC0123456789abcdef0123456789abcdef");
        let short = format!("{first}/{}", address.0);
        a.post(&short, &[("Sid", address.1)]).await.refused(400, 80303);
        for method in ["GET", "POST", "DELETE"] {
            a.ask(method, &format!("{short}/{}", address.1), b"").await.refused(404, 20404);
        }
    })
    .await;
}

/// A number that a country's rule refuses joins no pool here either, unless the operator lets it in.
#[tokio::test]
async fn a_refused_number_is_told() {
    const MOBILE: [(&str, &str); 1] = [("PhoneNumber", "+33639980001")];
    each(async |_, a| {
        let pool = format!("{}/PhoneNumbers", a.service("one", 0).await);
        let refused = a.post(&pool, &MOBILE).await.refused(400, 80701);
        let words = refused["message"].as_str().unwrap();
        assert!(words.starts_with("PhoneNumber is kept for one natural person"), "{words}");
        assert!(words.contains("rule fr-mobile, https://arcep.fr/"), "{words}");
    })
    .await;
    let permit = |config: &mut Config| {
        config.numbers.allow = Permits::parse(["+33639 permit 7 of Arcep"]).unwrap();
    };
    each_set(permit, async |_, a| {
        let pool = format!("{}/PhoneNumbers", a.service("one", 0).await);
        a.post(&pool, &MOBILE).await.is(201);
        let (status, listed) = a.native("/numbers").await;
        assert_eq!((status, &listed["data"][0]["permit"]), (200, &json!("permit 7 of Arcep")));
    })
    .await;
}

/// A pool has so many numbers and so many reserved ones, however they come; the native API may add more.
#[tokio::test]
async fn a_full_pool_takes_no_more() {
    let small = |config: &mut Config| {
        config.twilio_proxy.pool_max = 2;
        config.twilio_proxy.pool_reserved_max = 1;
    };
    each_set(small, async |world, a| {
        let service = a.service("rides", 2).await;
        let path = format!("{service}/PhoneNumbers");
        let third = proxy(2);
        let add = async |reserved| {
            let form = [("PhoneNumber", &*third), ("IsReserved", reserved)];
            a.post(&path, &form).await
        };
        add("false").await.refused(400, 80622);
        let reserved = add("true").await.is(201);
        assert_eq!(a.get(&path).await.is(200)["phone_numbers"].as_array().unwrap().len(), 3);
        let other = [("PhoneNumber", &*proxy(3)), ("IsReserved", "true")];
        a.post(&path, &other).await.refused(400, 80622);
        let url = text(&reserved, "url");
        a.post(&url, &[("IsReserved", "false")]).await.refused(400, 80622);
        assert_eq!(a.get(&url).await.is(200)["is_reserved"], true, "nothing was changed");
        a.post(&url, &[("IsReserved", "true")]).await.is(200);
        a.delete(&url).await.is(204);
        a.post(&path, &[("Sid", &text(&reserved, "sid"))]).await.refused(400, 80622);
        add("true").await.is(201);
        // Of two at once that would both be the last one is.
        let pool = a.get(&path).await.is(200);
        a.delete(&text(&pool["phone_numbers"][1], "url")).await.is(204);
        let (four, five) = (proxy(4), proxy(5));
        let (four, five) = ([("PhoneNumber", &*four)], [("PhoneNumber", &*five)]);
        let (one, two) = tokio::join!(a.post(&path, &four), a.post(&path, &five));
        let mut both = [one.status, two.status];
        both.sort_unstable();
        assert_eq!(both, [201, 400]);
        let id = service.rsplit('/').next().unwrap();
        add_natively(world, id, &proxy(6), "sms").await;
    })
    .await;
}

/// A number that is named is had, by SID or digits, also a reserved one; one that means another session
/// for this person, is in quarantine or is not the service's is refused.
#[tokio::test]
async fn a_named_number_is_had_or_refused() {
    each(async |_, a| {
        let service = a.service("rides", 2).await;
        let numbers = a.get(&format!("{service}/PhoneNumbers")).await.is(200);
        let sid = text(&numbers["phone_numbers"][0], "sid");
        let digits = text(&numbers["phone_numbers"][0], "phone_number");
        a.post(&text(&numbers["phone_numbers"][0], "url"), &[("IsReserved", "true")]).await.is(200);
        let one = a.session(&service, &[]).await;
        let people = |session: &str| format!("{session}/Participants");
        let form = [("Identifier", ALICE), ("ProxyIdentifierSid", &*sid)];
        let alice = a.post(&people(&one), &form).await.is(201);
        assert_eq!(alice["proxy_identifier"], digits.as_str());
        let two = a.session(&service, &[]).await;
        a.post(&people(&two), &form).await.refused(400, 80604);
        let both = [
            (
                "Participants",
                format!(r#"{{"Identifier": "{BOB}", "ProxyIdentifier": "{digits}"}}"#),
            ),
            ("Participants", format!(r#"{{"Identifier": "{CAROL}"}}"#)),
        ];
        let both: Vec<(&str, &str)> = both.iter().map(|(name, value)| (*name, &**value)).collect();
        a.post(&format!("{service}/Sessions"), &both).await.is(201);
        for (name, value, code) in [
            ("ProxyIdentifier", "+14155550150", 80605),
            ("ProxyIdentifier", "x", 80605),
            ("ProxyIdentifierSid", "PN0123456789abcdef0123456789abcdef", 80605),
            ("ProxyIdentifierSid", "x", 80407),
        ] {
            let form = [("Identifier", BOB), (name, value)];
            a.post(&people(&two), &form).await.refused(400, code);
        }
        a.post(&people(&two), &[("Identifier", &proxy(1))]).await.refused(400, 80402);
        // Quarantine, which Twilio lacks: nobody else's session gets the pair yet.
        a.post(&one, &[("Status", "closed")]).await.is(200);
        a.post(&people(&two), &[("Identifier", BOB)]).await.is(201);
        a.post(&people(&two), &form).await.refused(400, 80604);
        a.post(&one, &[("Status", "in-progress")]).await.is(200);
    })
    .await;
}

async fn refuses(world: &World, a: &Client<'_>, service: &str, mode: &str, who: &str, code: u32) {
    let _ = world;
    let form = [("Mode", mode), ("Participants", &*format!(r#"{{"Identifier": "{who}"}}"#))];
    a.post(&format!("{service}/Sessions"), &form).await.refused(400, code);
}

/// Each way in which a pool has no number has its code.
#[tokio::test]
async fn a_pool_without_a_number_says_why() {
    each(async |world, a| {
        let empty = a.service("empty", 0).await;
        refuses(world, a, &empty, "voice-only", ALICE, 80205).await;
        let service = a.service("rides", 1).await;
        refuses(world, a, &service, "voice-only", "+442079460100", 80203).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        refuses(world, a, &service, "message-only", ALICE, 80206).await;
        a.post(&session, &[("Status", "closed")]).await.is(200);
        let number = a.get(&format!("{service}/PhoneNumbers")).await.is(200);
        let url = text(&number["phone_numbers"][0], "url");
        a.post(&url, &[("IsReserved", "true")]).await.is(200);
        refuses(world, a, &service, "message-only", CAROL, 80207).await;
        // A number that can only be called, and one that can only be written to.
        let sid = service.rsplit('/').next().unwrap();
        for (n, can, mode, code) in
            [(10, "voice", "message-only", 80202), (11, "sms", "voice-and-message", 80201)]
        {
            let bare = a.service(can, 0).await;
            let id = bare.rsplit('/').next().unwrap().to_owned();
            add_natively(world, &id, &proxy(n), can).await;
            refuses(world, a, &bare, mode, ALICE, code).await;
            let path = a.session(&bare, &[]).await;
            let full = a.post(&format!("{path}/Participants"), &[("Identifier", ALICE)]).await;
            full.refused(400, 80201);
        }
        assert!(sid.starts_with("KS"));
    })
    .await;
}

/// Adds a number that can do only that.
async fn add_natively(world: &World, service: &str, number: &str, can: &str) {
    use entremise::{
        domain::{phone::ProxyNumber, pool::Capabilities},
        ids::ServiceId,
        relay::{self, NewNumber},
    };
    let new = NewNumber {
        service: ServiceId::parse(service).unwrap(),
        number: ProxyNumber::parse(number).unwrap(),
        carrier: crate::support::CARRIER.into(),
        capabilities: Capabilities::parse(can).unwrap(),
        reserved: false,
    };
    let account = world.account.account.clone();
    let added = world.running.relay.db().write(move |tx| {
        let (account, new) = (account.clone(), new.clone());
        Box::pin(async move { relay::add_number(tx, &account, &new).await })
    });
    added.await.unwrap();
}
