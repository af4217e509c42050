//! What the console says of outcomes, reasons, states and events: every sentence in one place, in
//! English.

mod events;
mod limits;
mod pins;

use askama::{Template, filters::HtmlSafe};

pub(super) use self::events::event;
use crate::{
    domain::{
        call::CallState,
        interaction::{Kind, Outcome, Reason},
        message::MessageState,
        session::{ClosedReason, Mode, State},
        time::Timestamp,
    },
    store::sessions::Session,
};

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

/// What is known of a text after its carrier took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    None,
    Delivered,
    Undelivered,
}

/// How an interaction ended, as a chip and in a sentence.
pub(super) const fn ending(
    kind: Kind,
    outcome: Option<Outcome>,
    receipt: Receipt,
) -> (Chip, &'static str) {
    let Some(outcome) = outcome else {
        return match kind {
            Kind::Message => (
                chip(Tone::Waiting, "On its way"),
                "The text is taken in and owed to the recipient.",
            ),
            Kind::Call => (chip(Tone::Waiting, "Under way"), "The call is ringing or going on."),
        };
    };
    match outcome {
        Outcome::Relayed => match receipt {
            Receipt::Delivered => {
                (chip(Tone::Good, "Delivered"), "The recipient's phone has the text.")
            }
            Receipt::None => (
                chip(Tone::Good, "Sent"),
                "The recipient's carrier took the text; it has sent no receipt.",
            ),
            Receipt::Undelivered => (
                chip(Tone::Bad, "Not delivered"),
                "The recipient's carrier took the text and could not deliver it.",
            ),
        },
        Outcome::Connected => (chip(Tone::Good, "Connected"), "The two spoke."),
        Outcome::Missed => (chip(Tone::Missed, "Missed"), "It rang and nobody took the call."),
        Outcome::Busy => {
            (chip(Tone::Missed, "Busy"), "The line was busy, or the person declined the call.")
        }
        Outcome::Failed => match kind {
            Kind::Message => (chip(Tone::Bad, "Failed"), "The text was not sent."),
            Kind::Call => (chip(Tone::Bad, "Failed"), "The other phone could not be rung."),
        },
        Outcome::Cancelled => match kind {
            Kind::Message => (chip(Tone::Quiet, "Cancelled"), "The text was withdrawn unsent."),
            Kind::Call => {
                (chip(Tone::Missed, "Cancelled"), "The call ended before anybody answered.")
            }
        },
        Outcome::Refused => match kind {
            Kind::Message => (
                chip(Tone::Bad, "Refused"),
                "The text was not passed on. Its sender was told nothing.",
            ),
            Kind::Call => (
                chip(Tone::Bad, "Refused"),
                "The call was not put through. The caller got the neutral answer.",
            ),
        },
        Outcome::Unknown => (
            chip(Tone::Bad, "Uncertain"),
            "It may have been sent: the carrier's answer was lost, and nobody can tell.",
        ),
    }
}

/// Why something did not get through, whose turn it is and what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) title: &'static str,
    pub(super) cause: &'static str,
    pub(super) who: &'static str,
    pub(super) next: &'static str,
}

const NOBODY: &str = "nobody";
const CALLER: &str = "whoever called or wrote";
const RECIPIENT: &str = "the recipient";
const BOTH: &str = "both people";
const MARKETPLACE: &str = "the marketplace";
const OPERATOR: &str = "the operator of this relay";

const fn why(
    title: &'static str,
    cause: &'static str,
    who: &'static str,
    next: &'static str,
) -> Why {
    Why { title, cause, who, next }
}

/// What a reason means.
pub(super) const fn reason(reason: Reason, kind: Kind) -> Why {
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
        | Reason::Loop => not_put_through(reason, kind),
        Reason::Intercepted | Reason::InterceptFailed => not_let_through(reason),
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
        | Reason::CallerHungUp => between_people(reason),
        Reason::OptedOut | Reason::StopWord | Reason::Keyword | Reason::RecipientOptedOut => {
            stopping(reason)
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
        | Reason::Parked => on_the_way(reason),
    }
}

/// The session or its rules stood in the way.
const fn not_put_through(reason: Reason, kind: Kind) -> Why {
    match reason {
        Reason::UnknownCaller => why(
            "Not in a session on this number",
            "The phone that called or wrote is in no session on this number: another phone than \
             the one that the marketplace knows, or a number of an older contact.",
            CALLER,
            "Ask which phone they used. They must use the one that they gave the marketplace, and \
             the number that it shows them for this contact.",
        ),
        Reason::WithheldCaller => why(
            "The caller hid their number",
            "The phone withheld its number, so nobody can tell which session was meant.",
            CALLER,
            "Ask them to show their number (caller ID) and to try again.",
        ),
        Reason::SessionClosed => why(
            "The session was closed",
            "It came when the session was over already.",
            MARKETPLACE,
            "If the two still need each other, the marketplace can reopen the session.",
        ),
        Reason::SessionExpired => why(
            "The session's time was up",
            "It came when the session had run out.",
            MARKETPLACE,
            "If the two still need each other, the marketplace can reopen or extend the session.",
        ),
        Reason::SessionSuspended => why(
            "The session is on hold since a restore",
            "The database was put back from a copy. Whether this session was closed after the \
             copy was made is not known, so nobody is put through.",
            MARKETPLACE,
            "The marketplace must say whether the session was still open: resume it, or close it.",
        ),
        Reason::Blocked => why(
            "Blocked",
            "One of the two has blocked the other, or staff has.",
            NOBODY,
            "The block works as it should. Only whoever set it may have it lifted.",
        ),
        Reason::ModeNotAllowed => match kind {
            Kind::Call => why(
                "This session is for texts only",
                "The marketplace opened it without calls.",
                CALLER,
                "Ask them to write a text to the same number.",
            ),
            Kind::Message => why(
                "This session is for calls only",
                "The marketplace opened it without texts.",
                CALLER,
                "Ask them to call the same number.",
            ),
        },
        Reason::NoPartner => why(
            "Nobody is on the other side",
            "The other person has left the session, or was never added.",
            MARKETPLACE,
            "The marketplace must add the other person to the session.",
        ),
        Reason::Loop => why(
            "It came from one of our own numbers",
            "One proxy number reached another: a phone forwards its calls or texts to it.",
            BOTH,
            "Ask both to look at the forwarding on their phones and to switch it off for this.",
        ),
        _ => why(
            "The number is in use by nobody",
            "The number that was dialled belongs to no account.",
            OPERATOR,
            "If it should be yours, the operator must import it.",
        ),
    }
}

/// The marketplace was asked.
const fn not_let_through(reason: Reason) -> Why {
    match reason {
        Reason::Intercepted => why(
            "The marketplace did not let it through",
            "The service asks the marketplace about each call and text, and it said no.",
            MARKETPLACE,
            "Ask the marketplace why its intercept callback answered 403.",
        ),
        _ => why(
            "The marketplace could not be asked",
            "The service asks the marketplace about each call and text, and lets nothing through \
             while it does not answer.",
            MARKETPLACE,
            "The marketplace must look at its intercept callback.",
        ),
    }
}

/// A word for the relay, or what came of one.
const fn stopping(reason: Reason) -> Why {
    match reason {
        Reason::OptedOut => why(
            "The recipient has opted out of texts",
            "The recipient sent STOP to this number, and the carrier keeps to it.",
            RECIPIENT,
            "Ask the recipient to send START to the number that they write to.",
        ),
        Reason::RecipientOptedOut => why(
            "The recipient wants no texts from this number",
            "The recipient sent a word that stops texts, such as STOP, to a number of the marketplace, \
             told the marketplace so, or their carrier says so. Calls go through.",
            RECIPIENT,
            "Ask the recipient to send START to the number that they have for this contact, or have the two \
             call each other.",
        ),
        Reason::StopWord => why(
            "A word that stops texts, or starts them again",
            "The text was nothing but such a word, as STOP or UNSTOP. It was heeded, and is not \
             passed on.",
            NOBODY,
            "Nothing is wrong. If they want texts again, they send START to the same number.",
        ),
        _ => why(
            "A word for the relay",
            "The text was nothing but a word such as HELP, BLOCK, UNBLOCK or REPORT. It was heeded, and is \
             not passed on.",
            NOBODY,
            "Nothing is wrong. If they meant the other person, they write it in a sentence.",
        ),
    }
}

/// What one of the two did or did not do.
const fn between_people(reason: Reason) -> Why {
    match reason {
        Reason::MediaNotSupported => why(
            "Pictures and files are not relayed",
            "The text held a picture or a file, which this service does not pass on.",
            CALLER,
            "Ask them to write in words, or to share the picture in the marketplace.",
        ),
        Reason::MediaRefused => why(
            "None of its pictures or files may be passed on",
            "It had no words, and what it held is of a kind that this service does not pass on, too \
             large, damaged, or could not be fetched from the carrier.",
            CALLER,
            "Ask them to write in words, or to share the picture in the marketplace.",
        ),
        Reason::RecipientWithoutMedia => why(
            "The recipient can't get pictures",
            "It had no words, and the recipient's proxy number or its carrier takes no pictures and \
             files.",
            MARKETPLACE,
            "Numbers with `mms` at a carrier that takes pictures would do. Until then people must write \
             in words.",
        ),
        Reason::EmptyText => why(
            "There was nothing in the text",
            "The text had no words.",
            CALLER,
            "Ask them to write it again.",
        ),
        Reason::ContentBlocked => why(
            "It held what may not be written here",
            "The service does not pass on texts with such content; the sender was told.",
            CALLER,
            "Ask them to write it without numbers, addresses, links or payment details.",
        ),
        Reason::NotAccepted => why(
            "The call was not accepted",
            "The phone was picked up and 1 was not pressed: often a voicemail.",
            CALLER,
            "Ask them to call again later, or to write.",
        ),
        Reason::NoAnswer => why(
            "Nobody answered",
            "The phone rang until the time was up.",
            CALLER,
            "Ask them to call again later, or to write.",
        ),
        Reason::Busy => why(
            "Busy or declined",
            "The line was busy, or the person declined. Carriers do not say which.",
            CALLER,
            "Ask them to call again later, or to write.",
        ),
        _ => why(
            "The caller hung up first",
            "The caller ended the call while the other phone was still ringing.",
            NOBODY,
            "Nothing is wrong; they may call again.",
        ),
    }
}

/// A carrier, or our way to it.
const fn on_the_way(reason: Reason) -> Why {
    match reason {
        Reason::InvalidNumber => why(
            "The recipient's number can't be reached",
            "The carrier says that the number does not exist, or can't take this: a landline takes \
             no texts.",
            MARKETPLACE,
            "The marketplace must ask the recipient for a number that works.",
        ),
        Reason::CarrierRejected => why(
            "The carrier refused it",
            "The carrier would not take it. Its code, if it gave one, is in the details.",
            OPERATOR,
            "Pass the carrier's code and id on. If others are refused as well, it is urgent.",
        ),
        Reason::CarrierConfig => why(
            "Our account at the carrier is set up wrongly",
            "The carrier refused our credentials or settings, or the two numbers are at different \
             carriers.",
            OPERATOR,
            "Tell the operator at once: more will fail until it is mended.",
        ),
        Reason::BudgetSpent => why(
            "What may be spent is spent",
            "A budget of the carrier, or of the account, has nothing left for today or this month.",
            OPERATOR,
            "Ask the operator whether the budget is to be raised.",
        ),
        Reason::CarrierUnreachable => why(
            "The carrier could not be reached",
            "The carrier did not answer until the time was up.",
            CALLER,
            "Ask them to send it again. If it lasts, tell the operator.",
        ),
        Reason::CarrierUnknown => why(
            "The carrier's answer was lost",
            "The connection broke before the carrier answered, and asking the carrier did not tell. \
             It is not sent on a guess, so that nobody gets it twice.",
            RECIPIENT,
            "Ask the recipient whether it came. If not, it may be sent again.",
        ),
        Reason::Undelivered => why(
            "The carrier could not deliver it",
            "The phone was off for too long, is full, or its network filtered the text.",
            RECIPIENT,
            "Ask the recipient to switch the phone on, then have the text sent again. With a \
             carrier's code that repeats, tell the operator.",
        ),
        Reason::TooLate => why(
            "Its time ran out",
            "It could not be sent while it was still worth sending.",
            CALLER,
            "Ask them to send it again.",
        ),
        Reason::WebhookMissed => why(
            "The carrier did not tell us in time",
            "The carrier's message about it never came. Its list of calls and texts told us later, \
             when it could not be put through any more.",
            CALLER,
            "Ask them to try again. If it repeats, tell the operator.",
        ),
        _ => why(
            "Set aside",
            "Sending it stopped our worker too often, so it was put aside.",
            OPERATOR,
            "Tell the operator: this is a fault of the relay.",
        ),
    }
}

/// A session's state. One whose time is up, or that a restore put on hold, puts nobody through,
/// though it is not closed yet.
pub(super) fn session_state(session: &Session, now: Timestamp) -> Chip {
    let live = session.is_live(now);
    match session.state {
        State::Open | State::InProgress if session.suspended_at.is_some() => {
            chip(Tone::Waiting, "On hold since a restore")
        }
        State::Open | State::InProgress if !live => chip(Tone::Quiet, "Time is up"),
        state => self::state(state),
    }
}

/// A state by itself.
pub(super) const fn state(state: State) -> Chip {
    match state {
        State::Closed => chip(Tone::Quiet, "Closed"),
        State::Open => chip(Tone::Waiting, "Open"),
        State::InProgress => chip(Tone::Good, "In progress"),
    }
}

/// What a session relays.
pub(super) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::VoiceAndMessage => "Calls and texts",
        Mode::VoiceOnly => "Calls only",
        Mode::MessageOnly => "Texts only",
    }
}

/// Why a session is closed.
pub(super) const fn closed(reason: ClosedReason) -> &'static str {
    match reason {
        ClosedReason::Api => "the marketplace closed it",
        ClosedReason::Expired => "its time was up",
        ClosedReason::Staff => "staff closed it",
    }
}

/// A call or a text.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Message => "Text",
        Kind::Call => "Call",
    }
}

/// The word for an outcome in a filter.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Relayed => "Sent (texts)",
        Outcome::Connected => "Connected (calls)",
        Outcome::Missed => "Missed",
        Outcome::Busy => "Busy",
        Outcome::Failed => "Failed",
        Outcome::Cancelled => "Cancelled",
        Outcome::Refused => "Refused",
        Outcome::Unknown => "Uncertain",
    }
}

/// A count of an outcome: `3 connected`.
pub(super) const fn counted(outcome: Option<Outcome>) -> Chip {
    match outcome {
        None => chip(Tone::Waiting, "under way"),
        Some(Outcome::Relayed) => chip(Tone::Good, "sent"),
        Some(Outcome::Connected) => chip(Tone::Good, "connected"),
        Some(Outcome::Missed) => chip(Tone::Missed, "missed"),
        Some(Outcome::Busy) => chip(Tone::Missed, "busy"),
        Some(Outcome::Failed) => chip(Tone::Bad, "failed"),
        Some(Outcome::Cancelled) => chip(Tone::Missed, "cancelled"),
        Some(Outcome::Refused) => chip(Tone::Bad, "refused"),
        Some(Outcome::Unknown) => chip(Tone::Bad, "uncertain"),
    }
}

/// A count of texts that a carrier took and could not deliver.
pub(super) const UNDELIVERED: Chip = chip(Tone::Bad, "not delivered");

/// How far a leg has come.
pub(super) fn leg_state(kind: Kind, state: &str) -> &'static str {
    match kind {
        Kind::Message => {
            MessageState::parse(state).map_or("in a state of a newer version", message)
        }
        Kind::Call => CallState::parse(state).map_or("in a state of a newer version", call),
    }
}

const fn message(state: MessageState) -> &'static str {
    match state {
        MessageState::Received => "came in",
        MessageState::Queued => "waits to be sent",
        MessageState::Sending => "being sent",
        MessageState::Unknown => "may have been sent",
        MessageState::Sent => "taken by the carrier",
        MessageState::Delivered => "delivered to the phone",
        MessageState::Undelivered => "taken by the carrier, not delivered",
        MessageState::Failed => "not sent",
        MessageState::Cancelled => "withdrawn",
    }
}

const fn call(state: CallState) -> &'static str {
    match state {
        CallState::Queued => "not rung yet",
        CallState::Initiated => "handed to the carrier",
        CallState::Ringing => "ringing",
        CallState::Answered => "answered",
        CallState::Completed => "ended",
        CallState::Busy => "busy or declined",
        CallState::NoAnswer => "rang, not answered",
        CallState::Failed => "could not be rung",
        CallState::Cancelled => "ended before an answer",
    }
}

#[cfg(test)]
mod tests;
