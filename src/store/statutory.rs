//! Traffic data that a law wants kept: who had which proxy number, who called or texted whom by it, when and how
//! it ended. Each record is sealed under a key of these records alone, so that it outlives its session. Nothing
//! is written unless the operator named the law.

use serde_json::{Value, json};

use super::{
    Error, Tx, accounts,
    db::on,
    interactions::{self, Interaction},
    legs::{self, Direction},
    participants::{self, Participant},
    sessions,
};
use crate::{
    domain::{
        interaction::{Outcome, Reason},
        phone::Identifier,
        retention::Statutory,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, RecordId},
    privacy::{DataKey, Person},
};

/// A record as it is disclosed.
#[derive(Clone)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// The proxy number.
    pub number: String,
    /// When: the person got the number, or the call or text began.
    pub at: Timestamp,
    /// When it is deleted.
    pub expires_at: Timestamp,
    /// The person's number, where it was known.
    pub identifier: Option<Identifier>,
    /// What happened: ids, role, outcome and times, as JSON.
    pub facts: Value,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({})", self.id)
    }
}

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Which {
    /// Of a proxy number, in its form with `+`.
    Number(String),
    /// Of a person.
    Person(Person),
}

/// Where an account's key is wrapped for.
pub(super) fn context(account: &AccountId) -> String {
    format!("statutory:{account}")
}

fn place(id: &RecordId) -> String {
    format!("statutory-record:{id}")
}

/// The account's key for these records, if it has one.
pub(super) async fn key(tx: &mut Tx, account: &AccountId) -> Result<Option<DataKey>, Error> {
    const SQL: &str = "SELECT data_key FROM statutory_keys WHERE account = $1";
    let wrapped: Option<String> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).fetch_optional(conn).await?);
    let Some(wrapped) = wrapped else { return Ok(None) };
    Ok(Some(tx.keyring().unwrap(&wrapped, &context(account))?))
}

/// The same, made where there is none. Of two that make one the first stays.
pub(super) async fn key_to_write(
    tx: &mut Tx,
    account: &AccountId,
    now: Timestamp,
) -> Result<DataKey, Error> {
    const SQL: &str = "
        INSERT INTO statutory_keys (account, data_key, created_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    if let Some(key) = key(tx, account).await? {
        return Ok(key);
    }
    let new = DataKey::generate().wrap(&tx.keyring(), &context(account));
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(&new).bind(now.millis()).execute(conn).await?;
    });
    key(tx, account)
        .await?
        .ok_or(Error::Inconsistent { table: "statutory_keys", column: "data_key" })
}

/// What a law wants kept, if any does.
fn wanted(tx: &Tx) -> Option<Statutory> {
    tx.shared.terms.get().statutory.clone()
}

/// One record to write.
struct New<'a> {
    number: &'a str,
    person: Option<&'a Person>,
    identifier: Option<&'a Identifier>,
    at: Timestamp,
    facts: Value,
}

async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    law: &Statutory,
    new: New<'_>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO statutory_records (account, id, number, person, at, facts, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);
    let now = tx.now().await?;
    let id: RecordId = tx.id_at(now);
    let text = json!({
        "identifier": new.identifier.map(Identifier::expose), "facts": new.facts,
    })
    .to_string();
    let sealed = key.seal_text(&text, &place(&id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&id)
            .bind(new.number)
            .bind(new.person.map_or("", Person::as_str))
            .bind(new.at.millis())
            .bind(&sealed)
            .bind((now + DAY * law.days).millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Somebody's number, opened with their session's key; `None` where it opens no more.
async fn number_of(
    tx: &mut Tx,
    account: &AccountId,
    one: &Participant,
) -> Result<Option<Identifier>, Error> {
    let session = sessions::get(tx, account, &one.session).await?;
    let key = session.and_then(|session| session.data_key(tx).ok());
    Ok(key.and_then(|key| one.identifier(&key).ok()))
}

/// Keeps that somebody dials a number from now on.
pub(super) async fn assigned(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
) -> Result<(), Error> {
    let Some(law) = wanted(tx) else { return Ok(()) };
    let Some(one) = participants::get(tx, account, id).await? else { return Ok(()) };
    let at = tx.now().await?;
    let key = key_to_write(tx, account, at).await?;
    let identifier = number_of(tx, account, &one).await?;
    let facts = json!({
        "what": "number_assigned", "session_id": one.session, "participant_id": one.id,
        "role": one.role, "at": at.rfc3339(),
    });
    let new = New {
        number: one.number.as_str(),
        person: Some(&one.person),
        identifier: identifier.as_ref(),
        at,
        facts,
    };
    insert(tx, account, &key, &law, new).await
}

/// Keeps a call or text that has ended: a record for each person. Of somebody in no session there is only the
/// keyed hash: their number is nowhere.
pub(super) async fn ended(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
) -> Result<(), Error> {
    let Some(law) = wanted(tx) else { return Ok(()) };
    let Some(one) = interactions::get_any(tx, account, id).await? else { return Ok(()) };
    let now = tx.now().await?;
    let key = key_to_write(tx, account, now).await?;
    let mut from = None;
    if let Some(id) = &one.from_participant {
        from = participants::get(tx, account, id).await?;
    }
    let identifier = match &from {
        Some(from) => number_of(tx, account, from).await?,
        None => None,
    };
    let role = one.from_role.as_deref();
    let new = New {
        number: one.number.as_str(),
        person: from.as_ref().map(|from| &from.person).or(one.person.as_ref()),
        identifier: identifier.as_ref(),
        at: one.created_at,
        facts: facts(&one, Direction::Inbound, role),
    };
    insert(tx, account, &key, &law, new).await?;
    for leg in legs::of_interaction(tx, account, id).await? {
        let Some(to) = leg.participant.filter(|_| leg.direction == Direction::Outbound) else {
            continue;
        };
        let Some(to) = participants::get(tx, account, &to).await? else { continue };
        let identifier = number_of(tx, account, &to).await?;
        let new = New {
            number: leg.number.as_str(),
            person: Some(&to.person),
            identifier: identifier.as_ref(),
            at: one.created_at,
            facts: facts(&one, Direction::Outbound, Some(&to.role)),
        };
        insert(tx, account, &key, &law, new).await?;
    }
    Ok(())
}

fn facts(one: &Interaction, direction: Direction, role: Option<&str>) -> Value {
    json!({
        "what": one.kind.as_str(), "direction": direction.as_str(), "role": role,
        "interaction_id": one.id, "session_id": one.session, "carrier": one.carrier,
        "outcome": one.outcome.map(Outcome::as_str),
        "reason": one.reason.map(Reason::as_str),
        "seconds": one.duration.map(|length| length.as_secs()),
        "at": one.created_at.rfc3339(), "ended_at": one.ended_at.map(Timestamp::rfc3339),
    })
}

/// Records in a range of time, the oldest first, after `after`, `limit` at most: for lawful disclosure alone.
///
/// # Errors
/// [`Error::Sealed`] with another master key.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    which: &Which,
    (from, to): (Timestamp, Timestamp),
    after: Option<&Record>,
    limit: i64,
) -> Result<Vec<Record>, Error> {
    const OF_NUMBER: &str = "
        SELECT id, number, at, facts, expires_at FROM statutory_records
        WHERE account = $1 AND number = $2 AND at >= $3 AND at < $4 AND (at, id) > ($5, $6)
        ORDER BY at, id LIMIT $7";
    const OF_PERSON: &str = "
        SELECT id, number, at, facts, expires_at FROM statutory_records
        WHERE account = $1 AND person = $2 AND at >= $3 AND at < $4 AND (at, id) > ($5, $6)
        ORDER BY at, id LIMIT $7";
    let (sql, what) = match which {
        Which::Number(number) => (OF_NUMBER, number.as_str()),
        Which::Person(person) => (OF_PERSON, person.as_str()),
    };
    let rows: Vec<(RecordId, String, i64, String, i64)> = on!(tx, |conn| sqlx::query_as(sql)
        .bind(account)
        .bind(what)
        .bind(from.millis())
        .bind(to.millis())
        .bind(after.map_or(-1, |one| one.at.millis()))
        .bind(after.map_or("", |one| one.id.as_str()))
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let Some(key) = key(tx, account).await? else { return Ok(Vec::new()) };
    let bad = || Error::Inconsistent { table: "statutory_records", column: "facts" };
    rows.into_iter()
        .map(|(id, number, at, sealed, expires_at)| {
            let text = key.open_text(&sealed, &place(&id))?;
            let mut value: Value = serde_json::from_str(&text).map_err(|_| bad())?;
            let identifier = value["identifier"].as_str().map(Identifier::parse);
            Ok(Record {
                id,
                number,
                at: Timestamp::from_millis(at),
                expires_at: Timestamp::from_millis(expires_at),
                identifier: identifier.transpose().map_err(|_| bad())?,
                facts: value["facts"].take(),
            })
        })
        .collect()
}

/// Who has this number, as these records name them.
pub async fn person(
    tx: &mut Tx,
    account: &AccountId,
    number: &Identifier,
) -> Result<Person, Error> {
    Ok(accounts::keys(tx, account).await?.index.person(&number.canonical()))
}
