//! Requests to the sandbox's API, and what its answers mean.

use std::time::Duration;

use http::{
    HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER},
};
use serde_json::{Value, json};

use super::{
    CAPABILITIES,
    config::Config,
    voice::{self, millis},
    webhook::is_id,
};
use crate::{
    carrier::{
        Links, Outbound, Request, Response, SendError, Sent,
        error::{Retry, SendErrorKind, deleted},
        links::Step,
    },
    domain::{interaction::Kind, media::MEDIA_MAX, recording::RecordingAct},
    ids::LegId,
};

/// The key by which the sandbox knows a request that it has taken already.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long to wait where the sandbox does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that the sandbox may make us wait.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// The request that does `outbound`.
///
/// # Errors
/// [`SendErrorKind::Rejected`] for the end of a call whose id can't be one, and
/// [`SendErrorKind::Unsupported`] for a text with more than ten pictures.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    Ok(match outbound {
        Outbound::Message(message)
            if message.media.len() > MEDIA_MAX || !message.is_sent_by(&CAPABILITIES) =>
        {
            return Err(SendError::new(SendErrorKind::Unsupported, Retry::Never));
        }
        Outbound::Message(message) => {
            let body = json!({
                "from": message.from.as_str(),
                "to": message.to.expose(),
                "text": message.body.expose(),
                "media": message.media,
                "validity_ms": millis(message.validity.min(CAPABILITIES.validity_max)),
                "status_url": links.leg_status(&message.leg),
            });
            post(config, "/v1/messages", &body, Some(&message.leg))
        }
        Outbound::Call(call) => {
            let body = json!({
                "from": call.from.as_str(),
                "to": call.to.expose(),
                "ring_timeout_ms": voice::ring_timeout(call.ring_timeout),
                "duration_max_ms": voice::duration_max(call.duration_max),
                "answer_url": links.step(Step::Answered, &call.leg),
                "status_url": links.leg_status(&call.leg),
            });
            post(config, "/v1/calls", &body, Some(&call.leg))
        }
        Outbound::EndCall { id } => {
            let id = in_path(id)?;
            post(config, &format!("/v1/calls/{id}/end"), &json!({}), None)
        }
        Outbound::DeleteRecording { id } => {
            if !crate::carrier::is_id(id) {
                return Err(SendError::new(SendErrorKind::Rejected, Retry::Never));
            }
            let url = format!("{}/v1/media/{id}", config.api_base);
            Request::new(Method::DELETE, url).with_header(AUTHORIZATION, &config.bearer())
        }
        Outbound::DeleteRecord { kind, id, .. } => {
            let id = in_path(id)?;
            let records = match kind {
                Kind::Message => "messages",
                Kind::Call => "calls",
            };
            let url = format!("{}/v1/{records}/{id}", config.api_base);
            Request::new(Method::DELETE, url).with_header(AUTHORIZATION, &config.bearer())
        }
        Outbound::Recording(asked) => {
            if !is_id(&asked.call) || matches!(&*asked.call, "." | "..") {
                return Err(SendError::new(SendErrorKind::Rejected, Retry::Never));
            }
            let call: String = form_urlencoded::byte_serialize(asked.call.as_bytes()).collect();
            let mut body = json!({ "act": asked.act.as_str() });
            if asked.act == RecordingAct::Start {
                body["recorded_url"] = links.step(Step::Talk, &asked.leg).into();
            }
            post(config, &format!("/v1/calls/{call}/recording"), &body, None)
        }
    })
}

/// An id as a part of a path.
fn in_path(id: &str) -> Result<String, SendError> {
    // Dots alone would choose another path.
    if !is_id(id) || matches!(id, "." | "..") {
        return Err(SendError::new(SendErrorKind::Rejected, Retry::Never));
    }
    Ok(form_urlencoded::byte_serialize(id.as_bytes()).collect())
}

fn post(config: &Config, path: &str, body: &Value, leg: Option<&LegId>) -> Request {
    let url = format!("{}{path}", config.api_base);
    let request = Request::post(url, "application/json", body.to_string())
        .with_header(AUTHORIZATION, &config.bearer());
    match leg {
        Some(leg) => request.with_header(IDEMPOTENCY_KEY, leg.as_str()),
        None => request,
    }
}

/// What the sandbox's answer means.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    if let Outbound::DeleteRecording { id } | Outbound::DeleteRecord { id, .. } = outbound {
        return deleted(id, response, || failure(response));
    }
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if response.status.is_success() {
        return match (outbound, body["id"].as_str()) {
            (Outbound::EndCall { id }, _) => Ok(Sent { id: id.clone() }),
            (_, Some(id)) if is_id(id) => Ok(Sent { id: id.to_owned() }),
            _ => Err(SendError::new(SendErrorKind::Unreachable, Retry::Unknown)),
        };
    }
    Err(failure(response))
}

/// What an answer that is no success means.
pub(super) fn failure(response: &Response) -> SendError {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let code = body["code"].as_str().unwrap_or_default();
    let error = match (response.status, code) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            SendError::new(SendErrorKind::Config, Retry::Never)
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            SendError::new(SendErrorKind::Throttled, Retry::After(pause(response)))
        }
        // Only these words of the sandbox's own say that it took nothing: a 503 of anything on the
        // way to it may hide an answer.
        (StatusCode::SERVICE_UNAVAILABLE, "not-taken") => {
            SendError::new(SendErrorKind::Unreachable, Retry::After(pause(response)))
        }
        (status, code) if status.is_client_error() => {
            let kind = match code {
                "invalid-number" => SendErrorKind::InvalidNumber,
                "opted-out" => SendErrorKind::OptedOut,
                _ => SendErrorKind::Rejected,
            };
            SendError::new(kind, Retry::Never)
        }
        _ => SendError::new(SendErrorKind::Unreachable, Retry::Unknown),
    };
    error.with_code(code)
}

fn pause(response: &Response) -> Duration {
    response
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map_or(PAUSE, |seconds: u32| Duration::from_secs(u64::from(seconds)).min(PAUSE_MAX))
}
