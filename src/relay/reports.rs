//! Reports: somebody of a session says what the other side did, and support decides.

use serde_json::json;

use super::{
    error::{Error, Fault},
    sessions::{
        blocking::{self, Sides},
        place_of,
    },
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        event::EventKind,
        message::Body,
        report::{Category, Decision, INTERACTIONS_MAX, NOTE_CHARS, Source, State},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, ReportId, SessionId},
    store::{
        Tx, audit,
        blocks::BlockedBy,
        events,
        events::Place,
        interactions::{self, Filter, Origin},
        reports::{self, Report},
        sessions::{self, Page},
    },
};

/// How many of the other side's last calls and texts a report by a text names.
const LAST: i64 = 10;

/// What somebody reports.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// What sort of thing it is.
    pub category: Category,
    /// What they say of it.
    pub note: Option<Body>,
    /// What it is about; of the same session.
    pub interactions: Vec<InteractionId>,
    /// Whether nothing is to pass between the two from now on.
    pub block: bool,
}

impl NewReport {
    /// Everything that is wrong with its form.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        faults.extend(note_fault(self.note.as_ref(), "/note"));
        if self.interactions.len() > INTERACTIONS_MAX {
            let allowed = format!("must have at most {INTERACTIONS_MAX} interactions");
            faults.push(Fault::new("/interaction_ids", "length", allowed));
        }
        faults
    }
}

/// What is wrong with a note.
pub(in crate::relay) fn note_fault(note: Option<&Body>, pointer: &str) -> Option<Fault> {
    let chars = note?.chars();
    let allowed = format!("must have 1 to {NOTE_CHARS} characters");
    (!(1..=NOTE_CHARS).contains(&chars)).then(|| Fault::new(pointer, "length", allowed))
}

/// Reports the other side for a participant, and blocks it where that is asked for.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`].
pub async fn report(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    reporter: &ParticipantId,
    new: &NewReport,
) -> Result<Report, Error> {
    let mut faults = new.faults();
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let sides = blocking::locked_sides(tx, account, session, reporter).await?;
    for (place, id) in new.interactions.iter().enumerate() {
        let found = interactions::get(tx, account, id).await?;
        if found.is_none_or(|one| one.session.as_ref() != Some(session)) {
            let pointer = format!("/interaction_ids/{place}");
            faults.push(Fault::new(pointer, "unknown", "must be an interaction of the session"));
        }
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    if new.block {
        blocking::change(tx, account, &sides, true, BlockedBy::Api).await?;
    }
    let report = write(tx, account, &sides, Source::Api, new).await?;
    let entry = Entry::new(Action::ReportCreated, report.id.as_str());
    audit::append(tx, account, entry.with(Detail::Session, session.as_str())).await?;
    Ok(report)
}

/// The same where the person wrote so: what they say is the last calls and texts of the other side, which is
/// blocked. Whether it is new: as long as nobody has decided one, the next says nothing more.
///
/// # Errors
/// [`Error::NotFound`].
pub(in crate::relay) async fn by_person(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    reporter: &ParticipantId,
) -> Result<bool, Error> {
    let sides = blocking::locked_sides(tx, account, session, reporter).await?;
    let blocked = blocking::change(tx, account, &sides, true, BlockedBy::Person).await?;
    if reports::open_of(tx, account, session, reporter).await? {
        return Ok(blocked);
    }
    let filter = Filter { session: Some(session.clone()), ..Filter::default() };
    let page = Page { before: None, after: None, limit: LAST };
    let mut last = interactions::list(tx, account, &filter, &page).await?;
    last.retain(|one| {
        one.origin == Origin::Person && one.from_role.as_ref() != Some(&sides.who.role)
    });
    let interactions = last.into_iter().map(|one| one.id).collect();
    let new = NewReport { category: Category::Other, note: None, interactions, block: true };
    write(tx, account, &sides, Source::Person, &new).await?;
    Ok(true)
}

async fn write(
    tx: &mut Tx,
    account: &AccountId,
    sides: &Sides,
    source: Source,
    new: &NewReport,
) -> Result<Report, Error> {
    let now = tx.now().await?;
    let Sides { session, who, .. } = sides;
    let report = Report {
        id: tx.id_at(now),
        service: session.service.clone(),
        session: session.id.clone(),
        reporter: who.id.clone(),
        reporter_role: who.role.clone(),
        source,
        category: new.category,
        interactions: new.interactions.clone(),
        state: State::Open,
        decision: None,
        assignee: None,
        version: 1,
        created_at: now,
        resolved_at: None,
    };
    let key = session.data_key(tx)?;
    reports::insert(tx, account, &key, &report, new.note.as_ref()).await?;
    let kind = EventKind::ReportCreated;
    tell(tx, account, kind, place_of(session), &report, now).await?;
    Ok(report)
}

async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    kind: EventKind,
    place: Place<'_>,
    report: &Report,
    now: Timestamp,
) -> Result<(), Error> {
    let data = json!({
        "report_id": report.id, "category": report.category.as_str(), "source": report.source.as_str(),
        "participant_id": report.reporter, "role": report.reporter_role,
        "decision": report.decision.map(Decision::as_str),
    });
    events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    Ok(())
}

/// Decides a report. With [`Decision::Blocked`] nothing passes between the two from then on.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::VersionMismatch`], [`Error::ReportResolved`].
pub async fn resolve_report(
    tx: &mut Tx,
    account: &AccountId,
    id: &ReportId,
    (decision, note): (Decision, Option<&Body>),
    version: Option<i64>,
) -> Result<Report, Error> {
    if let Some(fault) = note_fault(note, "/note") {
        return Err(Error::Invalid(vec![fault]));
    }
    let found = reports::get(tx, account, id).await?.ok_or(Error::NotFound("report"))?;
    if version.is_some_and(|version| version != found.version) {
        return Err(Error::VersionMismatch);
    }
    if decision == Decision::Blocked {
        let sides = blocking::locked_sides(tx, account, &found.session, &found.reporter).await?;
        blocking::change(tx, account, &sides, true, BlockedBy::Api).await?;
    }
    // Of a session that was deleted too: it is decided, and no note on it is read again.
    let session = sessions::lock(tx, account, &found.session).await?;
    let now = tx.now().await?;
    let key = match session.as_ref().filter(|session| !session.gone) {
        Some(session) => Some(session.data_key(tx)?),
        None => None,
    };
    let note = key.as_ref().zip(note);
    if !reports::resolve(tx, account, id, (decision, note), version, now).await? {
        let found = reports::get(tx, account, id).await?;
        let decided = found.is_none_or(|found| found.state == State::Resolved);
        return Err(if decided { Error::ReportResolved } else { Error::VersionMismatch });
    }
    let report = reports::get(tx, account, id).await?.ok_or(Error::NotFound("report"))?;
    let entry = Entry::new(Action::ReportResolved, id.as_str());
    audit::append(tx, account, entry.with(Detail::Kind, decision.as_str())).await?;
    let kind = EventKind::ReportResolved;
    let place = match &session {
        Some(session) => place_of(session),
        None => Place { service: Some(&report.service), ..Place::default() },
    };
    tell(tx, account, kind, place, &report, now).await?;
    Ok(report)
}
