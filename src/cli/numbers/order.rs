//! `entremise numbers buy`, `adopt`, `release` and `orders`.

use std::{sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    desk::{Desk, capabilities, refusal, table},
    search::Search,
};
use crate::{
    cli::{ConfigFile, Failed, output},
    domain::{phone::ProxyNumber, pool::Capabilities, price},
    ids::{AccountId, NumberId},
    relay::{self, AtCarrier, OrderNumber, QUANTITY_MAX, ReleaseNumber, Which},
    store::{
        number_orders::{self, NumberOrder, OrderState},
        numbers,
    },
};

/// How long it is waited at least, and at most, before it is looked again how far orders have come.
const LOOK_MIN: Duration = Duration::from_millis(100);
const LOOK_MAX: Duration = Duration::from_secs(2);
/// How many orders are shown.
const SHOWN: i64 = 1_000;

/// Who gets it, and how it is shown.
#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    file: ConfigFile,
    /// The account, AC….
    #[arg(long)]
    account: AccountId,
    /// How many seconds to work on it before a running server is left to go on.
    #[arg(long, default_value = "60")]
    wait: u64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Where a number goes.
#[derive(Debug, Args)]
struct Into {
    /// The service whose pool it joins: its id or name.
    #[arg(long, default_value = "default")]
    service: String,
    /// The carrier's id in the configuration; the first one by default.
    #[arg(long, value_name = "ID")]
    carrier: Option<String>,
    /// Give it only to participants that name it.
    #[arg(long)]
    reserved: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BuyOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    into: Into,
    /// Buy this one; without it, what fits the search.
    #[arg(long, conflicts_with_all = ["country", "area", "contains", "quantity"])]
    number: Option<String>,
    #[command(flatten)]
    search: Search,
    /// How many to buy.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(1..=i64::from(QUANTITY_MAX)))]
    quantity: u8,
    /// The most that one may cost a month, such as 2.00.
    #[arg(long, value_name = "AMOUNT")]
    max_monthly_price: Option<String>,
    /// The currency of that, such as USD.
    #[arg(long)]
    currency: Option<String>,
    /// The carrier's id of your address, where it wants one.
    #[arg(long)]
    address: Option<String>,
    /// The carrier's id of your papers, where it wants them.
    #[arg(long)]
    bundle: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    into: Into,
    /// What it is to do here, such as voice,sms; all that it can by default.
    #[arg(long, value_parser = capabilities)]
    capabilities: Option<Capabilities>,
    /// The number.
    number: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum There {
    /// The account keeps it, with the webhooks that it had before.
    Keep,
    /// It is given back, and charged for no more.
    Cancel,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReleaseOptions {
    #[command(flatten)]
    common: Common,
    /// What becomes of it at the carrier: cancelled if it was bought here, else kept.
    #[arg(long, value_enum)]
    at_carrier: Option<There>,
    /// Do not wait for quarantines; refused while sessions are open.
    #[arg(long)]
    force: bool,
    /// The number, or its id.
    number: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// The account, AC….
    #[arg(long)]
    account: AccountId,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

fn number(text: &str) -> Result<ProxyNumber, Failed> {
    ProxyNumber::parse(text).map_err(|error| Failed(format!("the number {error}")))
}

pub(super) async fn buy(options: BuyOptions) -> Result<(), Failed> {
    let BuyOptions { common, into, search, quantity, .. } = options;
    let named = options.number.as_deref().map(number).transpose()?;
    let can = search.capabilities();
    let which = match named {
        Some(number) => Which::Buy(number),
        None => Which::Any(search.criteria()?, quantity),
    };
    let price_max = options.max_monthly_price.as_deref().map(|text| {
        let wrong = || Failed("--max-monthly-price must be a decimal such as 2.00".into());
        price::micros(text).ok_or_else(wrong)
    });
    let terms = OrderTerms {
        price_max: price_max.transpose()?,
        currency: options.currency.map(|text| text.to_ascii_uppercase()),
        address: options.address,
        bundle: options.bundle,
    };
    place(common, into, which, can, terms).await
}

pub(super) async fn adopt(options: AdoptOptions) -> Result<(), Failed> {
    let AdoptOptions { common, into, capabilities, number: text } = options;
    let which = Which::Adopt(number(&text)?);
    place(common, into, which, capabilities, OrderTerms::default()).await
}

/// What a purchase may cost, and what the carrier wants.
#[derive(Debug, Default)]
struct OrderTerms {
    price_max: Option<i64>,
    currency: Option<String>,
    address: Option<String>,
    bundle: Option<String>,
}

async fn place(
    common: Common,
    into: Into,
    which: Which,
    can: Option<Capabilities>,
    terms: OrderTerms,
) -> Result<(), Failed> {
    let desk = Desk::open(&common.file).await?;
    let placed = async {
        let new = OrderNumber {
            service: desk.service(&common.account, &into.service).await?,
            carrier: desk.carrier(into.carrier.as_deref())?,
            which,
            capabilities: can.unwrap_or_default(),
            reserved: into.reserved,
            price_max: terms.price_max,
            currency: terms.currency,
            address: terms.address,
            bundle: terms.bundle,
        };
        // Whoever runs a command has the operator's settings, and spends their own money.
        desk.relay.may_order(&new, false).map_err(refusal)?;
        let held = Arc::new((common.account.clone(), new));
        let orders = desk.relay.db().write(move |tx| {
            let held = Arc::clone(&held);
            Box::pin(async move { relay::order_numbers(tx, &held.0, &held.1).await })
        });
        follow(&desk, orders.await.map_err(refusal)?, common.wait).await
    };
    let orders = placed.await;
    let orders = desk.close(orders).await?;
    tell(&orders, common.json)
}

pub(super) async fn release(options: ReleaseOptions) -> Result<(), Failed> {
    let ReleaseOptions { common, at_carrier, force, number: text } = options;
    let at_carrier = at_carrier.map(|there| match there {
        There::Keep => AtCarrier::Keep,
        There::Cancel => AtCarrier::Cancel,
    });
    let desk = Desk::open(&common.file).await?;
    let released = async {
        let id = find(&desk, &common.account, &text).await?;
        let (account, relay) = (common.account.clone(), desk.relay.clone());
        let order = desk.relay.db().write(move |tx| {
            let (account, id, relay) = (account.clone(), id.clone(), relay.clone());
            Box::pin(async move {
                let cancels = |carrier: &str| relay.cancels(carrier, false);
                let how = ReleaseNumber { at_carrier, force };
                relay::release_number(tx, &account, &id, how, None, &cancels).await
            })
        });
        follow(&desk, vec![order.await.map_err(refusal)?], common.wait).await
    };
    let orders = released.await;
    let orders = desk.close(orders).await?;
    tell(&orders, common.json)
}

async fn find(desk: &Desk, account: &AccountId, text: &str) -> Result<NumberId, Failed> {
    if let Ok(id) = NumberId::parse(text) {
        return Ok(id);
    }
    let number = number(text)?;
    let mut tx = desk.relay.db().read().await?;
    let owner = numbers::owner(&mut tx, &number).await?;
    let ours = owner.filter(|(owner, _)| owner == account);
    ours.map(|(_, number)| number.id).ok_or_else(|| Failed("there is no such number".into()))
}

/// Works on orders until all have ended, or wait for something that takes longer.
async fn follow(
    desk: &Desk,
    mut orders: Vec<NumberOrder>,
    wait: u64,
) -> Result<Vec<NumberOrder>, Failed> {
    let relay = &desk.relay;
    let (began, wait) = (tokio::time::Instant::now(), Duration::from_secs(wait));
    // Who breaks the command off leaves the rest to a running server.
    let stop = CancellationToken::new();
    loop {
        let mut ours = true;
        for order in &mut orders {
            if order.ended_at.is_none() {
                ours &= relay.work_number_order(order.clone(), &stop).await.map_err(refusal)?;
                *order = relay.number_order(&order.account, &order.id).await.map_err(refusal)?;
            }
        }
        let open = || orders.iter().filter(|order| order.ended_at.is_none());
        // One that drains takes as long as its sessions. What a server may be at this moment is looked at again.
        let drain = open().all(|order| order.state == OrderState::Draining);
        if drain && (ours || began.elapsed() > LOOK_MAX) || began.elapsed() > wait {
            break;
        }
        let now = desk.relay.db().read().await?.now().await?;
        let due = open().map(|order| order.run_at.since(now)).min().unwrap_or_default();
        tokio::time::sleep(due.clamp(LOOK_MIN, LOOK_MAX)).await;
    }
    Ok(orders)
}

/// Shows them; a failure where one has failed.
fn tell(orders: &[NumberOrder], json: bool) -> Result<(), Failed> {
    show(orders, json);
    if !json && orders.iter().any(|order| order.ended_at.is_none()) {
        output::line("what has not ended yet is done by a running server: see `numbers orders`");
    }
    match orders.iter().filter(|order| order.state == OrderState::Failed).count() {
        0 => Ok(()),
        failed => Err(Failed(format!("{failed} of {} failed", orders.len()))),
    }
}

pub(super) async fn list(options: ListOptions) -> Result<(), Failed> {
    let ListOptions { file, account, json } = options;
    let desk = Desk::open(&file).await?;
    let orders = async {
        let mut tx = desk.relay.db().read().await?;
        Ok(number_orders::list(&mut tx, &account, None, "", SHOWN).await?)
    };
    let orders = orders.await;
    let orders = desk.close(orders).await?;
    show(&orders, json);
    Ok(())
}

fn show(orders: &[NumberOrder], json: bool) {
    if json {
        for order in orders {
            output::line(&object(order).to_string());
        }
        return;
    }
    if orders.is_empty() {
        output::line("none");
        return;
    }
    let rows: Vec<Vec<String>> = orders.iter().map(row).collect();
    table(&["order", "kind", "number", "carrier", "state", "why"], &rows);
}

fn digits(order: &NumberOrder) -> Option<&str> {
    order.number.as_ref().map(ProxyNumber::as_str)
}

fn row(order: &NumberOrder) -> Vec<String> {
    let why = order.reason.map(|reason| match &order.carrier_code {
        Some(code) => format!("{reason} ({code})"),
        None => reason.as_str().to_owned(),
    });
    vec![
        order.id.to_string(),
        order.kind.as_str().to_owned(),
        digits(order).unwrap_or("-").to_owned(),
        order.carrier.clone(),
        order.state.as_str().to_owned(),
        why.unwrap_or_default(),
    ]
}

fn object(order: &NumberOrder) -> serde_json::Value {
    json!({
        "id": order.id,
        "kind": order.kind.as_str(),
        "state": order.state.as_str(),
        "number": digits(order),
        "number_id": order.number_id,
        "service_id": order.service,
        "carrier": order.carrier,
        "capabilities": order.capabilities.text(),
        "reason": order.reason.map(number_orders::OrderFailure::as_str),
        "carrier_code": order.carrier_code,
        "rented": order.carrier_number.is_some(),
    })
}
