//! Interactions: the log of calls and texts, by role, without numbers and words.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, SessionsRead},
    content::Moderation,
    error::not_found,
    input::bad_parameters,
    paging::{Listing, Page, Paging},
    recordings::{self, Recording},
    sessions::check_words,
    usage::{self, Amount, LegPrice},
    wire::{Attestation, Direction, Kind, Origin, Outcome, Reason, Time},
    write::{self, answer},
};
use crate::{
    domain::interaction,
    http::{
        media::answer as file_answer,
        problem::{FieldFault, Path, Problem},
    },
    ids::{AccountId, InteractionId, LegId, ParticipantId, ServiceId, SessionId},
    relay::{self, Answer, Carriers, Error},
    store::{Tx, charges, interactions, legs, media, sessions, text_findings},
};

/// One relayed call or text: who by role, when, and how it ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Interaction {
    id: InteractionId,
    service_id: Option<ServiceId>,
    /// For a refused one the last session that this caller had on this number.
    session_id: Option<SessionId>,
    kind: Kind,
    origin: Origin,
    /// Who began it.
    from_participant_id: Option<ParticipantId>,
    from_role: Option<String>,
    /// The number that was dialled, or that the recipient sees.
    proxy_number: String,
    carrier: String,
    /// What the network says of a caller's number: `none` where nothing was signed, or the carrier does not
    /// tell. Null for texts and for calls that you asked for.
    caller_attestation: Option<Attestation>,
    /// Null while it is under way.
    outcome: Option<Outcome>,
    reason: Option<Reason>,
    /// How many pictures and files it had.
    media: i64,
    /// How many of those were not passed on; the events `media.refused` say why.
    media_refused: i64,
    /// How long two people spoke.
    duration_seconds: Option<u64>,
    /// What the caller said whom nobody answered, while it is kept; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    voicemail: Option<Voicemail>,
    /// Whether the call is, or was, recorded, and who agreed; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    /// What was found in a text whose service looks for it; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    moderation: Option<Moderation>,
    /// What its legs cost, in each currency, as far as it is known.
    prices: Vec<Amount>,
    /// One for each recipient, and one for whoever called or wrote; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    legs: Option<Vec<Leg>>,
    version: i64,
    created_at: Time,
    updated_at: Time,
    ended_at: Option<Time>,
}

/// A message that a caller left.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Voicemail {
    /// How long it is, where the carrier told.
    seconds: Option<u64>,
    /// `wanted` until it is fetched, then `kept`: `GET …/voicemail` has its sound. `refused` where it is
    /// lost.
    #[schema(example = "kept")]
    state: &'static str,
    /// When it is deleted.
    expires_at: Time,
}

/// Sound, as it lies in a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "answered as bytes; this is for the document")]
pub(super) struct Sound(Vec<u8>);

/// One side of an interaction.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Leg {
    id: LegId,
    direction: Direction,
    participant_id: Option<ParticipantId>,
    role: Option<String>,
    /// The number that this person dialled or sees; of a code that was sent under a name, the one whose carrier sent it.
    proxy_number: String,
    /// The name that the recipient of a code saw instead of the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_id: Option<String>,
    carrier: String,
    /// The carrier's own id of it.
    carrier_id: Option<String>,
    /// How far it has come.
    #[schema(example = "delivered")]
    state: String,
    outcome: Option<Outcome>,
    reason: Option<Reason>,
    /// The carrier's error code.
    carrier_code: Option<String>,
    /// Whether this text was sent once more because nobody learnt what became of the first: its
    /// recipient may have it twice.
    possible_duplicate: bool,
    duration_seconds: Option<u64>,
    /// In how many parts a text was sent, once its carrier took it; 0 for one with pictures or files.
    segments: Option<u64>,
    /// What it cost, where its carrier or the table of the settings says so. It may change.
    price: Option<LegPrice>,
    created_at: Time,
    updated_at: Time,
    answered_at: Option<Time>,
    ended_at: Option<Time>,
}

/// Which interactions are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InteractionFilter {
    /// Of this session: its id.
    session: Option<String>,
    /// Of this service: its id or unique name.
    service: Option<String>,
    kind: Option<Kind>,
    outcome: Option<Outcome>,
    /// Begun by a participant of this role.
    role: Option<String>,
    /// On this carrier.
    carrier: Option<String>,
    /// Begun at this time or later.
    created_from: Option<Time>,
    /// Begun before this time.
    created_before: Option<Time>,
}

impl From<interactions::Interaction> for Interaction {
    fn from(one: interactions::Interaction) -> Self {
        Self {
            id: one.id,
            service_id: one.service,
            session_id: one.session,
            kind: Kind(one.kind),
            origin: Origin(one.origin),
            from_participant_id: one.from_participant,
            from_role: one.from_role,
            proxy_number: one.number.as_str().to_owned(),
            carrier: one.carrier,
            caller_attestation: one.attestation.map(Attestation),
            outcome: one.outcome.map(Outcome),
            reason: one.reason.map(Reason),
            media: one.media,
            media_refused: one.media_refused,
            duration_seconds: one.duration.map(|length| length.as_secs()),
            voicemail: None,
            recording: None,
            moderation: None,
            prices: Vec::new(),
            legs: None,
            version: one.version,
            created_at: Time(one.created_at),
            updated_at: Time(one.updated_at),
            ended_at: one.ended_at.map(Time),
        }
    }
}

impl From<legs::Leg> for Leg {
    fn from(leg: legs::Leg) -> Self {
        Self {
            id: leg.id,
            direction: Direction(leg.direction),
            participant_id: leg.participant,
            role: leg.role,
            proxy_number: leg.number.as_str().to_owned(),
            sender_id: leg.sender_id.map(|id| id.as_str().to_owned()),
            carrier: leg.carrier,
            carrier_id: leg.carrier_id,
            state: leg.state,
            outcome: leg.outcome.map(Outcome),
            reason: leg.reason.map(Reason),
            carrier_code: leg.carrier_code,
            possible_duplicate: leg.possible_duplicate,
            duration_seconds: leg.duration.map(|length| length.as_secs()),
            segments: None,
            price: None,
            created_at: Time(leg.created_at),
            updated_at: Time(leg.updated_at),
            answered_at: leg.answered_at.map(Time),
            ended_at: leg.ended_at.map(Time),
        }
    }
}

/// An interaction with its legs.
async fn whole(
    tx: &mut Tx,
    account: &AccountId,
    carriers: &Carriers,
    one: interactions::Interaction,
) -> Result<Interaction, Error> {
    let legs = legs::of_interaction(tx, account, &one.id).await?;
    let charges = charges::of_interactions(tx, account, std::slice::from_ref(&one.id)).await?;
    let prices = usage::together(&charges);
    let legs = legs.into_iter().map(|leg| {
        let charge = charges.iter().find(|charge| charge.leg == leg.id);
        Leg {
            segments: charge.and_then(|charge| charge.segments),
            price: charge.and_then(usage::of_leg),
            ..Leg::from(leg)
        }
    });
    let legs = Some(legs.collect());
    let (mut voicemail, mut recording, mut moderation) = (None, None, None);
    match one.kind {
        interaction::Kind::Call => {
            voicemail = message_of(tx, account, &one.id).await?;
            recording = recordings::of_call(tx, carriers, account, &one.id).await?;
        }
        interaction::Kind::Message => {
            moderation = text_findings::of_text(tx, account, &one.id).await?.map(Moderation::from);
        }
    }
    Ok(Interaction { voicemail, recording, moderation, prices, legs, ..Interaction::from(one) })
}

/// What the caller said whom nobody answered, while it is kept.
async fn message_of(
    tx: &mut Tx,
    account: &AccountId,
    call: &InteractionId,
) -> Result<Option<Voicemail>, Error> {
    let now = tx.now().await?;
    let voicemail = media::voicemail(tx, account, call).await?;
    Ok(voicemail.filter(|one| now < one.expires_at).map(|one| Voicemail {
        seconds: one.seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        state: one.state.as_str(),
        expires_at: Time(one.expires_at),
    }))
}

/// An interaction that was just begun, as an answer: nothing was sent yet, so nothing cost anything and
/// nobody spoke, and the transaction that writes does not ask for it.
pub(super) async fn begun(
    tx: &mut Tx,
    account: &AccountId,
    one: interactions::Interaction,
) -> Result<Answer, Error> {
    let legs = legs::of_interaction(tx, account, &one.id).await?;
    let legs = Some(legs.into_iter().map(Leg::from).collect());
    let interaction = Interaction { legs, ..Interaction::from(one) };
    let location = format!("/api/v1/interactions/{}", interaction.id);
    Ok(answer(StatusCode::CREATED, &interaction, None, Some(location)))
}

/// A session that a filter names by its id.
pub(super) async fn filtered_session(
    tx: &mut Tx,
    account: &AccountId,
    named: Option<&str>,
) -> Result<Option<SessionId>, Problem> {
    let Some(named) = named else { return Ok(None) };
    let id = SessionId::parse(named).map_err(|error| {
        bad_parameters([FieldFault::parameter("session", "invalid", error.to_string())])
    })?;
    let session = sessions::get(tx, account, &id).await?;
    session.map(|session| Some(session.id)).ok_or_else(|| not_found("session"))
}

/// Interactions, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/interactions",
    tag = "Interactions",
    operation_id = "listInteractions",
    params(InteractionFilter, Paging),
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "A page of interactions", body = Page<Interaction>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    listing: Listing<InteractionFilter>,
) -> Result<Response, Problem> {
    let asked = &listing.filter;
    check_words(asked.role.as_deref(), asked.carrier.as_deref())?;
    let mut tx = api.0.relay.db().read().await?;
    let service = match &asked.service {
        Some(named) => Some(relay::find_service(&mut tx, &caller.account, named).await?.id),
        None => None,
    };
    let session = filtered_session(&mut tx, &caller.account, asked.session.as_deref()).await?;
    let filter = interactions::Filter {
        session,
        service,
        kind: asked.kind.map(|kind| kind.0),
        outcome: asked.outcome.map(|outcome| outcome.0),
        role: asked.role.clone(),
        carrier: asked.carrier.clone(),
        created_from: asked.created_from.map(|at| at.0),
        created_before: asked.created_before.map(|at| at.0),
        ..interactions::Filter::default()
    };
    let found = interactions::list(&mut tx, &caller.account, &filter, &listing.page()).await?;
    let ids: Vec<_> = found.iter().map(|one| one.id.clone()).collect();
    let charges = charges::of_interactions(&mut tx, &caller.account, &ids).await?;
    let priced = |one: interactions::Interaction| {
        let of = charges.iter().filter(|charge| charge.interaction == one.id);
        Interaction { prices: usage::together(of), ..Interaction::from(one) }
    };
    listing.answer(
        &api,
        found,
        |one| one.id.as_str(),
        |list| Ok(list.into_iter().map(priced).collect()),
    )
}

/// One interaction with its legs.
#[utoipa::path(
    get,
    path = "/api/v1/interactions/{interaction}",
    tag = "Interactions",
    operation_id = "getInteraction",
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "The interaction", body = Interaction)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    Path(interaction): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = InteractionId::parse(&interaction).map_err(|_| not_found("interaction"))?;
    let mut tx = api.0.relay.db().read().await?;
    let found = interactions::get(&mut tx, &caller.account, &id).await?;
    let found = found.ok_or_else(|| not_found("interaction"))?;
    let interaction = whole(&mut tx, &caller.account, api.0.relay.carriers(), found).await?;
    Ok(write::read(&headers, &interaction, &interaction.etag()))
}

/// What the caller said whom nobody answered, as sound.
#[utoipa::path(
    get,
    path = "/api/v1/interactions/{interaction}/voicemail",
    tag = "Interactions",
    operation_id = "getVoicemail",
    security(("bearer" = ["sessions:read"])),
    responses((
        status = 200,
        description = "The message, as the carrier recorded it",
        content((Sound = "audio/mpeg"), (Sound = "audio/wav"), (Sound = "audio/ogg")),
    )),
)]
pub(super) async fn voicemail(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    Path(interaction): Path<String>,
) -> Result<Response, Problem> {
    let id = InteractionId::parse(&interaction).map_err(|_| not_found("interaction"))?;
    let mut tx = api.0.relay.db().read().await?;
    let found = interactions::get(&mut tx, &caller.account, &id).await?;
    found.ok_or_else(|| not_found("interaction"))?;
    drop(tx);
    let message = api.0.relay.voicemail(&caller.account, &id).await?;
    message.map(file_answer).ok_or_else(|| not_found("voicemail"))
}

impl Interaction {
    /// Receipts change legs and not the interaction's own version, so the tag has both.
    fn etag(&self) -> String {
        let legs = self.legs.iter().flatten().map(|leg| leg.updated_at.0.millis());
        let prices = self.prices.iter().map(Amount::to_string).collect::<Vec<_>>().concat();
        let voicemail = self.voicemail.as_ref().map_or("", |one| one.state);
        let recording = self.recording.as_ref().map(Recording::tag).unwrap_or_default();
        format!("{}-{}{prices}{voicemail}{recording}", self.version, legs.max().unwrap_or(0))
    }
}
