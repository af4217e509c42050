//! The nightly job: deletes what was kept for its time, a batch at a time, one node at a time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Error, Relay};
use crate::{
    domain::{
        retention::{self as terms, DataClass},
        time::Timestamp,
    },
    ids::hex,
    store::{
        accounts,
        retention::{self as rows, Batch, Cursor, Scope, runs},
    },
    telemetry::metrics,
};

/// How many rows are deleted in one transaction.
const BATCH: i64 = 200;
/// How many accounts are read at once.
const PAGE: i64 = 100;
/// How long a node has the turn, from batch to batch.
const LEASE: Duration = Duration::from_mins(2);
/// The longest pause after a batch, which is else as long as the batch took.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How many rows a survey counts of each walk.
const SURVEY_MAX: u64 = 100_000;

/// What is known of a class.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// How many rows went, or would.
    pub gone: u64,
    /// When the oldest that is there is from.
    pub oldest: Option<Timestamp>,
}

/// By class.
pub type Standings = BTreeMap<DataClass, Standing>;

/// The turn of one run.
struct Turn {
    holder: String,
    /// When it must have ended, if it must.
    until: Option<Timestamp>,
}

impl Relay {
    /// Deletes what was kept for its time, if it is night, nobody else does and it was not done this night; what
    /// went, or `None`. A run that was broken off is taken up where its work is left.
    ///
    /// # Errors
    /// The store's. What was deleted until then is.
    pub async fn retain(&self) -> Result<Option<Standings>, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let known = runs::last(&mut tx).await?;
        drop(tx);
        let Some(last) = known else {
            self.db
                .write(|tx| {
                    Box::pin(async move {
                        let now = tx.now().await?;
                        runs::begin_to_count(tx, now).await.map_err(Error::from)
                    })
                })
                .await?;
            return Ok(None);
        };
        let retention = self.db.retention();
        let Some(night) = retention.night(now).filter(|night| last < *night) else {
            return Ok(None);
        };
        let until = night + Duration::from_hours(1) * retention.hours;
        self.take_turn(Some((night, until))).await
    }

    /// The same at once, whatever the hour, in place of whoever does it.
    ///
    /// # Errors
    /// As [`Self::retain`].
    pub async fn retain_now(&self) -> Result<Standings, Error> {
        Ok(self.take_turn(None).await?.unwrap_or_default())
    }

    async fn take_turn(
        &self,
        night: Option<(Timestamp, Timestamp)>,
    ) -> Result<Option<Standings>, Error> {
        let had = self.db.write(move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                let mut random = [0; 16];
                tx.random(&mut random);
                let holder = hex(&random);
                let free_at = night.map_or(Timestamp::MAX, |_| now);
                let since = night.map_or(Timestamp::MAX, |(from, _)| from);
                let when = (now, free_at, now + LEASE);
                let had = runs::take(tx, &holder, when, since).await?;
                Ok::<_, Error>(had.then_some(holder))
            })
        });
        let Some(holder) = had.await? else { return Ok(None) };
        let turn = Turn { holder, until: night.map(|(_, until)| until) };
        let done = self.walk(&turn).await;
        let ended = matches!(&done, Ok(Some(_)));
        let holder = turn.holder;
        self.db
            .write(move |tx| {
                let holder = holder.clone();
                Box::pin(async move {
                    let now = tx.now().await?;
                    let ended = ended.then_some(now);
                    runs::give_back(tx, &holder, ended).await.map_err(Error::from)
                })
            })
            .await?;
        done
    }

    /// Walks through everything; `None` where it was broken off: the night is over, or another node has the
    /// turn.
    async fn walk(&self, turn: &Turn) -> Result<Option<Standings>, Error> {
        let mut all = Standings::new();
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (scopes, next) = self.scopes(&from).await?;
            for scope in scopes {
                let Some(gone) = self.walk_scope(turn, &scope).await? else { return Ok(None) };
                all.entry(scope.walk.class()).or_default().gone += gone;
            }
            after = next;
        }
        self.fold_counts().await?;
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        drop(tx);
        for (class, oldest) in self.oldest().await? {
            all.entry(class).or_default().oldest = oldest;
        }
        for (class, Standing { gone, oldest }) in &all {
            let age = oldest.map_or(Duration::ZERO, |at| now.since(at));
            metrics::retention(class.as_str(), *gone, age);
        }
        Ok(Some(all))
    }

    /// How many rows went; `None` where it was broken off.
    async fn walk_scope(&self, turn: &Turn, scope: &Scope) -> Result<Option<u64>, Error> {
        // A reader looks first: most walks of most nights have nothing, and need no writer.
        let mut tx = self.db.read().await?;
        let first = rows::batch(&mut tx, scope, &Cursor::default(), 1, true).await?;
        drop(tx);
        if first.gone == 0 && first.next.is_none() {
            return Ok(Some(0));
        }
        let (mut gone, mut next) = (0, Some(Cursor::default()));
        while let Some(from) = next {
            let started = Instant::now();
            let Some(batch) = self.batch(turn, scope, from).await? else { return Ok(None) };
            gone += batch.gone;
            next = batch.next;
            if next.is_some() {
                // Whoever waits for a lock gets it in between.
                tokio::time::sleep(started.elapsed().min(PAUSE_MAX)).await;
            }
        }
        Ok(Some(gone))
    }

    /// One batch under the turn; `None` where that is over.
    async fn batch(
        &self,
        turn: &Turn,
        scope: &Scope,
        from: Cursor,
    ) -> Result<Option<Batch>, Error> {
        let (holder, until, scope) = (turn.holder.clone(), turn.until, scope.clone());
        self.db
            .write(move |tx| {
                let (holder, scope, from) = (holder.clone(), scope.clone(), from.clone());
                Box::pin(async move {
                    let now = tx.now().await?;
                    let over = until.is_some_and(|until| now >= until);
                    if over || !runs::hold_on(tx, &holder, now + LEASE).await? {
                        return Ok::<_, Error>(None);
                    }
                    Ok(Some(rows::batch(tx, &scope, &from, BATCH, false).await?))
                })
            })
            .await
    }

    /// Puts what is too seldom together, of days of which nothing more will come.
    async fn fold_counts(&self) -> Result<(), Error> {
        let days = self.db.retention().log;
        loop {
            let more = self.db.write(move |tx| {
                Box::pin(async move {
                    let now = tx.now().await?;
                    let day = terms::day(terms::before(now, days));
                    rows::fold(tx, day).await.map_err(Error::from)
                })
            });
            if !more.await? {
                return Ok(());
            }
        }
    }

    async fn oldest(&self) -> Result<BTreeMap<DataClass, Option<Timestamp>>, Error> {
        let mut found: BTreeMap<DataClass, Option<Timestamp>> = BTreeMap::new();
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (scopes, next) = self.scopes(&from).await?;
            let mut tx = self.db.read().await?;
            for scope in scopes {
                let at = rows::oldest(&mut tx, &scope).await?;
                let known = found.entry(scope.walk.class()).or_default();
                *known = [*known, at].into_iter().flatten().min();
            }
            after = next;
        }
        Ok(found)
    }

    /// What the job would delete now, and how old the oldest rows are; nothing is changed. A session of which
    /// the log would go first is not counted.
    ///
    /// # Errors
    /// The store's.
    pub async fn retention_survey(&self) -> Result<Standings, Error> {
        let mut all = Standings::new();
        let mut after = Some(String::new());
        while let Some(start) = after {
            let (scopes, next) = self.scopes(&start).await?;
            for scope in scopes {
                let mut tx = self.db.read().await?;
                let at = rows::oldest(&mut tx, &scope).await?;
                let standing = all.entry(scope.walk.class()).or_default();
                standing.oldest = [standing.oldest, at].into_iter().flatten().min();
                let (mut next, mut count) = (Some(Cursor::default()), 0);
                while let Some(from) = next.filter(|_| count < SURVEY_MAX) {
                    let batch = rows::batch(&mut tx, &scope, &from, BATCH, true).await?;
                    count += batch.gone;
                    next = batch.next;
                }
                standing.gone += count;
            }
            after = next;
        }
        Ok(all)
    }

    /// What is to be looked at of the accounts after `after`, a page of them, and the last if there are more.
    async fn scopes(&self, after: &str) -> Result<(Vec<Scope>, Option<String>), Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let page = accounts::list(&mut tx, after, PAGE).await?;
        let mut all = Vec::new();
        for account in &page {
            all.extend(rows::scopes(&mut tx, &account.id, now).await?);
        }
        let more = i64::try_from(page.len()).is_ok_and(|found| found >= PAGE);
        Ok((all, page.last().filter(|_| more).map(|last| last.id.to_string())))
    }
}
