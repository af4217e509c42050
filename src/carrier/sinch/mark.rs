//! What a call carries along, at Sinch: which leg of ours it is about, and what it was told last. Sinch has
//! one address for all webhooks of an application, so that it can't stand there.

use serde_json::{Value, json};

use super::fields::Fields;
use crate::ids::LegId;

/// The cookie's key.
const KEY: &str = "entremise";

/// What somebody who is rung is asked before the two are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing.
    Nothing,
    /// We are, what to say first.
    Words,
    /// They are, for a key.
    Key,
}

impl Asks {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Nothing, "none"), (Self::Words, "words"), (Self::Key, "key")];
}

/// What a call was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// It was placed by us.
    Placed { leg: LegId },
    /// It plays a turn of a script, after which we are asked.
    Played { leg: LegId, turn: u32 },
    /// It waits for keys, which one of them may end.
    Keys { leg: LegId, turn: u32, finish: Option<char> },
    /// It rings somebody.
    Dialled { leg: LegId, turn: u32, rung: LegId, asks: Asks },
}

impl Mark {
    /// As it travels.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Placed { leg } => format!("placed.{leg}"),
            Self::Played { leg, turn } => format!("played.{leg}.{turn}"),
            Self::Keys { leg, turn, finish } => {
                let finish = finish.map(String::from).unwrap_or_default();
                format!("keys.{leg}.{turn}.{finish}")
            }
            Self::Dialled { leg, turn, rung, asks } => {
                let asks = Asks::ALL.iter().find(|(one, _)| one == asks).map_or("key", |one| one.1);
                format!("dialled.{leg}.{turn}.{rung}.{asks}")
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        let (word, leg) = (parts.next()?, LegId::parse(parts.next()?).ok()?);
        if word == "placed" {
            return Some(Self::Placed { leg });
        }
        let turn = parts.next()?.parse().ok()?;
        match word {
            "played" => Some(Self::Played { leg, turn }),
            "keys" => Some(Self::Keys { leg, turn, finish: parts.next()?.chars().next() }),
            "dialled" => {
                let rung = LegId::parse(parts.next()?).ok()?;
                let word = parts.next()?;
                let (asks, _) = Asks::ALL.into_iter().find(|(_, name)| *name == word)?;
                Some(Self::Dialled { leg, turn, rung, asks })
            }
            _ => None,
        }
    }

    /// The instruction that gives it to the call.
    pub(super) fn instruction(&self) -> Value {
        json!({ "name": "setCookie", "key": KEY, "value": self.text() })
    }

    /// What a webhook's call was told last: by its cookies, and else by what it was placed with.
    pub(super) fn read(fields: &Fields) -> Option<Self> {
        let cookies = fields.0["cookies"].as_array().into_iter().flatten();
        let told = cookies
            .filter(|cookie| cookie["key"] == KEY)
            .filter_map(|cookie| Self::parse(cookie["value"].as_str()?));
        // Whether a cookie set twice comes back once is not documented: turns are counted.
        told.max_by_key(Self::order).or_else(|| Self::parse(fields.text("custom")?))
    }

    const fn order(&self) -> (u32, bool) {
        match self {
            Self::Placed { .. } => (0, false),
            Self::Played { turn, .. } | Self::Keys { turn, .. } | Self::Dialled { turn, .. } => {
                (*turn, true)
            }
        }
    }
}
