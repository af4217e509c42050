//! What carriers have on record of a person's calls and texts: owed to be deleted there, and then forgotten here.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    Error, Tx,
    db::on,
    erasures,
    outbox::{self, NewEntry, OutboxKind},
};
use crate::{
    domain::{erasure::Became, interaction::Kind, time::Timestamp},
    ids::{AccountId, ErasureId, InteractionId, LegId, ParticipantId, SessionId},
    privacy::Person,
};

/// For how long a carrier is asked: some delete what is not complete two weeks later.
pub const ASKED_FOR: Duration = Duration::from_hours(15 * 24);

/// How many records, by carrier.
pub type AtCarriers = BTreeMap<String, u64>;

/// Whose records.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// A participant's, in their session: of what they began all legs, of what they were to get their own; of a
    /// call all, since each of its legs leads to the other at the carrier.
    Participant(&'a SessionId, &'a ParticipantId),
    /// Of codes that were sent to a person.
    Verified(&'a Person),
    /// Of the first so many calls and texts of a caller who was no participant.
    Caller(&'a Person, i64),
}

/// A leg that a carrier has on record.
#[derive(sqlx::FromRow)]
struct Leg {
    id: LegId,
    interaction: InteractionId,
    carrier: String,
    carrier_id: String,
    kind: String,
    direction: String,
}

/// Owes the deletion of these records, and forgets by which ids they are found; how many at each carrier. Of what has not ended
/// the id stays, so that its end can be told, unless it is `all`.
///
/// # Errors
/// [`Error::Inconsistent`] for a leg of no known kind.
pub async fn drop_owed(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    of: Of<'_>,
    all: bool,
    now: Timestamp,
) -> Result<AtCarriers, Error> {
    const OF_PARTICIPANT: &str = "
        SELECT l.id, l.interaction, l.carrier, l.carrier_id, l.kind, l.direction
        FROM legs l JOIN interactions i ON i.account = l.account AND i.id = l.interaction
        WHERE l.account = $1 AND i.session = $2 AND l.carrier_id IS NOT NULL
          AND (l.ended_at IS NOT NULL OR $4)
          AND (i.from_participant = $3 OR l.participant = $3
            OR (l.kind = 'call' AND EXISTS (SELECT 1 FROM legs o WHERE o.account = $1
                AND o.interaction = l.interaction AND o.participant = $3)))
        ORDER BY l.id";
    const OF_CALLER: &str = "
        SELECT l.id, l.interaction, l.carrier, l.carrier_id, l.kind, l.direction FROM legs l
        WHERE l.account = $1 AND l.carrier_id IS NOT NULL AND (l.ended_at IS NOT NULL OR $4)
          AND l.interaction IN (SELECT i.id FROM interactions i
            WHERE i.account = $1 AND i.person = $2 ORDER BY i.id LIMIT $3)
        ORDER BY l.id";
    const OF_VERIFIED: &str = "
        SELECT l.id, l.interaction, l.carrier, l.carrier_id, l.kind, l.direction FROM legs l
        WHERE l.account = $1 AND l.carrier_id IS NOT NULL AND (l.ended_at IS NOT NULL OR $3)
          AND l.id IN (SELECT s.leg FROM verification_sends s
            JOIN verifications v ON v.account = s.account AND v.id = s.verification
            WHERE v.account = $1 AND v.person = $2)
        ORDER BY l.id";
    const FORGET: &str = "UPDATE legs SET carrier_id = NULL WHERE account = $1 AND id = $2";
    let legs: Vec<Leg> = match of {
        Of::Participant(session, id) => on!(tx, |conn| sqlx::query_as(OF_PARTICIPANT)
            .bind(account)
            .bind(session)
            .bind(id)
            .bind(all)
            .fetch_all(conn)
            .await?),
        Of::Verified(person) => on!(tx, |conn| sqlx::query_as(OF_VERIFIED)
            .bind(account)
            .bind(person)
            .bind(all)
            .fetch_all(conn)
            .await?),
        Of::Caller(person, limit) => on!(tx, |conn| sqlx::query_as(OF_CALLER)
            .bind(account)
            .bind(person)
            .bind(limit)
            .bind(all)
            .fetch_all(conn)
            .await?),
    };
    let mut asked = AtCarriers::new();
    for leg in &legs {
        *asked.entry(leg.carrier.clone()).or_default() += 1;
        owe(tx, account, erasure, leg, now).await?;
        on!(tx, |conn| {
            sqlx::query(FORGET).bind(account).bind(&leg.id).execute(conn).await?;
        });
    }
    Ok(asked)
}

async fn owe(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    leg: &Leg,
    now: Timestamp,
) -> Result<(), Error> {
    let kind =
        Kind::parse(&leg.kind).ok_or(Error::Inconsistent { table: "legs", column: "kind" })?;
    let payload = json!([erasure, kind.as_str(), leg.direction == "inbound", leg.carrier_id]);
    let owed = NewEntry {
        kind: OutboxKind::DropRecord,
        session: None,
        interaction: &leg.interaction,
        leg: &leg.id,
        carrier: &leg.carrier,
        payload: &payload.to_string(),
        run_at: now,
        valid_until: now + ASKED_FOR,
        now,
    };
    outbox::insert(tx, account, &owed).await?;
    Ok(())
}

/// A record to delete at its carrier.
#[derive(Debug, Clone)]
pub struct Record {
    /// For which erasure.
    pub erasure: ErasureId,
    /// Of a text or of a call.
    pub kind: Kind,
    /// Whether it came in.
    pub inbound: bool,
    /// The carrier's id of it.
    pub id: String,
}

/// Which record an entry of the outbox is about.
///
/// # Errors
/// [`Error::Inconsistent`] if it does not say so.
pub async fn owed(tx: &mut Tx, entry: &outbox::Entry) -> Result<Record, Error> {
    let text = outbox::payload(tx, entry).await?;
    let bad = || Error::Inconsistent { table: "outbox", column: "payload" };
    let (erasure, kind, inbound, id): (String, String, bool, String) =
        serde_json::from_str(&text).map_err(|_| bad())?;
    Ok(Record {
        erasure: ErasureId::parse(&erasure).map_err(|_| bad())?,
        kind: Kind::parse(&kind).ok_or_else(bad)?,
        inbound,
        id,
    })
}

/// Counts what became of a carrier's record, for the receipt.
pub async fn note(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    carrier: &str,
    became: Became,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(mut one) = erasures::lock(tx, account, erasure).await? else { return Ok(()) };
    one.count_at(carrier, became, 1);
    erasures::update(tx, account, &one, now).await
}
