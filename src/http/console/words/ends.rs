//! What the console says of how calls and texts ended.

use super::{Chip, Pair, Tone, chip, say};
use crate::domain::{
    interaction::{Kind, Outcome},
    staff::Language,
};

/// What is known of a text after its carrier took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::console) enum Receipt {
    None,
    Delivered,
    Undelivered,
}

/// How an interaction ended, as a chip and in a sentence.
pub(in crate::http::console) const fn ending(
    language: Language,
    kind: Kind,
    outcome: Option<Outcome>,
    receipt: Receipt,
) -> (Chip, &'static str) {
    let (tone, word, sentence) = match outcome {
        None => going_on(kind),
        Some(Outcome::Relayed) => relayed(receipt),
        Some(other) => ended(kind, other),
    };
    (chip(tone, say(language, word)), say(language, sentence))
}

const fn going_on(kind: Kind) -> (Tone, Pair, Pair) {
    match kind {
        Kind::Message => (
            Tone::Waiting,
            ["On its way", "En chemin"],
            [
                "The text is taken in and owed to the recipient.",
                "Le SMS est pris en charge et reste dû au destinataire.",
            ],
        ),
        Kind::Call => (
            Tone::Waiting,
            ["Under way", "En cours"],
            ["The call is ringing or going on.", "L’appel sonne ou se poursuit."],
        ),
    }
}

const fn relayed(receipt: Receipt) -> (Tone, Pair, Pair) {
    match receipt {
        Receipt::Delivered => (
            Tone::Good,
            ["Delivered", "Distribué"],
            ["The recipient’s phone has the text.", "Le téléphone du destinataire a reçu le SMS."],
        ),
        Receipt::None => (
            Tone::Good,
            ["Sent", "Envoyé"],
            [
                "The recipient’s carrier took the text; it has sent no receipt.",
                "L’opérateur du destinataire a pris le SMS ; il n’a pas envoyé d’accusé de réception.",
            ],
        ),
        Receipt::Undelivered => (
            Tone::Bad,
            ["Not delivered", "Non distribué"],
            [
                "The recipient’s carrier took the text and could not deliver it.",
                "L’opérateur du destinataire a pris le SMS et n’a pas pu le distribuer.",
            ],
        ),
    }
}

const fn ended(kind: Kind, outcome: Outcome) -> (Tone, Pair, Pair) {
    match (outcome, kind) {
        (Outcome::Relayed | Outcome::Connected, _) => (
            Tone::Good,
            ["Connected", "Abouti"],
            ["The two spoke.", "Les deux personnes se sont parlé."],
        ),
        (Outcome::Missed, _) => (
            Tone::Missed,
            ["Missed", "Manqué"],
            ["It rang and nobody took the call.", "Le téléphone a sonné et personne n’a décroché."],
        ),
        (Outcome::Busy, _) => (
            Tone::Missed,
            ["Busy", "Occupé"],
            [
                "The line was busy, or the person declined the call.",
                "La ligne était occupée, ou la personne a rejeté l’appel.",
            ],
        ),
        (Outcome::Failed, Kind::Message) => (
            Tone::Bad,
            ["Failed", "Échec"],
            ["The text was not sent.", "Le SMS n’a pas été envoyé."],
        ),
        (Outcome::Failed, Kind::Call) => (
            Tone::Bad,
            ["Failed", "Échec"],
            ["The other phone could not be rung.", "L’autre téléphone n’a pas pu être appelé."],
        ),
        (Outcome::Cancelled, Kind::Message) => (
            Tone::Quiet,
            ["Cancelled", "Annulé"],
            ["The text was withdrawn unsent.", "Le SMS a été retiré avant l’envoi."],
        ),
        (Outcome::Cancelled, Kind::Call) => (
            Tone::Missed,
            ["Cancelled", "Annulé"],
            [
                "The call ended before anybody answered.",
                "L’appel a pris fin avant que quelqu’un décroche.",
            ],
        ),
        (Outcome::Refused, Kind::Message) => (
            Tone::Bad,
            ["Refused", "Refusé"],
            [
                "The text was not passed on. Its sender was told nothing.",
                "Le SMS n’a pas été transmis. Son expéditeur n’en a rien su.",
            ],
        ),
        (Outcome::Refused, Kind::Call) => (
            Tone::Bad,
            ["Refused", "Refusé"],
            [
                "The call was not put through. The caller got the neutral answer.",
                "L’appel n’a pas été mis en relation. L’appelant a entendu le message neutre.",
            ],
        ),
        (Outcome::Unknown, _) => (
            Tone::Bad,
            ["Uncertain", "Incertain"],
            [
                "It may have been sent: the carrier’s answer was lost, and nobody can tell.",
                "L’envoi a peut-être eu lieu : la réponse de l’opérateur s’est perdue, et personne ne \
                 peut le dire.",
            ],
        ),
    }
}

/// The word for an outcome in a filter.
pub(in crate::http::console) const fn outcome(
    language: Language,
    outcome: Outcome,
) -> &'static str {
    match outcome {
        Outcome::Relayed => language.say("Sent (texts)", "Envoyé (SMS)"),
        Outcome::Connected => language.say("Connected (calls)", "Abouti (appels)"),
        Outcome::Missed => language.say("Missed", "Manqué"),
        Outcome::Busy => language.say("Busy", "Occupé"),
        Outcome::Failed => language.say("Failed", "Échec"),
        Outcome::Cancelled => language.say("Cancelled", "Annulé"),
        Outcome::Refused => language.say("Refused", "Refusé"),
        Outcome::Unknown => language.say("Uncertain", "Incertain"),
    }
}

/// What stands behind a count of so many: `3 connected`. `None` is for those that go on.
pub(in crate::http::console) const fn counted(
    language: Language,
    outcome: Option<Outcome>,
    count: i64,
) -> Chip {
    let (tone, english, [one, many]) = match outcome {
        None => (Tone::Waiting, "under way", ["en cours", "en cours"]),
        Some(Outcome::Relayed) => (Tone::Good, "sent", ["envoyé", "envoyés"]),
        Some(Outcome::Connected) => (Tone::Good, "connected", ["abouti", "aboutis"]),
        Some(Outcome::Missed) => (Tone::Missed, "missed", ["manqué", "manqués"]),
        Some(Outcome::Busy) => (Tone::Missed, "busy", ["occupé", "occupés"]),
        Some(Outcome::Failed) => (Tone::Bad, "failed", ["en échec", "en échec"]),
        Some(Outcome::Cancelled) => (Tone::Missed, "cancelled", ["annulé", "annulés"]),
        Some(Outcome::Refused) => (Tone::Bad, "refused", ["refusé", "refusés"]),
        Some(Outcome::Unknown) => (Tone::Bad, "uncertain", ["incertain", "incertains"]),
    };
    chip(tone, language.say(english, if count > 1 { many } else { one }))
}

/// That only the newest of very many are counted.
pub(in crate::http::console) const fn only_newest(language: Language) -> Chip {
    chip(Tone::Quiet, language.say("newest, the only ones counted", "plus récents, seuls comptés"))
}

/// The same for texts that a carrier took and could not deliver.
pub(in crate::http::console) const fn undelivered(language: Language, count: i64) -> Chip {
    let french = if count > 1 { "non distribués" } else { "non distribué" };
    chip(Tone::Bad, language.say("not delivered", french))
}
