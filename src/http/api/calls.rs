//! Calls that the marketplace asks for (click-to-call).

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, SessionsWrite},
    interactions::{Interaction, begun},
    messages::participant,
    sessions::SessionPath,
    write::{Write, expect_session},
};
use crate::{
    http::problem::{Path, Problem},
    ids::ParticipantId,
    relay,
};

/// A call to place.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "participant_id": "KP019343fd1c3a7e63a1c0bb0f3e9a1d52" }))]
pub(super) struct NewCall {
    /// Whose phone rings first.
    #[schema(value_type = ParticipantId, required = true)]
    participant_id: Option<String>,
}

/// Ring one participant and, once they answer, connect them with the other side.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{session}/calls",
    tag = "Messages and calls",
    operation_id = "placeCall",
    request_body = NewCall,
    security(("bearer" = ["sessions:write"])),
    responses((status = 201, description = "The call, on its way", body = Interaction)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsWrite>,
    Path(path): Path<SessionPath>,
    request: Write<NewCall>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let first = participant(body.participant_id, &mut faults);
    let first = faults.done(first)?;
    let input = (path, first, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (path, first, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            let placed = relay::place_call(tx, account, &id, first).await?;
            begun(tx, account, placed).await
        })
    })
    .await
}
