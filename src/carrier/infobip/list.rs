//! Infobip's logs of texts that we sent: those of the last two days.

use serde_json::Value;

use super::{Request, Response, SendError, bare, config::Config, get, is_id, send, texts};
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
const PAGE_SIZE: &str = "100";

/// The longest cursor of a next page that is believed.
const CURSOR_MAX: usize = 512;

/// The request for the first page. Not narrowed by time: one that is missed would be sent twice.
pub(super) fn request(config: &Config, query: &Query) -> Option<Request> {
    match query {
        Query::Sent { from, .. } => Some(page_request(config, from, None)),
        Query::Texts(_) | Query::Calls(_) => None,
    }
}

fn page_request(config: &Config, from: &Sender, cursor: Option<&str>) -> Request {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("sender", bare(from.as_str()));
    pairs.append_pair("limit", PAGE_SIZE);
    pairs.append_pair("useCursor", "true");
    if let Some(cursor) = cursor {
        pairs.append_pair("cursor", cursor);
    }
    get(config, &format!("/sms/3/logs?{}", pairs.finish()))
}

/// What a page says.
///
/// # Errors
/// For another status than 200, and for a page that can't be read whole: the entry that is not may be
/// ours.
pub(super) fn page(config: &Config, query: &Query, response: &Response) -> Result<Page, SendError> {
    let Query::Sent { from, since } = query else {
        return Err(SendError::new(SendErrorKind::Unsupported, Retry::Never));
    };
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if !response.status.is_success() {
        return Err(send::error(response, &answer));
    }
    let mut page = Page::default();
    for one in answer["results"].as_array().ok_or_else(unreadable)? {
        // Of another sender, or to a short code: none of ours, whatever else it says.
        let sender = one["sender"].as_str().ok_or_else(unreadable)?;
        let to = one["destination"].as_str().ok_or_else(unreadable)?;
        let Ok(to) = Identifier::parse(&format!("+{}", bare(to))) else { continue };
        if bare(sender) != bare(from.as_str()) {
            continue;
        }
        let at = time(&one["sentAt"]).ok_or_else(unreadable)?;
        let id = one["messageId"].as_str().filter(|id| is_id(id)).ok_or_else(unreadable)?;
        if at < *since {
            continue;
        }
        let what = Recorded::Sent(SentText {
            price: texts::price(one),
            id: id.to_owned(),
            to,
            body: words(one).map(|words| Body::new(words.to_owned())),
            // A group that we don't know still says that Infobip has it.
            state: texts::state(&one["status"]).unwrap_or(MessageState::Sent),
            carrier_code: texts::code(one),
        });
        page.records.push(Record { at, what });
    }
    let cursor = match &answer["cursor"]["nextCursor"] {
        Value::Null => None,
        cursor => Some(cursor.as_str().ok_or_else(unreadable)?).filter(|text| !text.is_empty()),
    };
    if let Some(cursor) = cursor {
        let fits = cursor.len() <= CURSOR_MAX && cursor.bytes().all(|b| b.is_ascii_graphic());
        page.next = Some(page_request(config, from, Some(cursor).filter(|_| fits)));
        if !fits {
            return Err(unreadable());
        }
    }
    Ok(page)
}

fn words(one: &Value) -> Option<&str> {
    one["content"]["text"].as_str().filter(|words| !words.is_empty())
}

fn time(value: &Value) -> Option<Timestamp> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
