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
    domain::{media::MEDIA_MAX, message::Body},
    http::problem::{Path, Problem},
    ids::ParticipantId,
    relay::{self, NewText},
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
    /// What it says: 1 to 1,600 characters, or none where there are `media`. Sealed; never given out.
    #[schema(value_type = Option<String>, max_length = 1600)]
    body: Option<String>,
    /// Addresses of at most 10 pictures or files, https and public, that are fetched before it is sent.
    /// They obey the service's rules for `media`. Sealed; never given out.
    #[schema(value_type = Option<Vec<String>>, max_items = 10)]
    media: Option<Vec<String>>,
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
    let (egress, media) = (api.0.relay.egress(), message.media.unwrap_or_default());
    // Too many are told as such, below: a body has room for more than could be judged in time.
    let judged = if media.len() > MEDIA_MAX { &[] } else { &media[..] };
    for (place, address) in judged.iter().enumerate() {
        if let Err(refused) = egress.accept(address) {
            faults.add(format!("/media/{place}"), "not_allowed", refused.to_string());
        }
    }
    let body = match message.body {
        None if media.is_empty() => faults.required(None, "/body"),
        body => Some(Body::new(body.unwrap_or_default())),
    };
    let text = body.map(|body| NewText { body, media });
    for fault in text.iter().flat_map(NewText::faults) {
        faults.add(fault.pointer, fault.code, fault.message);
    }
    let (to, text) = faults.done(to.zip(text))?;
    let input = (path, to, text, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (path, to, text, version)| {
        Box::pin(async move {
            let id = path.find(tx, account).await?;
            expect_session(tx, account, &id, *version).await?;
            let sent = relay::send_to_participant(tx, account, &id, to, text).await?;
            begun(tx, account, sent).await
        })
    })
    .await
}
