//! Callers who must prove who they are: numbers that sessions share, PINs, and what the network says of callers.

use entremise::{
    config::Config,
    domain::{
        assurance::{AssuranceRules, Treatment},
        interaction::{Outcome, Reason},
        phone::Identifier,
        policy::Rules,
    },
    sandbox::{CallStage, PhoneView, Sound},
};
use serde_json::{Value, json};

use crate::{
    market::Market,
    receiver::{ask, done},
    support::{self, Database, World},
};

const HOUR_MS: i64 = 3_600_000;

/// The rules of a service whose sessions may share a number.
pub(crate) fn sharing() -> Rules {
    let assurance = AssuranceRules { pin_fallback: true, ..AssuranceRules::default() };
    Rules { assurance, ..Rules::new("Bikes".into()) }
}

/// A service with one ordinary number and one that sessions share.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
    calls: std::cell::Cell<u32>,
}

impl Stage {
    pub(crate) async fn open(database: &Database, rules: Rules) -> Self {
        Self::with(support::settings(database), rules).await
    }

    /// The same with other settings.
    pub(crate) async fn with(config: Config, rules: Rules) -> Self {
        let world = World::standing(config).await;
        let market = Market::open(&world, 6, 2, rules).await;
        let stage = Self { world, market, calls: std::cell::Cell::new(0) };
        let path = format!("/numbers/{}", stage.market.numbers[1]);
        let shared = stage.done("PATCH", &path, json!({ "shared": true })).await;
        assert_eq!(shared["shared"], true);
        stage
    }

    pub(crate) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        done(&self.world, method, path, Some(body)).await
    }

    /// Changes the service's rules.
    pub(crate) async fn rules(&self, change: Value) {
        self.done("PATCH", "/services/bikes", change).await;
    }

    pub(crate) fn number(&self, place: usize) -> String {
        self.market.people[place].number.expose().to_owned()
    }

    /// What opens a session of these two, the first of whom is to have this PIN.
    pub(crate) fn pair(&self, [buyer, seller]: [usize; 2], pin: Option<&str>) -> Value {
        json!({ "service_id": "bikes", "participants": [
            { "role": "buyer", "identifier": self.number(buyer), "pin": pin },
            { "role": "seller", "identifier": self.number(seller) },
        ] })
    }

    pub(crate) async fn session(&self, people: [usize; 2], pin: Option<&str>) -> Value {
        self.done("POST", "/sessions", self.pair(people, pin)).await
    }

    pub(crate) async fn close(&self, session: &Value) {
        let path = format!("/sessions/{}/close", session["id"].as_str().unwrap());
        done(&self.world, "POST", &path, None).await;
    }

    /// A session that takes the ordinary number of its buyer, and another in which that buyer shares one.
    pub(crate) async fn shared(&self) -> Shared {
        self.session([0, 1], None).await;
        let session = self.session([0, 3], None).await;
        let [buyer, seller] = [0, 1].map(|place| session["participants"][place].clone());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Shared {
            number: text(&buyer["proxy_number"]),
            pin: text(&buyer["pin"]),
            own: text(&seller["proxy_number"]),
            session,
        }
    }

    pub(crate) async fn tells(&self, path: &str, event: &Value) -> Value {
        let answer = support::webhook(&self.world, path, event).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// What the carrier is told to do with a call; a withheld number is none.
    pub(crate) async fn calls(
        &self,
        from: Option<&str>,
        to: &str,
        attestation: Option<&str>,
    ) -> Value {
        self.calls.set(self.calls.get() + 1);
        let id = format!("call-{}", self.calls.get());
        let event = json!({
            "event": "call", "id": id, "from": from, "to": to, "attestation": attestation,
        });
        self.tells("call", &event).await
    }

    /// What it is told once keys were pressed where it waits for them.
    pub(crate) async fn keys(&self, document: &Value, digits: &str) -> Value {
        let steps = document["steps"].as_array().unwrap();
        let gather = steps.iter().find(|step| step["do"] == "gather").expect("keys are waited for");
        let base = format!("{}/hooks/{}/", self.world.running.origin, support::CARRIER);
        let path = gather["keys_url"].as_str().unwrap().strip_prefix(&base).unwrap();
        let id = format!("call-{}", self.calls.get());
        self.tells(path, &json!({ "event": "keys", "id": id, "digits": digits })).await
    }

    /// What somebody without a number hears who gives these PINs on a number.
    pub(crate) async fn withheld(&self, to: &str, pins: &[&str]) -> Value {
        let mut document = self.calls(None, to, None).await;
        for pin in pins {
            document = self.keys(&document, pin).await;
        }
        document
    }

    /// The last call or text in the log.
    pub(crate) async fn last(&self) -> Value {
        done(&self.world, "GET", "/interactions?limit=1", None).await["data"][0].clone()
    }

    pub(crate) async fn events(&self, kind: &str) -> Vec<Value> {
        let path = format!("/events?type={kind}&limit=100");
        done(&self.world, "GET", &path, None).await["data"].as_array().unwrap().clone()
    }

    /// What somebody got by text: from which number, and the words.
    pub(crate) async fn got(&self, place: usize) -> Vec<(String, String)> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[place].phone).unwrap();
        view.received()
            .map(|text| (text.other.expose().to_owned(), text.body.expose().to_owned()))
            .collect()
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A session whose buyer shares a number.
pub(crate) struct Shared {
    pub(crate) session: Value,
    /// The number that is shared.
    pub(crate) number: String,
    pub(crate) pin: String,
    /// The number that the seller dials.
    pub(crate) own: String,
}

/// Whom a document rings, and what they see; `None` if it rings nobody.
pub(crate) fn rings(document: &Value) -> Option<[String; 2]> {
    let steps = document["steps"].as_array().unwrap();
    let dial = steps.iter().find(|step| step["do"] == "connect")?;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Some([text(&dial["to"][0]["number"]), text(&dial["caller_id"])])
}

pub(crate) fn asks(document: &Value) -> bool {
    document["steps"].as_array().unwrap().iter().any(|step| step["do"] == "gather")
}

/// Another PIN of the same length.
pub(crate) fn other(pin: &str) -> String {
    let last = if pin.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &pin[..pin.len() - 1])
}

/// Whoever finds no number left shares one: a PIN, shown once, means their session there for whoever withholds
/// their number or shows their own. The other side calls back as ever, and I17 holds.
#[tokio::test]
async fn a_pin_opens_a_session_on_a_shared_number() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        assert!((7..=10).contains(&shared.pin.len()), "{}", shared.session);
        assert_eq!(shared.session["participants"][0]["pin_use"], "alone");
        assert_eq!(shared.session["participants"][1]["pin_use"], Value::Null);
        assert_ne!(shared.number, shared.own);
        let path = format!("/sessions/{}", shared.session["id"].as_str().unwrap());
        let read = done(&stage.world, "GET", &path, None).await;
        assert_eq!(read["participants"][0]["pin"], Value::Null, "it is shown once");

        let seller = Some([stage.number(3), shared.own.clone()]);
        assert_eq!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await), seller);
        let log = stage.last().await;
        assert_eq!(
            (&log["session_id"], &log["from_role"]),
            (&shared.session["id"], &json!("buyer"))
        );
        assert_eq!((&log["outcome"], &log["caller_attestation"]), (&Value::Null, &json!("none")));
        let wrong = other(&shared.pin);
        let heard = stage.withheld(&shared.number, &[&wrong, "", &shared.pin]).await;
        assert_eq!(rings(&heard), seller, "the third of three");
        let document = stage.calls(Some(&stage.number(0)), &shared.number, None).await;
        assert!(!document.to_string().contains(&stage.number(3)[1..]), "I17: {document}");
        assert_eq!(rings(&stage.keys(&document, &shared.pin).await), seller);
        // Who calls back is known by their own number, and shows the shared one.
        let back = stage.calls(Some(&stage.number(3)), &shared.own, None).await;
        assert_eq!(rings(&back), Some([stage.number(0), shared.number.clone()]));

        let heard = stage.withheld(&shared.number, &[&wrong, &wrong, &wrong]).await;
        assert!(rings(&heard).is_none() && !asks(&heard), "neutral words: {heard}");
        let log = stage.last().await;
        assert_eq!((&log["outcome"], &log["reason"]), (&json!("refused"), &json!("pin_wrong")));
        assert_eq!(
            stage.events("call.refused").await.len(),
            1,
            "one who got through is not refused"
        );
        stage.end(database).await;
    }
}

/// A telephone that shows another number than the PIN's person is not put through, unless the service says that
/// any will do. Both hear the same.
#[tokio::test]
async fn another_telephone_needs_the_rule() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let stranger = stage.number(4);
        let document = stage.calls(Some(&stranger), &shared.number, None).await;
        let again = stage.keys(&document, &shared.pin).await;
        assert!(rings(&again).is_none() && asks(&again), "{again}");
        let wrong = stage.keys(&again, &other(&shared.pin)).await;
        assert!(rings(&wrong).is_none() && asks(&wrong), "{wrong}");
        stage.rules(json!({ "pin_from_any_phone": true })).await;
        let document = stage.calls(Some(&stranger), &shared.number, None).await;
        let through = stage.keys(&document, &shared.pin).await;
        assert_eq!(rings(&through), Some([stage.number(3), shared.own.clone()]));
        let log = stage.last().await;
        assert_eq!(log["from_role"], "buyer");
        stage.end(database).await;
    }
}

/// I3, I8: where the session closes, expires, is blocked, or its PIN is replaced while it is being asked for, it
/// connects nobody; and a call that was put through is not put through by a repeated question after the close.
#[tokio::test]
async fn i3_a_pin_opens_nothing_after_the_close() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let id = shared.session["id"].as_str().unwrap();
        let asked = stage.calls(None, &shared.number, None).await;
        let through = stage.keys(&asked, &shared.pin).await;
        assert!(rings(&through).is_some());
        assert_eq!(stage.keys(&asked, &shared.pin).await, through, "the same question");
        let waiting = stage.calls(None, &shared.number, None).await;
        let buyer = shared.session["participants"][0]["id"].as_str().unwrap();
        let seller = shared.session["participants"][1]["id"].as_str().unwrap();
        let blocking = format!("/sessions/{id}/participants/{seller}/block");
        done(&stage.world, "PUT", &blocking, None).await;
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_none(), "I8");
        done(&stage.world, "DELETE", &blocking, None).await;

        let path = format!("/sessions/{id}/participants/{buyer}/pin");
        let changed = stage.done("PUT", &path, json!({ "pin": "auto" })).await;
        let new = changed["participants"][0]["pin"].as_str().unwrap().to_owned();
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_none(), "rotated");
        assert!(rings(&stage.withheld(&shared.number, &[&new]).await).is_some());

        stage.close(&shared.session).await;
        let late = stage.keys(&waiting, &new).await;
        assert!(rings(&late).is_none() && asks(&late), "{late}");
        assert!(rings(&stage.withheld(&shared.number, &[&new]).await).is_none());
        // Opened again, its PIN is what it was; the one before it is not.
        done(&stage.world, "POST", &format!("/sessions/{id}/reopen"), None).await;
        assert!(rings(&stage.withheld(&shared.number, &[&new]).await).is_some());
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_none());
        stage.end(database).await;
    }
}

/// A close and a PIN at once: whoever is told first that it is closed hears nobody ring after that (I3).
#[tokio::test]
async fn i3_a_close_and_a_pin_at_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        stage.session([0, 1], None).await;
        for _ in 0..8 {
            let session = stage.session([0, 3], None).await;
            let buyer = &session["participants"][0];
            let (number, pin) = (buyer["proxy_number"].as_str().unwrap(), &buyer["pin"]);
            let asked = stage.calls(None, number, None).await;
            let closing = stage.close(&session);
            let (heard, ()) = tokio::join!(stage.keys(&asked, pin.as_str().unwrap()), closing);
            // Whatever it was, the answer to the same question is never again that they are connected.
            let again = stage.keys(&asked, pin.as_str().unwrap()).await;
            assert!(rings(&again).is_none(), "{heard} {again}");
        }
        stage.end(database).await;
    }
}

/// Too many wrong PINs: for an hour none is listened to on that number, not the right one either, and the
/// marketplace is told once. Who shows their own number has a budget of their own.
#[tokio::test]
async fn wrong_pins_lock_the_number() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let wrong = other(&shared.pin);
        for _ in 0..10 {
            stage.withheld(&shared.number, &[&wrong, &wrong]).await;
        }
        for _ in 0..2 {
            let heard = stage.withheld(&shared.number, &[&shared.pin]).await;
            assert!(rings(&heard).is_none() && !asks(&heard), "{heard}");
            let log = stage.last().await;
            assert_eq!(
                (&log["outcome"], &log["reason"]),
                (&json!("refused"), &json!("pin_locked"))
            );
        }
        let told = stage.events("pin.locked").await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["data"]["scope"], "number");
        assert!(!json!(told).to_string().contains(&wrong));
        // Their own telephone proves more than a guess.
        let own = stage.number(0);
        let document = stage.calls(Some(&own), &shared.number, None).await;
        assert!(rings(&stage.keys(&document, &shared.pin).await).is_some());
        for _ in 0..5 {
            let document = stage.calls(Some(&own), &shared.number, None).await;
            stage.keys(&document, &wrong).await;
        }
        let document = stage.calls(Some(&own), &shared.number, None).await;
        assert!(rings(&stage.keys(&document, &shared.pin).await).is_none(), "5 in an hour");
        assert_eq!(stage.events("pin.locked").await.len(), 2);
        stage.world.clock.advance(HOUR_MS + 1_000);
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_some());
        let document = stage.calls(Some(&own), &shared.number, None).await;
        assert!(rings(&stage.keys(&document, &shared.pin).await).is_some());
        stage.end(database).await;
    }
}

/// A text to a shared number begins with its writer's code, which goes no further; without, or with another's, it
/// goes to nobody, and one text a day says how it is done.
#[tokio::test]
async fn a_text_to_a_shared_number_begins_with_a_code() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let text = async |from: usize, to: &str, words: &str| {
            let to = Identifier::parse(to).unwrap();
            let body = entremise::domain::message::Body::new(words.to_owned());
            let phone = stage.market.people[from].phone;
            stage.market.network.text(phone, &to, body).unwrap();
            stage.world.running.idle().await;
        };
        text(0, &shared.number, &format!("{} Is it still there?", shared.pin)).await;
        let got = stage.got(3).await;
        assert_eq!(got, [(shared.own.clone(), "Is it still there?".to_owned())]);
        text(3, &shared.own, "Yes").await;
        assert_eq!(stage.got(0).await, [(shared.number.clone(), "Yes".to_owned())]);
        text(0, &shared.number, "And now?").await;
        text(0, &shared.number, "4821 And now?").await;
        let log = stage.last().await;
        assert_eq!((&log["outcome"], &log["reason"]), (&json!("refused"), &json!("pin_wrong")));
        let got = stage.got(0).await;
        assert_eq!(got.len(), 2, "{got:?}");
        assert!(got.iter().any(|(from, words)| *from == shared.number && words.contains("code")));
        // Another's code from another's telephone.
        text(4, &shared.number, &format!("{} It is me", shared.pin)).await;
        assert_eq!(stage.got(3).await.len(), 1);
        assert!(stage.got(4).await[0].1.contains("code"));
        stage.close(&shared.session).await;
        text(0, &shared.number, &format!("{} Hello?", shared.pin)).await;
        assert_eq!(stage.got(3).await.len(), 1, "I3");
        stage.end(database).await;
    }
}

/// What becomes of calls follows what the network says of the caller, alike for those who are in a session and
/// those who are not (I5); a PIN of the marketplace's own opens its session beside its person's number only.
#[tokio::test]
async fn calls_are_treated_as_the_network_vouches_for_them() {
    for database in support::databases().await {
        let assurance = AssuranceRules {
            b: Treatment::Pin,
            c: Treatment::PressOne,
            failed: Treatment::Refuse,
            ..AssuranceRules::default()
        };
        let rules = Rules { assurance, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let session = stage.session([0, 1], Some("4821")).await;
        let buyer = &session["participants"][0];
        assert_eq!((&buyer["pin_use"], &buyer["pin"]), (&json!("beside"), &Value::Null));
        let (own, to) = (stage.number(0), buyer["proxy_number"].as_str().unwrap().to_owned());
        let seller = Some([
            stage.number(1),
            session["participants"][1]["proxy_number"].as_str().unwrap().to_owned(),
        ]);
        for (attestation, screened) in [(Some("a"), false), (None, false), (Some("c"), true)] {
            let document = stage.calls(Some(&own), &to, attestation).await;
            assert_eq!(rings(&document), seller, "{attestation:?}");
            let steps = document["steps"].as_array().unwrap();
            assert_eq!(steps[0]["to"][0]["answer_url"].is_string(), screened, "{document}");
            assert_eq!(stage.last().await["caller_attestation"], attestation.unwrap_or("none"));
        }
        let told = stage.events("caller.unverified").await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["data"]["treatment"], "press_one");
        let refused = stage.calls(Some(&own), &to, Some("failed")).await;
        let log = stage.last().await;
        assert_eq!(
            (&log["outcome"], &log["reason"]),
            (&json!("refused"), &json!("caller_unverified"))
        );
        assert_eq!(refused, stage.calls(Some(&stage.number(4)), &to, Some("failed")).await, "I5");

        let asked = stage.calls(Some(&own), &to, Some("b")).await;
        assert_eq!(rings(&stage.keys(&asked, "4821").await), seller);
        let asked = stage.calls(Some(&stage.number(4)), &to, Some("b")).await;
        assert!(
            rings(&stage.keys(&asked, "4821").await).is_none(),
            "it is good beside their number"
        );
        // Who hides their number hears the neutral words, until the service has them asked; a PIN that its
        // marketplace chose is not enough for them.
        assert!(!asks(&stage.calls(None, &to, None).await));
        stage.rules(json!({ "pin_for_withheld": true })).await;
        assert!(rings(&stage.withheld(&to, &["4821"]).await).is_none());
        let path = format!(
            "/sessions/{}/participants/{}/pin",
            session["id"].as_str().unwrap(),
            buyer["id"].as_str().unwrap()
        );
        let made = stage.done("PUT", &path, json!({ "pin": "auto" })).await;
        let pin = made["participants"][0]["pin"].as_str().unwrap().to_owned();
        assert_eq!(rings(&stage.withheld(&to, &[&pin]).await), seller);
        done(&stage.world, "DELETE", &path, None).await;
        assert!(rings(&stage.withheld(&to, &[&pin]).await).is_none());
        stage.end(database).await;
    }
}

/// What can't be is refused, and changes nothing: PINs of another form, one taken away from whoever is known by
/// it alone, a shared number that is named, un-shared or retired while it is dialled, and no number at all where
/// the service does not share.
#[tokio::test]
async fn what_can_t_be_is_refused() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let id = shared.session["id"].as_str().unwrap();
        let buyer = shared.session["participants"][0]["id"].as_str().unwrap();
        let path = format!("/sessions/{id}/participants/{buyer}/pin");
        for pin in ["123", "123456789", "12a4", "", "AUTO"] {
            let (status, body) = ask(&stage.world, "PUT", &path, Some(json!({ "pin": pin }))).await;
            assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("pin")), "{pin}: {body}");
            let (status, _) =
                ask(&stage.world, "POST", "/sessions", Some(stage.pair([2, 5], Some(pin)))).await;
            assert_eq!(status, 422, "{pin}");
        }
        let (status, body) = ask(&stage.world, "PUT", &path, Some(json!({}))).await;
        assert_eq!(status, 422, "{body}");
        let (status, body) = ask(&stage.world, "DELETE", &path, None).await;
        assert_eq!((status, &body["code"]), (409, &json!("pin_needed")), "{body}");
        let number = format!("/numbers/{}", stage.market.numbers[1]);
        for change in [json!({ "shared": false }), json!({ "state": "retired" })] {
            let (status, body) = ask(&stage.world, "PATCH", &number, Some(change)).await;
            assert_eq!(status, 409, "{body}");
        }
        let ordinary = format!("/numbers/{}", stage.market.numbers[0]);
        let (status, body) =
            ask(&stage.world, "PATCH", &ordinary, Some(json!({ "shared": true }))).await;
        assert_eq!(status, 409, "{body}");
        let mut named = stage.pair([2, 5], None);
        named["participants"][0]["proxy_number_id"] = json!(stage.market.numbers[1]);
        let (status, body) = ask(&stage.world, "POST", "/sessions", Some(named)).await;
        assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("number_shared")), "{body}");
        let off = json!({ "number_id": stage.market.numbers[1], "why": "dead" });
        let (status, body) = ask(&stage.world, "POST", "/number-moves", Some(off)).await;
        assert_eq!(status, 422, "{body}");
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_some());

        stage.rules(json!({ "pin_fallback": false })).await;
        let (status, body) =
            ask(&stage.world, "POST", "/sessions", Some(stage.pair([0, 5], None))).await;
        assert_eq!((status, &body["code"]), (409, &json!("pool_exhausted")), "{body}");
        let hook =
            json!({ "twilio_proxy": { "intercept_callback_url": "https://bikes.example/i" } });
        stage.rules(hook).await;
        let (status, body) =
            ask(&stage.world, "PATCH", "/services/bikes", Some(json!({ "pin_fallback": true })))
                .await;
        assert_eq!(status, 422, "{body}");
        stage.end(database).await;
    }
}

/// With simulated telephones: who hides their number is asked, presses the keys, and the two talk; whoever hangs
/// up while they are asked was refused.
#[tokio::test]
async fn two_talk_by_pin_over_the_sandbox() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let network = &stage.market.network;
        let (buyer, seller) = (stage.market.people[0].phone, stage.market.people[3].phone);
        network.set_withheld(buyer, true).unwrap();
        let to = Identifier::parse(&shared.number).unwrap();
        let asked = |view: &PhoneView| {
            view.call().is_some_and(|call| {
                call.heard
                    .iter()
                    .any(|one| matches!(one, Sound::Words { text, .. } if text.contains("code")))
            })
        };
        let call = network.dial(buyer, &to).unwrap();
        network.until(buyer, asked).await;
        for key in shared.pin.chars().chain(['#']) {
            network.press(buyer, &call, key).unwrap();
        }
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = network.until(seller, ringing).await;
        network.answer(seller, &view.call().unwrap().id).unwrap();
        let talks = |view: &PhoneView| {
            view.call().is_some_and(|call| call.heard.last() == Some(&Sound::Person))
        };
        network.until(buyer, talks).await;
        network.hang_up(buyer, &call).unwrap();
        network.until(seller, |view| view.call().is_none()).await;
        stage.world.running.idle().await;
        let log = support::interactions(&stage.world).await;
        assert_eq!((log.len(), log[0].outcome), (1, Some(Outcome::Connected)));

        let call = network.dial(buyer, &to).unwrap();
        network.until(buyer, asked).await;
        network.hang_up(buyer, &call).unwrap();
        support::until(async || support::interactions(&stage.world).await[0].outcome.is_some())
            .await;
        let log = support::interactions(&stage.world).await;
        let ended = (log[0].outcome, log[0].reason);
        assert_eq!(ended, (Some(Outcome::Refused), Some(Reason::PinMissing)));
        stage.end(database).await;
    }
}
