//! Plans and requests of ours made out of an input.

use std::time::Duration;

use entremise::{
    carrier::{
        Plan,
        outbound::{Outbound, OutboundCall, OutboundMessage},
        plan::{
            Answer, Connect, Gather, Prompt, Record, RejectReason, Script, Sound, Target, Then,
            Whisper,
        },
    },
    domain::{
        message::Body,
        phone::{Identifier, ProxyNumber},
        sender::{CodeSender, Sender, SenderId},
    },
    ids::LegId,
};

use super::input::Input;

pub(crate) const PROXY: &str = "+14155550150";
pub(crate) const CALLEE: &str = "+447700900456";

pub(crate) fn leg(number: usize) -> LegId {
    LegId::parse(&format!("LG019000000000700080000000{number:08x}")).unwrap()
}

pub(crate) fn person(number: usize) -> String {
    format!("+{}", 447_700_900_000 + number % 1000)
}

/// What an input wants to be answered: kind, how many callees, screened, announced, times, and two
/// prompts with their languages.
pub(crate) fn answer(input: &mut Input<'_>) -> Answer {
    let (kind, callees) = (input.choice(10), input.choice(13));
    let (screen, first, second) =
        (input.choice(2) == 1, input.choice(2) == 1, input.choice(2) == 1);
    let (ring, most) = (input.count(), input.count());
    let mut prompt = || Prompt { text: input.text(), language: input.text() };
    let (one, two) = (prompt(), prompt());
    let (one_said, two_said) = (first.then(|| one.clone()), second.then_some(two));
    Answer::Plan(match kind {
        0 => Plan::Reject(RejectReason::Busy),
        1 => Plan::Reject(RejectReason::Declined),
        2 => Plan::Announce(one),
        3 => Plan::Connect(Connect { announce: one_said, ..dial(callees, ring, most, screen) }),
        4 => Plan::Whisper(Whisper {
            leg: leg(0),
            say: one_said,
            accept: two_said,
            optional: screen,
        }),
        5 => Plan::Proceed,
        6 => Plan::Hangup,
        7 => return Answer::Ack,
        8 => Plan::Script(Box::new(Script {
            leg: leg(0),
            turn: 1,
            sounds: vec![
                Sound::Play(one.text.clone()),
                Sound::Say(one),
                Sound::Pause(Duration::from_millis(ring)),
            ],
            then: match callees {
                0 => Then::Hangup,
                1 => Then::Ask,
                2 => Then::Keys(Gather {
                    prompts: two_said.map(Sound::Say).into_iter().collect(),
                    timeout: Duration::from_millis(most),
                    digits_max: 4,
                    finish: screen.then_some('#'),
                }),
                3 => Then::Record(Record {
                    longest: Duration::from_millis(most),
                    silence: Duration::from_millis(ring),
                    finish: '#',
                }),
                at => Then::Connect(Connect { turn: 1, ..dial(at - 4, ring, most, screen) }),
            },
        })),
        _ => return Answer::Nack,
    })
}

fn dial(callees: usize, ring: u64, most: u64, screen: bool) -> Connect {
    let target = |at| Target { leg: leg(at), number: Identifier::parse(&person(at)).unwrap() };
    Connect {
        leg: leg(0),
        to: (1..=callees).map(target).collect(),
        caller_id: ProxyNumber::parse(PROXY).unwrap(),
        announce: None,
        ring_timeout: Duration::from_millis(ring),
        duration_max: Duration::from_millis(most),
        screen,
        accept: screen,
        turn: 0,
    }
}

fn name(text: &str) -> Sender {
    let id = SenderId::parse(text).unwrap_or_else(|| SenderId::parse("Bikes 24").unwrap());
    Sender::Code(CodeSender::new(&id, None::<&str>).unwrap())
}

/// A text, a call, the end of one, or a text under a name: `call_id` then, where that can be one.
pub(crate) fn outbound(what: usize, call_id: &str, body: &str, media: &str) -> Outbound {
    let from = ProxyNumber::parse(PROXY).unwrap();
    let to = Identifier::parse(CALLEE).unwrap();
    match what {
        0 | 3 => Outbound::Message(OutboundMessage {
            leg: leg(0),
            from: if what == 0 { from.into() } else { name(call_id) },
            to,
            body: Body::new(body.to_owned()),
            media: media.lines().map(str::to_owned).collect(),
            validity: Duration::from_mins(15),
        }),
        1 => Outbound::Call(OutboundCall {
            leg: leg(0),
            from,
            to,
            ring_timeout: Duration::from_secs(25),
            duration_max: Duration::from_hours(1),
        }),
        _ => Outbound::EndCall { id: call_id.to_owned() },
    }
}
