//! How full pools are: their classes now, and how long they last for whoever holds most.

use crate::{
    http::console::{
        App,
        answer::{Answer, Shell},
        pools::place,
        sessions::{service_choices, service_name},
        words::{self, Tone},
    },
    ids::AccountId,
    relay::days_to_exhaustion,
    store::{
        hours::{self, Fullness},
        pool_counts::{self, Standing},
    },
};

/// How many hours back the growth of what one person holds is looked at.
const LOOKED_BACK: i64 = 14 * 24;
/// How many numbers are counted: a service's page counts more of them.
const NUMBERS_MAX: i64 = 2000;
/// How many classes and parts are listed.
const SHOWN: usize = 60;

/// What the page shows of pools.
pub(super) struct Pools {
    pub(super) classes: Vec<Class>,
    pub(super) fullness: Vec<Full>,
    /// Whether there is more than is listed.
    pub(super) cut: bool,
}

/// A class of a service's numbers.
pub(super) struct Class {
    pub(super) service: String,
    pub(super) link: String,
    pub(super) place: String,
    pub(super) carrier: String,
    pub(super) can: String,
    /// How many of its numbers nobody holds and rests on.
    pub(super) free: i64,
    pub(super) standing: Standing,
}

/// A part of a service's pool that people get numbers of: of one country, at one carrier.
pub(super) struct Full {
    pub(super) service: String,
    pub(super) place: String,
    /// What was seen on the last day.
    pub(super) last: Fullness,
    /// How long it lasts, and how grave that is.
    pub(super) lasts: String,
    pub(super) tone: Option<Tone>,
    days: Option<u32>,
}

pub(super) async fn read(app: &App, account: &AccountId, shell: &Shell) -> Answer<Pools> {
    let lang = shell.lang;
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let standings = pool_counts::of_account(&mut tx, account, now, NUMBERS_MAX).await?;
    let today = hours::hour_of(now) / 24 * 24;
    let daily = hours::fullest(&mut tx, account, today - LOOKED_BACK).await?;
    let services = service_choices(&mut tx, account).await?;
    drop(tx);
    let counted: i64 = standings.iter().map(|one| one.all).sum();
    let mut classes: Vec<Class> = standings
        .into_iter()
        .map(|one| Class {
            service: service_name(&services, &one.service),
            link: shell.link_with("/console/pools", &[("service", &one.service)]),
            place: place(lang, &one.country, &one.area),
            carrier: one.carrier.clone(),
            can: words::can(lang, one.capabilities),
            free: (one.all - one.used - one.resting).max(0),
            standing: one,
        })
        .collect();
    let same = |one: &Fullness, two: &Fullness| {
        (&one.service, &one.country, &one.carrier) == (&two.service, &two.country, &two.carrier)
    };
    let mut fullness: Vec<Full> = daily
        .chunk_by(same)
        .filter_map(|days| {
            // What is no part of a pool any more was not looked at of late.
            let last = days.last().filter(|last| last.hour + 24 >= today)?;
            let seen: Vec<(i64, i64)> = days.iter().map(|day| (day.hour / 24, day.most)).collect();
            let left = days_to_exhaustion(&seen, last.numbers);
            let (tone, lasts) = words::exhaustion(lang, left, seen.len());
            Some(Full {
                service: service_name(&services, &last.service),
                place: place(lang, &last.country, ""),
                last: last.clone(),
                lasts,
                tone,
                days: left,
            })
        })
        .collect();
    fullness.sort_by_key(|one| one.days.unwrap_or(u32::MAX));
    let cut = counted >= NUMBERS_MAX || classes.len() > SHOWN || fullness.len() > SHOWN;
    classes.truncate(SHOWN);
    fullness.truncate(SHOWN);
    Ok(Pools { classes, fullness, cut })
}
