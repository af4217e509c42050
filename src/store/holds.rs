//! Holds: the routing key and the masking invariant in one table; and what choosing the next one
//! needs: rings and sticky numbers.

use std::collections::HashMap;

use super::{Error, Tx, db::on, from_text, numbers::proxy, sessions::listed};
use crate::{
    domain::{
        phone::{ProxyNumber, Registration},
        pool::{Capabilities, Kind},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, ServiceId, SessionId},
    privacy::{Counterpart, Person},
};

/// The claim "this person, on this number, means this session".
#[derive(Debug, Clone)]
pub struct Hold {
    /// The session.
    pub session: SessionId,
    /// The participant that the person is in it.
    pub participant: ParticipantId,
    /// Whether it is open; else it is kept in quarantine.
    pub open: bool,
    /// Until when a quarantined one is kept.
    pub release_at: Option<Timestamp>,
}

/// A hold to take.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The number.
    pub number: &'a NumberId,
    /// The person.
    pub person: &'a Person,
    /// The session.
    pub session: &'a SessionId,
    /// The participant.
    pub participant: &'a ParticipantId,
    /// The other side.
    pub counterpart: &'a Counterpart,
}

/// Takes a hold; whether it was free. Free is: none, one whose quarantine is over, or one in
/// quarantine after the same counterparts (a late call then reaches the same person). The
/// database's key decides (I1, I4). Of a number that was retired, or that sessions share, none is free; one that is being
/// retired is waited for, and whoever retires it waits for us.
pub async fn take(tx: &mut Tx, claim: Claim<'_>, now: Timestamp) -> Result<bool, Error> {
    macro_rules! take {
        ($locked:literal) => {
            concat!(
                "INSERT INTO holds (account, number_id, person, state, release_at, session,
                    participant, counterpart, taken_at)
                SELECT n.account, n.id, $3, 'open', CAST(NULL AS BIGINT), $4, $5, $6, $7
                FROM numbers n WHERE n.account = $1 AND n.id = $2 AND n.state <> 'retired'
                  AND NOT n.shared",
                $locked,
                " ON CONFLICT (account, number_id, person) DO UPDATE
                SET state = 'open', release_at = NULL, session = excluded.session,
                    participant = excluded.participant, counterpart = excluded.counterpart,
                    taken_at = excluded.taken_at
                WHERE holds.state = 'quarantined'
                  AND (holds.release_at <= $8 OR holds.counterpart = excluded.counterpart)"
            )
        };
    }
    // Shared: any number of people take the same number at once. Nothing on that way writes its row.
    let sql = if tx.locks() { take!(" FOR SHARE OF n") } else { take!("") };
    let free = tx.certain(now);
    let done = on!(tx, |conn| sqlx::query(sql)
        .bind(claim.account)
        .bind(claim.number)
        .bind(claim.person)
        .bind(claim.session)
        .bind(claim.participant)
        .bind(claim.counterpart)
        .bind(now.millis())
        .bind(free.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

pub(super) const FIND: &str = "
    SELECT session, participant, state, release_at FROM holds
    WHERE account = $1 AND number_id = $2 AND person = $3";

/// Where a person's calls and texts to a number lead.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    person: &Person,
) -> Result<Option<Hold>, Error> {
    let row: Option<(SessionId, ParticipantId, String, Option<i64>)> =
        on!(tx, |conn| sqlx::query_as(FIND)
            .bind(account)
            .bind(number)
            .bind(person)
            .fetch_optional(conn)
            .await?);
    Ok(row.map(|(session, participant, state, release_at)| Hold {
        session,
        participant,
        open: state == "open",
        release_at: release_at.map(Timestamp::from_millis),
    }))
}

/// Puts a session's open holds into quarantine until `release_at`; all of them, or one
/// participant's.
pub async fn quarantine(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: Option<&ParticipantId>,
    release_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE holds SET state = 'quarantined', release_at = $3
        WHERE account = $1 AND session = $2 AND state = 'open'
          AND (participant = $4 OR $4 = '')";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(session)
            .bind(release_at.millis())
            .bind(participant.map_or("", ParticipantId::as_str))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Tells a session's open holds who the other side is now.
pub async fn set_counterpart(
    tx: &mut Tx,
    account: &AccountId,
    participant: &ParticipantId,
    session: &SessionId,
    counterpart: &Counterpart,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE holds SET counterpart = $4
        WHERE account = $1 AND session = $2 AND participant = $3 AND state = 'open'";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(session)
            .bind(participant)
            .bind(counterpart)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A number that a person holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its country.
    pub country: String,
    /// Its area.
    pub area: String,
    /// When it is free again; `None` while its session is open.
    pub release_at: Option<Timestamp>,
}

/// What a person holds in a service's pool at `now`, open or in quarantine.
pub async fn held(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    person: &Person,
    now: Timestamp,
) -> Result<Vec<Held>, Error> {
    const SQL: &str = "
        SELECT n.country, n.area, h.release_at
        FROM holds h JOIN numbers n ON n.account = h.account AND n.id = h.number_id
        WHERE h.account = $1 AND h.person = $2 AND n.service = $3
          AND (h.state = 'open' OR h.release_at > $4)
        ORDER BY h.number_id";
    let now = tx.certain(now);
    let rows: Vec<(String, String, Option<i64>)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(service)
        .bind(now.millis())
        .fetch_all(conn)
        .await?);
    Ok(rows
        .into_iter()
        .map(|(country, area, at)| Held {
            country,
            area,
            release_at: at.map(Timestamp::from_millis),
        })
        .collect())
}

/// A number that a person holds, and for which session.
#[derive(Debug, Clone)]
pub struct HeldNumber {
    /// The number.
    pub number: ProxyNumber,
    /// Its country.
    pub country: String,
    /// Its area.
    pub area: String,
    /// What it is.
    pub kind: Kind,
    /// The session.
    pub session: SessionId,
    /// When it is free again; `None` while its session is open.
    pub release_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    number: String,
    country: String,
    area: String,
    carrier: String,
    capabilities: String,
    registration: String,
    barred: bool,
    session: SessionId,
    release_at: Option<i64>,
}

/// What a person holds of a service's active numbers at `now`, open or in quarantine, in order of the numbers' ids,
/// `limit` at most.
pub async fn held_numbers(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    person: &Person,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<HeldNumber>, Error> {
    const SQL: &str = "
        SELECT n.number, n.country, n.area, n.carrier, n.capabilities, n.registration, n.barred,
            h.session, h.release_at
        FROM holds h JOIN numbers n ON n.account = h.account AND n.id = h.number_id
        WHERE h.account = $1 AND h.person = $2 AND n.service = $3 AND n.state = 'active'
          AND NOT n.reserved AND NOT n.shared AND (h.state = 'open' OR h.release_at > $4)
        ORDER BY h.number_id LIMIT $5";
    let now = tx.certain(now);
    let rows: Vec<HeldRow> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(service)
        .bind(now.millis())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter()
        .map(|row| {
            Ok(HeldNumber {
                number: proxy(&row.number)?,
                country: row.country,
                area: row.area,
                kind: Kind {
                    carrier: row.carrier,
                    capabilities: from_text!(
                        "numbers"."capabilities",
                        Capabilities::parse,
                        &row.capabilities
                    )?,
                    registration: from_text!(
                        "numbers"."registration",
                        Registration::parse,
                        &row.registration
                    )?,
                    barred: row.barred,
                },
                session: row.session,
                release_at: row.release_at.map(Timestamp::from_millis),
            })
        })
        .collect()
}

/// How many people hold a number, counted up to `most`.
pub async fn load(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    most: i64,
) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (
            SELECT 1 FROM holds WHERE account = $1 AND number_id = $2 LIMIT $3) AS counted";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(number)
        .bind(most)
        .fetch_one(conn)
        .await?))
}

/// Without the holds `h` of numbers that their people were moved off.
macro_rules! dialled {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM participants p
            WHERE p.account = h.account AND p.id = h.participant AND p.number_id <> h.number_id)"
    };
}
pub(super) use dialled;

/// How many people dial a number in open sessions. Whoever was moved off it does not: their hold of
/// it stays, and keeps others from the pair, also where the number leaves and comes back.
pub async fn open_on(tx: &mut Tx, account: &AccountId, number: &NumberId) -> Result<i64, Error> {
    const SQL: &str = concat!(
        "
        SELECT COUNT(*) FROM holds h
        WHERE h.account = $1 AND h.number_id = $2 AND h.state = 'open'",
        dialled!()
    );
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(number).fetch_one(conn).await?))
}

/// Opens the holds again that a closed session had besides those of the numbers that its people dial:
/// of numbers that they were moved off or on to. Nobody else has taken them: they name the session.
pub async fn reopen_beside(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE holds SET state = 'open', release_at = NULL, taken_at = $3
        WHERE account = $1 AND session = $2 AND state = 'quarantined'
          AND EXISTS (SELECT 1 FROM participants p
            WHERE p.account = holds.account AND p.id = holds.participant
              AND p.session = holds.session AND p.removed_at IS NULL)";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// A number of a carrier by which a session's participant is meant, besides the one that they dial: one
/// that they were moved off or on to. The last taken of several.
pub async fn beside_at(
    tx: &mut Tx,
    account: &AccountId,
    participant: &ParticipantId,
    session: &SessionId,
    carrier: &str,
) -> Result<Option<ProxyNumber>, Error> {
    const SQL: &str = "
        SELECT n.number FROM holds h
        JOIN numbers n ON n.account = h.account AND n.id = h.number_id
        WHERE h.account = $1 AND h.session = $2 AND h.participant = $3 AND h.state = 'open'
          AND n.carrier = $4 AND n.state <> 'retired'
        ORDER BY h.taken_at DESC, n.id LIMIT 1";
    let found: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .bind(participant)
        .bind(carrier)
        .fetch_optional(conn)
        .await?);
    found.as_deref().map(proxy).transpose()
}

// SQLite joins in this order, whatever it knows of the tables: what a person holds is little, and a pool is not.
pub(super) const KNOWN_BESIDES: &str = "
    SELECT h.number_id FROM holds own CROSS JOIN holds h CROSS JOIN numbers n
    WHERE own.account = $1 AND own.person = $2 AND own.number_id = $3
      AND h.account = $1 AND h.person = $2 AND h.number_id <> $3
      AND n.account = $1 AND n.id = h.number_id AND n.service = $4 AND n.state <> 'retired'
      AND ((h.state = 'open' AND h.session = $5)
        OR (h.state = 'quarantined' AND h.counterpart = own.counterpart))
    ORDER BY h.taken_at DESC, h.number_id LIMIT 8";

/// Numbers of a service by which a session's participant knows the other side, besides the one that they
/// dial: those that they were moved off or on to, and those of earlier sessions with the same people. The
/// last taken first, eight at most. One of an earlier session is to be taken before it is used.
pub async fn known_besides(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    session: &SessionId,
    person: &Person,
    dialled: &NumberId,
) -> Result<Vec<NumberId>, Error> {
    Ok(on!(tx, |conn| sqlx::query_scalar(KNOWN_BESIDES)
        .bind(account)
        .bind(person)
        .bind(dialled)
        .bind(service)
        .bind(session)
        .fetch_all(conn)
        .await?))
}

/// Until when people hold a number at `now`: `None` if nobody does, `Some(None)` while somebody dials it
/// in an open session, and the end of time while somebody has one who was moved off it.
pub async fn held_until(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    now: Timestamp,
) -> Result<Option<Option<Timestamp>>, Error> {
    const SQL: &str = concat!(
        "
        SELECT COUNT(*), CAST(MAX(CASE WHEN h.state = 'open'",
        dialled!(),
        " THEN 1 ELSE 0 END) AS BIGINT),
            CAST(MAX(CASE WHEN h.state = 'open' THEN $4 ELSE h.release_at END) AS BIGINT)
        FROM holds h
        WHERE h.account = $1 AND h.number_id = $2 AND (h.state = 'open' OR h.release_at > $3)"
    );
    let free = tx.certain(now);
    let (held, open, until): (i64, Option<i64>, Option<i64>) = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(number)
        .bind(free.millis())
        .bind(Timestamp::MAX.millis())
        .fetch_one(conn)
        .await?);
    let until = until.filter(|_| open != Some(1)).map(Timestamp::from_millis);
    Ok((held > 0).then_some(until))
}

/// In how many open sessions somebody dials each of these numbers; those in none are left out.
pub async fn sessions_on(
    tx: &mut Tx,
    account: &AccountId,
    numbers: &[NumberId],
) -> Result<HashMap<NumberId, i64>, Error> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(NumberId, i64)> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT h.number_id, COUNT(DISTINCT h.session) FROM holds h WHERE h.account = ",
        );
        q.push_bind(account).push(" AND h.state = 'open' AND h.number_id");
        listed!(q, numbers);
        q.push(concat!(dialled!(), " GROUP BY h.number_id"));
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// Whether somebody has an open session of the account.
pub async fn any_open(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM holds WHERE account = $1 AND person = $2 AND state = 'open' LIMIT 1
        ) AS found";
    let found: i64 =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(person).fetch_one(conn).await?);
    Ok(found > 0)
}

/// The person's place in a ring, and its row locked: whoever else allocates for the same person
/// waits. `None` the first time.
pub async fn ring_place(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    ring: &str,
) -> Result<Option<i64>, Error> {
    // A row that was just made has no place yet.
    const SQL: &str = "
        INSERT INTO rings (account, person, ring, place) VALUES ($1, $2, $3, -1)
        ON CONFLICT (account, person, ring) DO UPDATE SET place = rings.place
        RETURNING place";
    let place: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(person)
        .bind(ring)
        .fetch_one(conn)
        .await?);
    Ok((place >= 0).then_some(place))
}

/// Moves the person's place in a ring.
pub async fn set_ring_place(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    ring: &str,
    place: i64,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE rings SET place = $4 WHERE account = $1 AND person = $2 AND ring = $3";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(person).bind(ring).bind(place).execute(conn).await?;
    });
    Ok(())
}

/// The number that a person last had with these counterparts.
pub async fn sticky(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    person: &Person,
    counterpart: &Counterpart,
) -> Result<Option<NumberId>, Error> {
    const SQL: &str = "
        SELECT number_id FROM sticky_numbers
        WHERE account = $1 AND service = $2 AND person = $3 AND counterpart = $4";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(service)
        .bind(person)
        .bind(counterpart)
        .fetch_optional(conn)
        .await?))
}

/// Keeps, for everybody in a session that ends, which number they dialled last with whom. A hold of
/// a number that they were moved off is passed over.
pub async fn keep_sticky(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = concat!(
        "INSERT INTO sticky_numbers (account, service, person, counterpart, number_id, closed_at)
        SELECT h.account, $2, h.person, h.counterpart, h.number_id, $4 FROM holds h
        WHERE h.account = $1 AND h.session = $3 AND h.state = 'open'",
        dialled!(),
        " ON CONFLICT (account, service, person, counterpart) DO UPDATE
        SET number_id = excluded.number_id, closed_at = excluded.closed_at"
    );
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(service)
            .bind(session)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// How many pairs of person and number mean more than one live session: none (I1). For tests and
/// `check`. It looks at the people of the sessions, since the key of the holds hides a double. On a number that
/// sessions share it is the PIN that means one of them.
pub async fn doubled(tx: &mut Tx) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (
            SELECT 1 FROM participants p
            JOIN sessions s ON s.account = p.account AND s.id = p.session
            WHERE s.state <> 'closed' AND p.removed_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM numbers n
                WHERE n.account = p.account AND n.id = p.number_id AND n.shared)
            GROUP BY p.account, p.number_id, p.person HAVING COUNT(*) > 1) AS doubles";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).fetch_one(conn).await?))
}
