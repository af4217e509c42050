//! The closed set of problem codes, each with its status, title and meaning.

use std::fmt;

use http::StatusCode;

macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $retryable:ident $title:literal $meaning:literal;)*) => {
        /// What kind of problem it is. Stable: clients branch on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code, in order of the docs.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as clients read it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Whether the same request may work later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => retryable!($retryable),)* }
            }

            /// A short sentence, the same for each problem of this kind.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// When it happens and what to do, for the docs.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

macro_rules! retryable {
    (later) => {
        true
    };
    (never) => {
        false
    };
}

codes! {
    MalformedBody "malformed_body" BAD_REQUEST never
        "The body cannot be read"
        "The body is not the JSON or form that the content type promises, or is nested too deeply.";
    MalformedParameter "malformed_parameter" BAD_REQUEST never
        "A query parameter cannot be read"
        "`errors` names each query parameter that is unknown, repeated or of the wrong form.";
    CursorInvalid "cursor_invalid" BAD_REQUEST never
        "The cursor cannot be used"
        "A cursor is used as it was given, with the filters that it was given for. Start again.";
    Unauthorized "unauthorized" UNAUTHORIZED never
        "No valid API key"
        "The key is missing, malformed, unknown, expired or revoked.";
    ForbiddenScope "forbidden_scope" FORBIDDEN never
        "The API key may not do this"
        "The key is valid, but lacks the scope that this operation needs.";
    BuyingDisabled "buying_disabled" FORBIDDEN never
        "Accounts may not deal with this carrier's numbers"
        "Buying spends the operator's money, and adopting and giving back change their account at the carrier: they switch it on with `buying = true` in the carrier's settings.";
    ErasingDisabled "erasing_disabled" FORBIDDEN never
        "Nobody can be erased here yet"
        "Erasing needs a list outside of the database, by which a restored backup is erased again: the operator sets `erasure_list`.";
    NotFound "not_found" NOT_FOUND never
        "There is no such thing"
        "Nothing has this address or id, or it belongs to another account.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED never
        "This address does not take this method"
        "The `Allow` header lists the methods that it takes.";
    Timeout "timeout" REQUEST_TIMEOUT later
        "The request came too slowly"
        "The body was not complete in time. Nothing was done.";
    Conflict "conflict" CONFLICT never
        "The state does not allow this"
        "What the request is about is in a state that excludes it; `detail` says which.";
    IdempotencyInProgress "idempotency_in_progress" CONFLICT later
        "The first request with this key is not done"
        "Another request with the same `Idempotency-Key` is being worked on: ask again later.";
    UniqueNameTaken "unique_name_taken" CONFLICT never
        "The unique name is taken"
        "Another thing of the same kind has this `unique_name`.";
    NumberTaken "number_taken" CONFLICT never
        "The number is in an inventory already"
        "A proxy number belongs to one account, and is in its inventory once.";
    NumberInUse "number_in_use" CONFLICT never
        "The number is in use"
        "Open sessions or quarantine hold this proxy number.";
    NumberOrderUnderWay "number_order_under_way" CONFLICT later
        "Something else is being done about the number"
        "Another number order is buying, adopting or releasing this number: wait until it has ended.";
    CarrierUnable "carrier_unable" CONFLICT never
        "The carrier can't do this by API"
        "docs/carriers.md says whose numbers can be bought, adopted and given back; import others.";
    CarrierRefused "carrier_refused" CONFLICT never
        "The carrier refused"
        "The carrier decided against it, or takes our credentials for wrong; `carrier_code` has its code.";
    SessionClosed "session_closed" CONFLICT never
        "The session is closed"
        "Reopen it first, or open another one.";
    SessionSuspended "session_suspended" CONFLICT never
        "The session is on hold since a restore"
        "The database was restored, and nobody has said yet that this session was still open: resume or close it.";
    SessionNotClosed "session_not_closed" CONFLICT never
        "The session is not closed"
        "Only a closed session can do this.";
    LegalHold "legal_hold" CONFLICT never
        "A legal hold keeps it"
        "Nobody is erased of whom, or of whose sessions, anything is held. The detail names the hold.";
    PersonErased "person_erased" CONFLICT never
        "Somebody in the session was erased"
        "Their number is gone for good: open another session.";
    ExportTooLarge "export_too_large" CONFLICT never
        "There is more than one export holds"
        "Narrow it by `created_from` and `created_before`, and ask for each part.";
    ModeNotAllowed "mode_not_allowed" CONFLICT never
        "The session's mode does not allow this"
        "A call needs a session that relays calls, a text one that relays texts.";
    CallInProgress "call_in_progress" CONFLICT later
        "As many calls go on as may at once"
        "In the session, or of the person whose phone would ring first; docs/abuse.md has the limits.";
    PinNeeded "pin_needed" CONFLICT never
        "This participant needs a PIN"
        "They dial a number that sessions share, and are known there by their PIN alone: give them another one instead.";
    NoPartner "no_partner" CONFLICT never
        "Nobody is on the other side"
        "Add a participant with another role first.";
    ParticipantLimit "participant_limit" CONFLICT never
        "The session has all its participants"
        "Remove one first, or open another session.";
    ParticipantDuplicate "participant_duplicate" CONFLICT never
        "This person is in the session already"
        "One person is one participant of a session.";
    PoolExhausted "pool_exhausted" CONFLICT later
        "No proxy number fits"
        "`rule` says which rule left no number; add numbers, or close sessions of this person.";
    PoolQuarantined "pool_quarantined" CONFLICT later
        "Every number that fits is in quarantine"
        "Numbers would fit but for quarantine; `next_free_at` says when the first one is free.";
    ParticipantNotVerified "participant_not_verified" CONFLICT never
        "A person's number was not verified lately"
        "The service has `verified_participants`; `errors` names whose. Have a code sent to them and given back first.";
    NoSender "no_sender" CONFLICT never
        "No number can send this code"
        "No active number of the service that is not reserved can send texts, or calls, to that country.";
    VerificationEnded "verification_ended" CONFLICT never
        "The verification waits for no code any more"
        "It was verified, failed, cancelled, or its time was up; `verification_status` says which. Begin another one.";
    RecordingNotSupported "recording_not_supported" CONFLICT never
        "Calls can't be recorded here"
        "A service or session asks for recordings, and `carrier`, where its numbers are, can't begin one only once all agreed, or can't pause one; or no store for files is set.";
    RecordingNotRunning "recording_not_running" CONFLICT never
        "The recording is not in a state for this"
        "`state` says how far it has come: only one that runs can be paused, and only a paused one goes on.";
    EndpointLimit "endpoint_limit" CONFLICT never
        "The account has all its endpoints"
        "Delete one first, or let one get the events of several services.";
    EndpointOwned "endpoint_owned" CONFLICT never
        "The endpoint is a service's callback"
        "Change `twilio_proxy.callback_url` of its service instead; only `description` and `enabled` may be set here.";
    EndpointDisabled "endpoint_disabled" CONFLICT never
        "The endpoint is switched off"
        "Nothing is sent to it; set `enabled` to true first.";
    VersionMismatch "version_mismatch" PRECONDITION_FAILED never
        "It was changed in between"
        "`If-Match` is not the current `ETag`. Read it again and decide anew.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE never
        "The body is too large"
        "The longest body is set by `api_body_bytes`.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE never
        "The content type is not understood"
        "Send `Content-Type: application/json`.";
    ValidationFailed "validation_failed" UNPROCESSABLE_ENTITY never
        "The request breaks a rule"
        "`errors` has every fault, each with its pointer, a code and what is allowed.";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY never
        "The idempotency key belongs to another request"
        "The same `Idempotency-Key` came with another method, address or body.";
    RateLimited "rate_limited" TOO_MANY_REQUESTS later
        "Too many requests"
        "`Retry-After` says when the next one is taken.";
    VerificationTooSoon "verification_too_soon" TOO_MANY_REQUESTS later
        "A code was sent a moment ago"
        "The wait grows with each of five sends; `Retry-After` says when the next one is sent.";
    VerificationPersonLimit "verification_person_limit" TOO_MANY_REQUESTS later
        "Too many codes to this number"
        "By `verification.per_person_hour` and `per_person_day`, over all services. Whose number it is makes no difference.";
    VerificationPrefixLimit "verification_prefix_limit" TOO_MANY_REQUESTS later
        "Too many codes to numbers that begin alike"
        "Numbers that differ in their last four digits alone share `verification.per_prefix_hour`.";
    VerificationClientLimit "verification_client_limit" TOO_MANY_REQUESTS later
        "Too many codes for this address"
        "By `verification.per_client_hour`, of the `ip` that was given.";
    VerificationAccountLimit "verification_account_limit" TOO_MANY_REQUESTS later
        "Too many codes of this account"
        "By `verification.per_account_hour`.";
    Internal "internal" INTERNAL_SERVER_ERROR later
        "Something went wrong on our side"
        "The log has the cause under the same `request_id`.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE later
        "Not available for the moment"
        "The database does not answer, or there is too much to do. Nothing was done.";
    CarrierUnavailable "carrier_unavailable" SERVICE_UNAVAILABLE later
        "The carrier did not answer"
        "The carrier could not be reached, or has too much to do. Nothing was done.";
}

impl Code {
    /// Reads a code back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/problems.md` has exactly the rows of the enum.
    #[test]
    fn the_docs_are_the_enum() {
        use std::fmt::Write as _;

        let mut rows = String::new();
        for code in Code::ALL {
            let status = code.status().as_u16();
            let (title, meaning) = (code.title(), code.meaning());
            writeln!(rows, "| `{code}` | {status} | {title} | {meaning} |").unwrap();
        }
        let docs: String = include_str!("../../../docs/problems.md")
            .lines()
            .filter(|line| line.starts_with("| `"))
            .fold(String::new(), |docs, line| docs + line + "\n");
        assert!(docs == rows, "docs/problems.md should have these rows:\n{rows}");
    }

    /// A code reads back, and is a plain word for addresses.
    #[test]
    fn codes_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
        assert_eq!(Code::parse("nonsense"), None);
    }
}
