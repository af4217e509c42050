//! What carriers have on record and no webhook told us: gaps are filled from their lists.
//!
//! Each gap goes through the same inbox as its webhook would have, so that a webhook that comes after
//! all is a duplicate (I10). A text that is still worth sending is relayed, judged now; an older one
//! is logged. A call is over: it is logged as missed, and nobody is rung.

use std::time::Duration;

use super::{Configured, Error, Relay, messages, missed::missed};
use crate::{
    carrier::{
        Inbound, SendError,
        error::{Retry, SendErrorKind},
        listing::{Page, Query, Record, Recorded},
    },
    domain::{
        interaction::{Kind, Reason},
        phone::ProxyNumber,
        time::Timestamp,
    },
    store::{
        inbox, numbers,
        reconciled::{self, Turn},
    },
    telemetry::metrics,
};

/// How far lists are looked at before the time until which they were compared: a carrier may put
/// something on its list late.
const OVERLAP: Duration = Duration::from_mins(15);
/// How far back the first look goes, and any look after a long pause.
const LOOK_BACK: Duration = Duration::from_hours(24);
/// What is younger is left to its webhook, which may be on the way.
const GRACE: Duration = Duration::from_secs(30);
/// How many pages are read in one turn.
const PAGES_MAX: usize = 200;
/// How many gaps are filled in one turn.
const GAPS_MAX: usize = 1000;
/// How long reading the pages of one list may take: less than the lease.
const READ_MAX: Duration = Duration::from_mins(2);
/// How long one node has the turn.
const LEASE: Duration = Duration::from_mins(5);

/// What came of filling one gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::relay) enum Filled {
    /// Its webhook came after all.
    Known,
    /// The number belongs to nobody here.
    NotOurs,
    /// Put through.
    Relayed,
    /// Not put through, by rule.
    Refused,
    /// Too late to be put through.
    Logged,
}

/// What was found missing.
struct Gaps {
    found: Vec<Record>,
    /// Whether all that was asked for was read.
    whole: bool,
}

impl Relay {
    /// Compares the lists of every carrier that has some with the inbox, and fills the gaps. Of
    /// several nodes that do so `every` so often one has the turn.
    ///
    /// # Errors
    /// The store's. A carrier that can't be asked is counted and asked again next time.
    pub async fn reconcile(&self, every: Duration) -> Result<(), Error> {
        for carrier in self.carriers.iter().filter(|one| one.adapter.capabilities().lists) {
            for kind in [Kind::Message, Kind::Call] {
                self.reconcile_one(carrier, kind, every).await?;
            }
        }
        Ok(())
    }

    async fn reconcile_one(
        &self,
        carrier: &Configured,
        kind: Kind,
        every: Duration,
    ) -> Result<(), Error> {
        let id = carrier.id.clone();
        let claimed = self.db.write(move |tx| {
            let id = id.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let turn = reconciled::claim(tx, &id, kind, now, now + LEASE).await?;
                Ok::<_, Error>(turn.map(|turn| (turn, now)))
            })
        });
        let Some((turn, now)) = claimed.await? else { return Ok(()) };
        let read = tokio::time::timeout(READ_MAX, self.gaps(carrier, &turn, now)).await;
        let gaps = match read {
            Ok(gaps) => gaps?,
            Err(_) => Err(SendError::new(SendErrorKind::Unreachable, Retry::Unknown)),
        };
        let (outcome, whole) = match gaps {
            Ok(gaps) => {
                let filled = self.fill_all(&carrier.id, kind, gaps.found, now).await;
                let whole = gaps.whole && filled;
                (if whole { "complete" } else { "incomplete" }, whole)
            }
            Err(_) => ("failed", false),
        };
        metrics::reconciled(&carrier.id, kind.as_str(), outcome);
        // Another node's turn begins when this one's next would.
        let rest_until = now + every.mul_f64(0.9);
        let listed_to = if whole { now - GRACE } else { Timestamp::EPOCH };
        self.db
            .write(move |tx| {
                let turn = turn.clone();
                Box::pin(async move {
                    reconciled::finish(tx, &turn, listed_to, rest_until).await?;
                    Ok(())
                })
            })
            .await
    }

    /// What is on the carrier's list and not in the inbox.
    async fn gaps(
        &self,
        carrier: &Configured,
        turn: &Turn,
        now: Timestamp,
    ) -> Result<Result<Gaps, SendError>, Error> {
        let since = (turn.listed_to - OVERLAP).max(now - LOOK_BACK);
        let query = match turn.kind {
            Kind::Message => Query::Texts(since),
            Kind::Call => Query::Calls(since),
        };
        let mut gaps = Gaps { found: Vec::new(), whole: false };
        let mut next = carrier.adapter.list(&query);
        for _ in 0..PAGES_MAX {
            let Some(request) = next else {
                gaps.whole = true;
                break;
            };
            let page = match self.page(carrier, &query, request).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let Page { records, next: after } = page;
            gaps.found.extend(self.missing(carrier, turn.kind, records, now).await?);
            if gaps.found.len() >= GAPS_MAX {
                gaps.found.truncate(GAPS_MAX);
                break;
            }
            next = after;
        }
        Ok(Ok(gaps))
    }

    /// Those of a page that no webhook told us of, though they came to a number of ours.
    async fn missing(
        &self,
        carrier: &Configured,
        kind: Kind,
        records: Vec<Record>,
        now: Timestamp,
    ) -> Result<Vec<Record>, Error> {
        let ids: Vec<String> =
            records.iter().filter_map(|one| Some(called(one)?.0.to_owned())).collect();
        let mut tx = self.db.read().await?;
        let known = inbox::known(&mut tx, &carrier.id, kind.as_str(), &ids).await?;
        let mut missing = Vec::new();
        for record in records {
            let Some((id, to)) = called(&record) else { continue };
            if known.contains(id) || record.at + GRACE > now {
                continue;
            }
            // What came before the number was ours is not for us.
            let owner = numbers::owner(&mut tx, to).await?;
            if owner.is_some_and(|(_, number)| {
                number.carrier == carrier.id && record.at >= number.created_at
            }) {
                missing.push(record);
            }
        }
        Ok(missing)
    }

    /// Fills gaps in the order in which they came; whether all were. One that fails keeps no other
    /// back (I32).
    async fn fill_all(
        &self,
        carrier: &str,
        kind: Kind,
        mut found: Vec<Record>,
        now: Timestamp,
    ) -> bool {
        found.sort_by_key(|record| record.at);
        let mut all = true;
        for record in found {
            let outcome = match self.fill(carrier, record, now).await {
                Ok(Filled::Known | Filled::NotOurs) => continue,
                Ok(Filled::Relayed) => "relayed",
                Ok(Filled::Refused) => "refused",
                Ok(Filled::Logged) => "logged",
                Err(error) => {
                    tracing::warn!(carrier, %error, "a gap is left for later");
                    all = false;
                    continue;
                }
            };
            metrics::gap_filled(carrier, kind.as_str(), outcome);
            tracing::warn!(carrier, kind = kind.as_str(), outcome, "a webhook never came");
        }
        self.committed();
        all
    }

    async fn fill(&self, carrier: &str, record: Record, now: Timestamp) -> Result<Filled, Error> {
        let Recorded::CameIn(event) = record.what else { return Ok(Filled::NotOurs) };
        let at = record.at;
        if matches!(event, Inbound::Message(_)) && now.since(at) <= messages::VALIDITY_MAX {
            let (_, reason) = self.receive(carrier, &event).await?;
            return Ok(match reason {
                None => Filled::Relayed,
                Some(Reason::UnknownNumber) => Filled::NotOurs,
                Some(_) => Filled::Refused,
            });
        }
        let id = carrier.to_owned();
        self.db
            .write(move |tx| {
                let (carrier, event) = (id.clone(), event.clone());
                Box::pin(async move { missed(tx, &carrier, &event, at).await })
            })
            .await
    }
}

/// The carrier's id of something that came in, and the number that it came to.
fn called(record: &Record) -> Option<(&str, &ProxyNumber)> {
    match &record.what {
        Recorded::CameIn(Inbound::Message(text)) => Some((&text.id, &text.to)),
        Recorded::CameIn(Inbound::Call(call)) => Some((&call.id, &call.to)),
        _ => None,
    }
}
