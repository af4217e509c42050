//! Works a move off, some sessions at a time, and says beforehand what one would do.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{NewMove, back, bring_back, count, drain, finish, forward, prepared};
use crate::{
    domain::number_move::MoveState,
    ids::{AccountId, MoveId, NumberId, SessionId},
    relay::{Carriers, Relay, error::Error},
    store::{
        self, Tx, number_move_steps as steps,
        number_moves::{self, Cursor, Move, Off, Tally},
    },
};

/// How many sessions are looked up at once.
const PAGE: i64 = 100;
/// How many sessions one transaction tries that is not kept: other writers wait for it.
const TRIED: usize = 20;
/// How many moves are gone on with in one round.
const MOVES: i64 = 100;

/// What a move would do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// How many live sessions were looked at.
    pub sessions: usize,
    /// Whether those were all.
    pub complete: bool,
    /// How many people would dial another number.
    pub moved: u64,
    /// How many would stay, by reason.
    pub kept: BTreeMap<String, u64>,
}

impl Relay {
    /// Goes on with every move that is not done, some sessions of each; whether any is left to go on with.
    /// One that can't be gone on with keeps no other back (I32).
    ///
    /// # Errors
    /// The store's: it is gone on with the next time.
    pub async fn work_moves(&self) -> Result<bool, Error> {
        let mut tx = self.db.read().await?;
        let open = number_moves::open(&mut tx, MOVES).await?;
        drop(tx);
        let mut more = false;
        for (account, id) in open {
            match self.move_on(&account, &id).await {
                Ok(row) => more |= row.state.is_open(),
                Err(error) if error.lasts() => {
                    tracing::error!(%id, %error, "a move is left where it is");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(more)
    }

    /// Goes on with a move for some sessions; the move as it is then. Doing so on several nodes at once,
    /// or again after it was broken off, moves nobody twice.
    ///
    /// # Errors
    /// [`Error::NotFound`], the store's.
    pub async fn move_on(&self, account: &AccountId, id: &MoveId) -> Result<Move, Error> {
        let mut tx = self.db.read().await?;
        let row = number_moves::get(&mut tx, account, id).await?.ok_or(Error::NotFound("move"))?;
        drop(tx);
        if row.state.is_open() && self.circulate(account, &row).await? == 0 {
            let (at, next) = self.next_sessions(account, &row).await?;
            if next.is_empty() {
                self.end_move(account, &row).await?;
            }
            for session in next {
                let cursor = Cursor { number: at.clone(), session: session.to_string() };
                if !self.move_session(account, &row, &cursor, &session).await? {
                    break;
                }
            }
            self.committed();
        }
        let mut tx = self.db.read().await?;
        number_moves::get(&mut tx, account, id).await?.ok_or(Error::NotFound("move"))
    }

    /// What a move would do now, for `most` sessions at most. Nothing of it is kept: where somebody has more
    /// sessions on the number than fit into one try, fewer of them may be moved than it says.
    ///
    /// # Errors
    /// As [`begin_move`](super::begin_move), and [`Error::TrialUnderWay`].
    pub async fn try_move(
        &self,
        account: &AccountId,
        new: &NewMove,
        most: usize,
    ) -> Result<Trial, Error> {
        let _turn = self.trials.begin(account).ok_or(Error::TrialUnderWay)?;
        let mut tx = self.db.read().await?;
        let mut row = prepared(&mut tx, account, new).await?;
        drop(tx);
        let mut trial = Trial::default();
        loop {
            let (at, mut next) = self.next_sessions(account, &row).await?;
            trial.complete = next.is_empty();
            next.truncate(most.saturating_sub(trial.sessions));
            let Some(last) = next.last() else { return Ok(trial) };
            row.cursor = Cursor { number: at, session: last.to_string() };
            for some in next.chunks(TRIED) {
                self.try_sessions(account, &row, some.to_vec(), &mut trial).await?;
            }
        }
    }

    async fn try_sessions(
        &self,
        account: &AccountId,
        row: &Move,
        some: Vec<SessionId>,
        trial: &mut Trial,
    ) -> Result<(), Error> {
        let given = (account.clone(), row.clone(), Arc::clone(&self.carriers));
        let tried = self.db.write(move |tx| {
            let ((account, row, carriers), some) = (given.clone(), some.clone());
            Box::pin(async move {
                let (mut sessions, mut moved, mut refused) = (0, 0, BTreeMap::new());
                for session in &some {
                    // One that has two numbers of the carrier is found by each.
                    let at = &row.cursor.number;
                    if let Off::Carrier(carrier) = &row.off
                        && number_moves::is_found_before(tx, &account, session, carrier, at).await?
                    {
                        continue;
                    }
                    sessions += 1;
                    match forward::forward(tx, &carriers, &account, &row, session).await {
                        Ok(tally) => moved += tally.moved,
                        Err(error) if error.lasts() => {
                            *refused.entry(reason(&error)).or_insert(0) += 1;
                        }
                        Err(error) => return Err(error),
                    }
                }
                for (reason, people) in steps::reasons(tx, &account, &row.id).await? {
                    *refused.entry(reason).or_insert(0) += people;
                }
                // Undone, whatever it did.
                let told = json!({ "sessions": sessions, "moved": moved, "kept": refused });
                Err::<(), _>(Error::DryRun(told))
            })
        });
        match tried.await {
            Err(Error::DryRun(told)) => {
                let sessions = told["sessions"].as_u64().unwrap_or(0);
                trial.sessions += usize::try_from(sessions).unwrap_or(usize::MAX);
                trial.moved += told["moved"].as_u64().unwrap_or(0);
                for (reason, people) in told["kept"].as_object().into_iter().flatten() {
                    *trial.kept.entry(reason.clone()).or_insert(0) += people.as_u64().unwrap_or(0);
                }
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Takes numbers out of circulation, or brings them back, before sessions are looked at; how many.
    async fn circulate(&self, account: &AccountId, row: &Move) -> Result<usize, Error> {
        // A number that is kept at another carrier stays in its pool.
        if row.state == MoveState::Running && row.to_carrier.is_some() {
            return Ok(0);
        }
        let (account, row) = (account.clone(), row.clone());
        self.db
            .write(move |tx| {
                let (account, row) = (account.clone(), row.clone());
                Box::pin(async move {
                    match row.state {
                        MoveState::Running => drain(tx, &account, &row).await,
                        _ => bring_back(tx, &account, &row).await,
                    }
                })
            })
            .await
    }

    /// The next sessions to look at, and the number by which they were found; none at the end.
    async fn next_sessions(
        &self,
        account: &AccountId,
        row: &Move,
    ) -> Result<(String, Vec<SessionId>), Error> {
        let mut tx = self.db.read().await?;
        let tx = &mut tx;
        let Cursor { number: at, session: after } = &row.cursor;
        match (&row.off, row.state) {
            (Off::Number(number), MoveState::Undoing) if row.was_carrier.is_some() => {
                let mut next = steps::moved_sessions(tx, account, &row.id, after, PAGE).await?;
                next.extend(number_moves::sessions_on(tx, account, number, after, PAGE).await?);
                next.sort();
                next.dedup();
                next.truncate(usize::try_from(PAGE).unwrap_or(1));
                Ok((String::new(), next))
            }
            (_, MoveState::Undoing) => {
                let next = steps::moved_sessions(tx, account, &row.id, after, PAGE).await?;
                Ok((String::new(), next))
            }
            (Off::Number(number), _) => {
                let next = number_moves::sessions_on(tx, account, number, after, PAGE).await?;
                Ok((number.to_string(), next))
            }
            (Off::Carrier(carrier), _) => {
                let mut number = NumberId::parse(at).ok();
                let mut after = after.as_str();
                loop {
                    if let Some(number) = &number {
                        let next =
                            number_moves::sessions_on(tx, account, number, after, PAGE).await?;
                        if !next.is_empty() {
                            return Ok((number.to_string(), next));
                        }
                    }
                    let last = number.as_ref().map_or("", NumberId::as_str);
                    number = number_moves::next_number(tx, account, carrier, last).await?;
                    after = "";
                    if number.is_none() {
                        return Ok((String::new(), Vec::new()));
                    }
                }
            }
        }
    }

    async fn end_move(&self, account: &AccountId, row: &Move) -> Result<(), Error> {
        let (account, row) = (account.clone(), row.clone());
        self.db
            .write(move |tx| {
                let (account, row) = (account.clone(), row.clone());
                Box::pin(async move { finish(tx, &account, &row).await })
            })
            .await
    }

    /// Moves one session, or back; whether the move goes on. One that can't be dealt with is noted, and
    /// keeps no other back (I32).
    async fn move_session(
        &self,
        account: &AccountId,
        row: &Move,
        cursor: &Cursor,
        session: &SessionId,
    ) -> Result<bool, Error> {
        let named = session.clone();
        let lasts = |error: &Error| error.lasts() && !matches!(error, Error::VersionMismatch);
        let mut done = self.move_once(account, row, cursor, session, How::Moves).await;
        if let Err(error) = &done
            && lasts(error)
        {
            tracing::error!(session = %named, %error, "a session stays on its number");
            let why = reason(error);
            done = self.move_once(account, row, cursor, session, How::Stays(why.clone())).await;
            if done.as_ref().is_err_and(lasts) {
                done = self.move_once(account, row, cursor, session, How::Unread(why)).await;
            }
        }
        match done {
            Ok(()) => Ok(true),
            Err(Error::VersionMismatch) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn move_once(
        &self,
        account: &AccountId,
        row: &Move,
        cursor: &Cursor,
        session: &SessionId,
        how: How,
    ) -> Result<(), Error> {
        let given = (account.clone(), row.clone(), cursor.clone(), session.clone(), how);
        let carriers = Arc::clone(&self.carriers);
        self.db
            .write(move |tx| {
                let (account, row, cursor, session, how) = given.clone();
                let carriers = Arc::clone(&carriers);
                Box::pin(async move {
                    let tally = one(tx, &carriers, &account, &row, &session, &how).await?;
                    looked(tx, &account, &row, &cursor, tally).await
                })
            })
            .await
    }
}

/// How a session is dealt with.
#[derive(Clone)]
enum How {
    /// Its people are moved, or back.
    Moves,
    /// They stay, for that reason: nothing else of it can be written.
    Stays(String),
    /// The same, and nothing of it can be read.
    Unread(String),
}

/// One session's part of a move; what came of it.
async fn one(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    row: &Move,
    session: &SessionId,
    how: &How,
) -> Result<Tally, Error> {
    let undoing = row.state == MoveState::Undoing;
    match how {
        How::Moves if undoing => back::back(tx, carriers, account, row, session).await,
        How::Moves => forward::forward(tx, carriers, account, row, session).await,
        How::Stays(why) if undoing => back::stays(tx, account, row, session, why).await,
        How::Stays(why) => forward::stays(tx, account, row, session, why).await,
        // Its steps say that its people were moved: that is so.
        How::Unread(_) if undoing => Ok(Tally::default()),
        How::Unread(why) => {
            let now = tx.now().await?;
            let kept = steps::insert_unread(tx, account, row, session, why, now).await?;
            Ok(Tally { kept: i64::try_from(kept).unwrap_or(i64::MAX), ..Tally::default() })
        }
    }
}

/// Notes that a session was looked at, and what came of it.
///
/// # Errors
/// [`Error::VersionMismatch`] if the move was turned meanwhile: then nothing was done.
async fn looked(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    cursor: &Cursor,
    tally: Tally,
) -> Result<(), Error> {
    count(tx, tally);
    let now = tx.now().await?;
    let at = (&row.id, row.state);
    if number_moves::advance(tx, account, at, cursor, tally, now).await? {
        Ok(())
    } else {
        Err(Error::VersionMismatch)
    }
}

/// Why a session stays that can't be dealt with.
fn reason(error: &Error) -> String {
    match error {
        Error::Invalid(faults) => faults.first().map_or("invalid", |fault| fault.code).to_owned(),
        Error::Store(store::Error::Sealed(_)) => "unreadable".to_owned(),
        _ => "failed".to_owned(),
    }
}
