//! The audit log: who changed what in the account.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{AuditRead, Granted},
    input::bad_parameters,
    paging::{Listing, Page, Paging},
    wire::{ActorKind, AuditAction, Time},
};
use crate::{
    domain::time::Timestamp,
    http::problem::{FieldFault, Problem},
    store::audit,
};

/// The longest id that is looked for.
const ID_CHARS: usize = 64;

/// Something that was done, as the audit log has it. No number of a person, no secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditEntry {
    /// Its place in the account's chain, from 1 and without gaps.
    seq: i64,
    /// What was done: dotted words. New ones may come.
    #[schema(example = "service.updated")]
    action: String,
    actor: AuditActor,
    target: AuditTarget,
    /// Why, as `Audit-Reason` said.
    reason: Option<String>,
    /// What depends on the action; `changed` names settings, and has no value of any.
    details: Map<String, Value>,
    /// The hash of the entry before it, in hex; empty for the first.
    previous_hash: String,
    /// SHA-256 over all of it and the hash before it, in hex.
    hash: String,
    created_at: Time,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditActor {
    /// What sort of actor: `api_key`, `auth_token`, `staff`, `operator` or `relay`. New ones may come.
    #[schema(example = "api_key")]
    kind: String,
    /// The API key's or staff member's id, the account's for its auth token, an operator's login; null for
    /// the relay itself.
    id: Option<String>,
}

/// What it was done to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditTarget {
    /// What sort of thing. New ones may come.
    #[schema(example = "service")]
    kind: String,
    id: Option<String>,
}

/// Which entries are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditFilter {
    /// Of this action.
    #[param(value_type = Option<AuditAction>)]
    action: Option<AuditAction>,
    /// Of this sort of actor.
    #[param(value_type = Option<ActorKind>)]
    actor_kind: Option<ActorKind>,
    /// Of the actor of this id.
    actor: Option<String>,
    /// About the thing of this id.
    target: Option<String>,
    /// From this time on.
    #[param(value_type = Option<Time>)]
    created_from: Option<Time>,
    /// Before this time.
    #[param(value_type = Option<Time>)]
    created_before: Option<Time>,
}

impl AuditFilter {
    fn read(&self) -> Result<audit::Filter, Problem> {
        for (name, id) in [("actor", &self.actor), ("target", &self.target)] {
            let odd = |id: &String| {
                !(1..=ID_CHARS).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic())
            };
            if id.as_ref().is_some_and(odd) {
                let allowed = "must be an id";
                return Err(bad_parameters([FieldFault::parameter(name, "invalid", allowed)]));
            }
        }
        Ok(audit::Filter {
            action: self.action.map(|word| word.0),
            actor_kind: self.actor_kind.map(|word| word.0),
            actor: self.actor.clone(),
            target: self.target.clone(),
            from: self.created_from.map(|at| at.0),
            before: self.created_before.map(|at| at.0),
            from_seq: None,
        })
    }
}

impl From<audit::Row> for AuditEntry {
    fn from(row: audit::Row) -> Self {
        let content = row.link.content;
        let id = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            seq: content.seq,
            action: content.action,
            actor: AuditActor { kind: content.actor_kind, id: id(content.actor) },
            target: AuditTarget { kind: content.target_kind, id: id(content.target) },
            reason: row.reason,
            details: serde_json::from_str(&content.details).unwrap_or_default(),
            previous_hash: content.previous,
            hash: row.link.hash,
            created_at: Time(Timestamp::from_millis(content.at)),
        }
    }
}

/// What was changed in the account, by whom, newest first. Entries are never changed or deleted.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "Audit log",
    operation_id = "listAuditEntries",
    params(AuditFilter, Paging),
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<AuditRead>,
    listing: Listing<AuditFilter>,
) -> Result<Response, Problem> {
    let filter = listing.filter.read()?;
    let before = listing.last().and_then(|seq| seq.parse().ok());
    let mut tx = api.0.relay.db().read().await?;
    let found =
        audit::list(&mut tx, caller.account.as_str(), &filter, before, listing.limit()).await?;
    let found = found.into_iter().map(|row| (row.link.content.seq.to_string(), row)).collect();
    listing.answer(
        &api,
        found,
        |(seq, _): &(String, audit::Row)| seq,
        |rows| Ok(rows.into_iter().map(|(_, row)| AuditEntry::from(row)).collect()),
    )
}
