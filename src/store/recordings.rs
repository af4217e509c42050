//! Recordings of calls whose people agreed, and who agreed or not. What was said lies in the store for
//! files, with its row in `media`; here is no word and no number.
//!
//! Whoever changes a row holds the lock of its interaction.

use std::time::Duration;

use super::{Error, Tx, db::on, from_text, sessions::millis};
use crate::{
    domain::{
        recording::{RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, SessionId},
};

/// The recording of one call.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The call.
    pub interaction: InteractionId,
    /// Its session.
    pub session: SessionId,
    /// The leg that is recorded: the one that was there first.
    pub leg: LegId,
    /// The carrier.
    pub carrier: String,
    /// How far it has come.
    pub state: RecordingState,
    /// Why nothing of it is kept, once that is certain.
    pub loss: Option<RecordingLoss>,
    /// What for, as people were told.
    pub purpose: String,
    /// How long it is kept.
    pub kept: Duration,
    /// The carrier's id of it, where it told one.
    pub carrier_id: Option<String>,
    /// Until when a worker asks its carrier for something; [`Timestamp::EPOCH`] for none.
    pub busy_until: Timestamp,
    /// When its carrier said that it runs.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// When people were first asked.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Whether somebody agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Their leg.
    pub leg: LegId,
    /// Their role.
    pub role: Option<String>,
    /// Whether they did.
    pub agreed: bool,
    /// The language in which they were asked.
    pub language: String,
    /// Which version of which words they were asked in.
    pub wording: String,
    /// When they answered, or their time was up.
    pub at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    interaction: InteractionId,
    session: SessionId,
    leg: LegId,
    carrier: String,
    state: String,
    loss: Option<String>,
    purpose: String,
    kept: i64,
    carrier_id: Option<String>,
    busy_until: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for Recording {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            interaction: row.interaction,
            session: row.session,
            leg: row.leg,
            carrier: row.carrier,
            state: from_text!("recordings"."state", RecordingState::parse, &row.state)?,
            loss: row
                .loss
                .map(|text| from_text!("recordings"."loss", RecordingLoss::parse, &text))
                .transpose()?,
            purpose: row.purpose,
            kept: Duration::from_millis(u64::try_from(row.kept).unwrap_or(0)),
            carrier_id: row.carrier_id,
            busy_until: Timestamp::from_millis(row.busy_until),
            started_at: row.started_at.map(Timestamp::from_millis),
            ended_at: row.ended_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
        })
    }
}

/// The recording of a call, if people were asked for one.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Option<Recording>, Error> {
    const SQL: &str = "
        SELECT interaction, session, leg, carrier, state, loss, purpose, kept, carrier_id, busy_until,
            started_at, ended_at, created_at, updated_at
        FROM recordings WHERE account = $1 AND interaction = $2";
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(interaction)
        .fetch_optional(conn)
        .await?);
    row.map(Recording::try_from).transpose()
}

/// Notes that people are asked; the first time only.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &Recording) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO recordings (account, interaction, session, leg, carrier, state, purpose, kept,
            busy_until, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9)
        ON CONFLICT DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.interaction)
            .bind(&new.session)
            .bind(&new.leg)
            .bind(&new.carrier)
            .bind(new.state.as_str())
            .bind(&new.purpose)
            .bind(millis(new.kept))
            .bind(new.created_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Writes how far it has come.
pub async fn update(tx: &mut Tx, account: &AccountId, one: &Recording) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE recordings SET state = $3, loss = $4, carrier_id = $5, busy_until = $6,
            started_at = $7, ended_at = $8, updated_at = $9
        WHERE account = $1 AND interaction = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&one.interaction)
            .bind(one.state.as_str())
            .bind(one.loss.map(RecordingLoss::as_str))
            .bind(&one.carrier_id)
            .bind(one.busy_until.millis())
            .bind(one.started_at.map(Timestamp::millis))
            .bind(one.ended_at.map(Timestamp::millis))
            .bind(one.updated_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Notes what somebody answered. The first answer of a leg stands; whether this was it.
pub async fn answered(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
    consent: &Consent,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO recording_consents (account, leg, interaction, role, agreed, language, wording,
            created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&consent.leg)
        .bind(interaction)
        .bind(&consent.role)
        .bind(consent.agreed)
        .bind(&consent.language)
        .bind(&consent.wording)
        .bind(consent.at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// What the people of a call answered, by leg.
pub async fn consents(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Vec<Consent>, Error> {
    const SQL: &str = "
        SELECT leg, role, agreed, language, wording, created_at FROM recording_consents
        WHERE account = $1 AND interaction = $2 ORDER BY leg";
    type Row = (LegId, Option<String>, bool, String, String, i64);
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(interaction).fetch_all(conn).await?);
    let consent = |(leg, role, agreed, language, wording, at)| Consent {
        leg,
        role,
        agreed,
        language,
        wording,
        at: Timestamp::from_millis(at),
    };
    Ok(rows.into_iter().map(consent).collect())
}
