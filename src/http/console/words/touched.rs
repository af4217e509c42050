//! What the console says of blocks, opt-outs and reports.

use super::say;
use crate::{
    domain::{
        opt_out::{Scope, Source},
        report::{Category, Decision},
        staff::Language,
    },
    store::blocks::BlockedBy,
};

/// Who set a block.
pub(in crate::http::console) const fn blocked_by(
    language: Language,
    by: BlockedBy,
) -> &'static str {
    match by {
        BlockedBy::Person => language.say("by a text of theirs", "par un SMS de sa part"),
        BlockedBy::Api => language.say("by the marketplace", "par la place de marché"),
    }
}

/// How somebody said that they want no texts.
pub(in crate::http::console) const fn opted_out(
    language: Language,
    source: Source,
) -> &'static str {
    say(
        language,
        match source {
            Source::Person => ["they wrote a stop word", "a écrit un mot d’arrêt"],
            Source::Carrier => ["their carrier says so", "son opérateur l’indique"],
            Source::Api => ["they told the marketplace", "l’a dit à la place de marché"],
        },
    )
}

/// What an opt-out reaches.
pub(in crate::http::console) const fn reach(language: Language, scope: Scope) -> &'static str {
    say(
        language,
        match scope {
            Scope::Number => ["from one proxy number", "d’un numéro relais"],
            Scope::Service => ["from the service’s numbers", "des numéros du service"],
            Scope::Account => ["from all numbers of the account", "de tous les numéros du compte"],
        },
    )
}

/// What is reported.
pub(in crate::http::console) const fn category(
    language: Language,
    category: Category,
) -> &'static str {
    say(
        language,
        match category {
            Category::Spam => ["unwanted contact", "contact non sollicité"],
            Category::Scam => ["an attempt to cheat", "tentative d’escroquerie"],
            Category::Harassment => ["harassment", "harcèlement"],
            Category::Threat => ["a threat", "menace"],
            Category::Inappropriate => ["sexual or hateful content", "contenu sexuel ou haineux"],
            Category::Impersonation => {
                ["somebody who is not who they say", "usurpation d’identité"]
            }
            Category::Other => ["something else", "autre chose"],
        },
    )
}

/// What was decided of a report.
pub(in crate::http::console) const fn decision(
    language: Language,
    decision: Decision,
) -> &'static str {
    say(
        language,
        match decision {
            Decision::Dismissed => ["nothing to be done", "sans suite"],
            Decision::Warned => ["the other side was warned", "l’autre côté a été averti"],
            Decision::Blocked => ["the two are kept apart", "les deux sont séparés"],
            Decision::Banned => ["banned from the marketplace", "exclu de la place de marché"],
            Decision::Escalated => ["handed on", "transmis plus loin"],
        },
    )
}
