//! Reports: what somebody of a session says of the other side, and what support decides.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, ReportsRead, ReportsWrite, SessionsWrite},
    error::not_found,
    input::{Faults, bad_parameters},
    paging::{Listing, Page, Paging},
    sessions::SessionPath,
    wire::{ReportCategory, ReportDecision, ReportSource, ReportState, Time},
    write::{self, Write, answer, expect_session},
};
use crate::{
    domain::{message::Body, report::INTERACTIONS_MAX},
    http::problem::{FieldFault, Path, Problem},
    ids::{InteractionId, ParticipantId, ReportId, ServiceId, SessionId, StaffId},
    relay::{self, NewReport},
    store::{
        reports::{self, Filter, Notes},
        sessions,
    },
};

/// A report of the other side of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    id: ReportId,
    service_id: ServiceId,
    session_id: SessionId,
    /// Who reports the other side.
    reporter_id: ParticipantId,
    /// Their role.
    reporter_role: String,
    source: ReportSource,
    category: ReportCategory,
    /// What it is about; of a report by a text the last calls and texts of the other side.
    interaction_ids: Vec<InteractionId>,
    state: ReportState,
    /// What was decided; null while it is open.
    decision: Option<ReportDecision>,
    /// Who of the support staff took it, or decided it in the console; null for nobody.
    assignee_id: Option<StaffId>,
    /// What the reporter says: in the answer for one alone, until the session is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What whoever decided says: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_note: Option<String>,
    version: i64,
    created_at: Time,
    resolved_at: Option<Time>,
}

/// What somebody reports.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "category": "harassment", "note": "Calls every night.", "block": true }))]
pub(super) struct ReportRequest {
    #[schema(value_type = ReportCategory, required = true)]
    category: Option<ReportCategory>,
    /// What they say of it. It is sealed under the session's key.
    #[schema(min_length = 1, max_length = 2000)]
    note: Option<String>,
    /// Calls and texts of the session that it is about.
    #[schema(value_type = Option<Vec<InteractionId>>, max_items = 20)]
    interaction_ids: Option<Vec<String>>,
    /// Whether nothing is to pass between the two from now on: true by default.
    block: Option<bool>,
}

/// What was decided.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "decision": "blocked", "note": "Third report of this month." }))]
pub(super) struct ReportResolution {
    #[schema(value_type = ReportDecision, required = true)]
    decision: Option<ReportDecision>,
    /// Why. It is sealed under the session's key.
    #[schema(min_length = 1, max_length = 2000)]
    note: Option<String>,
}

/// Which reports are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportFilter {
    /// Of this state.
    #[param(value_type = Option<ReportState>)]
    state: Option<ReportState>,
    /// Of this category.
    #[param(value_type = Option<ReportCategory>)]
    category: Option<ReportCategory>,
    /// Of this session: its id.
    #[param(value_type = Option<SessionId>)]
    session_id: Option<String>,
}

impl From<reports::Report> for Report {
    fn from(one: reports::Report) -> Self {
        Self {
            id: one.id,
            service_id: one.service,
            session_id: one.session,
            reporter_id: one.reporter,
            reporter_role: one.reporter_role,
            source: ReportSource(one.source),
            category: ReportCategory(one.category),
            interaction_ids: one.interactions,
            state: ReportState(one.state),
            decision: one.decision.map(ReportDecision),
            assignee_id: one.assignee,
            note: None,
            decision_note: None,
            version: one.version,
            created_at: Time(one.created_at),
            resolved_at: one.resolved_at.map(Time),
        }
    }
}

impl ReportFilter {
    fn read(&self) -> Result<Filter, Problem> {
        let session = self.session_id.as_deref().map(SessionId::parse).transpose();
        let session = session.map_err(|error| {
            bad_parameters([FieldFault::parameter("session_id", "invalid", error.to_string())])
        })?;
        let (state, category) = (self.state.map(|one| one.0), self.category.map(|one| one.0));
        Ok(Filter { state, session, category })
    }
}

impl ReportRequest {
    fn read(self, faults: &mut Faults) -> Option<NewReport> {
        let category = faults.required(self.category, "/category");
        let mut interactions = Vec::new();
        let named = self.interaction_ids.unwrap_or_default();
        let too_many = named.len() > INTERACTIONS_MAX;
        if too_many {
            let allowed = format!("must have at most {INTERACTIONS_MAX} interactions");
            faults.add("/interaction_ids", "length", allowed);
        }
        for (place, id) in named.iter().enumerate().filter(|_| !too_many) {
            match InteractionId::parse(id) {
                Ok(id) => interactions.push(id),
                Err(error) => {
                    faults.add(format!("/interaction_ids/{place}"), "invalid", error.to_string());
                }
            }
        }
        let new = NewReport {
            category: category?.0,
            note: self.note.map(Body::new),
            interactions,
            block: self.block.unwrap_or(true),
        };
        for fault in new.faults() {
            faults.add(fault.pointer, fault.code, fault.message);
        }
        Some(new)
    }
}

/// Report the other side of a session for one of its people. By default nothing passes between them any more.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/participants/{participant}/report",
    tag = "Reports",
    operation_id = "reportForParticipant",
    request_body = ReportRequest,
    security(("bearer" = ["sessions:write"])),
    responses((status = 201, description = "The report", body = Report)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<ReportRequest>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let new = body.read(&mut faults);
    let new = faults.done(new)?;
    let who = path.participant()?;
    let input = (path, who, new, terms.version);
    api.urgent()
        .write(&caller, terms.key, input, |tx, account, (path, who, new, version)| {
            Box::pin(async move {
                let id = path.find(tx, account).await?;
                if version.is_some() {
                    expect_session(tx, account, &id, *version).await?;
                }
                let report = Report::from(relay::report(tx, account, &id, who, new).await?);
                let location = format!("/api/v1/reports/{}", report.id);
                Ok(answer(StatusCode::CREATED, &report, Some(report.version), Some(location)))
            })
        })
        .await
}

/// Reports, newest first, without what was written of them.
#[utoipa::path(
    get,
    path = "/api/v1/reports",
    tag = "Reports",
    operation_id = "listReports",
    params(ReportFilter, Paging),
    security(("bearer" = ["reports:read"])),
    responses((status = 200, description = "A page of reports", body = Page<Report>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<ReportsRead>,
    listing: Listing<ReportFilter>,
) -> Result<Response, Problem> {
    let filter = listing.filter.read()?;
    let mut tx = api.0.relay.db().read().await?;
    let found = reports::list(&mut tx, &caller.account, &filter, &listing.page()).await?;
    listing.answer(
        &api,
        found,
        |one| one.id.as_str(),
        |rows| Ok(rows.into_iter().map(Report::from).collect()),
    )
}

fn id(text: &str) -> Result<ReportId, Problem> {
    ReportId::parse(text).map_err(|_| not_found("report"))
}

/// One report, with what was written of it.
#[utoipa::path(
    get,
    path = "/api/v1/reports/{report}",
    tag = "Reports",
    operation_id = "getReport",
    security(("bearer" = ["reports:read"])),
    responses((status = 200, description = "The report", body = Report)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<ReportsRead>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id(&named)?;
    let mut tx = api.0.relay.db().read().await?;
    let found = reports::get(&mut tx, &caller.account, &id).await?;
    let mut report = Report::from(found.ok_or_else(|| not_found("report"))?);
    let session = sessions::get(&mut tx, &caller.account, &report.session_id).await?;
    if let Some(session) = session {
        let key = session.data_key(&tx)?;
        let Notes { note, decision_note } =
            reports::notes(&mut tx, &caller.account, &key, &id).await?;
        report.note = note.map(|note| note.expose().to_owned());
        report.decision_note = decision_note.map(|note| note.expose().to_owned());
    }
    Ok(write::read(&headers, &report, &report.version.to_string()))
}

/// Decide a report. With `blocked` nothing passes between the two from then on.
#[utoipa::path(
    post,
    path = "/api/v1/reports/{report}/resolve",
    tag = "Reports",
    operation_id = "resolveReport",
    request_body = ReportResolution,
    security(("bearer" = ["reports:write"])),
    responses((status = 200, description = "The report as it is now", body = Report)),
)]
pub(super) async fn resolve(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<ReportsWrite>,
    Path(named): Path<String>,
    request: Write<ReportResolution>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let decision = faults.required(body.decision, "/decision");
    let decision = faults.done(decision)?.0;
    let input = (id(&named)?, decision, body.note.map(Body::new), terms.version);
    api.urgent()
        .write(&caller, terms.key, input, |tx, account, (id, decision, note, version)| {
            Box::pin(async move {
                let decided = (*decision, note.as_ref());
                let report = relay::resolve_report(tx, account, id, decided, *version).await?;
                let report = Report::from(report);
                Ok(answer(StatusCode::OK, &report, Some(report.version), None))
            })
        })
        .await
}
