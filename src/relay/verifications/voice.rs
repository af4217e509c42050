//! Calls that say a code: placed like any other, and ended once it was said twice.
//!
//! Nobody tells a machine from a person: an answering machine hears the code too, and so does whoever listens
//! to it.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    carrier::{
        outbound::OutboundCall,
        plan::{Answer, Plan, Prompt},
    },
    domain::{call::CallState, interaction::Reason, phone::Identifier, verification},
    relay::{
        abuse,
        calls::{self, Live, dialled},
        error::Error,
        messages,
    },
    store::{
        self, Tx, interactions, numbers,
        outbox::{self, Entry, OutboxState},
        services, verifications,
    },
};

/// Longer than the longest that is said.
const CALL_MAX: Duration = Duration::from_mins(2);

/// What the outbox holds of a call to somebody in no session.
#[derive(Deserialize)]
struct Payload {
    to: String,
}

/// Claims a call that says a code, if the code is still good.
pub(in crate::relay) async fn claim_call(
    tx: &mut Tx,
    entry: &Entry,
    lease: Duration,
) -> Result<Option<(Entry, OutboundCall)>, Error> {
    let Some(live) = calls::live(tx, &entry.carrier, &entry.leg).await? else {
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(None);
    };
    let Some(entry) = outbox::claim(tx, entry, live.now, live.now + lease).await? else {
        return Ok(None);
    };
    let Live { account, leg, now, .. } = live;
    let bad = || store::Error::Inconsistent { table: "outbox", column: "payload" };
    let payload: Payload =
        serde_json::from_str(&outbox::payload(tx, &entry).await?).map_err(|_| bad())?;
    let to = Identifier::parse(&payload.to).map_err(|_| bad())?;
    let good = verifications::spoken(tx, &account, &leg.id).await?.is_some();
    let shown = numbers::is_at(tx, &account, &leg.number, &entry.carrier).await?;
    let interaction = interactions::get_any(tx, &account, &leg.interaction).await?;
    let service = interaction.and_then(|one| one.service).ok_or(Error::NotFound("service"))?;
    let service = services::get_any(tx, &account, &service).await?;
    let rules = service.ok_or(Error::NotFound("service"))?.rules;
    // A call is never placed twice: a second claim means that the first worker was lost.
    let reason = if entry.attempts > 1 || leg.state != CallState::Queued.as_str() {
        Some(Reason::CarrierUnknown)
    } else if !good || now >= entry.valid_until {
        Some(Reason::TooLate)
    } else if !shown {
        Some(Reason::CarrierConfig)
    } else if messages::unwanted_on(tx, &account, &leg, &to).await? {
        Some(Reason::RecipientOptedOut)
    } else {
        // The lists of countries may have changed since it was asked for.
        abuse::gate(tx, &rules, &to).err()
    };
    if let Some(reason) = reason {
        calls::cancel_placed(tx, &account, leg, reason, now).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(None);
    }
    let call = OutboundCall {
        leg: leg.id.clone(),
        from: leg.number.clone(),
        to,
        ring_timeout: rules.ring_timeout,
        duration_max: CALL_MAX,
    };
    dialled(tx, &account, leg, now).await?;
    Ok(Some((entry, call)))
}

/// What a call of ours to somebody in no session says: its code, if that is still good. The same however
/// often it is asked.
pub(in crate::relay) async fn answered(tx: &mut Tx, live: &Live) -> Result<Answer, Error> {
    let hangup = Answer::Plan(Plan::Hangup);
    let account = &live.account;
    let Some(id) = verifications::of_leg(tx, account, &live.leg.id).await? else {
        return Ok(hangup);
    };
    let Some(one) = verifications::get(tx, account, &id).await? else { return Ok(hangup) };
    let code = verifications::spoken(tx, account, &live.leg.id).await?;
    let Some(code) = code.filter(|_| live.now < one.expires_at) else { return Ok(hangup) };
    let service = services::get_any(tx, account, &one.service).await?;
    let brand = service.map(|service| service.rules.brand).unwrap_or_default();
    let text = verification::speech(&brand, &one.language, &code);
    Ok(Answer::Plan(Plan::Announce(Prompt { text, language: one.language })))
}
