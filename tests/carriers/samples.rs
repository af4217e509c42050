//! One of every answer and of everything that we ask of a carrier.

use std::time::Duration;

use entremise::{
    carrier::{
        Answer, Plan,
        outbound::{Outbound, OutboundCall, OutboundMessage, RecordingCommand},
        plan::{
            Connect, Gather, Prompt, Record, RejectReason, Script, Sound, Target, Then, Whisper,
        },
    },
    domain::{
        interaction::Kind,
        message::Body,
        phone::{Identifier, ProxyNumber},
        recording::RecordingAct,
        sender::{CodeSender, Sender, SenderId},
    },
    ids::LegId,
};

use crate::fixtures::Facts;

/// Callees, whose numbers are dialled, and last a caller, whose number is nowhere.
pub(crate) const PEOPLE: &[&str] =
    &["+447700900456", "+33639981234", "+14155550177", "+447700900789"];

pub(crate) const WORDS: &str = "A call from Bikes & More.";

pub(crate) const HOSTILE_WORDS: &str =
    "</Say></Response><Dial>1\"]}, {\"action\":\"talk\"} ]]> <!-- & &amp; %0a \\u0022 ${x} é";

const PROXY: &str = "+14155550150";

fn leg(number: u8) -> LegId {
    LegId::parse(&format!("LG0190000000007000800000000000000{number}")).unwrap()
}

fn proxy() -> ProxyNumber {
    ProxyNumber::parse(PROXY).unwrap()
}

/// A name that every carrier takes that takes any.
pub(crate) const NAME: &str = "Bikes24";

fn name() -> Sender {
    let id = SenderId::parse(NAME).unwrap();
    Sender::Code(CodeSender::new(&id, None::<&LegId>).unwrap())
}

fn person(number: usize) -> Identifier {
    Identifier::parse(PEOPLE[number]).unwrap()
}

fn prompt(text: &str) -> Prompt {
    Prompt { text: text.to_owned(), language: "en-GB".to_owned() }
}

fn connect(callees: u8) -> Connect {
    Connect {
        leg: leg(1),
        to: (0..callees).map(|at| Target { leg: leg(2 + at), number: person(at.into()) }).collect(),
        caller_id: proxy(),
        announce: None,
        ring_timeout: Duration::from_millis(25_900),
        duration_max: Duration::from_hours(1),
        screen: false,
        accept: false,
        turn: 0,
    }
}

fn script(words: &str, then: Then) -> Plan {
    Plan::Script(Box::new(Script { leg: leg(1), turn: 3, sounds: sounds(words), then }))
}

fn sounds(words: &str) -> Vec<Sound> {
    vec![
        Sound::Say(prompt(words)),
        Sound::Play("https://m.example/hold?a=1&b=2".to_owned()),
        Sound::Pause(Duration::from_millis(2_500)),
    ]
}

/// Every answer by name, its prompts saying `words`.
pub(crate) fn answers(words: &str) -> Vec<(&'static str, Answer)> {
    let say = || Some(prompt(words));
    let whisper =
        |say, accept| Plan::Whisper(Whisper { leg: leg(2), say, accept, optional: false });
    let asks = Whisper { leg: leg(2), say: None, accept: say(), optional: true };
    let forever = Duration::from_hours(1000);
    let keys = |prompts, finish| {
        let timeout = Duration::from_secs(5);
        Then::Keys(Gather { prompts, timeout, digits_max: 6, finish })
    };
    let record =
        |longest| Then::Record(Record { longest, silence: Duration::from_secs(5), finish: '#' });
    let plans = vec![
        ("reject busy", Plan::Reject(RejectReason::Busy)),
        ("reject declined", Plan::Reject(RejectReason::Declined)),
        ("announce", Plan::Announce(prompt(words))),
        ("connect", Plan::Connect(connect(1))),
        ("connect, announced", Plan::Connect(Connect { announce: say(), ..connect(1) })),
        ("connect, screened", Plan::Connect(Connect { screen: true, ..connect(1) })),
        (
            "connect, a team",
            Plan::Connect(Connect { screen: true, accept: true, announce: say(), ..connect(3) }),
        ),
        (
            "connect, times too short",
            Plan::Connect(Connect {
                ring_timeout: Duration::ZERO,
                duration_max: Duration::ZERO,
                ..connect(1)
            }),
        ),
        (
            "connect, times too long",
            Plan::Connect(Connect { ring_timeout: forever, duration_max: forever, ..connect(1) }),
        ),
        ("connect, nobody", Plan::Connect(connect(0))),
        ("script, hangup", script(words, Then::Hangup)),
        ("script, ask", script(words, Then::Ask)),
        ("script, keys", script(words, keys(sounds(words), Some('#')))),
        ("script, keys without an end", script(words, keys(Vec::new(), None))),
        ("script, connect", script(words, Then::Connect(Connect { turn: 3, ..connect(1) }))),
        ("script, record", script(words, record(Duration::from_mins(2)))),
        ("script, record too long", script(words, record(forever))),
        ("whisper", whisper(say(), None)),
        ("whisper, accept", whisper(None, say())),
        ("whisper, say and accept", whisper(say(), Some(prompt("Press 1 to take the call.")))),
        ("whisper, nothing", whisper(None, None)),
        ("whisper, to be agreed to", Plan::Whisper(asks)),
        ("proceed", Plan::Proceed),
        ("hangup", Plan::Hangup),
    ];
    // A new variant must get a sample above: this match stops compiling without it.
    for (_, plan) in &plans {
        match plan {
            Plan::Reject(RejectReason::Busy | RejectReason::Declined)
            | Plan::Announce(_)
            | Plan::Connect(_)
            | Plan::Script(_)
            | Plan::Whisper(_)
            | Plan::Proceed
            | Plan::Hangup => {}
        }
    }
    let mut answers: Vec<_> =
        plans.into_iter().map(|(name, plan)| (name, Answer::Plan(plan))).collect();
    answers.extend([("ack", Answer::Ack), ("nack", Answer::Nack)]);
    answers
}

/// Everything that we ask of a carrier, by name, with ids of a call, a text and a recording as the carrier
/// makes them.
pub(crate) fn outbounds(facts: &Facts) -> Vec<(&'static str, Outbound)> {
    let Facts { call_id, recording_id, message_id, .. } = facts;
    let record =
        |kind, inbound, id: &String| Outbound::DeleteRecord { kind, inbound, id: id.clone() };
    let text = |from: Sender, body: &str, media: &[&str]| {
        Outbound::Message(OutboundMessage {
            leg: leg(2),
            from,
            to: person(0),
            body: Body::new(body.to_owned()),
            media: media.iter().map(|address| (*address).to_owned()).collect(),
            validity: Duration::from_millis(7_200_500),
        })
    };
    let recording = |act, id: Option<&str>| {
        let (call, id) = (call_id.clone(), id.map(str::to_owned));
        Outbound::Recording(RecordingCommand { leg: leg(1), call, id, act })
    };
    let outbounds = vec![
        ("text", text(proxy().into(), "a+b=c & 100% “né” ☃\n&To=+14155550199", &[])),
        (
            "text with pictures",
            text(proxy().into(), "", &["https://relay.example.com/media/1?t=a&b=c"]),
        ),
        ("text under a name", text(name(), "123456 is your Bikes code.", &[])),
        (
            "call",
            Outbound::Call(OutboundCall {
                leg: leg(2),
                from: proxy(),
                to: person(0),
                ring_timeout: Duration::from_secs(25),
                duration_max: Duration::from_hours(1),
            }),
        ),
        ("end of a call", Outbound::EndCall { id: call_id.clone() }),
        ("deletion of a recording", Outbound::DeleteRecording { id: recording_id.clone() }),
        ("deletion of a text's record", record(Kind::Message, false, message_id)),
        ("deletion of the record of a text that came in", record(Kind::Message, true, message_id)),
        ("deletion of a call's record", record(Kind::Call, true, call_id)),
        ("recording, start", recording(RecordingAct::Start, None)),
        ("recording, pause", recording(RecordingAct::Pause, Some(recording_id))),
        ("recording, resume", recording(RecordingAct::Resume, Some(recording_id))),
        ("recording, stop", recording(RecordingAct::Stop, Some(recording_id))),
    ];
    for (_, outbound) in &outbounds {
        match outbound {
            Outbound::Message(_)
            | Outbound::Call(_)
            | Outbound::EndCall { .. }
            | Outbound::DeleteRecording { .. }
            | Outbound::DeleteRecord { .. }
            | Outbound::Recording(RecordingCommand {
                act:
                    RecordingAct::Start
                    | RecordingAct::Pause
                    | RecordingAct::Resume
                    | RecordingAct::Stop,
                ..
            }) => {}
        }
    }
    outbounds
}
