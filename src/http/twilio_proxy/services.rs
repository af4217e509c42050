//! Services: `/v1/Services`.

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Proxy, answer,
    at::{At, By},
    error::{About, Refusal, refusal},
    form::Form,
    nothing,
    paging::Asked,
    respond, shown,
    wire::{date, or_null},
};
use crate::{
    domain::policy::{GeoMatch, Rules, Selection},
    ids::AccountId,
    relay::{self, NewService},
    store::services::{self, Service},
};

const ABOUT: About = About::Service;

/// The words of Twilio's for how near a number must be: the specification's and the guide's.
const GEO_MATCHES: &[&str] = &["area-code", "overlay", "radius", "country", "extended-area-code"];
const SELECTIONS: &[&str] = &["avoid-sticky", "prefer-sticky"];

const URLS: [&str; 3] = ["CallbackUrl", "InterceptCallbackUrl", "OutOfSessionCallbackUrl"];

/// What an account sees of its service.
pub(super) fn wire(proxy: &Proxy, account: &AccountId, service: &Service) -> Value {
    let rules = &service.rules;
    let url = proxy.url(format_args!("/Services/{}", service.id));
    let [callback, intercept, out_of_session] = rules.proxy.urls().map(str::to_owned).map(or_null);
    json!({
        "sid": service.id,
        "account_sid": account,
        "chat_instance_sid": or_null(rules.proxy.chat_instance_sid.clone()),
        "unique_name": service.unique_name,
        "default_ttl": rules.default_ttl.as_secs(),
        "callback_url": callback,
        "geo_match_level": rules.geo_match.as_str(),
        "number_selection_behavior": rules.selection.as_str(),
        "intercept_callback_url": intercept,
        "out_of_session_callback_url": out_of_session,
        "date_created": date(service.created_at),
        "date_updated": date(service.updated_at),
        "links": {
            "sessions": format!("{url}/Sessions"),
            "phone_numbers": format!("{url}/PhoneNumbers"),
        },
        "url": url,
    })
}

/// What a form sets.
#[derive(Debug, Clone)]
struct Settings {
    unique_name: Option<String>,
    default_ttl: Option<Duration>,
    urls: [Option<String>; 3],
    geo_match: Option<GeoMatch>,
    selection: Option<Selection>,
    chat_instance_sid: Option<String>,
}

impl Settings {
    fn read(proxy: &Proxy, form: &Form) -> Result<Self, Refusal> {
        let mut urls = [None, None, None];
        for (name, to) in URLS.into_iter().zip(&mut urls) {
            *to = form.text(name, 4000)?;
            let named = to.as_ref().filter(|url| !url.is_empty());
            if let Some(Err(refused)) = named.map(|url| proxy.relay().egress().accept(url)) {
                return Err(Refusal::parameter(name, refused));
            }
        }
        let twilios = |word: &str| GeoMatch::parse(word).filter(|_| GEO_MATCHES.contains(&word));
        Ok(Self {
            unique_name: form.text("UniqueName", 191)?,
            default_ttl: form.seconds("DefaultTtl")?,
            urls,
            geo_match: form.word("GeoMatchLevel", twilios, GEO_MATCHES)?,
            selection: form.word("NumberSelectionBehavior", Selection::parse, SELECTIONS)?,
            chat_instance_sid: form.text("ChatInstanceSid", 34)?,
        })
    }

    fn apply(&self, rules: &mut Rules) {
        rules.default_ttl = self.default_ttl.unwrap_or(rules.default_ttl);
        rules.geo_match = self.geo_match.unwrap_or(rules.geo_match);
        rules.selection = self.selection.unwrap_or(rules.selection);
        for (url, to) in self.urls.iter().zip(rules.proxy.urls_mut()) {
            if let Some(url) = url {
                to.clone_from(url);
            }
        }
        if let Some(chat) = &self.chat_instance_sid {
            rules.proxy.chat_instance_sid.clone_from(chat);
        }
    }
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    By(caller): By,
    asked: Asked,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let found = services::page(&mut tx, &caller.account, &asked.page()).await?;
    let page = asked
        .fit(found)
        .map(|service| (service.id.to_string(), wire(&proxy, &caller.account, &service)));
    Ok(asked.answer(&proxy, "services", &page))
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    By(caller): By,
    form: Form,
) -> Result<Response, Refusal> {
    let unique_name = form.required("UniqueName", 191)?;
    let settings = Settings::read(&proxy, &form)?;
    let input = (unique_name, settings);
    proxy
        .write(&caller, ABOUT, input, |tx, proxy, account, (unique_name, settings)| {
            Box::pin(async move {
                let brand = relay::default_brand(tx, account).await?;
                let mut rules = Rules::of_twilio_proxy(brand);
                settings.apply(&mut rules);
                let new = NewService { unique_name: unique_name.clone(), rules };
                let service = relay::create_service(tx, account, &new).await?;
                Ok(answer(StatusCode::CREATED, &wire(proxy, account, &service)))
            })
        })
        .await
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let service = at.named_service(&mut tx, &caller.account).await;
    let service = service.map_err(|error| refusal(error, ABOUT))?;
    Ok(shown(&wire(&proxy, &caller.account, &service)))
}

pub(super) async fn update(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let settings = Settings::read(&proxy, &form)?;
    proxy
        .write(&caller, ABOUT, (at, settings), |tx, proxy, account, (at, settings)| {
            Box::pin(async move {
                let before = at.service(tx, account).await?;
                let change = |name: &mut String, rules: &mut Rules| {
                    if let Some(new) = &settings.unique_name {
                        name.clone_from(new);
                    }
                    settings.apply(rules);
                };
                let service = relay::update_service(tx, account, &before.id, None, &change).await?;
                Ok(answer(StatusCode::OK, &wire(proxy, account, &service)))
            })
        })
        .await
}

pub(super) async fn delete(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let service = at.service(&mut tx, &caller.account).await;
    drop(tx);
    let service = service.map_err(|error| refusal(error, ABOUT))?;
    let relay = proxy.relay().by(caller.by()).urgent();
    let done = relay.delete_service(&caller.account, &service.id).await;
    done.map_err(|error| refusal(error, ABOUT))?;
    let done = nothing();
    Ok(respond(done.status, done.body))
}
