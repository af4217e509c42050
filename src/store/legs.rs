//! Legs: one side of an interaction each.

use std::{collections::HashSet, time::Duration};

use super::{
    Error, Tx,
    db::on,
    from_text,
    interactions::length,
    numbers::proxy,
    participants::Participant,
    sessions::{listed, millis},
};
use crate::{
    domain::{
        closed_set,
        interaction::{Kind, Outcome, Reason},
        phone::ProxyNumber,
        sender::SenderId,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, ParticipantId, SessionId},
};

closed_set! {
    /// Which way a leg goes.
    Direction {
        /// A person reached us.
        Inbound = "inbound",
        /// We reach a person.
        Outbound = "outbound",
    }
}

/// One side of a call or text.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// Its interaction.
    pub interaction: InteractionId,
    /// Its session.
    pub session: Option<SessionId>,
    /// Its place among the interaction's legs: the inbound one is 0.
    pub position: i64,
    /// A call or a text.
    pub kind: Kind,
    /// Which way it goes.
    pub direction: Direction,
    /// Whose it is.
    pub participant: Option<ParticipantId>,
    /// Their role.
    pub role: Option<String>,
    /// The proxy number that this person dialled or sees; of a text with a name, the one whose carrier sent it.
    pub number: ProxyNumber,
    /// The name that the recipient sees instead, of a text that belongs to no session.
    pub sender_id: Option<SenderId>,
    /// Its carrier.
    pub carrier: String,
    /// The carrier's id of it.
    pub carrier_id: Option<String>,
    /// How far it has come: the text of a `MessageState` or a `CallState`.
    pub state: String,
    /// How it ended; set once.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// The carrier's error code.
    pub carrier_code: Option<String>,
    /// Whether it was sent once more after a send whose fate nobody learnt.
    pub possible_duplicate: bool,
    /// How long it lasted.
    pub duration: Option<Duration>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When somebody answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: LegId,
    interaction: InteractionId,
    session: Option<SessionId>,
    position: i64,
    kind: String,
    direction: String,
    participant: Option<ParticipantId>,
    role: Option<String>,
    number: String,
    sender_id: Option<String>,
    carrier: String,
    carrier_id: Option<String>,
    state: String,
    outcome: Option<String>,
    reason: Option<String>,
    carrier_code: Option<String>,
    possible_duplicate: bool,
    duration: Option<i64>,
    created_at: i64,
    updated_at: i64,
    answered_at: Option<i64>,
    ended_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, id, interaction, session, position, kind, direction, participant, role, \
             number, sender_id, carrier, carrier_id, state, outcome, reason, carrier_code, \
             possible_duplicate, duration, \
             created_at, updated_at, answered_at, ended_at FROM legs WHERE ",
            $rest
        )
    };
}

impl TryFrom<Row> for Leg {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            interaction: row.interaction,
            session: row.session,
            position: row.position,
            kind: from_text!("legs"."kind", Kind::parse, &row.kind)?,
            direction: from_text!("legs"."direction", Direction::parse, &row.direction)?,
            participant: row.participant,
            role: row.role,
            number: proxy(&row.number)?,
            sender_id: row
                .sender_id
                .map(|text| from_text!("legs"."sender_id", SenderId::parse, &text))
                .transpose()?,
            carrier: row.carrier,
            carrier_id: row.carrier_id,
            state: row.state,
            outcome: row
                .outcome
                .map(|text| from_text!("legs"."outcome", Outcome::parse, &text))
                .transpose()?,
            reason: row
                .reason
                .map(|text| from_text!("legs"."reason", Reason::parse, &text))
                .transpose()?,
            carrier_code: row.carrier_code,
            possible_duplicate: row.possible_duplicate,
            duration: row.duration.map(length),
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            answered_at: row.answered_at.map(Timestamp::from_millis),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}

/// Adds a leg.
pub async fn insert(tx: &mut Tx, account: &AccountId, leg: &Leg) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO legs (account, id, interaction, session, position, kind, direction,
            participant, role, number, carrier, carrier_id, state, outcome, reason, carrier_code,
            possible_duplicate, duration, created_at, updated_at, answered_at, ended_at, sender_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23)";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&leg.id)
            .bind(&leg.interaction)
            .bind(&leg.session)
            .bind(leg.position)
            .bind(leg.kind.as_str())
            .bind(leg.direction.as_str())
            .bind(&leg.participant)
            .bind(&leg.role)
            .bind(leg.number.as_str())
            .bind(&leg.carrier)
            .bind(&leg.carrier_id)
            .bind(&leg.state)
            .bind(leg.outcome.map(Outcome::as_str))
            .bind(leg.reason.map(Reason::as_str))
            .bind(&leg.carrier_code)
            .bind(leg.possible_duplicate)
            .bind(leg.duration.map(millis))
            .bind(leg.created_at.millis())
            .bind(leg.updated_at.millis())
            .bind(leg.answered_at.map(Timestamp::millis))
            .bind(leg.ended_at.map(Timestamp::millis))
            .bind(leg.sender_id.as_ref().map(SenderId::as_str))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Writes what can change in a leg. The caller holds its interaction's lock. The outcome is set
/// once, and what may be a duplicate stays so.
pub async fn update(tx: &mut Tx, account: &AccountId, leg: &Leg) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE legs SET carrier_id = $3, state = $4, outcome = COALESCE(outcome, $5),
            reason = $6, carrier_code = $7, duration = $8, updated_at = $9, answered_at = $10,
            ended_at = $11, possible_duplicate = possible_duplicate OR $12
        WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&leg.id)
            .bind(&leg.carrier_id)
            .bind(&leg.state)
            .bind(leg.outcome.map(Outcome::as_str))
            .bind(leg.reason.map(Reason::as_str))
            .bind(&leg.carrier_code)
            .bind(leg.duration.map(millis))
            .bind(leg.updated_at.millis())
            .bind(leg.answered_at.map(Timestamp::millis))
            .bind(leg.ended_at.map(Timestamp::millis))
            .bind(leg.possible_duplicate)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Gives a leg that was not begun another number and carrier. The caller holds its session's lock.
pub async fn readdress(
    tx: &mut Tx,
    account: &AccountId,
    id: &LegId,
    number: &ProxyNumber,
    carrier: &str,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE legs SET number = $3, carrier = $4
        WHERE account = $1 AND id = $2 AND carrier_id IS NULL AND outcome IS NULL";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(number.as_str())
            .bind(carrier)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Puts the caller's leg of a call into the session that they have proved to be theirs.
pub async fn put_into(
    tx: &mut Tx,
    account: &AccountId,
    id: &LegId,
    session: &SessionId,
    sender: &Participant,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE legs SET session = $3, participant = $4, role = $5
        WHERE account = $1 AND id = $2 AND session IS NULL AND outcome IS NULL";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(session)
            .bind(&sender.id)
            .bind(&sender.role)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// An interaction's legs, the inbound one first.
pub async fn of_interaction(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Vec<Leg>, Error> {
    const SQL: &str = select!("account = $1 AND interaction = $2 ORDER BY position");
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(interaction).fetch_all(conn).await?);
    rows.into_iter().map(Leg::try_from).collect()
}

/// The legs of these interactions, by interaction, each one's inbound leg first.
pub async fn of_interactions(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Leg>, Error> {
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction, position");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Leg::try_from).collect()
}

/// The leg with that id, whatever account it is of: callbacks name nothing else.
pub async fn by_id(
    tx: &mut Tx,
    carrier: &str,
    id: &LegId,
) -> Result<Option<(AccountId, Leg)>, Error> {
    const SQL: &str = select!("id = $1 AND carrier = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(id).bind(carrier).fetch_optional(conn).await?);
    row.map(|row| Ok((row.account.clone(), Leg::try_from(row)?))).transpose()
}

/// The leg with that carrier's id.
pub async fn by_carrier_id(
    tx: &mut Tx,
    carrier: &str,
    carrier_id: &str,
) -> Result<Option<(AccountId, Leg)>, Error> {
    const SQL: &str = select!("carrier = $1 AND carrier_id = $2 ORDER BY account, id LIMIT 1");
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(carrier)
        .bind(carrier_id)
        .fetch_optional(conn)
        .await?);
    row.map(|row| Ok((row.account.clone(), Leg::try_from(row)?))).transpose()
}

/// Those of a carrier's ids that a leg of ours has, of at most 1,000.
pub async fn known_ids(
    tx: &mut Tx,
    carrier: &str,
    ids: &[String],
) -> Result<HashSet<String>, Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known: Vec<String> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT carrier_id FROM legs WHERE carrier = ");
        q.push_bind(carrier).push(" AND carrier_id");
        listed!(q, ids);
        q.build_query_scalar().fetch_all(conn).await?
    });
    Ok(known.into_iter().collect())
}

// Whose text it is: a participant's, or of somebody in no session, whose text it answers.
macro_rules! whose {
    () => {
        " JOIN interactions i ON i.account = l.account AND i.id = l.interaction
          LEFT JOIN participants p ON p.account = l.account AND p.id = l.participant "
    };
}
const PERSON: &str = concat!(
    "SELECT COALESCE(p.person, i.person) FROM legs l",
    whose!(),
    "WHERE l.account = $1 AND l.id = $2"
);
const UNKNOWN: &str = concat!(
    "SELECT COUNT(*) FROM legs l",
    whose!(),
    "WHERE l.account = $1 AND l.number = $2 AND l.state = 'unknown' AND l.kind = 'message'
       AND l.carrier_id IS NULL AND l.updated_at >= $3 AND l.id <> $4
       AND COALESCE(p.person, i.person) = $5"
);
// The index of what is owed is taken only where what it says is said.
pub(super) const SENDING: &str = concat!(
    "SELECT COUNT(*) FROM outbox o JOIN legs l ON l.account = o.account AND l.id = o.leg",
    whose!(),
    "WHERE o.account = $1 AND o.state IN ('ready', 'sending') AND o.state = 'sending'
       AND l.number = $2 AND l.kind = 'message'
       AND l.id <> $3 AND COALESCE(p.person, i.person) = $4"
);

/// Whether another text to the same person from the same number may have been sent since `since`
/// without anybody knowing its id: then a text on the carrier's record may be that one.
pub async fn has_rival(
    tx: &mut Tx,
    account: &AccountId,
    leg: &Leg,
    since: Timestamp,
) -> Result<bool, Error> {
    let number = leg.number.as_str();
    let person: Option<String> = on!(tx, |conn| sqlx::query_scalar(PERSON)
        .bind(account)
        .bind(&leg.id)
        .fetch_one(conn)
        .await?);
    let unknown: i64 = on!(tx, |conn| sqlx::query_scalar(UNKNOWN)
        .bind(account)
        .bind(number)
        .bind(since.millis())
        .bind(&leg.id)
        .bind(&person)
        .fetch_one(conn)
        .await?);
    let sending: i64 = on!(tx, |conn| sqlx::query_scalar(SENDING)
        .bind(account)
        .bind(number)
        .bind(&leg.id)
        .bind(&person)
        .fetch_one(conn)
        .await?);
    Ok(unknown + sending > 0)
}
