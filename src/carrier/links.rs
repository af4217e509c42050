//! Our callback addresses, as a carrier gets them.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use super::signature;
use crate::ids::LegId;

/// How much of a seal stands in an address: 128 bits (RFC 2104 §5 wants at least half of the tag).
const SEAL_BYTES: usize = 16;

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
    /// What a caller said was recorded.
    Recorded,
    /// What two said who talked was recorded.
    Talk,
}

impl Step {
    /// Every step.
    pub const ALL: &'static [Self] = &[
        Self::Whisper,
        Self::Keys,
        Self::Dialled,
        Self::Answered,
        Self::Played,
        Self::Recorded,
        Self::Talk,
    ];

    /// The value of the address's `step`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whisper => "whisper",
            Self::Keys => "keys",
            Self::Dialled => "dialled",
            Self::Answered => "answered",
            Self::Played => "played",
            Self::Recorded => "recorded",
            Self::Talk => "talk",
        }
    }
}

/// Makes our callback addresses for one configured carrier.
///
/// They carry a leg id and no number. Not every carrier signs the address that it calls, so an
/// address that names a leg ends in a seal of ours: whose call a webhook is about is never for
/// whoever sends it to say.
#[derive(Clone)]
pub struct Links {
    origin: String,
    base: String,
    key: Option<[u8; 32]>,
    fallback: Option<String>,
}

impl Links {
    /// Addresses below `<public_url>/hooks/<carrier>`, without seals: to be shown, or compared with
    /// what is set at a carrier.
    pub fn new(public_url: &str, carrier: &str) -> Self {
        let origin = public_url.trim_end_matches('/').to_owned();
        Self { base: format!("{origin}/hooks/{carrier}"), origin, key: None, fallback: None }
    }

    /// The same, with where calls go while no node of ours can be reached.
    #[must_use]
    pub fn with_fallback(self, fallback: Option<String>) -> Self {
        Self { fallback, ..self }
    }

    /// Where calls go while no node of ours can be reached: a document that somebody else hosts.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The same, sealed under a key that is this carrier's alone.
    #[must_use]
    pub fn sealed(self, key: [u8; 32]) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Whether one of these addresses has that query: it names no leg, or bears the seal of what it
    /// names. Without a key none that names a leg is ours.
    pub fn made(&self, query: &str) -> bool {
        let (at, rung) = (read(query), read_rung(query));
        if at == At::default() && rung.is_none() {
            return true;
        }
        let Some(key) = &self.key else { return false };
        let seal = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "seal");
        let seal = seal.and_then(|(_, seal)| BASE64.decode(&*seal).ok()).unwrap_or_default();
        signature::same(&tag(key, &at, rung.as_ref()), &seal)
    }

    /// A key that is this carrier's alone and for one purpose; `None` without seals.
    pub(super) fn derived(&self, purpose: &str) -> Option<Vec<u8>> {
        self.key.map(|key| signature::sign_sha256(&key, purpose.as_bytes()))
    }

    /// The address with its seal, if it names a leg and there is a key.
    fn seal(&self, address: String) -> String {
        let Some((key, (_, query))) = self.key.as_ref().zip(address.split_once('?')) else {
            return address;
        };
        let tag = tag(key, &read(query), read_rung(query).as_ref());
        format!("{address}&seal={}", BASE64.encode(tag))
    }

    /// Where the carrier fetches the picture or file that `token` names.
    pub fn media(&self, token: &str) -> String {
        format!("{}/media/{token}", self.origin)
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
        self.seal(format!("{}/status?leg={leg}", self.base))
    }

    /// Where a carrier asks what to do next with a call.
    pub fn step(&self, step: Step, leg: &LegId) -> String {
        self.turn(step, leg, 0)
    }

    /// The same for a leg that is asked more than once: which time this is, from 1. 0 is not named.
    pub fn turn(&self, step: Step, leg: &LegId, turn: u32) -> String {
        self.seal(self.plain(step, leg, turn))
    }

    /// Where a carrier that has one address for both tells of somebody who is rung, and asks what to
    /// do next with the call once that is over.
    pub fn dialling(&self, leg: &LegId, rung: &LegId, turn: u32) -> String {
        self.seal(format!("{}&rung={rung}", self.plain(Step::Dialled, leg, turn)))
    }

    fn plain(&self, step: Step, leg: &LegId, turn: u32) -> String {
        let address = format!("{}/call?step={}&leg={leg}", self.base, step.as_str());
        if turn == 0 { address } else { format!("{address}&turn={turn}") }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links({})", self.base)
    }
}

/// What seals an address: all that an adapter reads from it counts.
fn tag(key: &[u8], at: &At, rung: Option<&LegId>) -> Vec<u8> {
    let At { step, leg, turn } = at;
    let text = |leg: Option<&LegId>| leg.map(ToString::to_string).unwrap_or_default();
    let step = step.map_or("", Step::as_str);
    let named = format!("{step}\n{}\n{turn}\n{}", text(leg.as_ref()), text(rung));
    let mut tag = signature::sign_sha256(key, named.as_bytes());
    tag.truncate(SEAL_BYTES);
    tag
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

    /// Nobody but us makes an address that names a leg: not with another step, leg or turn, with
    /// somebody else's seal, or without one.
    #[test]
    fn addresses_are_sealed() {
        let leg = LegId::parse("LG0123456789abcdef0123456789abcdef").unwrap();
        let other = LegId::parse("LGfedcba9876543210fedcba9876543210").unwrap();
        let plain = Links::new("https://relay.example", "telnyx");
        let links = plain.clone().sealed([7; 32]);
        let query = |url: &str| url.split_once('?').unwrap().1.to_owned();
        let all = [
            links.leg_status(&leg),
            links.step(Step::Keys, &leg),
            links.turn(Step::Keys, &leg, 2),
            links.dialling(&leg, &other, 2),
        ];
        for url in &all {
            let query = query(url);
            assert!(links.made(&query), "{query}");
            assert!(links.made(&format!("{query}&CallSid=1")), "what a carrier adds");
            assert!(!plain.made(&query) && !plain.clone().sealed([8; 32]).made(&query));
            let (said, seal) = query.rsplit_once("&seal=").unwrap();
            assert!(!links.made(said));
            for (from, to) in [
                ("step=keys", "step=played"),
                ("turn=2", "turn=3"),
                ("turn=2", "turn=1"),
                (&*leg.to_string(), &*other.to_string()),
            ] {
                let changed = query.replace(from, to);
                assert!(changed == query || !links.made(&changed), "{changed}");
            }
            let added = format!("{query}&leg={other}");
            assert!(!links.made(&added) || read(&added) == read(&query));
            for cut in 0..seal.len() {
                assert!(!links.made(&format!("{said}&seal={}", &seal[..cut])));
            }
            for from in all.iter().filter(|from| *from != url) {
                let theirs = from.rsplit_once("&seal=").unwrap().1;
                assert!(!links.made(&format!("{said}&seal={theirs}")));
            }
        }
        assert!(plain.made("") && links.made("CallSid=1&seal=x"));
    }
}
