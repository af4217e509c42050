//! Moves of live sessions off a number: asked for, read, and taken back.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, NumbersRead, NumbersWrite},
    error::not_found,
    input::{Faults, Flag, Params},
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{MoveReason, MoveState, StepState, Time},
    write::{self, Nothing, Write, answer},
};
use crate::{
    http::problem::{Path, Problem},
    ids::{MoveId, NumberId, ParticipantId, SessionId},
    relay::{self, NewMove, Trial},
    store::{
        Lane,
        number_move_steps::{self as steps, Step},
        number_moves::{self, Move, Off},
    },
};

/// How many sessions a dry run looks at: other writers wait for it.
const TRIED_MAX: usize = 200;

/// A move of live sessions off a number, or off all numbers of a carrier.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberMove {
    id: MoveId,
    /// The number that they are moved off.
    number_id: Option<NumberId>,
    /// Or the carrier, by its id in the configuration.
    carrier: Option<String>,
    /// The number that everybody gets; null for what the pool has.
    to_number_id: Option<NumberId>,
    /// The carrier that a ported number has come to.
    to_carrier: Option<String>,
    why: MoveReason,
    /// Whether people are told by a text; null where each service says.
    tell: Option<bool>,
    state: MoveState,
    /// How many people dial a new number.
    moved: i64,
    /// How many still dial the old one; the steps say why.
    kept: i64,
    /// How many dial the old one again.
    undone: i64,
    /// How many were moved and could not be moved back; the steps say why.
    not_undone: i64,
    version: i64,
    created_at: Time,
    updated_at: Time,
    /// When it was done, or undone.
    ended_at: Option<Time>,
}

/// What became of one participant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberMoveStep {
    session_id: SessionId,
    participant_id: ParticipantId,
    /// What they dialled.
    old_number_id: NumberId,
    /// What they were given; null for whoever was kept.
    new_number_id: Option<NumberId>,
    state: StepState,
    /// Why they were kept, or not moved back: a rule of the pool, or one of the words of docs/failover.md.
    #[schema(example = "in_use")]
    reason: Option<String>,
    created_at: Time,
    updated_at: Time,
}

/// A move to begin: off `number_id` or off `carrier`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "number_id": "PN019343fd1c3a7e63a1c0bb0f3e9a1d52", "why": "dead" }))]
pub(super) struct NewNumberMove {
    /// The number that sessions are moved off.
    #[schema(value_type = Option<NumberId>)]
    number_id: Option<String>,
    /// The carrier, by its id in the configuration, off all of whose numbers they are moved.
    carrier: Option<String>,
    /// The number that everybody gets; absent for what the pool has.
    #[schema(value_type = Option<NumberId>)]
    to_number_id: Option<String>,
    /// Where `why` is `ported`: the carrier that the number has come to. It is kept then, and whoever is on
    /// the other side of a session with calls gets a number of that carrier.
    to_carrier: Option<String>,
    #[schema(required = true, value_type = MoveReason)]
    why: Option<MoveReason>,
    /// Whether people are told by a text; absent where each service says.
    tell: Option<bool>,
}

/// How a move is begun.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Moving {
    /// Only say what would become of the first 200 sessions; nothing is kept, and no `Idempotency-Key`
    /// either. One at a time.
    #[param(value_type = Option<bool>)]
    dry_run: Option<Flag>,
}

/// What a move would do now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberMoveTrial {
    dry_run: bool,
    /// Whether all sessions were looked at.
    complete: bool,
    /// How many were.
    sessions: usize,
    /// How many people would dial a new number.
    moved: u64,
    /// How many would stay, by reason: a rule of the pool, or one of the words of docs/failover.md.
    kept: BTreeMap<String, u64>,
}

impl From<Trial> for NumberMoveTrial {
    fn from(Trial { sessions, complete, moved, kept }: Trial) -> Self {
        Self { dry_run: true, complete, sessions, moved, kept }
    }
}

impl From<Move> for NumberMove {
    fn from(row: Move) -> Self {
        let (number_id, carrier) = match row.off {
            Off::Number(id) => (Some(id), None),
            Off::Carrier(id) => (None, Some(id)),
        };
        Self {
            id: row.id,
            number_id,
            carrier,
            to_number_id: row.to_number,
            to_carrier: row.to_carrier,
            why: MoveReason(row.why),
            tell: row.tell,
            state: MoveState(row.state),
            moved: row.tally.moved,
            kept: row.tally.kept,
            undone: row.tally.undone,
            not_undone: row.tally.not_undone,
            version: row.version,
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
            ended_at: row.ended_at.map(Time),
        }
    }
}

impl From<Step> for NumberMoveStep {
    fn from(step: Step) -> Self {
        Self {
            session_id: step.session,
            participant_id: step.participant,
            old_number_id: step.old_number,
            new_number_id: step.new_number,
            state: StepState(step.state),
            reason: step.reason,
            created_at: Time(step.created_at),
            updated_at: Time(step.updated_at),
        }
    }
}

/// A number that is named, or what is wrong with its id.
fn number(text: Option<&str>, at: &str, faults: &mut Faults) -> Option<NumberId> {
    match NumberId::parse(text?) {
        Ok(id) => Some(id),
        Err(error) => {
            faults.add(at, "invalid", error.to_string());
            None
        }
    }
}

/// A carrier that is named, or that it is none of the configured.
fn carrier(api: &Api, named: Option<String>, at: &str, faults: &mut Faults) -> Option<String> {
    let named = named?;
    if let Err(words) = api.0.relay.carriers().known(&named) {
        faults.add(at, "choice", words);
    }
    Some(named)
}

impl NewNumberMove {
    fn read(self, api: &Api, faults: &mut Faults) -> Option<NewMove> {
        let why = faults.required(self.why, "/why").map(|why| why.0);
        let named = (self.number_id.is_some(), self.carrier.is_some());
        let from = number(self.number_id.as_deref(), "/number_id", faults);
        let carrier_of = carrier(api, self.carrier, "/carrier", faults);
        let to_number = number(self.to_number_id.as_deref(), "/to_number_id", faults);
        let to_carrier = carrier(api, self.to_carrier, "/to_carrier", faults);
        let off = match named {
            (false, false) => faults.required(None, "/number_id"),
            (true, true) => {
                faults.add("/carrier", "not_allowed", "must be absent where number_id is there");
                None
            }
            _ => from.map(Off::Number).or(carrier_of.map(Off::Carrier)),
        };
        let new = NewMove { off: off?, to_number, to_carrier, why: why?, tell: self.tell };
        for fault in new.faults() {
            faults.add(fault.pointer, fault.code, fault.message);
        }
        Some(new)
    }
}

/// Moves, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/number-moves",
    tag = "Numbers",
    operation_id = "listNumberMoves",
    params(Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of moves", body = Page<NumberMove>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let (after, limit) = (listing.after(), listing.limit());
    let found = number_moves::list(&mut tx, &caller.account, after, limit).await?;
    listing.answer(
        &api,
        found,
        |row| row.id.as_str(),
        |rows| Ok(rows.into_iter().map(NumberMove::from).collect()),
    )
}

/// Move live sessions off a number that is dead, blocked or ported, or off all numbers of a carrier.
///
/// Answered once it is noted: the relay works it off, session by session. The number is given to nobody new
/// from then on. Whoever is moved is reached by the old number too, as long as that works.
#[utoipa::path(
    post,
    path = "/api/v1/number-moves",
    tag = "Numbers",
    operation_id = "createNumberMove",
    params(Moving),
    request_body = NewNumberMove,
    security(("bearer" = ["numbers:write"])),
    responses(
        (status = 201, description = "The move, which is under way", body = NumberMove),
        (status = 200, description = "With `dry_run`: what it would do", body = NumberMoveTrial),
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Params(moving): Params<Moving>,
    request: Write<NewNumberMove>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let new = body.read(&api, &mut faults);
    let new = faults.done(new)?;
    if moving.dry_run.is_some_and(|flag| flag.0) {
        let relay = api.0.relay.lane(Lane::Jobs);
        let trial = relay.try_move(&caller.account, &new, TRIED_MAX).await?;
        return Ok(write::json(StatusCode::OK, &NumberMoveTrial::from(trial)));
    }
    api.write(&caller, terms.key, new, |tx, account, new| {
        Box::pin(async move {
            let row = relay::begin_move(tx, account, new).await?;
            let row = NumberMove::from(row);
            let location = format!("/api/v1/number-moves/{}", row.id);
            Ok(answer(StatusCode::CREATED, &row, Some(row.version), Some(location)))
        })
    })
    .await
}

fn id(text: &str) -> Result<MoveId, Problem> {
    MoveId::parse(text).map_err(|_| not_found("move"))
}

/// One move: how far it has come.
#[utoipa::path(
    get,
    path = "/api/v1/number-moves/{move}",
    tag = "Numbers",
    operation_id = "getNumberMove",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The move", body = NumberMove)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let row = number_moves::get(&mut tx, &caller.account, &id(&named)?).await?;
    let row = NumberMove::from(row.ok_or_else(|| not_found("move"))?);
    Ok(write::read(&headers, &row, &row.version.to_string()))
}

/// What became of each participant of a move, in order of their ids.
#[utoipa::path(
    get,
    path = "/api/v1/number-moves/{move}/steps",
    tag = "Numbers",
    operation_id = "listNumberMoveSteps",
    params(Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of steps", body = Page<NumberMoveStep>)),
)]
pub(super) async fn list_steps(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(named): Path<String>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let id = id(&named)?;
    let row = number_moves::get(&mut tx, &caller.account, &id).await?;
    row.ok_or_else(|| not_found("move"))?;
    let (after, limit) = (listing.after(), listing.limit());
    let found = steps::list(&mut tx, &caller.account, &id, after, limit).await?;
    listing.answer(
        &api,
        found,
        |step| step.participant.as_str(),
        |steps| Ok(steps.into_iter().map(NumberMoveStep::from).collect()),
    )
}

/// Take a move back, as far as it has come: whoever still dials the new number dials the old one again.
#[utoipa::path(
    post,
    path = "/api/v1/number-moves/{move}/undo",
    tag = "Numbers",
    operation_id = "undoNumberMove",
    security(("bearer" = ["numbers:write"])),
    responses((status = 200, description = "The move as it is now", body = NumberMove)),
)]
pub(super) async fn undo(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(named): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (id(&named)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, version)| {
        Box::pin(async move {
            let row = NumberMove::from(relay::undo_move(tx, account, id, *version).await?);
            Ok(answer(StatusCode::OK, &row, Some(row.version), None))
        })
    })
    .await
}
