//! The last two texts of each session, as keyed hashes: two machines that answer each other write the same again
//! and again.

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, SessionId},
};

/// What a session's texts have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// How many texts, this one with them, were each what its own side had written before, in turn with the other.
    pub run: i64,
    /// Until when the session's texts are held back; past where they are not.
    pub paused_until: Timestamp,
}

/// Notes a text of `role`, whose hash is empty where it tells nothing; what is older than `fresh` does not count.
pub async fn hear(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    (role, hash): (&str, &str),
    [now, fresh]: [Timestamp; 2],
) -> Result<Heard, Error> {
    const SQL: &str = "
        INSERT INTO echoes
            (account, session, last_hash, last_role, before_hash, before_role, run, at, paused_until)
        VALUES ($1, $2, $3, $4, '', '', 0, $5, 0)
        ON CONFLICT (account, session) DO UPDATE SET
            run = CASE WHEN excluded.last_hash <> '' AND echoes.before_hash = excluded.last_hash
                AND echoes.before_role = excluded.last_role AND echoes.last_role <> excluded.last_role
                AND echoes.at > $6 THEN echoes.run + 1 ELSE 0 END,
            before_hash = echoes.last_hash, before_role = echoes.last_role,
            last_hash = excluded.last_hash, last_role = excluded.last_role, at = excluded.at
        RETURNING run, paused_until";
    let (run, paused_until): (i64, i64) = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(session)
        .bind(hash)
        .bind(role)
        .bind(now.millis())
        .bind(fresh.millis())
        .fetch_one(conn)
        .await?);
    Ok(Heard { run, paused_until: Timestamp::from_millis(paused_until) })
}

/// Holds a session's texts back until then, or lets them go on where that is past; what was heard is forgotten.
pub async fn pause(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    until: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE echoes SET paused_until = $3, run = 0, last_hash = '', before_hash = ''
        WHERE account = $1 AND session = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).bind(until.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Forgets sessions whose last text was before that, `limit` at most; how many went. It must be longer ago than
/// anything is held back.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM echoes WHERE (account, session) IN (
            SELECT account, session FROM echoes WHERE at < $1 AND paused_until < $1
            ORDER BY at, account, session LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
