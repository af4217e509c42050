//! What is to be done about numbers at a carrier: committed with the wish, done by leased workers.

use super::{Error, Tx, accounts, db::on, from_text, numbers::proxy};
use crate::{
    domain::{closed_set, phone::ProxyNumber, pool::Capabilities, time::Timestamp},
    ids::{AccountId, NumberId, NumberOrderId, ServiceId},
};

closed_set! {
    /// What is to be done.
    OrderKind {
        /// One is bought, set and added to a pool.
        Buy = "buy",
        /// One that the account has at the carrier is set and added to a pool.
        Adopt = "adopt",
        /// One leaves its pool, and is given back or set as it was.
        Release = "release",
    }
}

closed_set! {
    /// How far it has come.
    OrderState {
        /// Nothing was asked of the carrier yet.
        Queued = "queued",
        /// The carrier was asked, or is about to be: it may be bought.
        Buying = "buying",
        /// The carrier has an order for it.
        Ordered = "ordered",
        /// The number is the account's, and its calls and texts are led here.
        Configuring = "configuring",
        /// Nobody gets the number any more; those who hold it still do.
        Draining = "draining",
        /// The number has left its pool, and the carrier is told.
        Releasing = "releasing",
        /// Done.
        Done = "done",
        /// It can't be done.
        Failed = "failed",
        /// It is not wanted any more.
        Cancelled = "cancelled",
    }
}

closed_set! {
    /// Why it can't be done.
    OrderFailure {
        /// Nothing that was asked for is on sale.
        NotOnSale = "not_on_sale",
        /// What is on sale costs more than it may.
        TooExpensive = "too_expensive",
        /// The carrier does not say what it costs, and there is a most that it may.
        PriceUntold = "price_untold",
        /// The carrier wants an address or papers of the customer's first.
        RequirementsUnmet = "requirements_unmet",
        /// The account has the number at the carrier already: it can be adopted.
        HeldAlready = "held_already",
        /// The account does not have the number at the carrier.
        NotHeld = "not_held",
        /// The carrier refused.
        Refused = "refused",
        /// The carrier takes our credentials or settings for wrong.
        CarrierSettings = "carrier_settings",
        /// The carrier could not be reached for too long.
        Unreachable = "carrier_unreachable",
        /// The carrier gave its order up.
        OrderFailed = "order_failed",
        /// It was bought, or may have been, and never appeared.
        NeverCame = "never_came",
        /// It was set, and its calls or texts go elsewhere all the same.
        Misconfigured = "misconfigured",
        /// It could not join the pool: somebody has it, or the service is gone.
        NotAdded = "not_added",
        /// That carrier can't do it by API.
        Unsupported = "unsupported",
    }
}

/// Something to be done about a number.
#[derive(Debug, Clone)]
pub struct NumberOrder {
    /// The account.
    pub account: AccountId,
    /// Its id.
    pub id: NumberOrderId,
    /// What is to be done.
    pub kind: OrderKind,
    /// How far it has come.
    pub state: OrderState,
    /// The service whose pool the number joins or leaves.
    pub service: ServiceId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// The number, once it is chosen.
    pub number: Option<ProxyNumber>,
    /// Its id in the inventory, once it has one.
    pub number_id: Option<NumberId>,
    /// What it is to do; nothing for all that it can.
    pub capabilities: Capabilities,
    /// What was asked for, as JSON.
    pub wanted: String,
    /// The carrier's id of its own order.
    pub carrier_order: Option<String>,
    /// The carrier's id of the number, once the account has it.
    pub carrier_number: Option<String>,
    /// Why it can't be done.
    pub reason: Option<OrderFailure>,
    /// The carrier's code.
    pub carrier_code: Option<String>,
    /// How many numbers were chosen.
    pub choices: i64,
    /// How often the carrier was asked to sell that number.
    pub buys: i64,
    /// How often the same step did not succeed.
    pub attempts: i64,
    /// Grows with each claim.
    pub fence: i64,
    /// When it is looked at next, or a worker's lease ends.
    pub run_at: Timestamp,
    /// When the carrier was last asked to sell.
    pub asked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where the number's calls and texts went before.
    pub previous: Previous,
}

/// Where a number's calls and texts went before: sealed under the account's key, if it is kept yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Previous(Option<String>);

/// Something new to be done.
#[derive(Debug, Clone)]
pub struct NewOrder<'a> {
    /// What.
    pub kind: OrderKind,
    /// Where it begins.
    pub state: OrderState,
    /// The service.
    pub service: &'a ServiceId,
    /// The carrier's id in the configuration.
    pub carrier: &'a str,
    /// The number, where it is known.
    pub number: Option<&'a ProxyNumber>,
    /// Its id, where it has one.
    pub number_id: Option<&'a NumberId>,
    /// What it is to do.
    pub capabilities: Capabilities,
    /// What is asked for, as JSON.
    pub wanted: &'a str,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: NumberOrderId,
    kind: String,
    state: String,
    service: ServiceId,
    carrier: String,
    number: Option<String>,
    number_id: Option<NumberId>,
    capabilities: String,
    wanted: String,
    carrier_order: Option<String>,
    carrier_number: Option<String>,
    previous: Option<String>,
    reason: Option<String>,
    carrier_code: Option<String>,
    choices: i64,
    buys: i64,
    attempts: i64,
    fence: i64,
    run_at: i64,
    asked_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

macro_rules! columns {
    () => {
        "account, id, kind, state, service, carrier, number, number_id, capabilities, wanted, \
         carrier_order, carrier_number, previous, reason, carrier_code, choices, buys, attempts, fence, \
         run_at, asked_at, created_at, updated_at, ended_at"
    };
}

fn able(text: &str) -> Option<Capabilities> {
    if text.is_empty() { Some(Capabilities::default()) } else { Capabilities::parse(text) }
}

impl TryFrom<Row> for NumberOrder {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let reason = match &row.reason {
            Some(text) => Some(from_text!("number_orders"."reason", OrderFailure::parse, text)?),
            None => None,
        };
        Ok(Self {
            account: row.account,
            id: row.id,
            kind: from_text!("number_orders"."kind", OrderKind::parse, &row.kind)?,
            state: from_text!("number_orders"."state", OrderState::parse, &row.state)?,
            service: row.service,
            carrier: row.carrier,
            number: row.number.as_deref().map(proxy).transpose()?,
            number_id: row.number_id,
            capabilities: from_text!("number_orders"."capabilities", able, &row.capabilities)?,
            wanted: row.wanted,
            carrier_order: row.carrier_order,
            carrier_number: row.carrier_number,
            reason,
            carrier_code: row.carrier_code,
            choices: row.choices,
            buys: row.buys,
            attempts: row.attempts,
            fence: row.fence,
            run_at: Timestamp::from_millis(row.run_at),
            asked_at: row.asked_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
            previous: Previous(row.previous),
        })
    }
}

fn all(rows: Vec<Row>) -> Result<Vec<NumberOrder>, Error> {
    rows.into_iter().map(NumberOrder::try_from).collect()
}

fn context(id: &NumberOrderId) -> String {
    format!("number_order:{id}")
}

/// Notes something to be done, now.
///
/// # Errors
/// [`Error::Conflict`] if something else is being done about the number.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewOrder<'_>,
    now: Timestamp,
) -> Result<NumberOrder, Error> {
    const SQL: &str = concat!(
        "INSERT INTO number_orders (account, id, kind, state, service, carrier, number, number_id,
            capabilities, wanted, choices, buys, attempts, fence, run_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0, $11, $11, $11)
        RETURNING ",
        columns!()
    );
    let id: NumberOrderId = tx.id_at(now);
    let row: Row = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(&id)
        .bind(new.kind.as_str())
        .bind(new.state.as_str())
        .bind(new.service)
        .bind(new.carrier)
        .bind(new.number.map(ProxyNumber::as_str))
        .bind(new.number_id)
        .bind(new.capabilities.text())
        .bind(new.wanted)
        .bind(now.millis())
        .fetch_one(conn)
        .await?);
    row.try_into()
}

/// The one with that id.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberOrderId,
) -> Result<Option<NumberOrder>, Error> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM number_orders WHERE account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(NumberOrder::try_from).transpose()
}

/// What is being done about a number, whoever asked for it.
pub async fn under_way(
    tx: &mut Tx,
    number: &ProxyNumber,
) -> Result<Option<(AccountId, NumberOrderId)>, Error> {
    const SQL: &str =
        "SELECT account, id FROM number_orders WHERE number = $1 AND ended_at IS NULL";
    let number = number.as_str();
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(number).fetch_optional(conn).await?))
}

/// Those of an account (of one state, if it is named) after `after`, in order of their ids.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    state: Option<OrderState>,
    after: &str,
    limit: i64,
) -> Result<Vec<NumberOrder>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM number_orders
        WHERE account = $1 AND (state = $2 OR $2 = '') AND id > $3 ORDER BY id LIMIT $4"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(state.map_or("", OrderState::as_str))
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    all(rows)
}

/// The last that brought a number into the inventory.
pub async fn that_brought(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
) -> Result<Option<NumberOrder>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM number_orders
        WHERE account = $1 AND number_id = $2 AND state = 'done' AND kind <> 'release'
        ORDER BY id DESC LIMIT 1"
    );
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(number).fetch_optional(conn).await?);
    row.map(NumberOrder::try_from).transpose()
}

pub(super) const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM number_orders WHERE ended_at IS NULL AND run_at <= $1 ORDER BY run_at LIMIT $2"
);

/// What is to be looked at by `now`, over all accounts: to be claimed one by one. And what can't be read: it keeps
/// nothing else back (I32), and is to be left alone for a while.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<(Vec<NumberOrder>, Vec<(AccountId, NumberOrderId)>), Error> {
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(DUE).bind(now.millis()).bind(limit).fetch_all(conn).await?);
    let (mut orders, mut unread) = (Vec::new(), Vec::new());
    for row in rows {
        let (account, id) = (row.account.clone(), row.id.clone());
        match NumberOrder::try_from(row) {
            Ok(order) => orders.push(order),
            Err(error) => {
                tracing::error!(order = %id, %error, "an order can't be read and is left alone");
                unread.push((account, id));
            }
        }
    }
    Ok((orders, unread))
}

/// Leaves an order alone until `until` that is due at `now`; whether it was.
pub async fn leave(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberOrderId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE number_orders SET run_at = $4
        WHERE account = $1 AND id = $2 AND run_at <= $3 AND ended_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .bind(until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// How many are under way, by state.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str =
        "SELECT state, COUNT(*) FROM number_orders WHERE ended_at IS NULL GROUP BY state";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Claims one until `lease_until`; `None` if somebody else has it or it has ended.
pub async fn claim(
    tx: &mut Tx,
    order: &NumberOrder,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<NumberOrder>, Error> {
    const SQL: &str = concat!(
        "UPDATE number_orders SET fence = fence + 1, run_at = $5
        WHERE account = $1 AND id = $2 AND fence = $3 AND run_at <= $4 AND ended_at IS NULL
        RETURNING ",
        columns!()
    );
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(&order.account)
        .bind(&order.id)
        .bind(order.fence)
        .bind(now.millis())
        .bind(lease_until.millis())
        .fetch_optional(conn)
        .await?);
    row.map(NumberOrder::try_from).transpose()
}

/// Writes how far it has come; whether the claim was still ours.
///
/// # Errors
/// [`Error::Conflict`] if something else is being done about its number.
pub async fn save(tx: &mut Tx, order: &NumberOrder) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE number_orders SET state = $4, number = $5, number_id = $6, capabilities = $7,
            carrier_order = $8, carrier_number = $9, previous = $10, reason = $11,
            carrier_code = $12, choices = $13, attempts = $14, run_at = $15, asked_at = $16,
            updated_at = $17, ended_at = $18, buys = $19, wanted = $20
        WHERE account = $1 AND id = $2 AND fence = $3 AND ended_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&order.account)
        .bind(&order.id)
        .bind(order.fence)
        .bind(order.state.as_str())
        .bind(order.number.as_ref().map(ProxyNumber::as_str))
        .bind(&order.number_id)
        .bind(order.capabilities.text())
        .bind(&order.carrier_order)
        .bind(&order.carrier_number)
        .bind(&order.previous.0)
        .bind(order.reason.map(OrderFailure::as_str))
        .bind(&order.carrier_code)
        .bind(order.choices)
        .bind(order.attempts)
        .bind(order.run_at.millis())
        .bind(order.asked_at.map(Timestamp::millis))
        .bind(order.updated_at.millis())
        .bind(order.ended_at.map(Timestamp::millis))
        .bind(order.buys)
        .bind(&order.wanted)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

impl NumberOrder {
    /// Whether it is kept where the number's calls and texts went before.
    pub const fn has_previous(&self) -> bool {
        self.previous.0.is_some()
    }

    /// Keeps where the number's calls and texts went before, unless that is kept already.
    pub async fn keep_previous(&mut self, tx: &mut Tx, settings: &str) -> Result<(), Error> {
        if self.previous.0.is_none() {
            let keys = accounts::keys(tx, &self.account).await?;
            self.previous = Previous(Some(keys.data.seal_text(settings, &context(&self.id))));
        }
        Ok(())
    }

    /// Where the number's calls and texts went before.
    pub async fn previous(&self, tx: &mut Tx) -> Result<Option<String>, Error> {
        let Some(sealed) = &self.previous.0 else { return Ok(None) };
        let keys = accounts::keys(tx, &self.account).await?;
        Ok(Some(keys.data.open_text(sealed, &context(&self.id))?))
    }
}
