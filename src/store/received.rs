//! What carriers told that began an account's calls and texts, as the console's developer page lists it.

use super::{Error, Tx, accounts, db::on, from_text, inbox::EventKey, sessions::Page};
use crate::{
    domain::{
        interaction::{Kind, Outcome, Reason},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, SessionId},
};

/// A webhook that was taken in.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it began.
    pub interaction: InteractionId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// Whether it told of a call or a text.
    pub kind: Kind,
    /// When it came.
    pub at: Timestamp,
    /// The plan that was its answer; empty where none was or it can't be opened any more. It holds numbers.
    pub answer: String,
    /// The proxy number that it was about; `None` where the log has forgotten it.
    pub number: Option<String>,
    /// In which session, if in one that is still there.
    pub session: Option<SessionId>,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// And why, where that is kept.
    pub reason: Option<Reason>,
}

#[derive(sqlx::FromRow)]
struct Row {
    interaction: InteractionId,
    carrier: String,
    kind: String,
    event: String,
    answer: String,
    received_at: i64,
    number: Option<String>,
    session: Option<SessionId>,
    outcome: Option<String>,
    reason: Option<String>,
}

pub(super) const LIST: &str = "
    SELECT b.interaction, b.carrier, b.kind, b.event, b.answer, b.received_at,
        i.number, s.id AS session, i.outcome, i.reason
    FROM inbox b
    LEFT JOIN interactions i ON i.account = b.account AND i.id = b.interaction AND i.deleted_at IS NULL
    LEFT JOIN sessions s ON s.account = i.account AND s.id = i.session AND s.deleted_at IS NULL
    WHERE b.account = $1 AND b.interaction IS NOT NULL AND b.interaction >= $2 AND b.interaction < $3
    ORDER BY b.interaction DESC, b.received_at DESC, b.carrier, b.kind, b.event LIMIT $4";

/// What began calls and texts of an account, of a span of time, the newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    (from, before): (Option<Timestamp>, Option<Timestamp>),
    page: &Page,
) -> Result<Vec<Received>, Error> {
    let from = InteractionId::first_of(from.unwrap_or(Timestamp::from_millis(0))).to_string();
    // Past every id there is.
    let end = before.map_or("KJ".to_owned(), |at| InteractionId::first_of(at).to_string());
    let end = page.before.as_ref().map_or(end.clone(), |before| before.clone().min(end));
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(LIST)
        .bind(account)
        .bind(&from)
        .bind(&end)
        .bind(page.limit)
        .fetch_all(conn)
        .await?);
    let keys = accounts::keys(tx, account).await?;
    rows.into_iter()
        .map(|row| {
            let key = EventKey { carrier: &row.carrier, kind: &row.kind, event: &row.event };
            let answer = match row.answer.as_str() {
                "" => String::new(),
                // A page of what came is no reason to fail over one answer.
                sealed => keys.data.open_text(sealed, &key.context()).unwrap_or_default(),
            };
            let outcome = row.outcome.as_deref();
            let reason = row.reason.as_deref();
            Ok(Received {
                kind: from_text!("inbox"."kind", Kind::parse, &row.kind)?,
                at: Timestamp::from_millis(row.received_at),
                outcome: outcome
                    .map(|text| from_text!("interactions"."outcome", Outcome::parse, text))
                    .transpose()?,
                reason: reason
                    .map(|text| from_text!("interactions"."reason", Reason::parse, text))
                    .transpose()?,
                interaction: row.interaction,
                carrier: row.carrier,
                answer,
                number: row.number,
                session: row.session,
            })
        })
        .collect()
}
