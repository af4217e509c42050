//! What the console says of reports and flagged texts.

use super::{Chip, Tone, chip, say};
use crate::domain::{
    content::Fate,
    moderation::{ItemKind, Notice},
    report::{Decision, Source, State},
    staff::Language,
};

/// What sort of thing waits.
pub(in crate::http::console) const fn item_kind(
    language: Language,
    kind: ItemKind,
) -> &'static str {
    match kind {
        ItemKind::Report => language.say("Report", "Signalement"),
        ItemKind::Text => language.say("Flagged text", "SMS signalé"),
    }
}

/// How far it has come.
pub(in crate::http::console) const fn item_state(language: Language, state: State) -> Chip {
    match state {
        State::Open => chip(Tone::Waiting, language.say("Open", "En attente")),
        State::Resolved => chip(Tone::Quiet, language.say("Decided", "Tranché")),
    }
}

/// What may be decided, as a choice says it.
pub(in crate::http::console) const fn ruling(language: Language, one: Decision) -> &'static str {
    say(
        language,
        match one {
            Decision::Dismissed => ["Dismiss: nothing is to be done", "Classer : rien à faire"],
            Decision::Warned => {
                ["Warned: the marketplace warns them", "Avertir : la place de marché avertit"]
            }
            Decision::Blocked => [
                "Block the pair: nothing passes between the two any more",
                "Bloquer : plus rien ne passe entre les deux",
            ],
            Decision::Banned => {
                ["Ban: the marketplace excludes them", "Exclure : la place de marché exclut"]
            }
            Decision::Escalated => {
                ["Hand on, such as to the police", "Transmettre plus loin, par exemple à la police"]
            }
        },
    )
}

/// What became of a text in which something was found.
pub(in crate::http::console) const fn text_fate(language: Language, fate: Fate) -> &'static str {
    match fate {
        Fate::Flagged => language.say("passed on as it was", "transmis tel quel"),
        Fate::Redacted => language.say("passed on without it", "transmis sans cela"),
        Fate::Blocked => language.say("not passed on", "non transmis"),
    }
}

/// How a report was made.
pub(in crate::http::console) const fn reported_by(
    language: Language,
    source: Source,
) -> &'static str {
    match source {
        Source::Api => language
            .say("by the marketplace or its support", "par la place de marché ou son support"),
        Source::Person => language.say("by a text of theirs", "par un SMS de sa part"),
    }
}

/// What became of telling whoever reported, or would become of it.
pub(in crate::http::console) const fn notice(language: Language, notice: Notice) -> &'static str {
    say(
        language,
        match notice {
            Notice::Sent => ["They are told so by a text.", "La personne en est informée par SMS."],
            Notice::Over => [
                "They can’t be told: their session is over or on hold.",
                "Impossible de l’en informer : sa session est terminée ou suspendue.",
            ],
            Notice::NoTexts => [
                "They can’t be told: their session relays no texts.",
                "Impossible de l’en informer : sa session ne relaie pas les SMS.",
            ],
            Notice::OptedOut => [
                "They can’t be told: they want no texts from that number.",
                "Impossible de l’en informer : elle ne veut plus de SMS de ce numéro.",
            ],
            Notice::Left => [
                "They can’t be told: they are not in the session any more.",
                "Impossible de l’en informer : elle n’est plus dans la session.",
            ],
        },
    )
}

/// What was done, for the page that somebody comes back to.
pub(in crate::http::console) fn done(language: Language, what: &str) -> Option<&'static str> {
    let [english, french] = match what {
        "taken" => ["It is yours now.", "Vous en êtes maintenant responsable."],
        "given" => ["It is your colleague’s now.", "Votre collègue en est maintenant responsable."],
        "back" => ["It waits for anybody again.", "N’importe qui peut de nouveau s’en charger."],
        "decided" => ["It is decided.", "C’est tranché."],
        "hidden" => {
            ["What was opened is hidden again.", "Ce qui était ouvert est de nouveau masqué."]
        }
        _ => return None,
    };
    Some(language.say(english, french))
}

/// What kept it from being done.
pub(in crate::http::console) fn faults(language: Language, what: &str) -> Option<&'static str> {
    let [english, french] = match what {
        "changed" => [
            "Nothing was done: somebody else changed or decided it meanwhile. This is how it stands now.",
            "Rien n’a été fait : quelqu’un d’autre l’a modifié ou tranché entre-temps. Voici où il en est.",
        ],
        "colleague" => [
            "Nothing was done: that person may not moderate in this account any more.",
            "Rien n’a été fait : cette personne ne peut plus modérer dans ce compte.",
        ],
        "decision" => ["Choose what is decided.", "Choisissez une décision."],
        "gone" => [
            "The pair can’t be blocked: the session is gone. Decide something else.",
            "Impossible de bloquer : la session n’existe plus. Choisissez une autre décision.",
        ],
        _ => return None,
    };
    Some(language.say(english, french))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each has words of its own in both languages.
    #[test]
    fn every_one_has_words() {
        for language in [Language::English, Language::French] {
            let mut all: Vec<&str> =
                Decision::ALL.iter().map(|one| ruling(language, *one)).collect();
            all.extend(Notice::ALL.iter().map(|one| notice(language, *one)));
            all.extend(Source::ALL.iter().map(|one| reported_by(language, *one)));
            all.extend(ItemKind::ALL.iter().map(|one| item_kind(language, *one)));
            all.extend(Fate::ALL.iter().map(|one| text_fate(language, *one)));
            all.extend(State::ALL.iter().map(|one| item_state(language, *one).word));
            all.extend(
                ["taken", "given", "back", "decided", "hidden"]
                    .map(|one| done(language, one).unwrap()),
            );
            all.extend(
                ["changed", "colleague", "decision", "gone"]
                    .map(|one| faults(language, one).unwrap()),
            );
            let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
            assert_eq!(distinct.len(), all.len());
            assert!(all.iter().all(|words| !words.is_empty()));
        }
    }
}
