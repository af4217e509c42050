//! Entries that go another way than by the carrier that they were owed to.

use super::{Entry, Row, columns};
use crate::{
    ids::OutboxId,
    store::{Error, Tx, db::on},
};

/// Owes an entry to another carrier. What was read of it before can't be claimed any more. Whether
/// nobody has claimed it.
pub async fn readdress(tx: &mut Tx, entry: &Entry, carrier: &str) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE outbox SET carrier = $4, fence = fence + 1
        WHERE account = $1 AND id = $2 AND fence = $3 AND state = 'ready'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(entry.fence)
        .bind(carrier)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Texts of sessions that wait for a carrier and whose recipient knows the same people by a number of another
/// one that can text, their own or one of [`known_besides`](crate::store::holds::known_besides); from after
/// this id on, `limit` at most.
pub async fn with_another_way(
    tx: &mut Tx,
    carrier: &str,
    after: Option<&OutboxId>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM outbox WHERE state = 'ready' AND kind = 'message' AND carrier = $1 AND id > $2
          AND EXISTS (SELECT 1 FROM legs l
            JOIN participants p ON p.account = l.account AND p.id = l.participant
            JOIN sessions s ON s.account = p.account AND s.id = p.session
            JOIN holds own ON own.account = p.account AND own.person = p.person
              AND own.number_id = p.number_id
            JOIN holds h ON h.account = p.account AND h.person = p.person
              AND ((h.state = 'open' AND h.session = p.session)
                OR (h.state = 'quarantined' AND h.counterpart = own.counterpart))
            JOIN numbers n ON n.account = h.account AND n.id = h.number_id AND n.carrier <> $1
              AND n.service = s.service AND n.state <> 'retired' AND n.capabilities LIKE '%sms%'
            WHERE l.account = outbox.account AND l.id = outbox.leg)
        ORDER BY id LIMIT $3"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(carrier)
        .bind(after.map_or("", OutboxId::as_str))
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Entry::try_from).collect()
}
