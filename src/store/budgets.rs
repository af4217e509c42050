//! How often somebody is answered at the marketplace's cost, or may be wrong: so often in a
//! length of time, and the database counts.

use std::time::Duration;

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::{closed_set, time::Timestamp},
    ids::{AccountId, NumberId},
    privacy::Person,
};

closed_set! {
    /// An answer that costs the marketplace something, or that is given so often only.
    Costly {
        /// A call to the marketplace's own line.
        Forward = "forward",
        /// A text back.
        Text = "text",
        /// A text that says what became of theirs.
        Notice = "notice",
        /// A text that answers a word for the relay.
        Keyword = "keyword",
        /// A text that says that a code is needed.
        PinHelp = "pin_help",
        /// A PIN that is wrong, within an hour.
        PinHour = "pin_hour",
        /// The same within a day.
        PinDay = "pin_day",
        /// Word to the marketplace that too many were.
        PinLocked = "pin_locked",
    }
}

/// Who is answered, and where.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The proxy number that was dialled or texted.
    pub number: &'a NumberId,
    /// Who it was; all whose number was withheld share one budget.
    pub person: Option<&'a Person>,
}

/// Takes one of `most` answers that may be given within `per` of the first; whether there was one.
/// Of several at once on the same budget one goes first, whatever node they are on.
pub async fn take(
    tx: &mut Tx,
    asker: Asker<'_>,
    answer: Costly,
    most: i64,
    per: Duration,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO answer_budgets (account, number_id, person, answer, since, used)
        VALUES ($1, $2, $3, $4, $5, 1)
        ON CONFLICT (account, number_id, person, answer) DO UPDATE SET
            since = CASE WHEN answer_budgets.since <= $6 THEN $5 ELSE answer_budgets.since END,
            used = CASE WHEN answer_budgets.since <= $6 THEN 1 ELSE answer_budgets.used + 1 END
        WHERE answer_budgets.since <= $6 OR answer_budgets.used < $7";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(asker.account)
        .bind(asker.number)
        .bind(asker.person.map_or("", Person::as_str))
        .bind(answer.as_str())
        .bind(now.millis())
        .bind((now - per).millis())
        .bind(most)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Gives back what was just taken.
pub async fn give_back(tx: &mut Tx, asker: Asker<'_>, answer: Costly) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE answer_budgets SET used = used - 1
        WHERE account = $1 AND number_id = $2 AND person = $3 AND answer = $4 AND used > 0";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(asker.account)
            .bind(asker.number)
            .bind(asker.person.map_or("", Person::as_str))
            .bind(answer.as_str())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Forgets budgets that began before `before`, `limit` at most; how many. It must be at least as
/// long ago as the longest budget lasts.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM answer_budgets WHERE (account, number_id, person, answer) IN (
            SELECT account, number_id, person, answer FROM answer_budgets WHERE since < $1
            ORDER BY since, account, number_id, person, answer LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
