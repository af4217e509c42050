//! Why a participant has the number that they have, and what they would be given now: by the same narrowing that
//! chooses numbers.

use super::{
    allocate::{self, For, Wanted},
    error::Error,
    sessions::{carrier_of, counterpart_of, everyone},
};
use crate::{
    domain::{
        pool::{self, ChosenBy, Narrowing},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, SessionId},
    store::{
        Tx,
        holds::{self, HeldNumber},
        numbers,
        participants::{self, Participant},
        rings, services, sessions,
    },
};

/// How many numbers that a person holds are looked at.
const HELD_MAX: i64 = 200;

/// How one participant's number came about, and how it would now.
#[derive(Debug)]
pub struct Explained {
    /// Who.
    pub participant: Participant,
    /// The number that they dial.
    pub number: Option<numbers::Number>,
    /// What chose it, where that is known.
    pub by: Option<ChosenBy>,
    /// What each rule would leave of the pool now, in the order in which they narrow it. Empty for somebody who
    /// was erased or left.
    pub steps: Vec<Narrowing>,
    /// Numbers of what is left that the person holds: in open sessions, or in quarantine.
    pub held: Vec<HeldNumber>,
    /// The number that they had with the same people before, where it would do now.
    pub sticky: Option<NumberId>,
    /// Whether they hold more than was looked at.
    pub more_held: bool,
}

/// Explains the numbers of a session's people as of now.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn explain_numbers(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<(Timestamp, Vec<Explained>), Error> {
    let session = sessions::get(tx, account, id).await?.ok_or(Error::NotFound("session"))?;
    let service = services::get(tx, account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    let now = tx.now().await?;
    let there = participants::of_session(tx, account, id).await?;
    let classes = rings::classes(tx, account, &service.id).await?;
    let key = session.data_key(tx).ok();
    let all = everyone(&there);
    let mut explained = Vec::new();
    for one in &there {
        let number = numbers::get(tx, account, &one.number_id).await?;
        let mut told = Explained {
            participant: one.clone(),
            number,
            by: one.chosen_by,
            steps: Vec::new(),
            held: Vec::new(),
            sticky: None,
            more_held: false,
        };
        let own = key.as_ref().and_then(|key| one.identifier(key).ok());
        let Some(own) = own.filter(|_| one.removed_at.is_none() && !one.erased) else {
            explained.push(told);
            continue;
        };
        let others: Vec<Participant> =
            there.iter().filter(|other| other.id != one.id).cloned().collect();
        let carrier = carrier_of(tx, account, &session, &others).await?;
        let wanted = Wanted {
            participant: ParticipantId::clone(&one.id),
            person: one.person.clone(),
            counterpart: counterpart_of(tx, account, &all, &one.role).await?,
            country: own.country().map(|country| country.as_str().to_owned()),
            area: own.area().to_owned(),
            pinned: None,
        };
        let ctx = For {
            account,
            service: &service,
            session: &session.id,
            mode: session.mode,
            carrier: carrier.as_deref(),
            shares: false,
            without: None,
            now,
        };
        let need = allocate::need(ctx, &wanted, carrier.as_deref());
        let narrowed = pool::narrow(&classes, &need);
        let held =
            holds::held_numbers(tx, account, &service.id, &one.person, now, HELD_MAX + 1).await?;
        told.more_held = i64::try_from(held.len()).unwrap_or(i64::MAX) > HELD_MAX;
        let suits = |held: &HeldNumber| {
            narrowed.rings.iter().any(|ring| ring.has(&held.country, &held.area, &held.kind))
        };
        told.held = held.into_iter().filter(suits).collect();
        let sticky = allocate::sticky_number(tx, ctx, &wanted, &need, &narrowed.rings).await?;
        told.sticky = sticky.map(|number| number.id);
        told.steps = narrowed.steps;
        explained.push(told);
    }
    Ok((now, explained))
}
