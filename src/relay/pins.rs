//! PINs: given to participants, taken from callers and writers, and how often those may be wrong.

use std::time::Duration;

use serde_json::json;

use super::{
    carriers::Carriers,
    error::{Error, Fault},
    sessions::{self, SessionView},
};
use crate::{
    domain::{
        assurance::{self, CALLER_WRONG, NUMBER_WRONG, Pin, PinUse},
        audit::{Action, Detail, Entry},
        event::EventKind,
        time::Timestamp,
    },
    ids::{AccountId, ParticipantId, SessionId},
    privacy::Person,
    store::{
        Tx, audit,
        budgets::{self, Asker, Costly},
        events,
        events::Place,
        numbers::{self, Number},
        participants,
        pins::{self, Meant, NewPin},
        services::{self, Service},
    },
    telemetry::metrics,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// How often one is drawn again that somebody else has.
const DRAWS_MAX: usize = 32;

/// Which PIN somebody is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PinWanted {
    /// None, and none that is made because there is no number left: whoever asks could not be shown it.
    #[default]
    Never,
    /// One that we make, if they have to share a number.
    IfNeeded,
    /// One that we make: it is good by itself.
    Ours,
    /// These digits: good beside their own number.
    Chosen(Pin),
}

/// Whose a PIN is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) account: &'a AccountId,
    pub(super) number: &'a Number,
    pub(super) session: &'a SessionId,
    pub(super) participant: &'a ParticipantId,
    pub(super) person: &'a Person,
    /// Where a fault points.
    pub(super) pointer: &'a str,
}

/// Gives somebody the PIN that they are to have; the digits, if we made them. On a number that sessions share
/// everybody has one of ours.
pub(super) async fn give(
    tx: &mut Tx,
    holder: Holder<'_>,
    wanted: &PinWanted,
    now: Timestamp,
) -> Result<Option<Pin>, Error> {
    match wanted {
        PinWanted::Chosen(_) | PinWanted::Ours if holder.number.shared => {
            make(tx, holder, now).await.map(Some)
        }
        PinWanted::Never | PinWanted::IfNeeded if !holder.number.shared => Ok(None),
        PinWanted::Chosen(pin) => choose(tx, holder, pin, now).await.map(|()| None),
        _ => make(tx, holder, now).await.map(Some),
    }
}

async fn set(
    tx: &mut Tx,
    holder: Holder<'_>,
    (pin, alone): (&Pin, bool),
    now: Timestamp,
) -> Result<bool, Error> {
    let Holder { account, number, session, participant, person, .. } = holder;
    let new = NewPin { number: &number.id, session, participant, person, pin, alone };
    if !pins::insert(tx, account, &new, now).await? {
        return Ok(false);
    }
    let kind = if alone { PinUse::Alone } else { PinUse::Beside };
    participants::set_pin(tx, account, participant, Some(kind)).await?;
    Ok(true)
}

async fn choose(tx: &mut Tx, holder: Holder<'_>, pin: &Pin, now: Timestamp) -> Result<(), Error> {
    if set(tx, holder, (pin, false), now).await? {
        return Ok(());
    }
    let words =
        "must be another: it means, or meant lately, a session of this person on this number";
    Err(Error::Invalid(vec![Fault::new(holder.pointer, "pin_taken", words)]))
}

/// Draws one that stands alone, as short as there is room for.
async fn make(tx: &mut Tx, holder: Holder<'_>, now: Timestamp) -> Result<Pin, Error> {
    let Holder { account, number, .. } = holder;
    let mut standing = [0; 4];
    for (digits, there) in (assurance::DIGITS[0]..).zip(&mut standing) {
        *there = pins::standing(tx, account, &number.id, digits).await?;
    }
    let full = || {
        let words = "can't be made: the number has as many as may be guessed at";
        Error::Invalid(vec![Fault::new(holder.pointer, "pin_no_room", words)])
    };
    let digits = assurance::length_for(standing).ok_or_else(full)?;
    for _ in 0..DRAWS_MAX {
        let mut random = [0; 8];
        tx.random(&mut random);
        let pin = Pin::of_random(u64::from_le_bytes(random), digits);
        if set(tx, holder, (&pin, true), now).await? {
            return Ok(pin);
        }
    }
    Err(full())
}

/// Whether a number that sessions share has room for `more` PINs. It is locked: who comes at once waits.
pub(super) async fn has_room(
    tx: &mut Tx,
    account: &AccountId,
    number: &Number,
    more: usize,
) -> Result<bool, Error> {
    let locked = numbers::lock(tx, account, &number.id).await?;
    if !locked.is_some_and(|one| one.shared && one.state == numbers::NumberState::Active) {
        return Ok(false);
    }
    let mut room = 0;
    for digits in assurance::DIGITS[0]..=assurance::DIGITS[1] {
        let standing = pins::standing(tx, account, &number.id, digits).await?;
        room += assurance::room(digits).saturating_sub(standing);
    }
    Ok(room >= u64::try_from(more).unwrap_or(u64::MAX))
}

/// Refuses where somebody has a PIN that no caller could give: on a number for calls whose carrier tells no keys.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn check_gather(
    tx: &mut Tx,
    account: &AccountId,
    carriers: &Carriers,
    view: &SessionView,
) -> Result<(), Error> {
    if !view.session.mode.voice() {
        return Ok(());
    }
    for (place, one) in view.participants.iter().enumerate().filter(|(_, one)| one.pin.is_some()) {
        let number = numbers::get(tx, account, &one.number_id).await?;
        let carrier = number.and_then(|number| carriers.get(&number.carrier));
        if carrier.is_some_and(|one| !one.adapter.capabilities().gather) {
            let words = "can't be given by callers: the number's carrier tells no keys";
            let pointer = format!("/participants/{place}/pin");
            return Err(Error::Invalid(vec![Fault::new(pointer, "carrier_cannot_gather", words)]));
        }
    }
    Ok(())
}

/// Refuses where a number for calls is shared whose carrier tells no keys.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_shared(carriers: &Carriers, number: &Number) -> Result<(), Error> {
    let gathers = |id: &str| carriers.get(id).is_none_or(|one| one.adapter.capabilities().gather);
    if number.shared && number.capabilities.voice && !gathers(&number.carrier) {
        let words = "must not be true: the number's carrier tells no keys";
        return Err(Error::Invalid(vec![Fault::new("/shared", "carrier_cannot_gather", words)]));
    }
    Ok(())
}

/// Gives a participant a PIN, in place of the one that they had; in the view, if we made it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`], [`Error::Invalid`].
pub async fn set_pin(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    wanted: &PinWanted,
) -> Result<SessionView, Error> {
    let locked = sessions::locked(tx, account, session).await?;
    let now = tx.now().await?;
    Error::unless_live(&locked, now)?;
    let who = participants::get(tx, account, participant)
        .await?
        .filter(|one| one.session == *session && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))?;
    let number =
        numbers::get(tx, account, &who.number_id).await?.ok_or(Error::NotFound("number"))?;
    rest(tx, account, &locked.service, (session, participant), now).await?;
    let holder = Holder {
        account,
        number: &number,
        session,
        participant,
        person: &who.person,
        pointer: "/pin",
    };
    let pin = give(tx, holder, wanted, now).await?;
    sessions::save(tx, account, locked, now).await?;
    noted(tx, account, Action::PinSet, session, participant).await?;
    let mut view = sessions::view(tx, account, session).await?;
    view.pins = pin.map(|pin| (participant.clone(), pin)).into_iter().collect();
    Ok(view)
}

/// Takes a participant's PIN away.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`]; [`Error::PinNeeded`] on a number
/// that sessions share.
pub async fn remove_pin(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
) -> Result<SessionView, Error> {
    let locked = sessions::locked(tx, account, session).await?;
    let now = tx.now().await?;
    Error::unless_live(&locked, now)?;
    let who = participants::get(tx, account, participant)
        .await?
        .filter(|one| one.session == *session && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))?;
    let number = numbers::get(tx, account, &who.number_id).await?;
    if number.is_some_and(|number| number.shared) {
        return Err(Error::PinNeeded);
    }
    rest(tx, account, &locked.service, (session, participant), now).await?;
    participants::set_pin(tx, account, participant, None).await?;
    sessions::save(tx, account, locked, now).await?;
    noted(tx, account, Action::PinRemoved, session, participant).await?;
    sessions::view(tx, account, session).await
}

/// Lets the PIN that somebody had rest for good.
async fn rest(
    tx: &mut Tx,
    account: &AccountId,
    service: &crate::ids::ServiceId,
    (session, participant): (&SessionId, &ParticipantId),
    now: Timestamp,
) -> Result<(), Error> {
    let service = services::get_any(tx, account, service).await?;
    let quarantine = service.map_or(Duration::ZERO, |service| service.rules.quarantine);
    pins::release(tx, account, session, Some(participant), true, now + quarantine).await?;
    Ok(())
}

async fn noted(
    tx: &mut Tx,
    account: &AccountId,
    action: Action,
    session: &SessionId,
    participant: &ParticipantId,
) -> Result<(), Error> {
    let entry =
        Entry::new(action, session.as_str()).with(Detail::Participant, participant.as_str());
    Ok(audit::append(tx, account, entry).await?)
}

/// Somebody who gives a PIN.
#[derive(Debug, Clone, Copy)]
pub(super) struct Giver<'a> {
    pub(super) account: &'a AccountId,
    pub(super) service: &'a Service,
    /// The number that they called or texted.
    pub(super) number: &'a Number,
    /// Who has the number that they show; none if it is withheld.
    pub(super) person: Option<&'a Person>,
}

/// What a PIN proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Who they are.
    Is(Meant),
    /// Nothing.
    Nothing,
    /// Nothing is listened to for a while.
    Locked,
}

impl Giver<'_> {
    /// All callers of the number who show no participant's number count as one.
    const fn anybody(&self) -> Asker<'_> {
        Asker { account: self.account, number: &self.number.id, person: None }
    }

    fn caller(&self) -> Option<Asker<'_>> {
        let anybody = self.anybody();
        self.person.map(|person| Asker { person: Some(person), ..anybody })
    }
}

/// What a PIN proves of whoever gives it. Each that is wrong is counted, before it is looked at, for the caller
/// and for the number: of several at once no more get through than may (I5, T4).
pub(super) async fn prove(
    tx: &mut Tx,
    giver: Giver<'_>,
    pin: &Pin,
    now: Timestamp,
) -> Result<Proof, Error> {
    let Giver { account, service, number, person } = giver;
    if let Some(caller) = giver.caller()
        && !take(tx, caller, CALLER_WRONG, now).await?
    {
        return locked(tx, giver, caller, now).await;
    }
    let found = pins::find(tx, account, &number.id, pin, person).await?.filter(|one| one.open);
    let whose = match &found {
        Some(found) => participants::get(tx, account, &found.participant).await?,
        None => None,
    };
    let own = whose.is_some_and(|one| person == Some(&one.person));
    if let Some(found) = found.clone().filter(|_| own) {
        right(tx, &[giver.caller()]).await?;
        return Ok(Proof::Is(found));
    }
    if !service.rules.assurance.alone_opens(person.is_none(), number.shared) {
        return Ok(wrong(tx));
    }
    if !take(tx, giver.anybody(), NUMBER_WRONG, now).await? {
        return locked(tx, giver, giver.anybody(), now).await;
    }
    let Some(found) = found.filter(|one| one.alone) else { return Ok(wrong(tx)) };
    right(tx, &[giver.caller(), Some(giver.anybody())]).await?;
    Ok(Proof::Is(found))
}

fn wrong(tx: &mut Tx) -> Proof {
    tx.on_commit(|| metrics::pin("wrong"));
    Proof::Nothing
}

/// Takes one of the wrong PINs that an hour, and a day, allow.
async fn take(
    tx: &mut Tx,
    asker: Asker<'_>,
    [hour, day]: [i64; 2],
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(budgets::take(tx, asker, Costly::PinHour, hour, HOUR, now).await?
        && budgets::take(tx, asker, Costly::PinDay, day, DAY, now).await?)
}

/// Gives back what was taken for a PIN that is right.
async fn right(tx: &mut Tx, askers: &[Option<Asker<'_>>]) -> Result<(), Error> {
    for asker in askers.iter().flatten() {
        budgets::give_back(tx, *asker, Costly::PinHour).await?;
        budgets::give_back(tx, *asker, Costly::PinDay).await?;
    }
    tx.on_commit(|| metrics::pin("right"));
    Ok(())
}

/// Tells the marketplace, once an hour, that nothing is listened to.
async fn locked(
    tx: &mut Tx,
    giver: Giver<'_>,
    asker: Asker<'_>,
    now: Timestamp,
) -> Result<Proof, Error> {
    tx.on_commit(|| metrics::pin("locked"));
    if budgets::take(tx, asker, Costly::PinLocked, 1, HOUR, now).await? {
        let scope = if asker.person.is_some() { "caller" } else { "number" };
        let data = json!({ "number_id": giver.number.id, "scope": scope }).to_string();
        let place = Place { service: Some(&giver.service.id), ..Place::default() };
        events::insert(tx, giver.account, EventKind::PinLocked, place, &data, now).await?;
        tx.on_commit(move || metrics::pin_lock(scope));
    }
    Ok(Proof::Locked)
}
