//! What is due, and when the next is: of each account some, and nothing that is held.

use std::{collections::HashMap, hash::BuildHasher};

use super::{Entry, OutboxKind, Row, columns};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, OutboxId},
    store::{Error, Tx, db::on},
};

/// What is left alone for now. What is too late is not: it is only ended. Nor is the end of a call, but
/// for carriers that are left out whole.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// Each between spaces of its own: no id and no number holds one.
    carriers: String,
    kinds: String,
    numbers: String,
}

impl Held {
    /// Everything for this carrier.
    pub fn carrier(&mut self, carrier: &str) {
        self.carriers.extend([" ", carrier, " "]);
    }

    /// What is of that kind for this carrier.
    pub fn kind(&mut self, carrier: &str, kind: OutboxKind) {
        self.kinds.extend([" ", carrier, "/", kind.as_str(), " "]);
    }

    /// Texts from this proxy number.
    pub fn number(&mut self, number: &str) {
        self.numbers.extend([" ", number, " "]);
    }
}

macro_rules! number {
    () => {
        "(SELECT number FROM legs l WHERE l.account = outbox.account AND l.id = outbox.leg)"
    };
}

/// Whether an entry is not held: by its kind at its carrier, and by its number.
macro_rules! free {
    ($kinds:literal, $numbers:literal) => {
        concat!(
            "(kind = 'end_call' OR (replace(",
            $kinds,
            ", ' ' || carrier || '/' || kind || ' ', '') = ",
            $kinds,
            " AND (",
            $numbers,
            " = '' OR kind <> 'message' OR replace(",
            $numbers,
            ", ' ' || ",
            number!(),
            " || ' ', '') = ",
            $numbers,
            ")))"
        )
    };
}

/// Whether a kind is one that we know: what only a later build knows is left to its nodes, and keeps
/// nothing else back (I32).
macro_rules! known {
    () => {
        " kind IN ('message', 'call', 'end_call', 'fetch_recording', 'drop_recording', \
          'drop_record', 'record') "
    };
}
pub(super) use known;

macro_rules! due {
    ($of:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", ",
            number!(),
            " AS number FROM outbox
            WHERE state IN ('ready', 'sending') AND run_at <= $1
              AND (state = 'ready' OR lease_until <= $1) AND",
            known!(),
            "AND replace($3, ' ' || carrier || ' ', '') = $3
              AND (valid_until <= $1 OR ",
            free!("$4", "$5"),
            ")",
            $of,
            " ORDER BY run_at, id LIMIT $2"
        )
    };
}

pub(in crate::store) const DUE: &str = due!("");
pub(in crate::store) const DUE_OF: &str = due!(" AND account = $6");

/// Of how many accounts something is found at once, where more is due than is asked for.
const ACCOUNTS_MAX: i64 = 64;

/// What is due at `now`, or whose worker's lease has ended: to be claimed one by one, and nothing that
/// is held. The oldest first; but where more is due than `limit`, some of each account, in turns, the
/// account of the oldest first: whoever owes much keeps nobody else waiting.
///
/// `known` are entries that may be due and that the caller does not ask for, with their accounts: somebody
/// is at them, or they wait for others. They are left out, and take nobody's turn.
pub async fn due<S: BuildHasher>(
    tx: &mut Tx,
    now: Timestamp,
    held: &Held,
    known: &HashMap<OutboxId, AccountId, S>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let size = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
    let fresh = |row: &Row| !known.contains_key(&row.id);
    let all = limit.saturating_add(size(known.len()));
    let rows = rows(tx, now, held, all, None).await?;
    let oldest = rows.first().map(|row| row.account.clone());
    let accounts = match oldest.filter(|_| size(rows.len()) >= all) {
        Some(oldest) => owing(tx, &oldest).await?,
        None => Vec::new(),
    };
    if accounts.len() < 2 {
        return rows.into_iter().filter(fresh).map(Entry::try_from).collect();
    }
    let share = (limit / size(accounts.len())).max(4);
    let (mut ranked, mut turns) = (Vec::new(), 0);
    for account in &accounts {
        let mine = size(known.values().filter(|one| *one == account).count());
        let rows = self::rows(tx, now, held, share.saturating_add(mine), Some(account)).await?;
        let before = ranked.len();
        ranked.extend(rows.into_iter().filter(fresh).enumerate());
        turns += i64::from(ranked.len() > before);
        // Whoever comes after so many would have no turn.
        if turns >= limit {
            break;
        }
    }
    // Stable: of each round the oldest's account comes first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, row)| Entry::try_from(row)).collect()
}

/// The oldest that are due, `limit` at most; of one account, if it is named.
async fn rows(
    tx: &mut Tx,
    now: Timestamp,
    held: &Held,
    limit: i64,
    of: Option<&AccountId>,
) -> Result<Vec<Row>, Error> {
    Ok(on!(tx, |conn| {
        let query = sqlx::query_as(if of.is_some() { DUE_OF } else { DUE })
            .bind(now.millis())
            .bind(limit)
            .bind(&held.carriers)
            .bind(&held.kinds)
            .bind(&held.numbers);
        match of {
            Some(account) => query.bind(account).fetch_all(conn).await?,
            None => query.fetch_all(conn).await?,
        }
    }))
}

/// Accounts that something is owed for, `first` and those after it, and then from the beginning:
/// [`ACCOUNTS_MAX`] each at most. It steps from one to the next and looks at nothing between.
async fn owing(tx: &mut Tx, first: &AccountId) -> Result<Vec<AccountId>, Error> {
    const SQL: &str = "
        WITH RECURSIVE step (account) AS (
            SELECT MIN(account) FROM outbox WHERE state IN ('ready', 'sending') AND account >= $1
            UNION ALL
            SELECT (SELECT MIN(o.account) FROM outbox o
                WHERE o.state IN ('ready', 'sending') AND o.account > step.account)
            FROM step WHERE step.account IS NOT NULL)
        SELECT account FROM step WHERE account IS NOT NULL LIMIT $2";
    let mut accounts: Vec<AccountId> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(first.as_str())
        .bind(ACCOUNTS_MAX)
        .fetch_all(conn)
        .await?);
    let before: Vec<AccountId> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind("").bind(ACCOUNTS_MAX).fetch_all(conn).await?);
    accounts.extend(before.into_iter().filter(|account| account.as_str() < first.as_str()));
    Ok(accounts)
}

/// When the next entry is due that is not held, if any is owed.
pub async fn next_due(tx: &mut Tx, held: &Held) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = concat!(
        "SELECT MIN(CASE WHEN state = 'ready' THEN run_at ELSE lease_until END) FROM outbox
        WHERE state IN ('ready', 'sending') AND",
        known!(),
        "AND ",
        free!("$1", "$2")
    );
    let at: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(&held.kinds)
        .bind(&held.numbers)
        .fetch_one(conn)
        .await?);
    Ok(at.map(Timestamp::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements know every kind that the program does, and no other.
    #[test]
    fn every_kind_is_known() {
        let kinds: Vec<_> = OutboxKind::ALL.iter().map(|kind| format!("'{kind}'")).collect();
        assert_eq!(known!().trim(), format!("kind IN ({})", kinds.join(", ")));
    }
}
