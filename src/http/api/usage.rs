//! Sums of what was sent and called, and of what it cost.

use std::{collections::BTreeMap, time::Duration};

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, SessionsRead},
    input::bad_parameters,
    interactions::filtered_session,
    paging::{Listing, Page, Paging},
    sessions::check_words,
    wire::{GroupBy, PriceSource, Time},
};
use crate::{
    domain::{
        price::{Currency, Price, decimal},
        time::Timestamp,
    },
    http::problem::{FieldFault, Problem},
    relay,
    store::charges::{self, Charge, Sum},
};

/// What is summed where nothing is said, and at most.
const DAYS: u64 = 30;
const DAYS_MAX: u64 = 92;
/// Both where sums are by session, of which there are many.
const DAYS_OF_SESSIONS: u64 = 7;

/// An amount of one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Amount {
    /// A decimal, exact to a millionth.
    #[schema(example = "12.3456")]
    amount: String,
    /// Three letters (ISO 4217).
    #[schema(example = "USD")]
    currency: String,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "-{}{}", self.amount, self.currency)
    }
}

/// What one leg cost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LegPrice {
    #[serde(flatten)]
    amount: Amount,
    source: PriceSource,
}

/// The sum of one session, service, carrier or day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageSum {
    /// The session's or service's id, the carrier's, or the day in UTC; null for what belongs to no session
    /// or service.
    #[schema(example = "2026-11-22")]
    key: Option<String>,
    /// Texts that carriers took.
    texts: u64,
    /// In how many parts; those with pictures or files have none.
    segments: u64,
    /// Legs of calls that lasted: a call that was put through has two.
    call_legs: u64,
    /// The minutes of each that were begun.
    minutes: u64,
    /// What it cost in each currency. Nothing is converted.
    amounts: Vec<Amount>,
    /// Of how many texts and legs nobody said what they cost.
    without_price: u64,
}

/// What is summed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageFilter {
    /// Begun at this time or later; 30 days before `to` if nothing is said, and 92 at most. By session it
    /// is 7 days, unless one is named.
    from: Option<Time>,
    /// Begun before this time; now if nothing is said.
    to: Option<Time>,
    /// By what; by day if nothing is said.
    group: Option<GroupBy>,
    /// Of this session: its id.
    session: Option<String>,
    /// Of this service: its id or unique name.
    service: Option<String>,
    /// On this carrier.
    carrier: Option<String>,
}

fn amount(micros: i64, currency: Currency) -> Amount {
    Amount { amount: decimal(micros), currency: currency.as_str().to_owned() }
}

/// What a leg cost, as it is shown.
pub(super) fn of_leg(charge: &Charge) -> Option<LegPrice> {
    let (price, source) = charge.price.zip(charge.source)?;
    Some(LegPrice { amount: amount(price.micros(), price.currency()), source: PriceSource(source) })
}

/// What several legs cost, each currency by itself.
pub(super) fn together<'a>(charges: impl IntoIterator<Item = &'a Charge>) -> Vec<Amount> {
    let mut sums = BTreeMap::<Currency, i64>::new();
    for price in charges.into_iter().filter_map(|charge| charge.price) {
        let sum = sums.entry(price.currency()).or_default();
        *sum = sum.saturating_add(Price::micros(price));
    }
    sums.into_iter().map(|(currency, micros)| amount(micros, currency)).collect()
}

/// A day since 1970, as people write it.
fn day(key: &str) -> Option<String> {
    let days: i64 = key.parse().ok()?;
    let at = jiff::Timestamp::from_millisecond(days.checked_mul(86_400_000)?).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

fn shown(sum: Sum, group: charges::GroupBy) -> UsageSum {
    let key = match group {
        charges::GroupBy::Day => day(&sum.key),
        _ => Some(sum.key).filter(|key| !key.is_empty()),
    };
    UsageSum {
        key,
        texts: sum.texts,
        segments: sum.segments,
        call_legs: sum.calls,
        minutes: sum.minutes,
        amounts: sum.amounts.into_iter().map(|(currency, sum)| amount(sum, currency)).collect(),
        without_price: sum.without_price,
    }
}

/// From when to when, which may not be too long.
fn range(asked: &UsageFilter, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let by_session = asked.group == Some(GroupBy(charges::GroupBy::Session));
    let (usual, most) = if by_session && asked.session.is_none() {
        (DAYS_OF_SESSIONS, DAYS_OF_SESSIONS)
    } else {
        (DAYS, DAYS_MAX)
    };
    let length = |days: u64| Duration::from_hours(24 * days);
    let before = asked.to.map_or(now, |at| at.0);
    let from = asked.from.map_or(before - length(usual), |at| at.0);
    let fault =
        |detail: String| Err(bad_parameters([FieldFault::parameter("from", "range", detail)]));
    if from > before {
        return fault("must not be after `to`".to_owned());
    }
    if before.since(from) > length(most) {
        return fault(format!("must be {most} days before `to` at most"));
    }
    Ok((from, before))
}

/// What was sent and called, and what it cost, by session, service, carrier or day.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    tag = "Usage",
    operation_id = "listUsage",
    params(UsageFilter, Paging),
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "A page of sums", body = Page<UsageSum>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    listing: Listing<UsageFilter>,
) -> Result<Response, Problem> {
    let asked = &listing.filter;
    check_words(None, asked.carrier.as_deref())?;
    let mut tx = api.0.relay.db().read().await?;
    let (from, before) = range(asked, tx.now().await?)?;
    let service = match &asked.service {
        Some(named) => Some(relay::find_service(&mut tx, &caller.account, named).await?.id),
        None => None,
    };
    let session = filtered_session(&mut tx, &caller.account, asked.session.as_deref()).await?;
    let group = asked.group.map_or(charges::GroupBy::Day, |group| group.0);
    let usage = charges::Usage {
        from,
        before,
        group,
        service,
        session,
        carrier: asked.carrier.clone(),
        after: listing.last().map(str::to_owned),
        limit: listing.limit(),
    };
    let sums = charges::sums(&mut tx, &caller.account, &usage).await?;
    listing.answer(
        &api,
        sums,
        |sum| &sum.key,
        |sums| Ok(sums.into_iter().map(|sum| shown(sum, group)).collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days are written as people write them, and a time that is too long is refused.
    #[test]
    fn days_and_ranges() {
        const DAY: Duration = Duration::from_hours(24);
        assert_eq!(day("0").as_deref(), Some("1970-01-01"));
        assert_eq!(day("20779").as_deref(), Some("2026-11-22"));
        assert_eq!(day("x"), None);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let asked = |days: u32| UsageFilter {
            from: Some(Time(now - DAY * days)),
            to: Some(Time(now)),
            ..UsageFilter::default()
        };
        assert_eq!(range(&asked(92), now).ok(), Some((now - DAY * 92, now)));
        assert!(range(&asked(93), now).is_err());
        assert!(range(&UsageFilter { to: Some(Time(now - DAY * 93)), ..asked(92) }, now).is_err());
        assert_eq!(range(&UsageFilter::default(), now).ok(), Some((now - DAY * 30, now)));

        let by_session = || Some(GroupBy(charges::GroupBy::Session));
        let all = UsageFilter { group: by_session(), ..UsageFilter::default() };
        assert_eq!(range(&all, now).ok(), Some((now - DAY * 7, now)));
        assert!(range(&UsageFilter { group: by_session(), ..asked(8) }, now).is_err());
        let one = UsageFilter { session: Some("one".into()), group: by_session(), ..asked(92) };
        assert!(range(&one, now).is_ok(), "one session's own are few");
    }
}
