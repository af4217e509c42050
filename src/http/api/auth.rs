//! Who asks: API keys, their scopes and their rate limit.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::{Api, input::bad_parameters};
use crate::{
    domain::audit::Reason,
    http::{
        api_log::Noting,
        limit::Quota,
        problem::{Code, FieldFault, Problem},
        server::Arrival,
    },
    relay::{Caller, Scope},
};

/// Why it is done.
const REASON: HeaderName = HeaderName::from_static("audit-reason");

/// What a handler's caller must be allowed to do.
pub(super) trait Permission: Send {
    /// The scope; `None` if any key will do.
    const SCOPE: Option<Scope>;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $scope:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl Permission for $name {
            const SCOPE: Option<Scope> = $scope;
        }
    )*};
}

permissions! {
    /// Any key.
    Any = None;
    /// Reads sessions, interactions and events.
    SessionsRead = Some(Scope::SessionsRead);
    /// Changes sessions, sends and calls.
    SessionsWrite = Some(Scope::SessionsWrite);
    /// Reads services and numbers.
    NumbersRead = Some(Scope::NumbersRead);
    /// Changes services and numbers.
    NumbersWrite = Some(Scope::NumbersWrite);
    /// Reads endpoints and deliveries.
    WebhooksRead = Some(Scope::WebhooksRead);
    /// Changes endpoints, sends again.
    WebhooksWrite = Some(Scope::WebhooksWrite);
    /// Reads, makes and withdraws API keys.
    KeysWrite = Some(Scope::KeysWrite);
    /// Reads the audit log.
    AuditRead = Some(Scope::AuditRead);
    /// Erases people.
    PersonsErase = Some(Scope::PersonsErase);
    /// Exports what is known of people.
    PersonsExport = Some(Scope::PersonsExport);
    /// Reads verifications.
    VerificationsRead = Some(Scope::VerificationsRead);
    /// Sends codes and checks them.
    VerificationsWrite = Some(Scope::VerificationsWrite);
    /// Places, reads and lifts legal holds.
    LegalHoldsWrite = Some(Scope::LegalHoldsWrite);
    /// Reads who wants no more texts.
    OptOutsRead = Some(Scope::OptOutsRead);
    /// Records and clears that.
    OptOutsWrite = Some(Scope::OptOutsWrite);
    /// Reads reports, with their notes.
    ReportsRead = Some(Scope::ReportsRead);
    /// Decides reports.
    ReportsWrite = Some(Scope::ReportsWrite);
}

/// The caller, whose key has the scope of `P`.
#[derive(Debug)]
pub(super) struct Granted<P> {
    pub(super) caller: Caller,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<Api> for Granted<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let caller = caller(parts)?;
        match P::SCOPE {
            Some(scope) if !caller.may(scope) => Err(forbidden(scope)),
            _ => Ok(Self { caller, permission: PhantomData }),
        }
    }
}

/// Whoever [`guard`] let in.
pub(super) fn caller(parts: &Parts) -> Result<Caller, Problem> {
    let caller = parts.extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| Problem::internal("a route is not behind the guard"))
}

/// The key lacks a scope.
pub(super) fn forbidden(scope: Scope) -> Problem {
    Problem::new(Code::ForbiddenScope, format!("The API key lacks the scope {scope}."))
        .member("scope", scope.as_str())
}

/// Lets a request in whose key is valid and has requests left, and tells how many are left.
pub(super) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let noting = Noting::begin(&api.0.relay, &request);
    let (quota, mut response) = match identify(&api, request.headers()).await {
        Ok(mut caller) => {
            let asks = caller.clone();
            let quota = api.0.limiter.key(caller.counted_by());
            let response = match reason(request.headers()) {
                _ if !quota.taken => limited(&quota),
                Err(problem) => problem.into_response(),
                Ok(reason) => {
                    caller.reason = reason;
                    request.extensions_mut().insert(caller);
                    next.run(request).await
                }
            };
            if let Some(noting) = noting {
                noting.end(&api.0.relay, &asks, &response);
            }
            (Some(quota), response)
        }
        Err(problem) => {
            let client = request.extensions().get::<Arrival>().map(Arrival::client);
            let guess = problem.code() == Code::Unauthorized;
            let quota = client.filter(|_| guess).map(|client| api.0.limiter.client(client));
            match quota {
                Some(quota) if !quota.taken => (Some(quota), limited(&quota)),
                quota => (quota, problem.into_response()),
            }
        }
    };
    let headers = response.headers_mut();
    if let Some(quota) = quota {
        quota.write(headers);
    }
    let private = HeaderValue::from_static("private, no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(private);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn limited(quota: &Quota) -> Response {
    let detail = "Slow down: `RateLimit-Policy` says how many requests a minute are taken.";
    Problem::new(Code::RateLimited, detail).retry_after(quota.wait()).into_response()
}

async fn identify(api: &Api, headers: &HeaderMap) -> Result<Caller, Problem> {
    let detail = "Send the API key as `Authorization: Bearer emk_…`.";
    let token = token(headers).ok_or_else(|| Problem::new(Code::Unauthorized, detail))?;
    match api.0.relay.authenticate(&token).await? {
        Ok(caller) => Ok(caller),
        Err(refusal) => Err(Problem::new(Code::Unauthorized, format!("Refused: {refusal}."))),
    }
}

/// Why the caller does it, for the audit log.
fn reason(headers: &HeaderMap) -> Result<Option<Reason>, Problem> {
    let mut values = headers.get_all(REASON).iter();
    let refused = |code, detail| {
        Err(bad_parameters([FieldFault::parameter(REASON.as_str().to_owned(), code, detail)]))
    };
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => refused("repeated", "is given twice"),
        (Some(value), None) => {
            let text = std::str::from_utf8(value.as_bytes());
            let read = text.map_err(|_| "must be UTF-8").and_then(Reason::parse);
            read.map(Some).or_else(|allowed| refused("not_allowed", allowed))
        }
    }
}

/// The key: a bearer token, or the user name of HTTP Basic.
fn token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return pair.split_once(':').map(|(user, _)| user.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        token(&headers)
    }

    /// Bearer in any case, and Basic with the key as user; two headers or another scheme are none.
    #[test]
    fn keys_come_in_two_ways() {
        assert_eq!(read(&["Bearer emk_1"]).as_deref(), Some("emk_1"));
        assert_eq!(read(&["bearer emk_1"]).as_deref(), Some("emk_1"));
        assert_eq!(read(&["Basic ZW1rXzE6"]).as_deref(), Some("emk_1"));
        for values in
            [&["Basic ZW1rXzE="][..], &["Digest x"], &["emk_1"], &["Bearer a", "Bearer b"]]
        {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
