//! Texts and calls that are held back for a while: listed, and let go on.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, NumbersRead, NumbersWrite},
    error::not_found,
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{Kind, PauseScope, PauseWhy, Time},
    write::{self, Nothing, Write, answer},
};
use crate::{
    http::problem::{Path, Problem},
    ids::{PauseId, SessionId},
    relay,
    store::pauses::{self, Pause},
};

/// What is held back: all texts or calls of the account, those to numbers that differ in their last four digits
/// alone, or the texts of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrafficPause {
    id: PauseId,
    scope: PauseScope,
    kind: Kind,
    why: PauseWhy,
    /// Where `scope` is `session`: which.
    session_id: Option<SessionId>,
    since: Time,
    /// When it ends by itself.
    until: Time,
    /// When somebody ended it before.
    lifted_at: Option<Time>,
}

impl From<Pause> for TrafficPause {
    fn from(pause: Pause) -> Self {
        let session_id = match pause.scope {
            pauses::PauseScope::Session => SessionId::parse(&pause.subject).ok(),
            pauses::PauseScope::Account | pauses::PauseScope::Prefix => None,
        };
        Self {
            id: pause.id,
            scope: PauseScope(pause.scope),
            kind: Kind(pause.kind),
            why: PauseWhy(pause.why),
            session_id,
            since: Time(pause.since),
            until: Time(pause.until),
            lifted_at: pause.lifted_at.map(Time),
        }
    }
}

/// What is, and for 30 days what was, held back, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/traffic-pauses",
    tag = "Services",
    operation_id = "listTrafficPauses",
    params(Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of pauses", body = Page<TrafficPause>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let (after, limit) = (listing.after(), listing.limit());
    let found = pauses::list(&mut tx, &caller.account, after, limit).await?;
    listing.answer(
        &api,
        found,
        |row| row.id.as_str(),
        |rows| Ok(rows.into_iter().map(TrafficPause::from).collect()),
    )
}

fn id(text: &str) -> Result<PauseId, Problem> {
    PauseId::parse(text).map_err(|_| not_found("pause"))
}

/// One pause.
#[utoipa::path(
    get,
    path = "/api/v1/traffic-pauses/{pause}",
    tag = "Services",
    operation_id = "getTrafficPause",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The pause", body = TrafficPause)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let row = pauses::get(&mut tx, &caller.account, &id(&named)?).await?;
    let row = row.ok_or_else(|| not_found("pause"))?;
    // It changes once at most.
    let version = if row.lifted_at.is_some() { "2" } else { "1" };
    Ok(write::read(&headers, &TrafficPause::from(row), version))
}

/// Let what is held back go on. One that has ended stays as it is.
///
/// Of an account or prefix every node knows within some seconds, and holds it back no more in that hour.
#[utoipa::path(
    post,
    path = "/api/v1/traffic-pauses/{pause}/lift",
    tag = "Services",
    operation_id = "liftTrafficPause",
    security(("bearer" = ["numbers:write"])),
    responses((status = 200, description = "The pause as it is now", body = TrafficPause)),
)]
pub(super) async fn lift(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(named): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    api.write(&caller, terms.key, id(&named)?, |tx, account, id| {
        Box::pin(async move {
            let pause = TrafficPause::from(relay::lift_pause(tx, account, id).await?);
            Ok(answer(StatusCode::OK, &pause, None, None))
        })
    })
    .await
}
