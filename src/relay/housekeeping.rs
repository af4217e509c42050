//! Closes what is over, forgets what is old, and measures what is owed.

use std::{fmt, time::Duration};

use super::{DELIVERIES_KEPT, Error, HOURS_KEPT, Relay, calls, sessions};
use crate::{
    domain::{policy::VerifiedRules, time::Timestamp},
    ids::{AccountId, EventId},
    store::{
        self, Tx, budgets, calls_open, deliveries, echoes, exports, first_texts, hours,
        idempotency, inbox, interactions, long_texts, meta, number_move_steps, number_moves,
        opt_outs, outbox, pauses, pins, probes, reports, retention::runs, scripts,
        sessions as rows, staff, tallies, verification_limits, verifications, verified_people,
    },
    telemetry::metrics,
};

/// No call lasts longer (`call_max_seconds`, and the time that it rings), and then some.
const CALL_LOST: Duration = Duration::from_hours(5);
/// How many sessions are closed, or rows forgotten, in one go.
const BATCH: i64 = 200;
const DAY: Duration = Duration::from_hours(24);
/// How long moves off numbers are kept after they ended.
const MOVES_KEPT: Duration = Duration::from_hours(90 * 24);
/// How long it is remembered that somebody was told of a number.
const TOLD_KEPT: Duration = Duration::from_hours(365 * 24);
/// How long it is kept what showed that somebody wants texts again, after an opt-out was cleared.
const PROOFS_KEPT: Duration = Duration::from_hours(5 * 366 * 24);
/// How long reports are kept after they were decided.
const REPORTS_KEPT: Duration = Duration::from_hours(366 * 24);
/// Deliveries are counted no further.
const OWED_MAX: i64 = 100_000;

/// The first event whose deliveries are still kept.
fn forgotten(now: Timestamp) -> EventId {
    EventId::first_of(now - DELIVERIES_KEPT)
}

impl Relay {
    /// Closes sessions whose time is up; how many.
    pub async fn expire_due(&self) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let due = rows::due(&mut tx, now, BATCH).await?;
        drop(tx);
        let closed = self.each(due, |tx, account, session| {
            Box::pin(async move { sessions::expire(tx, account, session).await })
        });
        let closed = closed.await?;
        if closed > 0 {
            self.committed();
        }
        Ok(closed)
    }

    /// Ends calls of whose end no carrier told: after the longest that one may last, and an hour;
    /// how many.
    pub async fn end_lost_calls(&self) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let mut tx = self.db.read().await?;
            let now = tx.now().await?;
            let lost = interactions::unended_calls(&mut tx, now - CALL_LOST, BATCH).await?;
            drop(tx);
            let full = i64::try_from(lost.len()).is_ok_and(|found| found >= BATCH);
            let ended = self.each(lost, |tx, account, call| {
                Box::pin(async move { calls::give_up(tx, account, call).await.map(|()| true) })
            });
            let ended = ended.await?;
            count += ended;
            if !full || ended == 0 {
                return Ok(count);
            }
        }
    }

    /// Does something to each row, in a transaction of its own; to how many it was done. A row that
    /// can't be dealt with keeps no other back (I32); a database that is gone ends it.
    pub(super) async fn each<I, F>(
        &self,
        rows: Vec<(AccountId, I)>,
        work: F,
    ) -> Result<usize, Error>
    where
        I: Clone + fmt::Display + Send + Sync + 'static,
        F: for<'t> Fn(
                &'t mut Tx,
                &'t AccountId,
                &'t I,
            ) -> futures_util::future::BoxFuture<'t, Result<bool, Error>>
            + Copy
            + Send
            + Sync
            + 'static,
    {
        let mut done = 0;
        for (account, id) in rows {
            let named = id.to_string();
            let result = self
                .db
                .write(move |tx| {
                    let (account, id) = (account.clone(), id.clone());
                    Box::pin(async move { work(tx, &account, &id).await })
                })
                .await;
            match result {
                Ok(one) => done += usize::from(one),
                Err(error @ Error::Store(store::Error::Unavailable(_) | store::Error::Locked)) => {
                    return Err(error);
                }
                Err(error) => tracing::error!(id = named, %error, "a row is left as it is"),
            }
        }
        Ok(done)
    }

    /// Forgets what is old: duplicates' keys after 30 days, idempotency keys after a day, what was
    /// sent after a week, who was answered without a session and which calls were steered after a day,
    /// long texts that could not be put together after a week, what endpoints were sent after 30 days, moves
    /// off numbers after 90 days, once nobody can be moved back, who was told of which number after a year;
    /// verifications 30 days after their end, and that somebody's number was verified after two years; reports
    /// a year after they were decided, and proofs that an opt-out might be cleared after five; what is counted
    /// for limits after one to nine days, what was held back after 30, lists that were exported after a day, and PINs a day after they may mean
    /// another session. Then it has the database look at what is left. What has terms of its own goes at night
    /// ([`Relay::retain`]).
    pub async fn purge(&self) -> Result<(), Error> {
        loop {
            let full = self
                .db
                .write(move |tx| {
                    Box::pin(async move {
                        let now = tx.now().await?;
                        let gone = [
                            inbox::purge(tx, now - 30 * DAY, BATCH).await?,
                            idempotency::purge(tx, now - DAY, BATCH).await?,
                            outbox::purge(tx, now - 7 * DAY, BATCH).await?,
                            budgets::purge(tx, now - DAY, BATCH).await?,
                            scripts::purge(tx, now - DAY, BATCH).await?,
                            pins::purge(tx, now - DAY, BATCH).await?,
                            long_texts::purge(tx, now - 7 * DAY, BATCH).await?,
                            first_texts::purge(tx, now - TOLD_KEPT, BATCH).await?,
                            verifications::purge(tx, now - 30 * DAY, BATCH).await?,
                            verification_limits::purge(tx, now - DAY, BATCH).await?,
                            verified_people::purge(tx, now - VerifiedRules::LONGEST, BATCH).await?,
                            tallies::purge(tx, now - 2 * DAY, BATCH).await?,
                            tallies::purge_volumes(tx, now - 9 * DAY, BATCH).await?,
                            // Nothing is held back for longer than a week.
                            echoes::purge(tx, now - 8 * DAY, BATCH).await?,
                            pauses::purge(tx, now - 30 * DAY, BATCH).await?,
                            probes::purge(tx, now - DAY, BATCH).await?,
                            hours::purge(tx, now - HOURS_KEPT, BATCH).await?,
                            probes::purge_alerts(tx, now - 2 * DAY, BATCH).await?,
                            calls_open::purge(tx, now - DAY, BATCH).await?,
                            deliveries::purge(tx, &forgotten(now), BATCH).await?,
                            reports::purge(tx, now - REPORTS_KEPT, BATCH).await?,
                            opt_outs::purge(tx, now - PROOFS_KEPT, BATCH).await?,
                            // Steps first: a move goes once none is left.
                            number_move_steps::purge(tx, now - MOVES_KEPT, BATCH).await?,
                            number_moves::purge(tx, now - MOVES_KEPT, BATCH).await?,
                            exports::purge(tx, now, BATCH).await?,
                        ];
                        staff::purge(tx, now).await?;
                        staff::openings::purge(tx, now - DAY).await?;
                        let full = u64::try_from(BATCH).unwrap_or(0);
                        Ok::<_, Error>(gone.iter().any(|rows| *rows >= full))
                    })
                })
                .await?;
            if !full {
                break;
            }
        }
        let looking = self.db.write(|tx| Box::pin(meta::keep_statistics(tx)));
        Ok(looking.await?)
    }

    async fn measure_deliveries(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        let owed = deliveries::owed(tx, OWED_MAX).await?;
        let due = deliveries::owing(tx, now, 1).await?;
        let late = due.iter().map(|one| now.since(one.next_at)).max().unwrap_or_default();
        metrics::deliveries_owed(u32::try_from(owed).unwrap_or(u32::MAX), late);
        Ok(())
    }

    /// Sets the gauges of what is owed; how much it is.
    pub async fn measure(&self) -> Result<i64, Error> {
        let mut tx = self.db.read().await?;
        let now: Timestamp = tx.now().await?;
        let (owed, oldest) = outbox::owed(&mut tx).await?;
        metrics::outbox_entries("owed", u32::try_from(owed).unwrap_or(u32::MAX));
        self.measure_deliveries(&mut tx, now).await?;
        if let Some(ended) = runs::last(&mut tx).await? {
            metrics::retention_last_run(ended);
        }
        self.health.measure();
        metrics::outbox_oldest(oldest.map_or(Duration::ZERO, |at| now.since(at)));
        Ok(owed)
    }
}
