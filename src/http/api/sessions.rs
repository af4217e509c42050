//! Sessions: read, changed, lengthened, closed and reopened.

use std::{collections::BTreeMap, time::Duration};

use axum::{extract::State, response::Response};
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, SessionsRead, SessionsWrite},
    check,
    error::not_found,
    input::{Faults, Flag, Patch, bad_parameters},
    paging::{Listing, Page, Paging},
    participants::Participant,
    wire::{ClosedReason, Mode, Seconds, State as StateWord, Time},
    write::{self, Nothing, Write, answer, expect_session},
};
use crate::{
    domain::session,
    http::problem::{FieldFault, Path, Problem},
    ids::{AccountId, ParticipantId, ServiceId, SessionId},
    relay::{self, Answer, Caller, Error, SessionView, UpdateSession},
    store::{self, Tx, participants},
};

/// A contact between participants, with a lifetime.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    id: SessionId,
    service_id: ServiceId,
    /// Unique in the service; usable in paths below the service.
    unique_name: Option<String>,
    state: StateWord,
    mode: Mode,
    /// How long it lives after its last interaction; 0 for ever.
    ttl_seconds: u64,
    /// When it ends, whatever happens; null if only `ttl_seconds` counts.
    ends_at: Option<Time>,
    /// When its time is up, as of now; null for never.
    expires_at: Option<Time>,
    /// When somebody first called or texted.
    started_at: Option<Time>,
    last_interaction_at: Option<Time>,
    closed_at: Option<Time>,
    closed_reason: Option<ClosedReason>,
    /// When a restore put it on hold: nobody is put through until it is resumed. Null otherwise.
    suspended_at: Option<Time>,
    /// Whether its calls may be recorded; null leaves it to the service.
    recording: Option<bool>,
    /// Your own words. Put no personal data here: it is kept in clear.
    metadata: BTreeMap<String, String>,
    /// Everybody who is or was in it.
    participants: Vec<Participant>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

/// What may change in a session.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "ttl_seconds": 86_400, "metadata": { "step": "delivered" } }))]
pub(super) struct SessionChange {
    /// How long it lives after its last interaction; 0 for ever; null for the service's default.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    ttl_seconds: Patch<Seconds>,
    /// When it ends; null to take the fixed end away.
    #[schema(value_type = Option<Time>)]
    #[serde(default)]
    ends_at: Patch<Time>,
    /// Merged into what is there; null members, or null for all, are taken out.
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    #[serde(default)]
    metadata: Patch<BTreeMap<String, Option<String>>>,
}

/// How much longer a session is to live.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "seconds": 86_400 }))]
pub(super) struct Extension {
    /// At least 1. Counted from `expires_at`; from then on the end is fixed.
    #[schema(value_type = Seconds, required = true)]
    seconds: Option<Seconds>,
}

/// Which sessions are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionFilter {
    state: Option<StateWord>,
    /// On hold since a restore, or not.
    #[param(value_type = Option<bool>)]
    suspended: Option<Flag>,
    /// Of this service: its id or unique name.
    service: Option<String>,
    /// Made at this time or later.
    created_from: Option<Time>,
    /// Made before this time.
    created_before: Option<Time>,
    /// With a participant of this role.
    role: Option<String>,
    /// With a proxy number at this carrier.
    carrier: Option<String>,
}

impl Session {
    /// What its entity tag has.
    pub(super) const fn version(&self) -> i64 {
        self.version
    }
}

impl From<SessionView> for Session {
    fn from(view: SessionView) -> Self {
        let SessionView { session, participants, names, pins, .. } = view;
        Self {
            id: session.id,
            service_id: session.service,
            unique_name: session.unique_name,
            state: StateWord(session.state),
            mode: Mode(session.mode),
            ttl_seconds: session.lifetime.ttl.as_secs(),
            ends_at: session.lifetime.date_expiry.map(Time),
            expires_at: Time::or_never(session.expires_at),
            started_at: session.started_at.map(Time),
            last_interaction_at: session.last_interaction_at.map(Time),
            closed_at: session.ended_at.map(Time),
            closed_reason: session.closed_reason.map(ClosedReason),
            suspended_at: session.suspended_at.map(Time),
            recording: session.recording,
            metadata: metadata_of(&session.metadata),
            participants: participants
                .into_iter()
                .zip(names)
                .map(|(one, name)| {
                    let made = pins.iter().find(|(id, _)| *id == one.id);
                    Participant::new(one, name).with_pin(made.map(|(_, pin)| pin))
                })
                .collect(),
            version: session.version,
            created_at: Time(session.created_at),
            updated_at: Time(session.updated_at),
        }
    }
}

/// What is kept as text; only we write it.
fn metadata_of(text: &str) -> BTreeMap<String, String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Where a session is: below its service, or on its own.
#[derive(Debug, Deserialize)]
pub(super) struct SessionPath {
    service: Option<String>,
    session: String,
    participant: Option<String>,
}

impl SessionPath {
    /// The session's id. Below a service its unique name will do as well.
    pub(super) async fn find(&self, tx: &mut Tx, account: &AccountId) -> Result<SessionId, Error> {
        let missing = Error::NotFound("session");
        let id = SessionId::parse(&self.session).ok();
        let Some(named) = &self.service else { return id.ok_or(missing) };
        let service = relay::find_service(tx, account, named).await?.id;
        if let Some(id) = id {
            let session = store::sessions::get(tx, account, &id).await?;
            return session.filter(|one| one.service == service).map(|one| one.id).ok_or(missing);
        }
        if relay::loose_name_fault(&self.session).is_some() {
            return Err(missing);
        }
        store::sessions::by_name(tx, account, &service, &self.session).await?.ok_or(missing)
    }

    /// The participant's id as it stands in the path.
    pub(super) fn participant(&self) -> Result<ParticipantId, Problem> {
        let text = self.participant.as_deref().unwrap_or_default();
        ParticipantId::parse(text).map_err(|_| not_found("participant"))
    }
}

/// A changed session as an answer.
pub(super) fn shown(status: StatusCode, view: SessionView, location: bool) -> Answer {
    let session = Session::from(view);
    let location = location.then(|| format!("/api/v1/sessions/{}", session.id));
    answer(status, &session, Some(session.version), location)
}

/// Filters that are compared with what is stored, where an odd text may not even be asked for.
pub(super) fn check_words(role: Option<&str>, carrier: Option<&str>) -> Result<(), Problem> {
    let mut faults = Vec::new();
    if role.is_some_and(|role| !check::is_role(role)) {
        faults.push(FieldFault::parameter("role", "invalid", "must be a role such as buyer"));
    }
    let is_carrier = |text: &str| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if carrier.is_some_and(|carrier| !is_carrier(carrier)) {
        faults.push(FieldFault::parameter("carrier", "invalid", "must be a carrier's id"));
    }
    if faults.is_empty() { Ok(()) } else { Err(bad_parameters(faults)) }
}

/// Sessions, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "Sessions",
    operation_id = "listSessions",
    params(SessionFilter, Paging),
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "A page of sessions", body = Page<Session>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    listing: Listing<SessionFilter>,
) -> Result<Response, Problem> {
    let asked = &listing.filter;
    check_words(asked.role.as_deref(), asked.carrier.as_deref())?;
    let mut tx = api.0.relay.db().read().await?;
    let service = match &asked.service {
        Some(named) => Some(relay::find_service(&mut tx, &caller.account, named).await?.id),
        None => None,
    };
    let filter = store::sessions::Filter {
        service,
        state: asked.state.map(|state| state.0),
        suspended: asked.suspended.as_ref().map(|flag| flag.0),
        created_from: asked.created_from.map(|at| at.0),
        created_before: asked.created_before.map(|at| at.0),
        role: asked.role.clone(),
        carrier: asked.carrier.clone(),
        ..store::sessions::Filter::default()
    };
    let found = store::sessions::list(&mut tx, &caller.account, &filter, &listing.page()).await?;
    let ids: Vec<SessionId> = found.iter().map(|session| session.id.clone()).collect();
    let mut people: BTreeMap<SessionId, Vec<participants::Participant>> = BTreeMap::new();
    for one in participants::of_sessions(&mut tx, &caller.account, &ids).await? {
        people.entry(one.session.clone()).or_default().push(one);
    }
    listing.answer(
        &api,
        found,
        |session| session.id.as_str(),
        |sessions| {
            sessions
                .into_iter()
                .map(|session| {
                    let people = people.remove(&session.id).unwrap_or_default();
                    Ok(relay::with_names(&tx, session, people)?.into())
                })
                .collect::<Result<Vec<Session>, Problem>>()
        },
    )
}

/// One session.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{session}",
    tag = "Sessions",
    operation_id = "getSession",
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "The session", body = Session)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    Path(path): Path<SessionPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let id = path.find(&mut tx, &caller.account).await?;
    let session = Session::from(relay::view(&mut tx, &caller.account, &id).await?);
    Ok(write::read(&headers, &session, &session.version.to_string()))
}

impl SessionChange {
    fn check(&self, faults: &mut Faults) {
        if let Patch::Value(ttl) = self.ttl_seconds {
            check::seconds(faults, "/ttl_seconds", ttl.0, 0);
        }
        if let Patch::Value(members) = &self.metadata {
            check::metadata(faults, &merged(BTreeMap::new(), members));
        }
    }
}

/// RFC 7396 for a flat object.
fn merged(
    mut into: BTreeMap<String, String>,
    members: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    for (key, value) in members {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
    into
}

/// Change a session that is not closed (JSON merge patch).
#[utoipa::path(
    patch,
    path = "/api/v1/sessions/{session}",
    tag = "Sessions",
    operation_id = "updateSession",
    request_body = SessionChange,
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn update(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<SessionChange>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    body.check(&mut faults);
    let body = faults.done(Some(body))?;
    let input = (path, body, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (path, body, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            let session = expect_session(tx, account, &id, *version).await?;
            let change = change(tx, account, &session, body).await?;
            let view = relay::update(tx, account, &id, &change, *version).await?;
            Ok(shown(StatusCode::OK, view, false))
        })
    })
    .await
}

/// A patch against what is there.
async fn change(
    tx: &mut Tx,
    account: &AccountId,
    session: &store::sessions::Session,
    body: &SessionChange,
) -> Result<UpdateSession, Error> {
    let ttl = match body.ttl_seconds {
        Patch::Absent => None,
        Patch::Value(ttl) => Some(Duration::from_secs(ttl.0)),
        Patch::Null => {
            let service = store::services::get(tx, account, &session.service).await?;
            service.map(|service| service.rules.default_ttl)
        }
    };
    let metadata = match &body.metadata {
        Patch::Absent => None,
        Patch::Null => Some(BTreeMap::new()),
        Patch::Value(members) => Some(merged(metadata_of(&session.metadata), members)),
    };
    let mut faults = Faults::default();
    if let Some(metadata) = &metadata {
        check::metadata(&mut faults, metadata);
    }
    faults.refuse()?;
    Ok(UpdateSession {
        ttl,
        date_expiry: match body.ends_at {
            Patch::Absent => None,
            Patch::Null => Some(None),
            Patch::Value(at) => Some(Some(at.0)),
        },
        metadata: metadata.map(|metadata| json!(metadata).to_string()),
    })
}

/// Moves a session on in its life by one use case that needs nothing but its version.
async fn moved<F>(
    api: &Api,
    caller: &Caller,
    path: SessionPath,
    request: Write<Nothing>,
    work: F,
) -> Result<Response, Problem>
where
    F: for<'t> Fn(
            &'t mut Tx,
            &'t AccountId,
            &'t SessionId,
            Option<i64>,
        ) -> BoxFuture<'t, Result<SessionView, Error>>
        + Copy
        + Send
        + Sync
        + 'static,
{
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (path, terms.version);
    api.write(caller, terms.key, input, move |tx, account, (path, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            Ok(shown(StatusCode::OK, work(tx, account, &id, *version).await?, false))
        })
    })
    .await
}

/// Close a session: from now on nobody is put through. Closing it again changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/close",
    tag = "Sessions",
    operation_id = "closeSession",
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn close(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    moved(&api.urgent(), &caller, path, request, |tx, account, id, version| {
        Box::pin(relay::close(tx, account, id, session::ClosedReason::Api, version))
    })
    .await
}

/// Reopen a closed session with the same people and numbers.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/reopen",
    tag = "Sessions",
    operation_id = "reopenSession",
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn reopen(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    moved(&api, &caller, path, request, |tx, account, id, version| {
        Box::pin(
            async move { relay::reopen(tx, account, id, &UpdateSession::default(), version).await },
        )
    })
    .await
}

/// Say that a session which a restore put on hold was still open: people are put through again. One
/// that is not on hold stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/resume",
    tag = "Sessions",
    operation_id = "resumeSession",
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn resume(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    moved(&api, &caller, path, request, |tx, account, id, version| {
        Box::pin(relay::resume(tx, account, id, version))
    })
    .await
}

/// Lengthen a session's life. One that never ends stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/extend",
    tag = "Sessions",
    operation_id = "extendSession",
    request_body = Extension,
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn extend(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Extension>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let seconds = faults.required(body.seconds, "/seconds");
    if let Some(seconds) = seconds {
        check::seconds(&mut faults, "/seconds", seconds.0, 1);
    }
    let by = Duration::from_secs(faults.done(seconds)?.0);
    let input = (path, by, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (path, by, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            let view = relay::extend(tx, account, &id, *by, *version).await?;
            Ok(shown(StatusCode::OK, view, false))
        })
    })
    .await
}
