//! Texts that wait for a carrier that is down go out by another number, if their recipient knows the same
//! people by one at another carrier.
//!
//! Never by any other: from a number that is new to them it would come from a stranger. A number that is
//! known is theirs in this session, now or before they were moved, or was in an earlier one with the same
//! people, and nobody else has had it for them since; their answer to it reaches the same session.

use std::{sync::Arc, time::Duration};

use super::{
    Carriers, Error, Relay, media, messages,
    number_moves::is_unsent,
    sessions::{everyone, holds_for},
};
use crate::store::{
    Tx, holds, legs, media as files,
    numbers::{self, Number, NumberState},
    outbox::{self, Entry},
    participants::{self, Participant},
    sessions::{self, Session},
};

/// How long a carrier is down before its texts go another way: most come back sooner.
const DOWN_FOR: Duration = Duration::from_secs(30);
/// How many texts are read at once.
const PAGE: i64 = 200;

impl Relay {
    /// Gives texts that wait for carriers that are down to others where that can be; how many.
    ///
    /// # Errors
    /// The store's: what is left is looked at the next time.
    pub async fn go_round(&self) -> Result<usize, Error> {
        let down = Arc::new(self.health.down_for(DOWN_FOR));
        let mut gone = 0;
        for carrier in down.iter() {
            let mut after = None;
            loop {
                let mut tx = self.db.read().await?;
                let page = outbox::with_another_way(&mut tx, carrier, after.as_ref(), PAGE).await?;
                drop(tx);
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                for entry in page {
                    let id = entry.id.clone();
                    match self.go_another_way(entry, &down).await {
                        Ok(went) => gone += usize::from(went),
                        // It keeps no other back (I32).
                        Err(error) if error.lasts() => {
                            tracing::error!(entry = %id, %error, "a text is left where it is");
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        if gone > 0 {
            tracing::warn!(texts = gone, "texts go round carriers that are down");
            self.wake().notify_one();
        }
        Ok(gone)
    }

    async fn go_another_way(&self, entry: Entry, down: &Arc<Vec<String>>) -> Result<bool, Error> {
        let (carriers, down) = (Arc::clone(&self.carriers), Arc::clone(down));
        self.db
            .write(move |tx| {
                let (entry, carriers, down) =
                    (entry.clone(), Arc::clone(&carriers), Arc::clone(&down));
                Box::pin(async move { detour(tx, &entry, &carriers, &down).await })
            })
            .await
    }
}

/// Gives one text to another carrier, if a number there is known to its recipient; whether it was.
async fn detour(
    tx: &mut Tx,
    entry: &Entry,
    carriers: &Carriers,
    down: &[String],
) -> Result<bool, Error> {
    let Some(id) = &entry.session else { return Ok(false) };
    let Some(session) = sessions::lock(tx, &entry.account, id).await? else { return Ok(false) };
    let now = tx.now().await?;
    if Error::unless_live(&session, now).is_err() || now >= entry.valid_until {
        return Ok(false);
    }
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let Some(leg) = legs.into_iter().find(|leg| leg.id == entry.leg) else { return Ok(false) };
    let mut there = participants::of_session(tx, &entry.account, id).await?;
    there.retain(|one| one.removed_at.is_none());
    let to = there.iter().find(|one| Some(&one.id) == leg.participant.as_ref());
    let Some(to) = to.filter(|_| is_unsent(entry, &leg)) else { return Ok(false) };
    let up =
        |carrier: &str| carriers.get(carrier).is_some() && !down.iter().any(|one| one == carrier);
    // Their own number first: a text that went round another carrier may come back.
    let mut known = vec![to.number_id.clone()];
    let own = &to.number_id;
    known.extend(
        holds::known_besides(tx, &entry.account, &session.service, id, &to.person, own).await?,
    );
    for known in known {
        let Some(number) = numbers::get(tx, &entry.account, &known).await? else { continue };
        if number.carrier == entry.carrier || !up(&number.carrier) {
            continue;
        }
        if !may_text(tx, carriers, entry, &session, to, &number).await? {
            continue;
        }
        tx.mark().await?;
        if !outbox::readdress(tx, entry, &number.carrier).await? {
            tx.rollback_to_mark().await?;
            return Ok(false);
        }
        if !holds_for(tx, &entry.account, &everyone(&there), to, &number.id, now).await? {
            tx.rollback_to_mark().await?;
            continue;
        }
        tx.release_mark().await?;
        legs::readdress(tx, &entry.account, &leg.id, &number.number, &number.carrier).await?;
        return Ok(true);
    }
    Ok(false)
}

/// Whether a number can text somebody, with its files too, may, and is one that they want texts from.
async fn may_text(
    tx: &mut Tx,
    carriers: &Carriers,
    entry: &Entry,
    session: &Session,
    to: &Participant,
    number: &Number,
) -> Result<bool, Error> {
    let identifier = to.identifier(&session.data_key(tx)?)?;
    let country = identifier.country().map(|country| country.as_str().to_owned());
    let registered = number.registered.registration.lets_text(&number.area, country.as_deref());
    if !number.capabilities.sms || !registered || number.state == NumberState::Retired {
        return Ok(false);
    }
    let files = files::of_interaction(tx, &entry.account, &entry.interaction).await?;
    if !files.is_empty() && !media::takes_files(carriers, &number.carrier, number) {
        return Ok(false);
    }
    Ok(!messages::unwanted(tx, &entry.account, &number.id, &to.person).await?)
}
