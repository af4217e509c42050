//! Webhooks from Infobip: whether they have our password, and which kind they are.

use http::{Method, header::AUTHORIZATION};
use serde_json::Value;

use super::{Inbound, Links, Request, WebhookError, calls, config::Config, texts, voice::MANNER};
use crate::carrier::signature;

/// Whether a webhook has the name and a password that were given to Infobip. Nothing shows more: it is
/// not documented what Infobip's HMAC covers.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    let given = request.header(AUTHORIZATION.as_str()).unwrap_or_default();
    // Each is looked at, whichever fits.
    let fits = config.webhook_authorizations().fold(false, |fits, expected| {
        fits | signature::same(expected.as_bytes(), given.as_bytes())
    });
    if fits && request.method == Method::POST { Ok(()) } else { Err(WebhookError::BadSignature) }
}

/// A webhook that says nothing.
pub(super) fn sample(config: &Config, links: &Links) -> Option<Request> {
    let request = Request::post(links.status(), "application/json", r#"{"check":"entremise"}"#);
    let authorization = config.webhook_authorizations().next()?;
    Some(request.with_header(AUTHORIZATION, &authorization))
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong; [`WebhookError::BadToken`].
pub(super) fn parse(
    config: &Config,
    request: &Request,
    links: &Links,
) -> Result<Vec<Inbound>, WebhookError> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if let Some(records) = body["results"].as_array() {
        return texts::parse(records);
    }
    Ok(match calls::news(config, &request.body, links)? {
        Some(news) => MANNER.events(&news),
        None => vec![Inbound::Ignored("neither a text nor news of a call")],
    })
}
