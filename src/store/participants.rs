//! Participants. Their numbers and names are sealed under their session's data key.

use super::{Error, Tx, db::on, from_text, numbers::proxy, sessions::listed, statutory};
use crate::{
    domain::{
        assurance::PinUse,
        phone::{Identifier, ProxyNumber},
        pool::ChosenBy,
        redact,
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, SessionId},
    privacy::{DataKey, Person},
};

/// One person in a session.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Their id.
    pub id: ParticipantId,
    /// Their session.
    pub session: SessionId,
    /// Their role: the same role is the same side.
    pub role: String,
    /// In which order they were added.
    pub position: i64,
    /// Who they are, as a keyed hash.
    pub person: Person,
    /// Their calling code, for the mask.
    pub calling_code: Option<u16>,
    /// The number that they dial.
    pub number_id: NumberId,
    /// The same in digits.
    pub number: ProxyNumber,
    /// What their PIN opens; `None` if they have none.
    pub pin: Option<PinUse>,
    /// What chose the number that they dial; `None` where it is not known: they were taken over with it, were moved on
    /// to it, or came before this was kept.
    pub chosen_by: Option<ChosenBy>,
    /// When they left.
    pub removed_at: Option<Timestamp>,
    /// When they were added.
    pub created_at: Timestamp,
    /// Whether they were erased: their number, name and hash are gone.
    pub erased: bool,
    identifier: String,
    name: Option<String>,
}

impl Participant {
    /// Their number in clear.
    ///
    /// # Errors
    /// [`Error::Sealed`] with another session's key.
    pub fn identifier(&self, key: &DataKey) -> Result<Identifier, Error> {
        Ok(key.open_identifier(&self.identifier, &context("identifier", &self.id))?)
    }

    /// What the marketplace calls them.
    ///
    /// # Errors
    /// [`Error::Sealed`] with another session's key.
    pub fn name(&self, key: &DataKey) -> Result<Option<String>, Error> {
        self.name
            .as_ref()
            .map(|name| Ok(key.open_text(name, &context("name", &self.id))?))
            .transpose()
    }

    /// Their number as staff and marketplaces see it.
    pub fn masked(&self) -> String {
        redact::masked(self.calling_code, self.person.tag())
    }
}

fn context(what: &str, id: &ParticipantId) -> String {
    format!("{what}:{id}")
}

/// A participant's number and name, sealed under another key of their session.
pub(super) fn resealed(
    one: &Participant,
    old: &DataKey,
    new: &DataKey,
) -> Result<(String, Option<String>), Error> {
    let identifier = one.identifier(old)?;
    let name = one.name(old)?.map(|name| new.seal_text(&name, &context("name", &one.id)));
    Ok((new.seal_identifier(&identifier, &context("identifier", &one.id)), name))
}

/// A participant to add.
#[derive(Debug)]
pub struct NewParticipant<'a> {
    /// Their id.
    pub id: &'a ParticipantId,
    /// Their session.
    pub session: &'a SessionId,
    /// Their role.
    pub role: &'a str,
    /// In which order they were added.
    pub position: i64,
    /// Who they are.
    pub person: &'a Person,
    /// Their number.
    pub identifier: &'a Identifier,
    /// What the marketplace calls them.
    pub name: Option<&'a str>,
    /// The number that they dial.
    pub number_id: &'a NumberId,
    /// The same in digits.
    pub number: &'a ProxyNumber,
    /// What chose it.
    pub chosen_by: Option<ChosenBy>,
    /// Their session's data key.
    pub key: &'a DataKey,
    /// Now.
    pub now: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ParticipantId,
    session: SessionId,
    role: String,
    position: i64,
    person: Person,
    calling_code: Option<i64>,
    identifier: String,
    name: Option<String>,
    number_id: NumberId,
    number: String,
    pin: Option<String>,
    chosen_by: Option<String>,
    removed_at: Option<i64>,
    created_at: i64,
    erased_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, session, role, position, person, calling_code, identifier, name, number_id, \
             number, pin, chosen_by, removed_at, created_at, erased_at FROM participants ",
            $rest
        )
    };
}

impl TryFrom<Row> for Participant {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            session: row.session,
            role: row.role,
            position: row.position,
            person: row.person,
            calling_code: row.calling_code.and_then(|code| u16::try_from(code).ok()),
            number_id: row.number_id,
            number: proxy(&row.number)?,
            pin: row
                .pin
                .map(|text| from_text!("participants"."pin", PinUse::parse, &text))
                .transpose()?,
            chosen_by: row
                .chosen_by
                .map(|text| from_text!("participants"."chosen_by", ChosenBy::parse, &text))
                .transpose()?,
            removed_at: row.removed_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created_at),
            erased: row.erased_at.is_some(),
            identifier: row.identifier,
            name: row.name,
        })
    }
}

/// Adds a participant.
///
/// # Errors
/// [`Error::Conflict`] if the person is, or was, in the session.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewParticipant<'_>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO participants (account, id, session, role, position, person, calling_code,
            identifier, name, number_id, number, created_at, chosen_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT DO NOTHING";
    let identifier = new.key.seal_identifier(new.identifier, &context("identifier", new.id));
    let name = new.name.map(|name| new.key.seal_text(name, &context("name", new.id)));
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(new.id)
        .bind(new.session)
        .bind(new.role)
        .bind(new.position)
        .bind(new.person)
        .bind(new.identifier.calling_code().map(i64::from))
        .bind(&identifier)
        .bind(&name)
        .bind(new.number_id)
        .bind(new.number.as_str())
        .bind(new.now.millis())
        .bind(new.chosen_by.map(ChosenBy::as_str))
        .execute(conn)
        .await?
        .rows_affected());
    if done != 1 {
        return Err(Error::Conflict);
    }
    statutory::assigned(tx, account, new.id).await
}

/// Everybody who is or was in a session, in the order in which they were added.
pub async fn of_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
) -> Result<Vec<Participant>, Error> {
    const SQL: &str = select!("WHERE account = $1 AND session = $2 ORDER BY position, id");
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(session).fetch_all(conn).await?);
    rows.into_iter().map(Participant::try_from).collect()
}

/// Everybody in these sessions, by session and in the order in which they were added.
pub async fn of_sessions(
    tx: &mut Tx,
    account: &AccountId,
    sessions: &[SessionId],
) -> Result<Vec<Participant>, Error> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("WHERE account = "));
        q.push_bind(account).push(" AND session");
        listed!(q, sessions);
        q.push(" ORDER BY session, position, id");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Participant::try_from).collect()
}

/// The participant with that id.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
) -> Result<Option<Participant>, Error> {
    const SQL: &str = select!("WHERE account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Participant::try_from).transpose()
}

/// Gives a participant another number to dial. The caller holds their session's lock, and the hold.
pub async fn set_number(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
    number: (&NumberId, &ProxyNumber),
) -> Result<(), Error> {
    const SQL: &str = "UPDATE participants SET number_id = $3, number = $4, chosen_by = NULL
        WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(number.0)
            .bind(number.1.as_str())
            .execute(conn)
            .await?;
    });
    statutory::assigned(tx, account, id).await
}

/// Notes what a participant's PIN opens, or that they have none.
pub async fn set_pin(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
    pin: Option<PinUse>,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE participants SET pin = $3 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).bind(pin.map(PinUse::as_str)).execute(conn).await?;
    });
    Ok(())
}

/// How many people of live sessions dial a number, whether or not they have a hold of it.
pub async fn live_on(tx: &mut Tx, account: &AccountId, number: &NumberId) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM participants p
        JOIN sessions s ON s.account = p.account AND s.id = p.session
        WHERE p.account = $1 AND p.number_id = $2 AND p.removed_at IS NULL
          AND s.state <> 'closed'";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(number).fetch_one(conn).await?))
}

/// Marks a participant as gone.
pub async fn remove(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE participants SET removed_at = $3 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// The last session in which a person had a number, of those not deleted: for the log of a refused call or text.
pub async fn last_session(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    number: &NumberId,
) -> Result<Option<Participant>, Error> {
    const SQL: &str = select!(
        "WHERE account = $1 AND person = $2 AND number_id = $3 \
         AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.account = participants.account \
         AND s.id = participants.session AND s.deleted_at IS NOT NULL) \
         ORDER BY session DESC, id LIMIT 1"
    );
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(number)
        .fetch_optional(conn)
        .await?);
    row.map(Participant::try_from).transpose()
}

pub(super) const LATEST_OF: &str = select!(
    "WHERE account = $1 AND person = $2 \
     AND EXISTS (SELECT 1 FROM sessions s \
     JOIN services v ON v.account = s.account AND v.id = s.service \
     WHERE s.account = participants.account AND s.id = participants.session \
     AND s.deleted_at IS NULL AND v.deleted_at IS NULL) \
     ORDER BY session DESC, id LIMIT 1"
);

/// Who somebody is in the latest of their sessions that were not deleted.
pub async fn latest_of(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Option<Participant>, Error> {
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(LATEST_OF)
        .bind(account)
        .bind(person)
        .fetch_optional(conn)
        .await?);
    row.map(Participant::try_from).transpose()
}
