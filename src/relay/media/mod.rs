//! Pictures and files of texts: wanted with the text, fetched before it is sent, offered to the
//! recipient's carrier at an address of ours, and forgotten.
//!
//! Nothing is fetched inside a transaction, and nothing before the carrier has its 2xx. A worker that
//! claims a text whose files are not here yet gets [`Error::Fetch`]: it leaves the transaction, fetches
//! ([`fetch`]), notes what came of it and claims again, so that a close in between wins (I3).

mod address;
mod fetch;
mod forget;

pub(super) use address::{Room, sealed_as, token};

pub use address::Offered;
pub(super) use fetch::{Miss, Places};

use std::time::Duration;

use serde_json::json;

use super::{
    carriers::{Carriers, Configured},
    error::Error,
};
use crate::{
    domain::{
        event::EventKind,
        media::{MEDIA_MAX, MediaRefusal},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, SessionId, hex},
    store::{
        Tx,
        events::{self, Place},
        interactions,
        legs::Leg,
        media::{self, MediaState, Medium, NewMedium, Purpose},
        numbers::{self, Number},
        outbox::Entry,
        sessions::Session,
    },
    telemetry::metrics,
};

/// How long after a text came its files are offered: as long as it is worth sending, and then as long as
/// carriers may take to fetch them.
const OFFERED: Duration = Duration::from_hours(4);

/// Where the files of a text lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// At which carrier; `None` where the marketplace named the addresses.
    pub(super) carrier: Option<&'a str>,
    /// The addresses.
    pub(super) addresses: &'a [String],
}

/// How many, as the database counts.
pub(super) fn count(files: usize) -> i64 {
    i64::try_from(files).unwrap_or(i64::MAX)
}

/// Whose files they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) account: &'a AccountId,
    pub(super) session: &'a SessionId,
    pub(super) interaction: &'a InteractionId,
}

/// Wants the files of a text: the first ten.
pub(super) async fn want(
    tx: &mut Tx,
    owner: Owner<'_>,
    session: &Session,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    if wanted.addresses.is_empty() {
        return Ok(());
    }
    let key = session.data_key(tx)?;
    for (position, address) in (0..).zip(wanted.addresses.iter().take(MEDIA_MAX)) {
        let mut random = [0; 16];
        tx.random(&mut random);
        let new = NewMedium {
            interaction: owner.interaction,
            purpose: Purpose::File,
            seconds: None,
            session: owner.session,
            position,
            carrier: wanted.carrier,
            address,
            object: &hex(&random),
            now,
            expires_at: now + OFFERED,
        };
        media::insert(tx, owner.account, &key, &new).await?;
    }
    Ok(())
}

/// Notes that files of a text were not passed on, and tells the marketplace; `role` is whose they were,
/// or who can't be sent any.
pub(super) async fn refused(
    tx: &mut Tx,
    owner: Owner<'_>,
    reasons: &[MediaRefusal],
    role: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    if reasons.is_empty() {
        return Ok(());
    }
    let Owner { account, session, interaction } = owner;
    interactions::refuse_media(tx, account, interaction, count(reasons.len()), now).await?;
    let data = json!({
        "count": reasons.len(), "role": role,
        "reasons": reasons.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
    });
    let place = Place { service: None, session: Some(session), interaction: Some(interaction) };
    events::insert(tx, account, EventKind::MediaRefused, place, &data.to_string(), now).await?;
    let reasons = reasons.to_vec();
    tx.on_commit(move || {
        for reason in &reasons {
            metrics::media(reason.as_str());
        }
    });
    Ok(())
}

/// What a recipient's carrier is offered of a text's files.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// Our addresses.
    pub(super) addresses: Vec<String>,
    /// Whether none is offered since the recipient could take none.
    pub(super) unable: bool,
}

/// Whether files can be sent from a number by that carrier.
pub(super) fn takes_files(carriers: &Carriers, carrier: &str, number: &Number) -> bool {
    let able = |one: &Configured| one.adapter.capabilities().mms;
    number.capabilities.mms && carriers.get(carrier).is_some_and(able)
}

/// Notes of a text that was tried before by a number that takes files, `from` a carrier, that the one that
/// it goes out by now takes none: whoever tries it again finds that told.
pub(super) async fn readdressed(
    tx: &mut Tx,
    carriers: &Carriers,
    entry: &Entry,
    leg: &Leg,
    to: (&str, &Number),
) -> Result<(), Error> {
    let Some(session) = entry.session.as_ref().filter(|_| entry.attempts > 0) else {
        return Ok(());
    };
    let before = numbers::owner(tx, &leg.number).await?;
    let could = before.is_some_and(|(_, number)| takes_files(carriers, &entry.carrier, &number));
    if !could || takes_files(carriers, to.0, to.1) {
        return Ok(());
    }
    let all = media::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let now = tx.now().await?;
    let owner = Owner { account: &entry.account, session, interaction: &entry.interaction };
    let role = leg.role.as_deref();
    refused(tx, owner, &vec![MediaRefusal::Recipient; all.len()], role, now).await
}

/// The files of a text that is about to be sent on this leg.
///
/// # Errors
/// [`Error::Fetch`] while some are still to be fetched.
pub(super) async fn offer(
    tx: &mut Tx,
    carriers: &Carriers,
    entry: &Entry,
    session: &Session,
    leg: &Leg,
) -> Result<Offer, Error> {
    let role = leg.role.as_deref();
    let now = tx.now().await?;
    let all = media::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let owner =
        Owner { account: &entry.account, session: &session.id, interaction: &entry.interaction };
    let first = entry.attempts <= 1;
    let number = numbers::owner(tx, &leg.number).await?;
    let able = number.is_some_and(|(owner, number)| {
        owner == entry.account && takes_files(carriers, &entry.carrier, &number)
    });
    let Some(carrier) = carriers.get(&entry.carrier).filter(|_| able) else {
        if first {
            refused(tx, owner, &vec![MediaRefusal::Recipient; all.len()], role, now).await?;
        }
        return Ok(Offer { addresses: Vec::new(), unable: true });
    };
    if all.iter().any(|one| one.state == MediaState::Wanted) {
        return Err(Error::Fetch);
    }
    let kept: Vec<&Medium> =
        all.iter().filter(|one| one.state == MediaState::Kept && now < one.expires_at).collect();
    let most = carrier.adapter.media_max();
    if first && kept.len() > most {
        let beyond = vec![MediaRefusal::Recipient; kept.len() - most];
        refused(tx, owner, &beyond, role, now).await?;
    }
    let addresses = kept.into_iter().take(most);
    let addresses = addresses.map(|one| carrier.links.media(&address::token(tx, one))).collect();
    Ok(Offer { addresses, unable: false })
}
