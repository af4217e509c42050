//! The form in which a plan is kept beside the event that asked for it, to answer duplicates alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    carrier::plan::{Answer, Connect, Plan, Prompt, RejectReason, Target},
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

#[derive(Serialize, Deserialize)]
struct Words {
    text: String,
    language: String,
}

#[derive(Serialize, Deserialize)]
enum Stored {
    Busy,
    Declined,
    Announce(Words),
    Connect {
        leg: String,
        to: Vec<(String, String)>,
        caller_id: String,
        announce: Option<Words>,
        ring_ms: u64,
        max_ms: u64,
        screen: bool,
    },
    Hangup,
}

fn words(prompt: &Prompt) -> Words {
    Words { text: prompt.text.clone(), language: prompt.language.clone() }
}

fn prompt(words: Words) -> Prompt {
    Prompt { text: words.text, language: words.language }
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// The text of a plan; the store seals it. Empty for plans that are never an inbound call's.
pub(super) fn to_text(plan: &Plan) -> String {
    let stored = match plan {
        Plan::Reject(RejectReason::Busy) => Stored::Busy,
        Plan::Reject(RejectReason::Declined) => Stored::Declined,
        Plan::Announce(prompt) => Stored::Announce(words(prompt)),
        Plan::Connect(connect) => Stored::Connect {
            leg: connect.leg.to_string(),
            to: connect
                .to
                .iter()
                .map(|target| (target.leg.to_string(), target.number.expose().to_owned()))
                .collect(),
            caller_id: connect.caller_id.to_string(),
            announce: connect.announce.as_ref().map(words),
            ring_ms: ms(connect.ring_timeout),
            max_ms: ms(connect.duration_max),
            screen: connect.screen,
        },
        Plan::Hangup => Stored::Hangup,
        Plan::Whisper(_) | Plan::Proceed => return String::new(),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// The answer that was kept; an acknowledgement where none was.
pub(super) fn answer(text: &str) -> Answer {
    read(text).map_or(Answer::Ack, Answer::Plan)
}

fn read(text: &str) -> Option<Plan> {
    Some(match serde_json::from_str(text).ok()? {
        Stored::Busy => Plan::Reject(RejectReason::Busy),
        Stored::Declined => Plan::Reject(RejectReason::Declined),
        Stored::Announce(words) => Plan::Announce(prompt(words)),
        Stored::Connect { leg, to, caller_id, announce, ring_ms, max_ms, screen } => {
            Plan::Connect(Connect {
                leg: LegId::parse(&leg).ok()?,
                to: to
                    .into_iter()
                    .map(|(leg, number)| {
                        Some(Target {
                            leg: LegId::parse(&leg).ok()?,
                            number: Identifier::parse(&number).ok()?,
                        })
                    })
                    .collect::<Option<_>>()?,
                caller_id: ProxyNumber::parse(&caller_id).ok()?,
                announce: announce.map(prompt),
                ring_timeout: Duration::from_millis(ring_ms),
                duration_max: Duration::from_millis(max_ms),
                screen,
            })
        }
        Stored::Hangup => Plan::Hangup,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A duplicate gets the very plan that the first one got.
    #[test]
    fn plans_read_back() {
        let leg = |n: u8| LegId::parse(&format!("LG{n:032x}")).unwrap();
        let say = Prompt { text: "Hello".into(), language: "en-US".into() };
        for plan in [
            Plan::Reject(RejectReason::Busy),
            Plan::Reject(RejectReason::Declined),
            Plan::Announce(say.clone()),
            Plan::Hangup,
            Plan::Connect(Connect {
                leg: leg(1),
                to: vec![Target {
                    leg: leg(2),
                    number: Identifier::parse("+14155550100").unwrap(),
                }],
                caller_id: ProxyNumber::parse("+14155550199").unwrap(),
                announce: Some(say),
                ring_timeout: Duration::from_secs(20),
                duration_max: Duration::from_mins(30),
                screen: true,
            }),
        ] {
            assert_eq!(answer(&to_text(&plan)), Answer::Plan(plan));
        }
        assert_eq!(answer(""), Answer::Ack);
    }
}
