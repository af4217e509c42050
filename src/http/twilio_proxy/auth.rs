//! Who asks: HTTP Basic with an account and its token, or with an API key.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};

use super::{
    Proxy,
    error::{About, Code, Refusal, refusal},
};
use crate::{
    http::{api_log::Noting, limit::Quota, server::Arrival},
    relay::{Caller, Scope},
};

/// Lets a request in whose credentials are valid, may do this, and have requests left.
pub(super) async fn guard(
    State(proxy): State<Proxy>,
    mut request: Request,
    next: Next,
) -> Response {
    let limiter = &proxy.0.limiter;
    let noting = Noting::begin(proxy.relay(), &request);
    let (quota, mut response) = match identify(&proxy, request.headers()).await {
        Ok(caller) => {
            let quota = limiter.key(caller.counted_by());
            let response = if !quota.taken {
                limited(&quota)
            } else if !may(&caller, request.method(), request.uri().path()) {
                Refusal::new(Code::Forbidden).into_response()
            } else {
                request.extensions_mut().insert(caller.clone());
                next.run(request).await
            };
            if let Some(noting) = noting {
                noting.end(proxy.relay(), &caller, &response);
            }
            (Some(quota), response)
        }
        Err(refused) => {
            let client = request.extensions().get::<Arrival>().map(Arrival::client);
            let quota = client.filter(|_| refused.is_guess()).map(|one| limiter.client(one));
            match quota {
                Some(quota) if !quota.taken => (Some(quota), limited(&quota)),
                quota => (quota, refused.into_response()),
            }
        }
    };
    let headers = response.headers_mut();
    if let Some(quota) = quota {
        quota.write(headers);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn limited(quota: &Quota) -> Response {
    Refusal::new(Code::TooManyRequests).retry_after(quota.wait()).into_response()
}

/// The account's own token may do everything. A key that reads sessions elsewhere sees no number of
/// a person there: here it takes a scope of its own.
fn may(caller: &Caller, method: &Method, path: &str) -> bool {
    caller.may(scope(method, path)) && (!reveals(path) || caller.may(Scope::PeopleReveal))
}

/// Whether an answer may hold people's numbers or words: below a session's people and interactions.
fn reveals(path: &str) -> bool {
    path.split('/').nth(4) == Some("Sessions") && path.split('/').nth(6).is_some()
}

/// What an API key needs for this at least.
fn scope(method: &Method, path: &str) -> Scope {
    let sessions = path.split('/').nth(4) == Some("Sessions");
    match (sessions, *method == Method::GET) {
        (true, true) => Scope::SessionsRead,
        (true, false) => Scope::SessionsWrite,
        (false, true) => Scope::NumbersRead,
        (false, false) => Scope::NumbersWrite,
    }
}

async fn identify(proxy: &Proxy, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let refused = || Refusal::new(Code::Authenticate);
    let relay = proxy.relay();
    let found = match credentials(headers).ok_or_else(refused)? {
        Credentials::Pair(user, password) => relay.authenticate_pair(&user, &password).await,
        Credentials::Key(key) => relay.authenticate(&key).await,
    };
    let caller = found.map_err(|error| refusal(error, About::Service))?;
    caller.map_err(|_| refused())
}

/// What a client authenticates with.
enum Credentials {
    /// HTTP Basic.
    Pair(String, String),
    /// A bearer token: one of our API keys.
    Key(String),
}

fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Key(rest.to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        return Some(Credentials::Pair(user.to_owned(), password.to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies below a session needs the sessions' scopes; services and numbers theirs.
    #[test]
    fn scopes() {
        for (method, path, expected) in [
            (Method::GET, "/v1/Services", Scope::NumbersRead),
            (Method::POST, "/v1/Services/KS1/PhoneNumbers", Scope::NumbersWrite),
            (Method::DELETE, "/v1/Services/Sessions", Scope::NumbersWrite),
            (Method::GET, "/v1/Services/KS1/Sessions/KC1/Interactions", Scope::SessionsRead),
            (Method::DELETE, "/v1/Services/KS1/Sessions/KC1", Scope::SessionsWrite),
        ] {
            assert_eq!(scope(&method, path), expected, "{method} {path}");
        }
    }

    /// What lies below one session shows people.
    #[test]
    fn people() {
        for below in ["Participants", "Participants/KP1", "Interactions", "Anything"] {
            assert!(reveals(&format!("/v1/Services/KS1/Sessions/KC1/{below}")), "{below}");
        }
        for path in ["/v1/Services", "/v1/Services/KS1/Sessions", "/v1/Services/KS1/Sessions/KC1"] {
            assert!(!reveals(path), "{path}");
        }
    }
}
