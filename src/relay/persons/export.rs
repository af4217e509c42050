//! What is known of a person, as one signed document: theirs alone, and no number in clear.

use serde_json::{Value, json};

use super::{Signed, Subject, person};
use crate::{
    domain::{
        audit::{Action, Entry as Noted},
        message::Body,
        time::Timestamp,
    },
    ids::{AccountId, ExportId, InteractionId},
    privacy::Person,
    relay::{Error, Relay},
    store::{
        Tx, audit,
        exporting::{self, Contact, Membership, Span},
        interactions, participants, reports, sessions, verified_people,
    },
};

/// The most sessions of one export, and the most calls and texts.
const SESSIONS_MAX: i64 = 2_000;
const CONTACTS_MAX: i64 = 20_000;

/// What is asked for: all, or what began in this time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub before: Option<Timestamp>,
}

impl Window {
    fn span(self) -> Span {
        let from = self.from.map_or(0, Timestamp::millis);
        (from, self.before.map_or(i64::MAX, Timestamp::millis))
    }
}

impl Relay {
    /// Everything that is known of a person in an account. The audit log has it, by the export's id, before
    /// anything is read.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a participant who is not there; [`Error::ExportTooLarge`].
    pub async fn export_person(
        &self,
        account: &AccountId,
        subject: &Subject,
        window: Window,
    ) -> Result<(ExportId, Signed), Error> {
        let (owner, who) = (account.clone(), subject.clone());
        let (id, person) = self
            .db
            .write(move |tx| {
                let (owner, who) = (owner.clone(), who.clone());
                Box::pin(async move {
                    let person = person(tx, &owner, &who).await?;
                    let now = tx.now().await?;
                    let id: ExportId = tx.id_at(now);
                    let entry = Noted::new(Action::PersonExported, id.as_str());
                    audit::append(tx, &owner, entry).await?;
                    Ok::<_, Error>((id, person))
                })
            })
            .await?;
        let mut tx = self.db.read().await?;
        let document = document(&mut tx, account, &id, &person, window).await?;
        drop(tx);
        Ok((id, self.sign_document(document)?))
    }
}

fn time(at: i64) -> String {
    Timestamp::from_millis(at).rfc3339()
}

async fn document(
    tx: &mut Tx,
    account: &AccountId,
    id: &ExportId,
    person: &Person,
    window: Window,
) -> Result<Value, Error> {
    let span = window.span();
    let found = exporting::sessions_of(tx, account, person, span, SESSIONS_MAX + 1).await?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) > SESSIONS_MAX {
        return Err(Error::ExportTooLarge);
    }
    let mut left = CONTACTS_MAX;
    let mut shown = Vec::with_capacity(found.len());
    for one in &found {
        shown.extend(session(tx, account, one, span, &mut left).await?);
    }
    let strangers = exporting::as_stranger(tx, account, person, span, left + 1).await?;
    spend(&mut left, strangers.len())?;
    let opt_outs = exporting::opt_outs(tx, account, person).await?;
    let opt_outs: Vec<Value> = opt_outs
        .into_iter()
        .map(|(scope, value, at)| json!({ "scope": scope, "value": value, "since": time(at) }))
        .collect();
    let blocks = exporting::blocks(tx, account, person).await?;
    let blocks: Vec<Value> = blocks.into_iter().map(|at| json!({ "since": time(at) })).collect();
    let verifications = exporting::verifications(tx, account, person).await?;
    let verifications: Vec<Value> = verifications
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "channel": one.channel, "status": one.status,
                "at": time(one.created_at), "ended_at": one.ended_at.map(time),
            })
        })
        .collect();
    let verified = verified_people::verified_at(tx, account, person).await?;
    let told = exporting::told(tx, account, person).await?;
    let told: Vec<Value> = told
        .into_iter()
        .map(|(number, at)| json!({ "proxy_number_id": number, "at": time(at) }))
        .collect();
    let now = tx.now().await?;
    Ok(json!({
        "kind": "person_export",
        "export": id,
        "account": account,
        "as_of": now.rfc3339(),
        "created_from": window.from.map(Timestamp::rfc3339),
        "created_before": window.before.map(Timestamp::rfc3339),
        "sessions": shown,
        "outside_of_sessions": strangers.iter().map(|one| contact(one, None)).collect::<Vec<_>>(),
        "opt_outs": opt_outs,
        "blocks": blocks,
        "verifications": verifications,
        "verified_at": verified.map(Timestamp::rfc3339),
        "told_of_numbers": told,
    }))
}

fn spend(left: &mut i64, count: usize) -> Result<(), Error> {
    *left -= i64::try_from(count).unwrap_or(i64::MAX);
    if *left < 0 { Err(Error::ExportTooLarge) } else { Ok(()) }
}

async fn session(
    tx: &mut Tx,
    account: &AccountId,
    of: &Membership,
    span: Span,
    left: &mut i64,
) -> Result<Option<Value>, Error> {
    let session = sessions::get_any(tx, account, &of.session).await?;
    let who = participants::get(tx, account, &of.id).await?;
    let (Some(session), Some(who)) = (session, who) else { return Ok(None) };
    let key = session.data_key(tx)?;
    let contacts = exporting::in_session(tx, account, of, span, *left + 1).await?;
    spend(left, contacts.len())?;
    // Their own words alone: what others wrote is the others'.
    let own: Vec<InteractionId> =
        contacts.iter().filter(|one| one.theirs == 1).map(|one| one.id.clone()).collect();
    let mut shown = Vec::with_capacity(contacts.len());
    let mut words = std::collections::HashMap::new();
    for page in own.chunks(500) {
        words.extend(interactions::words(tx, account, &key, page).await?);
    }
    let mut reports = Vec::new();
    for (id, category, state, at) in exporting::reported(tx, account, of).await? {
        let note = reports::notes(tx, account, &key, &id).await?.note;
        reports.push(json!({
            "id": id, "category": category, "state": state, "at": time(at),
            "note": note.as_ref().map(Body::expose),
        }));
    }
    for one in &contacts {
        shown.push(contact(one, words.get(&one.id).map(Body::expose)));
    }
    Ok(Some(json!({
        "id": session.id,
        "service": session.service,
        "state": session.state.as_str(),
        "mode": session.mode.as_str(),
        "created_at": session.created_at.rfc3339(),
        "ended_at": session.ended_at.map(Timestamp::rfc3339),
        "participant": {
            "id": who.id,
            "role": who.role,
            "name": who.name(&key)?,
            "masked": who.masked(),
            "proxy_number": who.number.as_str(),
            "joined_at": who.created_at.rfc3339(),
            "left_at": who.removed_at.map(Timestamp::rfc3339),
        },
        "interactions": shown,
        "reports": reports,
    })))
}

fn contact(one: &Contact, words: Option<&str>) -> Value {
    json!({
        "id": one.id,
        "kind": one.kind,
        "direction": if one.theirs == 1 { "from_person" } else { "to_person" },
        "proxy_number": one.number,
        "carrier": one.carrier,
        "outcome": one.outcome,
        "reason": one.reason,
        "pictures_and_files": one.media,
        "seconds": one.duration.map(|ms| ms / 1000),
        "at": time(one.created_at),
        "ended_at": one.ended_at.map(time),
        "text": words,
    })
}
