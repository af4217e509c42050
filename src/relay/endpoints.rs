//! Endpoints of a marketplace: made, changed, given new keys, tried out, sent to again.

use std::time::Duration;

use serde_json::json;

use super::{
    error::{Error, Fault},
    signed::new_keys,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        closed_set,
        event::EventKind,
        time::Timestamp,
    },
    ids::{AccountId, EndpointId, EventId, ServiceId},
    store::{
        Tx, audit,
        deliveries::{self, Delivery, DeliveryState, Range},
        endpoints::{
            self, DisabledReason, Endpoint, EndpointKind, EndpointState, EndpointUrl, Keys,
        },
        events,
    },
};

/// How many endpoints an account may have.
pub const ENDPOINTS_MAX: i64 = 20;
/// How many deliveries one request may owe again.
pub const RESENT_MAX: i64 = 1000;
/// How long deliveries are kept after their event, and so how far back they can be owed again.
pub const DELIVERIES_KEPT: Duration = Duration::from_hours(30 * 24);

closed_set! {
    /// Which deliveries of a range are owed again.
    Resend {
        /// Those of which every attempt failed.
        Failed = "failed",
        /// Those that were withdrawn when the endpoint was switched off.
        Cancelled = "cancelled",
        /// Those that were taken.
        Delivered = "delivered",
        /// Those that never were: of events while the endpoint was off, not there yet, or filtered.
        Missing = "missing",
    }
}

/// An endpoint to make.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Its address, checked.
    pub url: EndpointUrl,
    /// The marketplace's own words.
    pub description: String,
    /// Only this service's events.
    pub service: Option<ServiceId>,
    /// Only these types; all if there are none.
    pub event_types: Vec<EventKind>,
    /// Whether it gets events.
    pub enabled: bool,
}

/// An endpoint and the keys that sign what it gets, the newest first.
#[derive(Debug)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its live keys.
    pub keys: Vec<Keys>,
}

/// The endpoint with its keys.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn view_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
) -> Result<EndpointView, Error> {
    let endpoint = find(tx, account, id).await?;
    with_keys(tx, account, endpoint).await
}

/// The same for an endpoint that was read already.
pub async fn with_keys(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: Endpoint,
) -> Result<EndpointView, Error> {
    let now = tx.now().await?;
    let keys = endpoints::live_keys(tx, account, &endpoint.id, now).await?;
    Ok(EndpointView { endpoint, keys })
}

async fn find(tx: &mut Tx, account: &AccountId, id: &EndpointId) -> Result<Endpoint, Error> {
    endpoints::get(tx, account, id).await?.ok_or(Error::NotFound("endpoint"))
}

/// Refuses what only an endpoint of the marketplace's own has: a service's callback is changed with its
/// service.
fn own(endpoint: &Endpoint) -> Result<(), Error> {
    match endpoint.kind {
        EndpointKind::Webhook => Ok(()),
        EndpointKind::TwilioProxy => Err(Error::EndpointOwned),
    }
}

async fn find_enabled(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    version: Option<i64>,
) -> Result<Endpoint, Error> {
    let endpoint = find(tx, account, id).await?;
    if version.is_some_and(|version| version != endpoint.version) {
        return Err(Error::VersionMismatch);
    }
    if endpoint.state == EndpointState::Enabled {
        Ok(endpoint)
    } else {
        Err(Error::EndpointDisabled)
    }
}

/// Makes an endpoint with keys of its own.
///
/// # Errors
/// [`Error::EndpointLimit`].
pub async fn create_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewEndpoint,
) -> Result<EndpointView, Error> {
    if endpoints::count_locked(tx, account).await? >= ENDPOINTS_MAX {
        return Err(Error::EndpointLimit);
    }
    let now = tx.now().await?;
    let mut endpoint = Endpoint {
        id: tx.id_at(now),
        kind: EndpointKind::Webhook,
        service: new.service.clone(),
        url: new.url.clone(),
        description: new.description.clone(),
        event_types: new.event_types.clone(),
        state: EndpointState::Enabled,
        disabled_reason: None,
        disabled_at: None,
        failing_since: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    switch(&mut endpoint, new.enabled, now);
    endpoints::insert(tx, account, &endpoint).await?;
    let keys = new_keys(tx)?;
    endpoints::add_keys(tx, account, &endpoint.id, &keys, now, now).await?;
    let entry = Entry::new(Action::EndpointCreated, endpoint.id.as_str());
    audit::append(tx, account, entry.with(Detail::Secret, "made")).await?;
    with_keys(tx, account, endpoint).await
}

/// Switches an endpoint on or off for its owner. On again it starts with a clean sheet.
fn switch(endpoint: &mut Endpoint, enabled: bool, now: Timestamp) {
    match (endpoint.state, enabled) {
        (EndpointState::Enabled, false) => {
            endpoint.state = EndpointState::Disabled;
            endpoint.disabled_reason = Some(DisabledReason::Api);
            endpoint.disabled_at = Some(now);
        }
        (EndpointState::Disabled, true) => {
            endpoint.state = EndpointState::Enabled;
            endpoint.disabled_reason = None;
            endpoint.disabled_at = None;
            endpoint.failing_since = None;
        }
        _ => {}
    }
}

/// What may change in an endpoint; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateEndpoint {
    /// Its address, checked.
    pub url: Option<EndpointUrl>,
    /// The marketplace's own words.
    pub description: Option<String>,
    /// Only this service's events, or all.
    pub service: Option<Option<ServiceId>>,
    /// Only these types; all if there are none.
    pub event_types: Option<Vec<EventKind>>,
    /// Whether it gets events.
    pub enabled: Option<bool>,
}

/// Changes an endpoint.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointOwned`].
pub async fn update_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    change: &UpdateEndpoint,
    version: Option<i64>,
) -> Result<EndpointView, Error> {
    let (before, after) = change_endpoint(tx, account, id, change, version).await?;
    let mut names = Vec::new();
    for (changed, name) in [
        (before.url != after.url, "url"),
        (before.description != after.description, "description"),
        (before.service != after.service, "service_id"),
        (before.event_types != after.event_types, "event_types"),
        (before.state != after.state, "enabled"),
    ] {
        names.extend(changed.then_some(name));
    }
    let entry = Entry::new(Action::EndpointUpdated, id.as_str()).changed(names);
    audit::append(tx, account, entry).await?;
    with_keys(tx, account, after).await
}

/// The change alone; what it was and what it is.
async fn change_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    change: &UpdateEndpoint,
    version: Option<i64>,
) -> Result<(Endpoint, Endpoint), Error> {
    let before = find(tx, account, id).await?;
    let mut endpoint = before.clone();
    if version.is_some_and(|version| version != endpoint.version) {
        return Err(Error::VersionMismatch);
    }
    if change.url.is_some() || change.service.is_some() || change.event_types.is_some() {
        own(&endpoint)?;
    }
    let now = tx.now().await?;
    if let Some(url) = &change.url {
        endpoint.url.clone_from(url);
    }
    if let Some(description) = &change.description {
        endpoint.description.clone_from(description);
    }
    if let Some(service) = &change.service {
        endpoint.service.clone_from(service);
    }
    if let Some(types) = &change.event_types {
        endpoint.event_types.clone_from(types);
    }
    if let Some(enabled) = change.enabled {
        switch(&mut endpoint, enabled, now);
    }
    endpoint.version += 1;
    endpoint.updated_at = now;
    if !endpoints::update(tx, account, &endpoint).await? {
        return Err(Error::VersionMismatch);
    }
    Ok((before, endpoint))
}

/// Deletes an endpoint: nothing is sent to it any more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointOwned`].
pub async fn delete_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    version: Option<i64>,
) -> Result<(), Error> {
    let endpoint = find(tx, account, id).await?;
    own(&endpoint)?;
    let now = tx.now().await?;
    let seen = version.unwrap_or(endpoint.version);
    if !endpoints::delete(tx, account, id, seen, now).await? {
        return Err(Error::VersionMismatch);
    }
    Ok(audit::append(tx, account, Entry::new(Action::EndpointDeleted, id.as_str())).await?)
}

/// Gives an endpoint new keys. The ones before them sign as well for `overlap`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointOwned`].
pub async fn rotate_keys(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    overlap: Duration,
    version: Option<i64>,
) -> Result<EndpointView, Error> {
    own(&find(tx, account, id).await?)?;
    // As a change of the endpoint, so that two rotations at once are one.
    let nothing = UpdateEndpoint::default();
    let (_, endpoint) = change_endpoint(tx, account, id, &nothing, version).await?;
    let now = tx.now().await?;
    let keys = new_keys(tx)?;
    endpoints::add_keys(tx, account, id, &keys, now + overlap, now).await?;
    let entry = Entry::new(Action::EndpointKeysRotated, id.as_str());
    audit::append(tx, account, entry).await?;
    with_keys(tx, account, endpoint).await
}

/// Sends an endpoint an event that only says that it does.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointDisabled`],
/// [`Error::EndpointOwned`].
pub async fn ping_endpoint(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    version: Option<i64>,
) -> Result<Delivery, Error> {
    own(&find_enabled(tx, account, id, version).await?)?;
    let now = tx.now().await?;
    let data = json!({ "endpoint_id": id }).to_string();
    let event = events::insert_for(tx, account, id, EventKind::EndpointPing, &data, now).await?;
    delivery(tx, account, id, &event).await
}

async fn delivery(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
) -> Result<Delivery, Error> {
    deliveries::get(tx, account, endpoint, event).await?.ok_or(Error::NotFound("delivery"))
}

/// Owes one delivery again, from the beginning of the schedule.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointDisabled`], [`Error::DeliveryUnderWay`].
pub async fn resend(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
    version: Option<i64>,
) -> Result<Delivery, Error> {
    find_enabled(tx, account, endpoint, version).await?;
    delivery(tx, account, endpoint, event).await?;
    let now = tx.now().await?;
    if !deliveries::again(tx, account, endpoint, event, now).await? {
        return Err(Error::DeliveryUnderWay);
    }
    delivery(tx, account, endpoint, event).await
}

/// A window of events whose deliveries are owed again.
#[derive(Debug, Clone, Copy)]
pub struct ResendRange {
    /// Of events from this instant on, [`DELIVERIES_KEPT`] ago at most,
    pub from: Timestamp,
    /// and before this one; now by default.
    pub before: Option<Timestamp>,
    /// Which of them.
    pub which: Resend,
}

impl Resend {
    /// The state of such deliveries; nothing for those that never were.
    const fn state(self) -> Option<DeliveryState> {
        match self {
            Self::Failed => Some(DeliveryState::Failed),
            Self::Cancelled => Some(DeliveryState::Cancelled),
            Self::Delivered => Some(DeliveryState::Delivered),
            Self::Missing => None,
        }
    }
}

impl ResendRange {
    /// Between which events, if it may be so.
    fn ids(&self, now: Timestamp) -> Result<(EventId, EventId), Error> {
        let before = self.before.unwrap_or(now);
        if now.since(self.from) > DELIVERIES_KEPT {
            let allowed = "must be within the last 30 days";
            return Err(Error::Invalid(vec![Fault::new("/from", "too_old", allowed)]));
        }
        if before <= self.from {
            let allowed = "must be later than `from`";
            return Err(Error::Invalid(vec![Fault::new("/before", "range", allowed)]));
        }
        Ok((EventId::first_of(self.from), EventId::first_of(before)))
    }
}

/// Owes deliveries of events in a window again; how many, [`RESENT_MAX`] at most.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EndpointDisabled`], [`Error::Invalid`].
pub async fn resend_range(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    range: &ResendRange,
    version: Option<i64>,
) -> Result<u64, Error> {
    find_enabled(tx, account, endpoint, version).await?;
    let now = tx.now().await?;
    let (from, before) = range.ids(now)?;
    let ids = Range { from: &from, before: &before, limit: RESENT_MAX };
    let count = match range.which.state() {
        Some(state) => deliveries::range_again(tx, account, endpoint, state, &ids, now).await?,
        None => deliveries::owe_missing(tx, account, endpoint, &ids, now).await?,
    };
    Ok(count)
}

/// As [`resend`], for somebody of the staff: the audit log says who did it.
///
/// # Errors
/// Those of [`resend`].
pub async fn resend_for_staff(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
) -> Result<Delivery, Error> {
    let sent = resend(tx, account, endpoint, event, None).await?;
    let entry = Entry::new(Action::EndpointResent, endpoint.as_str());
    audit::append(tx, account, entry.with(Detail::Event, event.as_str())).await?;
    Ok(sent)
}

/// As [`resend_range`], for somebody of the staff: the audit log says who did it.
///
/// # Errors
/// Those of [`resend_range`].
pub async fn replay_for_staff(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    range: &ResendRange,
) -> Result<u64, Error> {
    let count = resend_range(tx, account, endpoint, range, None).await?;
    let entry = Entry::new(Action::EndpointResent, endpoint.as_str())
        .with(Detail::Kind, range.which.as_str())
        .with(Detail::Count, count.to_string());
    audit::append(tx, account, entry).await?;
    Ok(count)
}

/// How many deliveries [`resend_range`] would owe again, [`RESENT_MAX`] at most; and whether there are more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::EndpointDisabled`], [`Error::Invalid`].
pub async fn count_resent(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    range: &ResendRange,
) -> Result<(i64, bool), Error> {
    find_enabled(tx, account, endpoint, None).await?;
    let now = tx.now().await?;
    let (from, before) = range.ids(now)?;
    let ids = Range { from: &from, before: &before, limit: RESENT_MAX + 1 };
    let count = match range.which.state() {
        Some(state) => deliveries::count_range(tx, account, endpoint, state, &ids).await?,
        None => deliveries::count_missing(tx, account, endpoint, &ids).await?,
    };
    Ok((count.min(RESENT_MAX), count > RESENT_MAX))
}
