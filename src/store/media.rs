//! Pictures and files of texts, and messages that callers left: where they lie at the carrier, and as what
//! they are kept. Addresses are sealed under the session's key, as the files themselves are.

use super::{Error, Tx, db::on, from_text, retention::kept::held};
use crate::{
    domain::{
        closed_set,
        media::{MediaRefusal, MediaType},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, MediaId, SessionId},
    privacy::DataKey,
};

closed_set! {
    /// How far a picture or file has come.
    MediaState {
        /// To be fetched.
        Wanted = "wanted",
        /// Fetched, judged, made harmless and kept.
        Kept = "kept",
        /// Not passed on; the refusal says why.
        Refused = "refused",
    }
}

closed_set! {
    /// What it came with.
    Purpose {
        /// A text, which it is passed on with.
        File = "file",
        /// A call that nobody took: what its caller said.
        Voicemail = "voicemail",
        /// A call whose people agreed to it: what they said.
        Recording = "recording",
    }
}

/// A picture or file.
#[derive(Debug, Clone)]
pub struct Medium {
    /// The account.
    pub account: AccountId,
    /// Its id.
    pub id: MediaId,
    /// The text or call that it belongs to.
    pub interaction: InteractionId,
    /// What it came with.
    pub purpose: Purpose,
    /// How long a message is, in seconds, where its carrier told.
    pub seconds: Option<i64>,
    /// Whose key seals it.
    pub session: SessionId,
    /// Its place among the text's.
    pub position: i64,
    /// The carrier where it lies; `None` if the marketplace named the address.
    pub carrier: Option<String>,
    /// How far it has come.
    pub state: MediaState,
    /// Why it was refused, if it was.
    pub refusal: Option<MediaRefusal>,
    /// Its name in the store for files.
    pub object: String,
    /// What it is, once it is kept.
    pub kind: Option<MediaType>,
    /// How long it is, once it is kept.
    pub bytes: Option<i64>,
    /// How often it was to be fetched before this time.
    pub tries: i64,
    /// Until when somebody is at it, or it is left alone.
    pub lease_until: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    address: Option<String>,
}

/// One to want.
#[derive(Debug)]
pub struct NewMedium<'a> {
    /// The text or call that it belongs to.
    pub interaction: &'a InteractionId,
    /// What it came with.
    pub purpose: Purpose,
    /// How long a message is, in seconds, where its carrier told.
    pub seconds: Option<i64>,
    /// Whose key seals it.
    pub session: &'a SessionId,
    /// Its place among the text's.
    pub position: i64,
    /// The carrier where it lies; `None` if the marketplace named the address.
    pub carrier: Option<&'a str>,
    /// Where it lies. Secret: it names the account at the carrier.
    pub address: &'a str,
    /// Its name in the store for files.
    pub object: &'a str,
    /// Now.
    pub now: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: MediaId,
    interaction: InteractionId,
    purpose: String,
    seconds: Option<i64>,
    session: SessionId,
    position: i64,
    carrier: Option<String>,
    state: String,
    refusal: Option<String>,
    address: Option<String>,
    object: String,
    content_type: Option<String>,
    bytes: Option<i64>,
    tries: i64,
    lease_until: i64,
    expires_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, id, interaction, purpose, seconds, session, position, carrier, state, refusal, address, \
             object, content_type, bytes, tries, lease_until, expires_at FROM media WHERE ",
            $rest
        )
    };
}

impl TryFrom<Row> for Medium {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            account: row.account,
            id: row.id,
            interaction: row.interaction,
            purpose: from_text!("media"."purpose", Purpose::parse, &row.purpose)?,
            seconds: row.seconds,
            session: row.session,
            position: row.position,
            carrier: row.carrier,
            state: from_text!("media"."state", MediaState::parse, &row.state)?,
            refusal: row
                .refusal
                .map(|text| from_text!("media"."refusal", MediaRefusal::parse, &text))
                .transpose()?,
            object: row.object,
            kind: row
                .content_type
                .map(|text| from_text!("media"."content_type", MediaType::parse, &text))
                .transpose()?,
            bytes: row.bytes,
            tries: row.tries,
            lease_until: Timestamp::from_millis(row.lease_until),
            expires_at: Timestamp::from_millis(row.expires_at),
            address: row.address,
        })
    }
}

impl Medium {
    /// Where it lies, while it is wanted.
    ///
    /// # Errors
    /// [`Error::Sealed`] with another session's key; [`Error::Inconsistent`] where none is kept.
    pub fn address(&self, key: &DataKey) -> Result<String, Error> {
        let sealed = self.address.as_ref();
        let sealed = sealed.ok_or(Error::Inconsistent { table: "media", column: "address" })?;
        Ok(key.open_text(sealed, &context(&self.id))?)
    }
}

fn context(id: &MediaId) -> String {
    format!("media:{id}")
}

/// Wants a picture or file.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    new: &NewMedium<'_>,
) -> Result<MediaId, Error> {
    const SQL: &str = "
        INSERT INTO media (account, id, interaction, session, position, carrier, state, address,
            object, tries, lease_until, created_at, expires_at, purpose, seconds)
        VALUES ($1, $2, $3, $4, $5, $6, 'wanted', $7, $8, 0, 0, $9, $10, $11, $12)";
    let id: MediaId = tx.id_at(new.now);
    let address = key.seal_text(new.address, &context(&id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&id)
            .bind(new.interaction)
            .bind(new.session)
            .bind(new.position)
            .bind(new.carrier)
            .bind(&address)
            .bind(new.object)
            .bind(new.now.millis())
            .bind(new.expires_at.millis())
            .bind(new.purpose.as_str())
            .bind(new.seconds)
            .execute(conn)
            .await?;
    });
    Ok(id)
}

/// Those of a text, in order.
pub async fn of_interaction(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Vec<Medium>, Error> {
    const SQL: &str = select!("account = $1 AND interaction = $2 ORDER BY position, id");
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(interaction).fetch_all(conn).await?);
    rows.into_iter().map(Medium::try_from).collect()
}

/// The message that the caller of this call left, if there is one still.
pub async fn voicemail(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Option<Medium>, Error> {
    let all = of_interaction(tx, account, interaction).await?;
    Ok(all.into_iter().find(|one| one.purpose == Purpose::Voicemail))
}

/// The recording of this call, if there is one still.
pub async fn recording(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Option<Medium>, Error> {
    let all = of_interaction(tx, account, interaction).await?;
    Ok(all.into_iter().find(|one| one.purpose == Purpose::Recording))
}

/// The one with that id.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &MediaId) -> Result<Option<Medium>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Medium::try_from).transpose()
}

/// Takes it on to fetch it until `until`, and counts that; whether nobody else has, or had since it was
/// read.
pub async fn lease(
    tx: &mut Tx,
    one: &Medium,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE media SET tries = tries + 1, lease_until = $5
        WHERE account = $1 AND id = $2 AND state = 'wanted' AND tries = $3 AND lease_until <= $4";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&one.account)
        .bind(&one.id)
        .bind(one.tries)
        .bind(now.millis())
        .bind(until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Leaves it alone until `until`, and then it is fetched again.
pub async fn put_off(tx: &mut Tx, one: &Medium, until: Timestamp) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE media SET lease_until = $3 WHERE account = $1 AND id = $2 AND state = 'wanted'";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&one.account)
            .bind(&one.id)
            .bind(until.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Notes that it is kept, and as what, and forgets where it lay; whether it was still wanted.
pub async fn keep(tx: &mut Tx, one: &Medium, kind: MediaType, bytes: i64) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE media SET state = 'kept', content_type = $3, bytes = $4, address = NULL,
            lease_until = 0
        WHERE account = $1 AND id = $2 AND state = 'wanted'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&one.account)
        .bind(&one.id)
        .bind(kind.as_str())
        .bind(bytes)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Notes that it is not passed on, and forgets where it lay; whether it was still wanted.
pub async fn refuse(tx: &mut Tx, one: &Medium, why: MediaRefusal) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE media SET state = 'refused', refusal = $3, address = NULL, lease_until = 0
        WHERE account = $1 AND id = $2 AND state = 'wanted'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&one.account)
        .bind(&one.id)
        .bind(why.as_str())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Ends the time of all that a session has: nobody gets them any more, and they are forgotten soon.
pub async fn withdraw(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE media SET expires_at = $3 WHERE account = $1 AND session = $2 AND expires_at > $3";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Those whose time is up, at which nobody is and on which no legal hold is, the oldest first, from after this one on, `limit` at most.
pub async fn over(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<&Medium>,
    limit: i64,
) -> Result<Vec<Medium>, Error> {
    const SQL: &str = concat!(
        select!(
            "expires_at <= $1 AND lease_until <= $1 AND (expires_at, account, id) > ($3, $4, $5) \
             AND NOT "
        ),
        held!("media.account", "media.session"),
        " ORDER BY expires_at, account, id LIMIT $2"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(now.millis())
        .bind(limit)
        .bind(after.map_or(-1, |one| one.expires_at.millis()))
        .bind(after.map_or("", |one| one.account.as_str()))
        .bind(after.map_or("", |one| one.id.as_str()))
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Medium::try_from).collect()
}

/// Forgets one whose file is gone.
pub async fn delete(tx: &mut Tx, account: &AccountId, id: &MediaId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM media WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).execute(conn).await?;
    });
    Ok(())
}
