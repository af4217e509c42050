//! Numbers that are bought, adopted and released: once each, whatever is lost or dies on the way.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use entremise::{
    carrier::{self, Links, Settings, provisioning::NumberKind},
    clock::Clock,
    domain::{
        phone::Permits, phone::ProxyNumber, policy::Rules, pool::Capabilities, time::Timestamp,
    },
    egress::Egress,
    ids::{AccountId, Ids, ServiceId},
    privacy::{Keyring, MasterKey},
    relay::{
        self, AtCarrier, Cancels, Carriers, Client, Configured, Criteria, Difference, NewService,
        OrderNumber, Relay, ReleaseNumber, Which,
    },
    sandbox::Wish,
    store::{
        Db, DbOptions, Mishap, Mishaps,
        number_orders::{self, NumberOrder, OrderFailure, OrderState},
        numbers::{self, NumberState},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    fake,
    market::Market,
    shop::{Loss, Shop},
    support::{self, CARRIER, Database, World},
};

/// Longer than a lease, so that whoever died is taken over from.
pub(crate) const LATER_MS: i64 = 61_000;
/// More passes than any order needs.
const PASSES: usize = 60;

/// The mishap of one write.
#[derive(Default)]
pub(crate) struct Nth(pub(crate) Mutex<(usize, Option<Mishap>, bool)>);

impl Mishaps for Nth {
    fn next(&self) -> Option<Mishap> {
        let mut state = self.0.lock().unwrap();
        if state.0 == 0 {
            return None;
        }
        state.0 -= 1;
        if state.0 > 0 {
            return None;
        }
        state.2 = true;
        state.1.take()
    }
}

/// A relay over a shop.
pub(crate) struct Bench {
    pub(crate) relay: Relay,
    pub(crate) shop: Arc<Shop>,
    pub(crate) mishaps: Arc<Nth>,
    pub(crate) clock: Clock,
    account: AccountId,
    service: ServiceId,
    stop: CancellationToken,
    tracker: TaskTracker,
}

fn adapter(kind: &'static str) -> Configured {
    let values = match kind {
        "twilio" => fake::values(),
        _ => crate::dialect::fixtures(include_str!("../../fixtures/telnyx/carrier.toml")),
    };
    let settings = Settings { id: kind.into(), api_base: None, values };
    let built = (carrier::kind(kind).unwrap().build)(&settings).unwrap();
    let fallback = Some("https://static.example/fallback.xml".to_owned());
    Configured {
        id: kind.into(),
        kind,
        adapter: built.into(),
        links: Links::new("https://relay.example", kind).with_fallback(fallback),
        buying: true,
    }
}

impl Bench {
    pub(crate) async fn open(database: &Database, kind: &'static str) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Clock::manual(Timestamp::from_millis(1_800_100_800_000));
        let options = DbOptions {
            url: database.url.clone(),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(MasterKey::generate())),
            connections: 4,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
        let (shop, mishaps) = (Shop::new(), Arc::<Nth>::default());
        let db = db.with_mishaps(Arc::<Nth>::clone(&mishaps));
        let client = Client::over(Arc::<Shop>::clone(&shop));
        let relay = Relay::new(db, Carriers::new(vec![adapter(kind)]), client, Egress::default());
        let account = relay.create_account("Bikes").await.unwrap().account;
        let owner = account.clone();
        let service = relay
            .db()
            .write(move |tx| {
                let account = owner.clone();
                Box::pin(async move {
                    let rules = Rules::new("Bikes".into());
                    let new = NewService { unique_name: "bikes".into(), rules };
                    Ok::<_, relay::Error>(relay::create_service(tx, &account, &new).await?.id)
                })
            })
            .await
            .unwrap();
        Self { relay, shop, mishaps, clock, account, service, stop, tracker }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.relay.db().close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn carrier(&self) -> String {
        self.relay.carriers().default_id().unwrap().to_owned()
    }

    pub(crate) fn order(&self, which: Which) -> OrderNumber {
        OrderNumber {
            service: self.service.clone(),
            carrier: self.carrier(),
            which,
            capabilities: Capabilities::parse("voice|sms").unwrap(),
            reserved: false,
            price_max: None,
            currency: None,
            address: None,
            bundle: None,
        }
    }

    pub(crate) async fn place(&self, new: OrderNumber) -> Result<Vec<NumberOrder>, relay::Error> {
        place(&self.relay, &self.account, new).await
    }

    /// Works, dies and is taken over from, until the order has ended.
    pub(crate) async fn ended(&self, order: &NumberOrder) -> NumberOrder {
        for _ in 0..PASSES {
            // A worker that dies leaves its lease behind.
            let _ = self.relay.work_number_orders(&CancellationToken::new()).await;
            let now = self.relay.number_order(&order.account, &order.id).await.unwrap();
            if now.ended_at.is_some() {
                return now;
            }
            self.clock.advance(LATER_MS);
        }
        panic!("the order never ends: {order:?}");
    }

    pub(crate) async fn release(&self, number: &str, how: ReleaseNumber) -> NumberOrder {
        let (number, account) = (ProxyNumber::parse(number).unwrap(), self.account.clone());
        release(&self.relay, &account, &number, how).await.unwrap()
    }

    pub(crate) async fn number(&self, number: &str) -> Option<numbers::Number> {
        let mut tx = self.relay.db().read().await.unwrap();
        let number = ProxyNumber::parse(number).unwrap();
        numbers::owner(&mut tx, &number).await.unwrap().map(|(_, number)| number)
    }

    /// The number is in the pool once, was bought so often, and its calls and texts come here.
    pub(crate) async fn assert_ours(&self, number: &str, bought: usize) {
        assert_eq!(self.shop.bought(number), bought, "{number}");
        let found = self.number(number).await.unwrap();
        assert_eq!((found.state, &found.service), (NumberState::Active, &self.service));
        let settings = self.shop.settings(number).unwrap();
        let ours = |key: &str, value: &str| {
            assert!(settings[key].starts_with(value), "{key}: {settings:?}");
        };
        if self.carrier() == "twilio" {
            ours("voice_url", "https://relay.example/hooks/twilio/call#rc=5&rp=all");
            ours("sms_url", "https://relay.example/hooks/twilio/message#rc=5&rp=all");
            ours("voice_fallback_url", "https://static.example/fallback.xml");
        } else {
            ours("connection_id", "1494404757140276705");
            ours("messaging_profile_id", "16fd2706-8baf-433b-82eb-8c7fada847da");
        }
    }
}

pub(crate) async fn place(
    relay: &Relay,
    account: &AccountId,
    new: OrderNumber,
) -> Result<Vec<NumberOrder>, relay::Error> {
    relay.may_order(&new, true)?;
    let held = Arc::new((account.clone(), new));
    relay
        .db()
        .write(move |tx| {
            let held = Arc::clone(&held);
            Box::pin(async move { relay::order_numbers(tx, &held.0, &held.1).await })
        })
        .await
}

pub(crate) async fn release(
    relay: &Relay,
    account: &AccountId,
    number: &ProxyNumber,
    how: ReleaseNumber,
) -> Result<NumberOrder, relay::Error> {
    let mut tx = relay.db().read().await?;
    let (_, found) = numbers::owner(&mut tx, number).await?.unwrap();
    drop(tx);
    let (account, carriers) = (account.clone(), relay.clone());
    relay
        .db()
        .write(move |tx| {
            let (account, id, relay) = (account.clone(), found.id.clone(), carriers.clone());
            Box::pin(async move {
                let cancels = |carrier: &str| relay.cancels(carrier, true);
                relay::release_number(tx, &account, &id, how, None, &cancels).await
            })
        })
        .await
}

pub(crate) fn digits(place: usize) -> String {
    format!("+1415{}", 5_550_100 + place)
}

pub(crate) fn buy(number: &str) -> Which {
    Which::Buy(ProxyNumber::parse(number).unwrap())
}

/// A number is bought once and is in the pool once, whichever request or answer is lost and at
/// whichever write the worker dies, before its commit or after.
#[tokio::test]
async fn a_number_is_bought_once_whatever_is_lost() {
    for kind in ["twilio", "telnyx"] {
        for database in support::databases().await {
            let bench = Bench::open(&database, kind).await;
            let mut place = 0;
            for loss in [Loss::Answer, Loss::Request] {
                for nth in 1.. {
                    let number = digits(place);
                    place += 1;
                    let order = bench.place(bench.order(buy(&number))).await.unwrap().remove(0);
                    bench.shop.lose(nth, loss);
                    let ended = bench.ended(&order).await;
                    assert_eq!(ended.state, OrderState::Done, "{kind} {loss:?} {nth}: {ended:?}");
                    bench.assert_ours(&number, 1).await;
                    if !bench.shop.lost() {
                        assert!(nth > 4, "only {nth} requests");
                        break;
                    }
                }
            }
            for mishap in [Mishap::BeforeCommit, Mishap::AnswerLost] {
                for nth in 1.. {
                    let number = digits(place);
                    place += 1;
                    let order = bench.place(bench.order(buy(&number))).await.unwrap().remove(0);
                    *bench.mishaps.0.lock().unwrap() = (nth, Some(mishap), false);
                    let ended = bench.ended(&order).await;
                    let met = std::mem::take(&mut *bench.mishaps.0.lock().unwrap()).2;
                    assert_eq!(ended.state, OrderState::Done, "{kind} {mishap:?} {nth}: {ended:?}");
                    bench.assert_ours(&number, 1).await;
                    if !met {
                        assert!(nth > 5, "only {nth} writes");
                        break;
                    }
                }
            }
            assert!(place < 100, "no more fictional numbers");
            bench.end().await;
            database.drop().await;
        }
    }
}

/// What was adopted is set, and once it is released it is as it was before, also where the worker died
/// between keeping the old settings and setting new ones; it stays the account's at the carrier.
#[tokio::test]
async fn an_adopted_number_gets_its_webhooks_back() {
    let before = [
        ("voice_url", "https://u:secret@old.example/voice"),
        ("voice_method", "GET"),
        ("sms_url", "https://old.example/sms"),
        ("trunk_sid", "TK00000000000000000000000000000001"),
    ];
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        for nth in 0..12 {
            let number = digits(nth);
            bench.shop.holds(&number, &before);
            let which = Which::Adopt(ProxyNumber::parse(&number).unwrap());
            let order = bench.place(bench.order(which)).await.unwrap().remove(0);
            *bench.mishaps.0.lock().unwrap() = (nth, Some(Mishap::AnswerLost), false);
            let ended = bench.ended(&order).await;
            let met = bench.mishaps.0.lock().unwrap().2;
            assert!(met || nth == 0 || nth > 4, "only {nth} writes");
            assert_eq!(ended.state, OrderState::Done, "{ended:?}");
            bench.assert_ours(&number, 0).await;
            assert!(!format!("{ended:?}").contains("secret"), "it is sealed");
            *bench.mishaps.0.lock().unwrap() = (0, None, false);
            let mut order = bench.release(&number, ReleaseNumber::default()).await;
            *bench.mishaps.0.lock().unwrap() = (nth, Some(Mishap::BeforeCommit), false);
            order = bench.ended(&order).await;
            let met = bench.mishaps.0.lock().unwrap().2;
            assert!(met || nth == 0 || nth > 3, "only {nth} writes");
            *bench.mishaps.0.lock().unwrap() = (0, None, false);
            assert_eq!(order.state, OrderState::Done, "{order:?}");
            assert!(bench.number(&number).await.is_none());
            let after = bench.shop.settings(&number).unwrap();
            for (key, value) in before {
                assert_eq!(after[key], value, "{key}");
            }
            assert_eq!(bench.shop.given_back(), Vec::<String>::new());
        }
        bench.end().await;
        database.drop().await;
    }
}

/// Without the operator's switch an account gives back at the carrier what it bought here, and no other.
#[tokio::test]
async fn what_was_not_bought_here_is_not_given_back() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let [bought, adopted] = [digits(0), digits(1)];
        bench.shop.holds(&adopted, &[]);
        let adopt = Which::Adopt(ProxyNumber::parse(&adopted).unwrap());
        let mut ids = Vec::new();
        for which in [buy(&bought), adopt] {
            let order = bench.place(bench.order(which)).await.unwrap().remove(0);
            ids.push(bench.ended(&order).await.number_id.unwrap());
        }
        let account = bench.account.clone();
        let how = ReleaseNumber { at_carrier: Some(AtCarrier::Cancel), force: false };
        let done = bench.relay.db().write(move |tx| {
            let (account, ids) = (account.clone(), ids.clone());
            Box::pin(async move {
                let may = |_: &str| Cancels::Bought;
                let refused = relay::release_number(tx, &account, &ids[1], how, None, &may).await;
                assert!(matches!(refused, Err(relay::Error::BuyingOff)), "{refused:?}");
                relay::release_number(tx, &account, &ids[0], how, None, &may).await
            })
        });
        bench.ended(&done.await.unwrap()).await;
        assert_eq!(bench.shop.given_back(), [bought]);
        bench.end().await;
        database.drop().await;
    }
}

/// A search buys so many numbers, none dearer than it may be and none twice; one that somebody else
/// takes first is replaced by the next.
#[tokio::test]
async fn a_search_buys_what_fits() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let criteria = Criteria {
            country: "US".into(),
            kind: NumberKind::Local,
            area: Some("415".into()),
            contains: None,
            can: Capabilities::parse("sms").unwrap(),
        };
        let wish = |most| OrderNumber {
            price_max: Some(most),
            ..bench.order(Which::Any(criteria.clone(), 1))
        };
        let dear = bench.place(wish(1_140_000)).await.unwrap().remove(0);
        let dear = bench.ended(&dear).await;
        assert_eq!(dear.reason, Some(OrderFailure::TooExpensive), "{dear:?}");
        assert_eq!(bench.shop.bought(&digits(0)), 0);
        bench.shop.sell_out("+14155550160");
        let two = Which::Any(criteria.clone(), 2);
        let orders =
            bench.place(OrderNumber { price_max: Some(1_150_000), ..bench.order(two) }).await;
        let mut got = Vec::new();
        for order in orders.unwrap() {
            let ended = bench.ended(&order).await;
            got.extend(ended.number.filter(|_| ended.state == OrderState::Done));
        }
        assert!(got.len() == 2 && got[0] != got[1], "{got:?}");
        for number in &got {
            bench.assert_ours(number.as_str(), 1).await;
        }
        bench.end().await;
        database.drop().await;
    }
}

/// What can't be done fails with its reason, and costs nothing: a number that the account has already,
/// one that it does not have, one that is not on sale; while an order is under way, and for a number in an
/// inventory, there is no second one.
#[tokio::test]
async fn what_cant_be_done_says_why() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let (held, gone, free) = (digits(0), digits(1), digits(2));
        bench.shop.holds(&held, &[]);
        bench.shop.sell_out(&gone);
        let adopt = |number: &str| Which::Adopt(ProxyNumber::parse(number).unwrap());
        for (which, why) in [
            (buy(&held), OrderFailure::HeldAlready),
            (adopt(&free), OrderFailure::NotHeld),
            (buy(&gone), OrderFailure::Refused),
        ] {
            let order = bench.place(bench.order(which)).await.unwrap().remove(0);
            let ended = bench.ended(&order).await;
            assert_eq!((ended.state, ended.reason), (OrderState::Failed, Some(why)), "{ended:?}");
            assert_eq!(ended.carrier_code.is_some(), why == OrderFailure::Refused);
        }
        let order = bench.place(bench.order(buy(&free))).await.unwrap().remove(0);
        let second = bench.place(bench.order(buy(&free))).await;
        assert!(matches!(second, Err(relay::Error::OrderUnderWay)));
        bench.ended(&order).await;
        let second = bench.place(bench.order(buy(&free))).await;
        assert!(matches!(second, Err(relay::Error::NumberTaken)));
        assert_eq!(bench.shop.bought(&free), 1);
        bench.end().await;
        database.drop().await;
    }
}

/// The comparison finds what is missing at the carrier, unknown here and led elsewhere; it sets the last
/// where it may, and is then at peace with it.
#[tokio::test]
async fn a_comparison_finds_and_fixes() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let (right, astray, lost, other) = (digits(0), digits(1), digits(2), digits(3));
        for number in [&right, &astray, &lost] {
            let order = bench.place(bench.order(buy(number))).await.unwrap().remove(0);
            bench.ended(&order).await;
        }
        bench.shop.holds(&astray, &[("voice_url", "https://other.example/")]);
        bench.shop.holds(&other, &[]);
        let removed = ProxyNumber::parse(&lost).unwrap();
        bench.shop.forget(removed.as_str());
        let found = bench.relay.sync_numbers("twilio", false).await.unwrap();
        let told: Vec<(&str, bool)> = found
            .differences
            .iter()
            .map(|(number, what)| (number.as_str(), matches!(what, Difference::Wrong(_))))
            .collect();
        assert_eq!(told, [(&*astray, true), (&*lost, false), (&*other, false)]);
        assert_eq!(found.differences[1].1, Difference::MissingThere);
        assert_eq!(found.differences[2].1, Difference::UnknownHere);
        let fixed = bench.relay.sync_numbers("twilio", true).await.unwrap();
        assert_eq!(fixed.differences[0].1, Difference::Fixed);
        bench.assert_ours(&astray, 1).await;
        let again = bench.relay.sync_numbers("twilio", false).await.unwrap();
        assert_eq!(again.differences.len(), 2, "{again:?}");
        bench.end().await;
        database.drop().await;
    }
}

/// With the sandbox from end to end: two numbers are bought, a session uses them, and one that is given up
/// is given to nobody, answers until its session is closed, and goes only after the quarantine.
#[tokio::test]
async fn a_bought_number_goes_after_its_quarantine() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let rules = Rules { quarantine: Duration::from_mins(30), ..Rules::new("Bikes".into()) };
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
            price_max: Some(2_000_000),
            currency: Some("USD".into()),
            address: None,
            bundle: None,
        };
        let orders = place(relay, account, new).await.unwrap();
        relay.ordered();
        let mut bought = Vec::new();
        for order in orders {
            bought.push(followed(&world, &order).await);
        }
        let bought: Vec<ProxyNumber> = bought.into_iter().filter_map(|one| one.number).collect();
        assert_eq!(bought.len(), 2);
        let session = market.session([0, 1], 0, None).await.unwrap();
        let number = ProxyNumber::parse(session.dials[0].expose()).unwrap();
        assert!(bought.contains(&number));
        assert!(world.network.rented(number.as_str()).unwrap().settings.contains("/hooks/"));
        let early = ReleaseNumber { at_carrier: None, force: true };
        let early = release(relay, account, &number, early).await;
        assert!(matches!(early, Err(relay::Error::NumberHasSessions)));
        let order = release(relay, account, &number, ReleaseNumber::default()).await.unwrap();
        relay.ordered();
        let held = async |minutes: i64| {
            world.clock.advance(minutes * 60_000);
            relay.work_number_orders(&CancellationToken::new()).await.unwrap();
            world.running.jobs.idle().await;
            relay.number_order(account, &order.id).await.unwrap().state
        };
        assert_eq!(held(2).await, OrderState::Draining);
        market.close(&session.id).await.unwrap();
        assert_eq!(held(2).await, OrderState::Draining, "in quarantine");
        assert_eq!(held(26).await, OrderState::Draining, "for half an hour");
        assert!(world.network.rented(number.as_str()).is_some());
        world.clock.advance(3 * 60_000);
        assert_eq!(followed(&world, &order).await.state, OrderState::Done);
        assert!(world.network.rented(number.as_str()).is_none(), "it was given back");
        let wish = Wish {
            country: "US".into(),
            contains: number.as_str()[1..].into(),
            limit: 1,
            ..Wish::default()
        };
        assert_eq!(world.network.on_sale(&wish).len(), 1);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A number that is given up and wanted again stays.
#[tokio::test]
async fn a_release_is_taken_back() {
    for database in support::databases().await {
        let bench = Bench::open(&database, "twilio").await;
        let number = digits(0);
        let order = bench.place(bench.order(buy(&number))).await.unwrap().remove(0);
        bench.ended(&order).await;
        let how = ReleaseNumber { at_carrier: Some(AtCarrier::Keep), force: false };
        let order = bench.release(&number, how).await;
        let (account, id) = (bench.account.clone(), order.number_id.clone().unwrap());
        let active = relay::UpdateNumber {
            state: Some(NumberState::Active),
            ..relay::UpdateNumber::default()
        };
        bench
            .relay
            .db()
            .write(move |tx| {
                let (account, id, active) = (account.clone(), id.clone(), active.clone());
                Box::pin(async move {
                    relay::update_number(tx, &account, &id, active, None).await.map(drop)
                })
            })
            .await
            .unwrap();
        assert_eq!(bench.ended(&order).await.state, OrderState::Cancelled);
        bench.assert_ours(&number, 1).await;
        let order = bench.release(&number, ReleaseNumber::default()).await;
        assert_eq!(bench.ended(&order).await.state, OrderState::Done);
        assert_eq!(bench.shop.given_back(), [number]);
        let mut tx = bench.relay.db().read().await.unwrap();
        assert!(number_orders::counts(&mut tx).await.unwrap().is_empty());
        drop(tx);
        bench.end().await;
        database.drop().await;
    }
}

/// The order once it has ended; the running loops and this test work on it in turns.
pub(crate) async fn followed(world: &World, order: &NumberOrder) -> NumberOrder {
    let relay = &world.running.relay;
    for _ in 0..PASSES {
        relay.work_number_orders(&CancellationToken::new()).await.unwrap();
        world.running.jobs.idle().await;
        let now = relay.number_order(&order.account, &order.id).await.unwrap();
        if now.ended_at.is_some() {
            return now;
        }
        world.clock.advance(LATER_MS);
    }
    panic!("the order never ends: {order:?}");
}
