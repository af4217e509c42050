//! Rows of open sessions in bulk: to fill a database, and as the raw reference of a group commit.

use std::{collections::HashMap, time::Duration};

use entremise::{
    clock::Clock,
    ids::{Entropy as _, EventId, Ids, ParticipantId, SessionId, SystemEntropy, hex},
    store::accounts,
};
use sqlx::{Postgres, QueryBuilder, Sqlite};

use crate::{
    Result,
    report::step,
    world::{PEOPLE, POOL, Raw, World, chance, person},
};

/// How many sessions go in with one statement for each table.
const CHUNK: usize = 500;

/// What a session's rows have in common, read from one that the relay opened.
#[derive(Debug)]
pub(crate) struct Pattern {
    account: String,
    service: String,
    data_key: String,
    identifier: String,
    event_data: String,
    ring: String,
    numbers: Vec<(String, String)>,
    ids: Ids,
    clock: Clock,
}

/// One participant of a session to write.
#[derive(Debug, Clone)]
struct Side {
    id: String,
    role: &'static str,
    person: String,
    other: String,
    number: usize,
}

/// The rows of one session.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    session: String,
    events: [String; 3],
    sides: [Side; 2],
    at: i64,
}

/// How many rows a session is: itself, and for each side a participant, a hold, a place in the
/// ring and an event, and the event of its opening.
pub(crate) const ROWS: u64 = 10;

impl Pattern {
    /// Opens one session in `world` and reads how its rows look.
    pub(crate) async fn read(world: &World) -> Result<Self> {
        let live = world.open().await?;
        let new = world.session(0, PEOPLE / 2)?;
        live.session(&world.account, new).await?;
        live.close().await;
        let mut raw = world.raw().await?;
        let numbers = match &mut raw {
            Raw::Sqlite(conn) => {
                sqlx::query_as("SELECT id, number FROM numbers ORDER BY place")
                    .fetch_all(conn)
                    .await?
            }
            Raw::Postgres(conn) => {
                sqlx::query_as("SELECT id, number FROM numbers ORDER BY place")
                    .fetch_all(conn)
                    .await?
            }
        };
        let pattern = Self {
            account: world.account.as_str().to_owned(),
            service: world.service.as_str().to_owned(),
            data_key: raw.text("SELECT data_key FROM sessions").await?,
            identifier: raw.text("SELECT identifier FROM participants LIMIT 1").await?,
            event_data: raw
                .text("SELECT data FROM events WHERE type = 'participant.added' LIMIT 1")
                .await?,
            ring: raw.text("SELECT ring FROM rings LIMIT 1").await?,
            numbers,
            ids: Ids::default(),
            clock: Clock::system(),
        };
        raw.close().await?;
        Ok(pattern)
    }

    fn bundle(&self, sides: [(String, usize); 2]) -> Bundle {
        let now = self.clock.now();
        let event = || self.ids.make::<EventId>(now).as_str().to_owned();
        let [(seller, first), (buyer, second)] = sides;
        let side = |role, person: &str, other: &str, number| Side {
            id: self.ids.make::<ParticipantId>(now).as_str().to_owned(),
            role,
            person: person.to_owned(),
            other: other.to_owned(),
            number,
        };
        Bundle {
            session: self.ids.make::<SessionId>(now).as_str().to_owned(),
            events: [event(), event(), event()],
            sides: [side("seller", &seller, &buyer, first), side("buyer", &buyer, &seller, second)],
            at: now.millis(),
        }
    }

    /// The rows of a session between two people whom nobody knows.
    pub(crate) fn strangers(&self) -> Bundle {
        let stranger = || {
            let mut bytes = [0; 16];
            SystemEntropy.fill(&mut bytes);
            (hex(&bytes), usize::try_from(chance(POOL)).unwrap_or(0))
        };
        self.bundle([stranger(), stranger()])
    }
}

macro_rules! insert {
    ($raw:expr, $sql:expr, $rows:expr, |$b:ident, $row:ident| $bind:block) => {
        match $raw {
            Raw::Sqlite(conn) => {
                let mut query = QueryBuilder::<Sqlite>::new($sql);
                query.push_values($rows, |mut $b, $row| $bind);
                query.build().execute(&mut *conn).await?;
            }
            Raw::Postgres(conn) => {
                let mut query = QueryBuilder::<Postgres>::new($sql);
                query.push_values($rows, |mut $b, $row| $bind);
                query.build().execute(&mut *conn).await?;
            }
        }
    };
}

/// Writes sessions with few statements. The caller has the transaction.
pub(crate) async fn write(raw: &mut Raw, pattern: &Pattern, all: &[Bundle]) -> Result<()> {
    const SESSIONS: &str = "INSERT INTO sessions (account, id, service, state, mode, ttl, \
        expires_at, metadata, data_key, events, version, created_at, updated_at) ";
    const PEOPLE: &str = "INSERT INTO participants (account, id, session, role, position, person, \
        calling_code, identifier, number_id, number, created_at) ";
    const EVENTS: &str = "INSERT INTO events \
        (account, id, type, service, session, sequence, data, created_at) ";
    let ttl = i64::try_from(Duration::from_hours(720).as_millis())?;
    insert!(raw, SESSIONS, all, |b, one| {
        b.push_bind(&pattern.account)
            .push_bind(&one.session)
            .push_bind(&pattern.service)
            .push_bind("open")
            .push_bind("voice-and-message")
            .push_bind(ttl)
            .push_bind(one.at + ttl)
            .push_bind("{}")
            .push_bind(&pattern.data_key)
            .push_bind(3_i64)
            .push_bind(1_i64)
            .push_bind(one.at)
            .push_bind(one.at);
    });
    let sides = || all.iter().flat_map(|one| (0_i64..).zip(&one.sides).map(move |s| (one, s)));
    insert!(raw, PEOPLE, sides(), |b, row| {
        let (one, (position, side)) = row;
        b.push_bind(&pattern.account)
            .push_bind(&side.id)
            .push_bind(&one.session)
            .push_bind(side.role)
            .push_bind(position)
            .push_bind(&side.person)
            .push_bind(33_i64)
            .push_bind(&pattern.identifier)
            .push_bind(&pattern.numbers[side.number].0)
            .push_bind(&pattern.numbers[side.number].1)
            .push_bind(one.at);
    });
    holds(raw, pattern, all).await?;
    let events = all.iter().flat_map(|one| (0_i64..).zip(&one.events).map(move |e| (one, e)));
    insert!(raw, EVENTS, events, |b, row| {
        let (one, (place, event)) = row;
        let (kind, data) = if place == 0 {
            ("session.created", "{}")
        } else {
            ("participant.added", pattern.event_data.as_str())
        };
        b.push_bind(&pattern.account)
            .push_bind(event)
            .push_bind(kind)
            .push_bind(&pattern.service)
            .push_bind(&one.session)
            .push_bind(place + 1)
            .push_bind(data)
            .push_bind(one.at);
    });
    Ok(())
}

async fn holds(raw: &mut Raw, pattern: &Pattern, all: &[Bundle]) -> Result<()> {
    const HOLDS: &str = "INSERT INTO holds \
        (account, number_id, person, state, session, participant, counterpart, taken_at) ";
    let sides = || all.iter().flat_map(|one| one.sides.iter().map(move |side| (one, side)));
    insert!(raw, HOLDS, sides(), |b, row| {
        let (one, side) = row;
        b.push_bind(&pattern.account)
            .push_bind(&pattern.numbers[side.number].0)
            .push_bind(&side.person)
            .push_bind("open")
            .push_bind(&one.session)
            .push_bind(&side.id)
            .push_bind(&side.other)
            .push_bind(one.at);
    });
    rings(raw, pattern, all.iter().flat_map(|one| &one.sides)).await
}

async fn rings(raw: &mut Raw, pattern: &Pattern, sides: impl Iterator<Item = &Side>) -> Result<()> {
    const RINGS: &str = "INSERT INTO rings (account, person, ring, place) ";
    // Somebody with several sessions in one chunk has one place: the last.
    let last: HashMap<&str, usize> =
        sides.map(|side| (side.person.as_str(), side.number)).collect();
    let last: Vec<(&str, i64)> = last
        .into_iter()
        .map(|(person, number)| Ok((person, i64::try_from(number)?)))
        .collect::<Result<_>>()?;
    macro_rules! upsert {
        ($conn:expr, $engine:ty) => {{
            let mut query = QueryBuilder::<$engine>::new(RINGS);
            query.push_values(&last, |mut b, (person, place)| {
                b.push_bind(&pattern.account)
                    .push_bind(*person)
                    .push_bind(&pattern.ring)
                    .push_bind(*place);
            });
            query.push(" ON CONFLICT (account, person, ring) DO UPDATE SET place = excluded.place");
            query.build().execute(&mut *$conn).await?;
        }};
    }
    match raw {
        Raw::Sqlite(conn) => upsert!(conn, Sqlite),
        Raw::Postgres(conn) => upsert!(conn, Postgres),
    }
    Ok(())
}

/// Fills a world with `count` open sessions of the people whom it knows. The rows are as the relay
/// writes them, but that their sealed texts are copies of one session's and open nowhere.
pub(crate) async fn fill(world: &World, pattern: &Pattern, count: u32) -> Result<()> {
    let live = world.open().await?;
    let mut tx = live.relay.db().read().await?;
    let keys = accounts::keys(&mut tx, &world.account).await?;
    drop(tx);
    let people: Vec<String> = (0..PEOPLE)
        .map(|place| Ok(keys.index.person(&person(place)?.canonical()).as_str().to_owned()))
        .collect::<Result<_>>()?;
    live.close().await;
    let pool = usize::try_from(POOL)?;
    // The pattern's two people have a number already.
    let mut next: Vec<usize> = (0..PEOPLE).map(|_| chance(POOL).try_into().unwrap_or(0)).collect();
    let mut left: Vec<usize> = vec![pool - 1; people.len()];
    let mut raw = world.raw().await?;
    if matches!(raw, Raw::Sqlite(_)) {
        raw.run("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000").await?;
    } else {
        raw.run("SET synchronous_commit = off").await?;
    }
    let mut bundles = Vec::with_capacity(CHUNK);
    let mut written = 1;
    while written < count {
        let half = PEOPLE / 2;
        let mut side = |place: u32| {
            let place = usize::try_from(place).unwrap_or(0);
            // Nobody takes a number twice, and two people keep theirs out of the way.
            if left[place] == 0 || place == 0 || place == people.len() / 2 {
                return None;
            }
            left[place] -= 1;
            next[place] = (next[place] + 1) % pool;
            Some((people[place].clone(), next[place]))
        };
        if let (Some(seller), Some(buyer)) = (side(chance(half)), side(half + chance(half))) {
            bundles.push(pattern.bundle([seller, buyer]));
            written += 1;
        }
        if bundles.len() == CHUNK || written == count {
            raw.run("BEGIN").await?;
            write(&mut raw, pattern, &bundles).await?;
            raw.run("COMMIT").await?;
            bundles.clear();
        }
        if written % 200_000 == 0 {
            step(&format!("{written} sessions written"));
        }
    }
    match raw {
        Raw::Sqlite(_) => raw.run("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize").await?,
        // What its own cleaner would have done by then.
        Raw::Postgres(_) => raw.run("VACUUM ANALYZE").await?,
    }
    raw.close().await
}

/// Writes rows of the log that belong to nothing. The caller has the transaction.
pub(crate) async fn write_events(raw: &mut Raw, pattern: &Pattern, many: usize) -> Result<()> {
    const EVENTS: &str = "INSERT INTO events \
        (account, id, type, service, session, sequence, data, created_at) ";
    let now = pattern.clock.now();
    let session = pattern.ids.make::<SessionId>(now);
    insert!(raw, EVENTS, 0..many, |b, _place| {
        b.push_bind(&pattern.account)
            .push_bind(pattern.ids.make::<EventId>(now).as_str().to_owned())
            .push_bind("call.started")
            .push_bind(&pattern.service)
            .push_bind(session.as_str())
            .push_bind(1_i64)
            .push_bind(&pattern.event_data)
            .push_bind(now.millis());
    });
    Ok(())
}
