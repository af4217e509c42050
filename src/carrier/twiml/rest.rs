//! Requests to REST APIs of Twilio's shape, and what their answers mean.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde_json::Value;

use super::{Account, authorized, seconds};
use crate::carrier::{
    Capabilities, Links, Outbound, Request, Response, SendError, Sent,
    error::{
        Retry,
        SendErrorKind::{
            self, Config as Misconfigured, Rejected, Throttled, Unreachable, Unsupported,
        },
        deleted, ended,
    },
    form::FORM,
    is_id,
    links::Step,
    outbound::{OutboundCall, OutboundMessage, RecordingCommand},
};
use crate::domain::{interaction::Kind, recording::RecordingAct};

/// The least that ringing, a call and a text's validity can last.
const LEAST: Duration = Duration::from_secs(1);

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// How long to wait before a record that was not complete is deleted.
const UNFINISHED: Duration = Duration::from_mins(5);

/// What is the carrier's own in an API that is otherwise Twilio's.
pub(in crate::carrier) struct Dialect {
    /// Bounds of ringing, calls and validity.
    pub(in crate::carrier) can: &'static Capabilities,
    /// The most pictures and files that one text takes.
    pub(in crate::carrier) media_max: usize,
    /// Whether a call that we place can be told how long it may last.
    pub(in crate::carrier) time_limit: bool,
    /// Whether a text is an id of a call, which becomes a part of a path.
    pub(in crate::carrier) is_call: fn(&str) -> bool,
    /// The codes which say that a call that we end is over already.
    pub(in crate::carrier) over: &'static [u64],
    /// The codes which say that a record is not complete yet, and can be deleted later.
    pub(in crate::carrier) unfinished: &'static [u64],
    /// What stands in a path for the recording of a call whose id we do not know, where something does.
    pub(in crate::carrier) current_recording: Option<&'static str>,
    /// The codes that say more than their status. Carriers warn that codes may change, so any other is
    /// judged by its status.
    pub(in crate::carrier) kind_of: fn(u64) -> Option<SendErrorKind>,
}

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where the carrier can't do it.
pub(in crate::carrier) fn request(
    account: &dyn Account,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let dialect = account.rest();
    let (path, form) = match outbound {
        Outbound::Message(text) => ("/Messages".to_owned(), message(dialect, text, links)?),
        Outbound::Call(plan) => ("/Calls".to_owned(), call(dialect, plan, links)),
        Outbound::EndCall { id } => {
            // The id becomes a part of the path: one that is not an id must not choose another.
            if !(dialect.is_call)(id) {
                return Err(SendError::new(Rejected, Retry::Never));
            }
            let body = Serializer::new(String::new()).append_pair("Status", "completed").finish();
            (format!("/Calls/{id}"), body)
        }
        Outbound::DeleteRecording { id } if is_id(id) => {
            let url = account.url(&format!("/Recordings/{id}"));
            return Ok(authorized(account, Request::new(Method::DELETE, url)));
        }
        Outbound::DeleteRecording { .. } => return Err(SendError::new(Rejected, Retry::Never)),
        Outbound::DeleteRecord { kind, id, .. } => return delete_record(account, *kind, id),
        Outbound::Recording(asked) => recording(dialect, asked, links)?,
    };
    Ok(authorized(account, Request::post(account.url(&path), FORM, form)))
}

fn delete_record(account: &dyn Account, kind: Kind, id: &str) -> Result<Request, SendError> {
    let dialect = account.rest();
    if !dialect.can.deletes.takes(kind) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let (path, known) = match kind {
        Kind::Message => ("Messages", is_id(id)),
        Kind::Call => ("Calls", (dialect.is_call)(id)),
    };
    if !known {
        return Err(SendError::new(Rejected, Retry::Never));
    }
    let url = account.url(&format!("/{path}/{id}"));
    Ok(authorized(account, Request::new(Method::DELETE, url)))
}

fn message(dialect: &Dialect, text: &OutboundMessage, links: &Links) -> Result<String, SendError> {
    if text.media.len() > dialect.media_max || !text.is_sent_by(dialect.can) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let mut form = Serializer::new(String::new());
    form.append_pair("To", text.to.expose()).append_pair("From", text.from.as_str());
    if !text.body.is_empty() {
        form.append_pair("Body", text.body.expose());
    }
    for address in &text.media {
        form.append_pair("MediaUrl", address);
    }
    form.append_pair("StatusCallback", &links.leg_status(&text.leg));
    let validity = seconds(text.validity, LEAST, dialect.can.validity_max);
    form.append_pair("ValidityPeriod", &validity);
    Ok(form.finish())
}

fn call(dialect: &Dialect, plan: &OutboundCall, links: &Links) -> String {
    let (least, most) = dialect.can.ring_timeout;
    let mut form = Serializer::new(String::new());
    form.append_pair("To", plan.to.expose())
        .append_pair("From", plan.from.as_str())
        .append_pair("Url", &links.step(Step::Answered, &plan.leg))
        .append_pair("Method", "POST")
        .append_pair("StatusCallback", &links.leg_status(&plan.leg))
        .append_pair("StatusCallbackMethod", "POST");
    for event in ["initiated", "ringing", "answered", "completed"] {
        form.append_pair("StatusCallbackEvent", event);
    }
    form.append_pair("Timeout", &seconds(plan.ring_timeout, least, most));
    if dialect.time_limit {
        let limit = dialect.can.duration_max.unwrap_or(plan.duration_max);
        form.append_pair("TimeLimit", &seconds(plan.duration_max, LEAST, limit));
    }
    form.finish()
}

/// What is asked about the recording of a call: where, and in which words.
fn recording(
    dialect: &Dialect,
    asked: &RecordingCommand,
    links: &Links,
) -> Result<(String, String), SendError> {
    let refused = SendError::new(Rejected, Retry::Never);
    if !(dialect.is_call)(&asked.call) {
        return Err(refused);
    }
    let base = format!("/Calls/{}/Recordings", asked.call);
    let mut form = Serializer::new(String::new());
    let status = match asked.act {
        RecordingAct::Start => {
            form.append_pair("RecordingChannels", "mono")
                .append_pair("RecordingTrack", "both")
                .append_pair("Trim", "do-not-trim")
                .append_pair("RecordingStatusCallback", &links.step(Step::Talk, &asked.leg))
                .append_pair("RecordingStatusCallbackMethod", "POST");
            return Ok((base, form.finish()));
        }
        RecordingAct::Pause => "paused",
        RecordingAct::Resume => "in-progress",
        RecordingAct::Stop => "stopped",
    };
    let id = match &asked.id {
        Some(id) if is_id(id) => id,
        Some(_) => return Err(refused),
        None => dialect.current_recording.ok_or(refused)?,
    };
    form.append_pair("Status", status);
    if asked.act == RecordingAct::Pause {
        form.append_pair("PauseBehavior", "skip");
    }
    Ok((format!("{base}/{id}"), form.finish()))
}

/// What the answer to that means. Of what is asked of a recording that runs, the answer says how it is then: an
/// answer that says otherwise confirms nothing.
fn recorded(
    dialect: &Dialect,
    asked: &RecordingCommand,
    response: &Response,
    json: &Value,
) -> Result<Sent, SendError> {
    let code = code_of(json);
    let over = code.is_some_and(|code| dialect.over.contains(&code));
    if asked.act == RecordingAct::Stop && over {
        return Ok(Sent { id: asked.id.clone().unwrap_or_default() });
    }
    if !response.status.is_success() {
        return Err(error(dialect, response, code));
    }
    let expected: &[&str] = match asked.act {
        RecordingAct::Start => &["in-progress", "queued", "processing"],
        RecordingAct::Pause => &["paused"],
        RecordingAct::Resume => &["in-progress", "resumed"],
        RecordingAct::Stop => &["stopped", "processing", "completed"],
    };
    match (json["status"].as_str(), json["sid"].as_str()) {
        (Some(status), _) if !expected.contains(&status) => {
            Err(SendError::new(Rejected, Retry::Never))
        }
        (Some(_), Some(id)) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        // What can't be read confirms nothing, and what can't be named can't be paused.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// What the API's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where the carrier may have done it all the same.
pub(in crate::carrier) fn response(
    account: &dyn Account,
    outbound: &Outbound,
    response: &Response,
) -> Result<Sent, SendError> {
    let dialect = account.rest();
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if let Outbound::EndCall { id } = outbound {
        let code = code_of(&json);
        if code.is_some_and(|code| dialect.over.contains(&code)) {
            return Ok(Sent { id: id.to_owned() });
        }
        return ended(id, response, || error(dialect, response, code));
    }
    if let Outbound::DeleteRecording { id } = outbound {
        return deleted(id, response, || error(dialect, response, code_of(&json)));
    }
    if let Outbound::DeleteRecord { id, .. } = outbound {
        let code = code_of(&json);
        if code.is_some_and(|code| dialect.unfinished.contains(&code)) {
            let later = SendError::new(Rejected, Retry::After(UNFINISHED));
            return Err(with_code(later, code));
        }
        return deleted(id, response, || error(dialect, response, code));
    }
    if let Outbound::Recording(asked) = outbound {
        return recorded(dialect, asked, response, &json);
    }
    if !response.status.is_success() {
        return Err(error(dialect, response, code_of(&json)));
    }
    if matches!(json["status"].as_str(), Some("failed" | "undelivered" | "canceled")) {
        return Err(refusal(dialect, response.status, number(&json["error_code"])));
    }
    match json["sid"].as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        // It was taken, but without an id its news can't be told from another's.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// What an answer that is no success means.
pub(in crate::carrier) fn failure(dialect: &Dialect, response: &Response) -> SendError {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    error(dialect, response, code_of(&json))
}

fn error(dialect: &Dialect, response: &Response, code: Option<u64>) -> SendError {
    let status = response.status;
    let kind = code.and_then(dialect.kind_of);
    if status == StatusCode::TOO_MANY_REQUESTS || kind == Some(Throttled) {
        let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
        return with_code(SendError::new(Throttled, Retry::After(wait)), code);
    }
    let lost = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
    if lost || kind == Some(Unreachable) {
        return with_code(SendError::new(Unreachable, Retry::Unknown), code);
    }
    refusal(dialect, status, code)
}

/// The carrier has decided, and would decide the same again.
fn refusal(dialect: &Dialect, status: StatusCode, code: Option<u64>) -> SendError {
    let kind = code.and_then(dialect.kind_of);
    let kind = kind.filter(|kind| !matches!(kind, Throttled | Unreachable)).unwrap_or(match status
        .as_u16()
    {
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401 | 403 | 404 => Misconfigured,
        _ => Rejected,
    });
    with_code(SendError::new(kind, Retry::Never), code)
}

fn with_code(error: SendError, code: Option<u64>) -> SendError {
    match code {
        Some(code) => error.with_code(&code.to_string()),
        None => error,
    }
}

/// The code of an answer's error, or of the first of several.
fn code_of(json: &Value) -> Option<u64> {
    number(&json["code"]).or_else(|| number(&json["errors"][0]["code"]))
}

/// A code is a number, and in some answers a text of digits.
pub(in crate::carrier) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
