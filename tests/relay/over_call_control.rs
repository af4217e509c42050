//! Calls over Telnyx's Call Control: events signed with Ed25519 in, commands out.

use std::{collections::BTreeSet, net::SocketAddr, ops::Deref};

use axum::Router;
use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        phone::Identifier,
        policy::{Rules, TeamRing},
    },
    relay::{self, AddParticipant},
};
use http::{HeaderName, StatusCode, Uri, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    dialect::{Asked, Dialect, Scene},
    fake,
    over_telnyx::{self, received},
    support::{self, Answered, Database, World},
};

const APPLICATION: &str = "1494404757140276705";
pub(crate) const CALLER: &str = "v3:caller";
pub(crate) const RUNG: &str = "v3:rung";
pub(crate) const BEGAN: &str = "2026-11-22T10:00:00.000Z";

fn values() -> toml::Table {
    let mut values = over_telnyx::values();
    values.insert("voice".into(), "call_control".into());
    values.remove("account_sid");
    values
}

/// A call that came in.
fn initiated(call: &str, from: &str, to: &str) -> String {
    json!({ "data": { "event_type": "call.initiated", "occurred_at": BEGAN, "payload": {
        "call_control_id": call, "connection_id": APPLICATION, "direction": "incoming",
        "from": from, "to": to, "state": "parked", "caller_id_name": "Somebody Known",
    } } })
    .to_string()
}

/// Posts an event as Telnyx does; those of calls are answered with nothing.
async fn webhook(world: &World, hook: &str, body: String) -> Answered {
    let path = format!("/hooks/telnyx-call-control/{hook}");
    let answer = over_telnyx::webhook(world, &path, body).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    answer
}

/// How Telnyx speaks where calls are steered by commands.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "telnyx-call-control",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let id = format!("7ee4241c-f127-47e5-9c35-{:012}", came.id);
            let body = received(&id, came.from, came.to, came.words);
            webhook(world, "message", body).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let call = format!("v3:cc-{:019}", came.id);
            webhook(world, "call", initiated(&call, came.from, came.to)).await
        })
    },
    answer: |asked| {
        let id = format!("00000000-0000-4000-8001-{:012}", asked.place);
        let data = json!({
            "id": id, "to": [{ "status": "queued" }], "result": "ok", "call_control_id": RUNG,
        });
        (StatusCode::OK, json!({ "data": data }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        ["from", "to", "text"].map(|name| body[name].as_str().unwrap().to_owned())
    },
    rings: |_, asked| {
        let dialled = asked.iter().find(|one| one.line == "POST /v2/calls").unwrap().json();
        ["from", "to"].map(|name| dialled[name].as_str().unwrap().to_owned())
    },
};

pub(crate) struct Stage(pub(crate) Scene);

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.0
    }
}

pub(crate) fn on(call: &str, verb: &str) -> String {
    format!("POST /v2/calls/{call}/actions/{verb}")
}

fn keeps(call: &str) -> String {
    format!("PUT /v2/calls/{call}/actions/client_state_update")
}

pub(crate) fn none() -> Value {
    json!({})
}

impl Stage {
    pub(crate) async fn open(database: &Database, rules: Rules) -> Self {
        Self::with(&DIALECT, database, rules, Vec::new()).await
    }

    /// The same with another API, where files at these addresses may be fetched.
    pub(crate) async fn with(
        dialect: &'static Dialect,
        database: &Database,
        rules: Rules,
        sites: Vec<SocketAddr>,
    ) -> Self {
        Self(Scene::with(dialect, database, rules, sites).await)
    }

    fn body(kind: &str, call: &str, state: &Value, more: &Value) -> String {
        let mut payload = json!({
            "call_control_id": call, "connection_id": APPLICATION, "client_state": state,
        });
        for (key, value) in more.as_object().unwrap() {
            payload[key] = value.clone();
        }
        let at = payload["at"].as_str().unwrap_or(BEGAN).to_owned();
        json!({ "data": { "event_type": kind, "occurred_at": at, "payload": payload } }).to_string()
    }

    /// News of a call that keeps `state`.
    pub(crate) async fn news(&self, kind: &str, call: &str, state: &Value, more: &Value) {
        webhook(&self.world, "call", Self::body(kind, call, state, more)).await;
    }

    /// The buyer calls.
    async fn call(&self) {
        let event = initiated(CALLER, self.person(0), self.session.dials[0].expose());
        webhook(&self.world, "call", event).await;
    }

    /// The commands since the last time, which must have gone there.
    fn exactly<const N: usize>(&self, lines: [&str; N]) -> [Value; N] {
        let asked = self.asked();
        let got: Vec<&str> = asked.iter().map(|one| one.line.as_str()).collect();
        assert_eq!(got, lines);
        let bodies: Vec<Value> = asked.iter().map(Asked::json).collect();
        bodies.try_into().unwrap()
    }

    /// An event of a call that is not taken, and then is; the commands that each had, which must have gone
    /// there and be the same.
    async fn twice<const N: usize>(&self, event: String, lines: [&str; N]) -> [Value; N] {
        let path = "/hooks/telnyx-call-control/call";
        let answer = over_telnyx::webhook(&self.world, path, event.clone()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        webhook(&self.world, "call", event).await;
        let asked = self.asked();
        let got: Vec<&str> = asked.iter().map(|one| one.line.as_str()).collect();
        assert_eq!(got, [lines, lines].concat());
        let bodies: Vec<Value> = asked.iter().map(Asked::json).collect();
        let (first, second) = bodies.split_at(N);
        assert_eq!(first, second, "Telnyx drops a command that has the id of another");
        second.to_vec().try_into().unwrap()
    }

    /// The buyer calls, and the seller's phone rings; what the seller's call keeps.
    pub(crate) async fn ringing(&self) -> Value {
        self.call().await;
        let dialled = self.only_asked("POST /v2/calls");
        assert_eq!(dialled["to"], self.person(1));
        for shown in ["from", "from_display_name"] {
            assert_eq!(dialled[shown], self.session.dials[1].expose());
        }
        assert!(!dialled.to_string().contains(&self.person(0)[1..]), "I17: {dialled}");
        let state = dialled["client_state"].clone();
        let outgoing = json!({ "direction": "outgoing" });
        self.news("call.initiated", RUNG, &state, &outgoing).await;
        assert!(self.asked().is_empty());
        state
    }

    /// The buyer calls, hears the announcement and is transferred; what the seller's call keeps.
    async fn announced(&self) -> Value {
        self.call().await;
        let kept = self.only_asked(&on(CALLER, "answer"));
        assert!(!kept.to_string().contains(&self.person(1)[1..]), "sealed: {kept}");
        self.news("call.answered", CALLER, &kept["client_state"], &none()).await;
        let spoken = self.only_asked(&on(CALLER, "speak"));
        assert_eq!(spoken["payload"], "A moment, please.");
        self.news("call.speak.ended", CALLER, &spoken["client_state"], &none()).await;
        let transfer = self.only_asked(&on(CALLER, "transfer"));
        assert_eq!(transfer["to"], self.person(1));
        assert_eq!(transfer["from"], self.session.dials[1].expose());
        assert!(!transfer.to_string().contains(&self.person(0)[1..]), "I17: {transfer}");
        transfer["target_leg_client_state"].clone()
    }

    /// Whoever was rung has agreed; what the caller's call and theirs keep now.
    fn agreed(&self) -> [Value; 2] {
        let [answer, keep] = self.exactly([&on(CALLER, "answer"), &keeps(RUNG)]);
        [answer["client_state"].clone(), keep["client_state"].clone()]
    }

    /// The caller was answered for it, and the two are connected; what the other call keeps now.
    async fn connected(&self, caller: &Value) -> Value {
        self.news("call.answered", CALLER, caller, &none()).await;
        let [keep, bridge] = self.exactly([&keeps(RUNG), &on(CALLER, "bridge")]);
        assert_eq!(bridge["call_control_id"], RUNG);
        self.news("call.bridged", CALLER, caller, &none()).await;
        self.news("call.bridged", RUNG, &keep["client_state"], &none()).await;
        assert!(self.asked().is_empty());
        keep["client_state"].clone()
    }

    /// One more for the team.
    pub(crate) async fn add_seller(&self, place: usize) {
        let number = format!("+{}{:04}", 1_212_555, 100 + place);
        let new = AddParticipant {
            identifier: Identifier::parse(&number).unwrap(),
            role: Some("seller".into()),
            name: None,
            number: None,
            pin: entremise::relay::PinWanted::Never,
        };
        let (account, session) = (self.market.account.clone(), self.session.id.clone());
        let added = self.market.relay.db().write(move |tx| {
            let (account, session, new) = (account.clone(), session.clone(), new.clone());
            Box::pin(
                async move { relay::add_participant(tx, &account, &session, &new).await.map(drop) },
            )
        });
        added.await.unwrap();
    }

    pub(crate) async fn hangup(&self, call: &str, state: &Value, cause: &str, at: &str) {
        let more = json!({ "hangup_cause": cause, "at": at });
        self.news("call.hangup", call, state, &more).await;
    }
}

fn bikes() -> Rules {
    Rules::new("Bikes".into())
}

fn press_one() -> Rules {
    Rules { press_one: true, ..bikes() }
}

/// A call is put through by commands that show the proxy number alone: the other side is rung, the caller is
/// answered once they answer, and the two are connected; the end and its length come back to the log. An
/// event that comes again brings no second call, and no command that Telnyx has not had.
#[tokio::test]
async fn a_call_is_bridged_by_commands() {
    for database in support::databases().await {
        let stage = Stage::open(&database, bikes()).await;
        stage.call().await;
        stage.call().await;
        let [first, second] = stage.exactly(["POST /v2/calls", "POST /v2/calls"]);
        assert_eq!(first, second, "Telnyx drops a command that has the id of another");
        let rung = &first["client_state"];
        let outgoing = json!({ "direction": "outgoing" });
        stage.news("call.initiated", RUNG, rung, &outgoing).await;
        // Now that it is known to ring, nothing is asked again, however late the event is.
        stage.call().await;
        assert!(stage.asked().is_empty());
        stage.news("call.answered", RUNG, rung, &none()).await;
        let [caller, _] = stage.agreed();
        let joined = stage.connected(&caller).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, None);
        let mut ids = BTreeSet::new();
        for _ in 0..2 {
            stage.hangup(RUNG, &joined, "normal_clearing", "2026-11-22T10:00:42.100Z").await;
            let ended = stage.only_asked(&on(CALLER, "hangup"));
            ids.insert(ended["command_id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 1);
        stage.hangup(CALLER, &caller, "normal_clearing", "2026-11-22T10:00:42.200Z").await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// Loses the first of what is asked at once.
fn losing(asked: &Asked, how: StatusCode) -> (StatusCode, String) {
    if asked.place == 1 { (how, String::new()) } else { (DIALECT.answer)(asked) }
}

/// A command that may be lost, or of which Telnyx takes no more, is made again: Telnyx is told that the event
/// was not taken, and when it comes again the same commands follow. One that Telnyx refuses is not.
#[tokio::test]
async fn a_lost_command_is_made_again() {
    static LOST: Dialect =
        Dialect { answer: |asked| losing(asked, StatusCode::BAD_GATEWAY), ..DIALECT };
    static THROTTLED: Dialect =
        Dialect { answer: |asked| losing(asked, StatusCode::TOO_MANY_REQUESTS), ..DIALECT };
    static REFUSED: Dialect =
        Dialect { answer: |asked| losing(asked, StatusCode::UNPROCESSABLE_ENTITY), ..DIALECT };
    for dialect in [&LOST, &THROTTLED] {
        for database in support::databases().await {
            let stage = Stage(Scene::open(dialect, &database, bikes()).await);
            let came = initiated(CALLER, stage.person(0), stage.session.dials[0].expose());
            let [dialled] = stage.twice(came, ["POST /v2/calls"]).await;
            let rung = &dialled["client_state"];
            stage.news("call.initiated", RUNG, rung, &json!({ "direction": "outgoing" })).await;
            let agreed = Stage::body("call.answered", RUNG, rung, &none());
            let [answer, _] = stage.twice(agreed, [&on(CALLER, "answer"), &keeps(RUNG)]).await;
            let caller = &answer["client_state"];
            let up = Stage::body("call.answered", CALLER, caller, &none());
            let [keep, bridge] = stage.twice(up, [&keeps(RUNG), &on(CALLER, "bridge")]).await;
            assert_eq!(bridge["call_control_id"], RUNG);
            let more = json!({ "hangup_cause": "normal_clearing" });
            let over = Stage::body("call.hangup", RUNG, &keep["client_state"], &more);
            stage.twice(over, [&on(CALLER, "hangup")]).await;
            assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
            stage.0.end(database).await;
        }
    }
    for database in support::databases().await {
        let stage = Stage(Scene::open(&REFUSED, &database, bikes()).await);
        stage.call().await;
        stage.only_asked("POST /v2/calls");
        stage.0.end(database).await;
    }
}

/// Whoever answers is asked to press 1, and the two are connected only then; whoever presses another key is
/// hung up, and the caller is turned away.
#[tokio::test]
async fn one_accepts_over_call_control() {
    for digits in ["1", "2", ""] {
        for database in support::databases().await {
            let stage = Stage::open(&database, press_one()).await;
            let rung = stage.ringing().await;
            stage.news("call.answered", RUNG, &rung, &none()).await;
            let asked = stage.only_asked(&on(RUNG, "gather_using_speak"));
            assert!(asked["payload"].as_str().unwrap().contains('1'), "{asked}");
            let (state, more) = (&asked["client_state"], json!({ "digits": digits }));
            stage.news("call.gather.ended", RUNG, state, &more).await;
            if digits == "1" {
                let [caller, _] = stage.agreed();
                let joined = stage.connected(&caller).await;
                stage.hangup(RUNG, &joined, "normal_clearing", "2026-11-22T10:00:09.000Z").await;
                stage.only_asked(&on(CALLER, "hangup"));
                assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
            } else {
                stage.only_asked(&on(RUNG, "hangup"));
                stage.hangup(RUNG, state, "normal_clearing", BEGAN).await;
                stage.only_asked(&on(CALLER, "reject"));
                let log = stage.only().await;
                assert_eq!(log.outcome, Some(Outcome::Missed));
                assert_eq!(log.reason, Some(Reason::NotAccepted));
            }
            stage.0.end(database).await;
        }
    }
}

/// A caller whose other side is busy is turned away unanswered.
#[tokio::test]
async fn busy_over_call_control() {
    for database in support::databases().await {
        let stage = Stage::open(&database, bikes()).await;
        let rung = stage.ringing().await;
        for _ in 0..2 {
            stage.hangup(RUNG, &rung, "user_busy", BEGAN).await;
            let turned_away = stage.only_asked(&on(CALLER, "reject"));
            assert_eq!(turned_away["cause"], "CALL_REJECTED");
        }
        let log = stage.only().await;
        assert_eq!((log.outcome, log.reason), (Some(Outcome::Busy), Some(Reason::Busy)));
        stage.0.end(database).await;
    }
}

/// A caller who gives up while the other side is rung: their phone is rung no longer, and should they have
/// answered meanwhile they are hung up.
#[tokio::test]
async fn a_caller_gives_up_over_call_control() {
    for database in support::databases().await {
        let stage = Stage::open(&database, bikes()).await;
        let rung = stage.ringing().await;
        stage.hangup(CALLER, &Value::Null, "originator_cancel", BEGAN).await;
        stage.world.running.jobs.idle().await;
        stage.only_asked(&on(RUNG, "hangup"));
        stage.news("call.answered", RUNG, &rung, &none()).await;
        stage.only_asked(&on(RUNG, "hangup"));
        stage.hangup(RUNG, &rung, "originator_cancel", BEGAN).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Cancelled));
        assert_eq!(log.reason, Some(Reason::CallerHungUp));
        stage.0.end(database).await;
    }
}

/// I3: where the session closes between two events, before or after the other side has agreed, nobody is
/// connected: they are hung up, and the caller after them.
#[tokio::test]
async fn i3_a_session_that_closes_between_events_connects_nobody() {
    for agrees_first in [false, true] {
        for database in support::databases().await {
            let stage = Stage::open(&database, bikes()).await;
            let rung = stage.ringing().await;
            let mut last = rung.clone();
            if agrees_first {
                stage.news("call.answered", RUNG, &rung, &none()).await;
                let [caller, waiting] = stage.agreed();
                last = waiting;
                stage.market.close(&stage.session.id).await.unwrap();
                stage.news("call.answered", CALLER, &caller, &none()).await;
            } else {
                stage.market.close(&stage.session.id).await.unwrap();
                stage.news("call.answered", RUNG, &rung, &none()).await;
            }
            stage.only_asked(&on(RUNG, "hangup"));
            stage.hangup(RUNG, &last, "normal_clearing", BEGAN).await;
            let verb = if agrees_first { "hangup" } else { "reject" };
            stage.only_asked(&on(CALLER, verb));
            assert_ne!(stage.only().await.outcome, Some(Outcome::Connected));
            stage.0.end(database).await;
        }
    }
}

/// A caller who hears an announcement is answered for it, and then transferred. I3: where the session has
/// closed by the time that the other side answers, they are hung up at once.
#[tokio::test]
async fn an_announcement_over_call_control() {
    for closes in [false, true] {
        for database in support::databases().await {
            let rules = Rules { caller_announcement: "A moment, please.".into(), ..bikes() };
            let stage = Stage::open(&database, rules).await;
            let rung = stage.announced().await;
            if closes {
                stage.market.close(&stage.session.id).await.unwrap();
            }
            stage.news("call.answered", RUNG, &rung, &none()).await;
            if closes {
                stage.only_asked(&on(RUNG, "hangup"));
            }
            assert!(stage.asked().is_empty());
            stage.hangup(RUNG, &rung, "normal_clearing", BEGAN).await;
            stage.only_asked(&on(CALLER, "hangup"));
            assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
            stage.0.end(database).await;
        }
    }
}

/// A team is rung in order. The end of one that is told again, while the next is rung, neither ends the next's
/// nor rings anybody else.
#[tokio::test]
async fn a_team_is_rung_once_each_over_call_control() {
    for database in support::databases().await {
        let rules = Rules { participants_max: 4, team_ring: TeamRing::InOrder, ..bikes() };
        let stage = Stage::open(&database, rules).await;
        for place in 2..4 {
            stage.add_seller(place).await;
        }
        let first = stage.ringing().await;
        stage.hangup(RUNG, &first, "no_answer", BEGAN).await;
        let second = stage.only_asked("POST /v2/calls");
        stage.hangup(RUNG, &first, "no_answer", BEGAN).await;
        assert_eq!(stage.only_asked("POST /v2/calls"), second, "the same command once more");
        let outgoing = json!({ "direction": "outgoing" });
        let state = &second["client_state"];
        stage.news("call.initiated", "v3:second", state, &outgoing).await;
        stage.hangup(RUNG, &first, "no_answer", BEGAN).await;
        assert!(stage.asked().is_empty(), "it rings already");
        stage.hangup("v3:second", state, "user_busy", BEGAN).await;
        let third = stage.only_asked("POST /v2/calls");
        let numbers: BTreeSet<&str> =
            [&second, &third].iter().map(|one| one["to"].as_str().unwrap()).collect();
        assert_eq!(numbers.len(), 2);
        assert!(!numbers.contains(stage.person(1)));
        stage.0.end(database).await;
    }
}

/// What another call keeps, or what was changed, is refused and has no effect.
#[tokio::test]
async fn what_calls_keep_is_not_taken_from_others() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let rung = stage.ringing().await;
        stage.news("call.answered", RUNG, &rung, &none()).await;
        let asked = stage.only_asked(&on(RUNG, "gather_using_speak"));
        let state = asked["client_state"].as_str().unwrap();
        let changed = format!("{}AAAA{}", &state[..40], &state[44..]);
        for (call, state) in [(CALLER, state), ("v3:another", state), (RUNG, &*changed)] {
            let pressed = json!({ "digits": "1" });
            let body = Stage::body("call.gather.ended", call, &json!(state), &pressed);
            let path = "/hooks/telnyx-call-control/call";
            let answer = over_telnyx::webhook(&stage.world, path, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{call}");
            assert!(stage.asked().is_empty(), "{call}");
        }
        stage.0.end(database).await;
    }
}

/// A call that the marketplace asks for rings one side, and once they answer they are transferred to the
/// other.
#[tokio::test]
async fn a_call_is_placed_over_call_control() {
    for database in support::databases().await {
        let stage = Stage::open(&database, bikes()).await;
        stage.place_call().await;
        let first = stage.only_asked("POST /v2/calls");
        let is_buyer = first["to"] == stage.person(0);
        let (one, other) = if is_buyer { (0, 1) } else { (1, 0) };
        assert_eq!(first["to"], stage.person(one));
        assert_eq!(first["from"], stage.session.dials[one].expose());
        stage.news("call.answered", RUNG, &first["client_state"], &none()).await;
        let transfer = stage.only_asked(&on(RUNG, "transfer"));
        assert_eq!(transfer["to"], stage.person(other));
        assert_eq!(transfer["from"], stage.session.dials[other].expose());
        let second = &transfer["target_leg_client_state"];
        stage.hangup("v3:second", second, "timeout", BEGAN).await;
        stage.only_asked(&on(RUNG, "hangup"));
        assert_eq!(stage.only().await.outcome, Some(Outcome::Missed));
        stage.0.end(database).await;
    }
}

/// Says what a stranger's call gets, by the path that is asked.
async fn documents(uri: Uri) -> ([(HeaderName, &'static str); 1], String) {
    let inside = match uri.path() {
        "/who" => {
            r#"<Say>Hello</Say><Gather numDigits="1" action="/next"><Say>Press 1</Say></Gather>"#
        }
        "/next" => r#"<Dial action="/after"><Number>+12125550103</Number></Dial>"#,
        _ => "<Say>Goodbye</Say>",
    };
    ([(CONTENT_TYPE, "text/xml")], format!("<Response>{inside}</Response>"))
}

/// A stranger's call goes through a document that the marketplace wrote: words, keys, somebody to ring, and
/// words again to the caller, who stays when the other side has hung up. What is told again of an earlier turn
/// neither ends the call nor begins anything anew.
#[tokio::test]
async fn a_script_over_call_control() {
    for database in support::databases().await {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = listener.local_addr().unwrap();
        let served = fake::axum_serve(listener, Router::new().fallback(documents));
        let _site = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        let mut rules = bikes();
        rules.proxy.out_of_session_callback_url = format!("http://{site}/who");
        let stage = Stage(Scene::with(&DIALECT, &database, rules, vec![site]).await);
        // Whoever calls a closed session is asked about.
        stage.market.close(&stage.session.id).await.unwrap();
        stage.call().await;
        let kept = stage.only_asked(&on(CALLER, "answer"));
        stage.news("call.answered", CALLER, &kept["client_state"], &none()).await;
        let hello = stage.only_asked(&on(CALLER, "speak"));
        assert_eq!(hello["payload"], "Hello");
        stage.news("call.speak.ended", CALLER, &hello["client_state"], &none()).await;
        let asked = stage.only_asked(&on(CALLER, "gather_using_speak"));
        let (keys, pressed) = (&asked["client_state"], json!({ "digits": "1" }));
        stage.news("call.gather.ended", CALLER, keys, &pressed).await;
        let transfer = stage.only_asked(&on(CALLER, "transfer"));
        let shown = ["to", "from", "park_after_unbridge"].map(|key| &transfer[key]);
        assert_eq!(shown, ["+12125550103", stage.session.dials[0].expose(), "self"]);
        stage.news("call.gather.ended", CALLER, keys, &pressed).await;
        assert_eq!(stage.only_asked(&on(CALLER, "transfer")), transfer, "the same command");
        let (rung, outgoing) =
            (&transfer["target_leg_client_state"], json!({ "direction": "outgoing" }));
        stage.news("call.initiated", RUNG, rung, &outgoing).await;
        stage.news("call.gather.ended", CALLER, keys, &pressed).await;
        assert!(stage.asked().is_empty(), "it rings already");
        stage.news("call.answered", RUNG, rung, &none()).await;
        stage.news("call.bridged", RUNG, rung, &none()).await;
        let joined = stage.only_asked(&keeps(RUNG));
        stage.hangup(RUNG, &joined["client_state"], "normal_clearing", BEGAN).await;
        let goodbye = stage.only_asked(&on(CALLER, "speak"));
        assert_eq!(goodbye["payload"], "Goodbye");
        stage.news("call.gather.ended", CALLER, keys, &pressed).await;
        assert!(stage.asked().is_empty(), "of an earlier turn");
        stage.news("call.speak.ended", CALLER, &goodbye["client_state"], &none()).await;
        stage.only_asked(&on(CALLER, "hangup"));
        stage.0.end(database).await;
    }
}
