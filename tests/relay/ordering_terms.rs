//! On which terms numbers are bought, how long a purchase of which nobody knows is waited for, and who works
//! on an order.

use std::time::Duration;

use entremise::{
    carrier::provisioning::NumberKind,
    domain::{phone::ProxyNumber, policy::Rules, pool::Capabilities, time::Timestamp},
    relay::{AtCarrier, Criteria, OrderNumber, ReleaseNumber, Which},
    store::{
        Mishap,
        number_orders::{NumberOrder, OrderFailure, OrderState},
        numbers::NumberState,
    },
};

use tokio_util::sync::CancellationToken;

use crate::{
    market::Market,
    ordering::{Bench, LATER_MS, buy, digits, followed, place, release},
    poison::sql,
    shop::Loss,
    support::{self, CARRIER, World},
};

/// A number of California that may cost that much.
fn wish(bench: &Bench, most: i64, currency: Option<&str>) -> OrderNumber {
    let criteria = Criteria {
        country: "US".into(),
        kind: NumberKind::Local,
        area: Some("415".into()),
        contains: None,
        can: Capabilities::parse("sms").unwrap(),
    };
    OrderNumber {
        price_max: Some(most),
        currency: currency.map(str::to_owned),
        ..bench.order(Which::Any(criteria, 1))
    }
}

/// Whoever is due is worked on; the order as it is then.
async fn worked(bench: &Bench, order: &NumberOrder) -> NumberOrder {
    // PostgreSQL's time is rounded: what is due now may be due within the next millisecond.
    bench.clock.advance(1);
    let _ = bench.relay.work_number_orders(&CancellationToken::new()).await;
    bench.relay.number_order(&order.account, &order.id).await.unwrap()
}

/// A purchase of which nobody knows is asked for again only once the carrier had time to end it.
#[tokio::test]
async fn a_carrier_gets_time_for_a_purchase() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let number = digits(0);
        let order = bench.place(bench.order(buy(&number))).await.unwrap().remove(0);
        // It is looked whether the account has it, and then it is bought.
        bench.shop.lose(2, Loss::Answer);
        bench.shop.hides(&number, 100);
        worked(&bench, &order).await;
        assert_eq!((bench.shop.tries(), bench.shop.lost()), (1, true));
        let mut seconds = 0;
        while seconds < 15 {
            bench.clock.advance(3_000);
            seconds += 3;
            assert_eq!(worked(&bench, &order).await.state, OrderState::Buying);
            assert_eq!(bench.shop.tries(), 1, "after {seconds} s on {}", database.name);
        }
        bench.shop.hides(&number, 0);
        assert_eq!(bench.ended(&order).await.state, OrderState::Done);
        bench.assert_ours(&number, 1).await;
        assert_eq!(bench.shop.tries(), 1);
        bench.end().await;
        database.drop().await;
    }
}

/// A second purchase that is refused because the first was taken after all is a purchase; one of a number that
/// never comes is given up.
#[tokio::test]
async fn a_second_purchase_may_be_the_firsts_end() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let (slow, never) = (digits(0), digits(1));
        let order = bench.place(bench.order(buy(&slow))).await.unwrap().remove(0);
        bench.shop.lose(2, Loss::Answer);
        // Not there when it is looked for, before and after, and there once it was bought again.
        bench.shop.hides(&slow, 2);
        worked(&bench, &order).await;
        bench.clock.advance(LATER_MS);
        worked(&bench, &order).await;
        assert_eq!(bench.shop.tries(), 2);
        let ended = bench.ended(&order).await;
        assert_eq!((ended.state, ended.reason), (OrderState::Done, None), "on {}", database.name);
        bench.assert_ours(&slow, 1).await;

        let order = bench.place(bench.order(buy(&never))).await.unwrap().remove(0);
        let mut now = order.clone();
        for _ in 0..20 {
            // It is looked for, and each request to sell is lost on its way.
            bench.shop.lose(2, Loss::Request);
            now = worked(&bench, &order).await;
            if now.ended_at.is_some() {
                break;
            }
            bench.clock.advance(LATER_MS);
        }
        assert_eq!(now.reason, Some(OrderFailure::NeverCame), "{now:?}");
        assert_eq!(bench.shop.bought(&never), 0);
        bench.end().await;
        database.drop().await;
    }
}

/// A ceiling is one of its currency; where no price is told nothing is bought under one, and nothing whose
/// requirements the order does not meet.
#[tokio::test]
async fn nothing_is_bought_on_other_terms() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let why = async |new: OrderNumber| {
            let order = bench.place(new).await.unwrap().remove(0);
            let ended = bench.ended(&order).await;
            (ended.state, ended.reason)
        };
        let failed = |why| (OrderState::Failed, Some(why));
        let (most, named) = (1_150_000, buy("+14155550163"));
        for currency in ["EUR", "GBP"] {
            let found = why(wish(&bench, most, Some(currency))).await;
            assert_eq!(found, failed(OrderFailure::TooExpensive), "{currency}");
            let currency = Some(currency.to_owned());
            let new = OrderNumber { price_max: Some(most), currency, ..bench.order(named.clone()) };
            assert_eq!(why(new).await, failed(OrderFailure::TooExpensive));
        }
        assert_eq!(why(wish(&bench, most, Some("USD"))).await, (OrderState::Done, None));
        bench.shop.tells_no_price();
        assert_eq!(why(wish(&bench, most, None)).await, failed(OrderFailure::PriceUntold));
        bench.shop.wants_addresses();
        let free = |address: Option<&str>| OrderNumber {
            price_max: None,
            address: address.map(str::to_owned),
            ..wish(&bench, most, None)
        };
        assert_eq!(why(free(None)).await, failed(OrderFailure::RequirementsUnmet));
        assert_eq!(bench.shop.tries(), 1, "nothing else was asked for, on {}", database.name);
        let address = Some("AD00000000000000000000000000000001");
        assert_eq!(why(free(address)).await, (OrderState::Done, None));
        bench.end().await;
        database.drop().await;
    }
}

/// A worker whose lease may soon be over asks the carrier for nothing more: whoever has the order next does.
#[tokio::test]
async fn a_worker_that_is_late_lets_go() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let number = digits(0);
        let order = bench.place(bench.order(buy(&number))).await.unwrap().remove(0);
        // The claim is the first write.
        let late = Mishap::HeldUp(Duration::from_secs(31));
        *bench.mishaps.0.lock().unwrap() = (1, Some(late), false);
        let now = worked(&bench, &order).await;
        assert!(bench.mishaps.0.lock().unwrap().2, "it was held up");
        assert_eq!(
            (now.state, bench.shop.tries()),
            (OrderState::Queued, 0),
            "on {}",
            database.name
        );
        assert_eq!(bench.ended(&order).await.state, OrderState::Done);
        bench.assert_ours(&number, 1).await;
        bench.end().await;
        database.drop().await;
    }
}

/// A number whose people are in quarantine only can be given up at once by force.
#[tokio::test]
async fn a_forced_release_waits_for_no_quarantine() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let rules = Rules { quarantine: Duration::from_hours(720), ..Rules::new("Bikes".into()) };
        let market = Market::open(&world, 2, 0, rules).await;
        let (relay, account) = (&market.relay, &market.account);
        let criteria = Criteria {
            country: "US".into(),
            kind: NumberKind::Local,
            area: Some("737".into()),
            contains: None,
            can: Capabilities::parse("voice|sms").unwrap(),
        };
        let new = OrderNumber {
            service: market.service.clone(),
            carrier: CARRIER.into(),
            which: Which::Any(criteria, 2),
            capabilities: Capabilities::default(),
            reserved: false,
            price_max: None,
            currency: None,
            address: None,
            bundle: None,
        };
        let orders = place(relay, account, new).await.unwrap();
        relay.ordered();
        for order in orders {
            assert_eq!(followed(&world, &order).await.state, OrderState::Done);
        }
        let session = market.session([0, 1], 0, None).await.unwrap();
        let number = ProxyNumber::parse(session.dials[0].expose()).unwrap();
        market.close(&session.id).await.unwrap();
        let how = ReleaseNumber { at_carrier: Some(AtCarrier::Cancel), force: true };
        let order = release(relay, account, &number, how).await.unwrap();
        relay.ordered();
        let begun: Timestamp = world.clock.now();
        assert_eq!(followed(&world, &order).await.state, OrderState::Done);
        let took = world.clock.now().since(begun);
        assert!(took < Duration::from_hours(1), "{took:?} on {}", database.name);
        assert!(world.network.rented(number.as_str()).is_none());
        let mut tx = relay.db().read().await.unwrap();
        let left = entremise::store::numbers::owner(&mut tx, &number).await.unwrap();
        assert!(left.is_none_or(|(_, one)| one.state == NumberState::Retired));
        drop(tx);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// An order of which something can't be read counts its tries, fails in the end, and keeps no other back.
#[tokio::test]
async fn i32_an_order_that_cannot_be_read_fails_in_the_end() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let number = digits(0);
        bench.shop.holds(&number, &[("voice_url", "https://before.example/voice")]);
        let which = Which::Adopt(ProxyNumber::parse(&number).unwrap());
        let order = bench.place(bench.order(which)).await.unwrap().remove(0);
        assert!(bench.ended(&order).await.has_previous());
        sql(&database, "UPDATE number_orders SET previous = 'rubbish'").await;
        let how = ReleaseNumber { at_carrier: Some(AtCarrier::Keep), force: false };
        let bad = bench.release(&number, how).await;
        bench.clock.advance(1);
        let good = bench.place(bench.order(buy(&digits(1)))).await.unwrap().remove(0);
        assert_eq!(bench.ended(&good).await.state, OrderState::Done);
        let tried = async || bench.relay.number_order(&bad.account, &bad.id).await.unwrap();
        let before = tried().await;
        assert!(before.attempts > 0 && before.ended_at.is_none(), "{before:?}");
        sql(&database, "UPDATE number_orders SET attempts = 300 WHERE kind = 'release'").await;
        let ended = bench.ended(&bad).await;
        assert_eq!((ended.state, ended.reason), (OrderState::Failed, Some(OrderFailure::NotAdded)));
        bench.end().await;
        database.drop().await;
    }
}
