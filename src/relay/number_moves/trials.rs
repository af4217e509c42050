//! Which accounts have a dry run under way: each keeps writers waiting, so each account has one at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::ids::AccountId;

/// Those of this process.
#[derive(Debug, Clone, Default)]
pub(in crate::relay) struct Trials(Arc<Mutex<BTreeSet<AccountId>>>);

/// An account's one dry run; the next may begin once it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    all: Trials,
    account: AccountId,
}

impl Trials {
    /// Begins one; `None` if the account has one under way.
    pub(super) fn begin(&self, account: &AccountId) -> Option<Turn> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone());
        // Made only where it begins: one that is dropped ends the turn.
        begun.then(|| Turn { all: self.clone(), account: account.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// One at a time for each account, and the next as soon as it has ended.
    #[test]
    fn one_at_a_time() {
        let trials = Trials::default();
        let account = |n| AccountId::first_of(Timestamp::from_millis(n));
        let first = trials.begin(&account(1));
        assert!(first.is_some());
        assert!(trials.begin(&account(1)).is_none());
        assert!(trials.begin(&account(2)).is_some(), "another account's");
        drop(first);
        assert!(trials.begin(&account(1)).is_some());
    }
}
