//! API keys: made, listed, withdrawn. A key can give away only what it has itself.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, KeysWrite, forbidden},
    check,
    error::not_found,
    paging::{Listing, Page, Paging},
    wire::{KeyScope, Time},
    write::{Nothing, Write, answer, nothing},
};
use crate::{
    http::problem::{Path, Problem},
    ids::KeyId,
    relay::{self, Error, Fault, Scope},
    store::accounts,
};

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKey {
    id: KeyId,
    name: String,
    /// The last four characters of the secret.
    hint: String,
    scopes: Vec<KeyScope>,
    created_at: Time,
    /// When it ends; null for never.
    expires_at: Option<Time>,
    /// When it was withdrawn.
    revoked_at: Option<Time>,
    /// When it was last used, to the minute.
    last_used_at: Option<Time>,
}

/// An API key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedApiKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The secret. Shown this once.
    secret: String,
}

/// An API key to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "checkout", "scopes": ["sessions:read", "sessions:write"],
    "expires_at": "2027-11-21T18:00:00Z",
}))]
pub(super) struct NewApiKey {
    /// What you call it.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64)]
    name: Option<String>,
    /// What it may do; nothing that the key which makes it may not do.
    #[schema(value_type = Vec<KeyScope>, required = true, min_items = 1)]
    scopes: Option<Vec<KeyScope>>,
    /// When it ends; null for never.
    expires_at: Option<Time>,
}

impl From<accounts::ApiKey> for ApiKey {
    fn from(key: accounts::ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes.split(' ').filter_map(Scope::parse).map(KeyScope).collect(),
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
            last_used_at: key.last_used_at.map(Time),
        }
    }
}

/// No filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoFilter {}

/// All API keys, withdrawn and ended ones too, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/api-keys",
    tag = "API keys",
    operation_id = "listApiKeys",
    params(Paging),
    security(("bearer" = ["keys:write"])),
    responses((status = 200, description = "A page of keys", body = Page<ApiKey>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<KeysWrite>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    // There are few keys: they are read at once and paged here.
    let mut found = accounts::api_keys(&mut tx, &caller.account).await?;
    found.retain(|key| key.id.as_str() > listing.after());
    listing.answer(
        &api,
        found,
        |key| key.id.as_str(),
        |keys| Ok(keys.into_iter().map(ApiKey::from).collect()),
    )
}

/// Make an API key. Several may live at once, so that one can be replaced without a gap.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys",
    tag = "API keys",
    operation_id = "createApiKey",
    request_body = NewApiKey,
    security(("bearer" = ["keys:write"])),
    responses((status = 201, description = "The key with its secret", body = CreatedApiKey)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<KeysWrite>,
    request: Write<NewApiKey>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let name = faults.required(body.name, "/name");
    if let Some(name) = &name {
        check::name(&mut faults, "/name", name);
    }
    let scopes = faults.required(body.scopes, "/scopes");
    if scopes.as_ref().is_some_and(Vec::is_empty) {
        faults.add("/scopes", "length", "must have at least one scope");
    }
    let (name, scopes) = faults.done(name.zip(scopes))?;
    if let Some(KeyScope(lacking)) = scopes.iter().find(|scope| !caller.may(scope.0)) {
        return Err(forbidden(*lacking));
    }
    let scopes = Scope::ALL
        .iter()
        .filter(|one| scopes.contains(&KeyScope(**one)))
        .map(|one| one.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let input = (name, scopes, body.expires_at.map(|at| at.0));
    api.write(&caller, terms.key, input, |tx, account, (name, scopes, expires_at)| {
        Box::pin(async move {
            let now = tx.now().await?;
            if expires_at.is_some_and(|at| at <= now) {
                return Err(past());
            }
            let new = relay::create_key(tx, account, name, scopes, *expires_at).await?;
            let key = CreatedApiKey { key: new.key.into(), secret: new.token };
            let location = format!("/api/v1/api-keys/{}", key.key.id);
            Ok(answer(StatusCode::CREATED, &key, None, Some(location)))
        })
    })
    .await
}

fn past() -> Error {
    Error::Invalid(vec![Fault::new("/expires_at", "in_the_past", "must be later than now")])
}

/// Withdraw an API key: it opens nothing any more.
#[utoipa::path(
    delete,
    path = "/api/v1/api-keys/{key}",
    tag = "API keys",
    operation_id = "revokeApiKey",
    security(("bearer" = ["keys:write"])),
    responses((status = 204, description = "Withdrawn")),
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<KeysWrite>,
    Path(key): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let id = KeyId::parse(&key).map_err(|_| not_found("API key"))?;
    api.urgent()
        .write(&caller, terms.key, id, |tx, account, id| {
            Box::pin(async move {
                relay::revoke_key(tx, account, id).await?;
                Ok(nothing())
            })
        })
        .await
}
