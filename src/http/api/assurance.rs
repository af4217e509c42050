//! How sure a service must be of who calls, as the API shows and sets it, and participants' PINs.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, SessionsWrite},
    input::Patch,
    participants::read_pin,
    service_settings::set,
    sessions::{Session, SessionPath},
    wire::Treatment,
    write::{Nothing, Write, answer, expect_session},
};
use crate::{
    domain::assurance::AssuranceRules,
    http::problem::{Path, Problem},
    relay,
};

/// What becomes of a call by what the network says of the number that its caller shows (STIR/SHAKEN).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttestationRules {
    /// The caller's carrier knows them and their right to the number.
    a: Treatment,
    /// It knows them, and not whether the number is theirs.
    b: Treatment,
    /// It only took the call on from elsewhere.
    c: Treatment,
    /// What was signed does not hold.
    failed: Treatment,
    /// Nothing was signed, or the carrier does not tell.
    none: Treatment,
}

/// The same, as it is set. `null` goes back to `pass`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "failed": "pin", "c": "press_one" }))]
pub(super) struct AttestationSettings {
    #[schema(value_type = Option<Treatment>)]
    #[serde(default)]
    a: Patch<Treatment>,
    #[schema(value_type = Option<Treatment>)]
    #[serde(default)]
    b: Patch<Treatment>,
    #[schema(value_type = Option<Treatment>)]
    #[serde(default)]
    c: Patch<Treatment>,
    #[schema(value_type = Option<Treatment>)]
    #[serde(default)]
    failed: Patch<Treatment>,
    #[schema(value_type = Option<Treatment>)]
    #[serde(default)]
    none: Patch<Treatment>,
}

impl From<AssuranceRules> for AttestationRules {
    fn from(rules: AssuranceRules) -> Self {
        Self {
            a: Treatment(rules.a),
            b: Treatment(rules.b),
            c: Treatment(rules.c),
            failed: Treatment(rules.failed),
            none: Treatment(rules.none),
        }
    }
}

impl AttestationSettings {
    /// Writes what was named into `rules`.
    pub(super) fn apply(&self, rules: &mut AssuranceRules) {
        let usual = AssuranceRules::default();
        set(&self.a, &usual.a, &mut rules.a, |one| one.0);
        set(&self.b, &usual.b, &mut rules.b, |one| one.0);
        set(&self.c, &usual.c, &mut rules.c, |one| one.0);
        set(&self.failed, &usual.failed, &mut rules.failed, |one| one.0);
        set(&self.none, &usual.none, &mut rules.none, |one| one.0);
    }

    /// Writes the defaults into `rules`.
    pub(super) fn reset(rules: &mut AssuranceRules) {
        let AssuranceRules { a, b, c, failed, none, .. } = AssuranceRules::default();
        *rules = AssuranceRules { a, b, c, failed, none, ..*rules };
    }
}

/// The PIN that a participant is to have.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pin": "auto" }))]
pub(super) struct PinChange {
    /// `auto` for one of ours, which the answer shows once, or 4 to 8 digits of your own, good beside their own
    /// number only.
    #[schema(value_type = String, required = true, pattern = "^(auto|[0-9]{4,8})$")]
    pin: Option<String>,
}

/// Give a participant a PIN, in place of the one that they had. One of ours is in the answer, and never again.
#[utoipa::path(
    put,
    path = "/api/v1/sessions/{session}/participants/{participant}/pin",
    tag = "Participants",
    operation_id = "setParticipantPin",
    request_body = PinChange,
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn set_pin(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<PinChange>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let text = faults.required(body.pin, "/pin");
    let wanted = text.map(|text| read_pin(&mut faults, "/pin", &text));
    let wanted = faults.done(wanted)?;
    let who = path.participant()?;
    let input = (api.0.relay.clone(), path, who, wanted, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (relay, path, who, wanted, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            let view = relay::set_pin(tx, account, &id, who, wanted).await?;
            relay::check_gather(tx, account, relay.carriers(), &view).await?;
            let session = Session::from(view);
            Ok(answer(StatusCode::OK, &session, Some(session.version()), None))
        })
    })
    .await
}

/// Take a participant's PIN away.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{session}/participants/{participant}/pin",
    tag = "Participants",
    operation_id = "removeParticipantPin",
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn remove_pin(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let who = path.participant()?;
    let input = (path, who, terms.version);
    api.urgent()
        .write(&caller, terms.key, input, |tx, account, (path, who, version)| {
            Box::pin(async move {
                let id = path.find(tx, account).await?;
                expect_session(tx, account, &id, *version).await?;
                let view = relay::remove_pin(tx, account, &id, who).await?;
                let session = Session::from(view);
                Ok(answer(StatusCode::OK, &session, Some(session.version()), None))
            })
        })
        .await
}
