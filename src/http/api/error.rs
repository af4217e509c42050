//! Use cases' and the store's errors as problems.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire::Time;
use crate::{
    carrier::{
        SendError,
        error::{Retry, SendErrorKind},
    },
    domain::{
        pool::{Narrowing, Rule},
        verification::Held,
    },
    http::problem::{Code, FieldFault, Problem},
    relay::{Error, Exhausted, Fault},
    store,
};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::NotFound(what) => not_found(what),
            Error::Invalid(faults) => Self::invalid(faults.into_iter().map(field_fault)),
            error @ (Error::UniqueNameTaken
            | Error::NumberTaken
            | Error::NumberInUse
            | Error::NumberHasSessions
            | Error::SessionClosed
            | Error::SessionSuspended
            | Error::SessionNotClosed
            | Error::ModeNotAllowed
            | Error::ParticipantDuplicate
            | Error::ParticipantLimit
            | Error::PinNeeded
            | Error::NoPartner) => of_session(&error),
            Error::PoolExhausted(why) => {
                let pointer = format!("/participants/{}", why.participant);
                exhausted(&why, pointer)
            }
            error @ (Error::EndpointLimit
            | Error::EndpointOwned
            | Error::EndpointDisabled
            | Error::DeliveryUnderWay) => of_endpoint(&error),
            error @ (Error::OrderUnderWay
            | Error::CarrierUnable
            | Error::BuyingOff
            | Error::Carrier(_)) => at_carrier(&error),
            error @ (Error::ErasingOff
            | Error::LegalHold(_)
            | Error::PersonErased
            | Error::ExportTooLarge) => of_person(&error),
            error @ (Error::NoSender
            | Error::CodeHeld(..)
            | Error::VerificationEnded(_)
            | Error::NotVerified(_)) => of_verification(error),
            error @ (Error::RecordingUnsupported(_) | Error::RecordingState(_)) => {
                of_recording(&error)
            }
            Error::TrialUnderWay => Self::new(
                Code::Conflict,
                "Another dry run of this account's is under way: wait until it has been answered.",
            ),
            Error::ReportResolved => {
                Self::new(Code::Conflict, "The report is decided already: read it again.")
            }
            Error::RateLimited(wait) => limited(wait),
            Error::CallInProgress => {
                Self::new(Code::CallInProgress, "Wait until a call that goes on has ended.")
            }
            Error::VersionMismatch => {
                Self::new(Code::VersionMismatch, "Read it again: it has changed since.")
            }
            Error::IdempotencyReused => Self::new(
                Code::IdempotencyKeyReused,
                "Use a new `Idempotency-Key` for a new request.",
            ),
            Error::IdempotencyInProgress => Self::new(
                Code::IdempotencyInProgress,
                "The first request with this key is still under way.",
            )
            .retry_after(Duration::from_secs(1)),
            Error::Fetch => Self::internal("files were not fetched"),
            Error::Files(_) => Self::unavailable("The store for files"),
            Error::FilesBusy => Self::unavailable("Too many files are being given out"),
            Error::Ask(_) | Error::Unadvised => Self::internal("a question was not asked"),
            Error::DryRun(_) => Self::internal("a dry run ended outside of its handler"),
        }
    }
}

/// What the state of a session, its people or a number does not let happen.
fn of_session(error: &Error) -> Problem {
    let (code, detail) = match error {
        Error::UniqueNameTaken => (Code::UniqueNameTaken, "Choose another `unique_name`."),
        Error::NumberTaken => (Code::NumberTaken, "This proxy number is in an inventory already."),
        Error::NumberInUse => (
            Code::NumberInUse,
            "The proxy number means another session for this person; name another number, or \
                 none.",
        ),
        Error::NumberHasSessions => (
            Code::NumberInUse,
            "The number has open sessions: set its state to `draining`, and retire it later.",
        ),
        Error::SessionClosed => (Code::SessionClosed, "The session is closed or its time is up."),
        Error::SessionSuspended => (
            Code::SessionSuspended,
            "Resume the session if it was still open; close it if it was not.",
        ),
        Error::SessionNotClosed => {
            (Code::SessionNotClosed, "Only a closed session can be reopened.")
        }
        Error::ModeNotAllowed => (Code::ModeNotAllowed, "The session's `mode` excludes this."),
        Error::ParticipantDuplicate => {
            (Code::ParticipantDuplicate, "One of the people is or was in the session.")
        }
        Error::ParticipantLimit => {
            (Code::ParticipantLimit, "The service's `participants_max` is reached.")
        }
        Error::PinNeeded => (
            Code::PinNeeded,
            "Give the participant another PIN instead: on a number that sessions share they are \
                 known by it alone.",
        ),
        Error::NoPartner => {
            (Code::NoPartner, "The other side is empty, or has blocked this person.")
        }
        _ => return Problem::internal("an error of a session was another one"),
    };
    Problem::new(code, detail)
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Locked | store::Error::Unavailable(_) | store::Error::Transient => {
                Self::unavailable(error)
            }
            store::Error::Conflict
            | store::Error::Statement(_)
            | store::Error::Inconsistent { .. }
            | store::Error::Sealed(_)
            | store::Error::Keys(_)
            | store::Error::Panicked => Self::internal(error),
        }
    }
}

fn field_fault(fault: Fault) -> FieldFault {
    FieldFault::body(ours(fault.pointer), fault.code, fault.message)
}

/// Why nothing is done about a person's data.
fn of_person(error: &Error) -> Problem {
    let (code, detail) = match error {
        Error::ErasingOff => (
            Code::ErasingDisabled,
            "The operator has not set `erasure_list`, without which a restore would bring people back.",
        ),
        Error::LegalHold(hold) => {
            let detail = format!("The legal hold {hold} keeps it: lift that first.");
            return Problem::new(Code::LegalHold, detail);
        }
        Error::PersonErased => {
            (Code::PersonErased, "The session lacks somebody for good: open another one.")
        }
        _ => (
            Code::ExportTooLarge,
            "Ask for parts of it: `created_from` and `created_before` narrow it.",
        ),
    };
    Problem::new(code, detail)
}

/// It is more than may be for now.
fn limited(wait: Duration) -> Problem {
    let detail = "It is more than the limits of docs/abuse.md allow for now.";
    Problem::new(Code::RateLimited, detail).retry_after(wait.max(Duration::from_secs(1)))
}

/// Why a call is not recorded, or its recording not changed.
fn of_recording(error: &Error) -> Problem {
    match error {
        Error::RecordingUnsupported(Some(carrier)) => Problem::new(
            Code::RecordingNotSupported,
            "The carrier can't begin a recording once all agreed, or can't pause it: docs/recording.md says which can.",
        )
        .member("carrier", carrier.clone()),
        Error::RecordingState(state) => {
            Problem::new(Code::RecordingNotRunning, "The recording is not in a state for this.")
                .member("state", state.as_str())
        }
        _ => Problem::new(Code::RecordingNotSupported, "The operator has set no store for files."),
    }
}

/// Why nothing is done about an endpoint or what it is sent.
fn of_endpoint(error: &Error) -> Problem {
    let (code, detail) = match error {
        Error::EndpointLimit => (Code::EndpointLimit, "An account may have 20 endpoints."),
        Error::EndpointOwned => {
            (Code::EndpointOwned, "Change `twilio_proxy.callback_url` of its service instead.")
        }
        Error::EndpointDisabled => (Code::EndpointDisabled, "Set `enabled` to true first."),
        _ => (Code::Conflict, "The delivery is being sent at this moment."),
    };
    Problem::new(code, detail)
}

/// Why no code is sent or taken, or who must give one back first.
fn of_verification(error: Error) -> Problem {
    match error {
        Error::CodeHeld(held, wait) => {
            let (code, detail) = match held {
                Held::Wait => (
                    Code::VerificationTooSoon,
                    "A code was sent a moment ago, or as often as may be: `Retry-After` says when the \
                     next one is.",
                ),
                Held::Person => (Code::VerificationPersonLimit, "Too many codes to this number."),
                Held::Prefix => {
                    (Code::VerificationPrefixLimit, "Too many codes to numbers that begin alike.")
                }
                Held::Client => (Code::VerificationClientLimit, "Too many codes for this `ip`."),
                Held::Account => {
                    (Code::VerificationAccountLimit, "Too many codes of this account.")
                }
            };
            Problem::new(code, detail).member("limit", held.as_str()).retry_after(wait)
        }
        Error::VerificationEnded(status) => Problem::new(
            Code::VerificationEnded,
            "It waits for no code any more: `verification_status` says why. Begin another one.",
        )
        .member("verification_status", status.as_str()),
        Error::NotVerified(places) => {
            let message = "was not verified, or too long ago";
            let fault = |place| {
                let pointer = format!("/participants/{place}/identifier");
                FieldFault::body(pointer, "participant_not_verified", message)
            };
            let detail =
                "The service has `verified_participants`: have them give back a code first.";
            Problem::new(Code::ParticipantNotVerified, detail)
                .with_faults(places.into_iter().map(fault))
        }
        _ => Problem::new(
            Code::NoSender,
            "No active number of the service can send this to that country.",
        ),
    }
}

/// Why nothing is done about a number at its carrier.
fn at_carrier(error: &Error) -> Problem {
    match error {
        Error::OrderUnderWay => Problem::new(
            Code::NumberOrderUnderWay,
            "Wait until the number order that is under way has ended.",
        ),
        Error::BuyingOff => Problem::new(
            Code::BuyingDisabled,
            "The operator has not set `buying = true` for this carrier.",
        ),
        Error::Carrier(error) => carrier(error),
        _ => Problem::new(
            Code::CarrierUnable,
            "This carrier's numbers can't be dealt with so by API: import them.",
        ),
    }
}

/// What a carrier did not take, or did not answer.
fn carrier(error: &SendError) -> Problem {
    let code = error.carrier_code.clone();
    let problem = match error.retry {
        Retry::Never if error.kind == SendErrorKind::Unsupported => {
            Problem::new(Code::CarrierUnable, "The carrier has none of that sort by API.")
        }
        Retry::Never => Problem::new(Code::CarrierRefused, "The carrier refused."),
        Retry::After(wait) => {
            Problem::new(Code::CarrierUnavailable, "The carrier is busy.").retry_after(wait)
        }
        Retry::Unknown => Problem::new(Code::CarrierUnavailable, "The carrier did not answer."),
    };
    match code {
        Some(code) => problem.member("carrier_code", code),
        None => problem,
    }
}

/// There is no such thing in this account.
pub(super) fn not_found(what: &str) -> Problem {
    Problem::new(Code::NotFound, format!("There is no such {what}."))
}

/// The member that a use case's pointer means here.
fn ours(pointer: String) -> String {
    if pointer == "/date_expiry" { "/ends_at".to_owned() } else { pointer }
}

/// No number was left; `pointer` is who got none.
pub(super) fn exhausted(why: &Exhausted, pointer: String) -> Problem {
    let quarantined = why.rule == Rule::Quarantine;
    let (code, detail) = if quarantined {
        (Code::PoolQuarantined, "Only quarantine is in the way: wait, or add numbers.")
    } else {
        (Code::PoolExhausted, "`rule` left no number; `steps` has what each rule left.")
    };
    let message = format!("got no number, because of the rule {}", why.rule);
    let problem = Problem::new(code, detail)
        .member("rule", why.rule.as_str())
        .member("participant", why.participant)
        .member("steps", steps(&why.steps))
        .with_fault(FieldFault::body(pointer, why.rule.as_str(), message));
    match why.next_free_at {
        Some(at) if quarantined => problem.member("next_free_at", json!(Time(at))),
        _ => problem,
    }
}

fn steps(steps: &[Narrowing]) -> Vec<Value> {
    steps.iter().map(|step| json!({ "rule": step.rule.as_str(), "left": step.left })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the database says goes to the log, never to a client.
    #[test]
    fn the_store_keeps_its_words() {
        for (error, status) in [
            (store::Error::Unavailable("secret".into()), 503),
            (store::Error::Locked, 503),
            (store::Error::Transient, 503),
            (store::Error::Statement("secret".into()), 500),
            (store::Error::Conflict, 500),
            (store::Error::Panicked, 500),
        ] {
            let document = Problem::from(Error::from(error)).document(None);
            assert_eq!(document["status"], status);
            assert!(!document.to_string().contains("secret"));
        }
    }
}
