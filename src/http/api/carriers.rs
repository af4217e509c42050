//! The carriers that are configured, and how they do.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, NumbersRead},
    paging::Page,
    wire::{CarrierState, Time},
    write,
};
use crate::{
    carrier::capabilities::{Capabilities, Dedupe},
    http::problem::Problem,
    relay::{Configured, HealthReport, Relay, Trouble},
};

/// A configured carrier.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Carrier {
    /// Its id in the settings, which numbers and interactions name.
    id: String,
    /// Which sort it is.
    #[schema(example = "twilio")]
    kind: &'static str,
    /// Whether numbers are given it that say no other.
    default: bool,
    can: Abilities,
    health: Health,
    /// How much of its budget is spent, in percent, of what is nearest its end; null without a budget. At
    /// 100 nothing more is sent.
    budget_used_percent: Option<u64>,
}

/// What a carrier can do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CarrierAbilities)]
pub(super) struct Abilities {
    voice: bool,
    sms: bool,
    mms: bool,
    /// Whether it tells that a text reached the phone.
    receipts: bool,
    /// Whether it can be asked for texts and calls that no webhook told of.
    lists: bool,
    /// Whether it can record calls whose people agreed: begin by API, pause, go on, end.
    recording: bool,
    /// Whether a text whose answer was lost is known for certain: by a key, or by asking.
    resends_safely: bool,
}

/// How a carrier does, as the node sees it that answers: each judges by its own requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CarrierHealth)]
pub(super) struct Health {
    state: CarrierState,
    /// When that began, or the node did.
    since: Time,
    /// What failed within the last minute.
    failures: Failures,
    /// Until when it takes nothing because it said so.
    throttled_until: Option<Time>,
}

/// How often something failed within the last minute.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CarrierFailures)]
pub(super) struct Failures {
    /// There was no connection.
    connect: u32,
    /// There was one, and no answer.
    no_answer: u32,
    /// It said that it is its own fault, or could not be understood.
    server_error: u32,
    /// Our credentials were refused.
    credentials: u32,
    /// It was too much at once.
    throttled: u32,
}

impl From<Vec<(Trouble, u32)>> for Failures {
    fn from(counts: Vec<(Trouble, u32)>) -> Self {
        let mut failures = Self::default();
        for (trouble, count) in counts {
            *match trouble {
                Trouble::Connect => &mut failures.connect,
                Trouble::Silent => &mut failures.no_answer,
                Trouble::Server => &mut failures.server_error,
                Trouble::Credentials => &mut failures.credentials,
                Trouble::Throttled => &mut failures.throttled,
            } = count;
        }
        failures
    }
}

impl From<&Capabilities> for Abilities {
    fn from(can: &Capabilities) -> Self {
        Self {
            voice: can.voice,
            sms: can.sms,
            mms: can.mms,
            receipts: can.receipts,
            lists: can.lists,
            recording: can.recording,
            resends_safely: can.dedupe != Dedupe::None,
        }
    }
}

impl From<HealthReport> for Health {
    fn from(report: HealthReport) -> Self {
        Self {
            state: CarrierState(report.state),
            since: Time(report.since),
            failures: report.failures.into(),
            throttled_until: report.throttled_until.map(Time),
        }
    }
}

fn shown(relay: &Relay, one: &Configured) -> Option<Carrier> {
    Some(Carrier {
        id: one.id.clone(),
        kind: one.kind,
        default: relay.carriers().default_id() == Some(&*one.id),
        can: one.adapter.capabilities().into(),
        health: relay.health().report(&one.id)?.into(),
        budget_used_percent: relay.budget_used(&one.id),
    })
}

/// The carriers, in order of the settings, on one page.
#[utoipa::path(
    get,
    path = "/api/v1/carriers",
    tag = "Carriers",
    operation_id = "listCarriers",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The carriers", body = Page<Carrier>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Granted<NumbersRead>,
) -> Result<Response, Problem> {
    let relay = &api.0.relay;
    let carriers = relay.carriers().iter().filter_map(|one| shown(relay, one)).collect();
    Ok(write::json(StatusCode::OK, &Page::whole(carriers)))
}
