//! How far carriers' lists were compared with the inbox, and which node does so.

use super::{Error, Tx, db::on};
use crate::domain::{interaction::Kind, time::Timestamp};

/// The right to compare one list of a carrier, until its lease ends.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// Texts or calls.
    pub kind: Kind,
    /// Everything until then was compared; the epoch if nothing ever was.
    pub listed_to: Timestamp,
    fence: i64,
}

/// Takes the turn, unless somebody else has it, or had it a moment ago.
pub async fn claim(
    tx: &mut Tx,
    carrier: &str,
    kind: Kind,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Turn>, Error> {
    const SQL: &str = "
        INSERT INTO reconciled (carrier, kind, listed_to, lease_until, fence)
        VALUES ($1, $2, 0, $4, 1)
        ON CONFLICT (carrier, kind) DO UPDATE
        SET lease_until = excluded.lease_until, fence = reconciled.fence + 1
        WHERE reconciled.lease_until <= $3
        RETURNING listed_to, fence";
    let row: Option<(i64, i64)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(carrier)
        .bind(kind.as_str())
        .bind(now.millis())
        .bind(lease_until.millis())
        .fetch_optional(conn)
        .await?);
    Ok(row.map(|(listed_to, fence)| Turn {
        carrier: carrier.to_owned(),
        kind,
        listed_to: Timestamp::from_millis(listed_to),
        fence,
    }))
}

/// Ends a turn: everything until `listed_to` was compared, and nobody need begin before
/// `rest_until`. Whether the turn was still ours.
pub async fn finish(
    tx: &mut Tx,
    turn: &Turn,
    listed_to: Timestamp,
    rest_until: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE reconciled SET lease_until = $5,
            listed_to = CASE WHEN listed_to < $4 THEN $4 ELSE listed_to END
        WHERE carrier = $1 AND kind = $2 AND fence = $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&turn.carrier)
        .bind(turn.kind.as_str())
        .bind(turn.fence)
        .bind(listed_to.millis())
        .bind(rest_until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}
