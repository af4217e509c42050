//! An account's traffic as a whole: above its limit, or many times what is usual, it is held back for a while.
//!
//! What an account sends is summed from what is counted for each person, every few seconds and on every node, so
//! that no row has to be waited for by all. What is sent between two sums may go above.

use serde_json::json;

use super::pause_length;
use crate::{
    domain::{
        abuse::{Bounds, Limit, Window, is_spike},
        audit::{Action, Detail, Entry},
        event::EventKind,
        time::Timestamp,
    },
    ids::{AccountId, PauseId, SessionId},
    relay::{Error, Relay},
    store::{
        Tx, audit, echoes, events,
        events::Place,
        pauses::{self, Pause, PauseScope, PauseWhy},
        tallies::{self, Volume, What},
    },
    telemetry::metrics,
};

/// What an hour is compared with: as many before it.
const USUAL_HOURS: i64 = 7 * 24;

/// Something that went above.
#[derive(Debug, Clone)]
struct Above {
    volume: Volume,
    scope: PauseScope,
    why: PauseWhy,
}

impl Relay {
    /// Sums what accounts have sent in this hour, holds back what is too much, and learns what is held back.
    ///
    /// # Errors
    /// The store's: what was held back goes on to be.
    pub async fn watch_traffic(&self) -> Result<(), Error> {
        let bounds = self.db.bounds().clone();
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let hour = Window::Hour.place(now);
        let volumes = tallies::of_accounts(&mut tx, hour).await?;
        let begun = pauses::of_slot(&mut tx, hour).await?;
        let mut above = above(&mut tx, &bounds, &volumes, hour).await?;
        drop(tx);
        above.retain(|one| {
            !begun.iter().any(|pause| {
                pause.account == one.volume.account
                    && pause.scope == one.scope
                    && pause.kind == one.volume.what.kind()
                    && pause.subject == one.volume.prefix
            })
        });
        let grown: Vec<Volume> =
            volumes.into_iter().filter(|one| self.spending.grew(one, hour)).collect();
        if !grown.is_empty() {
            let kept = grown.clone();
            self.db
                .write(move |tx| {
                    let kept = kept.clone();
                    Box::pin(async move {
                        for one in &kept {
                            tallies::keep(tx, one, hour).await?;
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await?;
            self.spending.kept(&grown, hour);
        }
        for one in above {
            let bounds = bounds.clone();
            self.db
                .write(move |tx| {
                    let (one, bounds) = (one.clone(), bounds.clone());
                    Box::pin(async move { hold(tx, &one, &bounds).await })
                })
                .await?;
            self.committed();
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        self.spending.learn(&pauses::wide(&mut tx, now).await?);
        Ok(())
    }
}

/// What is above its limit in this hour, or many times what is usual.
async fn above(
    tx: &mut Tx,
    bounds: &Bounds,
    volumes: &[Volume],
    hour: i64,
) -> Result<Vec<Above>, Error> {
    let mut above = Vec::new();
    let spike = [Limit::SpikeFactor, Limit::SpikeFloor].map(|limit| bounds.limits.get(limit));
    for volume in volumes {
        let most = u64::from(bounds.limits.get(volume.what.of_account()));
        let why = if most > 0 && volume.used > most {
            PauseWhy::Limit
        } else if spike[0] > 0 && volume.used >= u64::from(spike[1]) {
            let hours = [hour - USUAL_HOURS, hour];
            let usual = tallies::usual(tx, &volume.account, volume.what, hours).await?;
            if !is_spike(volume.used, spike, usual) {
                continue;
            }
            PauseWhy::Spike
        } else {
            continue;
        };
        above.push(Above { volume: volume.clone(), scope: PauseScope::Account, why });
    }
    for what in [What::TextsTo, What::CallsTo] {
        let most = i64::from(bounds.limits.get(what.of_prefix()));
        if most == 0 {
            continue;
        }
        let found = tallies::of_prefixes(tx, what, hour, most).await?;
        let (scope, why) = (PauseScope::Prefix, PauseWhy::Limit);
        above.extend(found.into_iter().map(|volume| Above { volume, scope, why }));
    }
    Ok(above)
}

/// Holds one back, and tells of it once, whichever node is first.
async fn hold(tx: &mut Tx, one: &Above, bounds: &Bounds) -> Result<(), Error> {
    let now = tx.now().await?;
    let account = &one.volume.account;
    let pause = Pause {
        account: account.clone(),
        id: tx.id_at(now),
        scope: one.scope,
        kind: one.volume.what.kind(),
        subject: one.volume.prefix.clone(),
        why: one.why,
        slot: Window::Hour.place(now),
        since: now,
        until: now + pause_length(bounds),
        lifted_at: None,
    };
    if !pauses::begin(tx, &pause).await? {
        return Ok(());
    }
    let data = json!({
        "pause_id": pause.id, "scope": pause.scope.as_str(), "kind": pause.kind.as_str(),
        "why": pause.why.as_str(), "used": one.volume.used, "until": pause.until.rfc3339(),
    });
    let (kind, data) = (EventKind::TrafficPaused, data.to_string());
    events::insert(tx, account, kind, Place::default(), &data, now).await?;
    let id = account.clone();
    tx.on_commit(move || {
        metrics::abuse("paused");
        tracing::warn!(
            account = %id, scope = %pause.scope, kind = %pause.kind, why = %pause.why,
            "traffic is held back"
        );
    });
    Ok(())
}

/// Lets what is held back go on. What has ended by itself stays as it is.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn lift_pause(tx: &mut Tx, account: &AccountId, id: &PauseId) -> Result<Pause, Error> {
    let missing = Error::NotFound("pause");
    let Some(pause) = pauses::get(tx, account, id).await? else { return Err(missing) };
    let session = match pause.scope {
        PauseScope::Session => SessionId::parse(&pause.subject).ok(),
        PauseScope::Account | PauseScope::Prefix => None,
    };
    if let Some(session) = &session {
        crate::store::sessions::lock(tx, account, session).await?;
    }
    let now = tx.now().await?;
    if pauses::lift(tx, account, id, now).await? {
        if let Some(session) = &session {
            echoes::pause(tx, account, session, Timestamp::EPOCH).await?;
        }
        let data = json!({
            "pause_id": id, "scope": pause.scope.as_str(), "kind": pause.kind.as_str(),
        });
        let place = Place { session: session.as_ref(), ..Place::default() };
        let kind = EventKind::TrafficResumed;
        events::insert(tx, account, kind, place, &data.to_string(), now).await?;
        let entry = Entry::new(Action::PauseLifted, id.as_str());
        let entry = entry.with(Detail::Kind, pause.scope.as_str());
        audit::append(tx, account, entry).await?;
    }
    pauses::get(tx, account, id).await?.ok_or(missing)
}
