//! Interactions: the log. Roles, times, outcomes and the caller's keyed hash, which makes it
//! pseudonymous; no number of a person, no words.

mod tally;

use std::{collections::HashMap, time::Duration};

pub use self::tally::{Tally, newest_tallies, tallies};

use super::{
    Error, Tx,
    db::on,
    from_text,
    numbers::proxy,
    participants::Participant,
    sessions::{Page, first_id, listed, millis, paged},
    statutory,
};
use crate::{
    domain::{
        assurance::Attestation,
        closed_set,
        interaction::{Kind, Outcome, Reason},
        message::Body,
        phone::ProxyNumber,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, ServiceId, SessionId},
    privacy::{DataKey, Person},
    telemetry::metrics,
};

closed_set! {
    /// Who began it.
    Origin {
        /// A person called or texted a proxy number.
        Person = "person",
        /// The marketplace asked for it.
        Api = "api",
    }
}

/// One relayed call or text.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// The service whose number was dialled.
    pub service: Option<ServiceId>,
    /// Its session; for a refused one the last that this caller had on this number.
    pub session: Option<SessionId>,
    /// A call or a text.
    pub kind: Kind,
    /// Who began it.
    pub origin: Origin,
    /// Which participant began it.
    pub from_participant: Option<ParticipantId>,
    /// Their role.
    pub from_role: Option<String>,
    /// Whoever began it, as a keyed hash; `None` if withheld or if the marketplace did.
    pub person: Option<Person>,
    /// The proxy number that was dialled, or that the recipient sees.
    pub number: ProxyNumber,
    /// The carrier on which it came.
    pub carrier: String,
    /// What the network says of the caller's number; `None` for what is no call that came in.
    pub attestation: Option<Attestation>,
    /// How it ended; set once.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// How many pictures and files it had.
    pub media: i64,
    /// How many of those were not passed on.
    pub media_refused: i64,
    /// How long two people spoke.
    pub duration: Option<Duration>,
    /// Grows with each change.
    pub version: i64,
    /// When it came in.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: InteractionId,
    service: Option<ServiceId>,
    session: Option<SessionId>,
    kind: String,
    origin: String,
    from_participant: Option<ParticipantId>,
    from_role: Option<String>,
    person: Option<Person>,
    number: String,
    carrier: String,
    attestation: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    media: i64,
    media_refused: i64,
    duration: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, service, session, kind, origin, from_participant, from_role, person, number, \
             carrier, attestation, outcome, reason, media, media_refused, duration, version, created_at, \
             updated_at, ended_at \
             FROM interactions WHERE ",
            $rest
        )
    };
}

/// Milliseconds of a column as a length.
pub(super) fn length(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl TryFrom<Row> for Interaction {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            service: row.service,
            session: row.session,
            kind: from_text!("interactions"."kind", Kind::parse, &row.kind)?,
            origin: from_text!("interactions"."origin", Origin::parse, &row.origin)?,
            from_participant: row.from_participant,
            from_role: row.from_role,
            person: row.person,
            number: proxy(&row.number)?,
            carrier: row.carrier,
            attestation: row
                .attestation
                .map(|text| from_text!("interactions"."attestation", Attestation::parse, &text))
                .transpose()?,
            outcome: row
                .outcome
                .map(|text| from_text!("interactions"."outcome", Outcome::parse, &text))
                .transpose()?,
            reason: row
                .reason
                .map(|text| from_text!("interactions"."reason", Reason::parse, &text))
                .transpose()?,
            media: row.media,
            media_refused: row.media_refused,
            duration: row.duration.map(length),
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}

/// Adds an interaction.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &Interaction) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO interactions (account, id, service, session, kind, origin, from_participant,
            from_role, person, number, carrier, outcome, reason, media, duration, version,
            created_at, updated_at, ended_at, media_refused, attestation)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21)";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.id)
            .bind(&new.service)
            .bind(&new.session)
            .bind(new.kind.as_str())
            .bind(new.origin.as_str())
            .bind(&new.from_participant)
            .bind(&new.from_role)
            .bind(&new.person)
            .bind(new.number.as_str())
            .bind(&new.carrier)
            .bind(new.outcome.map(Outcome::as_str))
            .bind(new.reason.map(Reason::as_str))
            .bind(new.media)
            .bind(new.duration.map(millis))
            .bind(new.version)
            .bind(new.created_at.millis())
            .bind(new.updated_at.millis())
            .bind(new.ended_at.map(Timestamp::millis))
            .bind(new.media_refused)
            .bind(new.attestation.map(Attestation::as_str))
            .execute(conn)
            .await?;
    });
    if let Some(outcome) = new.outcome {
        count(tx, new.kind, outcome);
        statutory::ended(tx, account, &new.id).await?;
    }
    Ok(())
}

/// Puts a call into the session that its caller has proved to be theirs; whether it was in none and went on.
pub async fn put_into(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    session: &SessionId,
    sender: &Participant,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE interactions SET session = $3, from_participant = $4, from_role = $5, person = $6,
            version = version + 1, updated_at = $7
        WHERE account = $1 AND id = $2 AND session IS NULL AND outcome IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(session)
        .bind(&sender.id)
        .bind(&sender.role)
        .bind(&sender.person)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Every outcome is counted where it is written, so that the counters say what the log says (I30).
fn count(tx: &mut Tx, kind: Kind, outcome: Outcome) {
    let raise = match kind {
        Kind::Message => metrics::message,
        Kind::Call => metrics::call,
    };
    tx.on_commit(move || raise(outcome.as_str()));
}

/// What of the log is shown: nothing that was deleted, by itself, with its session or its service.
macro_rules! shown {
    () => {
        " AND deleted_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.account = interactions.account \
         AND s.id = interactions.session AND s.deleted_at IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM services v WHERE v.account = interactions.account \
         AND v.id = interactions.service AND v.deleted_at IS NOT NULL)"
    };
}

async fn one(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    sql: &'static str,
) -> Result<Option<Interaction>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Interaction::try_from).transpose()
}

/// The interaction with that id, unless it was deleted.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
) -> Result<Option<Interaction>, Error> {
    const SQL: &str = concat!(select!("account = $1 AND id = $2"), shown!());
    one(tx, account, id, SQL).await
}

/// The interaction with that id, also if it was deleted: what became of it is still news.
pub async fn get_any(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
) -> Result<Option<Interaction>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    one(tx, account, id, SQL).await
}

/// Deletes an interaction: nobody is shown it any more. Whether it was there.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE interactions SET deleted_at = $3, version = version + 1
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

pub(super) fn context(id: &str) -> String {
    format!("words:{id}")
}

/// Keeps what a text says, sealed under its session's key.
pub async fn keep_words(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    key: &DataKey,
    body: &Body,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE interactions SET words = $3 WHERE account = $1 AND id = $2";
    let words = key.seal_text(body.expose(), &context(id.as_str()));
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).bind(&words).execute(conn).await?;
    });
    Ok(())
}

/// What these texts of one session say, where it was kept.
///
/// # Errors
/// [`Error::Sealed`] with another session's key.
pub async fn words(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    ids: &[InteractionId],
) -> Result<HashMap<InteractionId, Body>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(InteractionId, String)> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT id, words FROM interactions WHERE account = ");
        q.push_bind(account).push(" AND words IS NOT NULL AND id");
        listed!(q, ids);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(id, sealed)| {
            let words = key.open_text(&sealed, &context(id.as_str()))?;
            Ok((id, Body::new(words)))
        })
        .collect()
}

/// The same, locked until the transaction ends: its legs are changed by one at a time.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
) -> Result<Option<Interaction>, Error> {
    const PLAIN: &str = select!("account = $1 AND id = $2");
    const LOCKED: &str = select!("account = $1 AND id = $2 FOR NO KEY UPDATE");
    let sql = if tx.locks() { LOCKED } else { PLAIN };
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Interaction::try_from).transpose()
}

/// Calls that began before `before` and have no outcome, `limit` at most.
pub async fn unended_calls(
    tx: &mut Tx,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(AccountId, InteractionId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM interactions
        WHERE outcome IS NULL AND kind = 'call' AND created_at < $1
        ORDER BY created_at, id LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(before.millis())
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// Ends an interaction, once; whether it was still open.
pub async fn finish(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    end: &End,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE interactions SET outcome = $3, reason = $4, duration = $5, ended_at = $6,
            updated_at = $6, version = version + 1
        WHERE account = $1 AND id = $2 AND outcome IS NULL
        RETURNING kind";
    let ended: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(end.outcome.as_str())
        .bind(end.reason.map(Reason::as_str))
        .bind(end.duration.map(millis))
        .bind(end.at.millis())
        .fetch_optional(conn)
        .await?);
    let Some(kind) = ended else { return Ok(false) };
    count(tx, from_text!("interactions"."kind", Kind::parse, &kind)?, end.outcome);
    statutory::ended(tx, account, id).await?;
    Ok(true)
}

/// Counts pictures and files of a text that are not passed on.
pub async fn refuse_media(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    count: i64,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE interactions SET media_refused = media_refused + $3, updated_at = $4,
            version = version + 1
        WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(count)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Says how long two people spoke, of a call that ended before that was known; whether it was news.
pub async fn spoke(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    duration: Duration,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE interactions SET duration = $3, updated_at = $4, version = version + 1
        WHERE account = $1 AND id = $2 AND outcome = 'connected' AND duration IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(millis(duration))
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// How an interaction ended.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Its outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// How long two people spoke.
    pub duration: Option<Duration>,
    /// When.
    pub at: Timestamp,
}

/// What a list is narrowed to. Everything that is set must hold.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this service.
    pub service: Option<ServiceId>,
    /// Calls or texts.
    pub kind: Option<Kind>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Begun by a participant of this role.
    pub role: Option<String>,
    /// On this carrier.
    pub carrier: Option<String>,
    /// Begun at this time or later.
    pub created_from: Option<Timestamp>,
    /// Begun before this time.
    pub created_before: Option<Timestamp>,
    /// Not refused.
    pub admitted: bool,
    /// Texts that the marketplace sent to this participant.
    pub sent_to: Option<ParticipantId>,
}

/// Narrows a query to an account's interactions that a filter leaves and nobody deleted.
macro_rules! narrowed {
    ($q:ident, $account:expr, $filter:expr) => {
        $q.push_bind($account);
        $q.push(shown!());
        if $filter.admitted {
            $q.push(" AND (outcome IS NULL OR outcome <> 'refused')");
        }
        if let Some(participant) = &$filter.sent_to {
            $q.push(
                " AND origin = 'api' AND kind = 'message' AND EXISTS (SELECT 1 FROM legs l \
                 WHERE l.account = interactions.account AND l.interaction = interactions.id \
                 AND l.participant = ",
            );
            $q.push_bind(participant).push(")");
        }
        if let Some(session) = &$filter.session {
            $q.push(" AND session = ").push_bind(session);
        }
        if let Some(service) = &$filter.service {
            $q.push(" AND service = ").push_bind(service);
        }
        if let Some(kind) = $filter.kind {
            $q.push(" AND kind = ").push_bind(kind.as_str());
        }
        if let Some(outcome) = $filter.outcome {
            $q.push(" AND outcome = ").push_bind(outcome.as_str());
        }
        if let Some(role) = &$filter.role {
            $q.push(" AND from_role = ").push_bind(role);
        }
        if let Some(carrier) = &$filter.carrier {
            $q.push(" AND carrier = ").push_bind(carrier);
        }
        if let Some(at) = $filter.created_from {
            $q.push(" AND created_at >= ").push_bind(at.millis());
            $q.push(" AND id >= ").push_bind(first_id("KI", at));
        }
        if let Some(at) = $filter.created_before {
            $q.push(" AND created_at < ").push_bind(at.millis());
            $q.push(" AND id < ").push_bind(first_id("KI", at));
        }
    };
}

/// Interactions, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Interaction>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        narrowed!(q, account, filter);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Interaction::try_from).collect()
}

/// How many interactions a filter leaves, counted to `most`.
pub async fn count_narrowed(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    most: i64,
) -> Result<i64, Error> {
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM interactions WHERE account = ",
        );
        narrowed!(q, account, filter);
        q.push(" LIMIT ").push_bind(most).push(") AS counted");
        q.build_query_scalar().fetch_one(conn).await?
    }))
}
