//! Messages of callers whom nobody answered: recorded by the carrier, fetched, kept, told of, deleted there.

use entremise::{
    domain::{
        interaction::{Kind, Outcome, Reason},
        opt_out::StopWords,
        policy::{Rules, VoicemailRules},
    },
    relay,
    sandbox::{CallStage, PhoneView, Sound},
    store::interactions::Interaction,
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Asked, Came, Dialect, Scene, between},
    fake,
    market::Market,
    over_bandwidth, over_plivo, over_telnyx, over_twilio, over_vonage,
    picture_stage::{Host, Serve},
    receiver::{self, get},
    support::{self, Answered, Database, World},
};

/// What a carrier has recorded.
pub(crate) const VOICE: &str = "ID3\u{3} This is what the caller said.";

/// A session's rules with voicemail.
pub(crate) fn rules() -> Rules {
    let voicemail = VoicemailRules { on: true, ..VoicemailRules::default() };
    Rules { voicemail, ..Rules::new("Bikes".into()) }
}

/// How one carrier goes about it.
pub(crate) struct Way {
    pub(crate) dialect: Dialect,
    /// Tells that nobody answered; what the caller hears then.
    pub(crate) unanswered: for<'a> fn(&'a Scene, &'a str) -> BoxFuture<'a, String>,
    /// Tells of a recording of twelve seconds.
    pub(crate) recorded: for<'a> fn(&'a Scene, &'a str, &'a Host) -> BoxFuture<'a, Answered>,
    /// The end of the line that asks for its deletion; none where the carrier can't.
    pub(crate) deleted: Option<&'static str>,
    /// Whether it lies at a host of its own, open to all who know the address.
    pub(crate) open: bool,
}

/// The answer of an API that has the recording.
pub(crate) fn with_recording(
    asked: &Asked,
    other: fn(&Asked) -> (StatusCode, String),
) -> (StatusCode, String) {
    match asked.line.split(' ').next() {
        Some("GET") => (StatusCode::OK, VOICE.to_owned()),
        Some("DELETE") => (StatusCode::NO_CONTENT, String::new()),
        _ => other(asked),
    }
}

/// The path in an attribute of a document in XML.
pub(crate) fn path_in(scene: &Scene, document: &str, before: &str) -> String {
    let address = between(document, before, "\"").replace("&amp;", "&");
    scene.path(address.split('#').next().unwrap())
}

pub(crate) fn text(answer: Answered) -> String {
    assert_eq!(answer.status, StatusCode::OK);
    String::from_utf8(answer.body).unwrap()
}

pub(crate) const CALL: &str = "CA00000000000000000000000000000001";
pub(crate) const RECORDING: &str = "RE00000000000000000000000000000007";

pub(crate) static TWILIO: Way = Way {
    dialect: Dialect {
        answer: |asked| with_recording(asked, over_twilio::DIALECT.answer),
        ..over_twilio::DIALECT
    },
    unanswered: |scene, twiml| {
        Box::pin(async move {
            let path = fake::action(&scene.world, twiml);
            let fields =
                [("CallSid", CALL), ("CallStatus", "in-progress"), ("DialCallStatus", "no-answer")];
            text(fake::webhook(&scene.world, &path, &fields).await)
        })
    },
    recorded: |scene, twiml, _| {
        Box::pin(async move {
            let path = path_in(scene, twiml, "<Record action=\"");
            let account = fake::ACCOUNT;
            let url =
                format!("{}/2010-04-01/Accounts/{account}/Recordings/{RECORDING}", scene.api());
            let fields = [
                ("CallSid", CALL),
                ("CallStatus", "in-progress"),
                ("RecordingSid", RECORDING),
                ("RecordingUrl", &*url),
                ("RecordingDuration", "12"),
            ];
            fake::webhook(&scene.world, &path, &fields).await
        })
    },
    deleted: Some("/Recordings/RE00000000000000000000000000000007.json"),
    open: false,
};

static TELNYX: Way = Way {
    dialect: Dialect {
        answer: |asked| with_recording(asked, over_telnyx::DIALECT.answer),
        ..over_telnyx::DIALECT
    },
    unanswered: |scene, texml| {
        Box::pin(async move {
            let path = fake::action(&scene.world, texml);
            let form = "CallSid=v3%3Acall-0000000000000000001&DialCallStatus=no-answer";
            text(over_telnyx::webhook(&scene.world, &path, form.into()).await)
        })
    },
    recorded: |scene, texml, cdn| {
        Box::pin(async move {
            let path = path_in(scene, texml, "recordingStatusCallback=\"");
            let url = cdn.url("/telnyx/message.mp3?X-Amz-Expires=600");
            let fields = [
                ("CallSid", "v3:call-0000000000000000001"),
                ("RecordingSid", "35094891-3290-4142-b2c2-b2eda57534cf"),
                ("RecordingStatus", "completed"),
                ("RecordingUrl", &*url),
                ("RecordingDuration", "12"),
            ];
            let form =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            over_telnyx::webhook(&scene.world, &path, form).await
        })
    },
    deleted: Some("/Recordings/35094891-3290-4142-b2c2-b2eda57534cf.json"),
    open: true,
};

pub(crate) static PLIVO: Way = Way {
    dialect: Dialect {
        answer: |asked| with_recording(asked, over_plivo::DIALECT.answer),
        ..over_plivo::DIALECT
    },
    unanswered: |scene, xml| {
        Box::pin(async move {
            let path = path_in(scene, xml, " action=\"");
            let fields = [
                ("CallUUID", over_plivo::CALL),
                ("CallStatus", "in-progress"),
                ("DialStatus", "no-answer"),
                ("DialBLegUUID", ""),
            ];
            text(over_plivo::webhook(&scene.world, &path, &fields).await)
        })
    },
    recorded: |scene, xml, cdn| {
        Box::pin(async move {
            let path = path_in(scene, xml, " callbackUrl=\"");
            let url = cdn.url("/plivo/message.mp3");
            let fields = [
                ("CallUUID", over_plivo::CALL),
                ("RecordUrl", &*url),
                ("RecordingID", "c2186400-1c8c-11e4-a664-0026b945b52x"),
                ("RecordingDuration", "12"),
            ];
            over_plivo::webhook(&scene.world, &path, &fields).await
        })
    },
    deleted: Some("/Recording/c2186400-1c8c-11e4-a664-0026b945b52x/"),
    open: true,
};

static BANDWIDTH: Way = Way {
    dialect: Dialect {
        answer: |asked| with_recording(asked, over_bandwidth::DIALECT.answer),
        ..over_bandwidth::DIALECT
    },
    unanswered: |scene, bxml| {
        Box::pin(async move {
            let at = over_bandwidth::address(&scene.world, bxml, "Transfer", "transferCompleteUrl");
            let more = json!({ "callId": over_bandwidth::CALL, "cause": "timeout" });
            let event = over_bandwidth::event("transferComplete", more);
            text(over_bandwidth::webhook(&scene.world, &at.path, &event, &at.credentials).await)
        })
    },
    recorded: |scene, bxml, _| {
        Box::pin(async move {
            let at = over_bandwidth::address(&scene.world, bxml, "Record", "recordingAvailableUrl");
            let call = over_bandwidth::CALL;
            let url = format!(
                "{}/api/v2/accounts/9900000/calls/{call}/recordings/r-fbe05094-9fd2/media",
                scene.api()
            );
            let more = json!({
                "callId": call, "recordingId": "r-fbe05094-9fd2", "mediaUrl": url,
                "duration": "PT12.25S", "status": "complete", "fileFormat": "mp3",
            });
            let event = over_bandwidth::event("recordingAvailable", more);
            over_bandwidth::webhook(&scene.world, &at.path, &event, &at.credentials).await
        })
    },
    deleted: Some("/recordings/r-fbe05094-9fd2"),
    open: false,
};

static VONAGE: Way = Way {
    dialect: Dialect {
        answer: |asked| with_recording(asked, over_vonage::DIALECT.answer),
        ..over_vonage::DIALECT
    },
    unanswered: |scene, ncco| {
        Box::pin(async move {
            let ncco: Value = serde_json::from_str(ncco).unwrap();
            let path = scene.path(ncco[0]["eventUrl"][0].as_str().unwrap());
            let event = json!({
                "uuid": over_vonage::CALLEE, "status": "timeout", "direction": "outbound",
            });
            text(over_vonage::webhook(&scene.world, &path, Some(&event)).await)
        })
    },
    recorded: |scene, ncco, _| {
        Box::pin(async move {
            let ncco: Value = serde_json::from_str(ncco).unwrap();
            let record = ncco.as_array().unwrap().last().unwrap();
            let path = scene.path(record["eventUrl"][0].as_str().unwrap());
            let event = json!({
                "start_time": "2026-11-22T10:00:00Z", "end_time": "2026-11-22T10:00:12Z",
                "recording_url": format!("{}/v1/files/bbbbbbbb-aaaa-4ccc-8ddd-0123456789ab", scene.api()),
                "recording_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "size": 12_222,
                "conversation_uuid": "CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
            });
            over_vonage::webhook(&scene.world, &path, Some(&event)).await
        })
    },
    deleted: None,
    open: false,
};

/// A call over one carrier, and a host that has a recording.
pub(crate) struct Stage {
    pub(crate) way: &'static Way,
    pub(crate) scene: Scene,
    pub(crate) cdn: Host,
    /// What answered the call.
    pub(crate) document: String,
}

impl Stage {
    pub(crate) async fn open(way: &'static Way, database: &Database, rules: Rules) -> Self {
        let cdn = Host::start().await;
        for carrier in ["telnyx", "plivo"] {
            let voice = Serve::File(VOICE.as_bytes().to_vec());
            cdn.serves(&format!("/{carrier}/message.mp3"), [voice]);
        }
        let scene = Scene::with(&way.dialect, database, rules, vec![cdn.address]).await;
        Self::of(way, scene, cdn).await
    }

    /// The buyer calls in a session that is there.
    pub(crate) async fn of(way: &'static Way, scene: Scene, cdn: Host) -> Self {
        let came =
            Came { from: scene.person(0), to: scene.session.dials[0].expose(), words: "", id: 1 };
        let document = text((way.dialect.call)(&scene.world, came).await);
        scene.asked();
        Self { way, scene, cdn, document }
    }

    /// Nobody answers; what the caller hears.
    pub(crate) async fn unanswered(&self) -> String {
        (self.way.unanswered)(&self.scene, &self.document).await
    }

    /// The caller has left a message; all that follows is done.
    pub(crate) async fn recorded(&self, greeting: &str) {
        let answer = (self.way.recorded)(&self.scene, greeting, &self.cdn).await;
        assert!(answer.status.is_success());
        self.scene.world.running.jobs.idle().await;
    }

    pub(crate) async fn later(&self, ms: i64) {
        self.scene.world.clock.advance(ms);
        self.scene.world.running.jobs.idle().await;
    }

    /// The call, as the log has it.
    pub(crate) async fn call(&self) -> Interaction {
        let all = support::interactions(&self.scene.world).await;
        all.into_iter().find(|one| one.kind == Kind::Call).unwrap()
    }

    pub(crate) async fn api(&self) -> Value {
        let path = format!("/interactions/{}", self.call().await.id);
        receiver::done(&self.scene.world, "GET", &path, None).await
    }

    /// How often the marketplace was told.
    pub(crate) async fn told(&self) -> usize {
        let path = "/events?type=call.voicemail&limit=100";
        let events = receiver::done(&self.scene.world, "GET", path, None).await;
        events["data"].as_array().unwrap().len()
    }

    pub(crate) async fn end(self, database: Database) {
        self.scene.end(database).await;
    }
}

/// The address in a text.
fn address(world: &World, words: &str) -> String {
    let (_, path) = words.split_once(&world.running.origin).unwrap_or_else(|| panic!("{words}"));
    path.to_owned()
}

pub(crate) fn lines<'a>(asked: &'a [Asked], method: &str) -> Vec<&'a Asked> {
    asked.iter().filter(|one| one.line.starts_with(method)).collect()
}

/// Nobody answers: the caller is told that they are recorded, by words that name nobody, and what they say is
/// fetched once, deleted at the carrier, told of by one text with an address of ours, and heard there and by
/// the API until its days are over. News that comes twice changes nothing.
pub(crate) async fn a_message_is_left(way: &'static Way) {
    for database in support::databases().await {
        let stage = Stage::open(way, &database, rules()).await;
        let (scene, world) = (&stage.scene, &stage.scene.world);
        let greeting = stage.unanswered().await;
        assert!(greeting.contains("recorded"), "{greeting}");
        for place in [0, 1] {
            let bare = scene.bare(place).0;
            assert!(!greeting.contains(&bare), "I17: {greeting}");
        }
        assert_eq!(stage.unanswered().await, greeting, "the same question has the same answer");
        assert_eq!(stage.call().await.outcome, Some(Outcome::Missed));
        stage.recorded(&greeting).await;
        stage.recorded(&greeting).await;

        let asked = scene.asked();
        let fetched = lines(&asked, "GET ").len();
        assert_eq!((fetched, stage.cdn.seen().len()), if way.open { (0, 1) } else { (1, 0) });
        assert!(stage.cdn.seen().iter().all(|one| one.authorization.is_none()));
        let deletions = lines(&asked, "DELETE ");
        assert_eq!(deletions.len(), usize::from(way.deleted.is_some()));
        if let (Some(end), Some(one)) = (way.deleted, deletions.first()) {
            assert!(one.line.ends_with(end), "{}", one.line);
        }
        let texts = lines(&asked, "POST ");
        assert_eq!(texts.len(), 1, "{asked:?}");
        let [from, to, words] = (way.dialect.sent)(texts[0]);
        assert_eq!(from.trim_start_matches('+'), scene.bare(1).1);
        assert_eq!(to.trim_start_matches('+'), scene.bare(1).0);
        assert!(words.contains("(buyer, 12 s)"), "{words}");

        let path = address(world, &words);
        let heard = get(world, &path).await;
        assert_eq!((heard.status, &*heard.body), (StatusCode::OK, VOICE.as_bytes()));
        assert_eq!(heard.headers["content-type"], "audio/mpeg");
        let call = stage.api().await;
        let voicemail = &call["voicemail"];
        assert_eq!((&voicemail["seconds"], &voicemail["state"]), (&json!(12), &json!("kept")));
        assert_eq!(call["outcome"], "missed");
        let by_api = format!("/api/v1/interactions/{}/voicemail", stage.call().await.id);
        let heard = get(world, &by_api).await;
        assert_eq!((heard.status, &*heard.body), (StatusCode::OK, VOICE.as_bytes()));
        assert_eq!(stage.told().await, 1);

        world.clock.advance(7 * 86_400_000);
        assert_eq!(get(world, &path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(get(world, &by_api).await.status, StatusCode::NOT_FOUND);
        assert_eq!(stage.api().await["voicemail"], Value::Null);
        assert_eq!(world.running.relay.forget_files().await.unwrap(), 1);
        stage.end(database).await;
    }
}

/// Over Twilio: behind the account's credentials.
#[tokio::test]
async fn a_message_is_left_over_twilio() {
    Box::pin(a_message_is_left(&TWILIO)).await;
}

/// Over Telnyx, by `TeXML`: at an address that is open for ten minutes.
#[tokio::test]
async fn a_message_is_left_over_telnyx() {
    Box::pin(a_message_is_left(&TELNYX)).await;
}

/// Over Plivo: at its media host.
#[tokio::test]
async fn a_message_is_left_over_plivo() {
    Box::pin(a_message_is_left(&PLIVO)).await;
}

/// Over Bandwidth: below its call, behind the account's credentials.
#[tokio::test]
async fn a_message_is_left_over_bandwidth() {
    Box::pin(a_message_is_left(&BANDWIDTH)).await;
}

/// Over Vonage: behind a token of the application; Vonage deletes it itself.
#[tokio::test]
async fn a_message_is_left_over_vonage() {
    Box::pin(a_message_is_left(&VONAGE)).await;
}

/// No message is asked for where the service does not say so, the session is closed, somebody has blocked who
/// calls, or the caller has hung up; one that was left meanwhile is deleted, unheard.
#[tokio::test]
async fn no_message_is_left_where_none_may_be() {
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, Rules::new("Bikes".into())).await;
        assert!(!stage.unanswered().await.contains("<Record"), "the service has no voicemail");
        stage.end(database).await;
    }
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, rules()).await;
        stage.scene.market.close(&stage.scene.session.id).await.unwrap();
        assert!(!stage.unanswered().await.contains("<Record"), "the session is closed");
        stage.end(database).await;
    }
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, rules()).await;
        let path = fake::action(&stage.scene.world, &stage.document);
        let gone =
            [("CallSid", CALL), ("CallStatus", "completed"), ("DialCallStatus", "no-answer")];
        let answer = text(fake::webhook(&stage.scene.world, &path, &gone).await);
        assert!(!answer.contains("<Record"), "the caller has hung up");
        stage.end(database).await;
    }
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, rules()).await;
        let greeting = stage.unanswered().await;
        let (world, session) = (&stage.scene.world, &stage.scene.session.id);
        let session = format!("/sessions/{session}");
        let people = receiver::done(world, "GET", &session, None).await;
        let seller = people["participants"][1]["id"].as_str().unwrap();
        let block = format!("{session}/participants/{seller}/block");
        receiver::done(world, "PUT", &block, None).await;
        stage.recorded(&greeting).await;
        let asked = stage.scene.asked();
        let asked: Vec<_> = asked.iter().map(|one| one.line.split(' ').next().unwrap()).collect();
        assert_eq!(asked, ["DELETE"], "the callee has blocked the caller");
        assert_eq!((stage.told().await, &stage.api().await["voicemail"]), (0, &Value::Null));
        stage.end(database).await;
    }
}

/// What a carrier can't give out yet is asked for again, and told of once it is there.
#[tokio::test]
async fn a_message_that_is_late_is_asked_for_again() {
    static LATE: Way = Way {
        dialect: Dialect {
            answer: |asked| match asked.line.split(' ').next() {
                Some("GET") if asked.place < 3 => (StatusCode::NOT_FOUND, String::new()),
                _ => with_recording(asked, over_twilio::DIALECT.answer),
            },
            ..over_twilio::DIALECT
        },
        ..TWILIO
    };
    for database in support::databases().await {
        let stage = Stage::open(&LATE, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        assert_eq!(stage.api().await["voicemail"]["state"], "wanted");
        let by_api = format!("/api/v1/interactions/{}/voicemail", stage.call().await.id);
        assert_eq!(get(&stage.scene.world, &by_api).await.status, StatusCode::NOT_FOUND);
        stage.later(1_000).await;
        stage.later(2_000).await;
        assert_eq!(stage.api().await["voicemail"]["state"], "kept");
        let asked = stage.scene.asked();
        let counts = ["GET ", "DELETE ", "POST "].map(|method| lines(&asked, method).len());
        assert_eq!(counts, [3, 1, 1]);
        stage.end(database).await;
    }
}

/// What is no sound is not passed on, whatever it says that it is; the carrier's copy goes all the same.
#[tokio::test]
async fn only_sound_is_kept() {
    static PAGE: Way = Way {
        dialect: Dialect {
            answer: |asked| match asked.line.split(' ').next() {
                Some("GET") => (StatusCode::OK, "<html>".to_owned()),
                _ => with_recording(asked, over_twilio::DIALECT.answer),
            },
            ..over_twilio::DIALECT
        },
        ..TWILIO
    };
    for database in support::databases().await {
        let stage = Stage::open(&PAGE, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        assert_eq!(stage.api().await["voicemail"]["state"], "refused");
        let asked = stage.scene.asked();
        assert_eq!((lines(&asked, "DELETE ").len(), lines(&asked, "POST ").len()), (1, 0));
        assert_eq!(stage.told().await, 0);
        stage.end(database).await;
    }
}

/// Whoever wants no texts gets none, and no session that was deleted has a message any more.
#[tokio::test]
async fn who_wants_no_texts_gets_none_and_what_was_deleted_is_gone() {
    for database in support::databases().await {
        let rules = Rules { stop_words: StopWords::Number, ..rules() };
        let stage = Stage::open(&TWILIO, &database, rules).await;
        let (scene, world) = (&stage.scene, &stage.scene.world);
        let stop = Came {
            from: scene.person(1),
            to: scene.session.dials[1].expose(),
            words: "STOP",
            id: 5,
        };
        (TWILIO.dialect.text)(world, stop).await;
        world.running.jobs.idle().await;
        scene.asked();
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        assert!(lines(&scene.asked(), "POST ").is_empty());
        let last = support::interactions(world).await.remove(0);
        assert_eq!((last.kind, last.reason), (Kind::Message, Some(Reason::RecipientOptedOut)));
        let by_api = format!("/api/v1/interactions/{}/voicemail", stage.call().await.id);
        assert_eq!(get(world, &by_api).await.status, StatusCode::OK);

        let (account, id) = (scene.market.account.clone(), scene.session.id.clone());
        let deleted = scene.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        assert_eq!(get(world, &by_api).await.status, StatusCode::NOT_FOUND);
        assert_eq!(world.running.relay.forget_files().await.unwrap(), 1);
        stage.end(database).await;
    }
}

/// Over the sandbox, where phones are simulated: who declines a call finds a message, which the carrier has
/// not any more.
#[tokio::test]
async fn a_message_is_left_over_the_sandbox() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, rules()).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let (buyer, seller) = (market.people[0].phone, market.people[1].phone);
        let network = &market.network;
        let call = network.dial(buyer, &session.dials[0]).unwrap();
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = network.until(seller, ringing).await;
        network.decline(seller, &view.call().unwrap().id).unwrap();
        let tone = |view: &PhoneView| {
            view.call().is_some_and(|call| call.heard.last() == Some(&Sound::Tone))
        };
        let view = network.until(buyer, tone).await;
        let greeting = &view.call().unwrap().heard;
        assert!(
            greeting.iter().any(
                |sound| matches!(sound, Sound::Words { text, .. } if text.contains("recorded"))
            ),
            "{greeting:?}"
        );
        network.press(buyer, &call, '#').unwrap();
        network.until(buyer, |view| view.call().is_none()).await;
        let view = network.until(seller, |view| view.received().next().is_some()).await;
        let words = view.received().next().unwrap().body.expose().to_owned();
        assert!(words.contains("(buyer, 2 s)"), "{words}");
        let heard = get(&world, &address(&world, &words)).await;
        assert_eq!((heard.status, &heard.body[..4]), (StatusCode::OK, &b"RIFF"[..]));
        world.running.jobs.idle().await;
        assert_eq!(network.files(), 0, "the carrier's own copy is deleted");
        world.running.shutdown().await;
        database.drop().await;
    }
}
