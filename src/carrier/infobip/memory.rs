//! What a call at Infobip keeps for us as its custom data, and brings back with its events.
//!
//! Infobip's calls are steered by one request at a time: what is to be said and done later travels with
//! the call, since an adapter keeps nothing.

use serde_json::{Map, Value};

use super::{act::Act, is_id};
use crate::ids::LegId;

/// What the end of something heard, or of an answer, means once nothing is left to do.
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
}

impl On {
    const ALL: [Self; 6] =
        [Self::Nothing, Self::Played, Self::Keys, Self::Whispered, Self::Placed, Self::Bridge];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Played => "played",
            Self::Keys => "keys",
            Self::Whispered => "whispered",
            Self::Placed => "placed",
            Self::Bridge => "bridge",
        }
    }
}

/// Another call of the same conversation.
#[derive(Clone)]
pub(super) struct Other {
    pub(super) leg: LegId,
    /// Infobip's id of it.
    pub(super) call: String,
}

/// What one call keeps.
#[derive(Clone, Default)]
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
    /// Of somebody who is rung: whether they are asked before they are connected.
    pub(super) screened: bool,
}

impl Memory {
    /// As the custom data of a request. Every key is there: it is not documented whether those that
    /// are left out keep their value.
    pub(super) fn to_json(&self) -> Value {
        let flag = |flag: bool| if flag { "1" } else { "" };
        let leg = |leg: Option<&LegId>| leg.map_or_else(String::new, ToString::to_string);
        let other = |other: &Option<Other>| match other {
            Some(Other { leg, call }) => format!("{leg} {call}"),
            None => String::new(),
        };
        let mut data = Map::new();
        let mut put = |key: &str, value: String| data.insert(key.to_owned(), value.into());
        put("leg", leg(self.leg.as_ref()));
        put("turn", self.turn.to_string());
        put("on", self.on.as_str().to_owned());
        put("end", self.end.map(String::from).unwrap_or_default());
        put("caller", other(&self.caller));
        put("rung", other(&self.rung));
        put("caller_up", flag(self.caller_up).to_owned());
        put("screened", flag(self.screened).to_owned());
        put("rest", self.rest.len().to_string());
        for (at, act) in self.rest.iter().enumerate() {
            put(&format!("rest{at}"), act.to_text());
        }
        Value::Object(data)
    }

    /// What custom data says; what is not ours counts for nothing.
    pub(super) fn read(data: &Value) -> Self {
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        let leg = |text: &str| LegId::parse(text).ok();
        let other = |text: &str| {
            let (id, call) = text.split_once(' ')?;
            Some(Other { leg: leg(id)?, call: Some(call).filter(|call| is_id(call))?.to_owned() })
        };
        let count: usize = text("rest").parse().unwrap_or(0);
        // One that can't be read ends the list: nothing is done out of its order.
        let rest = (0..count).map_while(|at| Act::read(text(&format!("rest{at}")))).collect();
        Self {
            leg: leg(text("leg")),
            turn: text("turn").parse().unwrap_or(0),
            on: On::ALL.into_iter().find(|on| on.as_str() == text("on")).unwrap_or_default(),
            end: text("end").chars().next(),
            rest,
            caller: other(text("caller")),
            rung: other(text("rung")),
            caller_up: text("caller_up") == "1",
            screened: text("screened") == "1",
        }
    }
}
