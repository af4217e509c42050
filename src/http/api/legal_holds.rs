//! Legal holds: placed, read and lifted.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, LegalHoldsWrite},
    error::not_found,
    input::Faults,
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::Time,
    write::{self, Nothing, Write, answer, nothing},
};
use crate::{
    domain::{audit::Reason, phone::Identifier},
    http::problem::{Path, Problem},
    ids::{HoldId, SessionId},
    relay::{self, HoldOn, NewHold},
    store::legal_holds::{self, Case, Held},
};

/// What is kept although its time is up, until it is lifted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LegalHold {
    id: HoldId,
    /// The session that it is on; null for one on a person.
    session_id: Option<SessionId>,
    /// The person that it is on, masked; null for one on a session.
    #[schema(example = "+33••••a1f0")]
    person_masked: Option<String>,
    /// The case that it is for, in your words.
    case_id: String,
    /// Why, in your words.
    reason: String,
    version: i64,
    created_at: Time,
    /// When it was lifted; null while it is in force.
    lifted_at: Option<Time>,
}

/// A hold to place: on `session_id` or on whoever has `number`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "session_id": "KC019343fd1c3a7e63a1c0bb0f3e9a1d52", "case_id": "Police 2026-117",
    "reason": "fraud report of the buyer",
}))]
pub(super) struct NewLegalHold {
    /// The session, deleted or not.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
    /// A person's number: everything of all their sessions is kept. Only its keyed hash is stored.
    number: Option<String>,
    /// The case: stored sealed.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100)]
    case_id: Option<String>,
    /// Why, without telephone numbers: stored sealed.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    reason: Option<String>,
}

impl From<legal_holds::LegalHold> for LegalHold {
    fn from(hold: legal_holds::LegalHold) -> Self {
        let person_masked = hold.held.masked();
        let session_id = match hold.held {
            Held::Session(id) => Some(id),
            Held::Person(..) => None,
        };
        Self {
            id: hold.id,
            session_id,
            person_masked,
            case_id: hold.case.expose().to_owned(),
            reason: hold.reason.expose().to_owned(),
            version: hold.version,
            created_at: Time(hold.created_at),
            lifted_at: hold.lifted_at.map(Time),
        }
    }
}

impl NewLegalHold {
    fn read(self, faults: &mut Faults) -> Option<NewHold> {
        let case = faults.required(self.case_id, "/case_id").and_then(|text| {
            let case = Case::parse(&text);
            if case.is_none() {
                let words = "must have 1 to 100 characters, none of control";
                faults.add("/case_id", "not_allowed", words);
            }
            case
        });
        let reason = faults.required(self.reason, "/reason").and_then(|text| {
            Reason::parse(&text)
                .map_err(|allowed| faults.add("/reason", "not_allowed", allowed))
                .ok()
        });
        let on = match (self.session_id, self.number) {
            (None, None) => faults.required(None, "/session_id"),
            (Some(_), Some(_)) => {
                faults.add("/number", "not_allowed", "must be absent where session_id is there");
                None
            }
            (Some(text), None) => SessionId::parse(&text)
                .map_err(|error| faults.add("/session_id", "invalid", error.to_string()))
                .ok()
                .map(HoldOn::Session),
            (None, Some(text)) => Identifier::parse(&text)
                .map_err(|error| faults.add("/number", "e164", error.to_string()))
                .ok()
                .map(HoldOn::Person),
        };
        Some(NewHold { on: on?, case: case?, reason: reason? })
    }
}

/// Legal holds, lifted ones too, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/legal-holds",
    tag = "Legal holds",
    operation_id = "listLegalHolds",
    params(Paging),
    security(("bearer" = ["legal_holds:write"])),
    responses((status = 200, description = "A page of holds", body = Page<LegalHold>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<LegalHoldsWrite>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let (after, limit) = (listing.after(), listing.limit());
    let found = legal_holds::list(&mut tx, &caller.account, after, limit).await?;
    listing.answer(
        &api,
        found,
        |hold| hold.id.as_str(),
        |holds| Ok(holds.into_iter().map(LegalHold::from).collect()),
    )
}

/// Place a legal hold: nothing of a session, or of all sessions of a person, is deleted by age until it is
/// lifted. It brings nothing back, and keeps nobody from being put through or closed.
#[utoipa::path(
    post,
    path = "/api/v1/legal-holds",
    tag = "Legal holds",
    operation_id = "placeLegalHold",
    request_body = NewLegalHold,
    security(("bearer" = ["legal_holds:write"])),
    responses((status = 201, description = "The hold", body = LegalHold)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<LegalHoldsWrite>,
    request: Write<NewLegalHold>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let new = body.read(&mut faults);
    let new = faults.done(new)?;
    api.write(&caller, terms.key, new, |tx, account, new| {
        Box::pin(async move {
            let hold = LegalHold::from(relay::place_hold(tx, account, new).await?);
            let location = format!("/api/v1/legal-holds/{}", hold.id);
            Ok(answer(StatusCode::CREATED, &hold, Some(hold.version), Some(location)))
        })
    })
    .await
}

fn id(text: &str) -> Result<HoldId, Problem> {
    HoldId::parse(text).map_err(|_| not_found("legal hold"))
}

/// One legal hold.
#[utoipa::path(
    get,
    path = "/api/v1/legal-holds/{hold}",
    tag = "Legal holds",
    operation_id = "getLegalHold",
    security(("bearer" = ["legal_holds:write"])),
    responses((status = 200, description = "The hold", body = LegalHold)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<LegalHoldsWrite>,
    Path(hold): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let found = legal_holds::get(&mut tx, &caller.account, &id(&hold)?).await?;
    let found = LegalHold::from(found.ok_or_else(|| not_found("legal hold"))?);
    Ok(write::read(&headers, &found, &found.version.to_string()))
}

/// Lift a legal hold: what is older than it is kept goes the next night.
#[utoipa::path(
    delete,
    path = "/api/v1/legal-holds/{hold}",
    tag = "Legal holds",
    operation_id = "liftLegalHold",
    security(("bearer" = ["legal_holds:write"])),
    responses((status = 204, description = "Lifted")),
)]
pub(super) async fn lift(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<LegalHoldsWrite>,
    Path(hold): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    api.write(&caller, terms.key, id(&hold)?, |tx, account, id| {
        Box::pin(async move {
            relay::lift_hold(tx, account, id).await?;
            Ok(nothing())
        })
    })
    .await
}
