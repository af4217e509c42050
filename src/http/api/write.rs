//! What every write has: a body, `Idempotency-Key`, `If-Match`, one transaction and one answer.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Api,
    input::{self, Faults, bad_parameters},
};
use crate::{
    http::problem::{FieldFault, Problem},
    ids::{AccountId, SessionId},
    relay::{Answer, Caller, Error, Key},
    store::{Tx, sessions},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A version that nothing has: `If-Match` named a tag that is none of ours.
const NO_VERSION: i64 = -1;

/// A body with no members.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A write: what was sent, and under which conditions.
#[derive(Debug)]
pub(super) struct Write<T> {
    pub(super) body: T,
    /// What is wrong with the body's form. The handler adds what is wrong with its content.
    pub(super) faults: Faults,
    /// The conditions.
    pub(super) terms: Terms,
}

/// Under which conditions a write is to be done.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) key: Option<Key>,
    /// The version that must be the current one.
    pub(super) version: Option<i64>,
}

impl<T: DeserializeOwned + Default> FromRequest<Api> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (key, version) = (key(request.headers())?, version(request.headers())?);
        let asked = format!(
            "{}\0{}\0{}\0",
            request.method(),
            request.uri().path(),
            request.uri().query().unwrap_or_default()
        );
        let (body, faults, bytes) = input::body(request, api).await?;
        let key = key.map(|key| {
            // A keyed hash: the body may hold a number, and a plain hash of one can be searched.
            let text = [asked.as_bytes(), &bytes].concat();
            let hash = api.0.relay.db().keyring().sign("idempotency", &text);
            Key { key, fingerprint: URL_SAFE_NO_PAD.encode(hash) }
        });
        Ok(Self { body, faults, terms: Terms { key, version } })
    }
}

/// The one value of a header that may come once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad_header(name, "repeated", "is given twice"));
    }
    match value.to_str() {
        Ok(value) => Ok(Some(value.trim())),
        Err(_) => Err(bad_header(name, "invalid", "must have visible ASCII characters only")),
    }
}

fn bad_header(name: &HeaderName, code: &'static str, detail: &'static str) -> Problem {
    bad_parameters([FieldFault::parameter(name.as_str().to_owned(), code, detail)])
}

/// `Idempotency-Key`, quoted as in the draft or bare as in most clients.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = single(headers, &KEY)? else { return Ok(None) };
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(value);
    if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(bad_header(&KEY, "invalid", "must have 1 to 255 visible ASCII characters"))
    }
}

/// `If-Match`: one tag of ours, or `*`, which asks for no more than that there is something.
fn version(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    match single(headers, &header::IF_MATCH)? {
        None | Some("*") => Ok(None),
        Some(value) if value.contains(',') => {
            Err(bad_header(&header::IF_MATCH, "invalid", "must be one entity tag"))
        }
        // A weak tag never matches (RFC 9110 §13.1.1).
        Some(value) => Ok(Some(
            value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .and_then(|text| text.parse::<i64>().ok())
                .filter(|version| *version > 0)
                .unwrap_or(NO_VERSION),
        )),
    }
}

/// What a write answers with. `location` is a path.
pub(super) fn answer(
    status: StatusCode,
    body: &impl Serialize,
    version: Option<i64>,
    location: Option<String>,
) -> Answer {
    Answer {
        status: status.as_u16(),
        // Our own types: their keys are texts, so that this cannot fail.
        body: serde_json::to_string(body).unwrap_or_default(),
        location,
        version,
        replayed: false,
    }
}

/// Done, and there is nothing to show.
pub(super) const fn nothing() -> Answer {
    Answer { status: 204, body: String::new(), location: None, version: None, replayed: false }
}

/// Locks a session and holds it to the version that the client saw.
pub(super) async fn expect_session(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    version: Option<i64>,
) -> Result<sessions::Session, Error> {
    let session = sessions::lock(tx, account, id).await?.filter(|session| !session.gone);
    let session = session.ok_or(Error::NotFound("session"))?;
    if version.is_some_and(|version| version != session.version) {
        return Err(Error::VersionMismatch);
    }
    Ok(session)
}

impl Api {
    /// For what ends or blocks a contact, or takes a right away: that is done on a full disk too.
    pub(super) fn urgent(&self) -> Self {
        Self(Arc::clone(&self.0), true)
    }

    /// Runs one write in a transaction, once per idempotency key.
    pub(super) async fn perform<I, F>(
        &self,
        caller: &Caller,
        key: Option<Key>,
        input: I,
        work: F,
    ) -> Result<Answer, Error>
    where
        I: Send + Sync + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t AccountId, &'t I) -> BoxFuture<'t, Result<Answer, Error>>
            + Send
            + Sync
            + 'static,
    {
        // The work may run twice, and outlive this request.
        let held = Arc::new((caller.account.clone(), input, work));
        let Self(shared, urgent) = self;
        let relay = shared.relay.by(caller.by());
        let relay = if *urgent { relay.urgent() } else { relay };
        relay
            .perform(&caller.account, key, move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move { held.2(tx, &held.0, &held.1).await })
            })
            .await
    }

    /// The same, answered.
    pub(super) async fn write<I, F>(
        &self,
        caller: &Caller,
        key: Option<Key>,
        input: I,
        work: F,
    ) -> Result<Response, Problem>
    where
        I: Send + Sync + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t AccountId, &'t I) -> BoxFuture<'t, Result<Answer, Error>>
            + Send
            + Sync
            + 'static,
    {
        Ok(self.respond(self.perform(caller, key, input, work).await?))
    }

    /// An answer as HTTP.
    pub(super) fn respond(&self, answer: Answer) -> Response {
        let empty = answer.body.is_empty();
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        if !empty {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Some(path) = answer.location
            && let Ok(value) = HeaderValue::from_str(&format!("{}{path}", self.0.public_url))
        {
            headers.insert(header::LOCATION, value);
        }
        if let Some(version) = answer.version {
            tag(headers, &version.to_string());
        }
        if answer.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

fn tag(headers: &mut HeaderMap, tag: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(header::ETAG, value);
    }
}

/// Answers a read with its entity tag, or says that nothing has changed.
pub(super) fn read(headers: &HeaderMap, body: &impl Serialize, etag: &str) -> Response {
    let same = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one.trim_matches('"') == etag);
    let mut response = if same {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, body)
    };
    tag(response.headers_mut(), etag);
    response
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_string(body).unwrap_or_default()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    /// Quoted and bare keys are one key; spaces, nothing and too much are refused.
    #[test]
    fn idempotency_keys() {
        let read = |value: &str| key(&headers(KEY, value)).ok().flatten();
        assert_eq!(read("abc").as_deref(), Some("abc"));
        assert_eq!(read("\"abc\"").as_deref(), Some("abc"));
        for bad in ["", "\"\"", "a b", &"x".repeat(256)] {
            assert!(key(&headers(KEY, bad)).is_err(), "{bad}");
        }
    }

    /// A tag of ours is its version; one that is not can match nothing.
    #[test]
    fn versions() {
        let read = |value: &str| version(&headers(header::IF_MATCH, value)).ok().flatten();
        assert_eq!(read("\"7\""), Some(7));
        assert_eq!(read("*"), None);
        for foreign in ["W/\"7\"", "\"x\"", "7", "\"-1\"", "\"0\""] {
            assert_eq!(read(foreign), Some(NO_VERSION), "{foreign}");
        }
        assert!(version(&headers(header::IF_MATCH, "\"1\", \"2\"")).is_err());
    }
}
