//! What may be spent at a carrier, and for an account: what is above is refused.
//!
//! What was spent is summed in the database every few seconds, so all nodes see the same and a restart
//! forgets nothing; what is sent between two sums may go above.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};

use super::{Error, Relay};
use crate::{
    domain::{
        budget::{Budget, Spent},
        time::Timestamp,
    },
    ids::AccountId,
    store::{
        Tx, accounts,
        charges::{self, Of},
    },
    telemetry::metrics,
};

/// From how many percent on it is told that a budget comes to its end, and at how many it has.
const NEAR: u64 = 80;
const WHOLE: u64 = 100;

/// What may be spent: at each carrier, and for each account at all of them.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    carriers: BTreeMap<String, Budget>,
    account: Budget,
}

impl Budgets {
    /// So much for each account.
    pub fn new(account: Budget) -> Self {
        Self { carriers: BTreeMap::new(), account }
    }

    /// And so much at that carrier.
    pub fn add(&mut self, carrier: &str, budget: Budget) {
        if !budget.is_none() {
            self.carriers.insert(carrier.to_owned(), budget);
        }
    }
}

/// What has been spent of them, in percent, when it was last summed.
#[derive(Debug, Clone, Default)]
pub(super) struct Spending(Arc<Mutex<Percents>>);

#[derive(Debug, Default)]
struct Percents {
    carriers: BTreeMap<String, u64>,
    accounts: HashSet<AccountId>,
}

impl Spending {
    /// A panic can't leave it half changed.
    fn lock(&self) -> MutexGuard<'_, Percents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is left, at this carrier or for this account.
    pub(super) fn over(&self, carrier: &str, account: &AccountId) -> bool {
        let percents = self.lock();
        percents.carriers.get(carrier).is_some_and(|percent| *percent >= WHOLE)
            || percents.accounts.contains(account)
    }

    fn percent(&self, carrier: &str) -> Option<u64> {
        self.lock().carriers.get(carrier).copied()
    }
}

/// The beginnings of the day and of the month in which `now` is (UTC).
fn beginnings(now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let at = jiff::Timestamp::from_millisecond(now.millis()).ok()?;
    let date = at.to_zoned(TimeZone::UTC).date();
    let begin = |date: Date| {
        let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Timestamp::from_millis(at.as_millisecond()))
    };
    let first = date.checked_sub(i64::from(date.day() - 1).days()).ok()?;
    Some((begin(date)?, begin(first)?))
}

async fn spent(tx: &mut Tx, of: Of<'_>, budget: &Budget, now: Timestamp) -> Result<Spent, Error> {
    let Some((day, month)) = beginnings(now) else { return Ok(Spent::default()) };
    let today = charges::spent(tx, of, day).await?;
    let month = match budget.per_month {
        Some(_) => charges::spent(tx, of, month).await?.amounts,
        None => Vec::new(),
    };
    Ok(Spent { texts: today.texts, minutes: today.minutes, day: today.amounts, month })
}

impl Relay {
    /// Sums what was spent of each budget.
    pub async fn measure_budgets(&self) -> Result<(), Error> {
        let budgets = self.carriers.budgets();
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        for (carrier, budget) in &budgets.carriers {
            let spent = spent(&mut tx, Of::Carrier(carrier), budget, now).await?;
            let percent = budget.percent(&spent);
            metrics::budget_used(carrier, percent);
            let before = self.spending.lock().carriers.insert(carrier.clone(), percent);
            for (level, word) in [(NEAR, "nearly spent"), (WHOLE, "spent: no more is sent")] {
                if percent >= level && before.is_none_or(|before| before < level) {
                    tracing::warn!(carrier, percent, "a carrier's budget is {word}");
                }
            }
        }
        if budgets.account.is_none() {
            return Ok(());
        }
        for account in accounts::all(&mut tx).await?.into_iter().map(|account| account.id) {
            let spent = spent(&mut tx, Of::Account(&account), &budgets.account, now).await?;
            let percent = budgets.account.percent(&spent);
            let mut percents = self.spending.lock();
            if percent < WHOLE {
                percents.accounts.remove(&account);
            } else if percents.accounts.insert(account.clone()) {
                tracing::warn!(%account, percent, "an account's budget is spent");
            }
        }
        Ok(())
    }

    /// Whether nothing is left to be spent at this carrier or for this account.
    pub fn over_budget(&self, carrier: &str, account: &AccountId) -> bool {
        self.spending.over(carrier, account)
    }

    /// How much of a carrier's budget was spent, in percent; `None` for one without.
    pub fn budget_used(&self, carrier: &str) -> Option<u64> {
        self.spending.percent(carrier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days and months begin at midnight in UTC, also in February of a leap year.
    #[test]
    fn days_and_months_begin_at_midnight() {
        let at = |text: &str| {
            Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
        };
        for (now, day, month) in [
            ("2026-11-22T18:00:00Z", "2026-11-22T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2028-02-29T23:59:59.999Z", "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(beginnings(at(now)), Some((at(day), at(month))));
        }
    }
}
