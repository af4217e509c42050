//! What the console says of how an account and its carriers do.

use super::{Chip, Pair, Tone, chip, say};
use crate::{
    domain::staff::Language,
    relay::{CarrierState, Trouble},
};

/// A sort of ends that a chart stacks.
pub(in crate::http::console) type Sort = (Tone, Pair);

/// How calls end,
pub(in crate::http::console) const CALLS: [Sort; 4] = [
    (Tone::Good, ["answered", "décrochés"]),
    (Tone::Missed, ["not answered", "sans réponse"]),
    (Tone::Bad, ["not put through", "non mis en relation"]),
    (Tone::Waiting, ["under way", "en cours"]),
];
/// and texts.
pub(in crate::http::console) const TEXTS: [Sort; 5] = [
    (Tone::Good, ["delivered", "distribués"]),
    (Tone::Quiet, ["taken by the carrier", "pris par l’opérateur"]),
    (Tone::Bad, ["not delivered", "non distribués"]),
    (Tone::Missed, ["not passed on", "non transmis"]),
    (Tone::Waiting, ["on their way", "en chemin"]),
];

/// Whether a carrier is asked at all.
pub(in crate::http::console) const fn carrier_state(
    language: Language,
    state: CarrierState,
) -> Chip {
    match state {
        CarrierState::Closed => chip(Tone::Good, language.say("works", "fonctionne")),
        CarrierState::HalfOpen => {
            chip(Tone::Waiting, language.say("is tried again", "est réessayé"))
        }
        CarrierState::Open => {
            chip(Tone::Bad, language.say("fails: what is owed waits", "en panne : l’envoi attend"))
        }
    }
}

/// What spoke against a carrier.
pub(in crate::http::console) const fn trouble(
    language: Language,
    trouble: Trouble,
) -> &'static str {
    say(
        language,
        match trouble {
            Trouble::Connect => ["no connection", "pas de connexion"],
            Trouble::Silent => ["no answer", "pas de réponse"],
            Trouble::Server => ["its own fault", "erreur de sa part"],
            Trouble::Credentials => ["credentials refused", "identifiants refusés"],
            Trouble::Throttled => ["too much at once", "trop à la fois"],
        },
    )
}

/// When a pool is exhausted for whoever holds most of it: `days` from now, or nothing if that is not to be seen.
pub(in crate::http::console) fn exhaustion(
    language: Language,
    days: Option<u32>,
    known: usize,
) -> (Option<Tone>, String) {
    match days {
        Some(0) => {
            let words = language.say("exhausted for somebody", "épuisé pour quelqu’un");
            (Some(Tone::Bad), words.to_owned())
        }
        Some(days) => {
            let tone = if days < 14 { Tone::Missed } else { Tone::Quiet };
            let unit = match (language, days) {
                (Language::English, 1) => "day",
                (Language::English, _) => "days",
                (Language::French, 1) => "jour",
                (Language::French, _) => "jours",
            };
            (Some(tone), format!("{days} {unit}"))
        }
        None if known < 3 => {
            let words = language.say("known after three days", "connu après trois jours");
            (None, words.to_owned())
        }
        None => (None, language.say("does not fill up", "ne se remplit pas").to_owned()),
    }
}
