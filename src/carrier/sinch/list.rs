//! Texts that a service plan has sent, as Sinch lists them.

use serde_json::Value;

use super::{Request, Response, SendError, bare, config::Config, is_id, send};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind, unreadable},
        listing::{Page, Query, Record, Recorded, SentText},
    },
    domain::{
        message::{Body, MessageState},
        phone::Identifier,
        sender::Sender,
        time::Timestamp,
    },
};

/// How many things stand on a page.
const PAGE_SIZE: u64 = 100;

/// The most pages that are asked for.
const PAGES_MAX: u64 = 100;

/// The request for the first page.
pub(super) fn request(config: &Config, query: &Query) -> Option<Request> {
    match query {
        Query::Sent { from, since } => Some(page_request(config, from, *since, 0)),
        Query::Texts(_) | Query::Calls(_) => None,
    }
}

fn page_request(config: &Config, from: &Sender, since: Timestamp, page: u64) -> Request {
    let pairs = form_urlencoded::Serializer::new(String::new())
        .append_pair("from", bare(from.as_str()))
        .append_pair("start_date", &since.rfc3339())
        .append_pair("page", &page.to_string())
        .append_pair("page_size", &PAGE_SIZE.to_string())
        .finish();
    let url = format!("{}?{pairs}", config.batches_url());
    send::with_token(config, Request::new(http::Method::GET, url))
}

/// What a page says.
///
/// # Errors
/// For another status than a success, and for a page that can't be read whole: the entry that is not may
/// be ours.
pub(super) fn page(config: &Config, query: &Query, response: &Response) -> Result<Page, SendError> {
    let Query::Sent { from, since } = query else {
        return Err(SendError::new(SendErrorKind::Unsupported, Retry::Never));
    };
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if !response.status.is_success() {
        return Err(send::error(response, &answer));
    }
    let (listed, count, place) = answer["batches"]
        .as_array()
        .zip(answer["count"].as_u64())
        .zip(answer["page"].as_u64())
        .map(|((listed, count), place)| (listed, count, place))
        .ok_or_else(unreadable)?;
    let mut page = Page::default();
    for one in listed {
        let sender = one["from"].as_str().ok_or_else(unreadable)?;
        let to = one["to"].as_array().ok_or_else(unreadable)?;
        // Of another sender, to several or to a group: none of ours, whatever else it says.
        let [to] = &to[..] else { continue };
        let to = to.as_str().ok_or_else(unreadable)?;
        let Ok(to) = Identifier::parse(&format!("+{}", bare(to))) else { continue };
        if bare(sender) != bare(from.as_str()) {
            continue;
        }
        let at = time(&one["created_at"]).ok_or_else(unreadable)?;
        let id = one["id"].as_str().filter(|id| is_id(id)).ok_or_else(unreadable)?;
        if at < *since {
            continue;
        }
        let body = &one["body"];
        let words = body.as_str().or_else(|| body["message"].as_str());
        // What became of it is in its delivery report; here it says whether it was taken back.
        let state = if one["canceled"] == true { MessageState::Failed } else { MessageState::Sent };
        let what = Recorded::Sent(SentText {
            price: None,
            id: id.to_owned(),
            to,
            body: words.map(|words| Body::new(words.to_owned())),
            state,
            carrier_code: None,
        });
        page.records.push(Record { at, what });
    }
    let seen = place.saturating_add(1).saturating_mul(PAGE_SIZE);
    if seen < count && !listed.is_empty() {
        if place >= PAGES_MAX {
            return Err(unreadable());
        }
        page.next = Some(page_request(config, from, *since, place + 1));
    }
    Ok(page)
}

fn time(value: &Value) -> Option<Timestamp> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
