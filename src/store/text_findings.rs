//! What was found in texts: kinds, what became of the text, and where the service keeps it the text as
//! it was written, sealed.

use super::{Error, Tx, db::on, from_text, retention::kept::held};
use crate::{
    domain::{
        content::{ContentKind, Fate},
        message::Body,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ServiceId, SessionId},
    privacy::DataKey,
};

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The text.
    pub interaction: InteractionId,
    /// What became of it.
    pub fate: Fate,
    /// What was found.
    pub kinds: Vec<ContentKind>,
}

/// A text in which something was found.
#[derive(Debug, Clone, Copy)]
pub struct NewFinding<'a> {
    /// The text.
    pub interaction: &'a InteractionId,
    /// Its service.
    pub service: &'a ServiceId,
    /// Its session.
    pub session: &'a SessionId,
    /// What became of it.
    pub fate: Fate,
    /// What was found.
    pub kinds: &'a [ContentKind],
    /// The text as it was written, where it is kept.
    pub original: Option<&'a Body>,
    /// When.
    pub now: Timestamp,
}

pub(super) fn context(id: &str) -> String {
    format!("original:{id}")
}

/// Notes what was found in a text, once. `key` is its session's.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    new: &NewFinding<'_>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO text_findings (account, interaction, session, fate, kinds, original, created_at, service)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let kinds: Vec<&str> = new.kinds.iter().map(|kind| kind.as_str()).collect();
    let original =
        new.original.map(|body| key.seal_text(body.expose(), &context(new.interaction.as_str())));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(new.interaction)
            .bind(new.session)
            .bind(new.fate.as_str())
            .bind(kinds.join(" "))
            .bind(&original)
            .bind(new.now.millis())
            .bind(new.service)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What was found in a text, if it was read and anything was.
pub async fn of_text(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<Option<Finding>, Error> {
    const SQL: &str = "
        SELECT fate, kinds FROM text_findings WHERE account = $1 AND interaction = $2";
    let row: Option<(String, String)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(interaction)
        .fetch_optional(conn)
        .await?);
    let Some((fate, kinds)) = row else { return Ok(None) };
    let kinds = kinds
        .split(' ')
        .map(|kind| from_text!("text_findings"."kinds", ContentKind::parse, kind))
        .collect::<Result<_, Error>>()?;
    let fate = from_text!("text_findings"."fate", Fate::parse, &fate)?;
    Ok(Some(Finding { interaction: interaction.clone(), fate, kinds }))
}

/// The text as it was written, where it is kept. For moderators alone.
///
/// # Errors
/// [`Error::Sealed`] with another session's key.
pub async fn original(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    interaction: &InteractionId,
) -> Result<Option<Body>, Error> {
    const SQL: &str = "
        SELECT original FROM text_findings
        WHERE account = $1 AND interaction = $2 AND original IS NOT NULL";
    let sealed: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(interaction)
        .fetch_optional(conn)
        .await?);
    sealed
        .map(|sealed| Ok(Body::new(key.open_text(&sealed, &context(interaction.as_str()))?)))
        .transpose()
}

/// Forgets the texts of a session as they were written, unless a legal hold is on it; what was found stays.
pub async fn withdraw(tx: &mut Tx, account: &AccountId, session: &SessionId) -> Result<(), Error> {
    const SQL: &str = concat!(
        "UPDATE text_findings SET original = NULL \
         WHERE account = $1 AND session = $2 AND original IS NOT NULL AND NOT ",
        held!("text_findings.account", "text_findings.session"),
    );
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).execute(conn).await?;
    });
    Ok(())
}
