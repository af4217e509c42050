//! Proxy numbers, and how many there are of each class of a pool.

use super::{
    Error, Tx,
    db::on,
    from_text, services,
    sessions::{Page, listed, paged},
};
use crate::{
    domain::{
        closed_set,
        phone::{Identifier, Permits, ProxyNumber, Registered, Registration},
        pool::{Capabilities, Kind},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ServiceId},
};

closed_set! {
    /// Whether a number is given to new sessions.
    NumberState {
        /// It is.
        Active = "active",
        /// It is not; its sessions go on.
        Draining = "draining",
        /// It has left the pool.
        Retired = "retired",
    }
}

/// A proxy number in an account's inventory.
#[derive(Debug, Clone)]
pub struct Number {
    /// Its id.
    pub id: NumberId,
    /// The number.
    pub number: ProxyNumber,
    /// The service whose pool it is in.
    pub service: ServiceId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// ISO 3166 alpha-2 code, or empty.
    pub country: String,
    /// Area code, or empty.
    pub area: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it may text, under +1.
    pub registered: Registered,
    /// Whether a country's rule keeps it from new sessions with calls.
    pub barred: bool,
    /// Why the operator lets it in against a rule, if one refuses it.
    pub permit: Option<String>,
    /// Whether it is given only when named.
    pub reserved: bool,
    /// Whether sessions share it whose people prove themselves by a PIN; then it is in no ring.
    pub shared: bool,
    /// Whether it is given at all.
    pub state: NumberState,
    /// What it is called at its carrier; `None` for its digits.
    pub friendly_name: Option<String>,
    /// Its place in the service's rings.
    pub place: i64,
    /// Grows with each change.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: NumberId,
    number: String,
    service: ServiceId,
    carrier: String,
    country: String,
    area: String,
    capabilities: String,
    registration: String,
    campaign: Option<String>,
    barred: bool,
    permit: Option<String>,
    reserved: bool,
    shared: bool,
    state: String,
    friendly_name: Option<String>,
    place: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

macro_rules! columns {
    () => {
        "n.id, n.number, n.service, n.carrier, n.country, n.area, n.capabilities, n.registration, \
         n.campaign, n.barred, n.permit, n.reserved, n.shared, n.state, n.friendly_name, n.place, n.version, \
         n.created_at, n.updated_at"
    };
}
pub(super) use columns;

impl TryFrom<Row> for Number {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            number: proxy(&row.number)?,
            service: row.service,
            carrier: row.carrier,
            country: row.country,
            area: row.area,
            capabilities: from_text!(
                "numbers"."capabilities",
                Capabilities::parse,
                &row.capabilities
            )?,
            registered: Registered {
                registration: from_text!(
                    "numbers"."registration",
                    Registration::parse,
                    &row.registration
                )?,
                campaign: row.campaign,
            },
            barred: row.barred,
            permit: row.permit,
            reserved: row.reserved,
            shared: row.shared,
            state: from_text!("numbers"."state", NumberState::parse, &row.state)?,
            friendly_name: row.friendly_name,
            place: row.place,
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
        })
    }
}

impl Number {
    /// What it is, besides where.
    pub fn kind(&self) -> Kind {
        Kind {
            carrier: self.carrier.clone(),
            capabilities: self.capabilities,
            registration: self.registered.registration,
            barred: self.barred,
        }
    }
}

impl Tx {
    /// Which numbers the operator lets in against a rule.
    pub fn permits(&self) -> &Permits {
        &self.shared.permits
    }
}

/// Reads a proxy number out of a column.
pub(super) fn proxy(text: &str) -> Result<ProxyNumber, Error> {
    ProxyNumber::parse(text).map_err(|_| Error::Inconsistent { table: "numbers", column: "number" })
}

/// Notes whose a number is.
async fn own(tx: &mut Tx, account: &AccountId, number: &Number) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO number_owners (number, account, id) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    let owned = on!(tx, |conn| sqlx::query(SQL)
        .bind(number.number.as_str())
        .bind(account)
        .bind(&number.id)
        .execute(conn)
        .await?
        .rows_affected());
    if owned == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// Adds a number to its service's pool; its place is set here.
///
/// # Errors
/// [`Error::Conflict`] if any account has it already.
pub async fn insert(tx: &mut Tx, account: &AccountId, number: &Number) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO numbers (account, id, number, service, carrier, country, area, capabilities,
            reserved, state, place, version, created_at, updated_at, friendly_name, registration,
            campaign, barred, permit, shared)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20)";
    // The service first: imports into one pool then never wait for each other crosswise.
    let place = services::take_places(tx, account, &number.service, 1).await?;
    own(tx, account, number).await?;
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&number.id)
            .bind(number.number.as_str())
            .bind(&number.service)
            .bind(&number.carrier)
            .bind(&number.country)
            .bind(&number.area)
            .bind(number.capabilities.text())
            .bind(number.reserved)
            .bind(number.state.as_str())
            .bind(place)
            .bind(number.version)
            .bind(number.created_at.millis())
            .bind(number.updated_at.millis())
            .bind(&number.friendly_name)
            .bind(number.registered.registration.as_str())
            .bind(&number.registered.campaign)
            .bind(number.barred)
            .bind(&number.permit)
            .bind(number.shared)
            .execute(conn)
            .await?;
    });
    count(tx, account, number, 1).await
}

/// The retired number of the account with these digits, if it is in no pool now; the last of several.
pub async fn retired(
    tx: &mut Tx,
    account: &AccountId,
    number: &ProxyNumber,
) -> Result<Option<Number>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM numbers n WHERE n.account = $1 AND n.number = $2 AND n.state = 'retired'
        ORDER BY n.id DESC LIMIT 1"
    );
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(number.as_str())
        .fetch_optional(conn)
        .await?);
    row.map(Number::try_from).transpose()
}

/// Puts a retired number back into a pool, under its id; its place is set here.
///
/// # Errors
/// [`Error::Conflict`] if any account has it, or if it was changed in the meantime.
pub async fn restore(tx: &mut Tx, account: &AccountId, number: &Number) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE numbers SET service = $3, carrier = $4, capabilities = $5, reserved = $6,
            state = $7, place = $8, version = $9, updated_at = $10, registration = $11,
            campaign = $12, barred = $13, permit = $14, shared = $15
        WHERE account = $1 AND id = $2 AND version = $9 - 1 AND state = 'retired'";
    let place = services::take_places(tx, account, &number.service, 1).await?;
    own(tx, account, number).await?;
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&number.id)
        .bind(&number.service)
        .bind(&number.carrier)
        .bind(number.capabilities.text())
        .bind(number.reserved)
        .bind(number.state.as_str())
        .bind(place)
        .bind(number.version)
        .bind(number.updated_at.millis())
        .bind(number.registered.registration.as_str())
        .bind(&number.registered.campaign)
        .bind(number.barred)
        .bind(&number.permit)
        .bind(number.shared)
        .execute(conn)
        .await?
        .rows_affected());
    if done == 0 {
        return Err(Error::Conflict);
    }
    count(tx, account, number, 1).await
}

/// Retires every number of a service that is deleted: they belong to nobody any more.
pub async fn retire_all(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    now: Timestamp,
) -> Result<(), Error> {
    const DISOWN: &str = "
        DELETE FROM number_owners WHERE number IN (
            SELECT number FROM numbers
            WHERE account = $1 AND service = $2 AND state <> 'retired')";
    const RETIRE: &str = "
        UPDATE numbers SET state = 'retired', version = version + 1, updated_at = $3
        WHERE account = $1 AND service = $2 AND state <> 'retired'";
    const UNCOUNT: &str = "DELETE FROM pool_classes WHERE account = $1 AND service = $2";
    on!(tx, |conn| {
        sqlx::query(DISOWN).bind(account).bind(service).execute(conn).await?;
    });
    on!(tx, |conn| {
        let query = sqlx::query(RETIRE).bind(account).bind(service).bind(now.millis());
        query.execute(conn).await?;
    });
    on!(tx, |conn| {
        sqlx::query(UNCOUNT).bind(account).bind(service).execute(conn).await?;
    });
    Ok(())
}

/// Adds `by` to the class that `number` counts in; a number that is not active counts in none.
pub(super) async fn count(
    tx: &mut Tx,
    account: &AccountId,
    number: &Number,
    by: i64,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO pool_classes
            (account, service, country, area, carrier, capabilities, registration, barred, free,
            reserved)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT
            (account, service, country, area, carrier, capabilities, registration, barred)
        DO UPDATE SET free = pool_classes.free + excluded.free,
            reserved = pool_classes.reserved + excluded.reserved";
    if number.state != NumberState::Active {
        return Ok(());
    }
    let kept = number.reserved || number.shared;
    let (free, reserved) = if kept { (0, by) } else { (by, 0) };
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&number.service)
            .bind(&number.country)
            .bind(&number.area)
            .bind(&number.carrier)
            .bind(number.capabilities.text())
            .bind(number.registered.registration.as_str())
            .bind(number.barred)
            .bind(free)
            .bind(reserved)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// How many active numbers a service's pool has: those that are given to anybody, and the reserved.
pub async fn counted(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
) -> Result<(i64, i64), Error> {
    const SQL: &str = "
        SELECT CAST(COALESCE(SUM(free), 0) AS BIGINT), CAST(COALESCE(SUM(reserved), 0) AS BIGINT)
        FROM pool_classes WHERE account = $1 AND service = $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(service).fetch_one(conn).await?))
}

/// Writes a number's `reserved`, `state` and standing if it is still at the version before
/// `after.version`; whether it was. A retired number belongs to nobody any more.
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    before: &Number,
    after: &Number,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE numbers SET reserved = $3, state = $4, version = $5, updated_at = $6,
            registration = $7, campaign = $8, barred = $9, permit = $10, shared = $11,
            drained_by = CASE WHEN state = $4 THEN drained_by ELSE NULL END
        WHERE account = $1 AND id = $2 AND version = $5 - 1";
    const DISOWN: &str = "DELETE FROM number_owners WHERE number = $1 AND account = $2";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&after.id)
        .bind(after.reserved)
        .bind(after.state.as_str())
        .bind(after.version)
        .bind(after.updated_at.millis())
        .bind(after.registered.registration.as_str())
        .bind(&after.registered.campaign)
        .bind(after.barred)
        .bind(&after.permit)
        .bind(after.shared)
        .execute(conn)
        .await?
        .rows_affected());
    if done == 0 {
        return Ok(false);
    }
    if after.state == NumberState::Retired {
        on!(tx, |conn| {
            sqlx::query(DISOWN).bind(after.number.as_str()).bind(account).execute(conn).await?;
        });
    }
    count(tx, account, before, -1).await?;
    count(tx, account, after, 1).await?;
    Ok(true)
}

pub(super) const GET: &str =
    concat!("SELECT ", columns!(), " FROM numbers n WHERE n.account = $1 AND n.id = $2");

/// The number with that id.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &NumberId) -> Result<Option<Number>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(GET).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Number::try_from).transpose()
}

/// The number with that id, locked: nobody takes a hold of it until the transaction ends, and what was taken
/// is seen by the next statement.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
) -> Result<Option<Number>, Error> {
    const LOCKED: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM numbers n WHERE n.account = $1 AND n.id = $2 FOR UPDATE OF n"
    );
    let sql = if tx.locks() { LOCKED } else { GET };
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Number::try_from).transpose()
}

pub(super) const OWNER: &str = "SELECT account, id FROM number_owners WHERE number = $1";

/// Who owns a dialled number, and what it is.
pub async fn owner(
    tx: &mut Tx,
    number: &ProxyNumber,
) -> Result<Option<(AccountId, Number)>, Error> {
    let row: Option<(AccountId, NumberId)> =
        on!(tx, |conn| sqlx::query_as(OWNER).bind(number.as_str()).fetch_optional(conn).await?);
    let Some((account, id)) = row else { return Ok(None) };
    let number = get(tx, &account, &id).await?;
    Ok(number.map(|number| (account, number)))
}

/// Whether the account has a number at that carrier, which then may show it.
pub async fn is_at(
    tx: &mut Tx,
    account: &AccountId,
    number: &ProxyNumber,
    carrier: &str,
) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM number_owners o JOIN numbers n ON n.account = o.account AND n.id = o.id
        WHERE o.number = $1 AND o.account = $2 AND n.carrier = $3";
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(number.as_str())
        .bind(account)
        .bind(carrier)
        .fetch_one(conn)
        .await?);
    Ok(count > 0)
}

/// Whether a person's number is one of the proxy numbers of any account, however the two are spelled: it can't
/// take part.
pub async fn is_ours(tx: &mut Tx, number: &Identifier) -> Result<bool, Error> {
    let all = number.spellings();
    let all: Vec<&str> = all.iter().map(Identifier::expose).collect();
    let count: i64 = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT COUNT(*) FROM number_owners WHERE number");
        listed!(q, &all);
        q.build_query_scalar().fetch_one(conn).await?
    });
    Ok(count > 0)
}

/// Which numbers of an account are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only of this registration.
    pub registration: Option<Registration>,
}

/// Numbers after `after`, in order of their ids.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    after: &str,
    limit: i64,
) -> Result<Vec<Number>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut query = sqlx::QueryBuilder::new(concat!(
            "SELECT ",
            columns!(),
            " FROM numbers n WHERE n.account = "
        ));
        query.push_bind(account);
        if let Some(service) = &filter.service {
            query.push(" AND n.service = ").push_bind(service);
        }
        if let Some(registration) = filter.registration {
            query.push(" AND n.registration = ").push_bind(registration.as_str());
        }
        query.push(" AND n.id > ").push_bind(after);
        query.push(" ORDER BY n.id LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Number::try_from).collect()
}

/// A page of a service's pool, newest first: all but the retired.
pub async fn page(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    page: &Page,
) -> Result<Vec<Number>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(concat!(
            "SELECT ",
            columns!(),
            " FROM numbers n WHERE n.state <> 'retired' AND n.account = "
        ));
        q.push_bind(account).push(" AND n.service = ").push_bind(service);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Number::try_from).collect()
}

/// How many numbers in use each carrier has, over all accounts, in order of the carriers' ids. For
/// commands, not for requests: it reads every number.
pub async fn count_by_carrier(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str = "
        SELECT carrier, COUNT(*) FROM numbers WHERE state <> 'retired'
        GROUP BY carrier ORDER BY carrier";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// The carriers of a service's numbers for calls, in order. For commands, not for requests.
pub async fn carriers_of_calls(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT DISTINCT carrier FROM numbers
        WHERE account = $1 AND service = $2 AND state <> 'retired' AND capabilities LIKE '%voice%'
        ORDER BY carrier";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(service).fetch_all(conn).await?))
}

/// Numbers in use of a carrier, over all accounts, in order of their digits, `limit` at most. For
/// commands, not for requests.
pub async fn of_carrier(tx: &mut Tx, carrier: &str, limit: i64) -> Result<Vec<Number>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM numbers n WHERE n.carrier = $1 AND n.state <> 'retired'
        ORDER BY n.number LIMIT $2"
    );
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(carrier).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(Number::try_from).collect()
}

/// Numbers in use that a rule keeps from calls, over all accounts, in order of their digits. For
/// commands: it reads every number.
pub async fn barred(tx: &mut Tx) -> Result<Vec<ProxyNumber>, Error> {
    const SQL: &str = "
        SELECT number FROM numbers WHERE barred AND state <> 'retired' ORDER BY number";
    let rows: Vec<String> = on!(tx, |conn| sqlx::query_scalar(SQL).fetch_all(conn).await?);
    rows.iter().map(|text| proxy(text)).collect()
}

/// Numbers under +1 in use that can text and are of this registration, over all accounts, in order of
/// their digits, each with its carrier. For commands: it reads every number.
pub async fn texting_as(
    tx: &mut Tx,
    registration: Registration,
) -> Result<Vec<(String, ProxyNumber)>, Error> {
    const SQL: &str = "
        SELECT carrier, number FROM numbers
        WHERE registration = $1 AND state <> 'retired' AND area <> ''
          AND capabilities LIKE '%sms%'
        ORDER BY carrier, number";
    let rows: Vec<(String, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(registration.as_str()).fetch_all(conn).await?);
    rows.into_iter().map(|(carrier, text)| Ok((carrier, proxy(&text)?))).collect()
}
