//! The style sheet, the script and the sign: ours, and compiled in.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest;

use super::{App, answer::No};

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    tag: HeaderValue,
}

/// All of them, each with a hash of what it holds.
pub(super) struct Assets([Asset; 5]);

fn asset_of(name: &'static str, kind: &'static str, text: &'static str) -> Asset {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let tag = HeaderValue::try_from(format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash)));
    Asset { name, kind, text, tag: tag.unwrap_or(HeaderValue::from_static("\"\"")) }
}

impl Assets {
    pub(super) fn new() -> Self {
        Self([
            asset_of(
                "console.css",
                "text/css; charset=utf-8",
                include_str!("../../../templates/console/console.css"),
            ),
            asset_of(
                "console.js",
                "text/javascript; charset=utf-8",
                include_str!("../../../templates/console/console.js"),
            ),
            asset_of(
                "overview.js",
                "text/javascript; charset=utf-8",
                include_str!("../../../templates/console/overview.js"),
            ),
            asset_of(
                "passkeys.js",
                "text/javascript; charset=utf-8",
                include_str!("../../../templates/console/passkeys.js"),
            ),
            asset_of(
                "sign.svg",
                "image/svg+xml",
                include_str!("../../../templates/console/sign.svg"),
            ),
        ])
    }
}

/// One of them. Browsers keep it and ask each time whether it is still the same.
pub(super) async fn asset(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    let Some(asset) = app.assets.0.iter().find(|asset| asset.name == name) else {
        return No::NOTHING_HERE.into_response();
    };
    let kept =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = kept
        .flat_map(|list| list.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == asset.tag.as_bytes());
    let known = [
        (header::ETAG, asset.tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if same {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    (known, [(header::CONTENT_TYPE, asset.kind)], asset.text).into_response()
}
