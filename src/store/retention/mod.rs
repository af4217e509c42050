//! What is deleted once its time is up: a bounded batch at a time, in the order in which it came, and nothing
//! that something keeps.

mod batches;
mod counts;
pub(super) mod kept;
pub mod runs;

use std::sync::OnceLock;

#[cfg(test)]
pub(super) use self::batches::{
    API_REQUESTS, CHARGES, EVENTS, LOG, LOG_OF_NOBODY, SESSIONS, STICKY, TEXTS,
};
pub use self::{
    batches::{batch, oldest},
    counts::{fold, shown},
};
use super::{Db, Error, Tx, services};
use crate::{
    domain::{
        retention::{self, DataClass, Retention, RetentionRules},
        time::Timestamp,
    },
    ids::{AccountId, ServiceId},
};

/// The terms of a process, once they were said.
#[derive(Default)]
pub(super) struct Terms(OnceLock<Retention>);

static DEFAULT: Retention = Retention::DEFAULT;

impl Terms {
    pub(super) fn get(&self) -> &Retention {
        self.0.get().unwrap_or(&DEFAULT)
    }
}

impl Db {
    /// Says how long what is kept; the first word holds. Without, what it is without settings.
    pub fn keep_for(&self, terms: Retention) {
        let _ = self.shared.terms.0.set(terms);
    }

    /// How long what is kept.
    pub fn retention(&self) -> &Retention {
        self.shared.terms.get()
    }
}

/// What a batch is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Words of texts.
    Texts,
    /// Texts as they were written.
    Originals,
    /// The log.
    Log,
    /// Sessions.
    Sessions,
    /// Charges.
    Charges,
    /// Events.
    Events,
    /// Which number a pair had last.
    Sticky,
    /// What was asked of the APIs.
    ApiRequests,
    /// Legal holds that were lifted.
    Holds,
    /// Traffic data that a law wanted kept.
    Statutory,
}

impl Walk {
    /// Of each service, in this order: a session goes once nothing of it is in the log.
    pub const OF_SERVICES: &'static [Self] =
        &[Self::Texts, Self::Originals, Self::Log, Self::Sessions];
    /// Of each account.
    pub const OF_ACCOUNTS: &'static [Self] = &[
        Self::Log,
        Self::Charges,
        Self::Events,
        Self::Sticky,
        Self::ApiRequests,
        Self::Holds,
        Self::Statutory,
    ];

    /// What it is a part of.
    pub const fn class(self) -> DataClass {
        match self {
            Self::Texts | Self::Originals => DataClass::Texts,
            Self::Log => DataClass::Log,
            Self::Sessions => DataClass::Sessions,
            Self::Charges => DataClass::Charges,
            Self::Events => DataClass::Events,
            Self::Sticky => DataClass::Sticky,
            Self::ApiRequests => DataClass::ApiRequests,
            Self::Holds => DataClass::Holds,
            Self::Statutory => DataClass::Statutory,
        }
    }
}

/// Where what is looked at.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The service; `None` for what has none, or where services do not matter.
    pub service: Option<ServiceId>,
    /// What.
    pub walk: Walk,
    /// What is older goes.
    pub before: Timestamp,
}

/// How far a walk has come.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    pub(super) at: i64,
    pub(super) id: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// How many rows went, or would.
    pub gone: u64,
    /// Where the next one begins; `None` if this was the last.
    pub next: Option<Cursor>,
}

/// All that is to be looked at of an account, in order.
pub async fn scopes(tx: &mut Tx, account: &AccountId, now: Timestamp) -> Result<Vec<Scope>, Error> {
    let services = services::retention(tx, account).await?;
    let terms = tx.shared.terms.get();
    let scope = |walk: Walk, service: Option<&ServiceId>, rules: &RetentionRules| Scope {
        account: account.clone(),
        service: service.cloned(),
        walk,
        // What has its own end in its row goes then.
        before: terms.days(walk.class(), rules).map_or(now, |days| retention::before(now, days)),
    };
    let none = RetentionRules::default();
    let of_services = services.iter().flat_map(|(service, rules)| {
        Walk::OF_SERVICES.iter().map(move |walk| (*walk, Some(service), rules))
    });
    let of_account = Walk::OF_ACCOUNTS.iter().map(|walk| (*walk, None, &none));
    Ok(of_services.chain(of_account).map(|(walk, id, rules)| scope(walk, id, rules)).collect())
}
