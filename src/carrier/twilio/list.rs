//! Twilio's lists of messages and calls.

use http::Method;

use super::{Request, Response, SendError, config::Config, is_sid, send};
use crate::{
    carrier::{
        listing::{Page, Query},
        twiml::{self, list::Dialect},
    },
    domain::time::Timestamp,
};

static DIALECT: Dialect = Dialect {
    rest: &send::DIALECT,
    is_message: |id| is_sid("SM", id) || is_sid("MM", id),
    texts_after: rfc3339,
    calls_after: rfc3339,
    newest_first: true,
};

/// The request for the first page.
pub(super) fn request(config: &Config, query: &Query) -> Request {
    let (path, pairs) = twiml::list::first(&DIALECT, query);
    get(config, path, &pairs)
}

fn get(config: &Config, path: &str, pairs: &str) -> Request {
    let url = format!("{}?{pairs}", config.account_url(path));
    send::authorized(config, Request::new(Method::GET, url))
}

/// What a page says.
///
/// # Errors
/// For another status than 200, and for what is not a page.
pub(super) fn page(config: &Config, query: &Query, response: &Response) -> Result<Page, SendError> {
    twiml::list::page(&DIALECT, query, response, |path, pairs| get(config, path, pairs))
}

/// In UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::MAX).to_string()
}
