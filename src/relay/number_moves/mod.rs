//! Moves live sessions off a number that is dead, blocked or ported, or off all numbers of a carrier.
//!
//! Nothing is lost by a move: whoever is moved holds the new number first, and keeps the hold of the old
//! one until their session ends. So both numbers mean that session, and neither can mean another one for
//! them. Each session is moved in a transaction of its own, under its lock: a move that is broken off goes
//! on where it was, and two nodes at once move nobody twice.

mod back;
mod forward;
mod owed;
mod swap;
mod told;
mod trials;
mod work;

pub(super) use self::{owed::is_unsent, trials::Trials};
pub use self::{swap::Swapped, work::Trial};

use serde_json::json;

use super::error::{Error, Fault};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        event::EventKind,
        number_move::{MoveState, StepState, Why},
        time::Timestamp,
    },
    ids::{AccountId, MoveId, NumberId},
    store::{
        self, Tx, audit, circulation, events,
        events::Place,
        number_move_steps::Step,
        number_moves::{self, Move, Off, Tally},
        numbers::{self, Number, NumberState},
        participants::Participant,
        sessions::{self, Session},
    },
    telemetry::metrics,
};

/// How many numbers are taken out of circulation, or brought back, in one go.
const NUMBERS: i64 = 200;

/// A move to begin.
#[derive(Debug, Clone)]
pub struct NewMove {
    /// What sessions are moved off.
    pub off: Off,
    /// The number that they all get; `None` for what the pool has. Only off one number.
    pub to_number: Option<NumberId>,
    /// The carrier that the number itself has come to: it is kept, and whoever is on the other side of a
    /// session with calls gets a number of that carrier. Only for a ported number. The caller knows that
    /// it is configured.
    pub to_carrier: Option<String>,
    /// Why.
    pub why: Why,
    /// Whether people are told; `None` where each service says.
    pub tell: Option<bool>,
}

impl NewMove {
    /// Everything that is wrong with its form.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, pointer, message| {
            if !ok {
                faults.push(Fault::new(pointer, "not_allowed", message));
            }
        };
        let one = matches!(self.off, Off::Number(_));
        check(
            self.to_number.is_none() || one,
            "/to_number_id",
            "must be absent where sessions are moved off a carrier",
        );
        check(
            self.to_carrier.is_none() || (one && self.why == Why::Ported),
            "/to_carrier",
            "must be absent but for one number that was ported",
        );
        check(
            self.to_carrier.is_none() || self.to_number.is_none(),
            "/to_number_id",
            "must be absent where the number itself is kept at to_carrier",
        );
        faults
    }
}

/// Begins a move. The number is given to nobody new from now on, unless it is kept at another carrier; its
/// sessions are moved by [`Relay::move_on`](super::Relay::move_on).
///
/// # Errors
/// [`Error::Invalid`], also for a number that is not there or was retired.
pub async fn begin_move(tx: &mut Tx, account: &AccountId, new: &NewMove) -> Result<Move, Error> {
    let row = prepared(tx, account, new).await?;
    number_moves::insert(tx, account, &row).await?;
    if let (Off::Number(id), Some(to)) = (&row.off, &row.to_carrier) {
        carry_over(tx, account, id, to).await?;
    } else {
        drain(tx, account, &row).await?;
    }
    let entry = Entry::new(Action::MoveBegun, row.id.as_str()).with(Detail::Why, row.why.as_str());
    let entry = match &row.off {
        Off::Number(id) => entry.with(Detail::Number, id.as_str()),
        Off::Carrier(id) => entry.with(Detail::Carrier, id.as_str()),
    };
    audit::append(tx, account, entry).await?;
    Ok(row)
}

/// The move as it would be begun, checked.
async fn prepared(tx: &mut Tx, account: &AccountId, new: &NewMove) -> Result<Move, Error> {
    let faults = new.faults();
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let now = tx.now().await?;
    let mut was_carrier = None;
    if let Off::Number(id) = &new.off {
        let number = in_use(tx, account, id).await?;
        if number.shared {
            let words =
                "must not be a number that sessions share: close them, or wait until they end";
            return Err(Error::Invalid(vec![Fault::new("/number_id", "number_shared", words)]));
        }
        if let Some(to) = &new.to_number {
            check_target(tx, account, &number, to).await?;
        }
        if let Some(to) = &new.to_carrier {
            if *to == number.carrier {
                let words = "must not be the carrier that the number is at already";
                return Err(Error::Invalid(vec![Fault::new("/to_carrier", "same", words)]));
            }
            was_carrier = Some(number.carrier);
        }
    }
    Ok(Move {
        id: tx.id_at(now),
        off: new.off.clone(),
        to_number: new.to_number.clone(),
        to_carrier: new.to_carrier.clone(),
        was_carrier,
        why: new.why,
        tell: new.tell,
        state: MoveState::Running,
        cursor: number_moves::Cursor::default(),
        tally: Tally::default(),
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
        participant: None,
    })
}

async fn in_use(tx: &mut Tx, account: &AccountId, id: &NumberId) -> Result<Number, Error> {
    let number = numbers::get(tx, account, id).await?;
    number.filter(|number| number.state != NumberState::Retired).ok_or_else(|| {
        let words = "must be a number of the account's that has not left its pool";
        Error::Invalid(vec![Fault::new("/number_id", "unknown_number", words)])
    })
}

async fn check_target(
    tx: &mut Tx,
    account: &AccountId,
    from: &Number,
    to: &NumberId,
) -> Result<(), Error> {
    let fault =
        |code, message: &str| Err(Error::Invalid(vec![Fault::new("/to_number_id", code, message)]));
    let target = numbers::get(tx, account, to).await?;
    match target.filter(|target| target.service == from.service) {
        None => fault("unknown_number", "must be a number of the same service's pool"),
        Some(target) if target.id == from.id => fault("same", "must be another number"),
        Some(target) if target.state != NumberState::Active => {
            fault("number_not_active", "must be an active number")
        }
        Some(_) => Ok(()),
    }
}

/// Takes a move back, as far as it has come: whoever still dials the new number dials the old one again.
/// Taking one back again changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`].
pub async fn undo_move(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    version: Option<i64>,
) -> Result<Move, Error> {
    let row = number_moves::get(tx, account, id).await?.ok_or(Error::NotFound("move"))?;
    if version.is_some_and(|version| version != row.version) {
        return Err(Error::VersionMismatch);
    }
    let now = tx.now().await?;
    if matches!(row.state, MoveState::Running | MoveState::Done) {
        let turned =
            number_moves::turn(tx, account, id, [row.state, MoveState::Undoing], now).await?;
        if !turned {
            // It was done at this moment: it is read again.
            return Err(store::Error::Transient.into());
        }
        if let (Off::Number(number), Some(to), Some(from)) =
            (&row.off, &row.was_carrier, &row.to_carrier)
        {
            // One that has gone on to yet another carrier since is not at this one's to give back.
            let at = numbers::get(tx, account, number).await?.map(|number| number.carrier);
            if at.as_ref() == Some(from) {
                carry_over(tx, account, number, to).await?;
            }
        }
        audit::append(tx, account, Entry::new(Action::MoveUndone, id.as_str())).await?;
    }
    number_moves::get(tx, account, id).await?.ok_or(Error::NotFound("move"))
}

/// Writes that a number is at another carrier.
async fn carry_over(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
    to: &str,
) -> Result<(), Error> {
    let Some(before) = numbers::get(tx, account, id).await? else { return Ok(()) };
    if before.state == NumberState::Retired || before.carrier == to {
        return Ok(());
    }
    let mut after = before.clone();
    to.clone_into(&mut after.carrier);
    after.version += 1;
    after.updated_at = tx.now().await?;
    if circulation::set_carrier(tx, account, &before, &after).await? {
        Ok(())
    } else {
        Err(store::Error::Transient.into())
    }
}

/// Takes numbers out of circulation that a move leaves, some at a time; how many.
async fn drain(tx: &mut Tx, account: &AccountId, row: &Move) -> Result<usize, Error> {
    let found = circulation::to_drain(tx, account, &row.off, NUMBERS).await?;
    for before in &found {
        set_state(tx, account, before, NumberState::Draining).await?;
        circulation::set_drained_by(tx, account, &before.id, &row.id).await?;
    }
    Ok(found.len())
}

/// Gives numbers out again that a move took out of circulation, some at a time; how many it was done with.
/// One that is to leave its pool stays, and one that a later move is off is that move's from now on.
async fn bring_back(tx: &mut Tx, account: &AccountId, row: &Move) -> Result<usize, Error> {
    let found = circulation::drained_by(tx, account, &row.id, NUMBERS).await?;
    for before in &found {
        match number_moves::later_off(tx, account, &row.id, before).await? {
            Some(later) => circulation::set_drained_by(tx, account, &before.id, &later).await?,
            None => set_state(tx, account, before, NumberState::Active).await?,
        }
    }
    Ok(found.len())
}

async fn set_state(
    tx: &mut Tx,
    account: &AccountId,
    before: &Number,
    state: NumberState,
) -> Result<(), Error> {
    let mut after = before.clone();
    after.state = state;
    after.version += 1;
    after.updated_at = tx.now().await?;
    if numbers::update(tx, account, before, &after).await? {
        Ok(())
    } else {
        // Somebody changed it meanwhile.
        Err(store::Error::Transient.into())
    }
}

/// Ends a move, or its taking back; nothing if somebody else has. A session that came upon the number while
/// its neighbours were looked at has the move look at all of them again.
async fn finish(tx: &mut Tx, account: &AccountId, row: &Move) -> Result<(), Error> {
    let (to, kind) = match row.state {
        MoveState::Running => (MoveState::Done, EventKind::MoveCompleted),
        MoveState::Undoing => (MoveState::Undone, EventKind::MoveUndone),
        MoveState::Done | MoveState::Undone => return Ok(()),
    };
    let now = tx.now().await?;
    if to == MoveState::Done
        && row.to_carrier.is_none()
        && number_moves::is_left(tx, account, row, now).await?
    {
        number_moves::turn(tx, account, &row.id, [row.state, row.state], now).await?;
        return Ok(());
    }
    if !number_moves::turn(tx, account, &row.id, [row.state, to], now).await? {
        return Ok(());
    }
    let Some(ended) = number_moves::get(tx, account, &row.id).await? else { return Ok(()) };
    let Tally { moved, kept, undone, not_undone } = ended.tally;
    let mut data = json!({
        "move_id": row.id, "moved": moved, "kept": kept, "undone": undone,
        "not_undone": not_undone,
    });
    let service = match &row.off {
        Off::Number(id) => {
            data["number_id"] = json!(id);
            numbers::get(tx, account, id).await?.map(|number| number.service)
        }
        Off::Carrier(id) => {
            data["carrier"] = json!(id);
            None
        }
    };
    let place = Place { service: service.as_ref(), ..Place::default() };
    events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    Ok(())
}

/// Somebody in a session, and what they dial.
#[derive(Debug, Clone)]
struct Seat {
    who: Participant,
    number: Number,
}

/// The people of a session who did not leave it.
async fn seats(tx: &mut Tx, account: &AccountId, session: &Session) -> Result<Vec<Seat>, Error> {
    let mut seats = Vec::new();
    for who in store::participants::of_session(tx, account, &session.id).await? {
        if who.removed_at.is_some() {
            continue;
        }
        let number = numbers::get(tx, account, &who.number_id).await?;
        let gone = store::Error::Inconsistent { table: "participants", column: "number_id" };
        seats.push(Seat { who, number: number.ok_or(gone)? });
    }
    Ok(seats)
}

/// Somebody who dials another number from now on.
#[derive(Debug)]
struct Change {
    seat: Seat,
    to: Number,
}

/// Lets people of a locked session dial other numbers, whose holds are taken: their rows, their
/// opt-outs, what they are owed, and who is told of it. `row` is the move.
async fn change_numbers(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    session: &Session,
    changes: &[Change],
    now: Timestamp,
) -> Result<(), Error> {
    for Change { seat, to } in changes {
        let who = &seat.who;
        store::participants::set_number(tx, account, &who.id, (&to.id, &to.number)).await?;
        let numbers = [&seat.number.id, &to.id];
        store::pins::follow(tx, account, &session.id, &who.id, numbers).await?;
        super::messages::carry_opt_out(tx, account, &who.person, [&seat.number.id, &to.id], now)
            .await?;
        let data = json!({
            "participant_id": who.id, "role": who.role, "move_id": row.id,
            "old_number_id": seat.number.id, "new_number_id": to.id,
        });
        let place = Place {
            service: Some(&session.service),
            session: Some(&session.id),
            interaction: None,
        };
        let kind = EventKind::ParticipantMoved;
        events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    }
    if !changes.is_empty() {
        let mut session = session.clone();
        session.version += 1;
        session.updated_at = now;
        sessions::update(tx, account, &session).await?;
    }
    Ok(())
}

/// A step of a move that begins now.
fn step(seat: &Seat, to: Option<&Number>, reason: Option<&str>, now: Timestamp) -> Step {
    Step {
        session: seat.who.session.clone(),
        participant: seat.who.id.clone(),
        old_number: seat.number.id.clone(),
        new_number: to.map(|number| number.id.clone()),
        state: if to.is_some() { StepState::Moved } else { StepState::Kept },
        reason: reason.map(str::to_owned),
        created_at: now,
        updated_at: now,
    }
}

/// Counts what came of a session, once that is committed.
fn count(tx: &mut Tx, tally: Tally) {
    for (outcome, people) in [
        (StepState::Moved, tally.moved),
        (StepState::Kept, tally.kept),
        (StepState::Undone, tally.undone),
        (StepState::NotUndone, tally.not_undone),
    ] {
        let people = u64::try_from(people).unwrap_or(0);
        if people > 0 {
            tx.on_commit(move || metrics::people_moved(outcome.as_str(), people));
        }
    }
}
