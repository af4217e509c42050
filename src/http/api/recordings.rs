//! Recordings of calls: how far each has come, who agreed, its sound; and pausing, going on with and ending one.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, SessionsRead, SessionsWrite},
    error::not_found,
    interactions::Sound,
    wire::{RecordingLoss, RecordingState, Time},
    write::{Nothing, Write, answer},
};
use crate::{
    domain::recording::RecordingAct,
    http::{
        media::answer as file_answer,
        problem::{Path, Problem},
    },
    ids::{AccountId, InteractionId, LegId},
    relay::{self, Caller, Carriers, Error},
    store::{Tx, interactions, media, recordings},
};

/// Whether a call is, or was, recorded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallRecording)]
pub(super) struct Recording {
    state: RecordingState,
    /// Why nothing of it is kept.
    reason: Option<RecordingLoss>,
    /// What for, as people were told.
    purpose: String,
    /// What each side answered.
    consents: Vec<Consent>,
    /// How long it is, where the carrier told.
    seconds: Option<u64>,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    /// Where it can be heard, by whoever has this address, while it is kept.
    url: Option<String>,
    /// When it is deleted.
    expires_at: Option<Time>,
}

/// Whether somebody agreed to a recording.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordingConsent)]
pub(super) struct Consent {
    leg_id: LegId,
    role: Option<String>,
    agreed: bool,
    /// The language in which they were asked.
    #[schema(example = "en-GB")]
    language: String,
    /// Which version of which words they were asked in.
    #[schema(example = "agree/1")]
    wording: String,
    /// When they answered, or their time was up.
    at: Time,
}

impl Recording {
    /// What its entity tag has.
    pub(super) fn tag(&self) -> String {
        format!("-{}-{}-{}", self.state.0, self.consents.len(), self.url.is_some())
    }
}

/// The recording of a call, if people were asked for one.
pub(super) async fn of_call(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    call: &InteractionId,
) -> Result<Option<Recording>, Error> {
    let Some(one) = recordings::get(tx, account, call).await? else { return Ok(None) };
    shown(tx, carriers, account, one).await.map(Some)
}

async fn shown(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    one: recordings::Recording,
) -> Result<Recording, Error> {
    let consents = recordings::consents(tx, account, &one.interaction).await?;
    let consents = consents.into_iter().map(|consent| Consent {
        leg_id: consent.leg,
        role: consent.role,
        agreed: consent.agreed,
        language: consent.language,
        wording: consent.wording,
        at: Time(consent.at),
    });
    let now = tx.now().await?;
    let medium = media::recording(tx, account, &one.interaction).await?;
    let medium = medium.filter(|medium| now < medium.expires_at);
    let url = medium.as_ref().and_then(|medium| relay::recording_address(tx, carriers, medium));
    let seconds = medium.as_ref().and_then(|medium| medium.seconds);
    Ok(Recording {
        state: RecordingState(one.state),
        reason: one.loss.map(RecordingLoss),
        purpose: one.purpose,
        consents: consents.collect(),
        seconds: seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        started_at: one.started_at.map(Time),
        ended_at: one.ended_at.map(Time),
        url,
        expires_at: medium.map(|medium| Time(medium.expires_at)),
    })
}

fn call(path: &str) -> Result<InteractionId, Problem> {
    InteractionId::parse(path).map_err(|_| not_found("interaction"))
}

/// What was recorded of a call, as sound.
#[utoipa::path(
    get,
    path = "/api/v1/interactions/{interaction}/recording",
    tag = "Interactions",
    operation_id = "getRecording",
    security(("bearer" = ["sessions:read"])),
    responses((
        status = 200,
        description = "The recording, as the carrier made it",
        content((Sound = "audio/mpeg"), (Sound = "audio/wav"), (Sound = "audio/ogg")),
    )),
)]
pub(super) async fn sound(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    Path(interaction): Path<String>,
) -> Result<Response, Problem> {
    let id = call(&interaction)?;
    let mut tx = api.0.relay.db().read().await?;
    let found = interactions::get(&mut tx, &caller.account, &id).await?;
    found.ok_or_else(|| not_found("interaction"))?;
    drop(tx);
    let recording = api.0.relay.recording(&caller.account, &id).await?;
    recording.map(file_answer).ok_or_else(|| not_found("recording"))
}

async fn wish(
    api: Api,
    caller: Caller,
    path: String,
    request: Write<Nothing>,
    act: RecordingAct,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (call(&path)?, act, api.0.relay.clone());
    api.write(&caller, terms.key, input, |tx, account, (id, act, relay)| {
        Box::pin(async move {
            let one = relay::wish_recording(tx, account, id, *act).await?;
            let shown = shown(tx, relay.carriers(), account, one).await?;
            Ok(answer(StatusCode::ACCEPTED, &shown, None, None))
        })
    })
    .await
}

/// Pause a recording: for what must not be recorded, such as the number of a card. Say it once the event
/// `recording.paused` has come: a pause that the carrier does not confirm ends the recording, and nothing of it is
/// kept.
#[utoipa::path(
    post,
    path = "/api/v1/interactions/{interaction}/recording/pause",
    tag = "Interactions",
    operation_id = "pauseRecording",
    security(("bearer" = ["sessions:write"])),
    responses((status = 202, description = "The carrier is being asked", body = Recording)),
)]
pub(super) async fn pause(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(interaction): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    wish(api, caller, interaction, request, RecordingAct::Pause).await
}

/// Go on with a paused recording.
#[utoipa::path(
    post,
    path = "/api/v1/interactions/{interaction}/recording/resume",
    tag = "Interactions",
    operation_id = "resumeRecording",
    security(("bearer" = ["sessions:write"])),
    responses((status = 202, description = "The carrier is being asked", body = Recording)),
)]
pub(super) async fn resume(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(interaction): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    wish(api, caller, interaction, request, RecordingAct::Resume).await
}

/// End a recording before its call: somebody's consent is withdrawn. It does not begin again in this call. An end
/// that the carrier does not confirm ends the call.
#[utoipa::path(
    post,
    path = "/api/v1/interactions/{interaction}/recording/stop",
    tag = "Interactions",
    operation_id = "stopRecording",
    security(("bearer" = ["sessions:write"])),
    responses((status = 202, description = "The carrier is being asked", body = Recording)),
)]
pub(super) async fn stop(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(interaction): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    wish(api.urgent(), caller, interaction, request, RecordingAct::Stop).await
}
