//! Requests to Telnyx's REST API, and what its answers mean.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Links, Outbound, Request, Response, SendError, Sent, command,
    config::{Config, Voice},
    is_call_id, is_id,
    webhook::{message_state, text_code},
};
use crate::{
    carrier::{
        error::{
            self, Retry,
            SendErrorKind::{
                self, Config as Misconfigured, InvalidNumber, OptedOut, Rejected, Throttled,
                Unreachable, Unsupported,
            },
            deleted,
        },
        links::Step,
        outbound::{OutboundCall, OutboundMessage, RecordingCommand},
    },
    domain::{message::MessageState, recording::RecordingAct},
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The most pictures and files that one text takes.
const MEDIA_MAX: usize = 10;

/// The least that a call which we place can last.
const CALL_LEAST: Duration = Duration::from_secs(30);

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// "This call is no longer active and can't receive commands."
const CALL_OVER: &str = "90018";

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Telnyx can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let request = match outbound {
        Outbound::Message(text) => {
            Request::post(config.url("/messages"), JSON, message(config, text, links)?.to_string())
        }
        Outbound::Call(plan) if config.voice == Voice::CallControl => {
            let request = command::place(config, plan, links);
            return request.ok_or(SendError::new(Misconfigured, Retry::Never));
        }
        Outbound::EndCall { id } if config.voice == Voice::CallControl => {
            let request = command::hang_up(config, id);
            request.ok_or(SendError::new(Rejected, Retry::Never))?
        }
        Outbound::Call(plan) => {
            let path = format!("/texml/Accounts/{}/Calls", config.account_sid);
            Request::post(config.url(&path), JSON, call(config, plan, links).to_string())
        }
        Outbound::EndCall { id } => {
            // The id becomes a part of the path: one that is not an id must not choose another.
            if !is_call_id(id) {
                return Err(SendError::new(Rejected, Retry::Never));
            }
            let path = format!("/texml/Accounts/{}/Calls/{id}", config.account_sid);
            let body = Serializer::new(String::new()).append_pair("Status", "completed").finish();
            Request::post(config.url(&path), FORM, body)
        }
        Outbound::DeleteRecording { id } => {
            if !is_id(id) {
                return Err(SendError::new(Rejected, Retry::Never));
            }
            let path = match config.voice {
                Voice::Texml => {
                    format!("/texml/Accounts/{}/Recordings/{id}.json", config.account_sid)
                }
                Voice::CallControl => format!("/recordings/{id}"),
            };
            Request::new(Method::DELETE, config.url(&path))
        }
        // Telnyx documents no way to delete what it has on record of a text or a call.
        Outbound::DeleteRecord { .. } => return Err(SendError::new(Unsupported, Retry::Never)),
        Outbound::Recording(asked) => {
            let request = match config.voice {
                Voice::CallControl => command::recording(config, asked),
                Voice::Texml => recording(config, asked, links),
            };
            request.ok_or(SendError::new(Rejected, Retry::Never))?
        }
    };
    Ok(authorized(config, request))
}

/// What is asked of `TeXML` about the recording of a call; none where an id is none: it becomes a part of the path.
fn recording(config: &Config, asked: &RecordingCommand, links: &Links) -> Option<Request> {
    let call = Some(&asked.call).filter(|id| is_call_id(id))?;
    let base = format!("/texml/Accounts/{}/Calls/{call}/Recordings", config.account_sid);
    let mut form = Serializer::new(String::new());
    let status = match asked.act {
        RecordingAct::Start => {
            form.append_pair("PlayBeep", "false")
                .append_pair("RecordingChannels", "single")
                .append_pair("RecordingTrack", "both")
                .append_pair("RecordingStatusCallback", &links.step(Step::Talk, &asked.leg))
                .append_pair("RecordingStatusCallbackMethod", "POST")
                .append_pair("SendRecordingUrl", "true");
            return Some(Request::post(config.url(&format!("{base}.json")), FORM, form.finish()));
        }
        RecordingAct::Pause => "paused",
        RecordingAct::Resume => "in-progress",
        RecordingAct::Stop => "stopped",
    };
    let id = asked.id.as_ref().filter(|id| is_id(id))?;
    form.append_pair("Status", status);
    Some(Request::post(config.url(&format!("{base}/{id}.json")), FORM, form.finish()))
}

/// What the answer to that means. Telnyx tells no id where we steer by commands.
fn recorded(
    asked: &RecordingCommand,
    response: &Response,
    json: &Value,
) -> Result<Sent, SendError> {
    let code = text_code(json);
    let known = asked.id.clone().unwrap_or_default();
    if asked.act == RecordingAct::Stop && code.as_deref() == Some(CALL_OVER) {
        return Ok(Sent { id: known });
    }
    if !response.status.is_success() {
        return Err(error(response, code.as_deref()));
    }
    if json["data"]["result"] == "ok" {
        return Ok(Sent { id: known });
    }
    match json["sid"].as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// The same request with the account's credentials.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

fn message(config: &Config, text: &OutboundMessage, links: &Links) -> Result<Value, SendError> {
    if text.media.len() > MEDIA_MAX || !text.is_sent_by(super::capabilities(config)) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let mut message = json!({
        "from": text.from.as_str(),
        "to": text.to.expose(),
        "webhook_url": links.leg_status(&text.leg),
    });
    if !text.body.is_empty() {
        message["text"] = text.body.expose().into();
    }
    if !text.media.is_empty() {
        message["media_urls"] = text.media.clone().into();
    }
    // A number has the profile that it is assigned to; a name has none of its own.
    if let (Some(_), Some(profile)) = (text.from.id(), &config.messaging_profile_id) {
        message["messaging_profile_id"] = profile.as_str().into();
    }
    Ok(message)
}

/// The name that is shown is set, whatever Telnyx shows without it.
fn call(config: &Config, plan: &OutboundCall, links: &Links) -> Value {
    let (least, most) = CAPABILITIES.ring_timeout;
    let longest = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    json!({
        "ApplicationSid": config.application_id,
        "From": plan.from.as_str(),
        "CallerId": plan.from.as_str(),
        "To": plan.to.expose(),
        "Url": links.step(Step::Answered, &plan.leg),
        "UrlMethod": "POST",
        "StatusCallback": links.leg_status(&plan.leg),
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": "initiated ringing answered completed",
        "Timeout": plan.ring_timeout.clamp(least, most).as_secs(),
        "TimeLimit": plan.duration_max.clamp(CALL_LEAST, longest).as_secs(),
    })
}

/// What Telnyx's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Telnyx may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if let Outbound::EndCall { id } = outbound {
        return ended(id, response, &json);
    }
    if let Outbound::DeleteRecord { .. } = outbound {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    if let Outbound::DeleteRecording { id } = outbound {
        return deleted(id, response, || error(response, text_code(&json).as_deref()));
    }
    if let Outbound::Recording(asked) = outbound {
        return recorded(asked, response, &json);
    }
    if !response.status.is_success() {
        return Err(error(response, text_code(&json).as_deref()));
    }
    // Some answers have been seen without the wrapper, and some with it.
    let data = if json["data"].is_object() { &json["data"] } else { &json };
    let (id, valid): (_, fn(&str) -> bool) = match outbound {
        Outbound::Call(_) if data["call_control_id"].is_string() => {
            (&data["call_control_id"], is_call_id)
        }
        Outbound::Call(_) => (&data["call_sid"], is_call_id),
        _ => (&data["id"], is_id),
    };
    let state = data["to"][0]["status"].as_str().and_then(message_state);
    if matches!(state, Some(MessageState::Failed | MessageState::Undelivered)) {
        return Err(refusal(response.status, text_code(data).as_deref()));
    }
    match id.as_str() {
        Some(id) if valid(id) => Ok(Sent { id: id.to_owned() }),
        // It was taken, but without an id its news can't be told from another's.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// Ending a call twice does no harm: one that is over was ended.
fn ended(id: &str, response: &Response, json: &Value) -> Result<Sent, SendError> {
    let code = text_code(json);
    if code.as_deref() == Some(CALL_OVER) {
        return Ok(Sent { id: id.to_owned() });
    }
    error::ended(id, response, || error(response, code.as_deref()))
}

/// What an answer that is no success means.
pub(super) fn failure(response: &Response) -> SendError {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    error(response, text_code(&json).as_deref())
}

fn error(response: &Response, code: Option<&str>) -> SendError {
    let status = response.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
        return with_code(SendError::new(Throttled, Retry::After(wait)), code);
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return with_code(SendError::new(Unreachable, Retry::Unknown), code);
    }
    refusal(status, code)
}

/// Telnyx has decided, and would decide the same again.
fn refusal(status: StatusCode, code: Option<&str>) -> SendError {
    let kind = code.and_then(kind_of).unwrap_or(match status.as_u16() {
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401..=404 => Misconfigured,
        _ => Rejected,
    });
    with_code(SendError::new(kind, Retry::Never), code)
}

/// The codes that say more than their status; any other is judged by it. 40008 is not among them:
/// the one page calls it undeliverable, the other opted out.
fn kind_of(code: &str) -> Option<SendErrorKind> {
    Some(match code {
        // Not a number, not one in E.164, and not one that takes texts.
        "10002" | "10016" | "40001" | "40310" => InvalidNumber,
        "40300" => OptedOut,
        // Credentials and rights; the sender's number and its profile; regions that are not enabled.
        "10001" | "10009" | "10010" | "40305" | "40308" | "40309" | "40311" | "40312" | "40314"
        | "40321" => Misconfigured,
        _ => return None,
    })
}

fn with_code(error: SendError, code: Option<&str>) -> SendError {
    match code {
        Some(code) => error.with_code(code),
        None => error,
    }
}
