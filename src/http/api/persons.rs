//! People as data subjects: erased and exported by their number, which goes in and never comes out.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, PersonsErase, PersonsExport},
    error::not_found,
    input::{Faults, Flag, Params},
    wire::{ErasureState, Time},
    write::{self, Write, answer},
};
use crate::{
    domain::{erasure as domain, phone::Identifier, time::Timestamp},
    http::problem::{Path, Problem},
    ids::{ErasureId, ParticipantId},
    relay::{self, Relay, Signed, Subject, Window},
    store::{Lane, erasures},
};

/// Whom it is about: a number, or a participant of one of your sessions.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "identifier": "+33639980002" }))]
pub(super) struct PersonToErase {
    /// Their real number, in E.164.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    identifier: Option<String>,
    /// Instead, a participant of a session.
    #[schema(value_type = Option<ParticipantId>)]
    participant_id: Option<String>,
}

/// Whom it is about, and of which time.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "identifier": "+33639980002" }))]
pub(super) struct PersonToExport {
    /// Their real number, in E.164.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    identifier: Option<String>,
    /// Instead, a participant of a session.
    #[schema(value_type = Option<ParticipantId>)]
    participant_id: Option<String>,
    /// Only what began at this time or later.
    #[schema(value_type = Option<Time>)]
    created_from: Option<String>,
    /// Only what began before this time.
    #[schema(value_type = Option<Time>)]
    created_before: Option<String>,
}

/// How it is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Erasing {
    /// Only say what would go; nothing is changed, and no `Idempotency-Key` kept.
    #[param(value_type = Option<bool>)]
    dry_run: Option<Flag>,
}

/// The erasure of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erasure {
    id: ErasureId,
    state: ErasureState,
    /// How many of what went, by class; what stays is counted where its name ends in `_kept`.
    counts: BTreeMap<String, u64>,
    /// Until when the last of their pairs is in quarantine: it goes then.
    quarantine_until: Option<Time>,
    version: i64,
    created_at: Time,
    updated_at: Time,
    /// When nothing of it was left to do.
    ended_at: Option<Time>,
    /// What was erased and what stays, signed; null until it has come so far.
    receipt: Option<SignedDocument>,
}

/// What an erasure would do now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErasureTrial {
    dry_run: bool,
    /// Whether everything was looked at.
    complete: bool,
    /// How many of what would go, by class.
    counts: BTreeMap<String, u64>,
    /// Until when the last of their pairs would be in quarantine.
    quarantine_until: Option<String>,
}

/// A document with the installation's signature (Ed25519). docs/erasure.md says how to verify it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedDocument {
    #[schema(value_type = Object)]
    document: Value,
    signature: String,
    public_key: String,
}

impl From<Signed> for SignedDocument {
    fn from(Signed { document, signature, public_key }: Signed) -> Self {
        Self { document, signature, public_key }
    }
}

fn counts(text: &str) -> BTreeMap<String, u64> {
    serde_json::from_str(text).unwrap_or_default()
}

impl Erasure {
    fn new(row: erasures::Erasure, receipt: Option<Signed>) -> Self {
        Self {
            id: row.id,
            state: ErasureState(row.state),
            counts: counts(&row.counts),
            quarantine_until: row
                .wait_until
                .filter(|_| row.state == domain::ErasureState::Waiting)
                .map(Time),
            version: row.version,
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
            ended_at: row.ended_at.map(Time),
            receipt: receipt.map(SignedDocument::from),
        }
    }
}

/// Whom it is about, or what is wrong with it. No fault repeats the number.
fn subject(
    identifier: Option<String>,
    participant: Option<String>,
    faults: &mut Faults,
) -> Option<Subject> {
    match (identifier, participant) {
        (Some(text), None) => match Identifier::parse(&text) {
            Ok(number) => Some(Subject::Number(number)),
            Err(error) => {
                faults.add("/identifier", "e164", error.to_string());
                None
            }
        },
        (None, Some(text)) => match ParticipantId::parse(&text) {
            Ok(id) => Some(Subject::Participant(id)),
            Err(error) => {
                faults.add("/participant_id", "invalid", error.to_string());
                None
            }
        },
        (None, None) => faults.required(None, "/identifier"),
        (Some(_), Some(_)) => {
            let words = "must be absent where identifier is there";
            faults.add("/participant_id", "not_allowed", words);
            None
        }
    }
}

fn instant(text: Option<&str>, at: &str, faults: &mut Faults) -> Option<Timestamp> {
    let Ok(time) = text?.parse::<jiff::Timestamp>() else {
        faults.add(at, "invalid", "must be a time such as 2026-11-21T18:00:00Z");
        return None;
    };
    Some(Timestamp::from_millis(time.as_millisecond()))
}

/// Erase a person: by their number, or as a participant of one of your sessions.
///
/// Their open sessions are closed, as any session is; then all that is theirs goes. What others in those sessions
/// need is sealed again under a new key. Answered once it is noted; read it again for the receipt. The number of
/// somebody whom nobody knows is erased as well, with nothing to count.
#[utoipa::path(
    post,
    path = "/api/v1/persons/erase",
    tag = "People",
    operation_id = "erasePerson",
    params(Erasing),
    request_body = PersonToErase,
    security(("bearer" = ["persons:erase"])),
    responses(
        (status = 202, description = "The erasure, which is under way", body = Erasure),
        (status = 200, description = "With `dry_run`: what it would do", body = ErasureTrial),
    ),
)]
pub(super) async fn erase(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<PersonsErase>,
    Params(asked): Params<Erasing>,
    request: Write<PersonToErase>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let subject = subject(body.identifier, body.participant_id, &mut faults);
    let subject = faults.done(subject)?;
    let relay: Relay = api.0.relay.lane(Lane::Jobs);
    relay.erasure_list()?;
    if asked.dry_run.is_some_and(|flag| flag.0) {
        let (found, complete) = relay.try_erasure(&caller.account, &subject).await?;
        let trial = ErasureTrial {
            dry_run: true,
            complete,
            counts: counts(&found["counts"].to_string()),
            quarantine_until: found["quarantine_until"].as_str().map(str::to_owned),
        };
        return Ok(write::json(StatusCode::OK, &trial));
    }
    let done = api
        .urgent()
        .perform(&caller, terms.key, subject, |tx, account, subject| {
            Box::pin(async move {
                let row = relay::begin_erasure(tx, account, subject).await?;
                let row = Erasure::new(row, None);
                let location = format!("/api/v1/erasures/{}", row.id);
                Ok(answer(StatusCode::ACCEPTED, &row, Some(row.version), Some(location)))
            })
        })
        .await?;
    let begun = done.location.as_deref().and_then(|path| path.rsplit('/').next());
    if let Some(Ok(id)) = begun.map(ErasureId::parse)
        && let Err(error) = relay.urgent().hurry_erasure(&caller.account, &id).await
    {
        // It is noted, and a job goes on with it.
        tracing::warn!(erasure = %id, %error, "an erasure is left to the job");
    }
    Ok(api.respond(done))
}

/// The erasure of a person: how far it has come, and its receipt.
#[utoipa::path(
    get,
    path = "/api/v1/erasures/{erasure}",
    tag = "People",
    operation_id = "getErasure",
    security(("bearer" = ["persons:erase"])),
    responses((status = 200, description = "The erasure", body = Erasure)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<PersonsErase>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = ErasureId::parse(&named).map_err(|_| not_found("erasure"))?;
    let mut tx = api.0.relay.db().read().await?;
    let row = erasures::get(&mut tx, &caller.account, &id).await?;
    let row = row.ok_or_else(|| not_found("erasure"))?;
    drop(tx);
    let receipt = api.0.relay.receipt(&caller.account, &row)?;
    let version = row.version.to_string();
    Ok(write::read(&headers, &Erasure::new(row, receipt), &version))
}

/// Everything that is known of a person in your account, signed: their sessions, the log of their calls and
/// texts, what was kept of their words, opt-outs and blocks. Nobody's number is in it, and nothing of others.
///
/// Each request is in the audit log before anything is read; it is answered anew, whatever its `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/v1/persons/export",
    tag = "People",
    operation_id = "exportPerson",
    request_body = PersonToExport,
    security(("bearer" = ["persons:export"])),
    responses((status = 200, description = "The export", body = SignedDocument)),
)]
pub(super) async fn export(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<PersonsExport>,
    request: Write<PersonToExport>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, .. } = request;
    let subject = subject(body.identifier, body.participant_id, &mut faults);
    let window = Window {
        from: instant(body.created_from.as_deref(), "/created_from", &mut faults),
        before: instant(body.created_before.as_deref(), "/created_before", &mut faults),
    };
    let subject = faults.done(subject)?;
    let relay = api.0.relay.by(caller.by());
    let (id, signed) = relay.export_person(&caller.account, &subject, window).await?;
    let mut response = write::json(StatusCode::OK, &SignedDocument::from(signed));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"{id}.json\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
