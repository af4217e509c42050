//! People as data subjects: erased, and exported, by their number.
//!
//! What is to go is written down first, by ids, in a list outside of the database: so that a restored backup
//! is erased again before it is served. Then it goes, session by session.

mod at_carriers;
mod disclosure;
mod export;
mod receipt;
mod replay;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

pub(super) use self::at_carriers::set_aside;
pub use self::{
    disclosure::{Approver, Question as DisclosureQuestion},
    export::Window,
    receipt::{Signed, verify_document},
    replay::{Replayed, unknown_erasures},
};
use super::{Error, Relay, sessions};
use crate::{
    domain::{
        audit::{Action, Entry as Noted},
        erasure::{Became, Erased, ErasureState},
        phone::Identifier,
        time::Timestamp,
    },
    ids::{AccountId, ErasureId, ParticipantId, SessionId},
    privacy::Person,
    store::{
        self, ErasureList, Tx, accounts, audit, besides,
        carrier_records::AtCarriers,
        erasing::{self, Went},
        erasures::{self, Entry, Erasure},
        idempotency, legal_holds, participants,
        retention::runs,
        sessions as rows,
    },
};

/// How many rows are read, or changed, in one go.
const BATCH: i64 = 200;
/// How many steps whoever asks waits for. What is left is done by a job.
const STEPS: usize = 50;
/// How many sessions a dry run goes through: other writers wait for it.
const TRIED_MAX: usize = 500;
/// How long what a legal hold keeps waits, before it is looked at again.
const HELD_FOR: Duration = Duration::from_mins(10);
/// Behind every key that a client may choose: none has a control character.
const AFTER_KEYS: &str = "\u{7f}";

/// Whom it is about.
#[derive(Debug, Clone)]
pub enum Subject {
    /// Whoever has this number.
    Number(Identifier),
    /// Whoever this participant of a session is.
    Participant(ParticipantId),
}

/// What erasing needs beside the database.
#[derive(Debug, Clone, Default)]
pub struct Erasing {
    /// The list outside; without it nobody is erased.
    pub list: Option<ErasureList>,
    /// For how many days backups are kept.
    pub horizon_days: u32,
}

/// Who somebody is, as a keyed hash.
///
/// # Errors
/// [`Error::NotFound`] for a participant who is not there, or was erased.
pub(super) async fn person(
    tx: &mut Tx,
    account: &AccountId,
    subject: &Subject,
) -> Result<Person, Error> {
    match subject {
        Subject::Number(number) => {
            Ok(accounts::keys(tx, account).await?.index.person(&number.canonical()))
        }
        Subject::Participant(id) => {
            let found = participants::get(tx, account, id).await?.filter(|one| !one.erased);
            Ok(found.ok_or(Error::NotFound("participant"))?.person)
        }
    }
}

/// Notes that a person is to be erased, and what of them: in the audit log by the erasure's id alone.
///
/// # Errors
/// [`Error::NotFound`] for a participant who is not there; [`Error::LegalHold`].
pub async fn begin_erasure(
    tx: &mut Tx,
    account: &AccountId,
    subject: &Subject,
) -> Result<Erasure, Error> {
    let person = person(tx, account, subject).await?;
    if let Some(hold) = legal_holds::on_person(tx, account, &person).await? {
        return Err(Error::LegalHold(hold));
    }
    let now = tx.now().await?;
    let id: ErasureId = tx.id_at(now);
    erasures::insert(tx, account, &id, Some(&person), now).await?;
    erasures::gather(tx, account, &id, &person, now).await?;
    audit::append(tx, account, Noted::new(Action::PersonErased, id.as_str())).await?;
    erasures::get(tx, account, &id).await?.ok_or(Error::NotFound("erasure"))
}

/// Adds to the counts of an erasure.
fn tally(one: &mut Erasure, added: &[(Erased, u64)]) {
    let mut counts: BTreeMap<String, u64> = serde_json::from_str(&one.counts).unwrap_or_default();
    for (class, count) in added.iter().filter(|(_, count)| *count > 0) {
        *counts.entry(class.as_str().to_owned()).or_default() += count;
    }
    one.counts = json!(counts).to_string();
}

fn tally_went(one: &mut Erasure, went: &Went) {
    tally_records(one, &went.records);
    tally(
        one,
        &[
            (Erased::Texts, went.texts),
            (Erased::Originals, went.originals),
            (Erased::ReportNotes, went.notes),
            (Erased::Media, went.media),
            (Erased::CarrierAnswers, went.answers),
            (Erased::CallScripts, went.scripts),
            (Erased::LogHashes, went.hashes),
            (Erased::StickyNumbers, went.sticky),
        ],
    );
}

/// Counts records that carriers are asked to delete.
fn tally_records(one: &mut Erasure, records: &AtCarriers) {
    for (carrier, count) in records {
        one.count_at(carrier, Became::Asked, *count);
    }
    tally(one, &[(Erased::CarrierIds, records.values().sum())]);
}

/// Goes one step on with an erasure; whether there may be another at once.
async fn step(tx: &mut Tx, account: &AccountId, id: &ErasureId) -> Result<bool, Error> {
    let Some(mut one) = erasures::lock(tx, account, id).await? else { return Ok(false) };
    let now = tx.now().await?;
    let more = match one.state {
        ErasureState::Done => return Ok(false),
        ErasureState::Listing => {
            // Nothing goes that is not in the list.
            if erasures::count_unlisted(tx, account, id).await? > 0 {
                return Ok(false);
            }
            one.state = ErasureState::Running;
            true
        }
        ErasureState::Running => {
            one.wait_until = None;
            if held(tx, account, &one).await? {
                one.wait_until = Some(now + HELD_FOR);
                false
            } else {
                go_on(tx, account, &mut one, now).await?
            }
        }
        ErasureState::Waiting => {
            finish(tx, account, &mut one, now).await?;
            false
        }
    };
    erasures::update(tx, account, &one, now).await?;
    Ok(more)
}

/// Whether a hold that was placed since keeps what is next. What the list has was erased before, and a hold that
/// a backup has does not bring it back.
async fn held(tx: &mut Tx, account: &AccountId, one: &Erasure) -> Result<bool, Error> {
    if one.replayed {
        return Ok(false);
    }
    // Whoever places a hold waits for this, or is seen.
    runs::wait(tx).await?;
    let next = erasures::next(tx, account, &one.id).await?;
    if let Some(session) = next.and_then(|entry| entry.session)
        && legal_holds::on_session(tx, account, &session).await?.is_some()
    {
        return Ok(true);
    }
    match &one.person {
        Some(person) => Ok(legal_holds::on_person(tx, account, person).await?.is_some()),
        None => Ok(false),
    }
}

/// One step of what is running: a session, or a part of what lies beside them.
async fn go_on(
    tx: &mut Tx,
    account: &AccountId,
    one: &mut Erasure,
    now: Timestamp,
) -> Result<bool, Error> {
    if let Some(entry) = erasures::next(tx, account, &one.id).await? {
        if one.person.is_none() {
            // After a restore: the list has no hash, the backup does.
            one.person = erasing::person_of(tx, account, &entry.what).await?;
        }
        erase_entry(tx, &entry, one, now).await?;
        erasures::set_done(tx, &entry, now).await?;
        return Ok(true);
    }
    if one.at_key != AFTER_KEYS {
        blank_answers(tx, account, one).await?;
        return Ok(true);
    }
    if let Some(person) = one.person.clone() {
        let caller = (&person, BATCH);
        let went = erasing::caller(tx, account, &one.id, caller, now).await?;
        tally_went(one, &went);
        if went.hashes > 0 {
            return Ok(true);
        }
        let besides = besides::erase(tx, account, &one.id, &person, now).await?;
        tally(one, &besides.counts);
        tally_records(one, &besides.records);
        one.statutory_until = besides.statutory_until;
        one.person = None;
    }
    finish(tx, account, one, now).await?;
    Ok(false)
}

/// Erases somebody in one session. One that is not there, as in an older backup, or where it was done before,
/// is passed over.
async fn erase_entry(
    tx: &mut Tx,
    entry: &Entry,
    one: &mut Erasure,
    now: Timestamp,
) -> Result<(), Error> {
    let account = &entry.account;
    let (Some(session), Ok(id)) = (&entry.session, ParticipantId::parse(&entry.what)) else {
        return Ok(());
    };
    let Some(session) = rows::lock(tx, account, session).await? else { return Ok(()) };
    let found = participants::get(tx, account, &id).await?;
    let Some(person) = found.filter(|found| !found.erased) else { return Ok(()) };
    let mut closed = false;
    // Whoever had left is nobody's partner any more: the others go on.
    if person.removed_at.is_none() {
        closed = sessions::end_for_erasure(tx, account, &session).await?;
    }
    let theirs = (&session, &id);
    let went = erasing::participant(tx, account, &one.id, theirs, now).await?;
    tally_went(one, &went);
    tally(
        one,
        &[
            (Erased::Sessions, 1),
            (Erased::SessionsClosed, u64::from(closed)),
            (Erased::DataKeys, 1),
            (Erased::Identifiers, 1),
        ],
    );
    Ok(())
}

/// Takes what tells of the erased sessions out of answers that are kept for repeated requests.
async fn blank_answers(tx: &mut Tx, account: &AccountId, one: &mut Erasure) -> Result<(), Error> {
    let page = erasing::api_answers(tx, account, &one.at_key, BATCH).await?;
    let full = i64::try_from(page.len()).is_ok_and(|found| found >= BATCH);
    let mut blanked = 0;
    for (key, text) in &page {
        let named = sessions_in(text);
        if erasures::touched(tx, account, &one.id, &named).await?.is_empty() {
            continue;
        }
        let Ok(mut answer) = serde_json::from_str::<super::Answer>(text) else { continue };
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        answer.body = json!({ "id": body["id"], "erased": true }).to_string();
        let text = serde_json::to_string(&answer).unwrap_or_default();
        idempotency::set_answer(tx, account, key, &text).await?;
        blanked += 1;
    }
    tally(one, &[(Erased::ApiAnswers, blanked)]);
    one.at_key = match page.last() {
        Some((key, _)) if full => key.clone(),
        _ => AFTER_KEYS.to_owned(),
    };
    Ok(())
}

/// The ids of sessions that a text names.
fn sessions_in(text: &str) -> Vec<SessionId> {
    let at = |(place, _): (usize, &str)| SessionId::parse(text.get(place..place + 34)?).ok();
    let mut found: Vec<SessionId> = text.match_indices("KC").filter_map(at).collect();
    found.sort();
    found.dedup();
    found
}

/// Lets go of the pairs whose quarantine has ended; done, once none is left.
async fn finish(
    tx: &mut Tx,
    account: &AccountId,
    one: &mut Erasure,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = erasing::entries_of(tx, account, &one.id, &after, BATCH).await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (what, session) in page {
            let entry = Entry {
                account: account.clone(),
                erasure: one.id.clone(),
                what,
                session,
                created_at: one.created_at,
            };
            let (holds, records) = erasing::release(tx, &entry, now).await?;
            tally(one, &[(Erased::Holds, holds)]);
            tally_records(one, &records);
        }
    }
    one.wait_until = erasing::held_until(tx, account, &one.id).await?;
    one.state = if one.wait_until.is_some() {
        ErasureState::Waiting
    } else {
        one.ended_at = Some(now);
        ErasureState::Done
    };
    Ok(())
}

impl Relay {
    /// The same, which can erase people.
    #[must_use]
    pub fn with_erasing(self, erasing: Erasing) -> Self {
        Self { erasing: std::sync::Arc::new(erasing), ..self }
    }

    /// The list outside of the database.
    ///
    /// # Errors
    /// [`Error::ErasingOff`] if there is none.
    pub fn erasure_list(&self) -> Result<&ErasureList, Error> {
        self.erasing.list.as_ref().ok_or(Error::ErasingOff)
    }

    /// What erasing somebody would do now; nothing is changed. Whether all of it was looked at.
    ///
    /// # Errors
    /// As [`begin_erasure`].
    pub async fn try_erasure(
        &self,
        account: &AccountId,
        subject: &Subject,
    ) -> Result<(Value, bool), Error> {
        let (account, subject) = (account.clone(), subject.clone());
        let tried = self.db.write(move |tx| {
            let (account, subject) = (account.clone(), subject.clone());
            Box::pin(async move {
                let begun = begin_erasure(tx, &account, &subject).await?;
                let now = tx.now().await?;
                let mut one = Erasure { state: ErasureState::Running, ..begun };
                let mut complete = false;
                for _ in 0..TRIED_MAX {
                    if !go_on(tx, &account, &mut one, now).await? {
                        complete = true;
                        break;
                    }
                }
                let counts: Value = serde_json::from_str(&one.counts).unwrap_or_default();
                let until = one.wait_until.map(Timestamp::rfc3339);
                let found =
                    json!({ "counts": counts, "quarantine_until": until, "complete": complete });
                Err::<(), _>(Error::DryRun(found))
            })
        });
        match tried.await {
            Err(Error::DryRun(found)) => {
                let complete = found["complete"] == true;
                Ok((found, complete))
            }
            Err(other) => Err(other),
            Ok(()) => Err(Error::NotFound("erasure")),
        }
    }

    /// Writes what is to be erased into the list outside, and notes that it is there.
    ///
    /// # Errors
    /// [`Error::ErasingOff`] where something is owed and there is no list; the store's.
    pub async fn list_owed(&self) -> Result<(), Error> {
        loop {
            let mut tx = self.db.read().await?;
            let owed = erasures::unlisted(&mut tx, BATCH).await?;
            drop(tx);
            if owed.is_empty() {
                return Ok(());
            }
            self.erasure_list()?.append(&owed)?;
            self.db
                .write(move |tx| {
                    let owed = owed.clone();
                    Box::pin(async move {
                        let now = tx.now().await?;
                        for entry in &owed {
                            erasures::set_listed(tx, entry, now).await?;
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await?;
        }
    }

    /// Writes into the list what other nodes wrote into theirs, so that each has all; how many.
    ///
    /// # Errors
    /// As [`Relay::list_owed`].
    pub async fn complete_list(&self) -> Result<usize, Error> {
        let list = self.erasure_list()?;
        let there: std::collections::HashSet<(String, String)> =
            list.read()?.into_iter().map(|entry| (entry.erasure.to_string(), entry.what)).collect();
        let (mut after, mut added) = (None, 0);
        loop {
            let mut tx = self.db.read().await?;
            let page = erasures::page(&mut tx, after.as_ref(), BATCH).await?;
            drop(tx);
            let Some(last) = page.last().cloned() else { return Ok(added) };
            after = Some(last);
            let known =
                |entry: &Entry| there.contains(&(entry.erasure.to_string(), entry.what.clone()));
            let missing: Vec<Entry> = page.into_iter().filter(|entry| !known(entry)).collect();
            if !missing.is_empty() {
                list.append(&missing)?;
                added += missing.len();
            }
        }
    }

    /// Goes one step on with an erasure; whether there may be another at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn erase_on(&self, account: &AccountId, id: &ErasureId) -> Result<bool, Error> {
        let (account, id) = (account.clone(), id.clone());
        let more = self
            .db
            .write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                Box::pin(async move { step(tx, &account, &id).await })
            })
            .await?;
        self.committed();
        Ok(more)
    }

    /// Goes on with an erasure that was just asked for, some way; the rest is a job's.
    ///
    /// # Errors
    /// As [`Relay::list_owed`].
    pub async fn hurry_erasure(&self, account: &AccountId, id: &ErasureId) -> Result<(), Error> {
        self.list_owed().await?;
        for _ in 0..STEPS {
            if !self.erase_on(account, id).await? {
                self.forget_files().await?;
                break;
            }
        }
        Ok(())
    }

    /// Goes on with all erasures as far as can be now; how many were looked at.
    ///
    /// # Errors
    /// As [`Relay::list_owed`]. One that can't be gone on with keeps no other back (I32).
    pub async fn work_erasures(&self) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let due = erasures::due(&mut tx, now, BATCH).await?;
        drop(tx);
        if due.is_empty() {
            return Ok(0);
        }
        self.list_owed().await?;
        for (account, id) in &due {
            loop {
                match self.erase_on(account, id).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(
                        error @ Error::Store(store::Error::Unavailable(_) | store::Error::Locked),
                    ) => return Err(error),
                    Err(error) => {
                        tracing::error!(erasure = %id, %error, "an erasure is not gone on with");
                        break;
                    }
                }
            }
        }
        self.forget_files().await?;
        Ok(due.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions are found by their ids wherever they stand in an answer, once each.
    #[test]
    fn answers_name_sessions() {
        let one = "KC0123456789abcdef0123456789abcdef";
        let other = "KCffffffffffffffffffffffffffffffff";
        let text =
            format!("{{\"a\":\"{one}\",\"b\":\"/x/{other}/{one}\",\"c\":\"KC1\",\"é\":\"KC\"}}");
        let found: Vec<String> = sessions_in(&text).iter().map(ToString::to_string).collect();
        assert_eq!(found, [one, other]);
        assert!(sessions_in("").is_empty());
    }
}
