//! Where carriers fetch the pictures and files that they are to pass on: `/media/{token}`.
//!
//! Whatever is wrong with an address, the answer is the same 404. The router's pattern stands in metrics,
//! the token nowhere.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    limit::Limiter,
    problem::{Code, Problem},
    server::Arrival,
};
use crate::{
    domain::media::MediaType,
    relay::{Error, Offered, Relay},
};

/// What the addresses need.
#[derive(Debug, Clone)]
pub struct MediaState {
    /// Opens files.
    pub relay: Relay,
    /// How many wrong addresses one client may try.
    pub limiter: Arc<Limiter>,
}

/// `GET` and `HEAD /media/{token}`.
pub fn router(state: MediaState) -> Router {
    Router::new().route("/media/{token}", get(fetch)).with_state(state)
}

async fn fetch(
    State(state): State<MediaState>,
    arrival: Option<Extension<Arrival>>,
    method: Method,
    token: Result<Path<String>, PathRejection>,
) -> Response {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    match state.relay.offered(&token, method != Method::HEAD).await {
        Ok(Some(offered)) => answer(offered),
        Ok(None) => {
            let quota = arrival.map(|Extension(one)| state.limiter.client(one.client()));
            match quota.filter(|quota| !quota.taken) {
                Some(quota) => {
                    let problem = Problem::new(Code::RateLimited, "Slow down.");
                    problem.retry_after(quota.wait()).into_response()
                }
                None => Problem::new(Code::NotFound, "There is nothing at this address.")
                    .into_response(),
            }
        }
        Err(Error::FilesBusy) => {
            Problem::unavailable("Too many files are being given out").into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "a file could not be given out");
            Problem::unavailable("The file can't be read now.").into_response()
        }
    }
}

/// A file as an answer: whoever reads it takes it for nothing else, and keeps none of it.
pub(super) fn answer(Offered { kind, length, bytes }: Offered) -> Response {
    let mut response = Response::new(bytes.map_or_else(Body::empty, Body::from));
    *response.status_mut() = StatusCode::OK;
    let headers: &mut HeaderMap = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed(kind.as_str()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_DISPOSITION, fixed(disposition(kind)));
    headers.insert(header::CACHE_CONTROL, fixed("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, fixed("default-src 'none'; sandbox"));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    response
}

/// A name that says nothing, and an ending that phones go by.
const fn disposition(kind: MediaType) -> &'static str {
    match kind {
        MediaType::Jpeg => "attachment; filename=\"file.jpg\"",
        MediaType::Png => "attachment; filename=\"file.png\"",
        MediaType::Gif => "attachment; filename=\"file.gif\"",
        MediaType::Webp => "attachment; filename=\"file.webp\"",
        MediaType::Pdf => "attachment; filename=\"file.pdf\"",
        MediaType::Mp4 => "attachment; filename=\"file.mp4\"",
        MediaType::ThreeGp => "attachment; filename=\"file.3gp\"",
        MediaType::Mpeg => "attachment; filename=\"file.mp3\"",
        MediaType::Amr => "attachment; filename=\"file.amr\"",
        MediaType::Ogg => "attachment; filename=\"file.ogg\"",
        MediaType::Wav => "attachment; filename=\"file.wav\"",
        MediaType::Vcard => "attachment; filename=\"file.vcf\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind's name ends as its files do.
    #[test]
    fn names_end_as_files_do() {
        for kind in MediaType::ALL {
            let ending = format!(".{}\"", kind.extension());
            assert!(disposition(*kind).ends_with(&ending), "{kind}");
        }
    }
}
