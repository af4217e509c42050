//! Why a use case did nothing.

use std::time::Duration;

use crate::{
    carrier::SendError,
    domain::{
        pool::{Narrowing, Rule},
        recording::RecordingState,
        time::Timestamp,
        verification::{Held, Status},
    },
    ids::HoldId,
    media::ObjectsError,
    relay::consult::Question,
    store::{self, sessions::Session},
};

/// One thing that is wrong with what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the value.
    pub pointer: String,
    /// Stable, snake case.
    pub code: &'static str,
    /// What is wrong and what is allowed. Never the value.
    pub message: String,
}

impl Fault {
    /// A fault.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, message: message.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pointer.trim_start_matches('/'), self.message)
    }
}

/// Why no number was found for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// The person's place among those who were to get a number.
    pub participant: usize,
    /// The rule that left no number.
    pub rule: Rule,
    /// What each rule left, in order.
    pub steps: Vec<Narrowing>,
    /// When the next number is free again, if only quarantine is in the way.
    pub next_free_at: Option<Timestamp>,
}

/// Why a use case did nothing. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no such thing in this account.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What was asked is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Fault>),
    /// The marketplace is to be asked first: the transaction was undone, and is run again with the
    /// advice.
    #[error("the marketplace is to be asked first")]
    Ask(Box<Question>),
    /// Files of a text are to be fetched first: the transaction was undone, and is run again then.
    #[error("files are to be fetched first")]
    Fetch,
    /// The store for files failed.
    #[error(transparent)]
    Files(#[from] ObjectsError),
    /// As many files are being given out as may be at once.
    #[error("too many files are being given out")]
    FilesBusy,
    /// What the marketplace wants of a stranger can't be done: the transaction was undone, and is run
    /// again without.
    #[error("what the marketplace wants can't be done")]
    Unadvised,
    /// The name is taken.
    #[error("the unique name is taken")]
    UniqueNameTaken,
    /// The number is in an inventory already.
    #[error("the number is in use by an account already")]
    NumberTaken,
    /// The pair of person and number means another session.
    #[error("the number means another session for this person")]
    NumberInUse,
    /// The number has open sessions.
    #[error("the number has open sessions")]
    NumberHasSessions,
    /// The session is closed.
    #[error("the session is closed")]
    SessionClosed,
    /// The session is on hold since a restore, until it is resumed (I31).
    #[error("the session is on hold since a restore")]
    SessionSuspended,
    /// A legal hold keeps what would be erased.
    #[error("the legal hold {0} keeps it")]
    LegalHold(HoldId),
    /// The report was decided already.
    #[error("the report was decided already")]
    ReportResolved,
    /// The session is not closed.
    #[error("the session is not closed")]
    SessionNotClosed,
    /// The session's mode does not allow it.
    #[error("the session's mode does not allow it")]
    ModeNotAllowed,
    /// The person is, or was, in the session.
    #[error("the person is or was in the session")]
    ParticipantDuplicate,
    /// The session is full.
    #[error("the session has as many participants as it may have")]
    ParticipantLimit,
    /// On a number that sessions share nobody is known without a PIN.
    #[error("the number is shared: its people need a PIN")]
    PinNeeded,
    /// The session has nobody on the other side.
    #[error("nobody is on the other side")]
    NoPartner,
    /// No number is left for somebody.
    #[error("no proxy number is left: {}", .0.rule)]
    PoolExhausted(Exhausted),
    /// The account has as many endpoints as it may have.
    #[error("the account has as many endpoints as it may have")]
    EndpointLimit,
    /// The endpoint is a service's callback, and is changed there.
    #[error("the endpoint is a service's callback")]
    EndpointOwned,
    /// The endpoint is switched off.
    #[error("the endpoint is switched off")]
    EndpointDisabled,
    /// The delivery is being sent at this moment.
    #[error("the delivery is being sent at this moment")]
    DeliveryUnderWay,
    /// Something else is being done about the number at its carrier.
    #[error("something else is being done about the number at its carrier")]
    OrderUnderWay,
    /// That carrier's numbers can't be dealt with so by API.
    #[error("this can't be done about that carrier's numbers by API")]
    CarrierUnable,
    /// The operator lets no account buy that carrier's numbers.
    #[error("buying at that carrier is not switched on")]
    BuyingOff,
    /// A carrier did not answer, or refused.
    #[error("the carrier: {0}")]
    Carrier(#[from] SendError),
    /// A carrier can't record as it must, or nothing keeps recordings (`None`).
    #[error("calls can't be recorded")]
    RecordingUnsupported(Option<String>),
    /// A recording is not in a state for what was asked.
    #[error("the recording is {0}")]
    RecordingState(RecordingState),
    /// Another dry run of the account's is under way.
    #[error("another dry run of the account's is under way")]
    TrialUnderWay,
    /// No number of the service can send a code to that country.
    #[error("no number of the service can send it")]
    NoSender,
    /// No code is sent now, but after that time.
    #[error("no code is sent now: {0}")]
    CodeHeld(Held, Duration),
    /// The verification waits for no code any more.
    #[error("the verification is {0}")]
    VerificationEnded(Status),
    /// The numbers of these people, by their places, were not verified lately.
    #[error("a number was not verified lately")]
    NotVerified(Vec<usize>),
    /// It is more than may be within that time, or traffic is held back: it may be asked again after so long.
    #[error("it is more than may be for now")]
    RateLimited(Duration),
    /// As many calls go on as may at once.
    #[error("as many calls go on as may at once")]
    CallInProgress,
    /// It was changed in the meantime.
    #[error("the version is not the one that was named")]
    VersionMismatch,
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    IdempotencyReused,
    /// The idempotency key is in use at this moment.
    #[error("the request with this idempotency key is still under way")]
    IdempotencyInProgress,
    /// No erasure list is set: nobody can be erased so that they stay erased after a restore.
    #[error("no `erasure_list` is set: nobody can be erased")]
    ErasingOff,
    /// Somebody in the session was erased.
    #[error("somebody in the session was erased")]
    PersonErased,
    /// There is more than is exported at once.
    #[error("there is more than is exported at once")]
    ExportTooLarge,
    /// It was only tried: here is what it would have been.
    #[error("it was a dry run")]
    DryRun(serde_json::Value),
}

impl Error {
    /// Whether the same work will end alike however often it is tried: it is not the database that
    /// is away, or had too much to do.
    pub(super) const fn lasts(&self) -> bool {
        use store::Error::{Locked, Transient, Unavailable};
        !matches!(self, Self::Store(Unavailable(_) | Locked | Transient))
    }

    /// Refuses where a session puts nobody through at `now`, and says which it is.
    ///
    /// # Errors
    /// [`Error::SessionSuspended`] if a restore put it on hold, else [`Error::SessionClosed`].
    pub(super) fn unless_live(session: &Session, now: Timestamp) -> Result<(), Self> {
        if session.is_live(now) {
            Ok(())
        } else if session.suspended_at.is_some() {
            Err(Self::SessionSuspended)
        } else {
            Err(Self::SessionClosed)
        }
    }
}

impl store::Failure for Error {
    fn store(&self) -> Option<&store::Error> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
