//! Cookies, forms and tongues: what a request of a browser carries.

use std::convert::Infallible;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::{
    answer::{No, Other},
    filters::Query,
};
use crate::domain::staff::Language;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Which language somebody chose; it opens nothing.
pub(super) const LANGUAGE_COOKIE: &str = "entremise-language";

/// Whether a page of this console made a request, and no other site (OWASP, "Fetch Metadata").
pub(super) fn own_page(parts: &Parts) -> bool {
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    // A browser that does not say so says at least the origin.
    let host = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| text(header::HOST));
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| host == Some(authority))
}

/// The fields of a form.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

// A field may hold a number or a password.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    /// A field without the space around it; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.whole(name).trim()
    }

    /// A field as it was typed: for passwords.
    pub(super) fn whole(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The fields that have a value, without the space around it.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.trim()));
        pairs.filter(|(_, value)| !value.is_empty())
    }

    /// The fields as the filters of a list.
    pub(super) fn query(&self) -> Query {
        Query::from(self.0.clone())
    }

    /// Every value of a field that is there several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Other;

    async fn from_request(request: Request, state: &S) -> Result<Self, Other> {
        let body = Bytes::from_request(request, state).await.map_err(|_| No::TOO_LONG)?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

/// The language of the pages: the one that was chosen, or else the browser's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tongue(pub(super) Language);

impl Tongue {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Language::parse);
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self(chosen.unwrap_or_else(|| Language::accepted(accepted.unwrap_or_default())))
    }
}

impl<S: Sync> FromRequestParts<S> for Tongue {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// What the browser calls itself, for its owner to know it by.
pub(super) fn agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `__Host-` makes browsers refuse the cookie from any other host, path or scheme.
const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-entremise" } else { "entremise" }
}

/// Gives the browser its cookie for so many seconds; none takes it back.
pub(super) fn set_cookie(response: &mut Response, secure: bool, value: &str, seconds: u64) {
    keep(response, secure, cookie_name(secure), value, seconds);
}

/// What a browser of nobody yet is asked goes with this one.
const fn asked_name(secure: bool) -> &'static str {
    if secure { "__Host-entremise-asked" } else { "entremise-asked" }
}

/// Lets the browser keep for so many seconds what it was asked with; none takes it back.
pub(super) fn set_asked(response: &mut Response, secure: bool, value: &str, seconds: u64) {
    keep(response, secure, asked_name(secure), value, seconds);
}

/// What a browser of nobody yet was asked with.
pub(super) fn asked(headers: &HeaderMap, secure: bool) -> Option<&str> {
    cookie(headers, asked_name(secure))
}

/// Lets the browser keep a language for a year.
pub(super) fn set_language(response: &mut Response, secure: bool, language: Language) {
    keep(response, secure, LANGUAGE_COOKIE, language.as_str(), 365 * 24 * 60 * 60);
}

fn keep(response: &mut Response, secure: bool, name: &str, value: &str, seconds: u64) {
    let only = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{only}");
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The secret in the browser's cookie.
pub(super) fn browser(headers: &HeaderMap, secure: bool) -> Option<&str> {
    cookie(headers, cookie_name(secure))
}

fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|list| list.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Where a page leads afterwards: `next` if that is a page of ours, else `otherwise`.
pub(super) fn next<'a>(next: Option<&'a str>, otherwise: &'a str) -> &'a str {
    let ours = |path: &&str| {
        path.starts_with("/console/")
            && !path.contains("//")
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~?=&%+".contains(&b))
    };
    next.filter(ours).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only pages of the console are led to.
    #[test]
    fn only_own_pages_come_next() {
        for own in ["/console/sessions", "/console/sessions/KC1?account=AC2&before=KC3"] {
            assert_eq!(next(Some(own), "/x"), own);
        }
        for other in ["//evil.example", "/console//evil.example", "https://evil.example", "/v1"] {
            assert_eq!(next(Some(other), "/x"), "/x", "{other}");
        }
        assert_eq!(next(None, "/x"), "/x");
    }
}
