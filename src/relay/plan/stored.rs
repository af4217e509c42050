//! The sessions that a service really had.

use std::time::Duration;

use super::trace::{Collector, Place, Trace, TraceFault};
use crate::{
    domain::policy::GeoMatch,
    ids::{AccountId, ServiceId, SessionId},
    relay::error::{Error, Fault},
    store::{
        Db,
        meetings::{self, Met},
        services,
    },
};

/// How many sessions are read at once.
const PAGE: i64 = 5_000;

/// The sessions that a service opened in the last `days` days, between the first two people of each. What people are to
/// others stays what it is in the database: a keyed hash. Their places are told apart as the service's rules do.
///
/// # Errors
/// [`Error::NotFound`] for the service, [`Error::Invalid`] where there are more sessions, people or places than can be
/// counted, and the store's.
pub async fn of_service(
    db: &Db,
    account: &AccountId,
    service: &ServiceId,
    days: u32,
) -> Result<Trace, Error> {
    let (near, since) = {
        let mut tx = db.read().await?;
        let service = services::get(&mut tx, account, service).await?;
        let rules = service.ok_or(Error::NotFound("service"))?.rules;
        (rules.geo_match, tx.now().await? - Duration::from_hours(24) * days)
    };
    let mut all = Collector::default();
    let mut after = SessionId::first_of(since);
    loop {
        let mut tx = db.read().await?;
        let rows = meetings::list(&mut tx, account, service, &after, PAGE).await?;
        drop(tx);
        let Some(last) = rows.last() else { break };
        after = last.session.clone();
        for met in rows.chunk_by(|a, b| a.session == b.session) {
            let [one, other, ..] = met else { continue };
            // The id of one that was taken over from elsewhere says nothing of its time.
            if one.created_at >= since {
                meet(&mut all, near, one, other).map_err(uncountable)?;
            }
        }
    }
    Ok(all.done())
}

fn meet(all: &mut Collector, near: GeoMatch, one: &Met, other: &Met) -> Result<(), TraceFault> {
    let mut person = |who: &Met| all.person(who.person.as_str(), &place(near, who));
    let people = [person(one)?, person(other)?];
    all.meet(one.created_at, one.ends_at.max(one.created_at), people)
}

/// Where somebody needs numbers: where theirs is, as nearly as the rules ask for it.
fn place(near: GeoMatch, who: &Met) -> Place {
    match near {
        GeoMatch::Any => Place::default(),
        GeoMatch::Country => Place { country: who.country.clone(), area: String::new() },
        GeoMatch::AreaCode | GeoMatch::Overlay | GeoMatch::Radius | GeoMatch::ExtendedAreaCode => {
            Place { country: who.country.clone(), area: who.area.clone() }
        }
    }
}

fn uncountable(fault: TraceFault) -> Error {
    Error::Invalid(vec![Fault::new("/sessions", "too_many", fault.to_string())])
}
