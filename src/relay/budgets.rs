//! What may be spent at a carrier, and for an account: what is above is refused.
//!
//! What was spent is summed in the database every few seconds, so all nodes see the same and a restart
//! forgets nothing; what is sent between two sums may go above.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};

use serde_json::json;

use super::{Error, Relay};
use crate::{
    domain::{
        abuse::Window,
        budget::{Budget, Spent},
        event::EventKind,
        interaction::{Kind, Reason},
        time::Timestamp,
    },
    ids::AccountId,
    store::{
        charges::{self, Sum},
        events::{self, Place},
        pauses::Pause,
        probes::{self, Alert},
        tallies::{Volume, What},
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
    /// What is held back: by account and kind, of a prefix or, where that is empty, of all.
    paused: HashSet<(AccountId, Kind, String)>,
    /// What was kept of the volumes of an hour.
    volumes: HashMap<(AccountId, What), (i64, u64)>,
    /// Of which budgets was told, on which day.
    told: HashSet<(AccountId, Alert, i64)>,
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

    /// Whether an account's texts or calls are held back, all of them or those to that prefix.
    pub(super) fn pauses(&self, account: &AccountId, kind: Kind, prefix: &str) -> bool {
        let known = self.lock();
        !known.paused.is_empty()
            && [prefix, ""]
                .into_iter()
                .any(|subject| known.paused.contains(&(account.clone(), kind, subject.to_owned())))
    }

    /// Why nothing of that kind is sent for an account at a carrier.
    pub(super) fn refuses(&self, carrier: &str, account: &AccountId, kind: Kind) -> Option<Reason> {
        if self.over(carrier, account) {
            Some(Reason::BudgetSpent)
        } else {
            self.pauses(account, kind, "").then_some(Reason::TrafficPaused)
        }
    }

    /// What is held back by now.
    pub(super) fn learn(&self, paused: &[Pause]) {
        let all = paused.iter().map(|one| (one.account.clone(), one.kind, one.subject.clone()));
        self.lock().paused = all.collect();
    }

    /// Whether an hour's volume is a twentieth more than what was kept of it, or another hour's.
    pub(super) fn grew(&self, volume: &Volume, hour: i64) -> bool {
        let known = self.lock();
        match known.volumes.get(&(volume.account.clone(), volume.what)) {
            Some((of, kept)) if *of == hour => volume.used > kept.saturating_add(kept / 20),
            _ => true,
        }
    }

    /// Those were kept; of other hours is forgotten.
    pub(super) fn kept(&self, volumes: &[Volume], hour: i64) {
        let mut known = self.lock();
        known.volumes.retain(|_, (of, _)| *of == hour);
        for one in volumes {
            known.volumes.insert((one.account.clone(), one.what), (hour, one.used));
        }
    }

    /// Whether nobody here has told of that yet on that day.
    fn untold(&self, account: &AccountId, alert: Alert, day: i64) -> bool {
        !self.lock().told.contains(&(account.clone(), alert, day))
    }

    fn tell(&self, account: &AccountId, alert: Alert, day: i64) {
        let mut known = self.lock();
        known.told.retain(|(.., of)| *of == day);
        known.told.insert((account.clone(), alert, day));
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
                Ok(spent) => {
                    self.note_accounts(&budgets.account, &spent);
                    if let Err(error) = self.tell_accounts(&budgets.account, &spent).await {
                        tracing::warn!(%error, "accounts were not told of their budgets");
                        done = Err(error);
                    }
                }
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

    /// Tells accounts whose budget comes to its end, or has, once a day each.
    async fn tell_accounts(
        &self,
        budget: &Budget,
        spent: &HashMap<AccountId, Spent>,
    ) -> Result<(), Error> {
        let day = Window::Day.place(self.db.read().await?.now().await?);
        for (account, spent) in spent {
            let percent = budget.percent(spent);
            let (alert, kind) = match percent {
                WHOLE.. => (Alert::BudgetSpent, EventKind::BudgetSpent),
                NEAR.. => (Alert::BudgetNear, EventKind::BudgetNear),
                _ => continue,
            };
            if !self.spending.untold(account, alert, day) {
                continue;
            }
            let of = account.clone();
            self.db
                .write(move |tx| {
                    let account = of.clone();
                    Box::pin(async move {
                        let now = tx.now().await?;
                        if probes::is_news(tx, &account, alert, "", now).await? {
                            let data = json!({ "percent": percent }).to_string();
                            let place = Place::default();
                            events::insert(tx, &account, kind, place, &data, now).await?;
                            tx.on_commit(move || metrics::abuse(alert.as_str()));
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await?;
            self.spending.tell(account, alert, day);
            self.committed();
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
