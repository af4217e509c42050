//! The OpenAPI document and its page: Swagger UI from its crate, so that nothing comes from
//! elsewhere.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    response::Response,
    routing::get,
};
use http::{HeaderValue, header};
use utoipa_swagger_ui::Config;

use super::{error::not_found, openapi};
use crate::http::problem::Problem;

/// The page loads only from here, and has nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What of Swagger UI is served.
const ASSETS: [&str; 3] = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];

/// `/api/openapi.json` and `/docs`.
pub(super) fn router(public_url: &str) -> Router {
    let document = Bytes::from(openapi::document(public_url).to_string());
    Router::new()
        .route(
            "/api/openapi.json",
            get(async move || answer("application/json", Body::from(document.clone()))),
        )
        .route("/docs", get(page))
        .route("/docs/init.js", get(script))
        .route("/docs/{asset}", get(asset))
}

fn answer(media_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.insert(header::CONTENT_TYPE, value(media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn page() -> Response {
    let page = include_str!("../../../templates/api/docs.html");
    answer("text/html; charset=utf-8", Body::from(page))
}

async fn script() -> Response {
    let script = include_str!("../../../templates/api/docs.js");
    answer("text/javascript; charset=utf-8", Body::from(script))
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    if !ASSETS.contains(&name.as_str()) {
        return Err(not_found("file"));
    }
    let config = Arc::new(Config::from("/api/openapi.json"));
    let file = utoipa_swagger_ui::serve(&name, config).map_err(Problem::internal)?;
    let file = file.ok_or_else(|| not_found("file"))?;
    let mut response = answer(&file.content_type, Body::from(file.bytes.into_owned()));
    if file.gzpipped {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    }
    let day = HeaderValue::from_static("public, max-age=86400");
    response.headers_mut().insert(header::CACHE_CONTROL, day);
    Ok(response)
}
