//! Browsers of staff: of each only a keyed hash of its cookie is kept.

use crate::{
    domain::{staff::Proof, time::Timestamp},
    ids::{BrowserId, StaffId},
    store::{Error, Tx, db::on},
};

/// A browser that is logged in, or halfway so.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Its id, which opens nothing.
    pub id: BrowserId,
    /// Whose it is.
    pub staff: StaffId,
    /// Whether the second factor is still to come.
    pub halfway: bool,
    /// How they proved who they are.
    pub proof: Proof,
    /// What it calls itself, in few words.
    pub agent: String,
    /// When it was logged in.
    pub created_at: Timestamp,
    /// When it last asked for something, to the minute.
    pub seen_at: Timestamp,
    /// When they last proved who they are.
    pub proved_at: Timestamp,
    /// When it is logged out, whatever they do.
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: BrowserId,
    staff: StaffId,
    halfway: bool,
    proof: String,
    agent: String,
    created_at: i64,
    seen_at: i64,
    proved_at: i64,
    expires_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, staff, halfway, proof, agent, created_at, seen_at, proved_at, expires_at \
             FROM staff_browsers ",
            $rest
        )
    };
}

fn browser(row: Row) -> Result<Browser, Error> {
    let bad = Error::Inconsistent { table: "staff_browsers", column: "proof" };
    Ok(Browser {
        id: row.id,
        staff: row.staff,
        halfway: row.halfway,
        proof: Proof::parse(&row.proof).ok_or(bad)?,
        agent: row.agent,
        created_at: Timestamp::from_millis(row.created_at),
        seen_at: Timestamp::from_millis(row.seen_at),
        proved_at: Timestamp::from_millis(row.proved_at),
        expires_at: Timestamp::from_millis(row.expires_at),
    })
}

/// Keeps a browser under the hash of its cookie.
pub async fn insert(tx: &mut Tx, secret: &str, new: &Browser) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_browsers (hash, id, staff, halfway, proof, agent, created_at, seen_at,
            proved_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let hash = tx.keyring().token_hash(secret);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&hash)
            .bind(&new.id)
            .bind(&new.staff)
            .bind(new.halfway)
            .bind(new.proof.as_str())
            .bind(&new.agent)
            .bind(new.created_at.millis())
            .bind(new.seen_at.millis())
            .bind(new.proved_at.millis())
            .bind(new.expires_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The browser of a cookie, ended or not.
pub async fn by_secret(tx: &mut Tx, secret: &str) -> Result<Option<Browser>, Error> {
    const SQL: &str = select!("WHERE hash = $1");
    let hash = tx.keyring().token_hash(secret);
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(&hash).fetch_optional(conn).await?);
    row.map(browser).transpose()
}

/// Somebody's browsers, the latest first.
pub async fn of_staff(tx: &mut Tx, staff: &StaffId, limit: i64) -> Result<Vec<Browser>, Error> {
    const SQL: &str = select!("WHERE staff = $1 ORDER BY created_at DESC, id LIMIT $2");
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(staff).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(browser).collect()
}

/// Notes when a browser last asked for something.
pub async fn seen(tx: &mut Tx, id: &BrowserId, at: Timestamp) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff_browsers SET seen_at = $2 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(at.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Notes that its owner proved who they are once more.
pub async fn proved(tx: &mut Tx, id: &BrowserId, proof: Proof, at: Timestamp) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE staff_browsers SET proved_at = $3, seen_at = $3, proof = $2 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(proof.as_str()).bind(at.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Logs a browser of somebody out; whether it was theirs.
pub async fn delete(tx: &mut Tx, staff: &StaffId, id: &BrowserId) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_browsers WHERE id = $1 AND staff = $2";
    let done =
        on!(tx, |conn| sqlx::query(SQL).bind(id).bind(staff).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Logs every browser of somebody out, but for `kept`; how many.
pub async fn delete_all(
    tx: &mut Tx,
    staff: &StaffId,
    kept: Option<&BrowserId>,
) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM staff_browsers WHERE staff = $1 AND id <> $2";
    let kept = kept.map_or("", BrowserId::as_str);
    Ok(on!(tx, |conn| sqlx::query(SQL).bind(staff).bind(kept).execute(conn).await?.rows_affected()))
}

/// Keeps what was asked of a browser under the hash of `secret`.
pub async fn ask(
    tx: &mut Tx,
    secret: &str,
    kind: &str,
    state: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_ceremonies (hash, kind, state, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, state = excluded.state,
            expires_at = excluded.expires_at";
    let hash = tx.keyring().token_hash(secret);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&hash)
            .bind(kind)
            .bind(state)
            .bind(expires_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What was asked, which is so answered: it is there once.
pub async fn answered(
    tx: &mut Tx,
    secret: &str,
    kind: &str,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    const SQL: &str = "
        DELETE FROM staff_ceremonies WHERE hash = $1 AND kind = $2 RETURNING state, expires_at";
    let hash = tx.keyring().token_hash(secret);
    let row: Option<(String, i64)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(&hash).bind(kind).fetch_optional(conn).await?);
    Ok(row.filter(|(_, end)| now < Timestamp::from_millis(*end)).map(|(state, _)| state))
}
