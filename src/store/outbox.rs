//! What we owe carriers: committed with the decision that caused it, done by leased workers.
//!
//! Rows name legs, not numbers: who is reached is read again when it is sent.

mod due;
mod ways;

#[cfg(test)]
pub(super) use self::due::{DUE, DUE_OF};
pub use self::due::{Held, due, next_due};
pub use self::ways::{readdress, with_another_way};

use super::{Error, Tx, accounts, db::on, from_text, old::forget};
use crate::{
    domain::{closed_set, time::Timestamp},
    ids::{AccountId, InteractionId, LegId, OutboxId, SessionId},
};

closed_set! {
    /// What is owed.
    OutboxKind {
        /// A text.
        Message = "message",
        /// A call to place.
        Call = "call",
        /// A call to end.
        EndCall = "end_call",
        /// A recording to fetch.
        FetchRecording = "fetch_recording",
        /// A recording to delete at its carrier.
        DropRecording = "drop_recording",
        /// What its carrier has on record of a text or a call, to be deleted there.
        DropRecord = "drop_record",
        /// Something to ask of a carrier about the recording of a call.
        Record = "record",
    }
}

impl OutboxKind {
    /// Whether it is left alone while its carrier takes nothing. The end of a call never waits, nor does a
    /// recording, whose address may not last.
    pub const fn waits_for_its_carrier(self) -> bool {
        match self {
            Self::Message | Self::Call | Self::DropRecording | Self::DropRecord => true,
            Self::EndCall | Self::FetchRecording | Self::Record => false,
        }
    }
}

closed_set! {
    /// How far it has come.
    OutboxState {
        /// To be done at `run_at`.
        Ready = "ready",
        /// A worker is at it until its lease ends.
        Sending = "sending",
        /// Done, one way or the other.
        Done = "done",
        /// Set aside: nobody will try it again.
        Parked = "parked",
    }
}

/// Something that is owed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The account.
    pub account: AccountId,
    /// Its id.
    pub id: OutboxId,
    /// What is owed.
    pub kind: OutboxKind,
    /// How far it had come when it was read: `Sending` if a worker was lost.
    pub state: OutboxState,
    /// The session that must still be open when it is sent.
    pub session: Option<SessionId>,
    /// The interaction.
    pub interaction: InteractionId,
    /// The leg.
    pub leg: LegId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// How often it was claimed before this time.
    pub attempts: i64,
    /// How often a worker was lost over it before this time, or could do nothing with it.
    pub crashes: i64,
    /// Grows with each claim.
    pub fence: i64,
    /// When it is given up.
    pub valid_until: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was claimed first, if ever.
    pub tried_at: Option<Timestamp>,
    /// Whether the carrier was asked about an earlier try and has nothing of it: whoever claims it
    /// next may send it.
    pub cleared: bool,
    /// The proxy number that the recipient sees; known of what [`due()`] found.
    pub number: Option<String>,
    payload: Option<String>,
}

/// Something to owe.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// What is owed.
    pub kind: OutboxKind,
    /// The session that must still be open when it is sent.
    pub session: Option<&'a SessionId>,
    /// The interaction.
    pub interaction: &'a InteractionId,
    /// The leg.
    pub leg: &'a LegId,
    /// The carrier's id in the configuration.
    pub carrier: &'a str,
    /// What to send: sealed here.
    pub payload: &'a str,
    /// When to do it.
    pub run_at: Timestamp,
    /// When it is given up.
    pub valid_until: Timestamp,
    /// Now.
    pub now: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: OutboxId,
    kind: String,
    state: String,
    session: Option<SessionId>,
    interaction: InteractionId,
    leg: LegId,
    carrier: String,
    payload: Option<String>,
    attempts: i64,
    crashes: i64,
    fence: i64,
    valid_until: i64,
    created_at: i64,
    tried_at: Option<i64>,
    cleared: bool,
    #[sqlx(default)]
    number: Option<String>,
}

macro_rules! columns {
    () => {
        "account, id, kind, state, session, interaction, leg, carrier, payload, attempts, \
         crashes, fence, \
         valid_until, created_at, tried_at, cleared"
    };
}
use columns;

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            account: row.account,
            id: row.id,
            kind: from_text!("outbox"."kind", OutboxKind::parse, &row.kind)?,
            state: from_text!("outbox"."state", OutboxState::parse, &row.state)?,
            session: row.session,
            interaction: row.interaction,
            leg: row.leg,
            carrier: row.carrier,
            attempts: row.attempts,
            crashes: row.crashes,
            fence: row.fence,
            valid_until: Timestamp::from_millis(row.valid_until),
            created_at: Timestamp::from_millis(row.created_at),
            tried_at: row.tried_at.map(Timestamp::from_millis),
            cleared: row.cleared,
            number: row.number,
            payload: row.payload,
        })
    }
}

fn context(id: &OutboxId) -> String {
    format!("outbox:{id}")
}

/// Owes something.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewEntry<'_>,
) -> Result<OutboxId, Error> {
    const SQL: &str = "
        INSERT INTO outbox (account, id, kind, state, session, interaction, leg, carrier, payload,
            attempts, fence, run_at, lease_until, valid_until, created_at)
        VALUES ($1, $2, $3, 'ready', $4, $5, $6, $7, $8, 0, 0, $9, 0, $10, $11)";
    let id: OutboxId = tx.id_at(new.now);
    let keys = accounts::keys(tx, account).await?;
    let payload = keys.data.seal_text(new.payload, &context(&id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&id)
            .bind(new.kind.as_str())
            .bind(new.session)
            .bind(new.interaction)
            .bind(new.leg)
            .bind(new.carrier)
            .bind(&payload)
            .bind(new.run_at.millis())
            .bind(new.valid_until.millis())
            .bind(new.now.millis())
            .execute(conn)
            .await?;
    });
    Ok(id)
}

/// What is to be sent.
///
/// # Errors
/// [`Error::Inconsistent`] if it is gone already.
pub async fn payload(tx: &mut Tx, entry: &Entry) -> Result<String, Error> {
    let sealed =
        entry.payload.as_ref().ok_or(Error::Inconsistent { table: "outbox", column: "payload" })?;
    let keys = accounts::keys(tx, &entry.account).await?;
    Ok(keys.data.open_text(sealed, &context(&entry.id))?)
}

/// Claims an entry for a lease; `None` if somebody else has it. The caller holds its session's
/// lock: a close and a claim see each other (I3). `cleared` is said of this claim and of no later
/// one. That a worker was lost is counted here, before anything else is done with it (I32).
pub async fn claim(
    tx: &mut Tx,
    entry: &Entry,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Entry>, Error> {
    const SQL: &str = concat!(
        "UPDATE outbox SET state = 'sending', fence = fence + 1, attempts = attempts + 1,
            crashes = crashes + CASE WHEN state = 'sending' THEN 1 ELSE 0 END, lease_until = $4, tried_at = COALESCE(tried_at, $3), cleared = FALSE
        WHERE account = $1 AND id = $2 AND fence = $5 AND state = $6
          AND (state = 'ready' OR (state = 'sending' AND lease_until <= $3))
        RETURNING ",
        columns!()
    );
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(now.millis())
        .bind(lease_until.millis())
        .bind(entry.fence)
        .bind(entry.state.as_str())
        .fetch_optional(conn)
        .await?);
    let claimed: Option<Entry> = row.map(Entry::try_from).transpose()?;
    // Only the holder of the fence clears: what was read with this fence and state still holds.
    Ok(claimed.map(|claimed| Entry { cleared: entry.cleared, ..claimed }))
}

/// Counts that nothing could be done with an entry, not even claim it, and leaves it until
/// `until`; whether nobody else has claimed it.
pub async fn stumble(tx: &mut Tx, entry: &Entry, until: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE outbox SET crashes = crashes + 1, run_at = $5, lease_until = $5
        WHERE account = $1 AND id = $2 AND fence = $3 AND state = $4";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(entry.fence)
        .bind(entry.state.as_str())
        .bind(until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Ends an entry and forgets what it held; whether the claim was still ours.
pub async fn finish(tx: &mut Tx, entry: &Entry, state: OutboxState) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE outbox SET state = $4, payload = NULL
        WHERE account = $1 AND id = $2 AND fence = $3 AND state IN ('ready', 'sending')";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(entry.fence)
        .bind(state.as_str())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Puts an entry off until `run_at`; whether the claim was still ours.
pub async fn put_off(tx: &mut Tx, entry: &Entry, run_at: Timestamp) -> Result<bool, Error> {
    give_back(tx, entry, run_at, false).await
}

/// Puts an entry off that is certainly not at the carrier, though an earlier try of it was in doubt:
/// whoever claims it next may send it. Whether the claim was still ours.
pub async fn clear(tx: &mut Tx, entry: &Entry, run_at: Timestamp) -> Result<bool, Error> {
    give_back(tx, entry, run_at, true).await
}

async fn give_back(
    tx: &mut Tx,
    entry: &Entry,
    run_at: Timestamp,
    cleared: bool,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE outbox SET state = 'ready', run_at = $4, cleared = $5
        WHERE account = $1 AND id = $2 AND fence = $3 AND state = 'sending'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(entry.fence)
        .bind(run_at.millis())
        .bind(cleared)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Puts off an entry that was not claimed, until `run_at`, and counts it as tried: it keeps later ones
/// back no longer than any other (I12). Whether nobody else has claimed it.
pub async fn postpone(
    tx: &mut Tx,
    entry: &Entry,
    now: Timestamp,
    run_at: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE outbox SET run_at = $4, tried_at = COALESCE(tried_at, $5)
        WHERE account = $1 AND id = $2 AND fence = $3 AND state = 'ready'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.id)
        .bind(entry.fence)
        .bind(run_at.millis())
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

// SQLite takes an index of some rows only where a statement says what the index says, word for word:
// that one state is one of two it does not see.
pub(super) const READY_OF_SESSION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE account = $1 AND session = $2
      AND state IN ('ready', 'sending') AND state = 'ready' AND",
    due::known!(),
    "ORDER BY id"
);

/// What is owed for a session and not being sent at this moment.
pub async fn ready_of_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(READY_OF_SESSION)
        .bind(account)
        .bind(session)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Entry::try_from).collect()
}

pub(super) const EARLIER: &str = "
    SELECT COUNT(*) FROM outbox o JOIN legs l ON l.account = o.account AND l.id = o.leg
    WHERE o.account = $1 AND o.session = $2 AND o.state IN ('ready', 'sending')
      AND o.id < $3 AND o.kind = 'message' AND (o.tried_at IS NULL OR o.tried_at > $5)
      AND l.participant = (SELECT participant FROM legs WHERE account = $1 AND id = $4)";

/// Whether an earlier text to the same leg's person is still owed and goes first: texts of one
/// session go out in the order in which they were accepted, and so do those that answer one text
/// that belongs to no session. One that was tried before `stuck_since`, and is still owed, keeps
/// nobody back any more (I12).
pub async fn earlier_pending(
    tx: &mut Tx,
    entry: &Entry,
    stuck_since: Timestamp,
) -> Result<bool, Error> {
    const ANSWERS: &str = "
        SELECT COUNT(*) FROM legs l JOIN outbox o ON o.account = l.account AND o.leg = l.id
        WHERE l.account = $1 AND l.interaction = $2 AND o.state IN ('ready', 'sending')
          AND o.id < $3 AND o.kind = 'message' AND (o.tried_at IS NULL OR o.tried_at > $4)";
    let since = stuck_since.millis();
    let count: i64 = if let Some(session) = &entry.session {
        on!(tx, |conn| sqlx::query_scalar(EARLIER)
            .bind(&entry.account)
            .bind(session)
            .bind(&entry.id)
            .bind(&entry.leg)
            .bind(since)
            .fetch_one(conn)
            .await?)
    } else {
        on!(tx, |conn| sqlx::query_scalar(ANSWERS)
            .bind(&entry.account)
            .bind(&entry.interaction)
            .bind(&entry.id)
            .bind(since)
            .fetch_one(conn)
            .await?)
    };
    Ok(count > 0)
}

/// How many entries are in each state that is not done, and since when the oldest is owed: the end of a
/// call, and what is done with recordings, from when it is due.
pub async fn owed(tx: &mut Tx) -> Result<(i64, Option<Timestamp>), Error> {
    const SQL: &str =
        "SELECT COUNT(*), MIN(CASE WHEN kind IN ('message', 'call') THEN created_at ELSE run_at END)
        FROM outbox WHERE state IN ('ready', 'sending')";
    let (count, oldest): (i64, Option<i64>) =
        on!(tx, |conn| sqlx::query_as(SQL).fetch_one(conn).await?);
    Ok((count, oldest.map(Timestamp::from_millis)))
}

/// Forgets entries that ended and were made before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM outbox WHERE (account, id) IN (
            SELECT account, id FROM outbox WHERE state IN ('done', 'parked') AND created_at < $1
            ORDER BY created_at, account, id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
