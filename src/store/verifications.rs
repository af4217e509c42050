//! Verifications, and what was sent for each. Numbers are sealed, codes are keyed hashes, and both go when
//! a verification ends.

use super::{
    Error, Tx, accounts,
    db::on,
    from_text,
    old::forget,
    sessions::{Page, paged},
};
use crate::{
    domain::{
        phone::Identifier,
        time::Timestamp,
        verification::{Channel, Code, Status},
    },
    ids::{AccountId, LegId, ServiceId, VerificationId},
    privacy::Person,
};

/// A verification.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// The service whose words and numbers are used.
    pub service: ServiceId,
    /// Whose number it is.
    pub person: Person,
    /// The calling code of that number.
    pub calling_code: Option<u16>,
    /// How the code was last sent.
    pub channel: Channel,
    /// BCP 47 language of the words.
    pub language: String,
    /// The site that the code is for, or empty.
    pub domain: String,
    /// How many digits its codes have.
    pub code_length: usize,
    /// How far it has come, as it was last written: its time may be up since.
    pub status: Status,
    /// How many wrong codes were given.
    pub checks: i64,
    /// How often a code was sent.
    pub sends: i64,
    /// When one may be sent again.
    pub next_send_at: Timestamp,
    /// When its time is up.
    pub expires_at: Timestamp,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: VerificationId,
    service: ServiceId,
    person: Person,
    calling_code: Option<i64>,
    channel: String,
    language: String,
    domain: String,
    code_length: i64,
    status: String,
    checks: i64,
    sends: i64,
    next_send_at: i64,
    expires_at: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

macro_rules! columns {
    () => {
        "id, service, person, calling_code, channel, language, domain, code_length, status, \
         checks, sends, next_send_at, expires_at, version, created_at, updated_at, ended_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM verifications WHERE account = $1 AND ", $rest)
    };
}

impl TryFrom<Row> for Verification {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            service: row.service,
            person: row.person,
            calling_code: row.calling_code.and_then(|code| u16::try_from(code).ok()),
            channel: from_text!("verifications"."channel", Channel::parse, &row.channel)?,
            language: row.language,
            domain: row.domain,
            code_length: usize::try_from(row.code_length).unwrap_or(0),
            status: from_text!("verifications"."status", Status::parse, &row.status)?,
            checks: row.checks,
            sends: row.sends,
            next_send_at: Timestamp::from_millis(row.next_send_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}

fn number_context(id: &VerificationId) -> String {
    format!("verification-number:{id}")
}

fn spoken_context(id: &VerificationId, number: i64) -> String {
    format!("verification-spoken:{id}:{number}")
}

/// Adds a verification of that number.
///
/// # Errors
/// [`Error::Transient`] if another one of the same person was added meanwhile: look for it again.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    new: &Verification,
    number: &Identifier,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO verifications (account, id, service, person, number, calling_code, channel,
            language, domain, code_length, status, checks, sends, next_send_at, expires_at, version,
            created_at, updated_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT DO NOTHING";
    let sealed =
        accounts::keys(tx, account).await?.data.seal_identifier(number, &number_context(&new.id));
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&new.id)
        .bind(&new.service)
        .bind(&new.person)
        .bind(&sealed)
        .bind(new.calling_code.map(i64::from))
        .bind(new.channel.as_str())
        .bind(&new.language)
        .bind(&new.domain)
        .bind(i64::try_from(new.code_length).unwrap_or(0))
        .bind(new.status.as_str())
        .bind(new.checks)
        .bind(new.sends)
        .bind(new.next_send_at.millis())
        .bind(new.expires_at.millis())
        .bind(new.version)
        .bind(new.created_at.millis())
        .bind(new.updated_at.millis())
        .bind(new.ended_at.map(Timestamp::millis))
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 { Ok(()) } else { Err(Error::Transient) }
}

const GET: &str = select!("id = $2");

/// The verification with that id.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
) -> Result<Option<Verification>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(GET).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Verification::try_from).transpose()
}

/// An account's verifications, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    page: &Page,
) -> Result<Vec<Verification>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(concat!(
            "SELECT ",
            columns!(),
            " FROM verifications WHERE account = "
        ));
        q.push_bind(account);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Verification::try_from).collect()
}

/// The same, locked until the transaction ends: of two checks at once each counts.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
) -> Result<Option<Verification>, Error> {
    const LOCKED: &str = select!("id = $2 FOR NO KEY UPDATE");
    let sql = if tx.locks() { LOCKED } else { GET };
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Verification::try_from).transpose()
}

/// The one of a person and service that is pending, locked.
pub async fn lock_pending(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    person: &Person,
) -> Result<Option<Verification>, Error> {
    const PLAIN: &str = select!("service = $2 AND person = $3 AND status = 'pending'");
    const LOCKED: &str =
        select!("service = $2 AND person = $3 AND status = 'pending' FOR NO KEY UPDATE");
    let sql = if tx.locks() { LOCKED } else { PLAIN };
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(sql)
        .bind(account)
        .bind(service)
        .bind(person)
        .fetch_optional(conn)
        .await?);
    row.map(Verification::try_from).transpose()
}

/// Every pending one of a person, by id.
pub async fn pending_of(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Vec<VerificationId>, Error> {
    const SQL: &str = "
        SELECT id FROM verifications WHERE account = $1 AND person = $2 AND status = 'pending'
        ORDER BY id";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(person).fetch_all(conn).await?))
}

/// Deletes every verification of a person, and what was sent for it.
pub async fn erase(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<u64, Error> {
    const SENDS: &str = "
        DELETE FROM verification_sends WHERE account = $1 AND verification IN (
            SELECT id FROM verifications WHERE account = $1 AND person = $2)";
    const SQL: &str = "DELETE FROM verifications WHERE account = $1 AND person = $2";
    on!(tx, |conn| {
        sqlx::query(SENDS).bind(account).bind(person).execute(conn).await?;
    });
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(person)
        .execute(conn)
        .await?
        .rows_affected()))
}

/// Writes what changes. The caller holds its lock. Once it has ended, its number and codes are gone.
pub async fn update(tx: &mut Tx, account: &AccountId, one: &Verification) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE verifications SET channel = $3, language = $4, domain = $5, status = $6, checks = $7,
            sends = $8, next_send_at = $9, version = $10, updated_at = $11, ended_at = $12,
            number = CASE WHEN $6 = 'pending' THEN number ELSE NULL END
        WHERE account = $1 AND id = $2";
    const FORGET: &str = "
        UPDATE verification_sends SET code = NULL, spoken = NULL
        WHERE account = $1 AND verification = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&one.id)
            .bind(one.channel.as_str())
            .bind(&one.language)
            .bind(&one.domain)
            .bind(one.status.as_str())
            .bind(one.checks)
            .bind(one.sends)
            .bind(one.next_send_at.millis())
            .bind(one.version)
            .bind(one.updated_at.millis())
            .bind(one.ended_at.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    if one.status != Status::Pending {
        on!(tx, |conn| {
            sqlx::query(FORGET).bind(account).bind(&one.id).execute(conn).await?;
        });
    }
    Ok(())
}

/// What was sent.
#[derive(Debug, Clone)]
pub struct NewSend<'a> {
    /// The verification.
    pub verification: &'a VerificationId,
    /// Which send it is, from 1.
    pub number: i64,
    /// How it goes out.
    pub channel: Channel,
    /// The leg of the text or call.
    pub leg: &'a LegId,
    /// The code: it is kept as a keyed hash, and for a call sealed until it was said.
    pub code: &'a Code,
    /// Now.
    pub now: Timestamp,
}

/// Notes what was sent.
pub async fn insert_send(tx: &mut Tx, account: &AccountId, new: &NewSend<'_>) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO verification_sends
            (account, verification, number, channel, leg, code, spoken, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let keys = accounts::keys(tx, account).await?;
    let code = keys.index.code(new.verification.as_str(), new.code);
    let spoken = (new.channel == Channel::Call).then(|| {
        keys.data.seal_text(new.code.expose(), &spoken_context(new.verification, new.number))
    });
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(new.verification)
            .bind(new.number)
            .bind(new.channel.as_str())
            .bind(new.leg)
            .bind(&code)
            .bind(&spoken)
            .bind(new.now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The keyed hashes of the codes that were sent last, `limit` at most.
pub async fn codes(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
    limit: i64,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT code FROM verification_sends
        WHERE account = $1 AND verification = $2 AND code IS NOT NULL ORDER BY number DESC LIMIT $3";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The verification that a leg was sent for.
pub async fn of_leg(
    tx: &mut Tx,
    account: &AccountId,
    leg: &LegId,
) -> Result<Option<VerificationId>, Error> {
    const SQL: &str = "
        SELECT verification FROM verification_sends WHERE account = $1 AND leg = $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(leg).fetch_optional(conn).await?))
}

/// The code that a call says, unless its verification has ended.
pub async fn spoken(tx: &mut Tx, account: &AccountId, leg: &LegId) -> Result<Option<Code>, Error> {
    const SQL: &str = "
        SELECT verification, number, spoken FROM verification_sends
        WHERE account = $1 AND leg = $2 AND spoken IS NOT NULL";
    let row: Option<(VerificationId, i64, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(leg).fetch_optional(conn).await?);
    let Some((id, number, sealed)) = row else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    let text = keys.data.open_text(&sealed, &spoken_context(&id, number))?;
    let bad = Error::Inconsistent { table: "verification_sends", column: "spoken" };
    Code::parse(&text).map(Some).ok_or(bad)
}

/// Pending ones whose time is up, `limit` at most.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AccountId, VerificationId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM verifications WHERE status = 'pending' AND expires_at <= $1
        ORDER BY expires_at, account, id LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(now.millis()).bind(limit).fetch_all(conn).await?))
}

/// Forgets what ended before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SENDS: &str = "
        DELETE FROM verification_sends WHERE (account, verification) IN (
            SELECT account, id FROM verifications WHERE ended_at < $1
            ORDER BY ended_at, account, id LIMIT $2)";
    const SQL: &str = "
        DELETE FROM verifications WHERE (account, id) IN (
            SELECT account, id FROM verifications WHERE ended_at < $1
            ORDER BY ended_at, account, id LIMIT $2)";
    forget(tx, SENDS, before, limit).await?;
    forget(tx, SQL, before, limit).await
}
