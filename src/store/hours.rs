//! What was relayed and how full pools were, hour by hour: counts of nobody, made from the log, so that a chart of
//! months reads thousands of rows and not millions.

use super::{Error, Tx, db::on, from_text, old::forget};
use crate::{
    domain::{
        interaction::{Kind, Outcome, Reason},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId},
};

const HOUR_MS: i64 = 3_600_000;

/// The hour that an instant is in, counted from 1970.
pub const fn hour_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MS)
}

/// When an hour begins.
pub const fn begin_of(hour: i64) -> Timestamp {
    Timestamp::from_millis(hour.saturating_mul(HOUR_MS))
}

/// The lengths by which texts are counted that a carrier took, in milliseconds: each by the first that it is within.
pub const WITHIN: [i64; 9] = [250, 500, 1000, 2000, 5000, 15_000, 60_000, 600_000, i64::MAX];

/// What an hour's calls and texts have in common, and how many they are.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Traffic {
    kind: String,
    /// The carrier of the dialled number.
    pub carrier: String,
    outcome: String,
    reason: String,
    receipt: String,
    /// For texts that a carrier took, how long that took at most, of [`WITHIN`]; 0 for all else.
    pub within: i64,
    /// How many.
    pub tally: i64,
    /// How long was talked, in milliseconds.
    pub talked: i64,
}

impl Traffic {
    /// Calls or texts.
    pub fn kind(&self) -> Result<Kind, Error> {
        from_text!("traffic_hours"."kind", Kind::parse, &self.kind)
    }

    /// How they ended; `None` while they are under way.
    pub fn outcome(&self) -> Result<Option<Outcome>, Error> {
        let text = Some(&*self.outcome).filter(|text| !text.is_empty());
        text.map(|text| from_text!("traffic_hours"."outcome", Outcome::parse, text)).transpose()
    }

    /// Why, where a reason is kept.
    pub fn reason(&self) -> Result<Option<Reason>, Error> {
        let text = Some(&*self.reason).filter(|text| !text.is_empty());
        text.map(|text| from_text!("traffic_hours"."reason", Reason::parse, text)).transpose()
    }

    /// What was reported of texts that a carrier took: whether somebody's phone has them. `None` while nothing is.
    pub fn delivered(&self) -> Option<bool> {
        match self.receipt.as_str() {
            "delivered" => Some(true),
            "undelivered" => Some(false),
            _ => None,
        }
    }
}

/// What a span of the log held, by places of a length, of the newest `$6` calls and texts: `$4` says where the first
/// begins, `$5` how long each is, in milliseconds. A text that reached one of several is delivered; PostgreSQL would read
/// all legs for an `EXISTS`, and SQLite ask twice without the bound.
pub(super) const LOG: &str = "
    SELECT place, kind, carrier, outcome, reason, receipt, within,
        CAST(COUNT(*) AS BIGINT) AS tally, CAST(SUM(talked) AS BIGINT) AS talked
    FROM (
        SELECT (i.created_at - $4) / $5 AS place, i.kind, i.carrier,
            COALESCE(i.outcome, '') AS outcome, COALESCE(i.reason, '') AS reason,
            COALESCE(i.duration, 0) AS talked,
            CASE WHEN i.kind <> 'message' OR i.outcome IS NULL OR i.outcome <> 'relayed' THEN ''
                ELSE COALESCE((SELECT MIN(l.state) FROM legs l WHERE l.account = i.account
                    AND l.interaction = i.id AND l.state IN ('delivered', 'undelivered')), '')
                END AS receipt,
            CASE WHEN i.kind <> 'message' OR i.outcome IS NULL OR i.outcome <> 'relayed' THEN 0
                WHEN i.ended_at - i.created_at <= 250 THEN 250
                WHEN i.ended_at - i.created_at <= 500 THEN 500
                WHEN i.ended_at - i.created_at <= 1000 THEN 1000
                WHEN i.ended_at - i.created_at <= 2000 THEN 2000
                WHEN i.ended_at - i.created_at <= 5000 THEN 5000
                WHEN i.ended_at - i.created_at <= 15000 THEN 15000
                WHEN i.ended_at - i.created_at <= 60000 THEN 60000
                WHEN i.ended_at - i.created_at <= 600000 THEN 600000
                ELSE 9223372036854775807 END AS within
        FROM interactions i WHERE i.account = $1 AND i.id >= $2 AND i.id < $3
        ORDER BY i.id DESC LIMIT $6) seen
    GROUP BY place, kind, carrier, outcome, reason, receipt, within";

/// What the log holds of an hour: every call and text that began in it, counted by what they have in common.
pub async fn count(tx: &mut Tx, account: &AccountId, hour: i64) -> Result<Vec<Traffic>, Error> {
    let (from, before) = (begin_of(hour), begin_of(hour.saturating_add(1)));
    let (first, last) = (InteractionId::first_of(from), InteractionId::first_of(before));
    // One place: ids and instants of an hour may be told by clocks that are a little apart.
    let rows: Vec<Span> = on!(tx, |conn| sqlx::query_as(LOG)
        .bind(account)
        .bind(&first)
        .bind(&last)
        .bind(0_i64)
        .bind(i64::MAX)
        .bind(i64::MAX)
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(|span| span.traffic).collect())
}

/// What the log holds from an instant on, each so many milliseconds together: of the newest `limit` calls and texts.
pub async fn recent(
    tx: &mut Tx,
    account: &AccountId,
    from: Timestamp,
    every: i64,
    limit: i64,
) -> Result<Vec<Span>, Error> {
    let (first, last) = (InteractionId::first_of(from), InteractionId::first_of(Timestamp::MAX));
    Ok(on!(tx, |conn| sqlx::query_as(LOG)
        .bind(account)
        .bind(&first)
        .bind(&last)
        .bind(from.millis())
        .bind(every)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// How many calls and texts are counted of an hour.
pub async fn known(tx: &mut Tx, account: &AccountId, hour: i64) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT CAST(COALESCE(SUM(tally), 0) AS BIGINT) FROM traffic_hours
        WHERE account = $1 AND hour = $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(hour).fetch_one(conn).await?))
}

/// Puts what an hour held in the place of what was counted of it before.
pub async fn replace(
    tx: &mut Tx,
    account: &AccountId,
    hour: i64,
    rows: &[Traffic],
) -> Result<(), Error> {
    const CLEAR: &str = "DELETE FROM traffic_hours WHERE account = $1 AND hour = $2";
    const SQL: &str = "
        INSERT INTO traffic_hours
            (account, hour, kind, carrier, outcome, reason, receipt, within, tally, talked)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    on!(tx, |conn| {
        sqlx::query(CLEAR).bind(account).bind(hour).execute(&mut *conn).await?;
        for row in rows {
            sqlx::query(SQL)
                .bind(account)
                .bind(hour)
                .bind(&row.kind)
                .bind(&row.carrier)
                .bind(&row.outcome)
                .bind(&row.reason)
                .bind(&row.receipt)
                .bind(row.within)
                .bind(row.tally)
                .bind(row.talked)
                .execute(&mut *conn)
                .await?;
        }
    });
    Ok(())
}

/// A span of hours, and what was counted in it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Span {
    /// Which one, counted from the first.
    pub place: i64,
    /// What it held.
    #[sqlx(flatten)]
    pub traffic: Traffic,
}

/// What was counted of hours, each so many together.
pub(super) const SERIES: &str = "
    SELECT (hour - $2) / $4 AS place, kind, carrier, outcome, reason, receipt, within,
        CAST(SUM(tally) AS BIGINT) AS tally, CAST(SUM(talked) AS BIGINT) AS talked
    FROM traffic_hours
    WHERE account = $1 AND hour >= $2 AND hour < $3
    GROUP BY 1, kind, carrier, outcome, reason, receipt, within";

/// What was counted from the hour `from` on and before the hour `before`, each `every` hours together.
pub async fn series(
    tx: &mut Tx,
    account: &AccountId,
    (from, before): (i64, i64),
    every: i64,
) -> Result<Vec<Span>, Error> {
    Ok(on!(tx, |conn| sqlx::query_as(SERIES)
        .bind(account)
        .bind(from)
        .bind(before)
        .bind(every)
        .fetch_all(conn)
        .await?))
}

/// The open sessions of an account, so many of each state.
pub(super) const OPEN: &str = "
    SELECT COUNT(*) FROM (
        SELECT 1 FROM (
            SELECT 1 FROM sessions WHERE account = $1 AND state = 'open' LIMIT $2) o
        UNION ALL SELECT 1 FROM (
            SELECT 1 FROM sessions WHERE account = $1 AND state = 'in-progress' LIMIT $2) p) each_open";

/// How many sessions of an account are open; exact below `limit`.
pub async fn open_sessions(tx: &mut Tx, account: &AccountId, limit: i64) -> Result<i64, Error> {
    Ok(on!(tx, |conn| sqlx::query_scalar(OPEN).bind(account).bind(limit).fetch_one(conn).await?))
}

/// How full a part of a pool was at most in an hour, or over several.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Fullness {
    /// The hour, counted from 1970.
    pub hour: i64,
    /// The service's id.
    pub service: String,
    /// ISO 3166-1 alpha-2; empty where the numbering plan knows none.
    pub country: String,
    /// The carrier's id.
    pub carrier: String,
    /// Numbers that are given out.
    pub numbers: i64,
    /// The most of them that one person held: at `numbers` the pool is exhausted for them.
    pub most: i64,
    /// Pairs of person and number that are held by open sessions,
    pub held: i64,
    /// and that rest after one.
    pub resting: i64,
}

/// How full each part of an account's pools is.
pub async fn fullness(
    tx: &mut Tx,
    account: &AccountId,
    now: Timestamp,
) -> Result<Vec<Fullness>, Error> {
    const SQL: &str = "
        WITH each AS (
            SELECT n.service, n.country, n.carrier, h.person,
                COUNT(*) AS mine,
                SUM(CASE WHEN h.state = 'open' THEN 1 ELSE 0 END) AS held
            FROM holds h JOIN numbers n ON n.account = h.account AND n.id = h.number_id
            WHERE h.account = $1 AND (h.release_at IS NULL OR h.release_at > $2)
              AND n.state = 'active' AND NOT n.reserved
            GROUP BY n.service, n.country, n.carrier, h.person
        ), parts AS (
            SELECT service, country, carrier, SUM(free) AS numbers
            FROM pool_classes WHERE account = $1
            GROUP BY service, country, carrier
        )
        SELECT CAST($3 AS BIGINT) AS hour, p.service, p.country, p.carrier,
            CAST(p.numbers AS BIGINT) AS numbers,
            CAST(COALESCE(MAX(e.mine), 0) AS BIGINT) AS most,
            CAST(COALESCE(SUM(e.held), 0) AS BIGINT) AS held,
            CAST(COALESCE(SUM(e.mine - e.held), 0) AS BIGINT) AS resting
        FROM parts p
        LEFT JOIN each e ON e.service = p.service AND e.country = p.country AND e.carrier = p.carrier
        WHERE p.numbers > 0
        GROUP BY p.service, p.country, p.carrier, p.numbers
        ORDER BY p.service, p.country, p.carrier";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(now.millis())
        .bind(hour_of(now))
        .fetch_all(conn)
        .await?))
}

/// Notes how full a part of a pool is, if it was not fuller before in that hour.
pub async fn note_fullness(tx: &mut Tx, account: &AccountId, one: &Fullness) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO pool_hours
            (account, hour, service, country, carrier, numbers, most, held, resting)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (account, hour, service, country, carrier) DO UPDATE SET
            numbers = excluded.numbers,
            most = CASE WHEN excluded.most > pool_hours.most THEN excluded.most ELSE pool_hours.most END,
            held = CASE WHEN excluded.held > pool_hours.held THEN excluded.held ELSE pool_hours.held END,
            resting = CASE WHEN excluded.resting > pool_hours.resting THEN excluded.resting
                ELSE pool_hours.resting END";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(one.hour)
            .bind(&one.service)
            .bind(&one.country)
            .bind(&one.carrier)
            .bind(one.numbers)
            .bind(one.most)
            .bind(one.held)
            .bind(one.resting)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// How full pools were at most, by day.
pub(super) const FULLEST: &str = "
    SELECT day * 24 AS hour, service, country, carrier,
        MAX(numbers) AS numbers, MAX(most) AS most, MAX(held) AS held, MAX(resting) AS resting
    FROM (
        SELECT hour / 24 AS day, service, country, carrier, numbers, most, held, resting
        FROM pool_hours WHERE account = $1 AND hour >= $2) each_hour
    GROUP BY day, service, country, carrier
    ORDER BY service, country, carrier, day";

/// How full each part was at most in each day from the hour `from` on, part by part. `hour` is each day's first.
pub async fn fullest(tx: &mut Tx, account: &AccountId, from: i64) -> Result<Vec<Fullness>, Error> {
    Ok(on!(tx, |conn| sqlx::query_as(FULLEST).bind(account).bind(from).fetch_all(conn).await?))
}

/// Up to where an account is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Counted {
    /// Hours before this one change no more.
    pub settled: i64,
    /// The hour in which all that may change were last counted.
    pub swept: i64,
}

/// Up to where an account is counted; `None` before the first time.
pub async fn counted(tx: &mut Tx, account: &AccountId) -> Result<Option<Counted>, Error> {
    const SQL: &str = "SELECT settled, swept FROM counted_hours WHERE account = $1";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).fetch_optional(conn).await?))
}

/// Notes up to where an account is counted. It never goes back.
pub async fn note_counted(
    tx: &mut Tx,
    account: &AccountId,
    (settled, swept): (i64, i64),
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO counted_hours (account, settled, swept) VALUES ($1, $2, $3)
        ON CONFLICT (account) DO UPDATE SET
            settled = CASE WHEN excluded.settled > counted_hours.settled THEN excluded.settled
                ELSE counted_hours.settled END,
            swept = CASE WHEN excluded.swept > counted_hours.swept THEN excluded.swept
                ELSE counted_hours.swept END";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(settled).bind(swept).execute(conn).await?;
    });
    Ok(())
}

/// When the oldest call or text began that the log has; `None` for none.
pub async fn oldest(tx: &mut Tx, account: &AccountId) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "SELECT created_at FROM interactions WHERE account = $1 ORDER BY id LIMIT 1";
    let at: Option<i64> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).fetch_optional(conn).await?);
    Ok(at.map(Timestamp::from_millis))
}

/// Forgets hours before `before`, `limit` rows at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const TRAFFIC: &str = "
        DELETE FROM traffic_hours
        WHERE (account, hour, kind, carrier, outcome, reason, receipt, within) IN (
            SELECT account, hour, kind, carrier, outcome, reason, receipt, within FROM traffic_hours
            WHERE hour < $1
            ORDER BY hour, account, kind, carrier, outcome, reason, receipt, within LIMIT $2)";
    const POOLS: &str = "
        DELETE FROM pool_hours WHERE (account, hour, service, country, carrier) IN (
            SELECT account, hour, service, country, carrier FROM pool_hours WHERE hour < $1
            ORDER BY hour, account, service, country, carrier LIMIT $2)";
    let hour = Timestamp::from_millis(hour_of(before));
    Ok(forget(tx, TRAFFIC, hour, limit).await?.max(forget(tx, POOLS, hour, limit).await?))
}
