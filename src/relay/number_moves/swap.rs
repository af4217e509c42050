//! Gives one person of a session another number to dial: a move of its own, which is done at once and can be taken
//! back as any other. The number that they leave stays in circulation.

use super::{change_numbers, count, forward, owed, seats, step, told};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        number_move::{MoveState, Why},
        pool::Rule,
    },
    ids::{AccountId, MoveId, ParticipantId, SessionId},
    relay::{Carriers, Relay, error::Error},
    store::{
        Tx, audit, number_move_steps as steps,
        number_moves::{self, Cursor, Move, Off, Tally},
        participants,
    },
};

/// What became of it.
#[derive(Debug, Clone)]
pub enum Swapped {
    /// They dial another number: by this move.
    To(MoveId),
    /// They dial the same number still: by this rule no other was left, or another session has it.
    Not(Option<Rule>),
}

impl Relay {
    /// Gives somebody in a session another number to dial. Both numbers mean that session until it ends.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for somebody who has left; [`Error::SessionClosed`], [`Error::SessionSuspended`];
    /// [`Error::PinNeeded`] for a number that sessions share.
    pub async fn swap_number(
        &self,
        account: &AccountId,
        id: &ParticipantId,
        why: Why,
        tell: Option<bool>,
    ) -> Result<Swapped, Error> {
        let carriers = std::sync::Arc::clone(&self.carriers);
        let input = (account.clone(), id.clone(), carriers);
        let done = self.act(input, move |tx, (account, id, carriers)| {
            Box::pin(async move { swap(tx, &carriers, &account, &id, (why, tell)).await })
        });
        match done.await {
            Ok(id) => Ok(Swapped::To(id)),
            Err(Error::PoolExhausted(why)) => Ok(Swapped::Not(Some(why.rule))),
            Err(Error::NumberInUse) => Ok(Swapped::Not(None)),
            Err(error) => Err(error),
        }
    }
}

async fn swap(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    id: &ParticipantId,
    (why, tell): (Why, Option<bool>),
) -> Result<MoveId, Error> {
    let there = participants::get(tx, account, id).await?;
    let there = there.ok_or(Error::NotFound("participant"))?;
    let (session, service, now) =
        forward::live(tx, account, &there.session).await?.ok_or(Error::SessionClosed)?;
    Error::unless_live(&session, now)?;
    let seats = seats(tx, account, &session).await?;
    let place = seats.iter().position(|seat| seat.who.id == *id);
    let place = place.ok_or(Error::NotFound("participant"))?;
    let seat = &seats[place];
    if seat.number.shared {
        return Err(Error::PinNeeded);
    }
    let row = Move {
        id: tx.id_at(now),
        off: Off::Number(seat.number.id.clone()),
        to_number: None,
        to_carrier: None,
        was_carrier: None,
        why,
        tell,
        state: MoveState::Done,
        cursor: Cursor::default(),
        tally: Tally { moved: 1, ..Tally::default() },
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: Some(now),
        participant: Some(id.clone()),
    };
    let on = forward::On { account, row: &row, session: &session, service: &service, now };
    let changes = forward::alone(tx, on, &seats, place).await?;
    number_moves::insert(tx, account, &row).await?;
    for change in &changes {
        let moved = step(&change.seat, Some(&change.to), None, now);
        steps::insert(tx, account, &row.id, &moved).await?;
    }
    change_numbers(tx, account, &row, &session, &changes, now).await?;
    owed::readdress(tx, carriers, (account, &row), &session, &changes).await?;
    told::tell(tx, account, &row, &session, &service, &changes).await?;
    count(tx, row.tally);
    noted(tx, account, &row, &there.session, id).await?;
    Ok(row.id)
}

async fn noted(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    session: &SessionId,
    who: &ParticipantId,
) -> Result<(), Error> {
    let mut entry = Entry::new(Action::MoveBegun, row.id.as_str())
        .with(Detail::Why, row.why.as_str())
        .with(Detail::Session, session.as_str())
        .with(Detail::Participant, who.as_str());
    if let Off::Number(number) = &row.off {
        entry = entry.with(Detail::Number, number.as_str());
    }
    Ok(audit::append(tx, account, entry).await?)
}
