//! The developers' log of what accounts asked of the APIs: noted without waiting, written later and many at a time.
//!
//! No request waits for it, none fails by it: what the database does not take in time is left out, and counted.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Error, Relay};
use crate::{
    ids::AccountId,
    store::api_requests::{self, Logged},
    telemetry::metrics,
};

/// How many requests wait at most to be written: some megabytes.
pub const API_LOG_WAITING: usize = 8192;
/// How many are written in one transaction: other writes come in between.
const BATCH: usize = 512;
/// How many requests of an account are kept; older ones go first.
pub const API_LOG_MAX: i64 = 100_000;
/// An account's rows are counted anew after so many more.
const LOOKED_AT: usize = 1000;
/// How many rows beyond the bound are deleted in one transaction.
const FORGOTTEN: i64 = 500;

/// What waits to be written, and how much each account has had written since its rows were counted.
#[derive(Debug, Default)]
pub(super) struct Log {
    waiting: Mutex<VecDeque<(AccountId, Logged)>>,
    written: Mutex<HashMap<AccountId, usize>>,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// The oldest of what waits, as many as are written at once.
    fn next(&self) -> Vec<(AccountId, Logged)> {
        let mut waiting = locked(&self.waiting);
        let most = waiting.len().min(BATCH);
        waiting.drain(..most).collect()
    }

    /// Lets wait again what could not be written, as far as there is room.
    fn again(&self, rows: &[(AccountId, Logged)]) {
        let mut waiting = locked(&self.waiting);
        let room = API_LOG_WAITING.saturating_sub(waiting.len());
        // The oldest are left out, as they would be first to go.
        let lost = rows.len().saturating_sub(room);
        for row in rows.iter().skip(lost).rev() {
            waiting.push_front(row.clone());
        }
        metrics::api_log_dropped(u64::try_from(lost).unwrap_or(u64::MAX));
    }

    /// Counts what was written; the accounts whose rows are to be counted.
    fn wrote(&self, rows: &[(AccountId, Logged)]) -> Vec<AccountId> {
        let mut written = locked(&self.written);
        let mut due = Vec::new();
        for (account, _) in rows {
            // Since the start nothing is known of an account: its first row has them counted.
            let since = written.entry(account.clone()).or_insert(LOOKED_AT);
            *since += 1;
            if *since > LOOKED_AT {
                *since = 0;
                due.push(account.clone());
            }
        }
        due
    }
}

impl Relay {
    /// Notes a request that was answered. It is written within seconds, or left out where more came than the
    /// database takes.
    pub fn note_request(&self, account: AccountId, one: Logged) {
        let mut waiting = locked(&self.api_log.waiting);
        if waiting.len() < API_LOG_WAITING {
            waiting.push_back((account, one));
        } else {
            drop(waiting);
            metrics::api_log_dropped(1);
        }
    }

    /// How many requests wait to be written.
    pub fn api_log_waiting(&self) -> usize {
        locked(&self.api_log.waiting).len()
    }

    /// Writes what waits, and deletes what an account has too much of; how many were written.
    ///
    /// # Errors
    /// The store's: what was not written waits on.
    pub async fn write_api_log(&self) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let rows = Arc::new(self.api_log.next());
            if rows.is_empty() {
                return Ok(count);
            }
            let held = Arc::clone(&rows);
            let done = self.db.write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move { api_requests::insert(tx, &held).await.map_err(Error::from) })
            });
            if let Err(error) = done.await {
                self.api_log.again(&rows);
                return Err(error);
            }
            count += rows.len();
            for account in self.api_log.wrote(&rows) {
                self.shorten_api_log(&account, API_LOG_MAX).await?;
            }
        }
    }

    /// Deletes all but the newest `most` requests of an account; how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn shorten_api_log(&self, account: &AccountId, most: i64) -> Result<u64, Error> {
        let mut tx = self.db.read().await?;
        let last = api_requests::beyond(&mut tx, account, most).await?;
        drop(tx);
        let Some(last) = last else { return Ok(0) };
        let mut all = 0;
        loop {
            let (account, last) = (account.clone(), last.clone());
            let gone = self.db.write(move |tx| {
                let (account, last) = (account.clone(), last.clone());
                Box::pin(async move {
                    let gone = api_requests::forget(tx, &account, &last, FORGOTTEN).await;
                    gone.map_err(Error::from)
                })
            });
            let gone = gone.await?;
            all += gone;
            if i64::try_from(gone).is_ok_and(|gone| gone < FORGOTTEN) {
                return Ok(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::time::Timestamp,
        ids::{Ids, RequestId},
    };

    fn row(account: &AccountId) -> (AccountId, Logged) {
        let (ids, at) = (Ids::default(), Timestamp::from_millis(1_795_252_727_000));
        let request: RequestId = ids.make(at);
        let one = Logged {
            id: ids.make(at),
            request,
            method: "GET",
            route: "/api/v1/account".to_owned(),
            status: 200,
            code: None,
            key: None,
            took: std::time::Duration::ZERO,
            idempotent: false,
            at,
        };
        (account.clone(), one)
    }

    /// What could not be written comes first again, in its order; what there is no room for is left out, the oldest
    /// first.
    #[test]
    fn what_was_not_written_waits_on() {
        let account = Ids::default().make(Timestamp::from_millis(1));
        let log = Log::default();
        let rows: Vec<_> = (0..BATCH + 2).map(|_| row(&account)).collect();
        locked(&log.waiting).extend(rows.iter().cloned());
        let first = log.next();
        assert_eq!(first, rows[..BATCH]);
        log.again(&first);
        assert_eq!(Vec::from(locked(&log.waiting).clone()), rows);
        let taken = log.next();
        let more = std::iter::repeat_with(|| row(&account)).take(API_LOG_WAITING - 5);
        locked(&log.waiting).extend(more);
        log.again(&taken);
        let waiting = locked(&log.waiting);
        assert_eq!(waiting.len(), API_LOG_WAITING);
        assert_eq!([&waiting[0], &waiting[2]], [&taken[BATCH - 3], &taken[BATCH - 1]]);
    }

    /// An account's rows are counted at its first row and once in a while, however many others write.
    #[test]
    fn accounts_are_looked_at_once_in_a_while() {
        let ids = Ids::default();
        let at = Timestamp::from_millis(1);
        let [one, other]: [AccountId; 2] = [ids.make(at), ids.make(at)];
        let log = Log::default();
        assert_eq!(log.wrote(&[row(&one), row(&other)]), [one.clone(), other]);
        assert!(log.wrote(&vec![row(&one); LOOKED_AT]).is_empty());
        assert_eq!(log.wrote(&[row(&one)]), [one]);
    }
}
