//! Calls that are steered by commands: messages of callers, and teams that are asked one after the other.

use entremise::{
    domain::{
        interaction::Outcome,
        policy::{Rules, TeamRing, VoicemailRules},
    },
    relay::CarrierState,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Came, Dialect},
    over_call_control::{BEGAN, CALLER, DIALECT, RUNG, Stage, none, on},
    picture_stage::{Host, Serve},
    receiver::{self, get},
    support,
};

const VOICE: &[u8] = b"ID3\x03 This is what the caller said.";

fn rules() -> Rules {
    let voicemail = VoicemailRules { on: true, ..VoicemailRules::default() };
    Rules { voicemail, ..Rules::new("Bikes".into()) }
}

/// What the carrier tells of a recording.
fn saved(id: &str, url: &str) -> Value {
    json!({
        "recording_id": id, "channels": "single", "recording_urls": { "mp3": url },
        "recording_started_at": BEGAN, "recording_ended_at": "2026-11-22T10:00:12.500Z",
    })
}

static DELETES: Dialect = Dialect {
    answer: |asked| {
        if asked.line.starts_with("DELETE") {
            (StatusCode::OK, "{}".to_owned())
        } else {
            (DIALECT.answer)(asked)
        }
    },
    ..DIALECT
};

/// A caller whom nobody answers leaves a message, which is fetched from where Telnyx has it, deleted there and
/// told of. A recording that nobody asked for, as the account's own settings may make of any call, is none.
#[tokio::test]
async fn a_message_is_left_over_call_control() {
    for database in support::databases().await {
        let cdn = Host::start().await;
        for name in ["message", "other"] {
            cdn.serves(&format!("/{name}.mp3"), [Serve::File(VOICE.to_vec())]);
        }
        let stage = Stage::with(&DELETES, &database, rules(), vec![cdn.address]).await;
        let rung = stage.ringing().await;
        let unasked = saved("10cd86ac-fef8-4765-b203-0f7511f9fc76", &cdn.url("/other.mp3"));
        stage.news("call.recording.saved", RUNG, &rung, &unasked).await;
        stage.world.running.jobs.idle().await;
        assert!(cdn.seen().is_empty() && stage.asked().is_empty(), "nobody asked for it");
        stage.hangup(RUNG, &rung, "timeout", BEGAN).await;
        let answer = stage.only_asked(&on(CALLER, "answer"));
        stage.news("call.answered", CALLER, &answer["client_state"], &none()).await;
        let greeting = stage.only_asked(&on(CALLER, "speak"));
        assert!(greeting["payload"].as_str().unwrap().contains("recorded"), "{greeting}");
        let state = &greeting["client_state"];
        stage.news("call.speak.ended", CALLER, state, &none()).await;
        let record = stage.only_asked(&on(CALLER, "record_start"));
        let asked_for = saved("10cd86ac-fef8-4765-b203-0f7511f9fc75", &cdn.url("/message.mp3"));
        let state = &record["client_state"];
        stage.news("call.recording.saved", CALLER, state, &asked_for).await;
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let mut lines: Vec<&str> = asked.iter().map(|one| one.line.as_str()).collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "DELETE /v2/recordings/10cd86ac-fef8-4765-b203-0f7511f9fc75",
                &on(CALLER, "hangup"),
                "POST /v2/messages",
            ],
            "on {}",
            database.name
        );
        let log = support::interactions(&stage.world).await;
        let call = log.iter().find(|one| one.outcome == Some(Outcome::Missed)).unwrap();
        let path = format!("/interactions/{}", call.id);
        let one = receiver::done(&stage.world, "GET", &path, None).await;
        assert_eq!(one["voicemail"]["seconds"], json!(12));
        let heard = get(&stage.world, &format!("/api/v1/interactions/{}/voicemail", call.id)).await;
        assert_eq!((heard.status, &*heard.body), (StatusCode::OK, VOICE));
        stage.0.end(database).await;
    }
}

/// The second of a team, who is asked to press 1 as the first was, is connected once they do.
#[tokio::test]
async fn the_second_of_a_team_accepts_over_call_control() {
    for database in support::databases().await {
        let rules = Rules {
            participants_max: 4,
            team_ring: TeamRing::InOrder,
            press_one: true,
            ..Rules::new("Bikes".into())
        };
        let stage = Stage::open(&database, rules).await;
        stage.add_seller(2).await;
        let first = stage.ringing().await;
        stage.hangup(RUNG, &first, "no_answer", BEGAN).await;
        let second = stage.only_asked("POST /v2/calls")["client_state"].clone();
        let outgoing = json!({ "direction": "outgoing" });
        stage.news("call.initiated", "v3:second", &second, &outgoing).await;
        stage.news("call.answered", "v3:second", &second, &none()).await;
        let asked = stage.only_asked(&on("v3:second", "gather_using_speak"));
        let pressed = json!({ "digits": "1" });
        stage.news("call.gather.ended", "v3:second", &asked["client_state"], &pressed).await;
        let commands = stage.asked();
        let lines: Vec<&str> = commands.iter().map(|one| one.line.as_str()).collect();
        assert_eq!(lines.first(), Some(&&*on(CALLER, "answer")), "{lines:?} on {}", database.name);
        stage.0.end(database).await;
    }
}

static REFUSES_TEXTS: Dialect = Dialect {
    answer: |asked| {
        if asked.line == "POST /v2/messages" {
            (StatusCode::UNAUTHORIZED, "{}".to_owned())
        } else {
            (DIALECT.answer)(asked)
        }
    },
    ..DIALECT
};

/// I3: the end of a call does not wait until its carrier takes texts again.
#[tokio::test]
async fn i3_the_end_of_a_call_does_not_wait() {
    for database in support::databases().await {
        let rules = Rules::new("Bikes".into());
        let stage = Stage::with(&REFUSES_TEXTS, &database, rules, Vec::new()).await;
        let rung = stage.ringing().await;
        let (from, to) = (stage.person(0), stage.session.dials[0].expose());
        (DIALECT.text)(&stage.world, Came { from, to, words: "Hello", id: 1 }).await;
        for _ in 0..3 {
            stage.world.running.jobs.idle().await;
            stage.world.clock.advance(5_000);
        }
        stage.world.running.jobs.idle().await;
        let health = stage.world.running.relay.health();
        assert_ne!(health.report(DIALECT.kind).unwrap().state, CarrierState::Closed);
        stage.asked();
        stage.hangup(CALLER, &Value::Null, "originator_cancel", BEGAN).await;
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let ended = asked.iter().any(|one| one.line == on(RUNG, "hangup"));
        assert!(ended, "{asked:?} on {}", database.name);
        stage.hangup(RUNG, &rung, "originator_cancel", BEGAN).await;
        stage.0.end(database).await;
    }
}
