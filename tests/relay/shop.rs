//! Carriers that sell numbers, in memory: Twilio at once, Telnyx by orders that take their time. They
//! lose answers and requests where they are told to, and keep the truth.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use entremise::{
    carrier::{
        Request, Response, SendError,
        error::{Retry, SendErrorKind},
    },
    relay::Transport,
};
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is done, and its answer never comes.
    Answer,
    /// It never comes to the carrier.
    Request,
}

#[derive(Debug, Default)]
struct Truth {
    /// The customer's numbers, with their settings as the carrier shows them.
    held: BTreeMap<String, BTreeMap<String, String>>,
    /// Every purchase that was taken.
    bought: Vec<String>,
    given_back: Vec<String>,
    /// Telnyx's orders: number, reference, how often they were asked about.
    orders: Vec<(String, String, usize)>,
    asked: usize,
    losing: Option<(usize, Loss)>,
    lost: bool,
    sold_out: Vec<String>,
    /// How often it was asked to sell.
    tries: usize,
    /// A number that is not shown so many times.
    hidden: Option<(String, usize)>,
    /// Who buys here must have an address.
    wants_address: bool,
    /// It says of no number what it costs.
    silent: bool,
}

/// A carrier with numbers on sale.
#[derive(Debug, Default)]
pub(crate) struct Shop(Mutex<Truth>);

impl Shop {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Something goes wrong with the request that comes as the `place`th from now, counted from 1.
    pub(crate) fn lose(&self, place: usize, loss: Loss) {
        let mut truth = self.0.lock().unwrap();
        truth.losing = Some((truth.asked + place, loss));
        truth.lost = false;
    }

    /// Whether it has gone wrong.
    pub(crate) fn lost(&self) -> bool {
        self.0.lock().unwrap().lost
    }

    pub(crate) fn bought(&self, number: &str) -> usize {
        self.0.lock().unwrap().bought.iter().filter(|one| *one == number).count()
    }

    pub(crate) fn given_back(&self) -> Vec<String> {
        self.0.lock().unwrap().given_back.clone()
    }

    /// How often it was asked to sell.
    pub(crate) fn tries(&self) -> usize {
        self.0.lock().unwrap().tries
    }

    /// It is not among the customer's numbers the next so many times that they are listed.
    pub(crate) fn hides(&self, number: &str, times: usize) {
        self.0.lock().unwrap().hidden = Some((number.to_owned(), times));
    }

    /// Who buys from now on must have an address.
    pub(crate) fn wants_addresses(&self) {
        self.0.lock().unwrap().wants_address = true;
    }

    /// No price is told from now on.
    pub(crate) fn tells_no_price(&self) {
        self.0.lock().unwrap().silent = true;
    }

    /// Somebody else has it.
    pub(crate) fn sell_out(&self, number: &str) {
        self.0.lock().unwrap().sold_out.push(number.to_owned());
    }

    /// The customer has it no more.
    pub(crate) fn forget(&self, number: &str) {
        self.0.lock().unwrap().held.remove(number);
    }

    /// The customer has it, with these settings.
    pub(crate) fn holds(&self, number: &str, settings: &[(&str, &str)]) {
        let settings =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.0.lock().unwrap().held.insert(number.to_owned(), settings);
    }

    /// What is set for it, if the customer has it.
    pub(crate) fn settings(&self, number: &str) -> Option<BTreeMap<String, String>> {
        self.0.lock().unwrap().held.get(number).cloned()
    }
}

impl Transport for Shop {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        let mut truth = self.0.lock().unwrap();
        truth.asked += 1;
        let loss = truth.losing.filter(|(at, _)| *at == truth.asked).map(|(_, loss)| loss);
        truth.lost |= loss.is_some();
        let unknown = Err(SendError::new(SendErrorKind::Unreachable, Retry::Unknown));
        let answered = if loss == Some(Loss::Request) {
            unknown
        } else {
            let answer = truth.answer(&request);
            if loss.is_some() { unknown } else { Ok(answer) }
        };
        Box::pin(async move { answered })
    }
}

fn says(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response::new(status, "application/json", body.to_string())
}

/// The id that a number has: its digits, filled up.
fn sid(number: &str) -> String {
    format!("PN{:0>32}", number.trim_start_matches('+'))
}

fn number_of(id: &str) -> String {
    format!("+{}", id.trim_start_matches("PN").trim_start_matches('0'))
}

impl Truth {
    fn answer(&mut self, request: &Request) -> Response {
        let url = url::Url::parse(&request.url).unwrap();
        let path = url.path().to_owned();
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        if path.starts_with("/v2") {
            self.telnyx(request, path.trim_start_matches("/v2"), &query)
        } else {
            self.twilio(request, &path, &query)
        }
    }

    fn free(&self, number: &str) -> bool {
        !self.held.contains_key(number) && !self.sold_out.iter().any(|one| one == number)
    }

    fn twilio(
        &mut self,
        request: &Request,
        path: &str,
        query: &BTreeMap<String, String>,
    ) -> Response {
        let form: BTreeMap<String, String> =
            form_urlencoded::parse(&request.body).into_owned().collect();
        if path.contains("/AvailablePhoneNumbers/") {
            let on_sale: Vec<Value> = (160..164)
                .map(|place| format!("+1415{}", 5_550_000 + place))
                .filter(|number| !self.held.contains_key(number))
                .map(|number| {
                    json!({
                        "phone_number": number,
                        "address_requirements": if self.wants_address { "any" } else { "none" },
                        "capabilities": { "voice": true, "SMS": true, "MMS": false },
                    })
                })
                .collect();
            return says(200, &json!({ "available_phone_numbers": on_sale }));
        }
        if path.contains("/PhoneNumbers/Countries/") {
            if self.silent {
                return says(404, &json!({ "code": 20404 }));
            }
            return says(
                200,
                &json!({ "price_unit": "USD", "phone_number_prices": [
                { "number_type": "local", "base_price": "1.15", "current_price": "1.15" },
            ] }),
            );
        }
        let (_, rest) = path.split_once("/IncomingPhoneNumbers").unwrap();
        let id = rest.trim_start_matches('/').trim_end_matches(".json").to_owned();
        match (&request.method, id.is_empty()) {
            (&Method::GET, true) => {
                let wanted = query.get("PhoneNumber");
                let hidden = match &mut self.hidden {
                    Some((number, times)) if *times > 0 => {
                        *times -= 1;
                        number.clone()
                    }
                    _ => String::new(),
                };
                let all: Vec<Value> = self
                    .held
                    .keys()
                    .filter(|number| wanted.is_none_or(|wanted| wanted == *number))
                    .filter(|number| **number != hidden)
                    .map(|number| self.twilio_number(number))
                    .collect();
                says(200, &json!({ "incoming_phone_numbers": all, "next_page_uri": null }))
            }
            (&Method::POST, true) => {
                let number = form["PhoneNumber"].clone();
                self.tries += 1;
                if !self.free(&number) {
                    return says(400, &json!({ "code": 21422, "status": 400 }));
                }
                self.bought.push(number.clone());
                let demo = "https://demo.twilio.com/welcome/voice/".to_owned();
                let settings = BTreeMap::from([("voice_url".to_owned(), demo)]);
                self.held.insert(number.clone(), settings);
                says(201, &self.twilio_number(&number))
            }
            (&Method::POST, false) => {
                let number = number_of(&id);
                let Some(settings) = self.held.get_mut(&number) else {
                    return says(404, &json!({ "code": 20404 }));
                };
                for (key, value) in form {
                    settings.insert(snake(&key), value);
                }
                says(200, &self.twilio_number(&number))
            }
            (&Method::DELETE, false) => {
                let number = number_of(&id);
                if self.held.remove(&number).is_none() {
                    return says(404, &json!({ "code": 20404 }));
                }
                self.given_back.push(number);
                Response::empty(StatusCode::NO_CONTENT)
            }
            _ => says(405, &json!({})),
        }
    }

    fn twilio_number(&self, number: &str) -> Value {
        let mut shown = json!({
            "sid": sid(number), "phone_number": number,
            "capabilities": { "voice": true, "sms": true, "mms": false },
        });
        for (key, value) in &self.held[number] {
            shown[key] = value.clone().into();
        }
        shown
    }

    fn telnyx(
        &mut self,
        request: &Request,
        path: &str,
        query: &BTreeMap<String, String>,
    ) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (&request.method, path) {
            (&Method::POST, "/number_orders") => {
                let number = body["phone_numbers"][0]["phone_number"].as_str().unwrap().to_owned();
                let reference = body["customer_reference"].as_str().unwrap().to_owned();
                let ordered = self.orders.iter().any(|(other, ..)| *other == number);
                if ordered || !self.free(&number) {
                    return says(422, &json!({ "errors": [{ "code": "85006" }] }));
                }
                self.bought.push(number.clone());
                self.orders.push((number, reference, 0));
                let order = self.orders.len() - 1;
                says(200, &json!({ "data": self.order(order) }))
            }
            (&Method::GET, "/number_orders") => {
                let wanted = &query["filter[customer_reference]"];
                let all: Vec<Value> = (0..self.orders.len())
                    .filter(|place| self.orders[*place].1 == *wanted)
                    .map(|place| self.order(place))
                    .collect();
                says(200, &json!({ "data": all }))
            }
            (&Method::GET, path) if path.starts_with("/number_orders/") => {
                let place: usize =
                    path.trim_start_matches("/number_orders/order-").parse().unwrap();
                self.orders[place].2 += 1;
                if self.orders[place].2 == 2 {
                    let number = self.orders[place].0.clone();
                    self.held.insert(number, BTreeMap::new());
                }
                says(200, &json!({ "data": self.order(place) }))
            }
            (&Method::GET, "/phone_numbers") => {
                let wanted = query.get("filter[phone_number]");
                let fits = |number: &str| {
                    wanted.is_none_or(|wanted| number.trim_start_matches('+') == wanted)
                };
                let all: Vec<Value> = self
                    .held
                    .iter()
                    .filter(|(number, _)| fits(number))
                    .map(|(number, settings)| {
                        let mut shown = json!({
                            "id": sid(number), "phone_number": number, "status": "active",
                        });
                        for (key, value) in settings {
                            shown[key] = value.clone().into();
                        }
                        shown
                    })
                    .collect();
                says(200, &json!({ "data": all }))
            }
            (&Method::PATCH, path) => {
                let id = path.split('/').nth(2).unwrap();
                let settings = self.held.get_mut(&number_of(id)).unwrap();
                for (key, value) in body.as_object().unwrap() {
                    settings.insert(key.clone(), value.as_str().unwrap().to_owned());
                }
                says(200, &json!({ "data": {} }))
            }
            _ => says(404, &json!({ "errors": [{ "code": "10005" }] })),
        }
    }

    fn order(&self, place: usize) -> Value {
        let (number, reference, asked) = &self.orders[place];
        let status = if *asked >= 2 { "success" } else { "pending" };
        json!({
            "id": format!("order-{place}"), "status": status, "customer_reference": reference,
            "phone_numbers": [{ "phone_number": number, "status": status }],
        })
    }
}

/// `VoiceUrl` as Twilio shows it.
fn snake(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !shown.is_empty() {
            shown.push('_');
        }
        shown.push(c.to_ascii_lowercase());
    }
    shown
}
