//! Texts, calls, a message, a recording, pictures, refusals, failures, moves and a close: whatever a relay may come to log
//! or keep, of people whose numbers, names and words are nowhere else in the tests.

use std::sync::Arc;

use entremise::{
    domain::{interaction::Kind, message::Body, phone::Identifier},
    sandbox::{CallStage, Faults, Network, PhoneId, PhoneView, Sound},
    store::pauses::{self, Pause, PauseScope, PauseWhy},
};
use serde_json::{Value, json};

use crate::{
    receiver::{self, done},
    support::{self, World},
};

/// Ada, Grace, somebody who is in no session, and the marketplace's own line: digits, and how many of them
/// are the calling code.
pub(crate) const NUMBERS: [(&str, &str, usize); 4] = [
    ("Ada's number", "19075550171", 1),
    ("Grace's number", "19075550172", 1),
    ("the stranger's number", "19075550173", 1),
    ("the line's number", "33639980097", 2),
];
pub(crate) const NAMES: [&str; 2] = ["Ada Canary-Byron", "Grace Canary \"Amazing\" Hopper"];
pub(crate) const WORDS: &str = "Canary: rendez-vous à 9 h, near <the fountain> & \"L'Été\" 🚲";
/// What is flagged by content rules, and kept as it was written.
pub(crate) const FLAGGED: &str = "canary.bird@fountain.example is where I read";
/// Where a carrier has a picture: such an address names its account.
pub(crate) const PICTURE: &str = "files.example/canary-account-of-the-carrier/picture";
const LONG_PART: &str = "canary part that waits for the others";
pub(crate) const OTHER_WORDS: [(&str, &str); 3] =
    [("flagged words", FLAGGED), ("a part", LONG_PART), ("where a picture is", PICTURE)];

fn number(place: usize) -> Identifier {
    Identifier::parse(&format!("+{}", NUMBERS[place].1)).unwrap()
}

fn text(network: &Arc<Network>, phone: PhoneId, to: &Identifier, words: &str) {
    network.text(phone, to, Body::new(words.into())).unwrap();
}

fn rings(view: &PhoneView) -> bool {
    view.call().is_some_and(|call| call.stage == CallStage::Ringing)
}

fn hears(view: &PhoneView, sound: &Sound) -> bool {
    view.call().is_some_and(|call| call.heard.last() == Some(sound))
}

/// A PIN that the marketplace chose, and one that is nobody's.
const CHOSEN_PIN: &str = "80264179";
const WRONG_PIN: &str = "90817263";

/// What was heard and seen on the way that is a secret of theirs as well.
pub(crate) struct Heard {
    /// Pieces of pictures and voices.
    pub(crate) files: Vec<Vec<u8>>,
    /// PINs and codes, each with what it is.
    pub(crate) codes: Vec<(&'static str, String)>,
}

/// A marketplace whose rules keep and send as much as rules can.
pub(crate) struct Story<'w> {
    pub(crate) world: &'w World,
    pub(crate) service: String,
    pub(crate) session: String,
    phones: [PhoneId; 4],
    dials: [Identifier; 2],
    /// By place of the person.
    participants: [String; 2],
    numbers: [String; 2],
}

impl<'w> Story<'w> {
    pub(crate) async fn begin(world: &'w World, url: &str) -> Self {
        done(world, "POST", "/endpoints", Some(json!({ "url": url }))).await;
        let rules = json!({
            "unique_name": "canaries", "brand": "Bikes", "out_of_session": "forward",
            "out_of_session_number": number(3).expose(), "out_of_session_text": "Open Bikes.",
            "missed_call_text": "Somebody called.", "voicemail": true, "voicemail_text": true,
            "keep_texts": true, "tell_of_moves": true, "stop_words": "number", "first_text": true,
            "pin_for_withheld": true,
            "content": {
                "email": "redact", "keep_originals": true, "legal_basis": "a balancing test",
                "notice": "Why: bikes.example/texts",
            },
        });
        let service = done(world, "POST", "/services", Some(rules)).await;
        let service = service["id"].as_str().unwrap().to_owned();
        for place in 150..154 {
            let number = json!({
                "number": format!("+{}{place:04}", 1_415_555), "service_id": service,
            });
            done(world, "POST", "/numbers", Some(number)).await;
        }
        let phones = [0, 1, 2, 3]
            .map(|place| world.network.register(&format!("P{place}"), number(place)).unwrap());
        let person = |place: usize, role: &str| json!({ "role": role, "identifier": number(place).expose(), "name": NAMES[place] });
        let new = json!({
            "service_id": service, "unique_name": "order-7",
            "participants": [person(0, "buyer"), person(1, "seller")],
        });
        let session = done(world, "POST", "/sessions", Some(new)).await;
        let of = |place: usize, member: &str| {
            session["participants"][place][member].as_str().unwrap().to_owned()
        };
        let dials = [0, 1].map(|place| Identifier::parse(&of(place, "proxy_number")).unwrap());
        Self {
            world,
            service,
            session: session["id"].as_str().unwrap().to_owned(),
            phones,
            dials,
            participants: [0, 1].map(|place| of(place, "id")),
            numbers: [0, 1].map(|place| of(place, "proxy_number_id")),
        }
    }

    /// All of it.
    pub(crate) async fn play(&self) -> Heard {
        let mut files = self.texts().await;
        self.calls().await;
        let mut codes = self.proved().await;
        files.push(self.recorded().await);
        self.misplaced().await;
        self.asked_by_the_marketplace().await;
        self.moved().await;
        codes.extend(self.verified().await);
        self.guarded().await;
        self.closed().await;
        Heard { files, codes }
    }

    /// The proxy number that Ada dialled.
    pub(crate) fn dialled(&self) -> &str {
        self.dials[0].expose()
    }

    async fn idle(&self) {
        self.world.running.idle().await;
    }

    async fn texts(&self) -> Vec<Vec<u8>> {
        let network = &self.world.network;
        let [ada, grace, ..] = self.phones;
        let got = |view: &PhoneView| view.received().any(|text| text.body.expose() == WORDS);
        text(network, ada, &self.dials[0], WORDS);
        network.until(grace, got).await;
        let plain = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([u8::try_from(x * 6).unwrap(), u8::try_from(y * 7).unwrap(), 99])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        plain.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        let bytes = bytes.into_inner();
        let there = network.add_picture(bytes.clone().into()).unwrap();
        network.text_with(ada, &self.dials[0], Body::new(WORDS.into()), vec![there]).unwrap();
        self.idle().await;
        let view = network.seen(grace).unwrap();
        let passed_on = view.received().flat_map(|text| text.media.clone()).next();
        let passed_on = passed_on.expect("the picture was passed on");
        let path = passed_on.strip_prefix(&self.world.running.origin).unwrap().to_owned();
        let answer = receiver::get(self.world, &path).await;
        assert_eq!(answer.status, http::StatusCode::OK, "{path}");
        // One that can't be had, and one that may not be fetched.
        let pictures = [format!("https://{PICTURE}"), format!("http://10.0.0.1/{PICTURE}")];
        network.text_with(ada, &self.dials[0], Body::new(WORDS.into()), pictures.into()).unwrap();
        self.idle().await;
        text(network, grace, &self.dials[1], FLAGGED);
        self.idle().await;
        // A carrier in trouble makes us log errors and try again.
        network.set_faults(Faults { fail_next: 1, accept_then_fail: 1, ..Faults::default() });
        text(network, grace, &self.dials[1], WORDS);
        self.idle().await;
        network.set_faults(Faults::default());
        // The middles: their beginnings are those of all such files.
        let middle = |file: &[u8]| file[file.len() / 2..][..32].to_vec();
        vec![middle(&bytes), middle(&answer.body)]
    }

    async fn calls(&self) {
        let network = &self.world.network;
        let [ada, grace, ..] = self.phones;
        let call = network.dial(grace, &self.dials[1]).unwrap();
        let view = network.until(ada, rings).await;
        network.answer(ada, &view.call().unwrap().id).unwrap();
        network.until(grace, |view| hears(view, &Sound::Person)).await;
        network.hang_up(grace, &call).unwrap();
        self.idle().await;
        // Nobody takes this one: a message is left.
        let call = network.dial(ada, &self.dials[0]).unwrap();
        let view = network.until(grace, rings).await;
        network.decline(grace, &view.call().unwrap().id).unwrap();
        network.until(ada, |view| hears(view, &Sound::Tone)).await;
        network.press(ada, &call, '#').unwrap();
        network.until(ada, |view| view.call().is_none()).await;
        self.idle().await;
    }

    /// PINs, one that we made and one that was chosen; a caller without a number gives a wrong one and a right one.
    async fn proved(&self) -> Vec<(&'static str, String)> {
        let network = &self.world.network;
        let [_, grace, stranger, _] = self.phones;
        let pin = |place: usize| {
            format!("/sessions/{}/participants/{}/pin", self.session, self.participants[place])
        };
        done(self.world, "PUT", &pin(1), Some(json!({ "pin": CHOSEN_PIN }))).await;
        let made = done(self.world, "PUT", &pin(0), Some(json!({ "pin": "auto" }))).await;
        let made = made["participants"][0]["pin"].as_str().unwrap().to_owned();
        network.set_withheld(stranger, true).unwrap();
        let call = network.dial(stranger, &self.dials[0]).unwrap();
        for (asked, pin) in [(1, WRONG_PIN), (2, made.as_str())] {
            let question = |sound: &&Sound| matches!(sound, Sound::Words { text, .. } if text.contains("code"));
            let is_asked = |view: &PhoneView| {
                view.call().is_some_and(|call| call.heard.iter().filter(question).count() == asked)
            };
            network.until(stranger, is_asked).await;
            for key in pin.chars().chain(['#']) {
                network.press(stranger, &call, key).unwrap();
            }
        }
        network.until(grace, rings).await;
        network.hang_up(stranger, &call).unwrap();
        network.until(grace, |view| view.call().is_none()).await;
        network.set_withheld(stranger, false).unwrap();
        self.idle().await;
        vec![
            ("a PIN", made),
            ("a chosen PIN", CHOSEN_PIN.to_owned()),
            ("a wrong PIN", WRONG_PIN.to_owned()),
        ]
    }

    /// Both agree to be recorded; a piece of what is kept of it.
    async fn recorded(&self) -> Vec<u8> {
        let (world, network) = (self.world, &self.world.network);
        let [ada, grace, ..] = self.phones;
        let service = format!("/services/{}", self.service);
        let on = json!({
            "recording": "consent", "recording_purpose": "bikes that break", "call_max_seconds": 600,
        });
        done(world, "PATCH", &service, Some(on)).await;
        let asked = |view: &PhoneView| {
            let asks = |sound: &Sound| matches!(sound, Sound::Words { text, question: true, .. } if text.contains("bikes that break"));
            view.call().is_some_and(|call| call.heard.iter().any(asks))
        };
        let call = network.dial(ada, &self.dials[0]).unwrap();
        network.until(ada, asked).await;
        network.press(ada, &call, '1').unwrap();
        let view = network.until(grace, rings).await;
        let rung = view.call().unwrap().id.clone();
        network.answer(grace, &rung).unwrap();
        network.until(grace, asked).await;
        network.press(grace, &rung, '1').unwrap();
        let calls = done(world, "GET", "/interactions?kind=call&limit=1", None).await;
        let path = format!("/interactions/{}", calls["data"][0]["id"].as_str().unwrap());
        let state = async || done(world, "GET", &path, None).await["recording"]["state"].clone();
        support::until(async || state().await == "recording").await;
        network.hang_up(ada, &call).unwrap();
        support::until(async || state().await == "ready").await;
        self.idle().await;
        let answer = receiver::get(world, &format!("/api/v1{path}/recording")).await;
        assert_eq!((answer.status, &answer.body[..4]), (http::StatusCode::OK, &b"RIFF"[..]));
        done(world, "PATCH", &service, Some(json!({ "recording": "off" }))).await;
        answer.body[answer.body.len() / 2 + 1..][..40].to_vec()
    }

    /// Words and numbers in places where they do not belong: what answers them is a sink too.
    async fn misplaced(&self) {
        for (hook, event) in [
            ("message", json!({ "event": "message", "id": WORDS, "from": 7, "text": WORDS })),
            ("call", json!({ "event": "call", "to": number(0).expose() })),
            ("status", json!({ "event": number(1).expose() })),
        ] {
            support::webhook(self.world, hook, &event).await;
        }
        // A part of a long text waits for the others.
        let part = json!({
            "event": "message", "id": "part", "from": number(0).expose(), "text": LONG_PART,
            "to": self.dials[0].expose(), "part": { "reference": "7", "number": 1, "of": 2 },
        });
        assert!(support::webhook(self.world, "message", &part).await.status.is_success());
    }

    async fn asked_by_the_marketplace(&self) {
        let at = |what: &str| format!("/sessions/{}/{what}", self.session);
        let message = json!({ "participant_id": self.participants[0], "body": WORDS });
        done(self.world, "POST", &at("messages"), Some(message)).await;
        let call = json!({ "participant_id": self.participants[1] });
        done(self.world, "POST", &at("calls"), Some(call)).await;
        let grace = self.phones[1];
        let view = self.world.network.until(grace, rings).await;
        self.world.network.decline(grace, &view.call().unwrap().id).unwrap();
        self.idle().await;
        let search = json!({ "country": "US", "capabilities": ["voice", "sms"] });
        let order = json!({ "kind": "buy", "service_id": self.service, "search": search });
        done(self.world, "POST", "/number-orders", Some(order)).await;
    }

    async fn moved(&self) {
        let off = json!({ "number_id": self.numbers[0], "why": "dead", "tell": true });
        let row = done(self.world, "POST", "/number-moves", Some(off)).await;
        support::until(async || !self.world.running.relay.work_moves().await.unwrap()).await;
        self.idle().await;
        let path = format!("/number-moves/{}", row["id"].as_str().unwrap());
        let row = done(self.world, "GET", &path, None).await;
        assert!(row["moved"].as_u64() >= Some(1), "people are told of it: {row}");
    }

    /// Codes: one by a text, which is given back, and one that is said by a call, for which another is.
    async fn verified(&self) -> Vec<(&'static str, String)> {
        let network = &self.world.network;
        let [ada, _, stranger, _] = self.phones;
        let mut checks = Vec::new();
        for (to, channel) in [(0, "sms"), (2, "call")] {
            let to = number(to);
            let new = json!({
                "to": to.expose(), "channel": channel, "ip": "192.0.2.7",
                "service_id": self.service, "code_length": 8,
            });
            let made = done(self.world, "POST", "/verifications", Some(new)).await;
            checks.push(format!("/verifications/{}/check", made["id"].as_str().unwrap()));
        }
        let words = |view: &PhoneView| {
            let mut texts = view.received().map(|text| text.body.expose().to_owned());
            texts.find(|text| text.contains("Bikes code"))
        };
        let view = network.until(ada, |view| words(view).is_some()).await;
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let written = digits(&words(&view).unwrap());
        let view = network.until(stranger, rings).await;
        network.answer(stranger, &view.call().unwrap().id).unwrap();
        let view = network.until(stranger, |view| view.call().is_none()).await;
        let said = view.calls.iter().flat_map(|call| &call.heard).find_map(|sound| match sound {
            Sound::Words { text, .. } if text.contains("Bikes code") => Some(digits(text)),
            _ => None,
        });
        // It is said twice.
        let said = said.expect("a code is said")[..8].to_owned();
        for (check, code, valid) in [
            (&checks[0], WRONG_PIN, false),
            (&checks[0], &written, true),
            (&checks[1], WRONG_PIN, false),
        ] {
            let told = done(self.world, "POST", check, Some(json!({ "code": code }))).await;
            assert_eq!(told["valid"], valid, "{check}");
        }
        self.idle().await;
        vec![("a code in a text", written), ("a code in a call", said)]
    }

    /// What keeps people safe, and what keeps a case.
    async fn guarded(&self) {
        let hold = json!({ "session_id": self.session, "case_id": "C 12", "reason": "asked for by counsel" });
        done(self.world, "POST", "/legal-holds", Some(hold)).await;
        let out = json!({ "identifier": number(2).expose(), "scope": "account" });
        done(self.world, "POST", "/opt-outs", Some(out)).await;
        let report =
            json!({ "category": "harassment", "note": "asked for by counsel", "block": false });
        let path =
            format!("/sessions/{}/participants/{}/report", self.session, self.participants[0]);
        done(self.world, "POST", &path, Some(report)).await;
        let account = self.world.account.account.clone();
        let paused = self.world.running.relay.db().write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let pause = Pause {
                    account,
                    id: tx.id_at(now),
                    scope: PauseScope::Prefix,
                    kind: Kind::Call,
                    subject: "another".to_owned(),
                    why: PauseWhy::Limit,
                    slot: 0,
                    since: now,
                    until: now + std::time::Duration::from_hours(1),
                    lifted_at: None,
                };
                assert!(pauses::begin(tx, &pause).await?);
                Ok::<_, entremise::store::Error>(())
            })
        });
        paused.await.unwrap();
    }

    async fn closed(&self) {
        let network = &self.world.network;
        let [ada, _, stranger, _] = self.phones;
        let close = format!("/sessions/{}/close", self.session);
        done(self.world, "POST", &close, Some(json!({}))).await;
        for phone in [ada, stranger] {
            text(network, phone, &self.dials[0], WORDS);
            network.dial(phone, &self.dials[0]).unwrap();
            self.idle().await;
        }
        // Another one that is still open when everything is looked at.
        let person = |place: usize, role: &str| json!({ "role": role, "identifier": number(place).expose(), "name": NAMES[place] });
        let people = [person(0, "buyer"), person(1, "seller")];
        let new = json!({ "service_id": self.service, "participants": people });
        done(self.world, "POST", "/sessions", Some(new)).await;
        let stranger = json!({ "identifier": number(2).expose() });
        done(self.world, "POST", "/persons/erase", Some(stranger)).await;
        self.idle().await;
    }

    /// Requests with numbers and words where nobody takes them: what they are answered.
    pub(crate) async fn errors(&self) -> Vec<(String, Vec<u8>)> {
        let plain = number(0).expose().to_owned();
        let coded = plain.replace('+', "%2B");
        let session = |change: Value| {
            let mut new = json!({ "service_id": self.service, "participants": [] });
            new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            ("POST", "/api/v1/sessions".to_owned(), Some(new))
        };
        let person = |identifier: &str| json!([{ "role": "buyer", "identifier": identifier }]);
        let get = |path: String| ("GET", path, None);
        let message = json!({ "participant_id": WORDS, "body": WORDS.repeat(40) });
        let mut all = Vec::new();
        for (method, path, body) in [
            session(json!({ "participants": person(&format!("{plain}9999999999")) })),
            session(json!({ "participants": person(&format!("tel:{plain}")) })),
            session(json!({ "participants": [person(&plain)[0], person(&plain)[0]] })),
            session(json!({ "metadata": { "call": plain } })),
            session(json!({ "unique_name": plain })),
            session(json!({ plain.clone(): WORDS })),
            session(json!({ "mode": WORDS })),
            session(json!({ "ttl_seconds": plain })),
            ("POST", format!("/api/v1/sessions/{}/messages", self.session), Some(message)),
            get(format!("/api/v1/sessions/{coded}")),
            get(format!("/api/v1/sessions?service={coded}")),
            get(format!("/api/v1/sessions?{coded}=1")),
            get(format!("/api/v1/interactions?session={coded}")),
            get(format!("/api/v1/{coded}")),
            get(format!("/v1/Services/{coded}/Sessions")),
            get(format!("/hooks/{coded}/message")),
            get(format!("/media/{coded}")),
            get(format!("/{coded}")),
        ] {
            let answer = receiver::raw(self.world, method, &path, body).await;
            if answer.status.as_u16() >= 400 {
                let head = format!("{:?}", answer.headers);
                all.push((format!("{method} {path}"), [head.as_bytes(), &answer.body].concat()));
            }
        }
        assert!(all.len() > 14, "{}", all.len());
        all
    }

    /// The message that was left, as its own marketplace hears it.
    pub(crate) async fn voice(&self) -> Vec<u8> {
        let calls = done(self.world, "GET", "/interactions?kind=call&limit=100", None).await;
        let mut left = None;
        for call in calls["data"].as_array().unwrap() {
            let id = call["id"].as_str().unwrap();
            let call = done(self.world, "GET", &format!("/interactions/{id}"), None).await;
            left = left.or(call["voicemail"].is_object().then(|| id.to_owned()));
        }
        let left = left.expect("a message was left");
        let path = format!("/api/v1/interactions/{left}/voicemail");
        let answer = receiver::get(self.world, &path).await;
        assert_eq!((answer.status, &answer.body[..4]), (http::StatusCode::OK, &b"RIFF"[..]));
        answer.body[answer.body.len() / 2 + 1..][..40].to_vec()
    }
}
