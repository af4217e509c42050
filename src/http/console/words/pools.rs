//! What the console says of how numbers are chosen.

use super::{Chip, Pair, Tone, chip, say};
use crate::{
    domain::{
        number_move::{MoveState, Why},
        phone::Registration,
        pool::{Capabilities, ChosenBy, Rule},
        staff::Language,
    },
    relay::{FileFault, LineFault},
    store::numbers::{Number, NumberState},
};

/// What chose a number.
pub(in crate::http::console) const fn chosen_by(
    language: Language,
    by: Option<ChosenBy>,
) -> &'static str {
    say(
        language,
        match by {
            Some(ChosenBy::Pinned) => {
                ["The marketplace named it.", "La place de marché l’a désigné."]
            }
            Some(ChosenBy::Sticky) => [
                "This person had it with the same people before.",
                "Cette personne l’avait déjà avec les mêmes personnes.",
            ],
            Some(ChosenBy::Ring) => [
                "Of those that suit, it had rested longest for this person.",
                "Parmi ceux qui conviennent, c’était le plus longtemps au repos pour cette personne.",
            ],
            Some(ChosenBy::Shared) => [
                "Nothing else was left: sessions share it, told apart by code.",
                "Il ne restait rien d’autre : des sessions le partagent, distinguées par un code.",
            ],
            None => [
                "Not known: they were taken over with it, moved on to it, or came before this was kept.",
                "Inconnu : repris avec ce numéro, déplacé vers lui, ou antérieur à cette information.",
            ],
        },
    )
}

/// What a rule asks of a number, and so why those that it takes away fell out.
pub(in crate::http::console) const fn rule(language: Language, rule: Rule) -> &'static str {
    say(language, asks(rule))
}

const fn asks(rule: Rule) -> Pair {
    match rule {
        Rule::Service => ["In the service’s pool and active", "Dans le lot du service et actif"],
        Rule::Country => ["Of the person’s country", "Du pays de la personne"],
        Rule::Area => [
            "Of the person’s area, as the service says",
            "De la zone de la personne, selon le service",
        ],
        Rule::Carrier => [
            "At the carrier of the session’s other numbers",
            "Chez l’opérateur des autres numéros de la session",
        ],
        Rule::Capability => {
            ["Able to do what the session relays", "Capable de ce que la session relaie"]
        }
        Rule::Registration => [
            "Registered for texts to the person’s country",
            "Enregistré pour les SMS vers le pays de la personne",
        ],
        Rule::NumberClass => [
            "Not kept from calls by a country’s rule",
            "Non exclu des appels par une règle du pays",
        ],
        Rule::Reserved => ["Not reserved, and not shared", "Ni réservé, ni partagé"],
        Rule::InUse => [
            "Not held by this person in an open session",
            "Non détenu par cette personne dans une session ouverte",
        ],
        Rule::Quarantine => {
            ["Not in quarantine for this person", "Pas en quarantaine pour cette personne"]
        }
    }
}

/// What numbers can do.
pub(in crate::http::console) fn can(language: Language, capabilities: Capabilities) -> String {
    let Capabilities { voice, sms, mms } = capabilities;
    let all = [
        (voice, language.say("calls", "appels")),
        (sms, language.say("texts", "SMS")),
        (mms, language.say("pictures", "images")),
    ];
    all.iter().filter_map(|(on, word)| on.then_some(*word)).collect::<Vec<_>>().join(", ")
}

/// What is known of a registration for texts.
pub(in crate::http::console) const fn registration(
    language: Language,
    registration: Registration,
) -> &'static str {
    match registration {
        Registration::Unknown => language.say("not said", "non précisé"),
        Registration::None => language.say("none", "aucun"),
        Registration::TenDlc => language.say("10DLC campaign", "campagne 10DLC"),
        Registration::TollFree => language.say("toll-free, verified", "numéro gratuit vérifié"),
    }
}

/// Whether and to whom a number is given.
pub(in crate::http::console) const fn number_state(language: Language, number: &Number) -> Chip {
    match number.state {
        NumberState::Retired => chip(Tone::Quiet, language.say("Retired", "Retiré")),
        NumberState::Draining => chip(Tone::Waiting, language.say("Draining", "En vidage")),
        NumberState::Active if number.shared => {
            chip(Tone::Waiting, language.say("Shared by code", "Partagé par code"))
        }
        NumberState::Active if number.reserved => {
            chip(Tone::Waiting, language.say("Reserved", "Réservé"))
        }
        NumberState::Active => chip(Tone::Good, language.say("Given out", "Distribué")),
    }
}

/// How far a move off a number has come.
pub(in crate::http::console) const fn move_state(language: Language, state: MoveState) -> Chip {
    match state {
        MoveState::Running => chip(Tone::Waiting, language.say("Running", "En cours")),
        MoveState::Done => chip(Tone::Good, language.say("Done", "Terminé")),
        MoveState::Undoing => chip(Tone::Waiting, language.say("Being undone", "En annulation")),
        MoveState::Undone => chip(Tone::Quiet, language.say("Undone", "Annulé")),
    }
}

/// Why sessions leave a number.
pub(in crate::http::console) const fn move_why(language: Language, why: Why) -> &'static str {
    match why {
        Why::Dead => language.say("it reaches nobody any more", "il ne joint plus personne"),
        Why::Blocked => language.say("what comes from it is stopped", "ce qui en vient est bloqué"),
        Why::Ported => language.say("it left its carrier", "il a quitté son opérateur"),
        Why::Other => language.say("something else", "autre raison"),
    }
}

/// What is wrong with a line of a file of numbers. Never a value of it.
pub(in crate::http::console) fn line_fault(language: Language, fault: &FileFault) -> String {
    let say = |english: &'static str, french: &'static str| language.say(english, french);
    let what = match &fault.what {
        LineFault::Header => say(
            "the first line must be number,carrier,capabilities or number,carrier,capabilities,registration",
            "la première ligne doit être number,carrier,capabilities ou number,carrier,capabilities,registration",
        )
        .to_owned(),
        LineFault::Csv(_) => say("this is no CSV", "ce n’est pas du CSV").to_owned(),
        LineFault::Columns(width) => {
            let (must, columns) = (say("must have", "il faut"), say("columns", "colonnes"));
            format!("{must} {width} {columns}")
        }
        LineFault::Number(_) => {
            say("the number must be in E.164, with its +", "le numéro doit être en E.164, avec son +")
                .to_owned()
        }
        LineFault::Barred(_) => say(
            "a country’s rule refuses the number (docs/numbering.md)",
            "une règle du pays refuse le numéro (docs/numbering.md)",
        )
        .to_owned(),
        LineFault::Carrier(all) => {
            let must = say("the carrier must be one of", "l’opérateur doit être l’un de");
            format!("{must} {}", all.join(", "))
        }
        LineFault::Capabilities => {
            say("capabilities must be of voice|sms|mms", "les capacités sont voice|sms|mms").to_owned()
        }
        LineFault::Registration => {
            let must = say("the registration must be one of", "l’enregistrement doit être l’un de");
            let all: Vec<&str> = Registration::ALL.iter().map(|one| one.as_str()).collect();
            format!("{must} {}", all.join(", "))
        }
        LineFault::Registered(..) => say(
            "the number can’t have that registration",
            "ce numéro ne peut pas avoir cet enregistrement",
        )
        .to_owned(),
    };
    if fault.line == 0 {
        return what;
    }
    format!("{} {}{}{what}", say("Line", "Ligne"), fault.line, say(": ", " : "))
}
