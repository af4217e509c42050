//! The account that a key belongs to.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Any, Granted},
    error::not_found,
    wire::Time,
    write,
};
use crate::{http::problem::Problem, ids::AccountId, store::accounts};

/// An account: one marketplace.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    id: AccountId,
    name: String,
    created_at: Time,
}

/// The account of the API key.
#[utoipa::path(
    get,
    path = "/api/v1/account",
    tag = "Account",
    operation_id = "getAccount",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Account)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<Any>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let account = accounts::get(&mut tx, &caller.account).await?;
    let account = account.ok_or_else(|| not_found("account"))?;
    let body = Account { id: account.id, name: account.name, created_at: Time(account.created_at) };
    Ok(write::json(StatusCode::OK, &body))
}
