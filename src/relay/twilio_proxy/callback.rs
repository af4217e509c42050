//! The callback of a service: told of each interaction and of each change in it.
//!
//! It is an endpoint that the service owns: its deliveries are owed with the event that caused them,
//! tried again, and resent like any other.

use serde_json::Value;

use super::{
    form::{Letter, Parameters, Signer},
    told::{Side, Told, tell},
    words::date,
};
use crate::{
    domain::{event::EventKind, interaction::Outcome, time::Timestamp},
    ids::{AccountId, ServiceId, SessionId},
    relay::{Carriers, Error},
    store::{
        Tx,
        endpoints::{self, Endpoint, EndpointKind, EndpointState, EndpointUrl},
        events::Event,
        interactions, sessions,
    },
};

/// What a callback hears of. Refused ones are none: Twilio has no interaction for them.
pub(in crate::relay) const TOLD: &[EventKind] = &[
    EventKind::MessageReceived,
    EventKind::MessageCreated,
    EventKind::MessageRelayed,
    EventKind::MessageDelivered,
    EventKind::MessageUndelivered,
    EventKind::MessageFailed,
    EventKind::MessageCancelled,
    EventKind::MessageUnknown,
    EventKind::CallReceived,
    EventKind::CallCreated,
    EventKind::CallInitiated,
    EventKind::CallRinging,
    EventKind::CallAnswered,
    EventKind::CallCompleted,
    EventKind::CallMissed,
    EventKind::CallUnknown,
];

/// Makes, changes or ends the endpoint of a service, so that it is where the service's callback is.
pub(in crate::relay) async fn of_service(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    url: &str,
) -> Result<(), Error> {
    let now = tx.now().await?;
    match endpoints::of_callback(tx, account, service).await? {
        None if url.is_empty() => {}
        None => {
            let endpoint = Endpoint {
                id: tx.id_at(now),
                kind: EndpointKind::TwilioProxy,
                service: Some(service.clone()),
                url: EndpointUrl::new(url.to_owned()),
                description: String::new(),
                event_types: TOLD.to_vec(),
                state: EndpointState::Enabled,
                disabled_reason: None,
                disabled_at: None,
                failing_since: None,
                version: 1,
                created_at: now,
                updated_at: now,
            };
            endpoints::insert(tx, account, &endpoint).await?;
        }
        Some(old) if url.is_empty() => {
            endpoints::delete(tx, account, &old.id, old.version, now).await?;
        }
        // Whoever names it again wants it called again.
        Some(old) if old.url.expose() != url || old.state == EndpointState::Disabled => {
            let changed = Endpoint {
                url: EndpointUrl::new(url.to_owned()),
                state: EndpointState::Enabled,
                disabled_reason: None,
                disabled_at: None,
                failing_since: None,
                version: old.version + 1,
                updated_at: now,
                ..old
            };
            endpoints::update(tx, account, &changed).await?;
        }
        Some(_) => {}
    }
    Ok(())
}

/// What an event says to the callback at `address`; `None` if what happened is not there any more.
pub(in crate::relay) async fn letter(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    address: &str,
    event: &Event,
) -> Result<Option<Letter>, Error> {
    let (Some(session), Some(id)) = (&event.session, &event.interaction) else { return Ok(None) };
    let Some(session) = sessions::get(tx, account, session).await? else { return Ok(None) };
    let Some(one) = interactions::get(tx, account, id).await? else { return Ok(None) };
    if one.outcome == Some(Outcome::Refused) {
        return Ok(None);
    }
    let Some(told) = tell(tx, carriers, account, &session, &[one]).await?.into_iter().next() else {
        return Ok(None);
    };
    let signer = Signer::of(tx, account).await?;
    let mut parameters = about(account, (&session.service, &session.id), &told, event.created_at);
    let told = Told { inbound: told.inbound.map(|side| came_at_event(side, event)), ..told };
    inbound(&mut parameters, &told);
    if let Some(side) = &told.outbound {
        let side = at_event(side, event);
        // Before its id is known there is nothing to look up: the next callback has it.
        if side.sid.is_some() {
            outbound(&mut parameters, &told, &side);
        }
    }
    Ok(Some(signer.post(address, &parameters)))
}

/// What a callback says of the interaction itself.
pub(super) fn about(
    account: &AccountId,
    (service, session): (&ServiceId, &SessionId),
    told: &Told,
    updated_at: Timestamp,
) -> Parameters {
    vec![
        ("interactionSid", told.id.to_string()),
        ("interactionType", told.type_word().to_owned()),
        ("interactionData", told.data.clone()),
        ("interactionServiceSid", service.to_string()),
        ("interactionSessionSid", session.to_string()),
        ("interactionAccountSid", account.to_string()),
        ("interactionDateCreated", date(told.created_at)),
        ("interactionDateUpdated", date(updated_at)),
    ]
}

/// What it says of the side that reached us.
pub(super) fn inbound(parameters: &mut Parameters, told: &Told) {
    const NAMES: [&str; 5] = [
        "inboundResourceStatus",
        "inboundResourceType",
        "inboundParticipantSid",
        "inboundResourceSid",
        "inboundResourceUrl",
    ];
    if let Some(side) = &told.inbound {
        of_side(parameters, NAMES, told, side);
    }
}

/// What it says of the side that we reached.
fn outbound(parameters: &mut Parameters, told: &Told, side: &Side) {
    const NAMES: [&str; 5] = [
        "outboundResourceStatus",
        "outboundResourceType",
        "outboundParticipantSid",
        "outboundResourceSid",
        "outboundResourceUrl",
    ];
    of_side(parameters, NAMES, told, side);
}

/// What is not known is left out.
fn of_side(parameters: &mut Parameters, names: [&'static str; 5], told: &Told, side: &Side) {
    let values = [
        Some(side.status.to_owned()),
        Some(told.resource_word().to_ascii_lowercase()),
        side.participant.as_ref().map(ToString::to_string),
        side.sid.clone(),
        side.url.clone(),
    ];
    parameters
        .extend(names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))));
}

/// The side that reached us, as it was when the event happened.
fn came_at_event(side: Side, event: &Event) -> Side {
    let then = match EventKind::parse(&event.kind) {
        Some(EventKind::CallReceived | EventKind::CallInitiated | EventKind::CallRinging) => {
            "ringing"
        }
        Some(EventKind::CallAnswered) => "in-progress",
        _ => side.status,
    };
    Side { status: then, ..side }
}

/// The side that we reached, as it was when the event happened: by the time that its callback goes out, and when that is
/// tried again, more may have happened.
fn at_event(side: &Side, event: &Event) -> Side {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let about_another = data["leg_id"].as_str().is_some_and(|leg| leg != side.leg.as_str());
    let then = match EventKind::parse(&event.kind) {
        Some(EventKind::CallReceived | EventKind::CallCreated | EventKind::CallInitiated) => {
            Some("initiated")
        }
        Some(EventKind::CallRinging) => Some("ringing"),
        Some(EventKind::CallAnswered) => Some("in-progress"),
        Some(EventKind::MessageReceived | EventKind::MessageCreated) => Some("queued"),
        Some(EventKind::MessageRelayed) => Some("sent"),
        _ => None,
    };
    let then = then.filter(|_| !about_another);
    Side { status: then.unwrap_or(side.status), ..side.clone() }
}
