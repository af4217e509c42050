//! What is known of one person: read for an export. Nothing of anybody else.

use super::{Error, Tx, db::on};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, InteractionId, NumberId, ParticipantId, ReportId, SessionId, VerificationId},
    privacy::Person,
};

/// A session that they are or were in, and as whom.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Membership {
    /// The session.
    pub session: SessionId,
    /// Who they are in it.
    pub id: ParticipantId,
}

/// A call or text that they began or were to get.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Contact {
    /// Its id.
    pub id: InteractionId,
    /// Its session.
    pub session: Option<SessionId>,
    /// A call or a text.
    pub kind: String,
    /// Whether they began it.
    pub theirs: i64,
    /// The proxy number that was dialled.
    pub number: String,
    /// The carrier.
    pub carrier: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How many pictures and files it had.
    pub media: i64,
    /// How long two people spoke, in milliseconds.
    pub duration: Option<i64>,
    /// When it came in.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// From when until when, in milliseconds.
pub type Span = (i64, i64);

/// The sessions that somebody is or was in, oldest first, `limit` at most.
pub async fn sessions_of(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    span: Span,
    limit: i64,
) -> Result<Vec<Membership>, Error> {
    const SQL: &str = "
        SELECT session, id FROM participants
        WHERE account = $1 AND person = $2 AND created_at >= $3 AND created_at < $4
        ORDER BY session, id LIMIT $5";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(span.0)
        .bind(span.1)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The calls and texts of a session that a participant began or was to get, oldest first.
pub async fn in_session(
    tx: &mut Tx,
    account: &AccountId,
    of: &Membership,
    span: Span,
    limit: i64,
) -> Result<Vec<Contact>, Error> {
    const SQL: &str = "
        SELECT i.id, i.session, i.kind,
            CAST(CASE WHEN i.from_participant = $3 THEN 1 ELSE 0 END AS BIGINT) AS theirs,
            i.number, i.carrier, i.outcome, i.reason, i.media, i.duration, i.created_at, i.ended_at
        FROM interactions i
        WHERE i.account = $1 AND i.session = $2 AND i.created_at >= $4 AND i.created_at < $5
          AND (i.from_participant = $3 OR EXISTS (SELECT 1 FROM legs l
            WHERE l.account = $1 AND l.interaction = i.id AND l.participant = $3))
        ORDER BY i.id LIMIT $6";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(&of.session)
        .bind(&of.id)
        .bind(span.0)
        .bind(span.1)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The calls and texts that somebody began as no participant: refused ones, oldest first.
pub async fn as_stranger(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    span: Span,
    limit: i64,
) -> Result<Vec<Contact>, Error> {
    const SQL: &str = "
        SELECT id, session, kind, CAST(1 AS BIGINT) AS theirs, number, carrier, outcome, reason,
            media, duration, created_at, ended_at
        FROM interactions
        WHERE account = $1 AND person = $2 AND from_participant IS NULL
          AND created_at >= $3 AND created_at < $4
        ORDER BY id LIMIT $5";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(span.0)
        .bind(span.1)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// A verification of their number.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Verified {
    /// Its id.
    pub id: VerificationId,
    /// By text or by call.
    pub channel: String,
    /// How it ended, or that it has not.
    pub status: String,
    /// When it was asked for.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// Verifications of somebody's number, oldest first.
pub async fn verifications(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Vec<Verified>, Error> {
    const SQL: &str = "
        SELECT id, channel, status, created_at, ended_at FROM verifications
        WHERE account = $1 AND person = $2 ORDER BY id";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(person).fetch_all(conn).await?))
}

/// Which proxy numbers somebody was told of by a first text, and when.
pub async fn told(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Vec<(NumberId, i64)>, Error> {
    const SQL: &str = "
        SELECT number_id, told_at FROM first_texts
        WHERE account = $1 AND person = $2 ORDER BY told_at, service, number_id";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(person).fetch_all(conn).await?))
}

/// The reports that a participant made, oldest first.
pub async fn reported(
    tx: &mut Tx,
    account: &AccountId,
    of: &Membership,
) -> Result<Vec<(ReportId, String, String, i64)>, Error> {
    const SQL: &str = "
        SELECT id, category, state, created_at FROM reports
        WHERE account = $1 AND session = $2 AND reporter = $3 ORDER BY id";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(&of.session)
        .bind(&of.id)
        .fetch_all(conn)
        .await?))
}

/// What somebody does not want any more: scope, value and when.
pub async fn opt_outs(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Vec<(String, String, i64)>, Error> {
    const SQL: &str = "
        SELECT scope, value, created_at FROM opt_outs
        WHERE account = $1 AND person = $2 ORDER BY created_at, scope, value";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(person).fetch_all(conn).await?))
}

/// When somebody blocked others. Whom is not told: it is theirs.
pub async fn blocks(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<Vec<i64>, Error> {
    const SQL: &str = "
        SELECT created_at FROM blocks WHERE account = $1 AND blocker = $2
        ORDER BY created_at, blocked";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(person).fetch_all(conn).await?))
}

/// Who had a proxy number at an instant, in which session: everybody who dialled it then. They may have
/// left, and the session may have been closed, since.
pub async fn had_number(
    tx: &mut Tx,
    account: &AccountId,
    number: &str,
    at: Timestamp,
) -> Result<Vec<Membership>, Error> {
    const SQL: &str = "
        SELECT p.session, p.id FROM participants p
        JOIN sessions s ON s.account = p.account AND s.id = p.session
        WHERE p.account = $1 AND p.number = $2 AND p.erased_at IS NULL AND p.created_at <= $3
          AND (p.removed_at IS NULL OR p.removed_at > $3)
          AND (s.ended_at IS NULL OR s.ended_at > $3) AND (s.state = 'closed' OR s.expires_at > $3)
        ORDER BY p.session, p.id LIMIT 100";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(number)
        .bind(at.millis())
        .fetch_all(conn)
        .await?))
}
