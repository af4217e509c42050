//! What stands beside the log of calls and texts: webhooks, requests, deliveries, files, recordings, findings and
//! blocks. For whoever looks into them: many at a time, each read bounded by what is asked about.

use super::{
    Error, Tx, accounts,
    blocks::BlockedBy,
    db::on,
    deliveries::DeliveryState,
    from_text,
    inbox::EventKey,
    media::{MediaState, Purpose},
    outbox::{OutboxKind, OutboxState},
    sessions::listed,
};
use crate::{
    domain::{
        content::{ContentKind, Fate},
        recording::{RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::{AccountId, EventId, InteractionId, LegId},
    privacy::Person,
};

/// The most rows of one kind that are read for the calls and texts of one page.
const MOST: i64 = 2000;

/// What a carrier told us that began a call or text.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// What it began.
    pub interaction: InteractionId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// When it came.
    pub at: Timestamp,
    /// The plan that was its answer; empty where none was or it can't be opened any more. It holds numbers.
    pub answer: String,
}

/// The webhooks that began these, in the order in which they came.
pub async fn webhooks(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Webhook>, Error> {
    type Row = (InteractionId, String, String, String, String, i64);
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT interaction, carrier, kind, event, answer, received_at FROM inbox WHERE account = ",
        );
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY received_at, carrier, kind, event LIMIT ").push_bind(MOST);
        q.build_query_as().fetch_all(conn).await?
    });
    let keys = accounts::keys(tx, account).await?;
    let open = |(interaction, carrier, kind, event, sealed, at): Row| {
        let key = EventKey { carrier: &carrier, kind: &kind, event: &event };
        let answer = match sealed.as_str() {
            "" => String::new(),
            // A page of what happened is no reason to fail over one answer.
            sealed => keys.data.open_text(sealed, &key.context()).unwrap_or_default(),
        };
        Webhook { interaction, answer, at: Timestamp::from_millis(at), carrier }
    };
    Ok(rows.into_iter().map(open).collect())
}

/// Something that we owed a carrier.
#[derive(Debug, Clone)]
pub struct Request {
    /// For which leg.
    pub leg: LegId,
    /// What.
    pub kind: OutboxKind,
    /// How far it has come.
    pub state: OutboxState,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was owed.
    pub at: Timestamp,
    /// When it was first tried, if ever.
    pub tried_at: Option<Timestamp>,
}

/// What we owed carriers for these legs, in the order in which it was owed.
pub async fn requests(
    tx: &mut Tx,
    account: &AccountId,
    legs: &[LegId],
) -> Result<Vec<Request>, Error> {
    type Row = (LegId, String, String, i64, i64, Option<i64>);
    if legs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT leg, kind, state, attempts, created_at, tried_at FROM outbox WHERE account = ",
        );
        q.push_bind(account).push(" AND leg");
        listed!(q, legs);
        q.push(" ORDER BY created_at, id LIMIT ").push_bind(MOST);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(leg, kind, state, attempts, at, tried_at)| {
            Ok(Request {
                leg,
                kind: from_text!("outbox"."kind", OutboxKind::parse, &kind)?,
                state: from_text!("outbox"."state", OutboxState::parse, &state)?,
                attempts,
                at: Timestamp::from_millis(at),
                tried_at: tried_at.map(Timestamp::from_millis),
            })
        })
        .collect()
}

/// How far an event has come to the endpoints that it is for.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The event.
    pub event: EventId,
    /// How far.
    pub state: DeliveryState,
    /// To how many endpoints it has come so far.
    pub endpoints: i64,
    /// The most tries that one of them took.
    pub attempts: i64,
    /// When the last of them ended, if they did.
    pub ended_at: Option<Timestamp>,
}

/// How far these events have come: a row for each and each state.
pub async fn delivered(
    tx: &mut Tx,
    account: &AccountId,
    events: &[EventId],
) -> Result<Vec<Delivered>, Error> {
    type Row = (EventId, String, i64, i64, Option<i64>);
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT d.event, d.state, COUNT(*), MAX(d.attempts), MAX(d.ended_at)
            FROM endpoints e JOIN deliveries d ON d.account = e.account AND d.endpoint = e.id
            WHERE e.account = ",
        );
        q.push_bind(account).push(" AND d.event");
        listed!(q, events);
        q.push(" GROUP BY d.event, d.state ORDER BY d.event, d.state");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(event, state, endpoints, attempts, ended_at)| {
            Ok(Delivered {
                event,
                state: from_text!("deliveries"."state", DeliveryState::parse, &state)?,
                endpoints,
                attempts,
                ended_at: ended_at.map(Timestamp::from_millis),
            })
        })
        .collect()
}

/// A picture, a file, or what a caller said.
#[derive(Debug, Clone)]
pub struct File {
    /// The call or text that it belongs to.
    pub interaction: InteractionId,
    /// What it came with.
    pub purpose: Purpose,
    /// How far it has come.
    pub state: MediaState,
    /// How long a message is, in seconds, where its carrier told.
    pub seconds: Option<i64>,
}

/// The files of these that are still known of.
pub async fn files(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<File>, Error> {
    type Row = (InteractionId, String, String, Option<i64>);
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT interaction, purpose, state, seconds FROM media WHERE account = ",
        );
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction, position, id LIMIT ").push_bind(MOST);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(interaction, purpose, state, seconds)| {
            Ok(File {
                interaction,
                purpose: from_text!("media"."purpose", Purpose::parse, &purpose)?,
                state: from_text!("media"."state", MediaState::parse, &state)?,
                seconds,
            })
        })
        .collect()
}

/// How far the recording of a call has come.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The call.
    pub interaction: InteractionId,
    /// How far.
    pub state: RecordingState,
    /// Why nothing of it is kept, once that is certain.
    pub loss: Option<RecordingLoss>,
}

/// The recordings of these calls.
pub async fn recordings(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Recorded>, Error> {
    type Row = (InteractionId, String, Option<String>);
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT interaction, state, loss FROM recordings WHERE account = ",
        );
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(interaction, state, loss)| {
            Ok(Recorded {
                interaction,
                state: from_text!("recordings"."state", RecordingState::parse, &state)?,
                loss: loss
                    .map(|text| from_text!("recordings"."loss", RecordingLoss::parse, &text))
                    .transpose()?,
            })
        })
        .collect()
}

/// What somebody answered who was asked whether a call may be recorded.
#[derive(Debug, Clone)]
pub struct Agreed {
    /// The call.
    pub interaction: InteractionId,
    /// Their leg.
    pub leg: LegId,
    /// Whether they agreed.
    pub agreed: bool,
    /// The language in which they were asked.
    pub language: String,
}

/// What people of these calls answered.
pub async fn consents(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Agreed>, Error> {
    type Row = (InteractionId, LegId, bool, String);
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT interaction, leg, agreed, language FROM recording_consents WHERE account = ",
        );
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction, leg LIMIT ").push_bind(MOST);
        q.build_query_as().fetch_all(conn).await?
    });
    let row = |(interaction, leg, agreed, language)| Agreed { interaction, leg, agreed, language };
    Ok(rows.into_iter().map(row).collect())
}

/// What was found in a text.
#[derive(Debug, Clone)]
pub struct Found {
    /// The text.
    pub interaction: InteractionId,
    /// What became of it.
    pub fate: Fate,
    /// What was found.
    pub kinds: Vec<ContentKind>,
}

/// What was found in these texts.
pub async fn findings(
    tx: &mut Tx,
    account: &AccountId,
    interactions: &[InteractionId],
) -> Result<Vec<Found>, Error> {
    type Row = (InteractionId, String, String);
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT interaction, fate, kinds FROM text_findings WHERE account = ",
        );
        q.push_bind(account).push(" AND interaction");
        listed!(q, interactions);
        q.push(" ORDER BY interaction");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(interaction, fate, kinds)| {
            Ok(Found {
                interaction,
                fate: from_text!("text_findings"."fate", Fate::parse, &fate)?,
                kinds: kinds.split(' ').filter_map(ContentKind::parse).collect(),
            })
        })
        .collect()
}

/// That nothing passes between two people.
#[derive(Debug, Clone)]
pub struct Block {
    /// Who wants it so.
    pub blocker: Person,
    /// Whom they want nothing from.
    pub blocked: Person,
    /// Who set it.
    pub by: BlockedBy,
    /// Since when.
    pub at: Timestamp,
}

/// The blocks among these people.
pub async fn blocks(
    tx: &mut Tx,
    account: &AccountId,
    people: &[Person],
) -> Result<Vec<Block>, Error> {
    type Row = (Person, Person, String, i64);
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT blocker, blocked, source, created_at FROM blocks WHERE account = ",
        );
        q.push_bind(account).push(" AND blocker");
        listed!(q, people);
        q.push(" AND blocked");
        listed!(q, people);
        q.push(" ORDER BY created_at, blocker, blocked LIMIT ").push_bind(MOST);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(blocker, blocked, by, at)| {
            Ok(Block {
                blocker,
                blocked,
                by: from_text!("blocks"."source", BlockedBy::parse, &by)?,
                at: Timestamp::from_millis(at),
            })
        })
        .collect()
}
