//! Recordings of calls over Twilio: begun once both agreed by a key and not before, paused and ended by API,
//! fetched, kept for a while and deleted at the carrier.

use entremise::{
    domain::policy::{RecordingRule, RecordingRules, Rules},
    relay,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Asked, Came, Dialect, Scene, between},
    fake, over_plivo, over_twilio, poison,
    receiver::{self, get},
    support::{self, Database},
    voicemail::{CALL, RECORDING, VOICE, lines, path_in, text},
};

pub(crate) const CALLEE: &str = "CA00000000000000000000000000000002";
pub(crate) const DAY_MS: i64 = 86_400_000;

/// A session's rules with recording.
pub(crate) fn rules() -> Rules {
    let recording = RecordingRules {
        rule: RecordingRule::Consent,
        purpose: "disputes on fares".into(),
        ..RecordingRules::default()
    };
    Rules { recording, ..Rules::new("Bikes".into()) }
}

fn field(asked: &Asked, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(&asked.body);
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// An API that records, and says so.
fn tapes(asked: &Asked) -> (StatusCode, String) {
    let (method, path) = asked.line.split_once(' ').unwrap();
    let status = field(asked, "Status");
    let answer = |code, status| (code, json!({ "sid": RECORDING, "status": status }).to_string());
    match method {
        "GET" => (StatusCode::OK, VOICE.to_owned()),
        "DELETE" => (StatusCode::NO_CONTENT, String::new()),
        _ if path.ends_with("/Recordings.json") => {
            answer(StatusCode::CREATED, "in-progress".to_owned())
        }
        _ if path.contains("/Recordings/") => answer(StatusCode::OK, status.unwrap()),
        _ => (over_twilio::DIALECT.answer)(asked),
    }
}

pub(crate) static DIALECT: Dialect = Dialect { answer: tapes, ..over_twilio::DIALECT };

/// The same, whose answer to anything with that status is another.
fn but(asked: &Asked, status: &str, code: StatusCode) -> (StatusCode, String) {
    if asked.line.contains("/Recordings") && field(asked, "Status").as_deref() == Some(status) {
        return (code, String::new());
    }
    tapes(asked)
}

/// A call over Twilio.
pub(crate) struct Talk {
    pub(crate) scene: Scene,
}

impl Talk {
    pub(crate) async fn open(dialect: &'static Dialect, database: &Database, rules: Rules) -> Self {
        Self { scene: Scene::open(dialect, database, rules).await }
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> String {
        text(fake::webhook(&self.scene.world, path, fields).await)
    }

    /// The buyer calls; what they hear.
    pub(crate) async fn call(&self) -> String {
        let from = self.scene.person(0);
        let came = Came { from, to: self.scene.session.dials[0].expose(), words: "", id: 1 };
        text((over_twilio::DIALECT.call)(&self.scene.world, came).await)
    }

    /// Somebody presses that, or nothing, where a document asks for a key.
    pub(crate) async fn press(&self, call: &str, document: &str, digits: &str) -> String {
        let gather = between(document, "<Gather ", ">").to_owned();
        let path = path_in(&self.scene, &gather, "action=\"");
        let fields = [("CallSid", call), ("CallStatus", "in-progress"), ("Digits", digits)];
        self.post(&path, &fields).await
    }

    /// The seller answers; what they hear.
    pub(crate) async fn answer(&self, dial: &str) -> String {
        let path = path_in(&self.scene, dial, "<Number url=\"");
        self.post(&path, &[("CallSid", CALLEE), ("CallStatus", "in-progress")]).await
    }

    /// Both press that; what the carrier was asked since the first key.
    async fn keys(&self, [first, second]: [&str; 2]) -> Vec<Asked> {
        let asks = self.call().await;
        let dial = self.press(CALL, &asks, first).await;
        let whisper = self.answer(&dial).await;
        self.press(CALLEE, &whisper, second).await;
        self.scene.world.running.jobs.idle().await;
        self.scene.asked()
    }

    /// Both have agreed, and the call is recorded; where its news goes.
    pub(crate) async fn recorded(&self) -> String {
        let asked = self.keys(["1", "1"]).await;
        let [start] = &asked[..] else { panic!("{asked:?}") };
        self.scene.path(&start.field("RecordingStatusCallback"))
    }

    /// The two have spoken.
    pub(crate) async fn over(&self, dialled: &str) -> String {
        let leg = self.legs().await[0]["id"].as_str().unwrap().to_owned();
        let links = self.scene.market.relay.carriers().get("twilio").unwrap().links.clone();
        let leg = entremise::ids::LegId::parse(&leg).unwrap();
        let url = links.step(entremise::carrier::links::Step::Dialled, &leg);
        let fields = [
            ("CallSid", CALL),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", dialled),
            ("DialCallDuration", "42"),
        ];
        let answer = self.post(&self.scene.path(&url), &fields).await;
        self.scene.world.running.jobs.idle().await;
        answer
    }

    /// The carrier tells where the recording lies.
    pub(crate) async fn file(&self, path: &str) {
        let account = fake::ACCOUNT;
        let base = self.scene.api();
        let url = format!("{base}/2010-04-01/Accounts/{account}/Recordings/{RECORDING}");
        let fields = [
            ("CallSid", CALL),
            ("RecordingSid", RECORDING),
            ("RecordingStatus", "completed"),
            ("RecordingUrl", &*url),
            ("RecordingDuration", "42"),
        ];
        self.post(path, &fields).await;
        self.scene.world.running.jobs.idle().await;
    }

    pub(crate) async fn shown(&self) -> Value {
        let id = self.scene.only().await.id;
        receiver::done(&self.scene.world, "GET", &format!("/interactions/{id}"), None).await
    }

    async fn legs(&self) -> Vec<Value> {
        self.shown().await["legs"].as_array().unwrap().clone()
    }

    pub(crate) async fn state(&self) -> String {
        self.shown().await["recording"]["state"].as_str().unwrap_or_default().to_owned()
    }

    async fn reason(&self) -> Value {
        self.shown().await["recording"]["reason"].clone()
    }

    /// The marketplace wishes something; the status and what is said.
    async fn wish(&self, what: &str) -> (u16, Value) {
        let id = self.scene.only().await.id;
        let path = format!("/interactions/{id}/recording/{what}");
        let answer = receiver::ask(&self.scene.world, "POST", &path, None).await;
        self.scene.world.running.jobs.idle().await;
        answer
    }

    /// Which events of recordings the marketplace was told, the oldest first.
    async fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        let all = receiver::done(&self.scene.world, "GET", "/events?limit=100", None).await;
        for event in all["data"].as_array().unwrap().iter().rev() {
            let kind = event["type"].as_str().unwrap();
            told.extend(kind.strip_prefix("recording.").map(str::to_owned));
        }
        told
    }

    async fn later(&self, ms: i64) {
        self.scene.world.clock.advance(ms);
        self.scene.world.running.jobs.idle().await;
    }

    pub(crate) async fn end(self, database: Database) {
        self.scene.end(database).await;
    }
}

/// Both are told what for and press the key; the carrier is asked to record then and not before, without the
/// questions. What it made is fetched once, deleted there, told of, and heard by the API and at an address of ours
/// until its days are over.
#[tokio::test]
async fn a_call_is_recorded_once_both_agreed() {
    for database in support::databases().await {
        let talk = Talk::open(&DIALECT, &database, rules()).await;
        let (scene, world) = (&talk.scene, &talk.scene.world);
        let asks = talk.call().await;
        assert!(asks.contains("disputes on fares") && asks.contains("press 1"), "{asks}");
        assert!(!asks.contains("<Dial"), "nobody rings before they answered: {asks}");
        assert_eq!(talk.call().await, asks, "the same question has the same answer");
        let dial = talk.press(CALL, &asks, "1").await;
        assert!(dial.contains("<Dial") && !dial.contains("ecord"), "{dial}");
        assert_eq!(talk.press(CALL, &asks, "1").await, dial);
        let whisper = talk.answer(&dial).await;
        assert!(whisper.contains("disputes on fares"), "{whisper}");
        for place in [0, 1] {
            assert!(!whisper.contains(&scene.bare(place).0), "I17: {whisper}");
        }
        world.running.jobs.idle().await;
        assert!(scene.asked().is_empty(), "one alone has agreed");
        let joined = talk.press(CALLEE, &whisper, "1").await;
        assert_eq!(talk.press(CALLEE, &whisper, "1").await, joined, "the same key again");
        assert!(!joined.contains("Hangup"), "{joined}");
        world.running.jobs.idle().await;

        let asked = scene.asked();
        let [start] = &asked[..] else { panic!("{asked:?}") };
        assert!(start.line.ends_with(&format!("/Calls/{CALL}/Recordings.json")), "{}", start.line);
        assert_eq!(start.field("RecordingTrack"), "both");
        assert_eq!(talk.state().await, "recording");
        let consents = talk.shown().await["recording"]["consents"].clone();
        let [buyer, seller] = &consents.as_array().unwrap()[..] else { panic!("{consents}") };
        for (one, role) in [(buyer, "buyer"), (seller, "seller")] {
            assert_eq!((&one["role"], &one["agreed"]), (&json!(role), &json!(true)));
            assert_eq!((&one["wording"], &one["language"]), (&json!("agree/1"), &json!("en-US")));
        }
        let path = scene.path(&start.field("RecordingStatusCallback"));
        let answer = talk.over("completed").await;
        assert!(answer.contains("Hangup"), "{answer}");
        assert_eq!(talk.state().await, "stopped");
        talk.file(&path).await;
        talk.file(&path).await;

        let asked = scene.asked();
        let fetches = lines(&asked, "GET ");
        let [fetch] = &fetches[..] else { panic!("{asked:?}") };
        assert!(fetch.line.ends_with(&format!("/Recordings/{RECORDING}.mp3")), "{}", fetch.line);
        assert_eq!(lines(&asked, "DELETE ").len(), 1);
        assert_eq!(talk.told().await, ["started", "ready"]);
        let shown = talk.shown().await["recording"].clone();
        assert_eq!((&shown["state"], &shown["seconds"]), (&json!("ready"), &json!(42)));
        let address = shown["url"].as_str().unwrap().strip_prefix(&world.running.origin).unwrap();
        let by_api = format!("/api/v1/interactions/{}/recording", scene.only().await.id);
        for path in [address, &by_api] {
            let heard = get(world, path).await;
            assert_eq!((heard.status, &*heard.body), (StatusCode::OK, VOICE.as_bytes()));
        }
        world.clock.advance(30 * DAY_MS);
        for path in [address, &by_api] {
            assert_eq!(get(world, path).await.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(world.running.relay.forget_files().await.unwrap(), 1);
        talk.end(database).await;
    }
}

/// Without a key of both nothing is recorded, whoever pressed nothing or another key, and the two are connected;
/// who did not agree makes the question to the other needless.
#[tokio::test]
async fn nobody_is_recorded_who_did_not_agree() {
    for keys in [["", "1"], ["2", "1"], ["1", ""], ["1", "3"]] {
        for database in support::databases().await {
            let talk = Talk::open(&DIALECT, &database, rules()).await;
            let asks = talk.call().await;
            let dial = talk.press(CALL, &asks, keys[0]).await;
            assert!(dial.contains("<Dial"), "{keys:?}: {dial}");
            if keys[0] == "1" {
                let whisper = talk.answer(&dial).await;
                let joined = talk.press(CALLEE, &whisper, keys[1]).await;
                assert!(!joined.contains("Hangup"), "{keys:?}: {joined}");
                // What comes again, and says otherwise, changes nothing.
                talk.press(CALLEE, &whisper, "1").await;
            } else {
                assert!(!dial.contains("url=\""), "nobody else is asked: {dial}");
                talk.press(CALL, &asks, "1").await;
            }
            talk.scene.world.running.jobs.idle().await;
            assert!(talk.scene.asked().is_empty(), "{keys:?}");
            assert_eq!(talk.state().await, "declined", "{keys:?}");
            talk.over("completed").await;
            assert!(talk.told().await.is_empty());
            talk.end(database).await;
        }
    }
}

/// Where a call is taken by a key, that key agrees to nothing: another takes it and agrees.
#[tokio::test]
async fn the_key_that_takes_a_call_agrees_to_nothing() {
    for (key, taken, started) in [("1", true, 0), ("2", true, 1), ("", false, 0), ("3", false, 0)] {
        for database in support::databases().await {
            let rules = Rules { press_one: true, ..rules() };
            let talk = Talk::open(&DIALECT, &database, rules).await;
            let asks = talk.call().await;
            let dial = talk.press(CALL, &asks, "1").await;
            let whisper = talk.answer(&dial).await;
            assert!(whisper.contains("press 2"), "{whisper}");
            let joined = talk.press(CALLEE, &whisper, key).await;
            assert_eq!(!joined.contains("Hangup"), taken, "{key}: {joined}");
            talk.scene.world.running.jobs.idle().await;
            assert_eq!(talk.scene.asked().len(), started, "{key}");
            let consents = talk.shown().await["recording"]["consents"].clone();
            assert_eq!(consents.as_array().unwrap().len(), if taken { 2 } else { 1 }, "{key}");
            talk.end(database).await;
        }
    }
}

/// A recording is paused, goes on and is ended by API, each told of once the carrier has confirmed it; what makes
/// no sense is refused and changes nothing. What was recorded until then is kept.
#[tokio::test]
async fn a_recording_is_paused_and_ended_by_api() {
    for database in support::databases().await {
        let talk = Talk::open(&DIALECT, &database, rules()).await;
        let path = talk.recorded().await;
        let (status, refused) = talk.wish("resume").await;
        assert_eq!((status, &refused["state"]), (202, &json!("recording")), "it runs: {refused}");
        let statuses = |asked: Vec<Asked>| -> Vec<String> {
            asked.iter().map(|one| one.field("Status")).collect()
        };
        for (what, state, wanted) in
            [("pause", "paused", "paused"), ("resume", "recording", "in-progress")]
        {
            for _ in 0..2 {
                assert_eq!(talk.wish(what).await.0, 202, "{what}");
                assert_eq!(talk.state().await, state);
            }
            let asked = talk.scene.asked();
            let end = format!("/Calls/{CALL}/Recordings/{RECORDING}.json");
            assert!(asked.iter().all(|one| one.line.ends_with(&end)), "{asked:?}");
            assert_eq!(statuses(asked), [wanted], "asked once");
        }
        assert_eq!(talk.wish("stop").await.0, 202);
        assert_eq!(statuses(talk.scene.asked()), ["stopped"]);
        for what in ["pause", "resume"] {
            let (status, problem) = talk.wish(what).await;
            assert_eq!((status, &problem["code"]), (409, &json!("recording_not_running")));
            assert_eq!(problem["state"], "stopped");
        }
        talk.file(&path).await;
        talk.over("completed").await;
        assert_eq!(talk.state().await, "ready");
        let told = talk.told().await;
        assert_eq!(told, ["started", "paused", "resumed", "stopped", "ready"]);
        talk.end(database).await;
    }
}

/// A pause that the carrier does not confirm ends the recording, and nothing of it is kept: not the file that comes
/// later. Where the end is not confirmed either, the call ends.
#[tokio::test]
async fn a_pause_that_is_not_confirmed_keeps_nothing() {
    static REFUSED: Dialect = Dialect {
        answer: |asked| but(asked, "paused", StatusCode::BAD_REQUEST),
        ..over_twilio::DIALECT
    };
    static SILENT: Dialect = Dialect {
        answer: |asked| match field(asked, "Status").as_deref() {
            Some("paused" | "stopped") => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            _ => tapes(asked),
        },
        ..over_twilio::DIALECT
    };
    for (dialect, ended) in [(&REFUSED, false), (&SILENT, true)] {
        for database in support::databases().await {
            let talk = Talk::open(dialect, &database, rules()).await;
            let path = talk.recorded().await;
            talk.wish("pause").await;
            for _ in 0..4 {
                talk.later(1_500).await;
            }
            let asked = talk.scene.asked();
            let call = format!("/Calls/{CALL}.json");
            let ends = asked.iter().filter(|one| one.line.ends_with(&call)).count();
            assert_eq!(ends, usize::from(ended), "{asked:?}");
            assert_eq!(field(&asked[1], "Status").as_deref(), Some("stopped"), "{asked:?}");
            talk.over("completed").await;
            talk.file(&path).await;
            let asked = talk.scene.asked();
            assert!(lines(&asked, "GET ").is_empty(), "{asked:?}");
            assert_eq!(lines(&asked, "DELETE ").len(), 1);
            assert_eq!(talk.state().await, "failed");
            assert_eq!(talk.reason().await, "pause_unconfirmed");
            assert_eq!(talk.told().await.last().unwrap(), "failed");
            talk.end(database).await;
        }
    }
}

/// What the carrier says has to be what was asked: a 200 that says that it still runs is no pause.
#[tokio::test]
async fn an_answer_that_says_otherwise_confirms_nothing() {
    static DEAF: Dialect = Dialect {
        answer: |asked| match field(asked, "Status").as_deref() {
            Some("paused") => {
                let answer = json!({ "sid": RECORDING, "status": "in-progress" });
                (StatusCode::OK, answer.to_string())
            }
            _ => tapes(asked),
        },
        ..over_twilio::DIALECT
    };
    for database in support::databases().await {
        let talk = Talk::open(&DEAF, &database, rules()).await;
        talk.recorded().await;
        talk.wish("pause").await;
        assert_eq!(
            (talk.state().await, talk.reason().await),
            ("stopped".into(), json!("pause_unconfirmed"))
        );
        talk.end(database).await;
    }
}

/// A start that is refused leaves the call unrecorded; one in doubt is ended and what came of it deleted.
#[tokio::test]
async fn a_start_that_is_not_confirmed_keeps_nothing() {
    fn starts(asked: &Asked, code: StatusCode) -> (StatusCode, String) {
        if asked.line.ends_with("/Recordings.json") { (code, String::new()) } else { tapes(asked) }
    }
    static REFUSED: Dialect =
        Dialect { answer: |asked| starts(asked, StatusCode::BAD_REQUEST), ..over_twilio::DIALECT };
    static SILENT: Dialect = Dialect {
        answer: |asked| starts(asked, StatusCode::INTERNAL_SERVER_ERROR),
        ..over_twilio::DIALECT
    };
    for (dialect, asked) in [(&REFUSED, 1), (&SILENT, 2)] {
        for database in support::databases().await {
            let talk = Talk::open(dialect, &database, rules()).await;
            let all = talk.keys(["1", "1"]).await;
            assert_eq!(all.len(), asked, "{all:?}");
            if let Some(stop) = all.get(1) {
                assert!(stop.line.ends_with("/Recordings/Twilio.CURRENT.json"), "{}", stop.line);
            }
            assert_eq!(talk.reason().await, "not_started");
            let path = talk.scene.path(&all[0].field("RecordingStatusCallback"));
            talk.over("completed").await;
            talk.file(&path).await;
            let later = talk.scene.asked();
            let counts = ["GET ", "DELETE "].map(|method| lines(&later, method).len());
            assert_eq!(counts, [0, 1], "whatever there is is deleted: {later:?}");
            assert_eq!(
                talk.told().await,
                if asked == 1 { vec!["failed"] } else { vec!["stopped", "failed"] }
            );
            talk.end(database).await;
        }
    }
}

/// A recording of which no news comes is deleted at its carrier by its id, and told of as lost; so is one of a
/// session that was deleted meanwhile, of which nothing is fetched.
#[tokio::test]
async fn no_recording_is_left_at_a_carrier() {
    for database in support::databases().await {
        let talk = Talk::open(&DIALECT, &database, rules()).await;
        talk.recorded().await;
        talk.over("completed").await;
        talk.later(3_600_000).await;
        assert!(lines(&talk.scene.asked(), "DELETE ").is_empty(), "it may still come");
        talk.later(3_700_000).await;
        assert_eq!(lines(&talk.scene.asked(), "DELETE ").len(), 1);
        assert_eq!((talk.state().await, talk.reason().await), ("failed".into(), json!("lost")));
        talk.end(database).await;
    }
    for database in support::databases().await {
        let talk = Talk::open(&DIALECT, &database, rules()).await;
        let path = talk.recorded().await;
        let (account, id) = (talk.scene.market.account.clone(), talk.scene.session.id.clone());
        let deleted = talk.scene.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        talk.file(&path).await;
        let asked = talk.scene.asked();
        let counts = ["GET ", "DELETE "].map(|method| lines(&asked, method).len());
        assert_eq!(counts, [0, 1], "{asked:?}");
        talk.end(database).await;
    }
}

/// Whoever agreed and has gone before the two were connected leaves nobody behind who is recorded: the call ends,
/// without voicemail, and nothing of it is kept. The same news again changes nothing.
#[tokio::test]
async fn who_agreed_and_has_gone_ends_the_call() {
    for database in support::databases().await {
        let mut rules = rules();
        rules.voicemail.on = true;
        let talk = Talk::open(&DIALECT, &database, rules).await;
        let path = talk.recorded().await;
        for _ in 0..2 {
            let answer = talk.over("no-answer").await;
            assert!(answer.contains("Hangup") && !answer.contains("<Record"), "{answer}");
        }
        talk.file(&path).await;
        assert!(lines(&talk.scene.asked(), "GET ").is_empty());
        assert_eq!(
            (talk.state().await, talk.reason().await),
            ("failed".into(), json!("not_connected"))
        );
        talk.end(database).await;
    }
}

/// A session that says no is asked nothing, whatever its service says.
#[tokio::test]
async fn a_session_that_says_no_is_asked_nothing() {
    for database in support::databases().await {
        let talk = Talk::open(&DIALECT, &database, rules()).await;
        poison::sql(&database, "UPDATE sessions SET recording = FALSE").await;
        let dial = talk.call().await;
        assert!(dial.contains("<Dial") && !dial.contains("fares"), "{dial}");
        assert_eq!(talk.shown().await["recording"], Value::Null);
        talk.end(database).await;
    }
}

/// A service or session whose numbers are at a carrier that can't record so is refused by its name, and unchanged; one
/// that says no is opened. Where it comes about otherwise nobody is asked.
#[tokio::test]
async fn carriers_that_can_t_are_refused_by_name() {
    for database in support::databases().await {
        let rules = Rules::new("Bikes".into());
        let scene = Scene::open(&over_plivo::DIALECT, &database, rules).await;
        let world = &scene.world;
        let consent = json!({ "recording": "consent", "recording_purpose": "fares" });
        let (status, problem) =
            receiver::ask(world, "PATCH", "/services/bikes", Some(consent)).await;
        assert_eq!((status, &problem["code"]), (409, &json!("recording_not_supported")));
        assert_eq!(problem["carrier"], "plivo");
        let service = receiver::done(world, "GET", "/services/bikes", None).await;
        assert_eq!(service["recording"], "off");
        scene.end(database).await;
    }
    for database in support::databases().await {
        let scene = Scene::open(&over_plivo::DIALECT, &database, rules()).await;
        let world = &scene.world;
        let new = |recording: Value| {
            let mut new = json!({ "service_id": "bikes", "participants": [
                { "role": "buyer", "identifier": "+12125550143" },
                { "role": "seller", "identifier": "+12125550144" },
            ] });
            new["recording"] = recording;
            Some(new)
        };
        for asked in [Value::Null, json!(true)] {
            let (status, problem) = receiver::ask(world, "POST", "/sessions", new(asked)).await;
            assert_eq!((status, &problem["code"]), (409, &json!("recording_not_supported")));
            assert_eq!(problem["carrier"], "plivo");
        }
        receiver::done(world, "POST", "/sessions", new(json!(false))).await;
        let came =
            Came { from: scene.person(0), to: scene.session.dials[0].expose(), words: "", id: 1 };
        let document = text((over_plivo::DIALECT.call)(world, came).await);
        assert!(document.contains("<Dial") && !document.contains("fares"), "{document}");
        scene.end(database).await;
    }
    for database in support::databases().await {
        let scene = Scene::open(&DIALECT, &database, Rules::new("Bikes".into())).await;
        let consent = json!({ "recording": "consent", "recording_purpose": "fares" });
        let changed = receiver::done(&scene.world, "PATCH", "/services/bikes", Some(consent)).await;
        assert_eq!(changed["recording_purpose"], "fares");
        scene.end(database).await;
    }
}
