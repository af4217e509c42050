//! Reports and flagged texts as staff take, give, decide and read them. Each stands in the audit log, by their name.

use serde_json::json;

use super::opening::noted;
use crate::{
    domain::{
        audit::{Action, Detail, Entry, Reason},
        event::EventKind,
        message::Body,
        moderation::{Notice, decided},
        opening::{Cause, Opened},
        policy,
        report::{Decision, State},
        staff::Permission,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, SessionId, StaffId},
    relay::{
        Error, Fault, Relay,
        messages::{self, NewText},
        reports::resolve_report,
        sessions::{blocking, place_of},
    },
    store::{
        Tx, audit,
        blocks::BlockedBy,
        events,
        events::Place,
        interactions::{self, Interaction},
        moderation::{self, About, Item, ItemId},
        numbers,
        participants::{self, Participant},
        reports::{self, Report},
        services, sessions, staff, text_findings,
    },
};

/// What somebody of the staff decides.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// What.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Whether whoever reported is told by a text that something was decided.
    pub tell: bool,
    /// The version that they saw.
    pub version: i64,
}

/// The words of one item.
#[derive(Debug)]
pub struct ItemWords {
    /// What whoever reported says.
    pub note: Option<Body>,
    /// Why it was decided so, as whoever decided says.
    pub decision_note: Option<Body>,
    /// The texts that it names, or is.
    pub texts: Vec<ItemText>,
}

/// A text with what is kept of it.
#[derive(Debug)]
pub struct ItemText {
    /// The text.
    pub interaction: Interaction,
    /// Its words, where they are kept.
    pub words: Option<Body>,
    /// Whether those are as it was written; as it was passed on else.
    pub original: bool,
}

async fn open_item(
    tx: &mut Tx,
    account: &AccountId,
    id: &ItemId,
    version: i64,
) -> Result<Item, Error> {
    let found = moderation::get(tx, account, id).await?.ok_or(Error::NotFound("item"))?;
    match (found.state, found.version == version) {
        (State::Resolved, _) => Err(Error::ReportResolved),
        (State::Open, false) => Err(Error::VersionMismatch),
        (State::Open, true) => Ok(found),
    }
}

/// Whether somebody of the staff may moderate in an account now.
fn may_moderate(one: &staff::Staff, account: &AccountId) -> bool {
    let may = one.rights(account).is_some_and(|rights| rights.may(Permission::Moderate));
    may && one.disabled_at.is_none()
}

/// Who of an account's staff may moderate in it, by name, among the first `limit` of them.
///
/// # Errors
/// The store's.
pub async fn moderators(
    tx: &mut Tx,
    account: &AccountId,
    limit: i64,
) -> Result<Vec<staff::Staff>, Error> {
    let mut all = staff::list(tx, Some(account), "", limit).await?;
    all.retain(|one| may_moderate(one, account));
    Ok(all)
}

/// Gives an open item to somebody who may moderate, or back to nobody.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::ReportResolved`] for one that was decided; [`Error::VersionMismatch`] for one that was
/// changed since; [`Error::Invalid`] for somebody who may not moderate in the account.
pub async fn assign_item(
    tx: &mut Tx,
    account: &AccountId,
    id: &ItemId,
    to: Option<&StaffId>,
    version: i64,
) -> Result<(), Error> {
    open_item(tx, account, id, version).await?;
    if let Some(to) = to {
        let one = staff::get(tx, to).await?;
        if !one.is_some_and(|one| may_moderate(&one, account)) {
            let allowed = "must be somebody who may moderate in this account";
            return Err(Error::Invalid(vec![Fault::new("/to", "not_allowed", allowed)]));
        }
    }
    if !moderation::assign(tx, account, id, to, version).await? {
        return Err(Error::VersionMismatch);
    }
    let action = match id {
        ItemId::Report(_) => Action::ReportAssigned,
        ItemId::Text(_) => Action::TextAssigned,
    };
    let mut entry = Entry::new(action, id.as_str());
    if let Some(to) = to {
        entry = entry.with(Detail::Staff, to.as_str());
    }
    Ok(audit::append(tx, account, entry).await?)
}

/// Decides an open item, which is then theirs who decided it. With [`Decision::Blocked`] nothing passes between the two
/// any more. What became of telling whoever reported, where that was wanted.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::ReportResolved`] for one that was decided; [`Error::VersionMismatch`] for one that was
/// changed since.
pub async fn decide_item(
    tx: &mut Tx,
    account: &AccountId,
    by: &StaffId,
    id: &ItemId,
    ruling: &Ruling,
) -> Result<Option<Notice>, Error> {
    let found = open_item(tx, account, id, ruling.version).await?;
    match id {
        ItemId::Report(report) => {
            let note = Body::new(ruling.reason.expose().to_owned());
            let said = (ruling.decision, Some(&note));
            let report = resolve_report(tx, account, report, said, Some(ruling.version)).await?;
            if ruling.decision == Decision::Blocked {
                note_block(tx, account, &report.session, &report.reporter).await?;
            }
            let notice =
                if ruling.tell { Some(tell_reporter(tx, account, &report).await?) } else { None };
            moderation::note_report(tx, account, &report.id, by, notice).await?;
            Ok(notice)
        }
        ItemId::Text(text) => {
            decide_text(tx, account, (by, text), &found, ruling).await?;
            Ok(None)
        }
    }
}

async fn decide_text(
    tx: &mut Tx,
    account: &AccountId,
    (by, id): (&StaffId, &InteractionId),
    found: &Item,
    ruling: &Ruling,
) -> Result<(), Error> {
    let text = interactions::get_any(tx, account, id).await?;
    let text = text.ok_or(Error::NotFound("interaction"))?;
    let decision = ruling.decision;
    if decision == Decision::Blocked {
        let people = participants::of_session(tx, account, &found.session).await?;
        let other = people.into_iter().find(|one| text.from_role.as_ref() != Some(&one.role));
        let other = other.ok_or(Error::NotFound("participant"))?;
        let sides = blocking::locked_sides(tx, account, &found.session, &other.id).await?;
        blocking::change(tx, account, &sides, true, BlockedBy::Api).await?;
        note_block(tx, account, &found.session, &other.id).await?;
    }
    let session = sessions::lock(tx, account, &found.session).await?;
    let now = tx.now().await?;
    let ruled = (decision, by);
    if !moderation::decide_text(tx, account, id, ruled, ruling.version, now).await? {
        return Err(Error::VersionMismatch);
    }
    let entry = Entry::new(Action::TextDecided, id.as_str());
    audit::append(tx, account, entry.with(Detail::Kind, decision.as_str())).await?;
    let About::Text { fate, kinds } = &found.about else { return Ok(()) };
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let data = json!({
        "decision": decision.as_str(), "action": fate.as_str(), "kinds": kinds, "role": text.from_role,
    });
    let place =
        Place { interaction: Some(id), ..session.as_ref().map_or_else(Place::default, place_of) };
    events::insert(tx, account, EventKind::MessageDecided, place, &data.to_string(), now).await?;
    Ok(())
}

/// That staff let nothing pass any more between the two, as the act of that name notes it.
async fn note_block(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    who: &ParticipantId,
) -> Result<(), Error> {
    let entry = Entry::new(Action::SessionPairBlocked, session.as_str());
    let entry = entry.with(Detail::Participant, who.as_str());
    Ok(audit::append(tx, account, entry).await?)
}

/// Whoever reported, as the session has them, or why no text would reach them now.
async fn reporter(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    id: &ParticipantId,
    now: Timestamp,
) -> Result<Result<Participant, Notice>, Error> {
    let session = sessions::get(tx, account, session).await?.filter(|one| one.is_live(now));
    let Some(session) = session else { return Ok(Err(Notice::Over)) };
    if !session.mode.message() {
        return Ok(Err(Notice::NoTexts));
    }
    let one = participants::get(tx, account, id).await?;
    let one =
        one.filter(|one| one.session == session.id && one.removed_at.is_none() && !one.erased);
    let Some(one) = one else { return Ok(Err(Notice::Left)) };
    if messages::unwanted(tx, account, &one.number_id, &one.person).await? {
        return Ok(Err(Notice::OptedOut));
    }
    Ok(Ok(one))
}

/// Why whoever reported can't be told now that something was decided; `None` where they can.
///
/// # Errors
/// The store's.
pub async fn untellable(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    who: &ParticipantId,
) -> Result<Option<Notice>, Error> {
    let now = tx.now().await?;
    Ok(reporter(tx, account, session, who, now).await?.err())
}

/// Tells whoever reported, through the number that they dial. A report is decided once, and so they are told once.
async fn tell_reporter(tx: &mut Tx, account: &AccountId, report: &Report) -> Result<Notice, Error> {
    let now = tx.now().await?;
    let who = reporter(tx, account, &report.session, &report.reporter, now).await?;
    let one = match who {
        Ok(one) => one,
        Err(why) => return Ok(why),
    };
    let service = services::get(tx, account, &report.service).await?;
    let Some(service) = service else { return Ok(Notice::Over) };
    let number = numbers::get(tx, account, &one.number_id).await?;
    let country = number.map(|number| number.country).unwrap_or_default();
    let language = policy::language(&service.rules, &country);
    let text = NewText::words(Body::new(decided(&service.rules.brand, language)));
    messages::tell_participant(tx, account, &report.session, &one.id, &text).await?;
    Ok(Notice::Sent)
}

impl Relay {
    /// Shows somebody of the staff the words of an item: what whoever reported says, and the texts that it names or is.
    /// `None` once they have opened texts as often as they may. The relay must be theirs ([`Relay::by`]).
    ///
    /// # Errors
    /// [`Error::NotFound`], also where the session was deleted, and its words with it.
    pub async fn read_item(
        &self,
        account: &AccountId,
        staff: &StaffId,
        id: &ItemId,
        cause: Cause,
    ) -> Result<Option<ItemWords>, Error> {
        let most = self.login_rules.reveals_per_day;
        let input = (account.clone(), staff.clone(), id.clone());
        let may = self.act(input, move |tx, (account, staff, id)| {
            Box::pin(async move {
                let found = moderation::get(tx, &account, &id).await?;
                let found = found.ok_or(Error::NotFound("item"))?;
                let session = sessions::get(tx, &account, &found.session).await?;
                session.ok_or(Error::NotFound("session"))?;
                let action = match &id {
                    ItemId::Report(_) => Action::ReportWordsRead,
                    ItemId::Text(_) => Action::TextWordsRead,
                };
                let entry = Entry::new(action, id.as_str())
                    .with(Detail::Session, found.session.as_str())
                    .with(Detail::Why, cause.as_str());
                noted(tx, &account, (&staff, Opened::Texts, most), entry).await
            })
        });
        if !may.await? {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let found = moderation::get(&mut tx, account, id).await?.ok_or(Error::NotFound("item"))?;
        Ok(Some(words(&mut tx, account, &found).await?))
    }
}

async fn words(tx: &mut Tx, account: &AccountId, found: &Item) -> Result<ItemWords, Error> {
    let session = sessions::get(tx, account, &found.session).await?;
    let key = session.ok_or(Error::NotFound("session"))?.data_key(tx)?;
    let (notes, named) = match (&found.id, &found.about) {
        (ItemId::Report(id), About::Report { interactions, .. }) => {
            (reports::notes(tx, account, &key, id).await?, interactions.clone())
        }
        (ItemId::Text(id), _) => (reports::Notes::default(), vec![id.clone()]),
        (ItemId::Report(_), About::Text { .. }) => return Err(Error::NotFound("item")),
    };
    let mut kept = interactions::words(tx, account, &key, &named).await?;
    let mut texts = Vec::with_capacity(named.len());
    for id in named {
        let Some(interaction) = interactions::get(tx, account, &id).await? else { continue };
        if interaction.kind != crate::domain::interaction::Kind::Message {
            continue;
        }
        let written = text_findings::original(tx, account, &key, &id).await?;
        let original = written.is_some();
        let words = written.or_else(|| kept.remove(&id));
        texts.push(ItemText { interaction, words, original });
    }
    Ok(ItemWords { note: notes.note, decision_note: notes.decision_note, texts })
}
