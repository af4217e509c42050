//! Texts that wait for a carrier that is down go out by another number, if their recipient knows the same
//! people by one at another carrier.
//!
//! Never by any other: from a number that is new to them it would come from a stranger. A number that is
//! known was theirs in this session before they were moved, or in an earlier one with the same people, and
//! nobody else has had it for them since; their answer to it reaches the same session.

use std::{sync::Arc, time::Duration};

use super::{Error, Relay, messages, number_moves::is_unsent, sessions::others};
use crate::{
    domain::time::Timestamp,
    privacy::Person,
    store::{
        Tx, accounts,
        holds::{self, Claim},
        legs,
        numbers::{self, Number},
        outbox::{self, Entry},
        participants::{self, Participant},
        sessions::{self, Session},
    },
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
                    gone += usize::from(self.go_another_way(entry, &down).await?);
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
                Box::pin(async move {
                    let up = |carrier: &str| {
                        carriers.get(carrier).is_some() && !down.iter().any(|one| one == carrier)
                    };
                    detour(tx, &entry, &up).await
                })
            })
            .await
    }
}

/// Gives one text to another carrier, if a number there is known to its recipient; whether it was.
async fn detour(
    tx: &mut Tx,
    entry: &Entry,
    up: &(dyn Fn(&str) -> bool + Send + Sync),
) -> Result<bool, Error> {
    let Some(id) = &entry.session else { return Ok(false) };
    let Some(session) = sessions::lock(tx, &entry.account, id).await? else { return Ok(false) };
    let now = tx.now().await?;
    if Error::unless_live(&session, now).is_err() || now >= entry.valid_until {
        return Ok(false);
    }
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let Some(leg) = legs.into_iter().find(|leg| leg.id == entry.leg) else { return Ok(false) };
    let people = participants::of_session(tx, &entry.account, id).await?;
    let there: Vec<Participant> =
        people.into_iter().filter(|one| one.removed_at.is_none()).collect();
    let to = there.iter().find(|one| Some(&one.id) == leg.participant.as_ref());
    let Some(to) = to.filter(|_| is_unsent(entry, &leg)) else { return Ok(false) };
    let known =
        holds::known_besides(tx, &entry.account, &session.service, id, &to.person, &to.number_id);
    for known in known.await? {
        let Some(number) = numbers::get(tx, &entry.account, &known).await? else { continue };
        if !up(&number.carrier) || !may_text(tx, entry, &session, to, &number).await? {
            continue;
        }
        if !is_held(tx, entry, &session, &there, to, &number, now).await? {
            continue;
        }
        if !outbox::readdress(tx, entry, &number.carrier).await? {
            return Ok(false);
        }
        legs::readdress(tx, &entry.account, &leg.id, &number.number, &number.carrier).await?;
        return Ok(true);
    }
    Ok(false)
}

/// Whether a number can text somebody, may, and is one that they want texts from.
async fn may_text(
    tx: &mut Tx,
    entry: &Entry,
    session: &Session,
    to: &Participant,
    number: &Number,
) -> Result<bool, Error> {
    let identifier = to.identifier(&session.data_key(tx)?)?;
    let country = identifier.country().map(|country| country.as_str().to_owned());
    let registered = number.registered.registration.lets_text(&number.area, country.as_deref());
    Ok(number.capabilities.sms
        && registered
        && !messages::unwanted(tx, &entry.account, &number.id, &to.person).await?)
}

/// Makes sure that a number means this session for somebody; whether it does.
async fn is_held(
    tx: &mut Tx,
    entry: &Entry,
    session: &Session,
    there: &[Participant],
    to: &Participant,
    number: &Number,
    now: Timestamp,
) -> Result<bool, Error> {
    let account = &entry.account;
    let held = holds::find(tx, account, &number.id, &to.person).await?;
    if held.is_some_and(|hold| hold.open && hold.session == session.id) {
        return Ok(true);
    }
    let everyone: Vec<(String, Person)> =
        there.iter().map(|one| (one.role.clone(), one.person.clone())).collect();
    let keys = accounts::keys(tx, account).await?;
    let claim = Claim {
        account,
        number: &number.id,
        person: &to.person,
        session: &session.id,
        participant: &to.id,
        counterpart: &keys.index.pair(&others(&everyone, &to.role)),
    };
    Ok(holds::take(tx, claim, now).await?)
}
