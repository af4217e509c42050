//! Opt-outs: who wants no more texts, found by number in a body, recorded, and cleared with a proof.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, OptOutsRead, OptOutsWrite},
    error::not_found,
    input::Faults,
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{OptOutScope, OptOutSource, Time},
    write::{self, Write, answer},
};
use crate::{
    domain::{message::Body, opt_out::Scope, phone::Identifier, redact},
    http::problem::{Path, Problem},
    ids::{NumberId, OptOutId, ServiceId},
    relay::{self, Reach},
    store::opt_outs::{self, Cleared, Stored},
};

/// How many of one person are shown: they have one for each number, service and the account.
const OF_PERSON_MAX: i64 = 1000;

/// Somebody who wants no more texts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OptOut {
    id: OptOutId,
    scope: OptOutScope,
    /// The service, where `scope` is `service`.
    service_id: Option<ServiceId>,
    /// The proxy number, where `scope` is `number`.
    number_id: Option<NumberId>,
    source: OptOutSource,
    /// The person, masked: dots, and four characters that are the same for the same person in your account.
    #[schema(example = "••••a1f0")]
    masked: String,
    created_at: Time,
    /// When you cleared it; null while it stands.
    cleared_at: Option<Time>,
    /// What you said shows that they want texts again: in the answer for one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

/// Whose opt-outs are looked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "identifier": "+33639980001" }))]
pub(super) struct OptOutLookup {
    /// Their number, in E.164. It is not stored.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    identifier: Option<String>,
}

/// Somebody who told you that they want no more texts.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "identifier": "+33639980001", "scope": "account" }))]
pub(super) struct NewOptOut {
    /// Their number, in E.164. It is not stored: a keyed hash of it is.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    identifier: Option<String>,
    #[schema(value_type = OptOutScope, required = true)]
    scope: Option<OptOutScope>,
    /// Needed where `scope` is `service`.
    #[schema(value_type = Option<ServiceId>)]
    service_id: Option<String>,
    /// Needed where `scope` is `number`.
    #[schema(value_type = Option<NumberId>)]
    number_id: Option<String>,
}

/// Why it may be cleared.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "proof": "Asked for texts again in the app on 21 November, consent 4711" }))]
pub(super) struct OptOutClearing {
    /// What shows that they want texts again, in your words. It is sealed, and kept for five years.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 2000)]
    proof: Option<String>,
}

impl From<Stored> for OptOut {
    fn from(one: Stored) -> Self {
        let of = |scope| (one.scope == scope).then_some(one.value.as_str());
        Self {
            id: one.id,
            scope: OptOutScope(one.scope),
            service_id: of(Scope::Service).and_then(|id| ServiceId::parse(id).ok()),
            number_id: of(Scope::Number).and_then(|id| NumberId::parse(id).ok()),
            source: OptOutSource(one.source),
            masked: redact::masked(None, one.person.tag()),
            created_at: Time(one.created_at),
            cleared_at: None,
            proof: None,
        }
    }
}

impl From<Cleared> for OptOut {
    fn from(one: Cleared) -> Self {
        let (at, proof) = (Time(one.at), one.proof.expose().to_owned());
        Self { cleared_at: Some(at), proof: Some(proof), ..Self::from(one.was) }
    }
}

fn id(text: &str) -> Result<OptOutId, Problem> {
    OptOutId::parse(text).map_err(|_| not_found("opt-out"))
}

fn identifier(text: Option<String>, faults: &mut Faults) -> Option<Identifier> {
    let text = faults.required(text, "/identifier")?;
    match Identifier::parse(&text) {
        Ok(number) => Some(number),
        Err(error) => {
            faults.add("/identifier", "e164", error.to_string());
            None
        }
    }
}

impl NewOptOut {
    fn read(self, faults: &mut Faults) -> Option<(Identifier, Reach)> {
        let number = identifier(self.identifier, faults);
        let scope = faults.required(self.scope, "/scope").map(|scope| scope.0);
        for (given, own, pointer) in [
            (self.service_id.is_some(), Scope::Service, "/service_id"),
            (self.number_id.is_some(), Scope::Number, "/number_id"),
        ] {
            if given && scope.is_some_and(|scope| scope != own) {
                faults.add(pointer, "not_allowed", "must be absent with this scope");
            }
        }
        let reach = match scope? {
            Scope::Account => Some(Reach::Account),
            Scope::Service => {
                let id = faults.required(self.service_id, "/service_id")?;
                ServiceId::parse(&id)
                    .map(Reach::Service)
                    .map_err(|error| faults.add("/service_id", "invalid", error.to_string()))
                    .ok()
            }
            Scope::Number => {
                let id = faults.required(self.number_id, "/number_id")?;
                NumberId::parse(&id)
                    .map(Reach::Number)
                    .map_err(|error| faults.add("/number_id", "invalid", error.to_string()))
                    .ok()
            }
        };
        number.zip(reach)
    }
}

/// Who wants no more texts, oldest first: those that stand.
#[utoipa::path(
    get,
    path = "/api/v1/opt-outs",
    tag = "Opt-outs",
    operation_id = "listOptOuts",
    params(Paging),
    security(("bearer" = ["opt_outs:read"])),
    responses((status = 200, description = "A page of opt-outs", body = Page<OptOut>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<OptOutsRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let (after, limit) = (listing.after(), listing.limit());
    let found = opt_outs::list(&mut tx, &caller.account, after, limit).await?;
    listing.answer(
        &api,
        found,
        |one| one.id.as_str(),
        |rows| Ok(rows.into_iter().map(OptOut::from).collect()),
    )
}

/// What one person wants no texts from. Changes nothing: the number is in the body, since addresses are logged.
#[utoipa::path(
    post,
    path = "/api/v1/opt-outs/lookup",
    tag = "Opt-outs",
    operation_id = "lookUpOptOuts",
    request_body = OptOutLookup,
    security(("bearer" = ["opt_outs:read"])),
    responses((status = 200, description = "Their opt-outs", body = Page<OptOut>)),
)]
pub(super) async fn look_up(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<OptOutsRead>,
    request: Write<OptOutLookup>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, .. } = request;
    let number = identifier(body.identifier, &mut faults);
    let number = faults.done(number)?;
    let mut tx = api.0.relay.db().read().await?;
    let person = relay::person_of(&mut tx, &caller.account, &number).await?;
    let found = opt_outs::of_person(&mut tx, &caller.account, &person, OF_PERSON_MAX).await?;
    let page = Page::whole(found.into_iter().map(OptOut::from).collect());
    Ok(write::json(StatusCode::OK, &page))
}

/// Record that somebody told you that they want no more texts: in your app, by mail, by telephone. `START` by a
/// text does not undo it; clear it.
#[utoipa::path(
    post,
    path = "/api/v1/opt-outs",
    tag = "Opt-outs",
    operation_id = "recordOptOut",
    request_body = NewOptOut,
    security(("bearer" = ["opt_outs:write"])),
    responses(
        (status = 201, description = "The opt-out", body = OptOut),
        (status = 200, description = "It stood already", body = OptOut),
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<OptOutsWrite>,
    request: Write<NewOptOut>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let new = body.read(&mut faults);
    let new = faults.done(new)?;
    api.urgent()
        .write(&caller, terms.key, new, |tx, account, (number, reach)| {
            Box::pin(async move {
                let (one, new) = relay::record_opt_out(tx, account, number, reach).await?;
                let one = OptOut::from(one);
                let status = if new { StatusCode::CREATED } else { StatusCode::OK };
                let location = format!("/api/v1/opt-outs/{}", one.id);
                Ok(answer(status, &one, None, Some(location)))
            })
        })
        .await
}

/// One opt-out; one that you cleared with what you gave as proof.
#[utoipa::path(
    get,
    path = "/api/v1/opt-outs/{opt_out}",
    tag = "Opt-outs",
    operation_id = "getOptOut",
    security(("bearer" = ["opt_outs:read"])),
    responses((status = 200, description = "The opt-out", body = OptOut)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<OptOutsRead>,
    Path(named): Path<String>,
) -> Result<Response, Problem> {
    let id = id(&named)?;
    let mut tx = api.0.relay.db().read().await?;
    let one = if let Some(one) = opt_outs::get(&mut tx, &caller.account, &id).await? {
        OptOut::from(one)
    } else {
        let one = opt_outs::cleared(&mut tx, &caller.account, &id).await?;
        OptOut::from(one.ok_or_else(|| not_found("opt-out"))?)
    };
    Ok(write::json(StatusCode::OK, &one))
}

/// Clear an opt-out: they get texts again. Only where they said so: you say what shows it. A carrier that keeps
/// a list of its own goes on refusing until they write `START`.
#[utoipa::path(
    post,
    path = "/api/v1/opt-outs/{opt_out}/clear",
    tag = "Opt-outs",
    operation_id = "clearOptOut",
    request_body = OptOutClearing,
    security(("bearer" = ["opt_outs:write"])),
    responses((status = 200, description = "What it was", body = OptOut)),
)]
pub(super) async fn clear(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<OptOutsWrite>,
    Path(named): Path<String>,
    request: Write<OptOutClearing>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let proof = faults.required(body.proof, "/proof").map(Body::new);
    let proof = faults.done(proof)?;
    api.write(&caller, terms.key, (id(&named)?, proof), |tx, account, (id, proof)| {
        Box::pin(async move {
            relay::clear_opt_out(tx, account, id, proof).await?;
            let one = opt_outs::cleared(tx, account, id).await?;
            let one = OptOut::from(one.ok_or(relay::Error::NotFound("opt-out"))?);
            Ok(answer(StatusCode::OK, &one, None, None))
        })
    })
    .await
}
