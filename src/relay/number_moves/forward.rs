//! Moves one session: its people get other numbers, together where they must, or stay as they are.

use super::{Change, Seat, change_numbers, owed, seats, step, told};
use crate::relay::{
    Carriers,
    allocate::{self, For, Wanted},
    error::Error,
    sessions::{counterpart_of, everyone},
};
use crate::{
    domain::{session::State, time::Timestamp},
    ids::{AccountId, SessionId},
    store::{
        Tx, number_move_steps as steps,
        number_moves::{Move, Off, Tally},
        services::{self, Service},
        sessions::{self, Session},
    },
};

/// Moves whoever is to be moved in a session, unless that was tried before; what came of it.
pub(super) async fn forward(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    row: &Move,
    id: &SessionId,
) -> Result<Tally, Error> {
    let Some((session, service, now)) = live(tx, account, id).await? else {
        return Ok(Tally::default());
    };
    let seats = seats(tx, account, &session).await?;
    let off = unmoved(tx, account, row, &session, &seats).await?;
    let on = On { account, row, session: &session, service: &service, now };
    let (changes, kept) =
        if off.is_empty() { Default::default() } else { numbers_for(tx, on, &seats, &off).await? };
    for Change { seat, to } in &changes {
        steps::insert(tx, account, &row.id, &step(seat, Some(to), None, now)).await?;
    }
    for (seat, reason) in &kept {
        steps::insert(tx, account, &row.id, &step(seat, None, Some(reason), now)).await?;
    }
    change_numbers(tx, account, row, &session, &changes, now).await?;
    owed::readdress(tx, carriers, (account, row), &session, &changes).await?;
    told::tell(tx, account, row, &session, &service, &changes).await?;
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    Ok(Tally { moved: count(changes.len()), kept: count(kept.len()), ..Tally::default() })
}

/// Notes that a session can't be moved, and why: nothing else of it was written.
pub(super) async fn stays(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    id: &SessionId,
    reason: &str,
) -> Result<Tally, Error> {
    let Some((session, _, now)) = live(tx, account, id).await? else {
        return Ok(Tally::default());
    };
    let seats = seats(tx, account, &session).await?;
    let off = unmoved(tx, account, row, &session, &seats).await?;
    for place in &off {
        steps::insert(tx, account, &row.id, &step(&seats[*place], None, Some(reason), now)).await?;
    }
    Ok(Tally { kept: i64::try_from(off.len()).unwrap_or(i64::MAX), ..Tally::default() })
}

/// The session, locked, if it is one that puts people through, or will once it is resumed.
pub(super) async fn live(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Option<(Session, Service, Timestamp)>, Error> {
    let Some(session) = sessions::lock(tx, account, id).await? else { return Ok(None) };
    let now = tx.now().await?;
    if session.gone || session.state == State::Closed || now >= session.expires_at {
        return Ok(None);
    }
    let service = services::get(tx, account, &session.service).await?;
    Ok(service.map(|service| (session, service, now)))
}

/// The places of those who are to be moved and of whom that was not tried before.
async fn unmoved(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    session: &Session,
    seats: &[Seat],
) -> Result<Vec<usize>, Error> {
    let tried = steps::of_session(tx, account, &row.id, &session.id).await?;
    let leaves = |seat: &Seat| match (&row.off, &row.to_carrier) {
        (Off::Number(id), None) => seat.number.id == *id,
        (Off::Carrier(carrier), _) => seat.number.carrier == *carrier,
        // The number is kept: those leave who are at another carrier than it is now.
        (Off::Number(id), Some(carrier)) => {
            session.mode.voice()
                && seat.number.id != *id
                && seat.number.carrier != *carrier
                && seats.iter().any(|other| other.number.id == *id)
        }
    };
    Ok(seats
        .iter()
        .enumerate()
        .filter(|(_, seat)| leaves(seat))
        .filter(|(_, seat)| tried.iter().all(|step| step.participant != seat.who.id))
        .map(|(place, _)| place)
        .collect())
}

/// What is moved, and where.
#[derive(Clone, Copy)]
pub(super) struct On<'a> {
    pub(super) account: &'a AccountId,
    pub(super) row: &'a Move,
    pub(super) session: &'a Session,
    pub(super) service: &'a Service,
    pub(super) now: Timestamp,
}

/// One way to give people of a session other numbers.
struct Way<'a> {
    /// The places of those who get one, all or none.
    who: Vec<usize>,
    /// The carrier that it must be at.
    carrier: Option<&'a str>,
    /// The carrier that it must not be at.
    without: Option<&'a str>,
}

/// Who gets which number, and who stays for which reason.
type Outcome = (Vec<Change>, Vec<(Seat, String)>);

async fn numbers_for(
    tx: &mut Tx,
    on: On<'_>,
    seats: &[Seat],
    off: &[usize],
) -> Result<Outcome, Error> {
    let (mut changes, mut kept) = Outcome::default();
    for ways in ways(tx, on, seats, off).await? {
        let alone = ways[0].who.clone();
        let mut why = String::new();
        let mut found = None;
        for way in &ways {
            match try_way(tx, on, seats, off, way).await? {
                Ok(chosen) => {
                    found = Some(chosen);
                    break;
                }
                // The first says why they can't be moved alone.
                Err(reason) if why.is_empty() => why = reason,
                Err(_) => {}
            }
        }
        if let Some(chosen) = found {
            changes.extend(chosen);
        } else {
            let stay = alone.iter().filter(|place| off.contains(place));
            kept.extend(stay.map(|place| (seats[*place].clone(), why.clone())));
        }
    }
    Ok((changes, kept))
}

/// The ways to try, one after the other, for each group that is moved together. A session with calls
/// keeps to one carrier.
async fn ways<'a>(
    tx: &mut Tx,
    on: On<'a>,
    seats: &'a [Seat],
    off: &[usize],
) -> Result<Vec<Vec<Way<'a>>>, Error> {
    let (row, all) = (on.row, (0..seats.len()).collect::<Vec<_>>());
    if !on.session.mode.voice() {
        let without = match &row.off {
            Off::Carrier(carrier) => Some(carrier.as_str()),
            Off::Number(_) => None,
        };
        let each = off.iter().map(|place| vec![Way { who: vec![*place], carrier: None, without }]);
        return Ok(each.collect());
    }
    let group = match (&row.off, &row.to_carrier) {
        (Off::Carrier(carrier), _) => {
            vec![Way { who: all, carrier: None, without: Some(carrier) }]
        }
        (Off::Number(_), Some(carrier)) => {
            vec![Way { who: off.to_vec(), carrier: Some(carrier), without: None }]
        }
        (Off::Number(_), None) => {
            // Those who stay say which carrier the session is at.
            let stays =
                (0..seats.len()).find(|place| !off.contains(place)).or(off.first().copied());
            let carrier = stays.map(|place| seats[place].number.carrier.as_str());
            let target = match &row.to_number {
                Some(id) => crate::store::numbers::get(tx, on.account, id).await?,
                None => None,
            };
            let elsewhere = target.as_ref().is_some_and(|to| Some(to.carrier.as_str()) != carrier);
            let alone = Way { who: off.to_vec(), carrier, without: None };
            let together =
                Way { who: all, carrier: None, without: carrier.filter(|_| target.is_none()) };
            match (target.is_some(), elsewhere) {
                (true, true) => vec![together],
                (true, false) => vec![alone],
                (false, _) => vec![alone, together],
            }
        }
    };
    Ok(vec![group])
}

/// Another number for one person, whoever else stays: at the carrier that their session's calls keep to.
///
/// # Errors
/// [`Error::PoolExhausted`], [`Error::NumberInUse`].
pub(super) async fn alone(
    tx: &mut Tx,
    on: On<'_>,
    seats: &[Seat],
    place: usize,
) -> Result<Vec<Change>, Error> {
    let carrier = on.session.mode.voice().then(|| seats[place].number.carrier.as_str());
    take(tx, on, seats, &[place], &Way { who: vec![place], carrier, without: None }).await
}

/// Takes numbers for everybody of one way, or says which rule left none.
async fn try_way(
    tx: &mut Tx,
    on: On<'_>,
    seats: &[Seat],
    off: &[usize],
    way: &Way<'_>,
) -> Result<Result<Vec<Change>, String>, Error> {
    match take(tx, on, seats, off, way).await {
        Ok(changes) => Ok(Ok(changes)),
        Err(Error::PoolExhausted(why)) => Ok(Err(why.rule.as_str().to_owned())),
        Err(Error::NumberInUse) => Ok(Err("number_in_use".to_owned())),
        Err(error) => Err(error),
    }
}

async fn take(
    tx: &mut Tx,
    on: On<'_>,
    seats: &[Seat],
    off: &[usize],
    way: &Way<'_>,
) -> Result<Vec<Change>, Error> {
    let key = on.session.data_key(tx)?;
    let everyone = everyone(seats.iter().map(|one| &one.who));
    let mut wanted = Vec::new();
    for place in &way.who {
        let who = &seats[*place].who;
        let identifier = who.identifier(&key)?;
        wanted.push(Wanted {
            participant: who.id.clone(),
            person: who.person.clone(),
            counterpart: counterpart_of(tx, on.account, &everyone, &who.role).await?,
            country: identifier.country().map(|country| country.as_str().to_owned()),
            area: identifier.area().to_owned(),
            pinned: on.row.to_number.clone().filter(|_| off.contains(place)),
        });
    }
    let ctx = For {
        account: on.account,
        service: on.service,
        session: &on.session.id,
        mode: on.session.mode,
        carrier: way.carrier,
        shares: false,
        without: way.without,
        now: on.now,
    };
    let chosen = allocate::allocate(tx, ctx, &wanted).await?;
    let seats = way.who.iter().map(|place| seats[*place].clone());
    Ok(seats.zip(chosen).map(|(seat, got)| Change { seat, to: got.number }).collect())
}
