//! How much somebody did, and how much was done in a session, in the time that goes on: one row each, counted in
//! place, so that nothing grows with traffic. What an account does is summed from those rows, and has no row that
//! all would wait for.

use super::{Error, Tx, db::on, from_text, old::forget};
use crate::{
    domain::{
        abuse::{Limit, Window},
        closed_set,
        interaction::Kind,
        time::Timestamp,
    },
    ids::AccountId,
};

closed_set! {
    /// What is counted.
    What {
        /// Texts that a person sends, or that are sent in a session.
        Texts = "texts",
        /// Calls that a person makes, or that are made in a session.
        Calls = "calls",
        /// Sessions that a person joins.
        Sessions = "sessions",
        /// Texts to a person.
        TextsTo = "texts_to",
        /// Calls to a person.
        CallsTo = "calls_to",
    }
}

impl What {
    /// What goes to people, by kind.
    pub const fn to(kind: Kind) -> Self {
        match kind {
            Kind::Message => Self::TextsTo,
            Kind::Call => Self::CallsTo,
        }
    }

    /// What comes from people, by kind.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Message => Self::Texts,
            Kind::Call => Self::Calls,
        }
    }

    /// The kind of what goes to people.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Texts | Self::TextsTo | Self::Sessions => Kind::Message,
            Self::Calls | Self::CallsTo => Kind::Call,
        }
    }

    /// How much of it one prefix may have in an hour.
    pub const fn of_prefix(self) -> Limit {
        match self.kind() {
            Kind::Message => Limit::PrefixTexts,
            Kind::Call => Limit::PrefixCalls,
        }
    }

    /// How much of it an account may have in an hour.
    pub const fn of_account(self) -> Limit {
        match self.kind() {
            Kind::Message => Limit::AccountTexts,
            Kind::Call => Limit::AccountCalls,
        }
    }
}

/// One row to count in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// What.
    pub what: What,
    /// A person's keyed hash, or a session's id.
    pub subject: String,
    /// The keyed hash of the number without its last four digits, where somebody is reached; else empty.
    pub prefix: String,
}

impl Subject {
    /// What a person or a session does.
    pub fn new(what: What, subject: impl Into<String>) -> Self {
        Self { what, subject: subject.into(), prefix: String::new() }
    }
}

/// How much it is by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What.
    pub what: What,
    /// Whose.
    pub subject: String,
    /// In these 30 seconds, with this one.
    pub half: u64,
    /// In this hour.
    pub hour: u64,
    /// On this day.
    pub day: u64,
    /// For how many seconds calls lasted on this day.
    pub seconds: u64,
}

impl Tally {
    /// How much it is in that window.
    pub const fn within(&self, window: Window) -> u64 {
        match window {
            Window::Half => self.half,
            Window::Hour => self.hour,
            Window::Day => self.day,
        }
    }
}

type Row = (String, String, i64, i64, i64, i64);

fn count_of(used: i64) -> u64 {
    u64::try_from(used).unwrap_or(0)
}

fn tally((what, subject, half, hour, day, seconds): Row) -> Result<Tally, Error> {
    Ok(Tally {
        what: from_text!("tallies"."what", What::parse, &what)?,
        subject,
        half: count_of(half),
        hour: count_of(hour),
        day: count_of(day),
        seconds: count_of(seconds),
    })
}

/// Counts one more of each, in one statement, and says how much it is. Rows are locked in one order: whoever counts
/// on several never waits in a circle.
pub async fn count(
    tx: &mut Tx,
    account: &AccountId,
    mut subjects: Vec<Subject>,
    now: Timestamp,
) -> Result<Vec<Tally>, Error> {
    subjects.sort();
    subjects.dedup();
    let [half, hour, day] = [Window::Half, Window::Hour, Window::Day].map(|one| one.place(now));
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "INSERT INTO tallies (account, what, subject, prefix, half, half_used, hour, hour_used, \
             day, day_used, seconds) VALUES ",
        );
        for (place, one) in subjects.iter().enumerate() {
            q.push(if place == 0 { "(" } else { ", (" }).push_bind(account);
            q.push(", ").push_bind(one.what.as_str());
            q.push(", ").push_bind(&one.subject);
            q.push(", ").push_bind(&one.prefix);
            for window in [half, hour, day] {
                q.push(", ").push_bind(window).push(", 1");
            }
            q.push(", 0)");
        }
        q.push(
            " ON CONFLICT (account, what, subject) DO UPDATE SET
                half_used = CASE WHEN tallies.half = excluded.half THEN tallies.half_used + 1 ELSE 1 END,
                hour_used = CASE WHEN tallies.hour = excluded.hour THEN tallies.hour_used + 1 ELSE 1 END,
                day_used = CASE WHEN tallies.day = excluded.day THEN tallies.day_used + 1 ELSE 1 END,
                seconds = CASE WHEN tallies.day = excluded.day THEN tallies.seconds ELSE 0 END,
                half = excluded.half, hour = excluded.hour, day = excluded.day
            RETURNING what, subject, half_used, hour_used, day_used, seconds",
        );
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(tally).collect()
}

/// Takes one back of each, which was counted in the same transaction.
pub async fn uncount(tx: &mut Tx, account: &AccountId, subjects: &[Subject]) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE tallies SET
            half_used = half_used - 1, hour_used = hour_used - 1, day_used = day_used - 1
        WHERE account = $1 AND what = $2 AND subject = $3";
    for one in subjects {
        on!(tx, |conn| {
            sqlx::query(SQL)
                .bind(account)
                .bind(one.what.as_str())
                .bind(&one.subject)
                .execute(conn)
                .await?;
        });
    }
    Ok(())
}

/// For how many seconds calls of a person, or in a session, lasted on this day.
pub async fn talked(
    tx: &mut Tx,
    account: &AccountId,
    subject: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        SELECT seconds FROM tallies
        WHERE account = $1 AND what = 'calls' AND subject = $2 AND day = $3";
    let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(subject)
        .bind(Window::Day.place(now))
        .fetch_optional(conn)
        .await?);
    Ok(found.map_or(0, count_of))
}

/// Calls of a person, or in a session, lasted so many seconds more.
pub async fn add_seconds(
    tx: &mut Tx,
    account: &AccountId,
    subject: &str,
    seconds: i64,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE tallies SET
            seconds = CASE WHEN day = $4 THEN seconds + $3 ELSE $3 END,
            day_used = CASE WHEN day = $4 THEN day_used ELSE 0 END, day = $4
        WHERE account = $1 AND what = 'calls' AND subject = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(subject)
            .bind(seconds)
            .bind(Window::Day.place(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// How much of something went to people in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Whose.
    pub account: AccountId,
    /// Texts or calls.
    pub what: What,
    /// To which prefix; empty for all.
    pub prefix: String,
    /// How much.
    pub used: u64,
}

type VolumeRow = (AccountId, String, String, i64);

fn volume((account, what, prefix, used): VolumeRow) -> Result<Volume, Error> {
    let what = from_text!("tallies"."what", What::parse, &what)?;
    Ok(Volume { account, what, prefix, used: count_of(used) })
}

/// What went from each account to people in this hour.
pub async fn of_accounts(tx: &mut Tx, hour: i64) -> Result<Vec<Volume>, Error> {
    const SQL: &str = "
        SELECT account, what, '', CAST(SUM(hour_used) AS BIGINT) FROM tallies
        WHERE hour = $1 AND what IN ('texts_to', 'calls_to')
        GROUP BY account, what ORDER BY account, what";
    let rows: Vec<VolumeRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(hour).fetch_all(conn).await?);
    rows.into_iter().map(volume).collect()
}

/// What went to numbers of one prefix in this hour, where it is more than `above`.
pub async fn of_prefixes(
    tx: &mut Tx,
    what: What,
    hour: i64,
    above: i64,
) -> Result<Vec<Volume>, Error> {
    const SQL: &str = "
        SELECT account, what, prefix, CAST(SUM(hour_used) AS BIGINT) FROM tallies
        WHERE hour = $1 AND what = $2
        GROUP BY account, what, prefix HAVING SUM(hour_used) > $3
        ORDER BY account, prefix LIMIT 1000";
    let rows: Vec<VolumeRow> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(hour)
        .bind(what.as_str())
        .bind(above)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(volume).collect()
}

/// Keeps what an hour came to: what later ones are compared with. It never shrinks.
pub async fn keep(tx: &mut Tx, volume: &Volume, hour: i64) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO volumes (account, what, hour, used) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account, what, hour) DO UPDATE SET used = excluded.used
        WHERE volumes.used < excluded.used";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&volume.account)
            .bind(volume.what.as_str())
            .bind(hour)
            .bind(i64::try_from(volume.used).unwrap_or(i64::MAX))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What the hours from `from` to before `before` came to together, and how many hours there are since the first of
/// them.
pub async fn usual(
    tx: &mut Tx,
    account: &AccountId,
    what: What,
    [from, before]: [i64; 2],
) -> Result<(u64, u64), Error> {
    const SQL: &str = "
        SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT), COALESCE(MIN(hour), $4) FROM volumes
        WHERE account = $1 AND what = $2 AND hour >= $3 AND hour < $4";
    let (used, first): (i64, i64) = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(what.as_str())
        .bind(from)
        .bind(before)
        .fetch_one(conn)
        .await?);
    Ok((count_of(used), count_of(before - first)))
}

/// Forgets what was last counted before that hour, `limit` rows at most; how many went.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM tallies WHERE (account, what, subject) IN (
            SELECT account, what, subject FROM tallies WHERE hour < $1
            ORDER BY hour, account, what, subject LIMIT $2)";
    forget(tx, SQL, Timestamp::from_millis(Window::Hour.place(before)), limit).await
}

/// The same of what hours came to.
pub async fn purge_volumes(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM volumes WHERE (account, what, hour) IN (
            SELECT account, what, hour FROM volumes WHERE hour < $1
            ORDER BY hour, account, what LIMIT $2)";
    forget(tx, SQL, Timestamp::from_millis(Window::Hour.place(before)), limit).await
}
