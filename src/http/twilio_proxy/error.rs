//! Every way in which the API says no: Twilio's codes, and which of our errors means which.

use std::{borrow::Cow, fmt, time::Duration};

use axum::{
    body::Body,
    extract::rejection::BytesRejection,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    domain::{pool::Rule, session::Mode},
    http::{
        api_log::TwilioCode,
        problem::{self, Problem},
    },
    relay::{Error, Exhausted, Fault},
    store,
};

macro_rules! codes {
    ($($name:ident = $number:literal, $status:literal, $message:literal, $when:literal;)*) => {
        /// Twilio's codes, as far as they are answered here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Code {
            $(#[doc = $when] $name,)*
        }

        impl Code {
            /// All of them, in the order of their numbers.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its number, its HTTP status, what it says and when it is answered.
            pub(super) const fn entry(self) -> (u32, u16, &'static str, &'static str) {
                match self {
                    $(Self::$name => ($number, $status, $message, $when),)*
                }
            }
        }
    };
}

codes! {
    Authenticate = 20003, 401, "Authenticate", "the account or its token, or the key, is not known";
    MethodNotAllowed = 20004, 405, "Method not allowed", "the address does not take this method";
    Forbidden = 20403, 403, "The API key lacks the scope for this", "an API key without the scope";
    NotFound = 20404, 404, "The requested resource was not found", "no such thing in this account, or it was deleted";
    Timeout = 20408, 408, "The body was not complete in time", "a body that comes too slowly";
    TooLarge = 20413, 413, "The body is too large", "a body above `limits.api_body_bytes`";
    Internal = 20500, 500, "An internal server error has occurred", "our fault; it is in the log";
    Unavailable = 20503, 503, "Service unavailable: nothing was done, please try again", "the database does not answer";
    OtherService = 80101, 400, "The Phone Number is already associated with another Service", "adding a number that is in another of the account's services";
    ParticipantExists = 80103, 400, "Participant has already been added to this Session", "an identifier that is, or was, in the session";
    NumberExists = 80104, 400, "The Phone Number has already been added to this Service", "adding a number that is in this service";
    NoVoice = 80201, 400, "No voice capable Proxy Identifiers are available for the Service", "no number that can do what the session's mode needs, calls among it";
    NoSms = 80202, 400, "No SMS capable Proxy Identifiers are available for the Service", "no number that can do what the session's mode needs: texts";
    NoCountry = 80203, 400, "No Proxy Identifiers are available for the country of the Participant", "no number of the identifier's country";
    NoNumbers = 80205, 400, "The Service has no Phone Numbers", "a service without numbers";
    NoneMatches = 80206, 400, "No Proxy Identifiers match the geo match level, or all of them are in use by the Participant", "no number near enough or at one carrier, or the person holds each of them, also in quarantine";
    OnlyReserved = 80207, 400, "Only reserved Proxy Identifiers are available", "every number that fits is reserved, and none was named";
    NotOnAccount = 80301, 400, "The Phone Number SID was not found on the Account", "adding a number that neither the account nor its carrier has";
    ShortCodeNotOnAccount = 80303, 400, "The Short Code SID was not found on the Account", "adding a short code: there are none here";
    ChannelIdentifier = 80304, 400, "Identifiers of channels are not supported", "an identifier such as `messenger:…`";
    PairInvalid = 80402, 400, "The identifier or proxy identifier is invalid: one of them is both", "a person's number that is a proxy number, or the reverse";
    IdentifierInvalid = 80404, 400, "The Participant identifier is invalid or cannot be reached", "an identifier that is no number, or that the service's `identifier_check` refuses";
    PhoneNumberInvalid = 80406, 400, "The Phone Number is invalid", "adding a number that is not in E.164";
    PhoneSidInvalid = 80407, 400, "The Phone Number SID is invalid", "a number's SID that is none";
    CarrierMissing = 80502, 500, "No carrier is configured", "adding a number where no carrier is configured, or where the carrier could not be asked for it; the message says which";
    BoundElsewhere = 80601, 400, "The Phone Number is in use by another Account", "adding a number that another account has";
    ServiceNameTaken = 80602, 400, "A Service with this unique name already exists", "the name of a service is taken";
    SessionNameTaken = 80603, 400, "A Session with this unique name already exists", "the name of a session is taken, by a closed one too";
    PairInUse = 80604, 400, "The identifier and proxy identifier pair is already in use in another Session", "a named number, or reopening, where the pair means another session or is in quarantine";
    NotInService = 80605, 400, "The Proxy Identifier is not in the Service", "a named number that is not an active number of the service";
    SessionClosed = 80607, 400, "The Session is closed", "changing a closed session or one on hold, or its people, or sending to them";
    BadStatus = 80608, 400, "Invalid Session status change: from open or in-progress to closed, or from closed to in-progress", "any other change of status";
    TooManyParticipants = 80609, 400, "The Session has as many Participants as it may have", "more people than the service allows, 2 by default";
    NumberHasSessions = 80611, 400, "The Phone Number is in use in active Sessions and cannot be removed", "removing a number with open sessions";
    NoPartner = 80614, 400, "The Session has no other Participant", "nobody is on the other side";
    TooManyRequests = 80621, 429, "Too many requests", "the rate limit; `Retry-After` says for how long";
    PoolFull = 80622, 400, "The Service has as many Phone Numbers as it may have", "more numbers, reserved or not, than `twilio_proxy.pool_reserved_max` or `twilio_proxy.pool_max` allow; the native API has no such limit";
    AddedAtOnce = 80623, 409, "The Participant was added to this Session by another request at the same time", "an identifier that was not in the session when the request came, and was when its turn came";
    Parameter = 80701, 400, "A parameter is invalid", "anything else that is wrong with a parameter; the message says what";
    MessageToVoiceOnly = 80910, 400, "The Session is voice-only", "a message interaction in a voice-only session";
}

/// Every code: its number, its HTTP status, what it says and when it is answered. For the docs.
pub fn errors() -> impl Iterator<Item = (u32, u16, &'static str, &'static str)> {
    Code::ALL.iter().map(|code| code.entry())
}

/// A request that was refused. Nothing was done.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    code: Code,
    message: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    /// For the log only.
    cause: Option<String>,
}

impl Refusal {
    pub(super) const fn new(code: Code) -> Self {
        Self { code, message: None, retry_after: None, cause: None }
    }

    /// A carrier could not be asked.
    pub(super) fn carrier_away() -> Self {
        const WORDS: &str = "The carrier could not be asked for the Phone Number: nothing was done";
        Self { message: Some(WORDS.into()), ..Self::new(Code::CarrierMissing) }
    }

    /// A parameter that is wrong; `allowed` is what follows its name, and never the value.
    pub(super) fn parameter(name: &str, allowed: impl fmt::Display) -> Self {
        Self { message: Some(format!("{name} {allowed}").into()), ..Self::new(Code::Parameter) }
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn caused_by(self, cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    fn with(self, message: String) -> Self {
        Self { message: Some(message.into()), ..self }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// Whether somebody may have guessed at a credential.
    pub(super) fn is_guess(&self) -> bool {
        self.is(Code::Authenticate)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (number, status, message, _) = self.code.entry();
        if let Some(cause) = &self.cause {
            tracing::error!(code = number, cause, "a request failed");
        }
        // Flat: with `type` and `title` beside the others the SDKs would take it for RFC 9457.
        let body = json!({
            "code": number,
            "message": self.message.as_deref().unwrap_or(message),
            "more_info": format!("https://www.twilio.com/docs/errors/{number}"),
            "status": status,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response.extensions_mut().insert(TwilioCode(number));
        let headers = response.headers_mut();
        if self.code == Code::Authenticate {
            let basic = HeaderValue::from_static("Basic realm=\"Twilio API\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        match Problem::from(rejection).code() {
            problem::Code::PayloadTooLarge => Self::new(Code::TooLarge),
            problem::Code::Timeout => Self::new(Code::Timeout),
            _ => Self::new(Code::Parameter).with("The body could not be read".to_owned()),
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Locked | store::Error::Unavailable(_) | store::Error::Transient => {
                Self::new(Code::Unavailable).retry_after(Duration::from_secs(1)).caused_by(error)
            }
            store::Error::Conflict
            | store::Error::Statement(_)
            | store::Error::Inconsistent { .. }
            | store::Error::Sealed(_)
            | store::Error::Keys(_)
            | store::Error::Panicked => Self::new(Code::Internal).caused_by(error),
        }
    }
}

/// What a use case was about: one error of ours has several codes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A service or its numbers.
    Service,
    /// A session of this mode.
    Session(Mode),
}

impl About {
    /// No number can do what the mode needs.
    const fn incapable(self) -> Code {
        match self {
            Self::Session(mode) if !mode.voice() => Code::NoSms,
            _ => Code::NoVoice,
        }
    }
}

/// Faults that handlers here find inside a transaction, beside those of the use cases.
pub(super) const HERE: &str = "in_this_service";
pub(super) const ELSEWHERE: &str = "in_other_service";
pub(super) const FOREIGN: &str = "not_on_account";
pub(super) const UNKNOWN_NUMBER: &str = "unknown_number";
pub(super) const BAD_STATUS: &str = "bad_status";
pub(super) const POOL_FULL: &str = "pool_full";

/// A fault with one of those codes.
pub(super) fn fault(code: &'static str) -> Error {
    Error::Invalid(vec![Fault::new("", code, "")])
}

/// What a use case's error is called here.
pub(super) fn refusal(error: Error, about: About) -> Refusal {
    let code = match error {
        Error::Store(error) => return error.into(),
        Error::Invalid(faults) => return invalid(&faults, about),
        Error::NotFound(_) => Code::NotFound,
        Error::UniqueNameTaken if about == About::Service => Code::ServiceNameTaken,
        Error::UniqueNameTaken => Code::SessionNameTaken,
        Error::NumberTaken => Code::BoundElsewhere,
        Error::NumberInUse => Code::PairInUse,
        Error::NumberHasSessions => Code::NumberHasSessions,
        // Of a session that lacks somebody for good nothing but its end is left.
        Error::SessionClosed | Error::SessionSuspended | Error::PersonErased => Code::SessionClosed,
        Error::SessionNotClosed => Code::BadStatus,
        Error::ModeNotAllowed => Code::MessageToVoiceOnly,
        Error::ParticipantDuplicate => Code::ParticipantExists,
        Error::ParticipantLimit => Code::TooManyParticipants,
        Error::NoPartner => Code::NoPartner,
        Error::NotVerified(_) => {
            return Refusal::new(Code::IdentifierInvalid)
                .with("The Participant identifier was not verified".to_owned());
        }
        Error::PoolExhausted(why) => exhausted(&why, about),
        Error::RateLimited(wait) => {
            return Refusal::new(Code::TooManyRequests).retry_after(wait);
        }
        Error::VersionMismatch | Error::CallInProgress => {
            return Refusal::new(Code::Unavailable).retry_after(Duration::from_secs(1));
        }
        other @ (Error::Ask(_)
        | Error::Fetch
        | Error::Files(_)
        | Error::FilesBusy
        | Error::TrialUnderWay
        | Error::ErasingOff
        | Error::LegalHold(_)
        | Error::ExportTooLarge
        | Error::PinNeeded
        | Error::Unadvised
        | Error::EndpointLimit
        | Error::EndpointOwned
        | Error::EndpointDisabled
        | Error::DeliveryUnderWay
        | Error::ReportResolved
        | Error::OrderUnderWay
        | Error::CarrierUnable
        | Error::BuyingOff
        | Error::NoSender
        | Error::CodeHeld(..)
        | Error::VerificationEnded(_)
        | Error::Carrier(_)
        | Error::IdempotencyReused
        | Error::IdempotencyInProgress
        | Error::RecordingUnsupported(_)
        | Error::RecordingState(_)
        | Error::DryRun(_)) => return Refusal::new(Code::Internal).caused_by(other),
    };
    Refusal::new(code)
}

fn exhausted(why: &Exhausted, about: About) -> Code {
    match why.rule {
        Rule::Service => Code::NoNumbers,
        Rule::Country => Code::NoCountry,
        Rule::Capability | Rule::Registration | Rule::NumberClass => about.incapable(),
        Rule::Reserved => Code::OnlyReserved,
        Rule::Area | Rule::Carrier | Rule::InUse | Rule::Quarantine => Code::NoneMatches,
    }
}

/// The first fault is told, as Twilio does.
fn invalid(faults: &[Fault], about: About) -> Refusal {
    let Some(fault) = faults.first() else { return Refusal::new(Code::Parameter) };
    let last = fault.pointer.rsplit('/').next().unwrap_or_default();
    let code = match (fault.code, last) {
        (HERE, _) => Code::NumberExists,
        (ELSEWHERE, _) => Code::OtherService,
        (FOREIGN, _) => Code::NotOnAccount,
        (BAD_STATUS, _) => Code::BadStatus,
        (POOL_FULL, _) => Code::PoolFull,
        (UNKNOWN_NUMBER | "number_not_active" | "number_shared", _) => Code::NotInService,
        // Of a number that is added; of one that a participant names it is as below.
        ("number_class", "number") => {
            return Refusal::parameter("PhoneNumber", &fault.message);
        }
        ("number_not_capable" | "number_not_registered" | "number_class", _) => about.incapable(),
        ("carrier_mismatch", _) => Code::NoneMatches,
        ("proxy_number" | "participant", _) => Code::PairInvalid,
        (_, "identifier") => {
            return Refusal::new(Code::IdentifierInvalid)
                .with(format!("The Participant identifier {}", fault.message));
        }
        _ => return Refusal::parameter(&parameter(last), &fault.message),
    };
    Refusal::new(code)
}

/// What Twilio calls one of our members: `date_expiry` is `DateExpiry`, `ttl_seconds` is `Ttl`.
fn parameter(member: &str) -> String {
    let words = member.strip_suffix("_seconds").unwrap_or(member).split('_');
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers rise, each once, and the statuses are ones that HTTP knows.
    #[test]
    fn codes_are_in_order() {
        let all: Vec<_> = errors().collect();
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(all.iter().all(|one| StatusCode::from_u16(one.1).is_ok()));
    }

    /// Our members have Twilio's names.
    #[test]
    fn parameters() {
        for (ours, theirs) in [
            ("default_ttl_seconds", "DefaultTtl"),
            ("date_expiry", "DateExpiry"),
            ("body", "Body"),
            ("intercept_callback_url", "InterceptCallbackUrl"),
        ] {
            assert_eq!(parameter(ours), theirs);
        }
    }
}
