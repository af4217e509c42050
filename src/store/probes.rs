//! Which proxy numbers somebody tried who is in no session; and what was told once on a day.

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::{abuse::Window, closed_set, time::Timestamp},
    ids::{AccountId, NumberId},
    privacy::Person,
};

/// What somebody has tried within this hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// How many proxy numbers.
    pub numbers: i64,
    /// How often this one.
    pub used: i64,
}

/// Notes that somebody tried a number; all who withhold theirs are one.
pub async fn note(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    person: Option<&Person>,
    now: Timestamp,
) -> Result<Tried, Error> {
    const NOTE: &str = "
        INSERT INTO probes (account, person, number_id, hour, used) VALUES ($1, $2, $3, $4, 1)
        ON CONFLICT (account, person, number_id) DO UPDATE SET
            used = CASE WHEN probes.hour = excluded.hour THEN probes.used + 1 ELSE 1 END,
            hour = excluded.hour
        RETURNING used";
    const COUNT: &str =
        "SELECT COUNT(*) FROM probes WHERE account = $1 AND person = $2 AND hour = $3";
    let (person, hour) = (person.map_or("", Person::as_str), Window::Hour.place(now));
    let used: i64 = on!(tx, |conn| sqlx::query_scalar(NOTE)
        .bind(account)
        .bind(person)
        .bind(number)
        .bind(hour)
        .fetch_one(conn)
        .await?);
    let numbers: i64 = on!(tx, |conn| sqlx::query_scalar(COUNT)
        .bind(account)
        .bind(person)
        .bind(hour)
        .fetch_one(conn)
        .await?);
    Ok(Tried { numbers, used })
}

/// Forgets what was last tried before that hour, `limit` rows at most; how many went.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM probes WHERE (account, person, number_id) IN (
            SELECT account, person, number_id FROM probes WHERE hour < $1
            ORDER BY hour, account, person, number_id LIMIT $2)";
    forget(tx, SQL, Timestamp::from_millis(Window::Hour.place(before)), limit).await
}

closed_set! {
    /// What is told once on a day.
    Alert {
        /// Somebody tries one proxy number after the other.
        Harvest = "harvest",
        /// A budget comes to its end.
        BudgetNear = "budget_near",
        /// Nothing is left of a budget.
        BudgetSpent = "budget_spent",
        /// Somebody who wrote too much was told so.
        Limited = "limited",
    }
}

/// Whether that is to be told: nobody has on this day.
pub async fn is_news(
    tx: &mut Tx,
    account: &AccountId,
    alert: Alert,
    subject: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO alerts (account, what, subject, day) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(alert.as_str())
        .bind(subject)
        .bind(Window::Day.place(now))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets what was told before that day, `limit` rows at most; how many went.
pub async fn purge_alerts(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM alerts WHERE (account, what, subject, day) IN (
            SELECT account, what, subject, day FROM alerts WHERE day < $1
            ORDER BY day, account, what, subject LIMIT $2)";
    forget(tx, SQL, Timestamp::from_millis(Window::Day.place(before)), limit).await
}
