//! What legs used and cost, and its sums, against a sum that is made by hand.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    domain::{interaction::Kind, price::Price},
    ids::{InteractionId, LegId, ServiceId, SessionId},
    store::{
        charges::{self, Charge, GroupBy, News, PriceSource, Sum, Usage},
        interactions,
        legs::{self, Direction},
    },
};

db_test!(
    a_price_is_replaced_by_its_carriers,
    sums_are_what_is_added_up,
    what_was_spent_is_counted_from_an_instant_on,
    the_country_is_that_of_whom_it_went_to,
);

fn price(text: &str) -> Price {
    Price::parse_both(text).unwrap()
}

async fn of(lab: &Lab, world: &World, interaction: &InteractionId) -> Charge {
    let mut tx = lab.db.read().await.unwrap();
    let one = std::slice::from_ref(interaction);
    let all = charges::of_interactions(&mut tx, &world.account, one).await;
    all.unwrap().remove(0)
}

async fn note(lab: &Lab, world: &World, leg: &LegId, news: News) -> bool {
    let (world, leg) = (world.clone(), leg.clone());
    commit!(lab.db, [world, leg], |tx| charges::note(tx, &world.account, &leg, news).await)
        .await
        .unwrap()
}

/// A leg's parts and its length are set once; our table prices it while its carrier has not, the
/// carrier's price replaces that, and the carrier's later one the earlier.
async fn a_price_is_replaced_by_its_carriers(lab: &Lab) {
    let world = World::new(lab).await;
    let (interaction, leg) = commit!(lab.db, [world], |tx| {
        let one = world.interaction(None);
        interactions::insert(tx, &world.account, &one).await?;
        let leg = world.leg(&one.id, 1);
        legs::insert(tx, &world.account, &leg).await?;
        Ok::<_, Error>((one.id, leg.id))
    })
    .await
    .unwrap();
    assert!(!note(lab, &world, &world.id(), News::default()).await, "there is no such leg");
    assert!(note(lab, &world, &leg, News { segments: Some(2), ..News::default() }).await);
    assert!(note(lab, &world, &leg, News { segments: Some(3), ..News::default() }).await);
    let mut tx = lab.db.read().await.unwrap();
    let unpriced = charges::without_price(&mut tx, 9).await.unwrap();
    drop(tx);
    assert_eq!(unpriced.len(), 1);
    assert_eq!((unpriced[0].segments, unpriced[0].source), (Some(2), None));
    let first = unpriced[0].clone();
    for (given, kept) in [(None, None), (Some(price("9 USD")), None)] {
        let first = first.clone();
        commit!(lab.db, [first], |tx| charges::by_table(tx, &first, given).await).await.unwrap();
        let charge = of(lab, &world, &interaction).await;
        assert_eq!((charge.price, charge.source), (kept, Some(PriceSource::None)), "once");
    }
    for text in ["0.02 EUR", "0.03 EUR"] {
        note(lab, &world, &leg, News::cost(Some(price(text)))).await;
        let charge = of(lab, &world, &interaction).await;
        assert_eq!(charge.price, Some(price(text)));
        assert_eq!(charge.source, Some(PriceSource::Carrier));
    }
    for seconds in [61, 90] {
        let lasted = Some(Duration::from_secs(seconds));
        note(lab, &world, &leg, News { lasted, ..News::default() }).await;
    }
    let charge = of(lab, &world, &interaction).await;
    assert_eq!((charge.price, charge.segments), (Some(price("0.03 EUR")), Some(2)));
    assert_eq!(charge.lasted, Some(Duration::from_secs(61)));
    assert_eq!(charge.leg, leg);
}

/// What one leg of the test is.
struct Made {
    at: Timestamp,
    session: Option<SessionId>,
    service: ServiceId,
    carrier: String,
    kind: Kind,
    news: News,
}

fn naive(all: &[Made], of: &Usage) -> Vec<Sum> {
    let mut sums = BTreeMap::<String, (Sum, BTreeMap<_, i64>)>::new();
    for one in all {
        let inside = one.at >= of.from && one.at < of.before;
        let of_it = of.carrier.as_ref().is_none_or(|carrier| *carrier == one.carrier)
            && of.service.as_ref().is_none_or(|service| *service == one.service)
            && of.session.is_none_or_eq(one.session.as_ref());
        if !(inside && of_it) {
            continue;
        }
        let key = match of.group {
            GroupBy::Session => {
                one.session.as_ref().map_or(String::new(), |id| id.as_str().to_owned())
            }
            GroupBy::Service => one.service.as_str().to_owned(),
            GroupBy::Carrier => one.carrier.clone(),
            GroupBy::Day => (one.at.millis() / 86_400_000).to_string(),
        };
        let (sum, amounts) = sums.entry(key).or_default();
        match one.kind {
            Kind::Message => {
                sum.texts += 1;
                sum.segments += one.news.segments.unwrap_or(1);
            }
            Kind::Call => {
                sum.calls += 1;
                sum.minutes += one.news.lasted.unwrap_or_default().as_secs().div_ceil(60);
            }
        }
        match one.news.price {
            Some(price) => *amounts.entry(price.currency()).or_default() += price.micros(),
            None => sum.without_price += 1,
        }
    }
    let whole = |(key, (sum, amounts)): (String, (Sum, BTreeMap<_, i64>))| Sum {
        key,
        amounts: amounts.into_iter().collect(),
        ..sum
    };
    sums.into_iter().map(whole).collect()
}

trait OrAny<T> {
    fn is_none_or_eq(&self, other: Option<&T>) -> bool;
}

impl<T: PartialEq> OrAny<T> for Option<T> {
    fn is_none_or_eq(&self, other: Option<&T>) -> bool {
        self.as_ref().is_none_or(|one| other == Some(one))
    }
}

/// Makes these legs of an account's.
async fn fill(lab: &Lab, owner: &World, legs: &[Made]) {
    for made in legs {
        let mut one = owner.interaction(made.session.as_ref());
        one.service = Some(made.service.clone());
        let mut leg = owner.leg(&one.id, 1);
        leg.created_at = made.at;
        leg.session.clone_from(&made.session);
        leg.carrier.clone_from(&made.carrier);
        leg.kind = made.kind;
        leg.direction = Direction::Outbound;
        let (account, news) = (owner.account.clone(), made.news);
        commit!(lab.db, [account, one, leg], |tx| {
            interactions::insert(tx, &account, &one).await?;
            legs::insert(tx, &account, &leg).await?;
            charges::note(tx, &account, &leg.id, news).await
        })
        .await
        .unwrap();
    }
}

/// 300 random legs, summed in each way, narrowed in each way and page by page, are what a sum by hand
/// is; and no currency is added to another.
async fn sums_are_what_is_added_up(lab: &Lab) {
    const DAY: i64 = 86_400_000;
    let world = World::new(lab).await;
    let other = World::new(lab).await;
    let sessions: Vec<SessionId> = (0..5).map(|_| world.id()).collect();
    let services: Vec<ServiceId> = (0..3).map(|_| world.id()).collect();
    // As much like chance as need be, and the same each time.
    let mut state = 7_u64;
    let mut below = move |n: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut all = Vec::new();
    for _ in 0..300 {
        let text = below(3) > 0;
        let currency = ["EUR", "USD", "GBP"][usize::try_from(below(3)).unwrap()];
        let cost = (below(5) > 0).then(|| price(&format!("0.{:06} {currency}", below(1_000_000))));
        let session = usize::try_from(below(6)).unwrap();
        all.push(Made {
            at: at(i64::try_from(below(u64::try_from(4 * DAY).unwrap())).unwrap()),
            session: sessions.get(session).cloned(),
            service: services[usize::try_from(below(3)).unwrap()].clone(),
            carrier: ["a", "b"][usize::try_from(below(2)).unwrap()].to_owned(),
            kind: if text { Kind::Message } else { Kind::Call },
            news: News {
                segments: (text && below(4) > 0).then(|| 1 + below(4)),
                lasted: (!text).then(|| Duration::from_secs(below(300))),
                price: cost,
            },
        });
    }
    // One long after the others: there are days without any.
    all.push(Made {
        at: at(60 * DAY + 5),
        session: None,
        service: services[0].clone(),
        carrier: "a".to_owned(),
        kind: Kind::Message,
        news: News::cost(Some(price("0.5 EUR"))),
    });
    fill(lab, &world, &all).await;
    fill(lab, &other, &all[..9]).await;
    let mut tx = lab.db.read().await.unwrap();
    for group in GroupBy::ALL {
        let whole = Usage {
            from: at(0),
            before: at(4 * DAY),
            group: *group,
            service: None,
            session: None,
            carrier: None,
            after: None,
            limit: 100,
        };
        for of in [
            whole.clone(),
            Usage { from: at(DAY / 2), before: at(DAY), ..whole.clone() },
            Usage { carrier: Some("b".into()), ..whole.clone() },
            Usage { service: Some(services[1].clone()), ..whole.clone() },
            Usage { session: Some(sessions[2].clone()), ..whole.clone() },
            Usage { before: at(0), ..whole.clone() },
            Usage { from: at(3 * DAY + 1), before: at(90 * DAY), ..whole.clone() },
        ] {
            let expected = naive(&all, &of);
            assert_eq!(charges::sums(&mut tx, &world.account, &of).await.unwrap(), expected);
            let mut pages = Vec::new();
            let mut page = Usage { limit: 2, ..of.clone() };
            loop {
                let found = charges::sums(&mut tx, &world.account, &page).await.unwrap();
                let Some(last) = found.last() else { break };
                page.after = Some(last.key.clone());
                pages.extend(found);
            }
            assert_eq!(pages, expected, "page by page, by {group}");
        }
    }
}

/// What was spent counts from that very instant on, of one carrier or of one account, whoever spent it.
async fn what_was_spent_is_counted_from_an_instant_on(lab: &Lab) {
    let (world, other) = (World::new(lab).await, World::new(lab).await);
    let service: ServiceId = world.id();
    let made = |millis: i64, carrier: &str, cents: u32| Made {
        at: at(millis),
        session: None,
        service: service.clone(),
        carrier: carrier.to_owned(),
        kind: Kind::Message,
        news: News { price: Some(price(&format!("0.{cents:02} EUR"))), ..News::default() },
    };
    let mine = [made(999, "spent-a", 1), made(1000, "spent-a", 2), made(1001, "spent-b", 4)];
    fill(lab, &world, &mine).await;
    fill(lab, &other, &[made(1000, "spent-a", 8)]).await;
    let mut tx = lab.db.read().await.unwrap();
    let micros =
        |sum: &charges::Sum| sum.amounts.iter().map(|(_, micros)| micros).sum::<i64>() / 10_000;
    for (carrier, from, texts, cents) in [
        ("spent-a", 999, 3, 11),
        ("spent-a", 1000, 2, 10),
        ("spent-a", 1001, 0, 0),
        ("spent-b", 1000, 1, 4),
    ] {
        let sum = charges::spent_at(&mut tx, carrier, at(from)).await.unwrap();
        assert_eq!((sum.texts, micros(&sum)), (texts, cents), "{carrier} from {from}");
    }
    for (account, from, texts, cents) in
        [(&world, 999, 3, 7), (&world, 1000, 2, 6), (&other, 1000, 1, 8), (&other, 1001, 0, 0)]
    {
        let sums = charges::spent_by_accounts(&mut tx, at(from)).await.unwrap();
        let sum = sums.into_iter().find(|sum| sum.key == account.account.as_str());
        let sum = sum.unwrap_or_default();
        assert_eq!((sum.texts, micros(&sum)), (texts, cents), "an account from {from}");
    }
}

/// A price is of the country of whom a leg goes to; of whoever sends or calls it has none.
async fn the_country_is_that_of_whom_it_went_to(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 1, 2).await.remove(0);
    for (direction, code) in [(Direction::Outbound, Some(1)), (Direction::Inbound, None)] {
        let interaction = commit!(lab.db, [world, number], |tx| {
            let session = world.session(tx, at(0)).await?;
            let person = world.join(tx, &session, 1, (&number, 1), "customer").await?;
            let one = world.interaction(Some(&session.id));
            interactions::insert(tx, &world.account, &one).await?;
            let mut leg = world.leg(&one.id, 1);
            (leg.direction, leg.participant) = (direction, Some(person));
            legs::insert(tx, &world.account, &leg).await?;
            charges::note(tx, &world.account, &leg.id, News::default()).await?;
            Ok::<_, Error>(one.id)
        })
        .await
        .unwrap();
        assert_eq!(of(lab, &world, &interaction).await.code, code, "{direction:?}");
    }
}
