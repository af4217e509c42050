//! Takes one session's part of a move back: its people dial their old numbers again, all or none.

use super::{Change, Seat, change_numbers, owed, seats, told};
use crate::relay::{
    Carriers,
    error::Error,
    sessions::{everyone, holds_for},
};
use crate::{
    domain::{number_move::StepState, session::State, time::Timestamp},
    ids::{AccountId, SessionId},
    store::{
        Tx,
        number_move_steps::{self as steps, Step},
        number_moves::{Move, Tally},
        numbers::{self, Number, NumberState},
        services,
        sessions::{self, Session},
    },
};

/// Moves a session's people back; what came of it. Whoever has got yet another number meanwhile is left
/// as they are, and so is a session that was closed.
pub(super) async fn back(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    row: &Move,
    id: &SessionId,
) -> Result<Tally, Error> {
    let Some(session) = sessions::lock(tx, account, id).await? else { return Ok(Tally::default()) };
    let mut todo = steps::of_session(tx, account, &row.id, id).await?;
    todo.retain(|step| step.state == StepState::Moved);
    let now = tx.now().await?;
    let service = services::get(tx, account, &session.service).await?;
    let over = session.gone || session.state == State::Closed || now >= session.expires_at;
    let Some(service) = service.filter(|_| !over) else {
        return ended(tx, account, row, todo, "session_closed", now).await;
    };
    let seats = seats(tx, account, &session).await?;
    let mut tally = Tally::default();
    let mut changes = Vec::new();
    let mut undone = Vec::new();
    for step in todo {
        match old_number(tx, account, &session, &seats, &step, now).await? {
            Ok((seat, to)) => {
                changes.push(Change { seat, to });
                undone.push(step);
            }
            Err(reason) => add(&mut tally, ended(tx, account, row, vec![step], reason, now).await?),
        }
    }
    if session.mode.voice() && !is_at_one_carrier(&seats, &changes) {
        // The holds stay: they mean this session.
        changes.clear();
        let left = std::mem::take(&mut undone);
        add(&mut tally, ended(tx, account, row, left, "carrier", now).await?);
    }
    for mut step in undone {
        (step.state, step.updated_at) = (StepState::Undone, now);
        steps::update(tx, account, &row.id, &step).await?;
        tally.undone += 1;
    }
    change_numbers(tx, account, row, &session, &changes, now).await?;
    owed::readdress(tx, carriers, (account, row), &session, &changes).await?;
    told::tell(tx, account, row, &session, &service, &changes).await?;
    Ok(tally)
}

/// Notes that a session's people can't be moved back, and why.
pub(super) async fn stays(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    id: &SessionId,
    reason: &str,
) -> Result<Tally, Error> {
    sessions::lock(tx, account, id).await?;
    let mut todo = steps::of_session(tx, account, &row.id, id).await?;
    todo.retain(|step| step.state == StepState::Moved);
    let now = tx.now().await?;
    ended(tx, account, row, todo, reason, now).await
}

const fn add(to: &mut Tally, more: Tally) {
    to.not_undone += more.not_undone;
}

async fn ended(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    left: Vec<Step>,
    reason: &str,
    now: Timestamp,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for mut step in left {
        step.state = StepState::NotUndone;
        step.reason = Some(reason.to_owned());
        step.updated_at = now;
        steps::update(tx, account, &row.id, &step).await?;
        tally.not_undone += 1;
    }
    Ok(tally)
}

/// Whose the old number is, with its hold taken or still there; or why they can't dial it again.
async fn old_number(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    seats: &[Seat],
    step: &Step,
    now: Timestamp,
) -> Result<Result<(Seat, Number), &'static str>, Error> {
    let Some(seat) = seats.iter().find(|seat| seat.who.id == step.participant) else {
        return Ok(Err("left"));
    };
    if step.new_number.as_ref() != Some(&seat.number.id) {
        return Ok(Err("moved_since"));
    }
    let old = numbers::get(tx, account, &step.old_number).await?;
    let Some(old) =
        old.filter(|one| one.state != NumberState::Retired && one.service == session.service)
    else {
        return Ok(Err("number_retired"));
    };
    let everyone = everyone(seats.iter().map(|one| &one.who));
    Ok(if holds_for(tx, account, &everyone, &seat.who, &old.id, now).await? {
        Ok((seat.clone(), old))
    } else {
        Err("number_in_use")
    })
}

/// Whether everybody's number is at one carrier once these changes are made.
fn is_at_one_carrier(seats: &[Seat], changes: &[Change]) -> bool {
    let carrier = |seat: &Seat| {
        let change = changes.iter().find(|change| change.seat.who.id == seat.who.id);
        change.map_or_else(|| seat.number.carrier.clone(), |change| change.to.carrier.clone())
    };
    let mut carriers: Vec<String> = seats.iter().map(carrier).collect();
    carriers.dedup();
    carriers.len() <= 1
}
