//! The words of what is done: causes, reasons of a swap, what an erasure counts, what was done.

use super::super::filters::Choice;
use crate::{
    domain::{
        erasure::{Erased, ErasureState},
        number_move::Why,
        opening::Cause,
        opt_out::{Scope, Source},
        staff::Language,
    },
    store::blocks::BlockedBy,
};

/// What something is opened for.
pub(in crate::http::console) const fn cause(language: Language, cause: Cause) -> &'static str {
    match cause {
        Cause::Danger => {
            language.say("somebody may be in danger", "quelqu’un est peut-être en danger")
        }
        Cause::Dispute => language.say("a dispute between the two", "un litige entre les deux"),
        Cause::Abuse => language
            .say("fraud or harassment is looked into", "enquête sur une fraude ou un harcèlement"),
        Cause::CallBack => {
            language.say("they asked to be called back", "la personne a demandé à être rappelée")
        }
        Cause::Fault => {
            language.say("a call or text does not get through", "un appel ou un SMS n’aboutit pas")
        }
        Cause::Law => language.say("a lawful request", "une demande légale"),
    }
}

/// All that something may be opened for.
pub(super) fn causes(language: Language) -> Vec<Choice> {
    Cause::ALL.iter().map(|one| Choice::new(one.as_str(), cause(language, *one))).collect()
}

const fn why(language: Language, why: Why) -> &'static str {
    match why {
        Why::Dead => language.say("it reaches nobody", "il n’aboutit plus"),
        Why::Blocked => language.say("somebody on the way stops it", "il est bloqué en chemin"),
        Why::Ported => language.say("it left its carrier", "il a quitté son opérateur"),
        Why::Other => language.say("something else", "autre chose"),
    }
}

/// Why somebody gets another number.
pub(super) fn whys(language: Language) -> Vec<Choice> {
    Why::ALL.iter().map(|one| Choice::new(one.as_str(), why(language, *one))).collect()
}

/// What an opt-out reaches.
pub(in crate::http::console) const fn reach(language: Language, scope: Scope) -> &'static str {
    match scope {
        Scope::Number => {
            language.say("No texts from one proxy number", "Aucun SMS d’un numéro relais")
        }
        Scope::Service => language.say("No texts from one service", "Aucun SMS d’un service"),
        Scope::Account => {
            language.say("No texts from this marketplace", "Aucun SMS de cette place de marché")
        }
    }
}

/// Who said so.
pub(in crate::http::console) const fn source(language: Language, source: Source) -> &'static str {
    match source {
        Source::Person => language.say("by a text of theirs", "par un SMS de la personne"),
        Source::Carrier => language.say("as their carrier says", "d’après son opérateur"),
        Source::Api => language.say("as they told the marketplace", "dit à la place de marché"),
    }
}

/// Who set a block.
pub(in crate::http::console) const fn blocked_by(
    language: Language,
    by: BlockedBy,
) -> &'static str {
    match by {
        BlockedBy::Person => language.say("by a text", "par un SMS"),
        BlockedBy::Api => language
            .say("by the marketplace or its support", "par la place de marché ou son support"),
    }
}

/// What was done, for the page that somebody comes back to.
pub(in crate::http::console) fn notice(language: Language, what: &str) -> Option<&'static str> {
    let [english, french] = match what {
        "closed" => ["The session is closed.", "La session est fermée."],
        "extended" => ["The session lives longer now.", "La session est prolongée."],
        "blocked" => [
            "Nothing passes between the two any more, in any session.",
            "Plus rien ne passe entre les deux, dans aucune session.",
        ],
        "unblocked" => [
            "The two can reach each other again.",
            "Les deux personnes peuvent de nouveau se joindre.",
        ],
        "not_blocked" => ["There was no block.", "Il n’y avait pas de blocage."],
        "swapped" => [
            "They dial another number now. Calls to the one before still reach the session until it ends.",
            "Cette personne compose désormais un autre numéro. L’ancien aboutit encore jusqu’à la fin de la \
             session.",
        ],
        "cleared" => [
            "The opt-out is cleared: they get texts again.",
            "Le refus est levé : cette personne reçoit de nouveau des SMS.",
        ],
        "hidden" => {
            ["What was opened is hidden again.", "Ce qui était ouvert est de nouveau masqué."]
        }
        _ => return None,
    };
    Some(language.say(english, french))
}

/// How far an erasure has come.
pub(super) const fn erasure(language: Language, state: ErasureState) -> &'static str {
    match state {
        ErasureState::Listing | ErasureState::Running => {
            language.say("under way: load the page again", "en cours : rechargez la page")
        }
        ErasureState::Waiting => language.say(
            "erased; pairs of number and proxy number rest until their quarantine ends",
            "effacé ; des paires de numéros restent jusqu’à la fin de leur quarantaine",
        ),
        ErasureState::Done => language.say("erased", "effacé"),
    }
}

/// What a receipt counts.
pub(super) const fn erased(language: Language, what: Erased) -> &'static str {
    match what {
        Erased::Sessions => language.say("sessions that they were in", "sessions de la personne"),
        Erased::SessionsClosed => {
            language.say("sessions closed for it", "sessions fermées pour cela")
        }
        Erased::DataKeys => language.say("data keys", "clés de données"),
        Erased::Identifiers => language.say("numbers and names", "numéros et noms"),
        Erased::Texts => language.say("words of texts", "contenus de SMS"),
        Erased::Originals => language.say("texts as they were written", "SMS d’origine"),
        Erased::Media => language.say("pictures, files, messages", "images, fichiers, messages"),
        Erased::CarrierAnswers => language.say("answers to carriers", "réponses aux opérateurs"),
        Erased::CallScripts => language.say("scripts of calls", "scripts d’appels"),
        Erased::LogHashes => language.say("hashes in the log", "empreintes du journal"),
        Erased::CarrierIds => {
            language.say("records at carriers", "enregistrements chez les opérateurs")
        }
        Erased::StickyNumbers => language.say("remembered numbers", "numéros mémorisés"),
        Erased::Rings => language.say("places in the ring of numbers", "places dans la rotation"),
        Erased::AnswerBudgets => language.say("counts of answers", "décomptes de réponses"),
        Erased::LongTexts => language.say("parts of long texts", "parties de SMS longs"),
        Erased::ApiAnswers => language.say("kept answers of the API", "réponses d’API conservées"),
        Erased::Holds => language.say("pairs after quarantine", "paires après quarantaine"),
        Erased::ReportNotes => language.say("notes in reports", "notes de signalements"),
        Erased::Verifications => language.say("verifications", "vérifications"),
        Erased::Verified => language.say("verified numbers", "numéros vérifiés"),
        Erased::FirstTexts => language.say("first texts", "premiers SMS"),
        Erased::OptOutProofs => language.say("proofs of wanting texts", "preuves de consentement"),
        Erased::Counters => language.say("counters of limits", "compteurs de limites"),
        Erased::StatutoryKept => {
            language.say("kept: records that a law wants", "conservés : données légales")
        }
        Erased::OptOutsKept => language.say("kept: opt-outs", "conservés : refus de SMS"),
        Erased::BlocksKept => language.say("kept: blocks", "conservés : blocages"),
    }
}
