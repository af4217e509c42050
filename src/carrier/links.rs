//! Our callback addresses, as a carrier gets them.

use crate::ids::LegId;

/// What a carrier asks for at a call address besides a new call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Somebody that we rang answered: what to say first?
    Whisper,
    /// Keys were pressed where a plan asked for them.
    Keys,
    /// The dialling is over: what next?
    Dialled,
    /// A call that we placed was answered: what is its plan?
    Answered,
    /// What a script plays is over: what next?
    Played,
}

impl Step {
    /// Every step.
    pub const ALL: &'static [Self] =
        &[Self::Whisper, Self::Keys, Self::Dialled, Self::Answered, Self::Played];

    /// The value of the address's `step`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whisper => "whisper",
            Self::Keys => "keys",
            Self::Dialled => "dialled",
            Self::Answered => "answered",
            Self::Played => "played",
        }
    }
}

/// Makes our callback addresses for one configured carrier.
///
/// They carry a leg id and no number. The carrier signs the whole address, so the id is as
/// trustworthy as the rest of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    base: String,
}

impl Links {
    /// Addresses below `<public_url>/hooks/<carrier>`.
    pub fn new(public_url: &str, carrier: &str) -> Self {
        Self { base: format!("{}/hooks/{carrier}", public_url.trim_end_matches('/')) }
    }

    /// Where new texts go.
    pub fn message(&self) -> String {
        format!("{}/message", self.base)
    }

    /// Where new calls go.
    pub fn call(&self) -> String {
        format!("{}/call", self.base)
    }

    /// Where news of a number's inbound calls goes.
    pub fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// Where news of one leg goes.
    pub fn leg_status(&self, leg: &LegId) -> String {
        format!("{}/status?leg={leg}", self.base)
    }

    /// Where a carrier asks what to do next with a call.
    pub fn step(&self, step: Step, leg: &LegId) -> String {
        format!("{}/call?step={}&leg={leg}", self.base, step.as_str())
    }

    /// The same for a leg that is asked more than once: which time this is, from 1. 0 is not named.
    pub fn turn(&self, step: Step, leg: &LegId, turn: u32) -> String {
        let address = self.step(step, leg);
        if turn == 0 { address } else { format!("{address}&turn={turn}") }
    }

    /// Where a carrier that has one address for both tells of somebody who is rung, and asks what to
    /// do next with the call once that is over.
    pub fn dialling(&self, leg: &LegId, rung: &LegId, turn: u32) -> String {
        format!("{}&rung={rung}", self.turn(Step::Dialled, leg, turn))
    }
}

/// What one of our addresses carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct At {
    /// What the carrier asks for.
    pub step: Option<Step>,
    /// The leg.
    pub leg: Option<LegId>,
    /// Which time that leg is asked; 0 where the address does not say.
    pub turn: u32,
}

/// Reads the query of one of our addresses; what is no part of ours counts for nothing.
pub fn read(query: &str) -> At {
    let mut found = At::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "step" => found.step = Step::ALL.iter().copied().find(|step| step.as_str() == value),
            "leg" => found.leg = LegId::parse(&value).ok(),
            "turn" => found.turn = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    found
}

/// The leg of somebody who is rung, in the query of an address of [`Links::dialling`].
pub fn read_rung(query: &str) -> Option<LegId> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(key, value)| (key == "rung").then(|| LegId::parse(&value).ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes out in an address comes back from it.
    #[test]
    fn addresses_read_back() {
        let leg = LegId::parse("LG0123456789abcdef0123456789abcdef").unwrap();
        let links = Links::new("https://relay.example/", "twilio");
        for step in Step::ALL {
            let url = links.step(*step, &leg);
            assert!(url.starts_with("https://relay.example/hooks/twilio/call?"));
            let at = At { step: Some(*step), leg: Some(leg.clone()), turn: 0 };
            assert_eq!(read(url.split_once('?').unwrap().1), at);
            assert_eq!(links.turn(*step, &leg, 0), url);
            let third = links.turn(*step, &leg, 3);
            assert_eq!(read(third.split_once('?').unwrap().1), At { turn: 3, ..at });
        }
        let rung = LegId::parse("LGfedcba9876543210fedcba9876543210").unwrap();
        let url = links.dialling(&leg, &rung, 2);
        let (_, query) = url.split_once('?').unwrap();
        let at = At { step: Some(Step::Dialled), leg: Some(leg), turn: 2 };
        assert_eq!((read(query), read_rung(query)), (at, Some(rung)));
        assert_eq!(read("leg=nonsense&step=none&turn=-1"), At::default());
    }
}
