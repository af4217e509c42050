//! What the console says of outcomes, reasons, states and events: every sentence in one place, in
//! each language that staff read.

mod actions;
mod carriers;
mod codes;
mod ends;
mod events;
mod limits;
mod moderation;
mod overview;
mod people;
mod pins;
mod pools;
mod problems;
mod problems_fr;
mod sessions;
mod states;
mod touched;
mod trail;

use askama::{Template, filters::HtmlSafe};

pub(super) use self::{
    actions::{action, actor, fault, target},
    codes::carrier_code,
    ends::{Receipt, counted, ending, only_newest, outcome, undelivered},
    events::event,
    moderation::{
        done as moderated, faults as unmoderated, item_kind, item_state, notice, reported_by,
        ruling, text_fate,
    },
    overview::{CALLS, Sort, TEXTS, carrier_state, exhaustion, trouble},
    pools::{can, chosen_by, line_fault, move_state, move_why, number_state, registration, rule},
    problems::{Problem, problem, refused, scope},
    states::{closed, kind, leg_state, mode, session_state, state},
    touched::{blocked_by, category, decision, opted_out, reach},
    trail::{
        Stage, content, fate, file, heard, loss, recording, request, request_state, stage, told_us,
    },
};
use crate::domain::{
    interaction::{Kind, Reason},
    staff::Language,
};

/// The same words in English and in French.
pub(super) type Pair = [&'static str; 2];

/// The words of the two that are of a language.
pub(super) const fn say(language: Language, [english, french]: Pair) -> &'static str {
    language.say(english, french)
}

/// How good a thing is; never the only sign of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Waiting,
    Missed,
    Bad,
    Quiet,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Missed => "missed",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// A word and its tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(source = r#"<span class="chip {{ tone.class() }}">{{ word }}</span>"#, ext = "html")]
pub(super) struct Chip {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
}

impl HtmlSafe for Chip {}

const fn chip(tone: Tone, word: &'static str) -> Chip {
    Chip { tone, word }
}

/// Why something did not get through, whose turn it is and what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) title: &'static str,
    pub(super) cause: &'static str,
    pub(super) who: &'static str,
    pub(super) next: &'static str,
}

const NOBODY: Pair = ["nobody", "personne"];
const CALLER: Pair = ["whoever called or wrote", "l’appelant ou l’expéditeur"];
const RECIPIENT: Pair = ["the recipient", "le destinataire"];
const BOTH: Pair = ["both people", "les deux personnes"];
const MARKETPLACE: Pair = ["the marketplace", "la place de marché"];
const OPERATOR: Pair = ["the operator of this relay", "l’exploitant de ce relais"];

/// [`Why`] in both languages.
#[derive(Debug, Clone, Copy)]
struct Told {
    title: Pair,
    cause: Pair,
    who: Pair,
    next: Pair,
}

const fn why(title: Pair, cause: Pair, who: Pair, next: Pair) -> Told {
    Told { title, cause, who, next }
}

/// What a reason means.
pub(super) const fn reason(language: Language, reason: Reason, kind: Kind) -> Why {
    let told = told(reason, kind);
    Why {
        title: say(language, told.title),
        cause: say(language, told.cause),
        who: say(language, told.who),
        next: say(language, told.next),
    }
}

const fn told(reason: Reason, kind: Kind) -> Told {
    match reason {
        Reason::UnknownNumber
        | Reason::UnknownCaller
        | Reason::WithheldCaller
        | Reason::SessionClosed
        | Reason::SessionExpired
        | Reason::SessionSuspended
        | Reason::Blocked
        | Reason::ModeNotAllowed
        | Reason::NoPartner
        | Reason::Loop => sessions::not_put_through(reason, kind),
        Reason::Intercepted | Reason::InterceptFailed => sessions::not_let_through(reason),
        Reason::CallerUnverified | Reason::PinMissing | Reason::PinWrong | Reason::PinLocked => {
            pins::not_proved(reason)
        }
        Reason::MediaNotSupported
        | Reason::MediaRefused
        | Reason::RecipientWithoutMedia
        | Reason::EmptyText
        | Reason::ContentBlocked
        | Reason::NotAccepted
        | Reason::NoAnswer
        | Reason::Busy
        | Reason::CallerHungUp => people::between_people(reason),
        Reason::OptedOut | Reason::StopWord | Reason::Keyword | Reason::RecipientOptedOut => {
            people::stopping(reason)
        }
        Reason::RateLimited
        | Reason::MinutesSpent
        | Reason::CallInProgress
        | Reason::CountryNotAllowed
        | Reason::NumberNotAllowed
        | Reason::TrafficPaused
        | Reason::LoopStopped => limits::held_back(reason),
        Reason::InvalidNumber
        | Reason::CarrierRejected
        | Reason::CarrierConfig
        | Reason::CarrierUnreachable
        | Reason::CarrierUnknown
        | Reason::Undelivered
        | Reason::TooLate
        | Reason::WebhookMissed
        | Reason::BudgetSpent
        | Reason::Parked => carriers::on_the_way(reason),
    }
}

#[cfg(test)]
mod tests;
