//! What a call that is steered by commands keeps for us, and how its carrier carries it: sealed.
//!
//! An adapter keeps nothing, so what is still to be said and done travels with the call and comes back
//! with its events. It may hold a number, and stands in the carrier's logs: nobody but us reads it, nobody
//! changes it, and none is taken from another call or another carrier.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Map, Value, json};

use super::{Links, WebhookError, acts::Act, signature};
use crate::{domain::time::Timestamp, ids::LegId};

/// What every token begins with; the byte after it says whether it is bound to a call.
const MARK: &[u8] = b"E1";
const BOUND: u8 = b'b';
const UNBOUND: u8 = b'u';

/// The longest token that is read, in characters.
const TOKEN_MAX: usize = 64 * 1024;

/// What comes back once nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum On {
    /// Nothing.
    #[default]
    Nothing,
    /// A script's sounds are over.
    Played,
    /// Keys were asked for.
    Keys,
    /// Somebody who answered was told who calls, and nothing is asked of them.
    Whispered,
    /// A call that we placed was answered.
    Placed,
    /// The caller's call was answered, to be connected with the one that was rung.
    Bridge,
    /// The caller is recorded.
    Recorded,
}

impl On {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Played,
        Self::Keys,
        Self::Whispered,
        Self::Placed,
        Self::Bridge,
        Self::Recorded,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Played => "played",
            Self::Keys => "keys",
            Self::Whispered => "whispered",
            Self::Placed => "placed",
            Self::Bridge => "bridge",
            Self::Recorded => "recorded",
        }
    }
}

/// Another call of the same conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) leg: LegId,
    /// The carrier's id of it.
    pub(super) call: String,
}

impl Other {
    fn to_text(&self) -> String {
        format!("{} {}", self.leg, self.call)
    }

    fn read(text: &str) -> Option<Self> {
        let (leg, call) = text.split_once(' ')?;
        Some(Self { leg: LegId::parse(leg).ok()?, call: call.to_owned() })
    }
}

/// What one call keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The call's leg.
    pub(super) leg: Option<LegId>,
    /// The turn of a script.
    pub(super) turn: u32,
    pub(super) on: On,
    /// The key that ends an input.
    pub(super) end: Option<char>,
    /// What is still to be done, in order.
    pub(super) rest: Vec<Act>,
    /// Of somebody who is rung: the caller.
    pub(super) caller: Option<Other>,
    /// Of a caller who is about to be connected: who was rung.
    pub(super) rung: Option<Other>,
    /// Of somebody who is rung: whether the caller's call was answered before.
    pub(super) caller_up: bool,
    /// Of somebody who is rung: whether the carrier connects them by itself once they answer.
    pub(super) direct: bool,
    /// Of somebody who is rung: when they were connected, where the carrier keeps that.
    pub(super) joined: Option<Timestamp>,
}

impl Memory {
    /// Whether this is somebody who is rung by a call of their own and connected by us.
    pub(super) const fn is_apart(&self) -> bool {
        self.caller.is_some() && !self.direct
    }

    fn to_text(&self) -> String {
        let mut data = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                data.insert(key.to_owned(), value);
            }
        };
        put("leg", self.leg.as_ref().map(|leg| leg.as_str().into()));
        put("turn", (self.turn > 0).then(|| self.turn.into()));
        put("on", (self.on != On::Nothing).then(|| self.on.as_str().into()));
        put("end", self.end.map(|end| end.to_string().into()));
        let rest: Vec<String> = self.rest.iter().map(Act::to_text).collect();
        put("rest", (!rest.is_empty()).then(|| json!(rest)));
        put("caller", self.caller.as_ref().map(|other| other.to_text().into()));
        put("rung", self.rung.as_ref().map(|other| other.to_text().into()));
        put("up", self.caller_up.then_some(Value::Bool(true)));
        put("direct", self.direct.then_some(Value::Bool(true)));
        put("joined", self.joined.map(|at| at.millis().into()));
        Value::Object(data).to_string()
    }

    /// `None` for what [`Memory::to_text`] has not written.
    fn read(text: &[u8]) -> Option<Self> {
        let data: Value = serde_json::from_slice(text).ok()?;
        let text = |key: &str| data[key].as_str();
        let rest = data["rest"].as_array().into_iter().flatten();
        let other = |key: &str| match text(key) {
            Some(text) => Other::read(text).map(Some),
            None => Some(None),
        };
        Some(Self {
            leg: match text("leg") {
                Some(leg) => Some(LegId::parse(leg).ok()?),
                None => None,
            },
            turn: data["turn"].as_u64().unwrap_or(0).try_into().ok()?,
            on: On::ALL.into_iter().find(|on| on.as_str() == text("on").unwrap_or_default())?,
            end: text("end").and_then(|end| end.chars().next()),
            rest: rest.map(|act| Act::read(act.as_str()?)).collect::<Option<_>>()?,
            caller: other("caller")?,
            rung: other("rung")?,
            caller_up: data["up"] == true,
            direct: data["direct"] == true,
            joined: data["joined"].as_i64().map(Timestamp::from_millis),
        })
    }

    /// As a token for `call`, or for a call that is only asked for and has no id yet; in the alphabet and
    /// with the padding of base64 (RFC 4648 §4). `None` without a key: then nothing is steered. The second
    /// kind comes back with whichever call the carrier makes, and is replaced by the first command to it.
    ///
    /// The nonce is made of what is sealed, so that it is the same for the same only: an adapter draws no
    /// random numbers, and a command that is repeated is the same command.
    pub(super) fn seal(&self, call: Option<&str>, links: &Links) -> Option<String> {
        let keys = Keys::of(links)?;
        let head = head(call);
        let mut text = self.to_text().into_bytes();
        let bytes = keys.nonce(&head, &text);
        let nonce = Nonce::assume_unique_for_key(bytes);
        keys.memory.seal_in_place_append_tag(nonce, Aad::from(&head), &mut text).ok()?;
        let kind = if call.is_some() { BOUND } else { UNBOUND };
        Some(BASE64.encode([MARK, &[kind], &bytes, &text].concat()))
    }

    /// What a token says that came with news of `call`; `None` for what is none of ours.
    ///
    /// # Errors
    /// [`WebhookError::BadToken`] for one that was changed, or that is another call's or carrier's.
    pub(super) fn open(
        token: &str,
        call: &str,
        links: &Links,
    ) -> Result<Option<Self>, WebhookError> {
        let bytes = (token.len() <= TOKEN_MAX).then(|| BASE64.decode(token).ok()).flatten();
        let Some(rest) = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(MARK)) else {
            return Ok(None);
        };
        let memory = Keys::of(links).and_then(|keys| keys.open(rest, call));
        // What was sealed for a call to be is no caller's, whom it names.
        let memory =
            memory.filter(|one| one.caller.as_ref().is_none_or(|other| other.call != call));
        memory.map(Some).ok_or(WebhookError::BadToken)
    }
}

/// What is authenticated besides: the kind of token, and the call that it is bound to.
fn head(call: Option<&str>) -> Vec<u8> {
    let kind = if call.is_some() { BOUND } else { UNBOUND };
    [MARK, &[kind], call.unwrap_or_default().as_bytes()].concat()
}

/// What tokens of one carrier are sealed with.
struct Keys {
    memory: LessSafeKey,
    nonce: Vec<u8>,
}

impl Keys {
    fn of(links: &Links) -> Option<Self> {
        let derived = |purpose: &str| links.derived(purpose);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &derived("memory of calls")?).ok()?;
        Some(Self { memory: LessSafeKey::new(key), nonce: derived("nonces of calls")? })
    }

    fn nonce(&self, head: &[u8], text: &[u8]) -> [u8; NONCE_LEN] {
        let length = u64::try_from(head.len()).unwrap_or(u64::MAX).to_be_bytes();
        let tag = signature::sign_sha256(&self.nonce, &[&length, head, text].concat());
        std::array::from_fn(|at| tag.get(at).copied().unwrap_or_default())
    }

    /// Opens what follows the mark.
    fn open(&self, rest: &[u8], call: &str) -> Option<Memory> {
        let (kind, rest) = rest.split_first()?;
        let head = match *kind {
            BOUND => head(Some(call)),
            UNBOUND => head(None),
            _ => return None,
        };
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let text = self.memory.open_in_place(nonce, Aad::from(&head), &mut text).ok()?;
        Memory::read(text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        carrier::{
            acts::{Dial, Heard, Wanted},
            plan::{Prompt, samples::leg},
        },
        domain::phone::{Identifier, ProxyNumber},
    };

    const CALL: &str = "v3:one";

    fn links(key: u8) -> Links {
        Links::new("https://relay.example.com", "telnyx").sealed([key; 32])
    }

    fn full() -> Memory {
        let words = |text: &str| {
            Heard::words(&Prompt { text: text.into(), language: "en-GB".into() }, 1_000)
        };
        let keys = |end, prompt| {
            Act::Keys(Wanted { most: 6, timeout: Duration::from_secs(5), end, prompt })
        };
        let other = |call: &str| Some(Other { leg: leg(3), call: call.to_owned() });
        Memory {
            leg: Some(leg(1)),
            turn: 7,
            on: On::Bridge,
            end: Some('*'),
            rest: vec![
                Act::Hear(words("Hello  there,\n\"friend\" rest0 hangup é")),
                Act::Hear(words("")),
                Act::Hear(Heard::File("https://m.example/hold?a=1 b".to_owned())),
                Act::Hear(Heard::Silence(Duration::from_millis(2_500))),
                keys(Some('#'), Some(words("Press keys 1 2 - now"))),
                keys(None, None),
                Act::Dial(Dial {
                    leg: leg(2),
                    to: Identifier::parse("+447700900002").unwrap(),
                    from: ProxyNumber::parse("+447700900151").unwrap(),
                    ring: Duration::from_secs(20),
                    most: Duration::from_mins(3),
                    screened: true,
                }),
                Act::Hangup,
            ],
            caller: other("v3:two"),
            rung: other("v3:three"),
            caller_up: true,
            direct: true,
            joined: Some(Timestamp::from_millis(1_795_292_727_000)),
        }
    }

    /// What a call keeps comes back as it was, whatever words are in it, and the same each time.
    #[test]
    fn memory_reads_back() {
        for memory in [full(), Memory::default()] {
            for call in [Some(CALL), None] {
                let token = memory.seal(call, &links(7)).unwrap();
                assert_eq!(memory.seal(call, &links(7)).unwrap(), token);
                assert_eq!(Memory::open(&token, CALL, &links(7)), Ok(Some(memory.clone())));
            }
        }
    }

    /// I16: a token shows neither a number nor a word, in clear or in base64.
    #[test]
    fn i16_tokens_show_nothing() {
        let token = full().seal(Some(CALL), &links(7)).unwrap();
        let bytes = BASE64.decode(&token).unwrap();
        let clear = String::from_utf8_lossy(&bytes);
        for secret in ["447700900002", "friend", "LG01", "v3:two", "dial"] {
            assert!(!clear.contains(secret) && !token.contains(secret), "{secret}");
        }
    }

    /// A token that was changed in any bit, cut, made with another carrier's key, without one, or put on
    /// another call is refused; and none of them is taken for less than it says.
    #[test]
    fn tokens_are_refused() {
        let refused = Err(WebhookError::BadToken);
        for call in [Some(CALL), None] {
            let token = full().seal(call, &links(7)).unwrap();
            let bytes = BASE64.decode(&token).unwrap();
            for at in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[at / 8] ^= 1 << (at % 8);
                let opened = Memory::open(&BASE64.encode(&changed), CALL, &links(7));
                // Without its mark it is none of ours, and says nothing.
                let unmarked = at < MARK.len() * 8;
                assert_eq!(opened, if unmarked { Ok(None) } else { refused.clone() }, "bit {at}");
            }
            for length in MARK.len()..bytes.len() {
                let cut = BASE64.encode(&bytes[..length]);
                assert_eq!(Memory::open(&cut, CALL, &links(7)), refused, "{length} bytes");
            }
            assert_eq!(Memory::open(&token, CALL, &links(8)), refused);
            let unsealed = Links::new("https://relay.example.com", "telnyx");
            assert_eq!(Memory::open(&token, CALL, &unsealed), refused);
            // The caller's call does not have what the other side's keeps.
            assert_eq!(Memory::open(&token, "v3:two", &links(7)), refused);
        }
        let bound = full().seal(Some(CALL), &links(7)).unwrap();
        assert_eq!(Memory::open(&bound, "v3:four", &links(7)), refused);
        assert_eq!(full().seal(None, &Links::new("https://relay.example.com", "telnyx")), None);
    }

    /// What others keep with a call is none of ours.
    #[test]
    fn what_others_keep_is_nothing() {
        for token in ["", "e30=", "not base64", "{\"leg\":\"LG01\"}", &"A".repeat(100_000)] {
            assert_eq!(Memory::open(token, CALL, &links(7)), Ok(None), "{token:.20}");
        }
    }
}
