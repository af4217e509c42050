//! Recordings of calls over carriers that are asked in other words: Telnyx, by documents and by commands,
//! `SignalWire`, and the sandbox, whose phones press keys.

use entremise::sandbox::{CallStage, PhoneView, Sound};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    consent::rules,
    dialect::{Asked, Came, Dialect, Scene, between},
    market::Market,
    over_call_control::{self, BEGAN, RUNG, none, on},
    over_signalwire, over_telnyx,
    picture_stage::{Host, Serve},
    receiver::{self, get},
    support::{self, World},
    voicemail::{VOICE, lines, path_in, text},
};

/// A host where the file of a recording lies.
async fn host() -> Host {
    let host = Host::start().await;
    host.serves("/talk.mp3", [Serve::File(VOICE.as_bytes().to_vec())]);
    host
}

async fn shown(scene: &Scene) -> Value {
    let id = scene.only().await.id;
    let path = format!("/interactions/{id}");
    receiver::done(&scene.world, "GET", &path, None).await["recording"].clone()
}

async fn wish(scene: &Scene, what: &str) {
    let id = scene.only().await.id;
    let path = format!("/interactions/{id}/recording/{what}");
    receiver::done(&scene.world, "POST", &path, None).await;
    scene.world.running.jobs.idle().await;
}

/// The sound is kept and heard, and the carrier's copy was asked to be deleted.
async fn is_kept(scene: &Scene, deleted: &str) {
    let asked = scene.asked();
    let deletions = lines(&asked, "DELETE ");
    let [deletion] = &deletions[..] else { panic!("{asked:?}") };
    assert!(deletion.line.ends_with(deleted), "{}", deletion.line);
    let recording = shown(scene).await;
    assert_eq!(recording["state"], "ready", "{recording}");
    let path = format!("/api/v1/interactions/{}/recording", scene.only().await.id);
    let heard = get(&scene.world, &path).await;
    assert_eq!((heard.status, &*heard.body), (StatusCode::OK, VOICE.as_bytes()));
}

const RECORDING: &str = "e9cea0be-7dbd-4b98-98b1-c0089d9d43b0";

/// Over Telnyx by commands: the recording begins once both keys came, on the caller's call; what it keeps comes
/// back with news of the file.
#[tokio::test]
async fn a_call_is_recorded_by_commands() {
    for database in support::databases().await {
        let cdn = host().await;
        let dialect = &over_call_control::DIALECT;
        let stage =
            over_call_control::Stage::with(dialect, &database, rules(), vec![cdn.address]).await;
        let caller = format!("v3:cc-{:019}", 1);
        let (from, to) = (stage.person(0), stage.session.dials[0].expose());
        (dialect.call)(&stage.world, Came { from, to, words: "", id: 1 }).await;
        let kept = stage.only_asked(&on(&caller, "answer"))["client_state"].clone();
        stage.news("call.answered", &caller, &kept, &none()).await;
        let asked = stage.only_asked(&on(&caller, "gather_using_speak"));
        assert!(asked["payload"].as_str().unwrap().contains("disputes on fares"), "{asked}");
        let kept = asked["client_state"].clone();
        stage.news("call.gather.ended", &caller, &kept, &json!({ "digits": "1" })).await;
        let dialled = stage.only_asked("POST /v2/calls");
        let rung = dialled["client_state"].clone();
        let outgoing = json!({ "direction": "outgoing" });
        stage.news("call.initiated", RUNG, &rung, &outgoing).await;
        // The caller's key once more rings nobody else.
        stage.news("call.gather.ended", &caller, &kept, &json!({ "digits": "1" })).await;
        assert!(stage.asked().is_empty());
        stage.news("call.answered", RUNG, &rung, &none()).await;
        let asked = stage.only_asked(&on(RUNG, "gather_using_speak"));
        assert!(asked["payload"].as_str().unwrap().contains("disputes on fares"), "{asked}");
        stage.world.running.jobs.idle().await;
        assert!(stage.asked().is_empty(), "one alone has agreed");
        let whisper = asked["client_state"].clone();
        stage.news("call.gather.ended", RUNG, &whisper, &json!({ "digits": "1" })).await;
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let start: Vec<&Asked> =
            asked.iter().filter(|one| one.line.ends_with("/record_start")).collect();
        let [start] = &start[..] else { panic!("{asked:?}") };
        assert_eq!(start.line, on(&caller, "record_start"));
        let body = start.json();
        let said = [&body["play_beep"], &body["recording_track"], &body["client_state"]];
        assert_eq!(said, [&json!(false), &json!("both"), &Value::Null]);
        let joined = asked.iter().find(|one| one.line.starts_with("PUT ")).unwrap().json();
        assert!(asked.iter().any(|one| one.line == on(&caller, "bridge")), "{asked:?}");
        assert_eq!(shown(&stage).await["state"], "recording");

        for (what, verb) in
            [("pause", "record_pause"), ("resume", "record_resume"), ("pause", "record_pause")]
        {
            wish(&stage, what).await;
            stage.only_asked(&on(&caller, verb));
        }
        let at = "2026-11-22T10:00:42.100Z";
        stage.hangup(RUNG, &joined["client_state"], "normal_clearing", at).await;
        stage.hangup(&caller, &kept, "normal_clearing", at).await;
        assert_eq!(shown(&stage).await["state"], "stopped");
        stage.asked();
        let saved = json!({
            "recording_id": RECORDING, "recording_urls": { "mp3": cdn.url("/talk.mp3") },
            "recording_started_at": BEGAN, "recording_ended_at": at, "channels": "single",
        });
        stage.news("call.recording.saved", &caller, &kept, &saved).await;
        stage.world.running.jobs.idle().await;
        is_kept(&stage, &format!("/v2/recordings/{RECORDING}")).await;
        stage.0.end(database).await;
    }
}

/// A recording that nobody asked for is not touched: the operator's own settings made it.
#[tokio::test]
async fn a_recording_of_somebody_else_is_left_alone() {
    for database in support::databases().await {
        let cdn = host().await;
        let dialect = &over_call_control::DIALECT;
        let rules = entremise::domain::policy::Rules::new("Bikes".into());
        let stage =
            over_call_control::Stage::with(dialect, &database, rules, vec![cdn.address]).await;
        let rung = stage.ringing().await;
        let saved = json!({
            "recording_id": RECORDING, "recording_urls": { "mp3": cdn.url("/talk.mp3") },
        });
        stage.news("call.recording.saved", RUNG, &rung, &saved).await;
        stage.world.running.jobs.idle().await;
        assert!(stage.asked().is_empty() && cdn.seen().is_empty());
        stage.0.end(database).await;
    }
}

/// Posts the fields of a form to one of our addresses.
type Posts = for<'a> fn(&'a World, String, Vec<(&'a str, &'a str)>) -> BoxFuture<'a, String>;

/// How a carrier of documents goes about it.
struct Way {
    dialect: Dialect,
    /// The ids of the two calls, and of the recording.
    ids: [&'static str; 3],
    post: Posts,
    /// How a wish is told at the recording's own address.
    ends: [&'static str; 2],
    /// The end of the line that asks for the deletion.
    deleted: &'static str,
    /// What follows the address in what is fetched.
    suffix: &'static str,
}

fn tapes(asked: &Asked, id: &str) -> Option<(StatusCode, String)> {
    match asked.line.split(' ').next() {
        Some("GET") => Some((StatusCode::OK, VOICE.to_owned())),
        Some("DELETE") => Some((StatusCode::NO_CONTENT, String::new())),
        _ if asked.line.contains("/Recordings") => {
            let mut fields = form_urlencoded::parse(&asked.body);
            let status = fields.find(|(name, _)| name == "Status");
            let status = status.map_or("in-progress".into(), |(_, status)| status);
            Some((StatusCode::OK, json!({ "sid": id, "status": status }).to_string()))
        }
        _ => None,
    }
}

static TEXML: Way = Way {
    dialect: Dialect {
        answer: |asked| {
            tapes(asked, RECORDING).unwrap_or_else(|| (over_telnyx::DIALECT.answer)(asked))
        },
        ..over_telnyx::DIALECT
    },
    ids: ["v3:call-0000000000000000001", "v3:call-0000000000000000002", RECORDING],
    post: |world, path, fields| {
        Box::pin(async move {
            let form =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            text(over_telnyx::webhook(world, &path, form).await)
        })
    },
    ends: ["/Recordings.json", "/Recordings/e9cea0be-7dbd-4b98-98b1-c0089d9d43b0.json"],
    deleted: "/Recordings/e9cea0be-7dbd-4b98-98b1-c0089d9d43b0.json",
    suffix: "",
};

static SIGNALWIRE: Way = Way {
    dialect: Dialect {
        answer: |asked| {
            tapes(asked, RECORDING).unwrap_or_else(|| (over_signalwire::DIALECT.answer)(asked))
        },
        ..over_signalwire::DIALECT
    },
    ids: [over_signalwire::CALLS, over_signalwire::RUNG, RECORDING],
    post: |world, path, fields| {
        Box::pin(async move { text(over_signalwire::webhook(world, &path, &fields).await) })
    },
    ends: ["/Recordings", "/Recordings/e9cea0be-7dbd-4b98-98b1-c0089d9d43b0"],
    deleted: "/Recordings/e9cea0be-7dbd-4b98-98b1-c0089d9d43b0",
    suffix: ".mp3",
};

async fn a_call_is_recorded(way: &'static Way) {
    for database in support::databases().await {
        let cdn = Host::start().await;
        let file = Serve::File(VOICE.as_bytes().to_vec());
        cdn.serves(&format!("/talk{}", way.suffix), [file]);
        let sites = vec![cdn.address];
        let scene = Scene::with(&way.dialect, &database, rules(), sites).await;
        let [caller, callee, recording] = way.ids;
        let world = &scene.world;
        let (from, to) = (scene.person(0), scene.session.dials[0].expose());
        let asks = text((way.dialect.call)(world, Came { from, to, words: "", id: 1 }).await);
        let key = |document: &str| {
            let gather = between(document, "<Gather ", ">").to_owned();
            path_in(&scene, &gather, "action=\"")
        };
        let press = |call: &'static str| vec![("CallSid", call), ("Digits", "1")];
        let dial = (way.post)(world, key(&asks), press(caller)).await;
        let path = path_in(&scene, &dial, "<Number url=\"");
        let whisper = (way.post)(world, path, vec![("CallSid", callee)]).await;
        assert!(whisper.contains("disputes on fares"), "{whisper}");
        assert!(scene.asked().is_empty(), "one alone has agreed");
        (way.post)(world, key(&whisper), press(callee)).await;
        world.running.jobs.idle().await;
        let asked = scene.asked();
        let [start] = &asked[..] else { panic!("{asked:?}") };
        assert!(start.line.ends_with(way.ends[0]), "{}", start.line);
        for (what, status) in [("pause", "paused"), ("resume", "in-progress")] {
            wish(&scene, what).await;
            let asked = scene.asked();
            let [one] = &asked[..] else { panic!("{asked:?}") };
            assert!(one.line.ends_with(way.ends[1]), "{}", one.line);
            assert_eq!(one.field("Status"), status);
        }
        let ended = vec![
            ("CallSid", caller),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "42"),
        ];
        (way.post)(world, path_in(&scene, &dial, "<Dial action=\""), ended).await;
        let url = cdn.url("/talk");
        let news = vec![
            ("CallSid", caller),
            ("RecordingSid", recording),
            ("RecordingStatus", "completed"),
            ("RecordingUrl", &*url),
            ("RecordingDuration", "42"),
        ];
        let path = scene.path(&start.field("RecordingStatusCallback"));
        (way.post)(world, path, news).await;
        world.running.jobs.idle().await;
        is_kept(&scene, way.deleted).await;
        scene.end(database).await;
    }
}

/// Over Telnyx by `TeXML`.
#[tokio::test]
async fn a_call_is_recorded_over_telnyx() {
    Box::pin(a_call_is_recorded(&TEXML)).await;
}

/// Over `SignalWire`.
#[tokio::test]
async fn a_call_is_recorded_over_signalwire() {
    Box::pin(a_call_is_recorded(&SIGNALWIRE)).await;
}

/// Erases whoever has that number.
async fn erase(world: &World, number: &str) {
    let body = json!({ "identifier": number });
    receiver::done(world, "POST", "/persons/erase", Some(body)).await;
}

/// Over the sandbox, where phones are simulated and press keys: the two talk, and are recorded until they pause it
/// and after; the carrier's own copy is deleted. Where one of them is erased,
/// the recording goes with them.
#[tokio::test]
async fn a_call_is_recorded_over_the_sandbox() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, rules()).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let (buyer, seller) = (market.people[0].phone, market.people[1].phone);
        let network = &market.network;
        let asked = |view: &PhoneView| {
            view.call().is_some_and(|call| {
                let purpose = |sound: &Sound| matches!(sound, Sound::Words { text, question: true, .. } if text.contains("disputes on fares"));
                call.heard.iter().any(purpose)
            })
        };
        let call = network.dial(buyer, &session.dials[0]).unwrap();
        network.until(buyer, asked).await;
        network.press(buyer, &call, '1').unwrap();
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = network.until(seller, ringing).await;
        let rung = view.call().unwrap().id.clone();
        network.answer(seller, &rung).unwrap();
        network.until(seller, asked).await;
        assert_eq!(network.taping(), 0, "one alone has agreed");
        network.press(seller, &rung, '1').unwrap();
        let talks =
            |view: &PhoneView| view.call().is_some_and(|call| call.heard.contains(&Sound::Person));
        network.until(seller, talks).await;
        support::until(async || network.taping() == 1).await;
        let id = support::interactions(&world).await.remove(0).id;
        let state = async || {
            let path = format!("/interactions/{id}");
            let shown = receiver::done(&world, "GET", &path, None).await;
            shown["recording"]["state"].as_str().unwrap_or_default().to_owned()
        };
        for (what, after) in [("pause", "paused"), ("resume", "recording")] {
            support::until(async || matches!(&*state().await, "recording" | "paused")).await;
            let path = format!("/interactions/{id}/recording/{what}");
            receiver::done(&world, "POST", &path, None).await;
            support::until(async || state().await == after).await;
            assert_eq!(network.taping(), usize::from(what == "resume"));
        }
        network.hang_up(buyer, &call).unwrap();
        support::until(async || state().await == "ready").await;
        let path = format!("/api/v1/interactions/{id}/recording");
        let heard = get(&world, &path).await;
        assert_eq!((heard.status, &heard.body[..4]), (StatusCode::OK, &b"RIFF"[..]));
        world.running.jobs.idle().await;
        assert_eq!(network.files(), 0, "the carrier's own copy is deleted");

        erase(&world, market.people[0].number.expose()).await;
        support::until(async || state().await == "failed").await;
        let shown = receiver::done(&world, "GET", &format!("/interactions/{id}"), None).await;
        assert_eq!(shown["recording"]["reason"], "erased", "{shown}");
        assert_eq!(get(&world, &path).await.status, StatusCode::NOT_FOUND);

        world.running.shutdown().await;
        database.drop().await;
    }
}
