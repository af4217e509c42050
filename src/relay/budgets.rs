//! What may be spent at a carrier, and for an account: what is above is refused.
//!
//! What was spent is summed in the database every few seconds, so all nodes see the same and a restart
//! forgets nothing; what is sent between two sums may go above.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
    store::charges::{self, Sum},
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

/// What was spent today, and in this month if that is bounded too.
fn spent(today: Sum, month: Option<Sum>) -> Spent {
    let month = month.map(|month| month.amounts).unwrap_or_default();
    Spent { texts: today.texts, minutes: today.minutes, day: today.amounts, month }
}

/// Tells that a sum failed: what it came to before goes on to count.
fn unsummed(of: &str, error: &Error) {
    metrics::budget_unsummed(of);
    tracing::warn!(of, %error, "what was spent of a budget can't be summed");
}

impl Relay {
    /// Sums what was spent of each budget, each by itself: one that can't be summed switches off no other.
    ///
    /// # Errors
    /// That of the last that failed.
    pub async fn measure_budgets(&self) -> Result<(), Error> {
        let budgets = self.carriers.budgets();
        let mut done = Ok(());
        for (carrier, budget) in &budgets.carriers {
            match self.spent_at(carrier, budget).await {
                Ok(spent) => self.note_carrier(carrier, budget.percent(&spent)),
                Err(error) => {
                    unsummed(carrier, &error);
                    done = Err(error);
                }
            }
        }
        if !budgets.account.is_none() {
            match self.spent_by_accounts(&budgets.account).await {
                Ok(spent) => self.note_accounts(&budgets.account, &spent),
                Err(error) => {
                    unsummed("accounts", &error);
                    done = Err(error);
                }
            }
        }
        done
    }

    async fn spent_at(&self, carrier: &str, budget: &Budget) -> Result<Spent, Error> {
        let mut tx = self.db.read().await?;
        let Some((day, month)) = beginnings(tx.now().await?) else { return Ok(Spent::default()) };
        let today = charges::spent_at(&mut tx, carrier, day).await?;
        let month = match budget.per_month {
            Some(_) => Some(charges::spent_at(&mut tx, carrier, month).await?),
            None => None,
        };
        Ok(spent(today, month))
    }

    /// By account; whoever spent nothing is not there.
    async fn spent_by_accounts(&self, budget: &Budget) -> Result<HashMap<AccountId, Spent>, Error> {
        let mut tx = self.db.read().await?;
        let Some((day, month)) = beginnings(tx.now().await?) else { return Ok(HashMap::new()) };
        let mut sums: HashMap<String, (Sum, Option<Sum>)> = HashMap::new();
        for today in charges::spent_by_accounts(&mut tx, day).await? {
            let sum = sums.entry(today.key.clone()).or_default();
            sum.0 = today;
        }
        if budget.per_month.is_some() {
            for all in charges::spent_by_accounts(&mut tx, month).await? {
                let sum = sums.entry(all.key.clone()).or_default();
                sum.1 = Some(all);
            }
        }
        let by_account = sums.into_iter().filter_map(|(account, (today, month))| {
            Some((AccountId::parse(&account).ok()?, spent(today, month)))
        });
        Ok(by_account.collect())
    }

    fn note_carrier(&self, carrier: &str, percent: u64) {
        metrics::budget_used(carrier, percent);
        let before = self.spending.lock().carriers.insert(carrier.to_owned(), percent);
        for (level, word) in [(NEAR, "nearly spent"), (WHOLE, "spent: no more is sent")] {
            if percent >= level && before.is_none_or(|before| before < level) {
                tracing::warn!(carrier, percent, "a carrier's budget is {word}");
            }
        }
    }

    fn note_accounts(&self, budget: &Budget, spent: &HashMap<AccountId, Spent>) {
        let over = |account: &AccountId| {
            spent.get(account).map_or(0, |spent| budget.percent(spent)) >= WHOLE
        };
        let mut percents = self.spending.lock();
        percents.accounts.retain(over);
        for account in spent.keys().filter(|account| over(account)) {
            if percents.accounts.insert(account.clone()) {
                tracing::warn!(%account, "an account's budget is spent");
            }
        }
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
