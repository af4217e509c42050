//! Opening a session, or only explaining which numbers it would get.

use std::{collections::BTreeMap, time::Duration};

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, SessionsWrite},
    check,
    input::{Faults, Flag, Object, Params},
    participants::NewParticipant,
    sessions::{Session, shown},
    wire::{Mode, PoolRule, Seconds, Time},
    write::{self, Write},
};
use crate::{
    domain::session,
    http::problem::Problem,
    ids::{NumberId, ServiceId},
    relay::{self, Error, OpenSession, SessionView},
};

/// A session to open.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "service_id": "rides", "unique_name": "order-8812", "ttl_seconds": 172_800,
    "participants": [
        { "role": "buyer", "identifier": "+33639980001", "name": "Ada" },
        { "role": "seller", "identifier": "+33639980002" },
    ],
}))]
pub(super) struct NewSession {
    /// The service's id or unique name.
    #[schema(value_type = String, required = true)]
    service_id: Option<String>,
    /// A name of your own, unique in the service: letters, digits and `._~-:@`.
    #[schema(min_length = 1, max_length = 191)]
    unique_name: Option<String>,
    /// Calls and texts by default.
    mode: Option<Mode>,
    /// How long it lives after its last interaction; 0 for ever; the service's by default.
    ttl_seconds: Option<Seconds>,
    /// When it ends, whatever happens; wins over `ttl_seconds`.
    ends_at: Option<Time>,
    /// Whether its calls may be recorded: `false` never, `true` only where its service records; the service's rule
    /// by default.
    recording: Option<bool>,
    /// At most 50 texts of at most 500 characters under names of at most 40. Telephone numbers are
    /// refused.
    metadata: Option<BTreeMap<String, String>>,
    /// Who is in it.
    #[schema(value_type = Option<Vec<NewParticipant>>, max_items = 20)]
    participants: Option<Vec<Object<NewParticipant>>>,
}

/// How a session is opened.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Opening {
    /// Only explain which numbers would be chosen; nothing is kept.
    #[param(value_type = Option<bool>)]
    dry_run: Option<Flag>,
}

/// What opening a session would have chosen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DryRun {
    dry_run: bool,
    /// In the order in which the participants were given.
    participants: Vec<Choice>,
}

/// A number that would have been chosen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Choice {
    role: String,
    proxy_number: String,
    proxy_number_id: NumberId,
    /// `pinned`, `sticky`, `ring` or `shared`.
    chosen_by: &'static str,
    /// What each rule left of the pool, in order.
    steps: Vec<Step>,
}

/// What one rule left of the pool.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Step {
    rule: PoolRule,
    left: u64,
}

impl NewSession {
    /// What is asked for, but for the service's id; or every fault.
    fn read(
        self,
        mut faults: Faults,
    ) -> Result<(String, impl Fn(ServiceId) -> OpenSession + Send + Sync + 'static), Problem> {
        if let Some(name) = &self.unique_name {
            check::unique_name(&mut faults, name);
        }
        if let Some(ttl) = self.ttl_seconds {
            check::seconds(&mut faults, "/ttl_seconds", ttl.0, 0);
        }
        let metadata = self.metadata.unwrap_or_default();
        check::metadata(&mut faults, &metadata);
        let people = self.participants.unwrap_or_default();
        if people.len() > 20 {
            faults.add("/participants", "length", "must have at most 20 participants");
        }
        let people: Option<Vec<_>> = people
            .into_iter()
            .enumerate()
            .map(|(place, one)| one.0.read(&mut faults, &format!("/participants/{place}")))
            // Each is looked at, so that each fault is found.
            .collect::<Vec<_>>()
            .into_iter()
            .collect();
        let service = faults.required(self.service_id, "/service_id");
        let (service, participants) = faults.done(service.zip(people))?;
        let (unique_name, metadata) = (self.unique_name, json!(metadata).to_string());
        // The service's id is found in the transaction.
        let new = move |service| OpenSession {
            service,
            unique_name: unique_name.clone(),
            mode: self.mode.map_or(session::Mode::VoiceAndMessage, |mode| mode.0),
            ttl: self.ttl_seconds.map(|ttl| Duration::from_secs(ttl.0)),
            date_expiry: self.ends_at.map(|at| at.0),
            recording: self.recording,
            metadata: metadata.clone(),
            participants: participants.clone(),
        };
        Ok((service, new))
    }
}

fn explained(view: &SessionView) -> serde_json::Value {
    let participants = view
        .choices
        .iter()
        .filter_map(|(id, chosen_by, steps)| {
            let one = view.participants.iter().find(|one| one.id == *id)?;
            Some(Choice {
                role: one.role.clone(),
                proxy_number: one.number.as_str().to_owned(),
                proxy_number_id: one.number_id.clone(),
                chosen_by,
                steps: steps
                    .iter()
                    .map(|step| Step { rule: PoolRule(step.rule), left: step.left })
                    .collect(),
            })
        })
        .collect();
    json!(DryRun { dry_run: true, participants })
}

/// Open a session: a proxy number for everybody, or nothing at all.
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    tag = "Sessions",
    operation_id = "createSession",
    params(Opening),
    request_body = NewSession,
    security(("bearer" = ["sessions:write"])),
    responses(
        (status = 201, description = "The session", body = Session),
        (status = 200, description = "With `dry_run`: what would have been chosen", body = DryRun),
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Params(opening): Params<Opening>,
    request: Write<NewSession>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    let (service, new) = body.read(faults)?;
    let dry = opening.dry_run.is_some_and(|flag| flag.0);
    // What is only tried leaves nothing behind, so there is nothing to repeat.
    let key = terms.key.filter(|_| !dry);
    let input = (api.0.relay.clone(), service, new, dry);
    let done = api.perform(&caller, key, input, |tx, account, (relay, service, new, dry)| {
        Box::pin(async move {
            let service = relay::find_service(tx, account, service).await?.id;
            let view = relay::open(tx, account, &new(service)).await?;
            relay::check_gather(tx, account, relay.carriers(), &view).await?;
            relay::check_session_recording(tx, relay.carriers(), account, &view).await?;
            if *dry {
                return Err(Error::DryRun(explained(&view)));
            }
            Ok(shown(StatusCode::CREATED, view, true))
        })
    });
    match done.await {
        Err(Error::DryRun(explanation)) => Ok(write::json(StatusCode::OK, &explanation)),
        done => Ok(api.respond(done?)),
    }
}
