//! Short codes of old SDKs: `/v1/Services/{Sid}/ShortCodes`. There are none here, and it says so.

use axum::{extract::State, response::Response};

use super::{
    Proxy,
    at::{At, By},
    error::{About, Code, Refusal, refusal},
    form::Form,
    paging::{Asked, Fitted},
};

async fn expect_service(proxy: &Proxy, By(caller): &By, at: &At) -> Result<(), Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let service = at.service(&mut tx, &caller.account).await;
    service.map(drop).map_err(|error| refusal(error, About::Service))
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    by: By,
    at: At,
    asked: Asked,
) -> Result<Response, Refusal> {
    expect_service(&proxy, &by, &at).await?;
    let none: Fitted<_> = asked.fit(Vec::new());
    Ok(asked.answer(&proxy, "short_codes", &none))
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    by: By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    expect_service(&proxy, &by, &at).await?;
    form.required("Sid", 34)?;
    Err(Refusal::new(Code::ShortCodeNotOnAccount))
}

/// No address below is anything.
pub(super) async fn none() -> Refusal {
    Refusal::new(Code::NotFound)
}
