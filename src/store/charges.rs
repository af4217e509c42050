//! What each leg used and cost, and sums of it. Nothing of a person but their calling code.

use super::{
    Error, Tx,
    db::on,
    from_text,
    interactions::length,
    sessions::{listed, millis},
};
use crate::{
    domain::{
        closed_set,
        interaction::Kind,
        message::Body,
        price::{Currency, Price},
        segments::segments,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, ServiceId, SessionId},
    store::legs::Direction,
};
use futures_util::TryStreamExt as _;
use std::time::Duration;

closed_set! {
    /// Who says what it cost.
    PriceSource {
        /// Its carrier.
        Carrier = "carrier",
        /// Our own table of prices.
        Table = "table",
        /// Nobody: the table has no price for it.
        None = "none",
    }
}

closed_set! {
    /// By what usage is summed.
    GroupBy {
        /// By session.
        Session = "session",
        /// By service.
        Service = "service",
        /// By carrier.
        Carrier = "carrier",
        /// By day (UTC).
        Day = "day",
    }
}

/// What became known of a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// In how many parts a text was sent; none if with pictures or files.
    pub segments: Option<u64>,
    /// How long it lasted.
    pub lasted: Option<Duration>,
    /// What its carrier says that it cost.
    pub price: Option<Price>,
}

impl News {
    /// A text was sent that says this; one with pictures or files has no parts.
    pub fn of_text(body: &Body, files: bool) -> Self {
        let segments = if files { 0 } else { segments(body.expose()) };
        Self { segments: Some(segments), ..Self::default() }
    }

    /// It cost so much.
    pub fn cost(price: Option<Price>) -> Self {
        Self { price, ..Self::default() }
    }
}

/// What a leg used and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The account.
    pub account: AccountId,
    /// The leg.
    pub leg: LegId,
    /// Its interaction.
    pub interaction: InteractionId,
    /// Its carrier.
    pub carrier: String,
    /// A call or a text.
    pub kind: Kind,
    /// Which way it went.
    pub direction: Direction,
    /// The calling code of whoever was reached, where that is known.
    pub code: Option<u16>,
    /// In how many parts a text was sent, where that is known; none if with pictures or files.
    pub segments: Option<u64>,
    /// How long it lasted.
    pub lasted: Option<Duration>,
    /// What it cost, and who says so; a source without a price is [`PriceSource::None`].
    pub price: Option<Price>,
    /// Who says so; `None` while nobody has looked.
    pub source: Option<PriceSource>,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    leg: LegId,
    interaction: InteractionId,
    carrier: String,
    kind: String,
    direction: String,
    code: String,
    segments: Option<i64>,
    seconds: Option<i64>,
    micros: Option<i64>,
    currency: Option<String>,
    source: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, leg, interaction, carrier, kind, direction, code, segments, seconds, \
             micros, currency, source FROM charges WHERE ",
            $rest
        )
    };
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn price(micros: Option<i64>, currency: Option<&str>) -> Option<Price> {
    Price::new(micros?, Currency::parse(currency?)?)
}

impl TryFrom<Row> for Charge {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            price: price(row.micros, row.currency.as_deref()),
            account: row.account,
            leg: row.leg,
            interaction: row.interaction,
            carrier: row.carrier,
            kind: from_text!("charges"."kind", Kind::parse, &row.kind)?,
            direction: from_text!("charges"."direction", Direction::parse, &row.direction)?,
            code: row.code.parse().ok(),
            segments: row.segments.map(count),
            lasted: row.seconds.map(|seconds| length(seconds.saturating_mul(1000))),
            source: row
                .source
                .map(|text| from_text!("charges"."source", PriceSource::parse, &text))
                .transpose()?,
        })
    }
}

/// Notes what became known of a leg: what is told twice changes nothing, and of prices the later one of
/// the carrier's counts. Whether there is such a leg.
pub async fn note(
    tx: &mut Tx,
    account: &AccountId,
    leg: &LegId,
    news: News,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO charges (account, leg, interaction, session, service, carrier, kind, direction,
            code, at, segments, seconds, micros, currency, source)
        SELECT l.account, l.id, l.interaction, COALESCE(l.session, ''), COALESCE(i.service, ''),
            l.carrier, l.kind, l.direction,
            COALESCE(CAST(p.calling_code AS TEXT), CAST(v.calling_code AS TEXT), ''),
            l.created_at, CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT),
            CAST($6 AS TEXT), CAST($7 AS TEXT)
        FROM legs l
        JOIN interactions i ON i.account = l.account AND i.id = l.interaction
        LEFT JOIN participants p ON p.account = l.account AND p.id = l.participant
            AND l.direction = 'outbound'
        LEFT JOIN verification_sends s ON s.account = l.account AND s.leg = l.id
        LEFT JOIN verifications v ON v.account = s.account AND v.id = s.verification
        WHERE l.account = $1 AND l.id = $2
        ON CONFLICT (account, leg) DO UPDATE SET
            segments = COALESCE(charges.segments, excluded.segments),
            seconds = COALESCE(charges.seconds, excluded.seconds),
            micros = COALESCE(excluded.micros, charges.micros),
            currency = COALESCE(excluded.currency, charges.currency),
            source = COALESCE(excluded.source, charges.source)";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(leg)
        .bind(news.segments.map(number))
        .bind(news.lasted.map(|length| millis(length) / 1000))
        .bind(news.price.map(Price::micros))
        .bind(news.price.map(|price| price.currency().as_str().to_owned()))
        .bind(news.price.map(|_| PriceSource::Carrier.as_str()))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// What nobody has priced yet, `limit` at most, of any account.
pub async fn without_price(tx: &mut Tx, limit: i64) -> Result<Vec<Charge>, Error> {
    const SQL: &str = select!("source IS NULL ORDER BY account, leg LIMIT $1");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(Charge::try_from).collect()
}

/// Prices what nobody has priced: by the table, or not at all.
pub async fn by_table(tx: &mut Tx, charge: &Charge, price: Option<Price>) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE charges SET micros = $3, currency = $4, source = $5
        WHERE account = $1 AND leg = $2 AND source IS NULL";
    let source = if price.is_some() { PriceSource::Table } else { PriceSource::None };
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&charge.account)
            .bind(&charge.leg)
            .bind(price.map(Price::micros))
            .bind(price.map(|price| price.currency().as_str().to_owned()))
            .bind(source.as_str())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What the legs of these interactions cost, by interaction and leg.
pub async fn of_interactions(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Charge>, Error> {
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction, leg");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Charge::try_from).collect()
}

/// What is summed.
#[derive(Debug, Clone)]
pub struct Usage {
    /// From when on, by when a leg began.
    pub from: Timestamp,
    /// Until before when.
    pub before: Timestamp,
    /// By what.
    pub group: GroupBy,
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only of this session.
    pub session: Option<SessionId>,
    /// Only of this carrier.
    pub carrier: Option<String>,
    /// The last key of the page before.
    pub after: Option<String>,
    /// How many keys at most.
    pub limit: i64,
}

/// The sum of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    /// The session's or service's id, the carrier's, or the days since 1970; empty for what belongs to no
    /// session or service.
    pub key: String,
    /// Texts that were sent.
    pub texts: u64,
    /// In how many parts.
    pub segments: u64,
    /// Legs of calls that lasted.
    pub calls: u64,
    /// How many minutes of them were begun.
    pub minutes: u64,
    /// What it cost in each currency, in millionths, in order of the currencies.
    pub amounts: Vec<(Currency, i64)>,
    /// Of how many texts and legs nobody says what they cost.
    pub without_price: u64,
}

#[derive(sqlx::FromRow)]
struct SumRow {
    key: String,
    currency: String,
    texts: i64,
    segments: i64,
    calls: i64,
    minutes: i64,
    micros: i64,
    unpriced: i64,
}

/// What a sum is made of, for each currency.
macro_rules! totals {
    () => {
        "COALESCE(currency, '') AS currency,
        CAST(SUM(CASE WHEN kind = 'message' THEN 1 ELSE 0 END) AS BIGINT) AS texts,
        CAST(SUM(CASE WHEN kind = 'message' THEN COALESCE(segments, 1) ELSE 0 END) AS BIGINT)
            AS segments,
        CAST(SUM(CASE WHEN kind = 'call' THEN 1 ELSE 0 END) AS BIGINT) AS calls,
        CAST(SUM(CASE WHEN kind = 'call' THEN (COALESCE(seconds, 0) + 59) / 60 ELSE 0 END)
            AS BIGINT) AS minutes,
        CAST(SUM(COALESCE(micros, 0)) AS BIGINT) AS micros,
        CAST(SUM(CASE WHEN micros IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS unpriced"
    };
}

/// By what rows are grouped. The session is no bare column: an index of sessions would lead through all
/// that the account ever had, where the times bound what is read.
const fn key(group: GroupBy) -> &'static str {
    match group {
        GroupBy::Session => "session || ''",
        GroupBy::Service => "service",
        GroupBy::Carrier => "carrier",
        GroupBy::Day => "CAST(at / 86400000 AS TEXT)",
    }
}

/// What was spent at a carrier since `from`, by when a leg began; the key is empty.
pub async fn spent_at(tx: &mut Tx, carrier: &str, from: Timestamp) -> Result<Sum, Error> {
    const SQL: &str = concat!(
        "SELECT '' AS key, ",
        totals!(),
        " FROM charges WHERE carrier = $1 AND at >= $2 GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let rows: Vec<SumRow> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(carrier)
        .bind(from.millis())
        .fetch_all(conn)
        .await?);
    Ok(folded(rows).pop().unwrap_or_default())
}

/// What each account spent since `from`, at all carriers, by when a leg began; the key is the account's id.
/// Whoever spent nothing is left out.
pub async fn spent_by_accounts(tx: &mut Tx, from: Timestamp) -> Result<Vec<Sum>, Error> {
    // Account by account, in SQLite too: what is older is not looked at.
    const SQL: &str = concat!(
        "SELECT a.id AS key, ",
        totals!(),
        " FROM accounts a CROSS JOIN charges
        WHERE charges.account = a.id AND at >= $1 GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let rows: Vec<SumRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(from.millis()).fetch_all(conn).await?);
    Ok(folded(rows))
}

/// How many milliseconds a day has.
const DAY: i64 = 86_400_000;

/// Sums, in order of their keys. Currencies are never added to one another. What `of` is narrowed to by time
/// is read once, and of days those alone that are on the page; a session has an index of its own.
pub async fn sums(tx: &mut Tx, account: &AccountId, of: &Usage) -> Result<Vec<Sum>, Error> {
    if of.group != GroupBy::Day {
        return summed(tx, account, of).await;
    }
    let after = of.after.as_deref().and_then(|key| key.parse::<i64>().ok());
    let after = after.map_or(i64::MIN, |day| day.saturating_add(1).saturating_mul(DAY));
    let (mut from, mut sums) = (of.from.millis().max(after), Vec::new());
    loop {
        let missing = of.limit - number(u64::try_from(sums.len()).unwrap_or(u64::MAX));
        if missing <= 0 || from >= of.before.millis() {
            return Ok(sums);
        }
        let end = (from.div_euclid(DAY) + missing) * DAY;
        let before = of.before.min(Timestamp::from_millis(end));
        let page = Usage { from: Timestamp::from_millis(from), before, after: None, ..of.clone() };
        sums.extend(summed(tx, account, &page).await?);
        from = before.millis();
    }
}

/// The first sums after a key.
async fn summed(tx: &mut Tx, account: &AccountId, of: &Usage) -> Result<Vec<Sum>, Error> {
    let key = key(of.group);
    let limit = usize::try_from(of.limit).unwrap_or(0);
    let mut sums = Vec::new();
    on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT ");
        q.push(key).push(concat!(" AS key, ", totals!(), " FROM charges WHERE account = "));
        q.push_bind(account);
        q.push(" AND at >= ").push_bind(of.from.millis());
        q.push(" AND at < ").push_bind(of.before.millis());
        if let Some(service) = &of.service {
            q.push(" AND service = ").push_bind(service);
        }
        if let Some(session) = &of.session {
            q.push(" AND session = ").push_bind(session);
        }
        if let Some(carrier) = &of.carrier {
            q.push(" AND carrier = ").push_bind(carrier);
        }
        if let Some(after) = &of.after {
            q.push(" AND ").push(key).push(" > ").push_bind(after);
        }
        q.push(" GROUP BY 1, 2 ORDER BY 1, 2");
        let mut rows = q.build_query_as::<SumRow>().fetch(conn);
        while let Some(row) = rows.try_next().await? {
            if !add(&mut sums, row, limit) {
                break;
            }
        }
    });
    Ok(sums)
}

/// One sum for each key, of its rows in each currency.
fn folded(rows: Vec<SumRow>) -> Vec<Sum> {
    let mut sums = Vec::new();
    for row in rows {
        add(&mut sums, row, usize::MAX);
    }
    sums
}

/// Adds a row to its key's sum; not where that would be one sum too many, and then all before are whole.
fn add(sums: &mut Vec<Sum>, row: SumRow, limit: usize) -> bool {
    if sums.last().is_none_or(|sum| sum.key != row.key) {
        if sums.len() >= limit {
            return false;
        }
        sums.push(Sum { key: row.key, ..Sum::default() });
    }
    let Some(sum) = sums.last_mut() else { return false };
    sum.texts += count(row.texts);
    sum.segments += count(row.segments);
    sum.calls += count(row.calls);
    sum.minutes += count(row.minutes);
    sum.without_price += count(row.unpriced);
    if let Some(currency) = Currency::parse(&row.currency) {
        sum.amounts.push((currency, row.micros));
    }
    true
}
