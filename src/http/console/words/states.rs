//! What the console says of the states of sessions and legs.

use super::{Chip, Tone, chip};
use crate::{
    domain::{
        call::CallState,
        interaction::Kind,
        message::MessageState,
        session::{ClosedReason, Mode, State},
        staff::Language,
        time::Timestamp,
    },
    store::sessions::Session,
};

/// A session's state. One whose time is up, or that a restore put on hold, puts nobody through,
/// though it is not closed yet.
pub(in crate::http::console) fn session_state(
    language: Language,
    session: &Session,
    now: Timestamp,
) -> Chip {
    let live = session.is_live(now);
    match session.state {
        State::Open | State::InProgress if session.suspended_at.is_some() => chip(
            Tone::Waiting,
            language.say("On hold since a restore", "Suspendue depuis une restauration"),
        ),
        State::Open | State::InProgress if !live => {
            chip(Tone::Quiet, language.say("Time is up", "Durée écoulée"))
        }
        state => self::state(language, state),
    }
}

/// A state by itself.
pub(in crate::http::console) const fn state(language: Language, state: State) -> Chip {
    match state {
        State::Closed => chip(Tone::Quiet, language.say("Closed", "Fermée")),
        State::Open => chip(Tone::Waiting, language.say("Open", "Ouverte")),
        State::InProgress => chip(Tone::Good, language.say("In progress", "En cours")),
    }
}

/// By what a session relays: "by …".
pub(in crate::http::console) const fn mode(language: Language, mode: Mode) -> &'static str {
    match mode {
        Mode::VoiceAndMessage => language.say("calls and texts", "appels et SMS"),
        Mode::VoiceOnly => language.say("calls only", "appels uniquement"),
        Mode::MessageOnly => language.say("texts only", "SMS uniquement"),
    }
}

/// Why a session is closed.
pub(in crate::http::console) const fn closed(
    language: Language,
    reason: ClosedReason,
) -> &'static str {
    match reason {
        ClosedReason::Api => {
            language.say("the marketplace closed it", "fermée par la place de marché")
        }
        ClosedReason::Expired => language.say("its time was up", "sa durée était écoulée"),
        ClosedReason::Staff => language.say("staff closed it", "fermée par l’équipe"),
    }
}

/// A call or a text.
pub(in crate::http::console) const fn kind(language: Language, kind: Kind) -> &'static str {
    match kind {
        Kind::Message => language.say("Text", "SMS"),
        Kind::Call => language.say("Call", "Appel"),
    }
}

/// How far a leg has come.
pub(in crate::http::console) fn leg_state(
    language: Language,
    kind: Kind,
    state: &str,
) -> &'static str {
    let known = match kind {
        Kind::Message => MessageState::parse(state).map(|state| message(language, state)),
        Kind::Call => CallState::parse(state).map(|state| call(language, state)),
    };
    known.unwrap_or_else(|| {
        language.say("in a state of a newer version", "dans un état d’une version plus récente")
    })
}

const fn message(language: Language, state: MessageState) -> &'static str {
    match state {
        MessageState::Received => language.say("came in", "reçu"),
        MessageState::Queued => language.say("waits to be sent", "en attente d’envoi"),
        MessageState::Sending => language.say("being sent", "en cours d’envoi"),
        MessageState::Unknown => language.say("may have been sent", "peut-être envoyé"),
        MessageState::Sent => language.say("taken by the carrier", "pris par l’opérateur"),
        MessageState::Delivered => language.say("delivered to the phone", "distribué au téléphone"),
        MessageState::Undelivered => language
            .say("taken by the carrier, not delivered", "pris par l’opérateur, non distribué"),
        MessageState::Failed => language.say("not sent", "non envoyé"),
        MessageState::Cancelled => language.say("withdrawn", "retiré"),
    }
}

const fn call(language: Language, state: CallState) -> &'static str {
    match state {
        CallState::Queued => language.say("not rung yet", "ne sonne pas encore"),
        CallState::Initiated => language.say("handed to the carrier", "confié à l’opérateur"),
        CallState::Ringing => language.say("ringing", "sonne"),
        CallState::Answered => language.say("answered", "décroché"),
        CallState::Completed => language.say("ended", "terminé"),
        CallState::Busy => language.say("busy or declined", "occupé ou rejeté"),
        CallState::NoAnswer => language.say("rang, not answered", "a sonné, sans réponse"),
        CallState::Failed => language.say("could not be rung", "n’a pas pu être appelé"),
        CallState::Cancelled => language.say("ended before an answer", "terminé avant une réponse"),
    }
}
