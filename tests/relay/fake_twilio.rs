//! Twilio's REST API as a test words it, and Twilio's webhooks, signed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, Uri},
    response::{IntoResponse as _, Response},
};
use base64::Engine as _;
use entremise::{
    clock::Clock,
    config::{CarrierConfig, Config, Rates},
    domain::budget::Budget,
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::{self, Answered, Database, World};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// One request that the API got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) fields: BTreeMap<String, String>,
}

#[derive(Default)]
struct Script {
    asked: Vec<Asked>,
    /// The next answers, and whether what was asked is taken all the same.
    answers: VecDeque<(StatusCode, bool)>,
    /// The next answers to lists that are no page.
    list_answers: VecDeque<StatusCode>,
    lists: Vec<String>,
    /// A text with these words is answered 429.
    throttled: Option<String>,
    /// Whatever is sent is not taken and answered so.
    down: Option<StatusCode>,
    /// Seconds of `Retry-After` with each 429.
    rest: Option<u32>,
    /// What each text costs, as it is listed: the amount and the currency.
    price: Option<(&'static str, &'static str)>,
    /// What the API lists, newest first.
    messages: Vec<Value>,
    calls: Vec<Value>,
    /// The numbers of the account; a stand-in without any has no list of them.
    numbers: Vec<Value>,
    /// How many entries a page has; 0 for all.
    page: usize,
    /// Where a page says that the next one is.
    next_host: &'static str,
    clock: Option<Clock>,
}

impl Script {
    fn now(&self) -> String {
        let ms = self.clock.as_ref().map_or(0, |clock| clock.now().millis());
        rfc2822(ms)
    }
}

/// As Twilio writes times.
pub(crate) fn rfc2822(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::rfc2822::to_string(&at).unwrap()
}

/// The stand-in. It answers 201 unless it was told otherwise.
#[derive(Clone)]
pub(crate) struct Api {
    script: Arc<Mutex<Script>>,
    pub(crate) base: String,
    _server: Arc<AbortOnDropHandle<()>>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Script>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let served = async move { axum_serve(listener, router).await };
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        Self { script, base, _server: Arc::new(server) }
    }

    /// The next answers, in order. What is not answered 201 is not taken.
    pub(crate) fn answers(&self, answers: &[StatusCode]) {
        let mut script = self.script.lock().unwrap();
        script.answers.extend(answers.iter().map(|status| (*status, false)));
    }

    /// The next request is taken and answered so all the same.
    pub(crate) fn takes_but_answers(&self, status: StatusCode) {
        self.script.lock().unwrap().answers.push_back((status, true));
    }

    /// The next lists are answered so.
    pub(crate) fn lists_answer(&self, answers: &[StatusCode]) {
        self.script.lock().unwrap().list_answers.extend(answers);
    }

    /// Texts with these words are answered 429.
    pub(crate) fn throttles(&self, words: &str) {
        self.script.lock().unwrap().throttled = Some(words.to_owned());
    }

    /// From now on nothing is taken and all is answered so; or all is well.
    pub(crate) fn down(&self, status: Option<StatusCode>) {
        self.script.lock().unwrap().down = status;
    }

    /// Each 429 says to wait so many seconds.
    pub(crate) fn wants_rest(&self, seconds: u32) {
        self.script.lock().unwrap().rest = Some(seconds);
    }

    /// What each text costs from now on, as it is listed.
    pub(crate) fn charges(&self, amount: &'static str, currency: &'static str) {
        self.script.lock().unwrap().price = Some((amount, currency));
    }

    /// The words of the texts that it took, in order.
    pub(crate) fn taken(&self) -> Vec<String> {
        let script = self.script.lock().unwrap();
        script.messages.iter().rev().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    }

    /// The time that records get.
    pub(crate) fn keeps_time(&self, clock: &Clock) {
        self.script.lock().unwrap().clock = Some(clock.clone());
    }

    /// Lists have pages of so many entries, and say that the next is at `host`.
    pub(crate) fn pages(&self, page: usize, host: &'static str) {
        let mut script = self.script.lock().unwrap();
        (script.page, script.next_host) = (page, host);
    }

    /// Puts something on record, as the newest: `Messages`, `Calls` or `IncomingPhoneNumbers`.
    pub(crate) fn record(&self, kind: &str, entry: Value) {
        let mut script = self.script.lock().unwrap();
        let list = match kind {
            "Calls" => &mut script.calls,
            "IncomingPhoneNumbers" => &mut script.numbers,
            _ => &mut script.messages,
        };
        list.insert(0, entry);
    }

    /// The addresses of the lists that it was asked for.
    pub(crate) fn lists(&self) -> Vec<String> {
        self.script.lock().unwrap().lists.clone()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }
}

pub(crate) async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::{rt::TokioIo, service::TowerToHyperService};

    let connections = TaskTracker::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            // A client that goes away is no fault of the stand-in.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut script = script.lock().unwrap();
    if method == Method::GET {
        return listed(&mut script, &uri).into_response();
    }
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    script.asked.push(Asked { path: uri.path().to_owned(), fields: fields.clone() });
    let count = script.asked.len();
    let throttled = fields.get("Body").is_some_and(|body| script.throttled.as_ref() == Some(body));
    let (status, taken) = if throttled {
        (StatusCode::TOO_MANY_REQUESTS, false)
    } else if let Some(status) = script.down {
        (status, false)
    } else {
        script.answers.pop_front().unwrap_or((StatusCode::CREATED, true))
    };
    let kind = if uri.path().ends_with("Calls.json") { "CA" } else { "SM" };
    if taken && kind == "SM" {
        let entry = json!({
            "sid": format!("SM{count:032x}"), "direction": "outbound-api", "status": "queued",
            "from": fields["From"], "to": fields["To"], "body": fields["Body"],
            "date_created": script.now(), "date_sent": null, "error_code": null,
            "price": script.price.map(|price| price.0),
            "price_unit": script.price.map(|price| price.1),
        });
        script.messages.insert(0, entry);
    }
    let body = match status {
        StatusCode::CREATED => format!(r#"{{"sid":"{kind}{count:032x}","status":"queued"}}"#),
        StatusCode::TOO_MANY_REQUESTS => r#"{"code":20429,"status":429}"#.to_owned(),
        StatusCode::UNAUTHORIZED => r#"{"code":20003,"status":401}"#.to_owned(),
        StatusCode::BAD_REQUEST => r#"{"code":21211,"status":400}"#.to_owned(),
        other => format!(r#"{{"code":20500,"status":{}}}"#, other.as_u16()),
    };
    let json = [(http::header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, body).into_response();
    if let Some(rest) = script.rest.filter(|_| status == StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(http::header::RETRY_AFTER, rest.into());
    }
    response
}

/// One number by its SID, or those with the digits of the query.
fn numbers(
    all: &[Value],
    rest: &str,
    uri: &Uri,
) -> (StatusCode, [(http::HeaderName, &'static str); 1], String) {
    let json = [(http::header::CONTENT_TYPE, "application/json")];
    if let Some(sid) = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix(".json")) {
        return match all.iter().find(|one| one["sid"] == sid) {
            Some(one) => (StatusCode::OK, json, one.to_string()),
            None => (StatusCode::NOT_FOUND, json, r#"{"code":20404,"status":404}"#.to_owned()),
        };
    }
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let digits = query.find(|(name, _)| name == "PhoneNumber").unwrap().1;
    let found: Vec<&Value> = all.iter().filter(|one| one["phone_number"] == *digits).collect();
    (StatusCode::OK, json, json!({ "incoming_phone_numbers": found }).to_string())
}

/// A page of a list, as the query asks for it: `From`, and a page's number in `PageToken`.
fn listed(
    script: &mut Script,
    uri: &Uri,
) -> (StatusCode, [(http::HeaderName, &'static str); 1], String) {
    let json = [(http::header::CONTENT_TYPE, "application/json")];
    script.lists.push(uri.to_string());
    if let Some(status) = script.list_answers.pop_front() {
        return (status, json, "{}".to_owned());
    }
    if let Some(named) =
        uri.path().split_once("/IncomingPhoneNumbers").filter(|_| !script.numbers.is_empty())
    {
        return numbers(&script.numbers, named.1, uri);
    }
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (key, all) = if uri.path().ends_with("Calls.json") {
        ("calls", &script.calls)
    } else {
        ("messages", &script.messages)
    };
    let from = query.get("From");
    let fits = |entry: &&Value| from.is_none_or(|from| entry["from"] == from.as_str());
    let size = if script.page == 0 { usize::MAX } else { script.page };
    let place: usize = query.get("PageToken").map_or(0, |place| place.parse().unwrap());
    let entries: Vec<&Value> = all.iter().filter(fits).skip(place).take(size).collect();
    let more = all.iter().filter(fits).count() > place.saturating_add(size);
    let next = more.then(|| {
        let from = from.map(|from| format!("From={}&", from.replace('+', "%2B")));
        let (path, place) = (uri.path(), place + size);
        format!("{}{path}?{}PageToken={place}", script.next_host, from.unwrap_or_default())
    });
    (StatusCode::OK, json, json!({ key: entries, "next_page_uri": next }).to_string())
}

/// The account's own settings.
pub(crate) fn values() -> toml::Table {
    let values = [("account_sid", ACCOUNT), ("auth_token", TOKEN)];
    values.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// Settings with Twilio as the only real carrier, beside a sandbox that holds the phones' numbers.
pub(crate) fn settings(database: &Database, api: &Api) -> Config {
    let mut config = support::settings(database);
    config.allow_sandbox = true;
    config.carriers.push(CarrierConfig {
        id: "twilio".into(),
        kind: "twilio".into(),
        api_base: Some(api.base.clone()),
        rates: Rates::default(),
        budget: Budget::default(),
        buying: false,
        fallback_url: None,
        values: values(),
    });
    config
}

/// Our address to which a document's dialling will be told to have ended.
pub(crate) fn action(world: &World, twiml: &str) -> String {
    let action = twiml.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    action.strip_prefix(&world.running.origin).unwrap().replace("&amp;", "&")
}

/// Posts a webhook as Twilio does, to one of our addresses.
pub(crate) async fn webhook(world: &World, path: &str, fields: &[(&str, &str)]) -> Answered {
    let mut sorted: Vec<(&str, &str)> = fields.to_vec();
    sorted.push(("AccountSid", ACCOUNT));
    sorted.sort_unstable();
    let mut signed = format!("{}{path}", world.running.origin);
    for (key, value) in &sorted {
        signed.push_str(key);
        signed.push_str(value);
    }
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let tag = ring::hmac::sign(&key, signed.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(tag.as_ref());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&sorted).finish();
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}
