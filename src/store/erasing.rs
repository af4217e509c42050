//! What erasing a person does to the tables: their own goes, what others need is sealed again under a new key.

use super::{
    Error, Tx, accounts,
    carrier_records::{self, AtCarriers, Of},
    db::on,
    erasures::Entry,
    idempotency, interactions, master_keys, participants, reports, session_notes,
    sessions::{self, Session},
    text_findings,
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, ErasureId, ParticipantId, SessionId, hex},
    privacy::{DataKey, Person},
};

/// The calls and texts `$1` account, `$2` session, `$3` participant began or were to get.
macro_rules! involved {
    () => {
        "(SELECT i.id FROM interactions i WHERE i.account = $1 AND i.session = $2
          AND (i.from_participant = $3 OR EXISTS (SELECT 1 FROM legs l
            WHERE l.account = $1 AND l.interaction = i.id AND l.participant = $3)))"
    };
}

/// The calls and texts whose caller is known by the hash `$2`, the first `$3`.
macro_rules! of_caller {
    () => {
        "(SELECT i.id FROM interactions i WHERE i.account = $1 AND i.person = $2
          ORDER BY i.id LIMIT $3)"
    };
}

const ANSWERS: &str = concat!(
    "UPDATE inbox SET answer = '' WHERE account = $1 AND answer <> '' AND interaction IN ",
    involved!()
);
const SCRIPTS: &str = concat!(
    "DELETE FROM call_scripts WHERE account = $1 AND leg IN (
        SELECT own.id FROM legs own WHERE own.account = $1 AND own.interaction IN ",
    involved!(),
    ")"
);
const ECHOES: &str = "DELETE FROM echoes WHERE account = $1 AND session = $2";
const HASHES: &str = "
    UPDATE interactions SET person = NULL
    WHERE account = $1 AND session = $2 AND from_participant = $3 AND person IS NOT NULL";

async fn run(tx: &mut Tx, sql: &'static str, values: &[&str]) -> Result<u64, Error> {
    Ok(on!(tx, |conn| {
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind(*value);
        }
        query.execute(conn).await?.rows_affected()
    }))
}

/// What went with one participant.
#[derive(Debug, Clone, Default)]
pub struct Went {
    /// Words of texts.
    pub texts: u64,
    /// Texts as they were written.
    pub originals: u64,
    /// Notes of reports.
    pub notes: u64,
    /// Pictures, files, messages.
    pub media: u64,
    /// Answers to carriers.
    pub answers: u64,
    /// Steered calls.
    pub scripts: u64,
    /// Callers' hashes.
    pub hashes: u64,
    /// Carriers' ids: their records are to be deleted there.
    pub records: AtCarriers,
    /// Which number they had with whom.
    pub sticky: u64,
}

/// Gives a session another data key, deletes what one participant had in it, and seals again what the others
/// have. The caller holds the session's lock, and closed it where the participant was in it still.
///
/// # Errors
/// [`Error::Keys`] where the current master key may wrap nothing.
pub async fn participant(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    (session, id): (&Session, &ParticipantId),
    now: Timestamp,
) -> Result<Went, Error> {
    let of = Of::Participant(&session.id, id);
    let ids = [account.as_str(), session.id.as_str(), id.as_str()];
    // Whose own key does not open lost everything before.
    let old = session.data_key(tx).ok();
    let new = DataKey::generate();
    let [texts, originals, notes, decisions] = content(tx, ids, old.as_ref(), &new).await?;
    for one in participants::of_session(tx, account, &session.id).await? {
        if one.id != *id && !one.erased {
            reseal(tx, account, &one, old.as_ref(), &new).await?;
        }
    }
    let sticky = sticky(tx, account, session, id).await?;
    tombstone(tx, account, id, now).await?;
    rekey(tx, account, session, &new, now).await?;
    run(tx, ECHOES, &ids[..2]).await?;
    session_notes::withdraw(tx, account, &session.id).await?;
    recordings(tx, account, &session.id, now).await?;
    Ok(Went {
        texts,
        originals,
        notes: notes + decisions,
        media: media(tx, account, &session.id, now).await?,
        answers: run(tx, ANSWERS, &ids).await?,
        scripts: run(tx, SCRIPTS, &ids).await?,
        hashes: run(tx, HASHES, &ids).await?,
        records: carrier_records::drop_owed(tx, account, erasure, of, false, now).await?,
        sticky,
    })
}

/// For which place something is sealed, by its row's id.
type Context = fn(&str) -> String;

/// Seals under the second key what opens with the first.
type Again = fn(&DataKey, &DataKey, &str, &str) -> Option<String>;

fn text_again(old: &DataKey, new: &DataKey, sealed: &str, context: &str) -> Option<String> {
    Some(new.seal_text(&old.open_text(sealed, context).ok()?, context))
}

fn body_again(old: &DataKey, new: &DataKey, sealed: &str, context: &str) -> Option<String> {
    Some(new.seal_body(&old.open_body(sealed, context).ok()?, context))
}

/// Words that are kept: theirs, and those of the marketplace to them, go; the others', and what was decided of
/// reports, are sealed again.
async fn content(
    tx: &mut Tx,
    ids: [&str; 3],
    old: Option<&DataKey>,
    new: &DataKey,
) -> Result<[u64; 4], Error> {
    const WORDS: &str = "
        SELECT i.id, i.words, CAST(CASE WHEN i.from_participant = $3
            OR (i.from_participant IS NULL AND EXISTS (SELECT 1 FROM legs l
                WHERE l.account = $1 AND l.interaction = i.id AND l.participant = $3))
            THEN 1 ELSE 0 END AS BIGINT)
        FROM interactions i
        WHERE i.account = $1 AND i.session = $2 AND i.words IS NOT NULL ORDER BY i.id";
    const SET_WORDS: &str = "UPDATE interactions SET words = $3 WHERE account = $1 AND id = $2";
    const ORIGINALS: &str = "
        SELECT f.interaction, f.original, CAST(CASE WHEN EXISTS (SELECT 1 FROM interactions i
            WHERE i.account = $1 AND i.id = f.interaction AND i.from_participant = $3)
            THEN 1 ELSE 0 END AS BIGINT)
        FROM text_findings f
        WHERE f.account = $1 AND f.session = $2 AND f.original IS NOT NULL ORDER BY f.interaction";
    const SET_ORIGINAL: &str =
        "UPDATE text_findings SET original = $3 WHERE account = $1 AND interaction = $2";
    const NOTES: &str = "
        SELECT r.id, r.note, CAST(CASE WHEN r.reporter = $3 THEN 1 ELSE 0 END AS BIGINT)
        FROM reports r
        WHERE r.account = $1 AND r.session = $2 AND r.note IS NOT NULL ORDER BY r.id";
    const SET_NOTE: &str = "UPDATE reports SET note = $3 WHERE account = $1 AND id = $2";
    const DECISIONS: &str = "
        SELECT r.id, r.decision_note, CAST(CASE WHEN $3 = '' THEN 1 ELSE 0 END AS BIGINT)
        FROM reports r
        WHERE r.account = $1 AND r.session = $2 AND r.decision_note IS NOT NULL ORDER BY r.id";
    const SET_DECISION: &str =
        "UPDATE reports SET decision_note = $3 WHERE account = $1 AND id = $2";
    let kinds: [(_, _, Context, Again); 4] = [
        (WORDS, SET_WORDS, interactions::context, text_again),
        (ORIGINALS, SET_ORIGINAL, text_findings::context, text_again),
        (NOTES, SET_NOTE, reports::note_context, body_again),
        (DECISIONS, SET_DECISION, reports::decision_context, body_again),
    ];
    let mut gone = [0; 4];
    for (place, (select, set, context, again)) in kinds.into_iter().enumerate() {
        let rows: Vec<(String, String, i64)> = on!(tx, |conn| sqlx::query_as(select)
            .bind(ids[0])
            .bind(ids[1])
            .bind(ids[2])
            .fetch_all(conn)
            .await?);
        for (id, sealed, theirs) in rows {
            let kept = old.filter(|_| theirs == 0);
            let kept = kept.and_then(|old| again(old, new, &sealed, &context(&id)));
            gone[place] += u64::from(kept.is_none());
            on!(tx, |conn| {
                sqlx::query(set).bind(ids[0]).bind(&id).bind(&kept).execute(conn).await?;
            });
        }
    }
    Ok(gone)
}

/// Seals another participant's number and name under the new key.
async fn reseal(
    tx: &mut Tx,
    account: &AccountId,
    one: &participants::Participant,
    old: Option<&DataKey>,
    new: &DataKey,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE participants SET identifier = $3, name = $4 WHERE account = $1 AND id = $2";
    let Some(old) = old else { return Ok(()) };
    let Ok((identifier, name)) = participants::resealed(one, old, new) else { return Ok(()) };
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&one.id)
            .bind(&identifier)
            .bind(&name)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Leaves of a participant their role, their times and their proxy number. The hash becomes one of nobody.
async fn tombstone(
    tx: &mut Tx,
    account: &AccountId,
    id: &ParticipantId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE participants SET identifier = '', name = NULL, person = $3, calling_code = NULL,
            removed_at = COALESCE(removed_at, $4), erased_at = $4
        WHERE account = $1 AND id = $2";
    let mut bytes = [0; 16];
    tx.random(&mut bytes);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(hex(&bytes))
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Deletes a session's data key by writing another in its place; of a closed one the marketplace's words too.
async fn rekey(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    key: &DataKey,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE sessions SET data_key = $3, updated_at = $4, version = version + 1,
            metadata = CASE WHEN state = 'closed' THEN '{}' ELSE metadata END
        WHERE account = $1 AND id = $2";
    master_keys::may_wrap(tx).await?;
    let ring = tx.keyring();
    let wrapped = key.wrap(&ring, &sessions::context(&session.id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&session.id)
            .bind(&wrapped)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Withdraws recordings of calls: what was kept is gone with its file, and what is still to come is deleted at its
/// carrier as soon as that tells of it. Whose carrier may still have it keeps its id until then.
async fn recordings(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE recordings SET
            loss = CASE WHEN state IN ('asked', 'declined') THEN loss ELSE COALESCE(loss, 'erased') END,
            carrier_id = CASE WHEN state IN ('ready', 'failed') OR (state = 'stopped' AND EXISTS (
                SELECT 1 FROM media m WHERE m.account = $1 AND m.interaction = recordings.interaction
                    AND m.purpose = 'recording')) THEN NULL ELSE carrier_id END,
            state = CASE WHEN state = 'ready' OR (state = 'stopped' AND EXISTS (
                SELECT 1 FROM media m WHERE m.account = $1 AND m.interaction = recordings.interaction
                    AND m.purpose = 'recording')) THEN 'failed' ELSE state END,
            updated_at = $3
        WHERE account = $1 AND session = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Withdraws what lies in the store for files: it is sealed under the key that goes.
async fn media(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE media SET state = 'refused', refusal = 'unavailable', address = NULL,
            content_type = NULL, bytes = NULL, lease_until = 0, expires_at = $3
        WHERE account = $1 AND session = $2";
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(session)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected()))
}

/// Forgets which numbers a participant had with whom, and who had which with them.
async fn sticky(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    id: &ParticipantId,
) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM sticky_numbers
        WHERE account = $1 AND service = $4 AND (
            person IN (SELECT p.person FROM participants p WHERE p.account = $1 AND p.id = $3)
            OR counterpart IN (SELECT h.counterpart FROM holds h
                JOIN participants p ON p.account = h.account AND p.id = h.participant
                WHERE h.account = $1 AND h.session = $2 AND p.role <> (
                    SELECT own.role FROM participants own WHERE own.account = $1 AND own.id = $3)))";
    let ids = [account.as_str(), session.id.as_str(), id.as_str(), session.service.as_str()];
    run(tx, SQL, &ids).await
}

/// Whose a participant's row, a call or text, or a verification is; `None` where it is gone or was nobody's.
pub async fn person_of(
    tx: &mut Tx,
    account: &AccountId,
    what: &str,
) -> Result<Option<Person>, Error> {
    const PARTICIPANT: &str =
        "SELECT person FROM participants WHERE account = $1 AND id = $2 AND erased_at IS NULL";
    const CALLER: &str =
        "SELECT person FROM interactions WHERE account = $1 AND id = $2 AND person IS NOT NULL";
    const VERIFIED: &str = "SELECT person FROM verifications WHERE account = $1 AND id = $2";
    let sql = match what.get(..2) {
        Some("KP") => PARTICIPANT,
        Some("VE") => VERIFIED,
        _ => CALLER,
    };
    Ok(on!(tx, |conn| sqlx::query_scalar(sql)
        .bind(account)
        .bind(what)
        .fetch_optional(conn)
        .await?))
}

/// Until when the last of a participant's pairs, and of those who had to do with them there, is held.
pub async fn held_until(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "
        SELECT MAX(h.release_at) FROM erasure_entries e
        JOIN holds h ON h.account = e.account AND h.session = e.session AND h.state = 'quarantined'
        WHERE e.account = $1 AND e.erasure = $2";
    let at: Option<i64> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(id).fetch_one(conn).await?);
    Ok(at.map(Timestamp::from_millis))
}

/// Forgets the pairs of an entry's session whose quarantine has ended, and carriers' ids that came since; how
/// many pairs, and what of carriers'.
pub async fn release(
    tx: &mut Tx,
    entry: &Entry,
    now: Timestamp,
) -> Result<(u64, AtCarriers), Error> {
    const SQL: &str = "
        DELETE FROM holds
        WHERE account = $1 AND session = $2 AND state = 'quarantined' AND release_at <= $3";
    let Some(session) = &entry.session else {
        return Ok((0, AtCarriers::new()));
    };
    let free = tx.certain(now);
    let holds = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(session)
        .bind(free.millis())
        .execute(conn)
        .await?
        .rows_affected());
    let ids = [entry.account.as_str(), session.as_str(), &entry.what];
    // What they did since, while the pair was theirs.
    run(tx, ANSWERS, &ids).await?;
    run(tx, HASHES, &ids).await?;
    let Ok(id) = ParticipantId::parse(&entry.what) else { return Ok((holds, AtCarriers::new())) };
    let (account, of) = (&entry.account, Of::Participant(session, &id));
    let records = carrier_records::drop_owed(tx, account, &entry.erasure, of, true, now).await?;
    Ok((holds, records))
}

/// The entries of an erasure behind `after`, `limit` at most.
pub async fn entries_of(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Option<SessionId>)>, Error> {
    const SQL: &str = "
        SELECT what, session FROM erasure_entries
        WHERE account = $1 AND erasure = $2 AND what > $3 ORDER BY account, erasure, what LIMIT $4";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// Takes a caller's hash out of the log, `limit` rows at most, with carriers' ids and answers.
pub async fn caller(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    (person, limit): (&Person, i64),
    now: Timestamp,
) -> Result<Went, Error> {
    const ANSWERS: &str = concat!(
        "UPDATE inbox SET answer = '' WHERE account = $1 AND answer <> '' AND interaction IN ",
        of_caller!()
    );
    const SCRIPTS: &str = concat!(
        "DELETE FROM call_scripts WHERE account = $1 AND leg IN (
            SELECT own.id FROM legs own WHERE own.account = $1 AND own.interaction IN ",
        of_caller!(),
        ")"
    );
    // Last: it is how they are found.
    const HASHES: &str = concat!(
        "UPDATE interactions SET person = NULL WHERE account = $1 AND id IN ",
        of_caller!()
    );
    let of = Of::Caller(person, limit);
    let records = carrier_records::drop_owed(tx, account, erasure, of, false, now).await?;
    let mut done = [0; 3];
    for (place, sql) in [ANSWERS, SCRIPTS, HASHES].into_iter().enumerate() {
        done[place] = on!(tx, |conn| sqlx::query(sql)
            .bind(account)
            .bind(person)
            .bind(limit)
            .execute(conn)
            .await?
            .rows_affected());
    }
    let [answers, scripts, hashes] = done;
    Ok(Went { answers, scripts, hashes, records, ..Went::default() })
}

/// Answers of the API that are kept for repeated requests, behind `after`, opened: the key and the answer.
pub async fn api_answers(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>, Error> {
    const SQL: &str = "
        SELECT key, answer FROM idempotency
        WHERE account = $1 AND key > $2 ORDER BY key LIMIT $3";
    let rows: Vec<(String, String)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let keys = accounts::keys(tx, account).await?;
    let open = |(key, sealed): (String, String)| {
        let text = keys.data.open_text(&sealed, &idempotency::context(&key));
        let text = text.unwrap_or_default();
        (key, text)
    };
    Ok(rows.into_iter().map(open).collect())
}
