//! The people of a session: they come, leave and block. Their numbers go in and never come out.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, SessionsWrite},
    check,
    error::exhausted,
    input::Faults,
    sessions::{Session, SessionPath, shown},
    wire::{PinUse, Time},
    write::{Nothing, Write, answer, expect_session, nothing},
};
use crate::{
    domain::{
        assurance::{CHOSEN_DIGITS, Pin},
        phone::Identifier,
    },
    http::problem::{Path, Problem},
    ids::{NumberId, ParticipantId},
    relay::{self, AddParticipant, Caller, Error, PinWanted},
    store::participants,
};

/// One person in a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participant {
    id: ParticipantId,
    /// The same role is the same side.
    role: String,
    /// What you call them.
    name: Option<String>,
    /// Their number, masked: calling code, dots, and four characters that are the same for the same
    /// person in your account.
    #[schema(example = "+33••••a1f0")]
    masked: String,
    /// The calling code of their number.
    calling_code: Option<u16>,
    /// What their PIN opens: `alone` their session, from any telephone that the service lets; `beside` the same,
    /// where they show their own number. Null if they have none.
    pin_use: Option<PinUse>,
    /// The PIN that was just made for them: in the answer that made it, and never again. Tell nobody but them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "48213907")]
    pin: Option<String>,
    /// The number that this person dials and sees.
    #[schema(example = "+33937000001")]
    proxy_number: String,
    proxy_number_id: NumberId,
    /// When they left.
    removed_at: Option<Time>,
    created_at: Time,
}

/// Somebody to add to a session.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "seller", "identifier": "+33639980002", "name": "Grace" }))]
pub(super) struct NewParticipant {
    /// Their real number, in E.164. It is sealed and never given out.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    identifier: Option<String>,
    /// A session has at most two roles: people of one role are one side.
    #[schema(value_type = String, required = true, pattern = "^[a-z][a-z0-9_]{0,31}$")]
    role: Option<String>,
    /// What you call them.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// `auto` for a PIN of ours, which the answer shows once, or 4 to 8 digits of your own, good beside their
    /// own number only: see docs/assurance.md.
    #[schema(pattern = "^(auto|[0-9]{4,8})$")]
    pin: Option<String>,
    /// The proxy number that they are to have; one that fits is chosen by default.
    #[schema(value_type = Option<NumberId>)]
    proxy_number_id: Option<String>,
}

impl Participant {
    pub(super) fn new(one: participants::Participant, name: Option<String>) -> Self {
        Self {
            masked: one.masked(),
            id: one.id,
            role: one.role,
            // The Twilio Proxy API takes any name; a number does not leave here.
            name: name.filter(|name| !check::is_number(name)),
            calling_code: one.calling_code,
            pin_use: one.pin.map(PinUse),
            pin: None,
            proxy_number: one.number.as_str().to_owned(),
            proxy_number_id: one.number_id,
            removed_at: one.removed_at.map(Time),
            created_at: Time(one.created_at),
        }
    }
}

impl Participant {
    /// The same with a PIN that was just made.
    pub(super) fn with_pin(self, pin: Option<&Pin>) -> Self {
        Self { pin: pin.map(|pin| pin.expose().to_owned()), ..self }
    }
}

impl NewParticipant {
    /// What is asked for; `None` where a fault says why. `at` is the pointer of the person.
    pub(super) fn read(self, faults: &mut Faults, at: &str) -> Option<AddParticipant> {
        let pointer = format!("{at}/identifier");
        let identifier = faults.required(self.identifier, &pointer).and_then(|text| {
            let number = Identifier::parse(&text);
            number.map_err(|error| faults.add(pointer, "e164", error.to_string())).ok()
        });
        let pointer = format!("{at}/role");
        let role = faults.required(self.role, &pointer);
        if let Some(role) = &role {
            check::role(faults, &pointer, role);
        }
        if let Some(name) = &self.name {
            check::name(faults, &format!("{at}/name"), name);
        }
        let pin = match &self.pin {
            None => PinWanted::IfNeeded,
            Some(text) => read_pin(faults, &format!("{at}/pin"), text),
        };
        let number = match self.proxy_number_id.map(|text| NumberId::parse(&text)) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(error)) => {
                faults.add(format!("{at}/proxy_number_id"), "invalid", error.to_string());
                None
            }
        };
        let (role, name) = (Some(role?), self.name);
        Some(AddParticipant { identifier: identifier?, role, name, number, pin })
    }
}

/// `auto` or digits; a fault for anything else.
pub(super) fn read_pin(faults: &mut Faults, pointer: &str, text: &str) -> PinWanted {
    let [least, most] = CHOSEN_DIGITS;
    match Pin::parse(text) {
        _ if text == "auto" => PinWanted::Ours,
        Some(pin) if (least..=most).contains(&text.len()) => PinWanted::Chosen(pin),
        _ => {
            faults.add(pointer, "pin", "must be auto, or 4 to 8 digits");
            PinWanted::IfNeeded
        }
    }
}

/// What a session's error means for one person who was to join it.
fn alone(error: Error) -> Problem {
    match error {
        Error::PoolExhausted(why) => exhausted(&why, String::new()),
        Error::Invalid(mut faults) => {
            for fault in &mut faults {
                fault.pointer = match fault.pointer.strip_prefix("/participants/0") {
                    Some(rest) => rest.to_owned(),
                    None if fault.pointer == "/participants" => "/role".to_owned(),
                    None => std::mem::take(&mut fault.pointer),
                };
            }
            Error::Invalid(faults).into()
        }
        other => other.into(),
    }
}

/// Add somebody to a session.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/participants",
    tag = "Participants",
    operation_id = "addParticipant",
    request_body = NewParticipant,
    security(("bearer" = ["sessions:write"])),
    responses((status = 201, description = "The session as it is now", body = Session)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<NewParticipant>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let new = body.read(&mut faults, "");
    let new = faults.done(new)?;
    let input = (api.0.relay.clone(), path, new, terms.version);
    let done =
        api.perform(&caller, terms.key, input, |tx, account, (relay, path, new, version)| {
            Box::pin(async move {
                let id = path.find(tx, account).await?;
                expect_session(tx, account, &id, *version).await?;
                let (view, _) = relay::add_participant(tx, account, &id, new).await?;
                relay::check_gather(tx, account, relay.carriers(), &view).await?;
                relay::check_session_recording(tx, relay.carriers(), account, &view).await?;
                Ok(shown(StatusCode::CREATED, view, true))
            })
        });
    done.await.map(|answer| api.respond(answer)).map_err(alone)
}

/// Take somebody out of a session. Their number goes into quarantine for them.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{session}/participants/{participant}",
    tag = "Participants",
    operation_id = "removeParticipant",
    security(("bearer" = ["sessions:write"])),
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub(super) async fn remove(
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
                let view = relay::remove_participant(tx, account, &id, who).await?;
                let session = Session::from(view);
                Ok(answer(StatusCode::OK, &session, Some(session.version()), None))
            })
        })
        .await
}

/// Let nothing pass between this person and the other side of this session, either way, in any session of the
/// account: no calls, no texts.
#[utoipa::path(
    put,
    path = "/api/v1/sessions/{session}/participants/{participant}/block",
    tag = "Participants",
    operation_id = "blockForParticipant",
    security(("bearer" = ["sessions:write"])),
    responses((status = 204, description = "Blocked")),
)]
pub(super) async fn block(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    set_block(&api.urgent(), &caller, path, request, true).await
}

/// End such a block.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{session}/participants/{participant}/block",
    tag = "Participants",
    operation_id = "unblockForParticipant",
    security(("bearer" = ["sessions:write"])),
    responses((status = 204, description = "Not blocked any more")),
)]
pub(super) async fn unblock(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    set_block(&api, &caller, path, request, false).await
}

async fn set_block(
    api: &Api,
    caller: &Caller,
    path: SessionPath,
    request: Write<Nothing>,
    blocked: bool,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let who = path.participant()?;
    let input = (path, who, terms.version, blocked);
    api.write(caller, terms.key, input, |tx, account, (path, who, version, blocked)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            relay::set_block(tx, account, &id, who, *blocked).await?;
            Ok(nothing())
        })
    })
    .await
}
