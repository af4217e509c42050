//! Numbers that are bought, taken over and given back at carriers: what is asked for, and whether it may
//! be.

mod ask;
mod steps;
mod sync;
mod work;

use serde::{Deserialize, Serialize};

pub use self::sync::{Difference, Synced};
use super::{
    Configured, Relay,
    error::{Error, Fault},
    inventory::{change_number, number_faults},
};
use crate::{
    carrier::{
        Provisioning,
        capabilities::Numbers,
        provisioning::{NumberKind, Search},
    },
    domain::{
        audit::{Action, Detail, Entry},
        closed_set,
        phone::{Kind, ProxyNumber, Registered},
        pool::Capabilities,
    },
    ids::{AccountId, NumberId, ServiceId},
    store::{
        Tx, audit, holds,
        number_orders::{self, NewOrder, NumberOrder, OrderKind, OrderState},
        numbers::{self, NumberState},
        participants, services,
    },
};

/// How many numbers one request may ask for.
pub const QUANTITY_MAX: u8 = 10;

closed_set! {
    /// What becomes of a number at its carrier once it has left the pool.
    AtCarrier {
        /// The account keeps it; its calls and texts go where they went before.
        Keep = "keep",
        /// It is given back, and charged for no more.
        Cancel = "cancel",
    }
}

/// Which numbers would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criteria {
    /// ISO 3166 alpha-2 code.
    pub country: String,
    /// The sort.
    pub kind: NumberKind,
    /// Digits of the area code.
    pub area: Option<String>,
    /// Digits that are somewhere in it.
    pub contains: Option<String>,
    /// What it must be able to do.
    pub can: Capabilities,
}

impl Criteria {
    /// What is wrong with them: the member and what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let digits = |text: &Option<String>, most| {
            let fits = |text: &String| {
                (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
            };
            text.as_ref().is_none_or(fits)
        };
        let country =
            self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        let rules = [
            (country, "country", "must be an ISO 3166 code of two letters, such as US"),
            (digits(&self.area, 8), "area", "must have 1 to 8 digits"),
            (digits(&self.contains, 15), "contains", "must have 1 to 15 digits"),
        ];
        rules.into_iter().filter_map(|(fits, key, what)| (!fits).then_some((key, what))).collect()
    }

    pub(super) fn search(&self, limit: u8) -> Search {
        let Self { country, kind, area, contains, can } = self.clone();
        Search { country, kind, area, contains, can, limit }
    }
}

/// A number to buy or to take over.
#[derive(Debug, Clone)]
pub struct OrderNumber {
    /// The service whose pool it joins.
    pub service: ServiceId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// Which one.
    pub which: Which,
    /// What it is to do; nothing for all that it can.
    pub capabilities: Capabilities,
    /// Whether it is given only when named.
    pub reserved: bool,
    /// The most that it may cost a month, in millionths.
    pub price_max: Option<i64>,
    /// The currency of that; any if it is not named.
    pub currency: Option<String>,
    /// The carrier's id of the customer's address.
    pub address: Option<String>,
    /// The carrier's id of the customer's papers.
    pub bundle: Option<String>,
}

/// Which number is meant.
#[derive(Debug, Clone)]
pub enum Which {
    /// This one is bought.
    Buy(ProxyNumber),
    /// So many are bought that would do.
    Any(Criteria, u8),
    /// This one, which the account has at the carrier, is taken over.
    Adopt(ProxyNumber),
}

/// What an order is for, as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Terms {
    #[serde(default)]
    country: String,
    #[serde(default)]
    kind: String,
    area: Option<String>,
    contains: Option<String>,
    /// What a search is for; empty where a number was named.
    #[serde(default)]
    can: String,
    #[serde(default)]
    chosen_here: bool,
    /// Those that were chosen, and gone before they were bought.
    #[serde(default)]
    gone: Vec<String>,
    #[serde(default)]
    reserved: bool,
    price_max: Option<i64>,
    currency: Option<String>,
    address: Option<String>,
    bundle: Option<String>,
    at_carrier: Option<String>,
    #[serde(default)]
    force: bool,
}

impl Terms {
    fn read(order: &NumberOrder) -> Self {
        serde_json::from_str(&order.wanted).unwrap_or_default()
    }

    /// As it is kept: our own type, whose keys are texts, so that this cannot fail.
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn of(new: &OrderNumber) -> Self {
        let criteria = match &new.which {
            Which::Any(criteria, _) => Some(criteria.clone()),
            Which::Buy(_) | Which::Adopt(_) => None,
        };
        let mut terms = Self {
            reserved: new.reserved,
            price_max: new.price_max,
            currency: new.currency.clone(),
            address: new.address.clone(),
            bundle: new.bundle.clone(),
            ..Self::default()
        };
        if let Some(Criteria { country, kind, area, contains, can }) = criteria {
            let kind = kind.as_str().to_owned();
            let can = can.text();
            terms = Self { country, kind, area, contains, can, chosen_here: true, ..terms };
        }
        terms
    }

    fn criteria(&self, number: Option<&ProxyNumber>) -> Criteria {
        let can = Capabilities::parse(&self.can).unwrap_or_default();
        if self.chosen_here {
            let kind = NumberKind::parse(&self.kind).unwrap_or(NumberKind::Local);
            let (area, contains) = (self.area.clone(), self.contains.clone());
            return Criteria { country: self.country.clone(), kind, area, contains, can };
        }
        let country = number.and_then(ProxyNumber::country);
        let country = country.map(|country| country.as_str().to_owned()).unwrap_or_default();
        let kind = number.map_or(NumberKind::Local, sold_as);
        let digits = number.map(|number| number.as_str().trim_start_matches('+').to_owned());
        Criteria { country, kind, area: None, contains: digits, can }
    }
}

/// As what carriers sell it, by its numbering plan.
fn sold_as(number: &ProxyNumber) -> NumberKind {
    match number.kind() {
        Kind::TollFree => NumberKind::TollFree,
        Kind::Mobile => NumberKind::Mobile,
        Kind::FixedLine | Kind::FixedOrMobile | Kind::Unknown => NumberKind::Local,
        _ => NumberKind::National,
    }
}

fn invalid(pointer: &str, code: &'static str, words: impl Into<String>) -> Error {
    Error::Invalid(vec![Fault::new(pointer, code, words)])
}

impl Relay {
    /// The carrier of that id, if its numbers can be dealt with by API.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is not configured, [`Error::CarrierUnable`].
    pub(super) fn provisioner(
        &self,
        carrier: &str,
    ) -> Result<(&Configured, &dyn Provisioning), Error> {
        let one = self.carriers.known(carrier);
        let one = one.map_err(|words| invalid("/carrier", "choice", words))?;
        let able = one.adapter.capabilities().numbers != Numbers::None;
        match one.adapter.provisioning().filter(|_| able) {
            Some(provisioning) => Ok((one, provisioning)),
            None => Err(Error::CarrierUnable),
        }
    }

    /// Everything that is wrong with what is asked for, as far as the settings tell.
    pub fn order_faults(&self, new: &OrderNumber) -> Vec<Fault> {
        let mut faults = Vec::new();
        match self.carriers.known(&new.carrier) {
            Err(words) => faults.push(Fault::new("/carrier", "choice", words)),
            Ok(carrier) => {
                let able = carrier.adapter.capabilities().of_numbers();
                if !able.covers(new.capabilities) {
                    let words = format!("must be among what the carrier can do: {}", able.text());
                    faults.push(Fault::new("/capabilities", "not_allowed", words));
                }
            }
        }
        if let Which::Any(criteria, quantity) = &new.which {
            let wrong = criteria.faults().into_iter();
            faults
                .extend(wrong.map(|(key, words)| {
                    Fault::new(format!("/search/{key}"), "not_allowed", words)
                }));
            if !(1..=QUANTITY_MAX).contains(quantity) {
                let words = format!("must be 1 to {QUANTITY_MAX}");
                faults.push(Fault::new("/quantity", "range", words));
            }
        }
        faults
    }

    /// Refuses what the carrier can't do. Where `gated` says that the operator's switch counts and it is
    /// off, nothing is bought, and nothing taken over that the operator has in the carrier's account.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::CarrierUnable`], [`Error::BuyingOff`].
    pub fn may_order(&self, new: &OrderNumber, gated: bool) -> Result<(), Error> {
        let faults = self.order_faults(new);
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let (carrier, _) = self.provisioner(&new.carrier)?;
        let buys = !matches!(new.which, Which::Adopt(_));
        if buys && carrier.adapter.capabilities().numbers != Numbers::Buy {
            return Err(Error::CarrierUnable);
        }
        if gated && !carrier.buying {
            return Err(Error::BuyingOff);
        }
        Ok(())
    }
}

/// Notes numbers to buy or to take over; a job does it. [`Relay::may_order`] was asked before.
///
/// # Errors
/// [`Error::NotFound`] for the service, [`Error::NumberTaken`], [`Error::OrderUnderWay`].
pub async fn order_numbers(
    tx: &mut Tx,
    account: &AccountId,
    new: &OrderNumber,
) -> Result<Vec<NumberOrder>, Error> {
    services::get(tx, account, &new.service).await?.ok_or(Error::NotFound("service"))?;
    let (kind, number, quantity) = match &new.which {
        Which::Buy(number) => (OrderKind::Buy, Some(number), 1),
        Which::Any(_, quantity) => (OrderKind::Buy, None, *quantity),
        Which::Adopt(number) => (OrderKind::Adopt, Some(number), 1),
    };
    if let Some(number) = number {
        let faults = number_faults(tx, number, &Registered::default());
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        if numbers::owner(tx, number).await?.is_some() {
            return Err(Error::NumberTaken);
        }
        if number_orders::under_way(tx, number).await?.is_some() {
            return Err(Error::OrderUnderWay);
        }
    }
    let wanted = Terms::of(new).text();
    let order = NewOrder {
        kind,
        state: OrderState::Queued,
        service: &new.service,
        carrier: &new.carrier,
        number,
        number_id: None,
        capabilities: new.capabilities,
        wanted: &wanted,
    };
    let mut orders = Vec::new();
    for _ in 0..quantity {
        let now = tx.now().await?;
        let order = number_orders::insert(tx, account, &order, now).await.map_err(busy)?;
        let entry = Entry::new(Action::NumberOrdered, order.id.as_str())
            .with(Detail::Kind, kind.as_str())
            .with(Detail::Carrier, new.carrier.as_str())
            .with(Detail::Service, new.service.as_str());
        audit::append(tx, account, entry).await?;
        orders.push(order);
    }
    Ok(orders)
}

/// What else is being done about the number.
fn busy(error: crate::store::Error) -> Error {
    match error {
        crate::store::Error::Conflict => Error::OrderUnderWay,
        other => other.into(),
    }
}

/// A number to give up.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReleaseNumber {
    /// What becomes of it at its carrier: one that was bought is given back, and any other kept,
    /// unless this says otherwise.
    pub at_carrier: Option<AtCarrier>,
    /// Whether quarantines are not waited for.
    pub force: bool,
}

/// Notes that a number is to leave its pool: nobody gets it any more, and once nobody holds it, open or
/// in quarantine, it goes. Setting it active again before that cancels it. `cancels` is
/// [`Relay::cancels`].
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::OrderUnderWay`],
/// [`Error::NumberHasSessions`] if quarantines are not to be waited for and sessions are open;
/// [`Error::CarrierUnable`] if it is to be given back and that is not done by API, and
/// [`Error::BuyingOff`] if the account did not buy it and may give back no other.
pub async fn release_number(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
    how: ReleaseNumber,
    version: Option<i64>,
    cancels: &(dyn Fn(&str) -> Cancels + Send + Sync),
) -> Result<NumberOrder, Error> {
    let number = numbers::get(tx, account, id)
        .await?
        .filter(|number| number.state != NumberState::Retired)
        .ok_or(Error::NotFound("number"))?;
    if version.is_some_and(|version| version != number.version) {
        return Err(Error::VersionMismatch);
    }
    if number_orders::under_way(tx, &number.number).await?.is_some() {
        return Err(Error::OrderUnderWay);
    }
    let brought = number_orders::that_brought(tx, account, id).await?;
    let bought = brought.is_some_and(|order| order.kind == OrderKind::Buy);
    let cancels = cancels(&number.carrier);
    let usual =
        if bought && cancels != Cancels::None { AtCarrier::Cancel } else { AtCarrier::Keep };
    let at_carrier = how.at_carrier.unwrap_or(usual);
    if at_carrier == AtCarrier::Cancel {
        match cancels {
            Cancels::None => return Err(Error::CarrierUnable),
            Cancels::Bought if !bought => return Err(Error::BuyingOff),
            Cancels::Bought | Cancels::All => {}
        }
    }
    let shared = number.shared && participants::live_on(tx, account, id).await? > 0;
    if how.force && (shared || holds::open_on(tx, account, id).await? > 0) {
        return Err(Error::NumberHasSessions);
    }
    let now = tx.now().await?;
    if number.state == NumberState::Active {
        let change = super::UpdateNumber {
            state: Some(NumberState::Draining),
            ..super::UpdateNumber::default()
        };
        change_number(tx, account, id, change, None).await?;
    }
    let wanted = Terms {
        at_carrier: Some(at_carrier.as_str().to_owned()),
        force: how.force,
        ..Terms::default()
    };
    let order = NewOrder {
        kind: OrderKind::Release,
        state: OrderState::Draining,
        service: &number.service,
        carrier: &number.carrier,
        number: Some(&number.number),
        number_id: Some(id),
        capabilities: number.capabilities,
        wanted: &wanted.text(),
    };
    let order = number_orders::insert(tx, account, &order, now).await.map_err(busy)?;
    let entry = Entry::new(Action::NumberReleased, id.as_str());
    let entry = entry.with(Detail::Kind, at_carrier.as_str());
    audit::append(tx, account, entry).await?;
    Ok(order)
}

/// Which numbers of a carrier are given back by API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancels {
    /// None: the carrier can't.
    None,
    /// Those that the account bought here.
    Bought,
    /// All of them.
    All,
}

impl Relay {
    /// Which numbers of that carrier an account gives back; `gated` says that the operator's switch counts
    /// for those that it did not buy.
    pub fn cancels(&self, carrier: &str, gated: bool) -> Cancels {
        match self.carriers.get(carrier) {
            Some(one) if one.adapter.capabilities().numbers == Numbers::Buy => {
                if gated && !one.buying { Cancels::Bought } else { Cancels::All }
            }
            _ => Cancels::None,
        }
    }
}
