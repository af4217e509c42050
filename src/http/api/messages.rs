//! Texts that the marketplace sends to one participant, through the mask.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, SessionsWrite},
    input::Faults,
    interactions::{Interaction, begun},
    sessions::SessionPath,
    write::{Write, expect_session},
};
use crate::{
    domain::message::{BODY_CHARS_MAX, Body},
    http::problem::{Path, Problem},
    ids::ParticipantId,
    relay,
};

/// A text to send.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "participant_id": "KP019343fd1c3a7e63a1c0bb0f3e9a1d52", "body": "Your driver is near.",
}))]
pub(super) struct NewMessage {
    /// Who gets it.
    #[schema(value_type = ParticipantId, required = true)]
    participant_id: Option<String>,
    /// What it says. Sealed; never given out.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 1600)]
    body: Option<String>,
}

/// A participant that a body names.
pub(super) fn participant(text: Option<String>, faults: &mut Faults) -> Option<ParticipantId> {
    let text = faults.required(text, "/participant_id")?;
    let id = ParticipantId::parse(&text);
    id.map_err(|error| faults.add("/participant_id", "invalid", error.to_string())).ok()
}

/// Send a text to one participant. They see it come from their proxy number.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/messages",
    tag = "Messages and calls",
    operation_id = "sendMessage",
    request_body = NewMessage,
    security(("bearer" = ["sessions:write"])),
    responses((status = 201, description = "The text, on its way", body = Interaction)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<NewMessage>,
) -> Result<Response, Problem> {
    let Write { body: message, mut faults, terms } = request;
    let to = participant(message.participant_id, &mut faults);
    let body = faults.required(message.body, "/body").map(Body::new);
    if body.as_ref().is_some_and(|body| body.is_empty() || body.chars() > BODY_CHARS_MAX) {
        let allowed = format!("must have 1 to {BODY_CHARS_MAX} characters");
        faults.add("/body", "length", allowed);
    }
    let (to, body) = faults.done(to.zip(body))?;
    let input = (path, to, body, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (path, to, body, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            let sent = relay::send_to_participant(tx, account, &id, to, body).await?;
            begun(tx, account, sent).await
        })
    })
    .await
}
