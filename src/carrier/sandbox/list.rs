//! The sandbox's lists of texts and calls that came in.

use http::{Method, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    Inbound, Request, Response, SendError, WebhookError,
    config::Config,
    webhook::{call, message},
};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        listing::{Page, Query, Record, Recorded},
    },
    domain::time::Timestamp,
};

/// The request for a page. Texts that were sent are not asked for: the sandbox drops repeats by key.
pub(super) fn request(config: &Config, query: &Query) -> Option<Request> {
    let path = match query {
        Query::Sent { .. } => return None,
        Query::Texts(_) => "/v1/messages",
        Query::Calls(_) => "/v1/calls",
    };
    Some(get(config, path, query.since(), 0))
}

/// Pages follow each other by a count: how many entries to leave out.
fn get(config: &Config, path: &str, since: Timestamp, skip: u64) -> Request {
    let url = format!("{}{path}?since_ms={}&skip={skip}", config.api_base, since.millis());
    Request::new(Method::GET, url).with_header(AUTHORIZATION, &config.bearer())
}

type Reader = fn(&Value) -> Result<Inbound, WebhookError>;

/// What a page says. An entry that does not read is left out, as its webhook would be refused.
pub(super) fn page(config: &Config, query: &Query, response: &Response) -> Result<Page, SendError> {
    let unreadable = || SendError::new(SendErrorKind::Unreachable, Retry::Unknown);
    if !response.status.is_success() {
        return Err(unreadable());
    }
    let answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    let (path, key, read) = match query {
        Query::Sent { .. } => {
            return Err(SendError::new(SendErrorKind::Unsupported, Retry::Never));
        }
        Query::Texts(_) => ("/v1/messages", "messages", message as Reader),
        Query::Calls(_) => ("/v1/calls", "calls", call as Reader),
    };
    let entries = answer[key].as_array().ok_or_else(unreadable)?;
    let records = entries.iter().filter_map(|entry| {
        let at = Timestamp::from_millis(entry["at_ms"].as_i64()?);
        let over = entry["over"].as_bool().unwrap_or(true);
        let event = read(entry).ok()?;
        (over && at >= query.since()).then_some(Record { at, what: Recorded::CameIn(event) })
    });
    let next = answer["next_skip"].as_u64();
    Ok(Page {
        records: records.collect(),
        next: next.map(|skip| get(config, path, query.since(), skip)),
    })
}
