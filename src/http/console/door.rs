//! The way in and out: a one-time code for a cookie, and no form of another site's.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::{
    Extension,
    body::Bytes,
    extract::{FromRequestParts, State, rejection::BytesRejection},
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};

use super::{
    App,
    answer::{self, Answer, No, Other},
    filters::Query,
};
use crate::{domain::time::Timestamp, http::server::Arrival};

/// How long a browser keeps the cookie, in seconds: as long as it opens anything.
const COOKIE_SECONDS: u32 = 12 * 60 * 60;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[derive(Template)]
#[template(path = "console/login.html")]
struct LoginPage {
    notice: Option<&'static str>,
    fault: Option<&'static str>,
}

/// The page that takes a code. The code of a link is behind its `#`, which browsers send to nobody:
/// the page's script puts it into the form.
pub(super) async fn page(query: Query) -> Answer {
    let notice = query.has("logged_out").then_some("You are logged out.");
    answer::page(&LoginPage { notice, fault: None })
}

/// A request that a page of this console made, and no other site.
#[derive(Debug)]
pub(super) struct OwnPage;

impl<S: Sync> FromRequestParts<S> for OwnPage {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let own = if let Some(site) = text(SEC_FETCH_SITE) {
            site == "same-origin"
        } else {
            // A browser that does not say so says at least the origin.
            let host = parts.uri.authority().map(http::uri::Authority::as_str);
            let host = host.or_else(|| text(header::HOST));
            let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, authority)| host == Some(authority))
        };
        if own { Ok(Self) } else { Err(No::ELSEWHERE.into()) }
    }
}

/// The field of that name in a form.
pub(super) fn field(body: Result<Bytes, BytesRejection>, name: &str) -> Answer<String> {
    let body = body.map_err(|_| No::TOO_LONG)?;
    let found = form_urlencoded::parse(&body).find(|(field, _)| field == name);
    Ok(found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default())
}

/// Uses a code up and gives the browser its cookie.
pub(super) async fn log_in(
    _: OwnPage,
    State(app): State<App>,
    arrival: Option<Extension<Arrival>>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let client = arrival.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |known| known.client());
    // Whoever sets the clock shortens nothing, and keeps nobody out.
    let now = Timestamp::from_millis(app.clock.passed_ms());
    let wait = app.attempts.wait(client, now);
    if !wait.is_zero() {
        let fault = "That were too many wrong codes. Wait ten minutes, then try again.";
        let mut response = refused(StatusCode::TOO_MANY_REQUESTS, fault)?;
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
        return Ok(response);
    }
    let code = field(body, "code")?;
    // Somebody may paste the whole link.
    let code = code.rsplit('#').next().unwrap_or_default();
    let Some(browser) = app.relay.redeem_link(code).await? else {
        app.attempts.wrong(client, now);
        let fault = "This code does not open the console: it was used already, is older than 24 \
                     hours, or was not copied whole. Ask the operator for a new link.";
        return refused(StatusCode::FORBIDDEN, fault);
    };
    let mut response = Redirect::to("/console/sessions").into_response();
    set_cookie(&mut response, app.secure, &browser, COOKIE_SECONDS);
    Ok(response)
}

fn refused(status: StatusCode, fault: &'static str) -> Answer {
    let mut response = answer::page(&LoginPage { notice: None, fault: Some(fault) })?;
    *response.status_mut() = status;
    Ok(response)
}

/// Ends the browser's session, here and in the browser.
pub(super) async fn log_out(_: OwnPage, State(app): State<App>, headers: HeaderMap) -> Answer {
    if let Some(browser) = browser(&headers, app.secure) {
        app.relay.log_out(browser).await?;
    }
    let mut response = Redirect::to("/console/login?logged_out").into_response();
    set_cookie(&mut response, app.secure, "", 0);
    Ok(response)
}

/// `__Host-` makes browsers refuse the cookie from any other host, path or scheme.
const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-entremise" } else { "entremise" }
}

fn set_cookie(response: &mut Response, secure: bool, value: &str, seconds: u32) {
    let name = cookie_name(secure);
    let only = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{only}");
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The secret in the browser's cookie.
pub(super) fn browser(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|list| list.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .find(|(name, _)| *name == cookie_name(secure))
        .map(|(_, value)| value)
}
