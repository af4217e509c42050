//! `SignalWire`'s lists of messages and calls.

use std::time::Duration;

use http::Method;

use super::{Request, Response, SendError, config::Config, send};
use crate::{
    carrier::{
        is_id,
        listing::{Page, Query},
        twiml::{self, list::Dialect},
    },
    domain::time::Timestamp,
};

const DAY: Duration = Duration::from_hours(24);

static DIALECT: Dialect = Dialect {
    rest: &send::DIALECT,
    is_message: is_id,
    texts_after: day_before,
    calls_after: rfc2822,
    newest_first: false,
};

/// The request for the first page.
pub(super) fn request(config: &Config, query: &Query) -> Request {
    let (path, pairs) = twiml::list::first(&DIALECT, query);
    get(config, path, &pairs)
}

/// The request for a part of a list below the project.
pub(super) fn get(config: &Config, path: &str, pairs: &str) -> Request {
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

/// The day before, since texts are listed that were sent after a date: in UTC, as `2026-11-20`.
fn day_before(at: Timestamp) -> String {
    let day = utc(at - DAY).date();
    day.to_string()
}

/// Such as `Sat, 21 Nov 2026 20:10:27 +0000`.
fn rfc2822(at: Timestamp) -> String {
    utc(at).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn utc(at: Timestamp) -> jiff::Zoned {
    let at = jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(jiff::tz::TimeZone::UTC)
}
