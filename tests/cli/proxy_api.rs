//! A stand-in for Twilio Proxy's own API: what an account has there, page by page.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    response::IntoResponse as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::twilio::Served;

pub(crate) const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const TOKEN: &str = "a-token-of-the-tests";
/// How many rows a page has here, however many are asked for.
const PAGE: usize = 2;

/// An id with that number.
pub(crate) fn sid(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:032x}")
}

/// The proxy number of that place in the pool.
pub(crate) fn digits(number: usize) -> String {
    format!("+{}", 14_155_550_100_usize + number)
}

#[derive(Default)]
pub(crate) struct Proxy {
    /// Rows by the path of their list.
    pub(crate) lists: BTreeMap<String, Vec<Value>>,
    /// What the next requests get instead of an answer.
    pub(crate) troubles: Vec<StatusCode>,
    pub(crate) asked: usize,
}

impl Proxy {
    pub(crate) fn service(&mut self, service: &str, more: Value) {
        let row = json!({
            "sid": service, "account_sid": ACCOUNT, "unique_name": service, "default_ttl": 0,
            "chat_instance_sid": null, "callback_url": null, "intercept_callback_url": null,
            "out_of_session_callback_url": null, "geo_match_level": "country",
            "number_selection_behavior": "prefer-sticky",
        });
        self.push("/v1/Services", row, more);
    }

    pub(crate) fn number(&mut self, service: &str, number: usize, more: Value) {
        let row = json!({
            "sid": sid("PN", number), "account_sid": ACCOUNT, "service_sid": service,
            "phone_number": digits(number), "friendly_name": digits(number), "iso_country": "US",
            "capabilities": { "sms": true, "mms": false, "voice": true, "fax": false },
            "is_reserved": false,
        });
        self.push(&format!("/v1/Services/{service}/PhoneNumbers"), row, more);
    }

    pub(crate) fn session(&mut self, service: &str, session: usize, more: Value) {
        let row = json!({
            "sid": sid("KC", session), "account_sid": ACCOUNT, "service_sid": service,
            "unique_name": format!("Order {session}"),
            "status": "open", "mode": "voice-and-message", "ttl": 0,
            "date_created": "2026-10-01T10:00:00Z", "date_started": null, "date_ended": null,
            "date_last_interaction": null, "date_expiry": null,
        });
        self.push(&format!("/v1/Services/{service}/Sessions"), row, more);
    }

    /// Somebody, who has this number of the pool.
    pub(crate) fn person(
        &mut self,
        service: &str,
        session: usize,
        (place, person, number): (usize, usize, usize),
        more: Value,
    ) {
        let row = json!({
            "sid": sid("KP", session * 10 + place), "account_sid": ACCOUNT,
            "service_sid": service, "session_sid": sid("KC", session),
            "friendly_name": format!("Person {person}"),
            "identifier": format!("+{}", 33_639_980_000_usize + person),
            "proxy_identifier": digits(number),
            "proxy_identifier_sid": sid("PN", number),
            "date_created": format!("2026-10-01T10:00:0{place}Z"), "date_deleted": null,
        });
        let path = format!("/v1/Services/{service}/Sessions/{}/Participants", sid("KC", session));
        self.push(&path, row, more);
    }

    fn push(&mut self, path: &str, mut row: Value, more: Value) {
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        self.lists.entry(path.to_owned()).or_default().push(row);
    }

    /// Serves it.
    pub(crate) async fn start(self) -> (Served, Arc<Mutex<Self>>) {
        let shared = Arc::new(Mutex::new(self));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        (Served::start(router).await, shared)
    }
}

async fn answer(
    State(proxy): State<Arc<Mutex<Proxy>>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> axum::response::Response {
    let mut proxy = proxy.lock().unwrap();
    proxy.asked += 1;
    assert_eq!(method, Method::GET, "nothing at Twilio is changed");
    let wanted = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    if headers.get("authorization").is_none_or(|given| given != &*wanted) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(trouble) = proxy.troubles.pop() {
        return (trouble, [("retry-after", "0")]).into_response();
    }
    let path = uri.path();
    let key = match path.rsplit('/').next().unwrap() {
        "Services" => "services",
        "PhoneNumbers" => "phone_numbers",
        "Sessions" => "sessions",
        _ => "participants",
    };
    let rows = proxy.lists.get(path).cloned().unwrap_or_default();
    let page: usize = query.get("Page").map_or(0, |page| page.parse().unwrap());
    let from = (page * PAGE).min(rows.len());
    let to = (from + PAGE).min(rows.len());
    // Under another host: the credentials are not for it.
    let next = (to < rows.len()).then(|| {
        format!("https://proxy.example{path}?PageSize=100&Page={}&PageToken=PT1", page + 1)
    });
    let meta = json!({ "page": page, "page_size": PAGE, "key": key, "next_page_url": next });
    Json(json!({ key: rows[from..to], "meta": meta })).into_response()
}
