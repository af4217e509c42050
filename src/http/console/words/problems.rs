//! What answers of the APIs mean, and what their keys may do.

use super::{Pair, problems_fr, say};
use crate::{
    domain::staff::Language,
    http::{problem::Code, twilio_proxy},
    relay::Scope,
};

/// What a problem is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::console) struct Problem {
    pub(in crate::http::console) title: &'static str,
    pub(in crate::http::console) meaning: String,
    /// Whether the same request may work later, where that is known.
    pub(in crate::http::console) again: Option<bool>,
}

/// What a problem code means; `None` for what is none.
pub(in crate::http::console) fn problem(language: Language, code: &str) -> Option<Problem> {
    if let Some(native) = Code::parse(code) {
        let [title, meaning] = match language {
            Language::English => [native.title(), native.meaning()],
            Language::French => problems_fr::native(native),
        };
        let meaning = meaning.replace('`', "");
        return Some(Problem { title, meaning, again: Some(native.retryable()) });
    }
    let number = code.parse().ok()?;
    let [title, meaning] = match language {
        Language::English => {
            let (_, _, title, when) = twilio_proxy::errors().find(|one| one.0 == number)?;
            [title, when]
        }
        Language::French => problems_fr::twilio(number)?,
    };
    let mut letters = meaning.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let mut meaning: String = first.chain(letters).filter(|letter| *letter != '`').collect();
    if !meaning.ends_with('.') {
        meaning.push('.');
    }
    Some(Problem { title, meaning, again: None })
}

/// Why a carrier's webhook was refused, by the outcome that the metric has.
pub(in crate::http::console) fn refused(language: Language, outcome: &str) -> &'static str {
    say(
        language,
        match outcome {
            "bad_signature" => ["its signature was wrong", "sa signature était fausse"],
            "stale" => ["it was signed too long ago", "il a été signé il y a trop longtemps"],
            "bad_address" => {
                ["its address was not one of ours", "son adresse n’était pas des nôtres"]
            }
            "bad_token" => ["its token was wrong", "son jeton était faux"],
            _ => ["it could not be read", "il était illisible"],
        },
    )
}

/// What a key with a scope may do.
pub(in crate::http::console) const fn scope(language: Language, scope: Scope) -> &'static str {
    let words: Pair = match scope {
        Scope::SessionsRead => {
            ["read sessions, calls, texts and events", "lire sessions, appels, SMS et événements"]
        }
        Scope::SessionsWrite => [
            "open, change and close sessions; send and call",
            "ouvrir, modifier et fermer des sessions ; envoyer et appeler",
        ],
        Scope::NumbersRead => ["read services and numbers", "lire services et numéros"],
        Scope::NumbersWrite => ["change services and numbers", "modifier services et numéros"],
        Scope::PeopleReveal => [
            "see people’s numbers and words, in the Twilio-compatible API",
            "voir les numéros et les mots des personnes, dans l’API compatible Twilio",
        ],
        Scope::WebhooksRead => {
            ["read endpoints and deliveries", "lire points de terminaison et livraisons"]
        }
        Scope::WebhooksWrite => [
            "change endpoints, send events again",
            "modifier les points de terminaison, renvoyer des événements",
        ],
        Scope::KeysWrite => ["make and withdraw API keys", "créer et révoquer des clés d’API"],
        Scope::AuditRead => ["read the audit log", "lire le journal d’audit"],
        Scope::PersonsErase => ["erase people", "effacer des personnes"],
        Scope::PersonsExport => {
            ["export what is known of people", "exporter ce que l’on sait des personnes"]
        }
        Scope::VerificationsRead => ["read verifications", "lire les vérifications"],
        Scope::VerificationsWrite => {
            ["send codes and check them", "envoyer des codes et les vérifier"]
        }
        Scope::LegalHoldsWrite => {
            ["place, read and lift legal holds", "poser, lire et lever des conservations légales"]
        }
        Scope::OptOutsRead => ["read who wants no more texts", "lire qui ne veut plus de SMS"],
        Scope::OptOutsWrite => ["record and clear that", "enregistrer et lever ces refus"],
        Scope::ReportsRead => [
            "read what people report of each other, with notes",
            "lire ce que les personnes signalent, avec leurs notes",
        ],
        Scope::ReportsWrite => ["decide reports", "décider des signalements"],
    };
    say(language, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every problem of both APIs has words of its own in each language, set in French as it is printed; what is no
    /// code has none.
    #[test]
    fn every_problem_is_told() {
        let native = Code::ALL.iter().map(ToString::to_string);
        let twilio = twilio_proxy::errors().map(|one| one.0.to_string());
        for code in native.chain(twilio) {
            let english = problem(Language::English, &code).unwrap();
            let french = problem(Language::French, &code).unwrap();
            assert!(english.title != french.title && english.meaning != french.meaning, "{code}");
            assert_eq!(english.again, french.again);
            for words in [french.title, &french.meaning] {
                let loose = [" :", " ;", " ?", " !", " »", "« ", "`", "'"];
                assert!(!loose.iter().any(|one| words.contains(one)), "{code}: {words}");
            }
            assert!(english.meaning.ends_with('.') && !english.meaning.contains('`'), "{code}");
        }
        for code in ["", "nonsense", "20404x", "99999", "+14155550100"] {
            assert_eq!(problem(Language::English, code), None, "{code}");
            assert_eq!(problem(Language::French, code), None, "{code}");
        }
    }
}
