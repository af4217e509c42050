//! The three callbacks of a service: told of each change, asked whether something goes through, asked
//! what strangers get. Everything with Twilio's names and signature.

use std::time::Duration;

use entremise::{
    domain::message::Body,
    sandbox::{CallEnd, CallStage, PhoneId, PhoneView, Sound},
};
use serde_json::{Value, json};

use crate::{
    site::{Site, Told},
    support::{self, World},
    world::{ALICE, BOB, CAROL, Client, identifier, phone, proxy, text},
};

/// Longer than anything here takes: what never comes fails by its name.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with callbacks at a site, and phones.
struct Rides<'w> {
    world: &'w World,
    a: &'w Client<'w>,
    site: &'w Site,
    service: String,
    alice: PhoneId,
    bob: PhoneId,
    carol: PhoneId,
}

/// Runs a test on each engine with a marketplace's server.
async fn each(test: impl AsyncFn(Rides<'_>)) {
    for database in support::databases().await {
        let site = Site::start().await;
        let mut config = support::settings(&database);
        config.api.rate_per_minute = 100_000;
        config.egress_allow = vec![site.address];
        let world = World::with(config).await;
        let a = Client::of(&world, &world.account);
        let service = a.service("rides", 2).await;
        let (alice, bob, carol) = (phone(&world, ALICE), phone(&world, BOB), phone(&world, CAROL));
        test(Rides { world: &world, a: &a, site: &site, service, alice, bob, carol }).await;
        for told in ["/told", "/may", "/who", "/next"].iter().flat_map(|path| site.told(path)) {
            assert!(told.is_signed(&world.account.auth_token), "{told:?}");
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

impl Rides<'_> {
    async fn set(&self, name: &str, path: &str) {
        let url = if path.is_empty() { String::new() } else { self.site.url(path) };
        self.a.post(&self.service, &[(name, &*url)]).await.is(200);
    }

    /// A session of Alice and Bob, and the number that Alice dials.
    async fn session(&self) -> (String, String) {
        let session = self.a.session(&self.service, &[ALICE, BOB]).await;
        let people = self.a.get(&format!("{session}/Participants")).await.is(200);
        let alice = people["participants"].as_array().unwrap().iter();
        let alice = alice.clone().find(|one| one["identifier"] == ALICE).unwrap();
        (session, text(alice, "proxy_identifier"))
    }

    fn text(&self, from: PhoneId, to: &str, words: &str) {
        self.world.network.text(from, &identifier(to), Body::new(words.into())).unwrap();
    }

    /// The texts that a phone got.
    async fn got(&self, who: PhoneId) -> Vec<(String, String)> {
        self.world.running.idle().await;
        let view = self.world.network.seen(who).unwrap();
        let text = |text: &entremise::sandbox::TextView| {
            (text.other.expose().to_owned(), text.body.expose().to_owned())
        };
        view.received().map(text).collect()
    }

    /// What a caller has heard of a call that is over.
    async fn heard(&self, who: PhoneId) -> (CallEnd, Vec<String>) {
        let view = self.world.network.until(who, |view| view.call().is_none()).await;
        let call = view.calls.last().unwrap();
        let CallStage::Ended(end) = call.stage else { panic!("{:?}", call.stage) };
        (end, words(&call.heard))
    }

    /// Waits until a call rings at somebody and answers it; what they see.
    async fn answer(&self, who: PhoneId) -> String {
        let rings = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = self.world.network.until(who, rings).await;
        let call = view.call().unwrap();
        self.world.network.answer(who, &call.id).unwrap();
        call.other.as_ref().unwrap().expose().to_owned()
    }

    async fn until_heard(&self, who: PhoneId, sound: &str) {
        let hears = |view: &PhoneView| {
            view.call().is_some_and(|call| words(&call.heard).last().is_some_and(|s| s == sound))
        };
        let heard = tokio::time::timeout(PATIENCE, self.world.network.until(who, hears)).await;
        let seen = || self.world.network.seen(who).unwrap().calls;
        assert!(heard.is_ok(), "no {sound} in {:?}", seen());
    }

    fn press(&self, who: PhoneId, keys: &str) {
        let view = self.world.network.seen(who).unwrap();
        for key in keys.chars() {
            self.world.network.press(who, &view.call().unwrap().id, key).unwrap();
        }
    }

    /// What the carrier is told to do when it tells us that.
    async fn steps(&self, hook: &str, event: &Value) -> Value {
        let answer = support::webhook(self.world, hook, event).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()["steps"].clone()
    }

    fn hang_up(&self, who: PhoneId) {
        let view = self.world.network.seen(who).unwrap();
        self.world.network.hang_up(who, &view.call().unwrap().id).unwrap();
    }
}

fn words(heard: &[Sound]) -> Vec<String> {
    let word = |sound: &Sound| match sound {
        Sound::Words { text, .. } => text.clone(),
        Sound::Audio { url } => format!("audio {url}"),
        Sound::Person => "person".into(),
        other => format!("{other:?}"),
    };
    heard.iter().map(word).collect()
}

fn statuses(told: &[Told]) -> Vec<[&str; 2]> {
    let status = |one: &'_ Told, way: &str| {
        one.form.get(&format!("{way}ResourceStatus")).map_or("", |status| {
            [
                "initiated",
                "ringing",
                "in-progress",
                "completed",
                "received",
                "queued",
                "sent",
                "delivered",
                "no-answer",
            ]
            .into_iter()
            .find(|word| word == status)
            .unwrap_or("?")
        })
    };
    told.iter().map(|one| [status(one, "inbound"), status(one, "outbound")]).collect()
}

/// Each text and call is told, and each change in it, with the words and both sides.
#[tokio::test]
async fn every_change_is_told() {
    each(async |rides| {
        rides.set("CallbackUrl", "/told").await;
        let (session, number) = rides.session().await;
        rides.text(rides.alice, &number, "a+b=c & é");
        let told = rides.site.until("/told", 3).await;
        rides.world.running.idle().await;
        assert_eq!(
            statuses(&told),
            [["received", "queued"], ["received", "sent"], ["received", "delivered"]]
        );
        let list = rides.a.get(&format!("{session}/Interactions")).await.is(200);
        let one = &list["interactions"][0];
        let last = &told[2];
        for (name, field) in [
            ("interactionSid", "sid"),
            ("interactionType", "type"),
            ("interactionData", "data"),
            ("interactionServiceSid", "service_sid"),
            ("interactionSessionSid", "session_sid"),
            ("interactionAccountSid", "account_sid"),
            ("interactionDateCreated", "date_created"),
            ("inboundParticipantSid", "inbound_participant_sid"),
            ("inboundResourceSid", "inbound_resource_sid"),
            ("inboundResourceStatus", "inbound_resource_status"),
            ("outboundParticipantSid", "outbound_participant_sid"),
            ("outboundResourceSid", "outbound_resource_sid"),
            ("outboundResourceStatus", "outbound_resource_status"),
        ] {
            assert_eq!(last.one(name), text(one, field), "{name}");
        }
        assert_eq!(last.one("interactionData"), r#"{"body":"a+b=c & é"}"#);
        assert_eq!(last.one("inboundResourceType"), "message");

        rides.world.network.dial(rides.alice, &identifier(&number)).unwrap();
        rides.answer(rides.bob).await;
        rides.until_heard(rides.alice, "person").await;
        rides.site.until("/told", 7).await;
        rides.hang_up(rides.alice);
        let told = rides.site.until("/told", 8).await;
        let sides = statuses(&told[3..]);
        let outbound: Vec<&str> = sides.iter().map(|[_, out]| *out).collect();
        assert_eq!(outbound, ["initiated", "initiated", "ringing", "in-progress", "completed"]);
        let inbound: Vec<&str> = sides.iter().map(|[came, _]| *came).collect();
        assert_eq!(inbound, ["ringing", "ringing", "ringing", "in-progress", "completed"]);
        let last = told.last().unwrap();
        assert_eq!(last.one("interactionType"), "Voice");
        assert!(last.one("interactionData").contains("duration"));
        let one = rides.a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(
            last.one("outboundResourceSid"),
            one["interactions"][0]["outbound_resource_sid"]
        );
    })
    .await;
}

/// A callback goes where its service says, is tried again like any event, and is the service's alone.
#[tokio::test]
async fn a_callback_is_its_services() {
    each(async |rides| {
        rides.set("CallbackUrl", "/told").await;
        let (status, list) = rides.a.native("/endpoints").await;
        assert_eq!((status, list["data"].as_array().unwrap().len()), (200, 1), "{list}");
        let endpoint = &list["data"][0];
        assert_eq!(endpoint["kind"], "twilio_proxy");
        assert_eq!(endpoint["url"], rides.site.url("/told"));
        let id = text(endpoint, "id");
        for (method, path, body) in [
            ("PATCH", format!("/endpoints/{id}"), json!({ "url": "https://m.example/" })),
            ("DELETE", format!("/endpoints/{id}"), Value::Null),
            ("POST", format!("/endpoints/{id}/rotate-secret"), json!({})),
            ("POST", format!("/endpoints/{id}/test"), Value::Null),
        ] {
            let (status, problem) = rides.a.native_with(method, &path, &body).await;
            assert_eq!(
                (status, &problem["code"]),
                (409, &json!("endpoint_owned")),
                "{method} {path}"
            );
        }
        let (_, number) = rides.session().await;
        rides.site.says(
            "/told",
            [(500, "text/plain", String::new()), (200, "text/plain", String::new())],
        );
        rides.text(rides.alice, &number, "one");
        rides.world.running.idle().await;
        rides.world.clock.advance(10_000);
        let told = rides.site.until("/told", 4).await;
        assert_eq!(
            told.iter().filter(|one| one.one("outboundResourceStatus") == "queued").count(),
            2
        );
        rides.set("CallbackUrl", "/elsewhere").await;
        rides.text(rides.alice, &number, "two");
        rides.site.until("/elsewhere", 3).await;
        assert_eq!(rides.site.told("/told").len(), 4);
        rides.set("CallbackUrl", "").await;
        let (_, list) = rides.a.native("/endpoints").await;
        assert_eq!(list["data"], json!([]));
        rides.text(rides.alice, &number, "three");
        rides.world.running.idle().await;
        assert_eq!(rides.site.told("/elsewhere").len(), 3);
        assert_eq!(rides.got(rides.bob).await.len(), 3);
    })
    .await;
}

/// 403 keeps a text and a call from the other side; everything else lets them through, unless the
/// service says that silence means no.
#[tokio::test]
async fn an_intercept_may_block() {
    each(async |rides| {
        rides.set("InterceptCallbackUrl", "/may").await;
        let (session, number) = rides.session().await;
        let plain = |status| (status, "text/plain", String::new());
        rides.site.says("/may", [plain(200), plain(403), plain(500), plain(403), plain(200)]);
        for words in ["fine", "rude", "unsure"] {
            rides.text(rides.alice, &number, words);
            rides.world.running.idle().await;
        }
        let got: Vec<String> =
            rides.got(rides.bob).await.into_iter().map(|(_, text)| text).collect();
        assert_eq!(got, ["fine", "unsure"]);
        let asked = rides.site.told("/may");
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[1].one("interactionData"), r#"{"body":"rude"}"#);
        assert_eq!(asked[1].one("inboundResourceStatus"), "received");
        assert!(!asked[1].form.keys().any(|name| name.starts_with("outbound")));
        let list = rides.a.get(&format!("{session}/Interactions")).await.is(200);
        let blocked = &list["interactions"][1];
        assert_eq!(blocked["sid"], asked[1].one("interactionSid"));
        assert_eq!(blocked["outbound_resource_status"], "canceled");
        let (_, shown) = rides.a.native(&format!("/interactions/{}", text(blocked, "sid"))).await;
        assert_eq!(shown["reason"], "intercepted");

        rides.world.network.dial(rides.alice, &identifier(&number)).unwrap();
        let (_, heard) = rides.heard(rides.alice).await;
        assert!(!heard.iter().any(|sound| sound == "person"), "{heard:?}");
        assert!(rides.world.network.seen(rides.bob).unwrap().calls.is_empty());
        rides.world.network.dial(rides.alice, &identifier(&number)).unwrap();
        rides.answer(rides.bob).await;
        rides.until_heard(rides.alice, "person").await;
        rides.hang_up(rides.alice);
        rides.world.running.idle().await;
        let asked = rides.site.told("/may");
        assert_eq!(asked.len(), 5);
        let list = rides.a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(list["interactions"][0]["sid"], asked[4].one("interactionSid"));
        assert_eq!(
            list["interactions"][0]["inbound_resource_sid"],
            asked[4].one("inboundResourceSid")
        );

        let rules = json!({ "twilio_proxy": { "on_intercept_failure": "block" } });
        let id = rides.service.rsplit('/').next().unwrap();
        let (status, _) = rides.a.native_with("PATCH", &format!("/services/{id}"), &rules).await;
        assert_eq!(status, 200);
        rides.site.says("/may", [plain(500)]);
        rides.text(rides.alice, &number, "unsure again");
        rides.world.running.idle().await;
        assert_eq!(rides.got(rides.bob).await.len(), 2);
    })
    .await;
}

/// Whoever writes more at once than is asked about at once gets past no question.
#[tokio::test]
async fn no_text_gets_past_the_intercept() {
    each(async |rides| {
        rides.set("InterceptCallbackUrl", "/may").await;
        rides.site.says("/may", [(403, "text/plain", String::new())]);
        let mut receivers = Vec::new();
        rides.site.hold(true);
        for pair in 0..12 {
            let [from, to] =
                [20, 60].map(|first| format!("+{}{:04}", 1_212_555, 100 + first + pair));
            let sender = phone(rides.world, &from);
            receivers.push(phone(rides.world, &to));
            let session = rides.a.session(&rides.service, &[&from, &to]).await;
            let people = rides.a.get(&format!("{session}/Participants")).await.is(200);
            let own = people["participants"].as_array().unwrap().iter();
            let own = own.clone().find(|one| one["identifier"] == *from).unwrap();
            rides.text(sender, &text(own, "proxy_identifier"), "rude");
        }
        rides.site.until("/may", 8).await;
        rides.site.hold(false);
        rides.site.until("/may", 12).await;
        for receiver in receivers {
            assert!(rides.got(receiver).await.is_empty());
        }
        assert_eq!(rides.site.told("/may").len(), 12);
    })
    .await;
}

/// A stranger is led through a menu to somebody, who sees a proxy number and never the caller's own.
#[tokio::test]
async fn a_document_leads_a_caller() {
    each(async |rides| {
        rides.set("OutOfSessionCallbackUrl", "/who").await;
        rides.site.twiml(
            "/who",
            r#"<Say language="fr-FR">Bonjour</Say><Play>hold.mp3</Play>
               <Gather numDigits="3" action="/next"><Say>Press</Say></Gather><Say>Too slow</Say>"#,
        );
        rides.site.says(
            "/next",
            [
                (200, "text/xml", format!(
                    r#"<Response><Say>Wait</Say><Dial callerId="{ALICE}" action="/next"><Number>{CAROL}</Number></Dial></Response>"#
                )),
                (200, "text/xml", "<Response><Say>Bye</Say><Hangup/></Response>".into()),
            ],
        );
        rides.world.network.dial(rides.alice, &identifier(&proxy(0))).unwrap();
        rides.until_heard(rides.alice, "Press").await;
        rides.press(rides.alice, "471");
        let shown = rides.answer(rides.carol).await;
        assert_eq!(shown, proxy(0), "nobody sees a caller's own number");
        rides.until_heard(rides.alice, "person").await;
        rides.hang_up(rides.carol);
        let (end, heard) = rides.heard(rides.alice).await;
        let audio = format!("audio {}", rides.site.url("/hold.mp3"));
        assert_eq!(end, CallEnd::Finished);
        assert_eq!(heard, ["Bonjour", &*audio, "Press", "Wait", "Ringing", "person", "Bye"]);
        rides.world.running.idle().await;
        let first = &rides.site.told("/who")[0];
        for (name, value) in [
            ("From", ALICE),
            ("To", &*proxy(0)),
            ("Caller", ALICE),
            ("Called", &*proxy(0)),
            ("Direction", "inbound"),
            ("CallStatus", "ringing"),
            ("AccountSid", &*rides.a.user),
            ("FromCountry", "US"),
        ] {
            assert_eq!(first.one(name), value, "{name}");
        }
        let next = rides.site.told("/next");
        assert_eq!(next[0].one("Digits"), "471");
        assert_eq!(next[0].one("CallSid"), first.one("CallSid"));
        assert_eq!(next[1].one("DialCallStatus"), "completed");
        assert_eq!(next.len(), 2);
        let (_, log) = rides.a.native("/interactions").await;
        assert_eq!(log["data"].as_array().unwrap().len(), 1);
        assert_eq!(log["data"][0]["outcome"], "refused");

        // Nobody presses: the document goes on.
        rides.world.network.dial(rides.alice, &identifier(&proxy(0))).unwrap();
        let (_, heard) = rides.heard(rides.alice).await;
        assert_eq!(heard.last().unwrap(), "Too slow");
    })
    .await;
}

/// A session that the marketplace answers with is made, and the call or text goes through it.
#[tokio::test]
async fn a_session_is_made_for_a_stranger() {
    each(async |rides| {
        rides.set("OutOfSessionCallbackUrl", "/who").await;
        rides.set("InterceptCallbackUrl", "/may").await;
        let made = json!({ "uniqueName": "first", "participantIdentifier": BOB, "ttl": 3600 });
        rides.site.says("/who", [(200, "application/json", made.to_string())]);
        rides.text(rides.alice, &proxy(1), "hello");
        let got = rides.got(rides.bob).await;
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].1, "hello");
        let asked = &rides.site.told("/who")[0];
        assert_eq!(asked.one("Body"), "hello");
        assert_eq!(asked.one("SmsSid"), asked.one("MessageSid"));
        let sessions = rides.a.get(&format!("{}/Sessions", rides.service)).await.is(200);
        assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(sessions["sessions"][0]["unique_name"], "first");
        // Bob answers over the number that he got, and Alice knows the one that she wrote to.
        rides.text(rides.bob, &got[0].0, "hi");
        assert_eq!(rides.got(rides.alice).await, [(proxy(1), "hi".to_owned())]);

        let made = json!({ "participantIdentifier": BOB });
        rides.site.says("/who", [(200, "application/json;charset=UTF-8", made.to_string())]);
        rides.world.network.dial(rides.carol, &identifier(&proxy(0))).unwrap();
        rides.answer(rides.bob).await;
        rides.until_heard(rides.carol, "person").await;
        rides.hang_up(rides.carol);
        rides.world.running.idle().await;
        // What can't be made leaves nothing behind, and the caller hears what everybody hears.
        let taken = json!({ "uniqueName": "first", "participantIdentifier": CAROL });
        rides.site.says("/who", [(200, "application/json", taken.to_string())]);
        rides.world.network.dial(rides.alice, &identifier(&proxy(0))).unwrap();
        let (_, heard) = rides.heard(rides.alice).await;
        assert!(heard.len() == 1 && heard[0] != "person", "{heard:?}");
        let sessions = rides.a.get(&format!("{}/Sessions", rides.service)).await.is(200);
        assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2);
    })
    .await;
}

/// A marketplace that asks for a PIN makes the session itself and sends the caller back into it.
#[tokio::test]
async fn a_caller_is_sent_into_a_session() {
    each(async |rides| {
        rides.set("OutOfSessionCallbackUrl", "/who").await;
        rides.site.twiml("/who", r#"<Gather numDigits="4" action="/next"><Say>PIN</Say></Gather>"#);
        let service = rides.service.rsplit('/').next().unwrap();
        let back = format!(
            "https://webhooks.twilio.com/v1/Accounts/{}/Proxy/{service}/Webhooks/Call",
            rides.a.user
        );
        rides.site.twiml("/next", &format!("<Redirect>{back}</Redirect>"));
        rides.world.network.dial(rides.alice, &identifier(&proxy(0))).unwrap();
        rides.until_heard(rides.alice, "PIN").await;
        // As the marketplace does before it answers the keys.
        let session = rides.a.session(&rides.service, &[]).await;
        let pinned = [("Identifier", ALICE), ("ProxyIdentifier", &*proxy(0))];
        rides.a.post(&format!("{session}/Participants"), &pinned).await.is(201);
        rides.a.post(&format!("{session}/Participants"), &[("Identifier", BOB)]).await.is(201);
        rides.press(rides.alice, "4711");
        rides.answer(rides.bob).await;
        rides.until_heard(rides.alice, "person").await;
        rides.hang_up(rides.alice);
        rides.world.running.idle().await;
        let list = rides.a.get(&format!("{session}/Interactions")).await.is(200);
        let one = &list["interactions"][0];
        assert_eq!(one["outbound_resource_status"], "completed");
        assert_eq!(one["inbound_resource_status"], "completed");
        let (_, log) = rides.a.native("/interactions").await;
        let outcomes: Vec<_> =
            log["data"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["connected", "refused"]);

        // One who is in no session hears what everybody hears, whatever they press.
        rides.world.network.dial(rides.carol, &identifier(&proxy(0))).unwrap();
        rides.until_heard(rides.carol, "PIN").await;
        rides.press(rides.carol, "0000");
        let (_, heard) = rides.heard(rides.carol).await;
        assert!(heard.len() == 2 && heard[0] == "PIN", "{heard:?}");
    })
    .await;
}

/// Texts are answered with what the document says; whoever had a session is told of with it.
#[tokio::test]
async fn a_document_answers_a_text() {
    each(async |rides| {
        rides.set("OutOfSessionCallbackUrl", "/who").await;
        let (session, number) = rides.session().await;
        rides.a.post(&session, &[("Status", "closed")]).await.is(200);
        rides
            .site
            .twiml("/who", "<Message>It is over</Message><Message><Body>Really</Body></Message>");
        rides.text(rides.alice, &number, "hello?");
        let got: Vec<String> =
            rides.got(rides.alice).await.into_iter().map(|(_, words)| words).collect();
        assert_eq!(got, ["It is over", "Really"]);
        let asked = &rides.site.told("/who")[0];
        let shown = rides.a.get(&session).await.is(200);
        assert_eq!(asked.one("sessionSid"), shown["sid"]);
        assert_eq!(asked.one("sessionStatus"), "closed");
        assert_eq!(asked.one("sessionClosedReason"), "api");
        assert_eq!(asked.one("inboundParticipantIdentifier"), ALICE);
        assert_eq!(asked.one("inboundParticipantProxyIdentifier"), number);
        assert_eq!(asked.one("outboundParticipantIdentifier"), BOB);
        for wrong in [
            (500, "text/xml", "<Response><Message>no</Message></Response>"),
            (200, "text/plain", "no"),
            (200, "text/xml", "<Response><Message>no</Response>"),
            (302, "text/xml", ""),
            (200, "application/json", "{}"),
        ] {
            rides.site.says("/who", [(wrong.0, wrong.1, wrong.2.to_owned())]);
            rides.text(rides.alice, &number, "hello?");
            assert_eq!(rides.got(rides.alice).await.len(), 2, "{wrong:?}");
        }
        // A word by which people opt out is nobody's business but the carrier's.
        let asked = rides.site.told("/who").len();
        rides.text(rides.alice, &number, "STOP");
        rides.world.running.idle().await;
        assert_eq!(rides.site.told("/who").len(), asked);
    })
    .await;
}

/// I3, I10: a carrier that asks the same twice gets the same answer, unless the session that it puts
/// the caller through to has ended since.
#[tokio::test]
async fn a_question_that_comes_twice() {
    each(async |rides| {
        rides.set("OutOfSessionCallbackUrl", "/who").await;
        rides.site.twiml("/who", r#"<Gather numDigits="4" action="/next"/>"#);
        let service = rides.service.rsplit('/').next().unwrap();
        let back = format!("/v1/Accounts/{}/Proxy/{service}/Webhooks/Call", rides.a.user);
        rides.site.twiml("/next", &format!("<Redirect>{back}</Redirect>"));
        let call = json!({ "event": "call", "id": "call-1", "from": ALICE, "to": proxy(0) });
        let asked = rides.steps("call", &call).await;
        let keys = text(&asked[0], "keys_url");
        let keys = keys.split_once("/hooks/sandbox/").unwrap().1;
        let session = rides.a.session(&rides.service, &[]).await;
        let pinned = [("Identifier", ALICE), ("ProxyIdentifier", &*proxy(0))];
        rides.a.post(&format!("{session}/Participants"), &pinned).await.is(201);
        rides.a.post(&format!("{session}/Participants"), &[("Identifier", BOB)]).await.is(201);
        let pressed = json!({ "event": "keys", "id": "call-1", "digits": "4711" });
        let first = rides.steps(keys, &pressed).await;
        assert_eq!(first[0]["to"][0]["number"], BOB);
        assert_eq!(rides.steps(keys, &pressed).await, first);
        assert_eq!(rides.site.told("/next").len(), 1, "one question, however often it comes");
        rides.a.post(&session, &[("Status", "closed")]).await.is(200);
        for _ in 0..2 {
            let late = rides.steps(keys, &pressed).await;
            assert!(!late.to_string().contains(BOB), "{late}");
        }
        // Which turn it is about is nothing that a webhook may choose.
        let other =
            support::webhook(rides.world, &keys.replace("turn=1", "turn=7"), &pressed).await;
        assert_eq!(other.status, 403);
    })
    .await;
}
