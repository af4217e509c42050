//! Counts what was relayed and how full pools are, hour by hour, for charts.

use std::{sync::Arc, time::Duration};

use super::{Error, Relay};
use crate::{
    ids::AccountId,
    store::{accounts, hours},
};

/// For how many hours a call or text may still change after it began: a text that is held back, a receipt that is late.
const MAY_CHANGE: i64 = 48;
/// How far back hours are counted and kept.
pub const HOURS_KEPT: Duration = Duration::from_hours(92 * 24);
/// How many accounts are read at once.
const PAGE: i64 = 200;

impl Relay {
    /// Counts, for every account, the hour that goes on and the one before; and once an hour all that may still have
    /// changed. What was never counted is, from the log's first hour on, 92 days back at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn count_hours(&self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let page = accounts::list(&mut tx, &after, PAGE).await?;
            drop(tx);
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.to_string();
            for account in page {
                self.count_hours_of(&account.id).await?;
            }
        }
    }

    async fn count_hours_of(&self, account: &AccountId) -> Result<(), Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let known = hours::counted(&mut tx, account).await?;
        let oldest = hours::oldest(&mut tx, account).await?;
        drop(tx);
        let this = hours::hour_of(now);
        let first = hours::hour_of(oldest.unwrap_or(now).max(now - HOURS_KEPT));
        let swept = known.map_or(i64::MIN, |known| known.swept);
        if swept >= this {
            for hour in [this - 1, this] {
                self.count_hour(account, hour).await?;
            }
            return Ok(());
        }
        let settled = known.map_or(first, |known| known.settled.max(first));
        for hour in settled..this {
            self.count_hour(account, hour).await?;
            // A long way is gone in steps: whoever goes on after a restart goes on from there.
            if (hour - settled) % 24 == 23 {
                self.note_counted(account, (hour.min(this - MAY_CHANGE), i64::MIN)).await?;
            }
        }
        self.count_hour(account, this).await?;
        self.note_fullness(account).await?;
        self.note_counted(account, (this - MAY_CHANGE, this)).await
    }

    async fn note_counted(&self, account: &AccountId, progress: (i64, i64)) -> Result<(), Error> {
        let account = account.clone();
        self.db
            .write(move |tx| {
                let account = account.clone();
                Box::pin(async move {
                    hours::note_counted(tx, &account, progress).await.map_err(Error::from)
                })
            })
            .await
    }

    async fn count_hour(&self, account: &AccountId, hour: i64) -> Result<(), Error> {
        // Many rows are read where nobody waits for it.
        let mut tx = self.db.read().await?;
        let rows = hours::count(&mut tx, account, hour).await?;
        let known = hours::known(&mut tx, account, hour).await?;
        drop(tx);
        let tally: i64 = rows.iter().map(|row| row.tally).sum();
        // What the log forgot meanwhile was there all the same.
        if tally == 0 || tally < known {
            return Ok(());
        }
        let held = Arc::new((account.clone(), rows));
        self.db
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    hours::replace(tx, &held.0, hour, &held.1).await.map_err(Error::from)
                })
            })
            .await
    }

    async fn note_fullness(&self, account: &AccountId) -> Result<(), Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let parts = hours::fullness(&mut tx, account, now).await?;
        drop(tx);
        let held = Arc::new((account.clone(), parts));
        self.db
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    for part in &held.1 {
                        hours::note_fullness(tx, &held.0, part).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }
}

/// In how many days a pool is exhausted for its busiest person, if the most numbers that one person held goes on growing
/// as it did: the least squares' line through what each day saw. `None` where it does not grow, or fewer than three days
/// are known.
pub fn days_to_exhaustion(daily: &[(i64, i64)], numbers: i64) -> Option<u32> {
    let (last, most) = *daily.last().filter(|_| daily.len() >= 3)?;
    if most >= numbers {
        return Some(0);
    }
    let n = i128::try_from(daily.len()).ok()?;
    let (mut sum_x, mut sum_y, mut sum_xx, mut sum_xy) = (0_i128, 0, 0, 0);
    for (day, most) in daily {
        let (x, y) = (i128::from(day - last), i128::from(*most));
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
    }
    // The line rises by `rise / run` a day, and is at `today / (n * run)` on the last one.
    let (rise, run) = (n * sum_xy - sum_x * sum_y, n * sum_xx - sum_x * sum_x);
    if rise <= 0 || run <= 0 {
        return None;
    }
    let today = sum_y * run - rise * sum_x;
    let left = (i128::from(numbers) * n * run - today).max(1);
    let days = u32::try_from((left + n * rise - 1) / (n * rise)).ok()?;
    // Further than a year nobody plans by a line through two weeks.
    (days <= 365).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool that fills by one a day lasts as many days as it has numbers left; one that does not fill lasts.
    #[test]
    fn days_until_a_pool_is_exhausted() {
        let line = |from: i64, by: i64| {
            (0..14).map(move |day| (20_000 + day, from + by * day)).collect::<Vec<_>>()
        };
        assert_eq!(days_to_exhaustion(&line(1, 1), 20), Some(6));
        assert_eq!(days_to_exhaustion(&line(1, 1), 14), Some(0));
        assert_eq!(days_to_exhaustion(&line(5, 0), 20), None);
        assert_eq!(days_to_exhaustion(&line(19, -1), 20), None);
        assert_eq!(days_to_exhaustion(&line(1, 1)[..2], 20), None);
        assert_eq!(days_to_exhaustion(&line(1, 1), 10_000), None);
    }

    /// Days that nobody looked at leave a gap and no zero; what goes up and down is levelled, and a day that is begun
    /// counts whole.
    #[test]
    fn days_of_which_some_are_missing() {
        assert_eq!(days_to_exhaustion(&[(0, 1), (2, 3), (5, 6)], 10), Some(4));
        assert_eq!(days_to_exhaustion(&[(0, 1), (1, 1), (2, 2)], 10), Some(17));
        assert_eq!(days_to_exhaustion(&[(0, 4), (1, 1), (2, 4), (3, 1)], 5), None);
        assert_eq!(days_to_exhaustion(&[], 0), None);
    }
}
