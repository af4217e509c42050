//! The sandbox's numbers: a stock of fictional ones on sale. What is not of the stock is the customer's.

use form_urlencoded::Serializer;
use http::{HeaderName, Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{Links, Request, Response, Sandbox, SendError, config::Config, send};
use crate::{
    carrier::{
        error::unreadable,
        number::abilities,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Provisioning, Purchase, Search, the_one,
        },
    },
    domain::{phone::ProxyNumber, pool::Capabilities, price::Price},
};

const JSON: &str = "application/json";
/// As many as a page has.
const PAGE: usize = 100;

fn at(config: &Config, method: Method, path: &str) -> Request {
    Request::new(method, format!("{}{path}", config.api_base))
        .with_header(AUTHORIZATION, &config.bearer())
}

fn query(config: &Config, path: &str, pairs: &[(&str, &str)]) -> Request {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    at(config, Method::GET, &format!("{path}?{query}"))
}

fn post(config: &Config, path: &str, body: &Value) -> Request {
    Request::post(format!("{}{path}", config.api_base), JSON, body.to_string())
        .with_header(AUTHORIZATION, &config.bearer())
}

fn set(config: &Config, held: &Held, settings: &str) -> Request {
    post(config, &format!("/v1/rented/{}", held.id), &json!({ "settings": settings }))
}

fn numbers(response: &Response) -> Result<Vec<Value>, SendError> {
    if !response.status.is_success() {
        return Err(send::failure(response));
    }
    let mut answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    match answer["numbers"].take() {
        Value::Array(numbers) => Ok(numbers),
        _ => Err(unreadable()),
    }
}

fn number(one: &Value) -> Option<(ProxyNumber, Capabilities)> {
    let can = one["capabilities"].as_array()?;
    let can = abilities(|name| can.iter().any(|word| word == name));
    Some((ProxyNumber::parse(one["number"].as_str()?).ok()?, can))
}

fn held(one: &Value) -> Option<Held> {
    let (number, can) = number(one)?;
    let settings = one["settings"].as_str()?.to_owned();
    Some(Held { id: number.as_str().to_owned(), number, can: Some(can), settings })
}

fn offer(one: &Value) -> Option<Offer> {
    let (number, can) = number(one)?;
    let kind = NumberKind::parse(one["type"].as_str()?)?;
    let price = Price::parse(one["monthly_price"].as_str()?, one["currency"].as_str()?);
    Some(Offer { number, kind, can, price, wants: Vec::new() })
}

impl Provisioning for Sandbox {
    fn search(&self, search: &Search) -> Option<Request> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (area, contains) = (text(&search.area), text(&search.contains));
        let pairs = [
            ("country", search.country.as_str()),
            ("type", search.kind.as_str()),
            ("area", &area),
            ("contains", &contains),
            ("mms", if search.can.mms { "true" } else { "false" }),
            ("limit", &search.limit.to_string()),
        ];
        Some(query(&self.config, "/v1/stock", &pairs))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        let most = usize::from(search.limit);
        Ok(numbers(response)?.iter().filter_map(offer).take(most).collect())
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let body = json!({ "number": purchase.number.as_str() });
        let key = HeaderName::from_static("idempotency-key");
        Some(post(&self.config, "/v1/rented", &body).with_header(key, &purchase.reference))
    }

    fn bought(&self, _: &Purchase, response: &Response) -> Result<Bought, SendError> {
        if response.status.is_success() { Ok(Bought::Now) } else { Err(send::failure(response)) }
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        query(&self.config, "/v1/rented", &[("number", number.as_str())])
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        the_one(&numbers(response)?, |one| one["number"] == number.as_str(), held)
    }

    /// The network calls its relay whatever is set: this only shows what is done.
    fn configure(&self, held: &Held, can: Capabilities, links: &Links) -> Vec<Request> {
        let settings = json!({
            "calls": can.voice.then(|| links.call()),
            "texts": (can.sms || can.mms).then(|| links.message()),
            "fallback": links.fallback(),
        });
        vec![set(&self.config, held, &settings.to_string())]
    }

    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        vec![set(&self.config, held, before)]
    }

    fn release(&self, held: &Held) -> Option<Request> {
        Some(at(&self.config, Method::DELETE, &format!("/v1/rented/{}", held.id)))
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        if response.status.is_success() { Ok(()) } else { Err(send::failure(response)) }
    }

    fn page(&self, next: Option<&str>) -> Request {
        query(&self.config, "/v1/rented", &[("after", next.unwrap_or_default())])
    }

    fn listed(&self, _: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let numbers = numbers(response)?;
        let held: Vec<Held> = numbers.iter().filter_map(held).collect();
        let last = held.last().map(|one| one.number.as_str().to_owned());
        Ok(HeldPage { held, next: last.filter(|_| numbers.len() >= PAGE) })
    }
}
