//! PINs, as keyed hashes: like a hold, a PIN on a number means one person in one session.
//!
//! A PIN that stands alone is hashed by itself; one that is good beside its person's own number, with who that
//! is: two people may then have the same.

use super::{Error, Tx, accounts, db::on, old::forget};
use crate::{
    domain::{assurance::Pin, time::Timestamp},
    ids::{AccountId, NumberId, ParticipantId, SessionId},
    privacy::{Person, PinHash},
};

/// A PIN to set.
#[derive(Debug)]
pub struct NewPin<'a> {
    /// The number on which it is given.
    pub number: &'a NumberId,
    /// The session that it opens.
    pub session: &'a SessionId,
    /// Whose it is.
    pub participant: &'a ParticipantId,
    /// Who that is.
    pub person: &'a Person,
    /// The digits.
    pub pin: &'a Pin,
    /// Whether it is good without its person's own number.
    pub alone: bool,
}

/// What a PIN means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// The session that it opens.
    pub session: SessionId,
    /// Whose it is.
    pub participant: ParticipantId,
    /// Whether it is good without its person's own number.
    pub alone: bool,
    /// Whether it opens anything: one that rests leads nowhere.
    pub open: bool,
}

async fn hashed(
    tx: &mut Tx,
    account: &AccountId,
    pin: &Pin,
    person: Option<&Person>,
) -> Result<PinHash, Error> {
    Ok(accounts::keys(tx, account).await?.index.pin(pin, person))
}

/// Sets a PIN; whether it was free on that number. One that rests is not.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewPin<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO pins (account, number_id, pin, session, participant, alone, digits, replaced,
            release_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, NULL, $8)
        ON CONFLICT (account, number_id, pin) DO UPDATE SET
            session = excluded.session, participant = excluded.participant,
            alone = excluded.alone, digits = excluded.digits, replaced = FALSE,
            release_at = NULL, created_at = excluded.created_at
        WHERE pins.release_at <= $9";
    let hash = hashed(tx, account, new.pin, (!new.alone).then_some(new.person)).await?;
    let free = tx.certain(now);
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(new.number)
        .bind(&hash)
        .bind(new.session)
        .bind(new.participant)
        .bind(new.alone)
        .bind(new.pin.digits())
        .bind(now.millis())
        .bind(free.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// What a PIN means on a number: for whoever shows `person`'s number the one that is good beside it first. It is
/// found by its keyed hash, so that how long that takes says nothing of its digits.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    pin: &Pin,
    person: Option<&Person>,
) -> Result<Option<Meant>, Error> {
    const SQL: &str = "
        SELECT session, participant, alone, release_at FROM pins
        WHERE account = $1 AND number_id = $2 AND pin IN ($3, $4) ORDER BY alone, pin LIMIT 1";
    let alone = hashed(tx, account, pin, None).await?;
    let beside = match person {
        Some(person) => hashed(tx, account, pin, Some(person)).await?,
        None => alone.clone(),
    };
    let row: Option<(SessionId, ParticipantId, bool, Option<i64>)> =
        on!(tx, |conn| sqlx::query_as(SQL)
            .bind(account)
            .bind(number)
            .bind(&alone)
            .bind(&beside)
            .fetch_optional(conn)
            .await?);
    Ok(row.map(|(session, participant, alone, release_at)| Meant {
        session,
        participant,
        alone,
        open: release_at.is_none(),
    }))
}

/// How many PINs that stand alone a number has, of this many digits.
pub async fn standing(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    digits: u32,
) -> Result<u64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM pins
        WHERE account = $1 AND number_id = $2 AND digits = $3 AND release_at IS NULL AND alone";
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(number)
        .bind(i64::from(digits))
        .fetch_one(conn)
        .await?);
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Lets a session's PINs rest until `release_at`: all of them, or one participant's. One that was replaced stays
/// away if its session is opened again.
pub async fn release(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: Option<&ParticipantId>,
    replaced: bool,
    release_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE pins SET release_at = $4, replaced = $5
        WHERE account = $1 AND session = $2 AND release_at IS NULL
          AND (participant = $3 OR $3 = '')";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(session)
            .bind(participant.map_or("", ParticipantId::as_str))
            .bind(release_at.millis())
            .bind(replaced)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Lets the PINs of a session that is opened again open it, those of whoever is still in it and that nobody
/// else has got since; how many.
pub async fn reopen(tx: &mut Tx, account: &AccountId, session: &SessionId) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE pins SET release_at = NULL
        WHERE account = $1 AND session = $2 AND release_at IS NOT NULL AND NOT replaced
          AND EXISTS (SELECT 1 FROM participants p
            WHERE p.account = pins.account AND p.id = pins.participant AND p.removed_at IS NULL)";
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(session)
        .execute(conn)
        .await?
        .rows_affected()))
}

/// Whether a participant's PIN opens their session on that number.
pub async fn is_set(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    session: &SessionId,
    participant: &ParticipantId,
) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM pins
        WHERE account = $1 AND session = $2 AND participant = $3 AND number_id = $4
          AND release_at IS NULL";
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .bind(participant)
        .bind(number)
        .fetch_one(conn)
        .await?);
    Ok(count > 0)
}

/// Lets a participant's PINs hold on another number as well, which they dial from now on. One that somebody has
/// there already does not.
pub async fn follow(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    [from, to]: [&NumberId; 2],
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO pins (account, number_id, pin, session, participant, alone, digits, replaced,
            release_at, created_at)
        SELECT account, $5, pin, session, participant, alone, digits, FALSE, NULL, created_at
        FROM pins
        WHERE account = $1 AND session = $2 AND participant = $3 AND number_id = $4
          AND release_at IS NULL
        ON CONFLICT (account, number_id, pin) DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(session)
            .bind(participant)
            .bind(from)
            .bind(to)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Forgets those that have rested since before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM pins WHERE (account, number_id, pin) IN (
            SELECT account, number_id, pin FROM pins WHERE release_at < $1
            ORDER BY release_at, account, number_id, pin LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
