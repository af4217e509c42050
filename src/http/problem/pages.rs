//! The pages that a problem's `type` points to.

use std::fmt::Write as _;

use axum::{
    Router,
    extract::Path,
    response::{Html, IntoResponse, Response},
    routing::get,
};

use super::{Code, Problem};

/// `/problems` and `/problems/{code}`.
pub fn pages() -> Router {
    Router::new().route("/problems", get(list)).route("/problems/{code}", get(page))
}

async fn list() -> Html<String> {
    let mut items = String::new();
    for code in Code::ALL {
        let title = code.title();
        let _ =
            write!(items, "<li><a href=\"/problems/{code}\"><code>{code}</code></a> {title}</li>");
    }
    html("Problems", &format!("<ul>{items}</ul>"))
}

async fn page(Path(code): Path<String>) -> Response {
    let Some(code) = Code::parse(&code) else {
        return Problem::new(Code::NotFound, "There is no problem of this name.").into_response();
    };
    let meaning = escaped(code.meaning());
    let again = if code.retryable() { "may work later" } else { "will not work later" };
    let body = format!(
        "<p>{meaning}</p><p>Status {}. The same request {again}.</p><p><code>{code}</code></p>\
         <p><a href=\"/problems\">All problems</a></p>",
        code.status().as_u16()
    );
    html(code.title(), &body).into_response()
}

fn html(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><main><h1>{title}</h1>{body}</main>\
         </html>"
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
