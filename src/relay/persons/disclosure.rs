//! Who had a proxy number at an instant: asked by one, approved by another, told in a signed document.
//!
//! Each proves by a key of their own that it is they. Two keys are two people as long as nobody has both, and
//! nobody changes the settings: docs/disclosure.md says what this does not prove.

use std::time::Duration;

use serde_json::{Value, json};

use super::Signed;
use crate::{
    domain::{
        audit::{Action, Detail, Entry as Noted, Reason},
        phone::{Identifier, ProxyNumber},
        time::Timestamp,
    },
    ids::{AccountId, DisclosureId, ParticipantId, SessionId},
    privacy::audit::{HeadSigner, PublicKey},
    relay::{Error, Fault, Relay},
    store::{
        self, Tx, audit,
        disclosures::{self, Disclosure},
        exporting, participants, sessions,
        statutory::{self, Record, Which},
    },
};

/// How far before and after the instant calls and texts are told.
const AROUND: Duration = Duration::from_hours(1);
/// How many records are read at once, and how often.
const PAGE: i64 = 500;
const PAGES_MAX: usize = 200;

/// Somebody who may ask for disclosures and approve them.
#[derive(Debug, Clone)]
pub struct Approver {
    /// Their name.
    pub name: String,
    /// What their signatures are verified with.
    pub key: PublicKey,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The proxy number.
    pub number: ProxyNumber,
    /// The instant.
    pub at: Timestamp,
    /// The case's reference, as the court has it.
    pub case: String,
    /// Why.
    pub reason: Reason,
}

/// The words that whoever asks signs.
fn asking(account: &AccountId, one: &Disclosure) -> String {
    json!([
        "entremise disclosure request v1",
        account,
        one.number,
        one.at.millis(),
        one.case,
        one.reason,
        one.asked_by,
    ])
    .to_string()
}

/// The words that whoever approves signs.
fn approving(account: &AccountId, one: &Disclosure, name: &str) -> String {
    json!(["entremise disclosure approval v1", one.id, asking(account, one), one.signature, name])
        .to_string()
}

fn refused(words: &'static str) -> Error {
    Error::Invalid(vec![Fault::new("/key", "refused", words)])
}

/// Who that is, if the key is the one that the settings have under the name.
fn known<'a>(
    approvers: &'a [Approver],
    name: &str,
    key: &HeadSigner,
) -> Result<&'a Approver, Error> {
    let found = approvers.iter().find(|one| one.name == name && one.key == key.public());
    found.ok_or_else(|| refused("is not the one that `disclosure_approvers` has under this name"))
}

impl Relay {
    /// Asks for a disclosure: in the audit log, by its id. Nothing is looked up yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that the settings do not have under that name.
    pub async fn ask_disclosure(
        &self,
        account: &AccountId,
        question: &Question,
        (approvers, name, key): (&[Approver], &str, &HeadSigner),
    ) -> Result<DisclosureId, Error> {
        let who = known(approvers, name, key)?;
        let id: DisclosureId = self.db.read().await?.id().await?;
        let mut new = Disclosure {
            id: id.clone(),
            number: question.number.as_str().to_owned(),
            at: question.at,
            case: question.case.clone(),
            reason: question.reason.expose().to_owned(),
            asked_by: who.name.clone(),
            signature: String::new(),
            approved_by: None,
            created_at: Timestamp::EPOCH,
        };
        new.signature = key.sign_document(&asking(account, &new));
        let account = account.clone();
        let asked = self.db.write(move |tx| {
            let (account, mut new) = (account.clone(), new.clone());
            Box::pin(async move {
                new.created_at = tx.now().await?;
                disclosures::insert(tx, &account, &new).await?;
                let entry = Noted::new(Action::DisclosureAsked, new.id.as_str());
                Ok::<_, Error>(audit::append(tx, &account, entry).await?)
            })
        });
        asked.await?;
        Ok(id)
    }

    /// Approves a disclosure, and tells who had the number. The audit log has the approval before anything is
    /// looked up, also where the answer then fails.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for whoever asked, for a key that is not theirs, for a request
    /// that nobody in the settings signed, and for one that was approved already.
    pub async fn approve_disclosure(
        &self,
        account: &AccountId,
        id: &DisclosureId,
        (approvers, name, key): (&[Approver], &str, &HeadSigner),
    ) -> Result<Signed, Error> {
        let who = known(approvers, name, key)?;
        let mut tx = self.db.read().await?;
        let found = disclosures::get(&mut tx, account, id).await?;
        drop(tx);
        let one = found.ok_or(Error::NotFound("disclosure"))?;
        let asker = approvers.iter().find(|other| other.name == one.asked_by);
        let asker =
            asker.ok_or_else(|| refused("is of no use: who asked is not in the settings"))?;
        if asker.name == who.name || asker.key == who.key {
            return Err(refused("is that of who asked: a second person approves"));
        }
        if !asker.key.verifies_document(&asking(account, &one), &one.signature) {
            return Err(refused("is of no use: the request is not as it was signed"));
        }
        let signature = key.sign_document(&approving(account, &one, &who.name));
        let (owner, asked, name) = (account.clone(), one.clone(), who.name.clone());
        let noted = self.db.write(move |tx| {
            let (owner, asked, name) = (owner.clone(), asked.clone(), name.clone());
            Box::pin(async move {
                let now = tx.now().await?;
                if !disclosures::approve(tx, &owner, &asked.id, &name, now).await? {
                    return Err(refused("is of no use: it was approved already"));
                }
                let entry = Noted::new(Action::DisclosureApproved, asked.id.as_str());
                Ok(audit::append(tx, &owner, entry.with(Detail::Count, "2")).await?)
            })
        });
        noted.await?;
        let mut tx = self.db.read().await?;
        let found = had(&mut tx, account, &one).await?;
        let (kept, complete) = kept_by_law(&mut tx, account, &one).await?;
        let now = tx.now().await?;
        drop(tx);
        self.sign_document(json!({
            "kind": "disclosure",
            "disclosure": one.id,
            "account": account,
            "number": one.number,
            "at": one.at.rfc3339(),
            "case": one.case,
            "reason": one.reason,
            "asked_by": { "name": one.asked_by, "signature": one.signature },
            "approved_by": { "name": who.name, "signature": signature },
            "answered_at": now.rfc3339(),
            "had_the_number": found,
            "kept_by_law": kept,
            "complete": complete,
        }))
    }
}

/// Everybody who dialled the number at the instant, in clear.
async fn had(
    tx: &mut Tx,
    account: &AccountId,
    one: &Disclosure,
) -> Result<Vec<Value>, store::Error> {
    let mut told = Vec::new();
    for found in exporting::had_number(tx, account, &one.number, one.at).await? {
        let session = sessions::get_any(tx, account, &found.session).await?;
        let person = participants::get(tx, account, &found.id).await?;
        let (Some(session), Some(person)) = (session, person) else { continue };
        let key = session.data_key(tx)?;
        told.push(json!({
            "session": session.id,
            "participant": person.id,
            "role": person.role,
            "name": person.name(&key)?,
            "number": person.identifier(&key)?.expose(),
            "joined_at": person.created_at.rfc3339(),
            "left_at": person.removed_at.map(Timestamp::rfc3339),
            "session_ended_at": session.ended_at.map(Timestamp::rfc3339),
        }));
    }
    Ok(told)
}

/// What records that a law wants kept say of the number, in clear, also of people who were erased: who had got
/// it until the instant and is not known to have lost it before, and its calls and texts of the hour before and
/// after. Whether that is all.
async fn kept_by_law(
    tx: &mut Tx,
    account: &AccountId,
    one: &Disclosure,
) -> Result<(Vec<Value>, bool), store::Error> {
    let which = Which::Number(one.number.clone());
    let span = (Timestamp::EPOCH, one.at + AROUND);
    let from = one.at - AROUND;
    let (mut told, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = statutory::find(tx, account, &which, span, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { return Ok((told, true)) };
        after = Some(last);
        for record in page {
            let assigned = record.facts["what"] == "number_assigned";
            let fits = if assigned {
                record.at <= one.at && !had_lost(tx, account, &record, one.at).await?
            } else {
                record.at >= from
            };
            if fits {
                told.push(json!({
                    "record": record.id,
                    "number": record.identifier.as_ref().map(Identifier::expose),
                    "facts": record.facts,
                    "kept_until": record.expires_at.rfc3339(),
                }));
            }
        }
    }
    Ok((told, false))
}

/// Whether whoever got the number left, or their session ended, before an instant, as far as rows that are
/// still there tell.
async fn had_lost(
    tx: &mut Tx,
    account: &AccountId,
    record: &Record,
    at: Timestamp,
) -> Result<bool, store::Error> {
    let named = |field: &str| record.facts[field].as_str().unwrap_or_default().to_owned();
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
    if let Ok(id) = SessionId::parse(&named("session_id"))
        && let Some(session) = sessions::get_any(tx, account, &id).await?
        && over(session.ended_at)
    {
        return Ok(true);
    }
    if let Ok(id) = ParticipantId::parse(&named("participant_id"))
        && let Some(person) = participants::get(tx, account, &id).await?
        && !person.erased
    {
        return Ok(over(person.removed_at));
    }
    Ok(false)
}
