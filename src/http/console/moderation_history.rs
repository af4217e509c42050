//! What was done with one report or flagged text, as the audit log has it.

use std::collections::HashMap;

use serde_json::Value;

use super::{answer::Answer, sessions::short, when::When, words};
use crate::{
    domain::{
        audit::{Action, ActorKind},
        opening::Cause,
        report::Decision,
        staff::Language,
        time::Timestamp,
    },
    ids::{AccountId, StaffId},
    store::{
        Tx,
        audit::{self, Filter, Row},
        moderation::ItemId,
        staff,
    },
};

/// How many of the last steps are shown.
const MOST: i64 = 50;

/// One thing that was done.
pub(super) struct Step {
    pub(super) at: Option<When>,
    pub(super) who: String,
    pub(super) what: &'static str,
    /// What was decided, or to whom it was given.
    pub(super) more: Option<String>,
    pub(super) reason: Option<String>,
}

/// Its last steps, newest first.
pub(super) async fn of(
    tx: &mut Tx,
    account: &AccountId,
    language: Language,
    id: &ItemId,
) -> Answer<Vec<Step>> {
    let filter = Filter { target: Some(id.as_str().to_owned()), ..Filter::default() };
    let rows = audit::list(tx, account.as_str(), &filter, None, MOST).await?;
    let named =
        rows.iter().flat_map(|row| [Some(row.link.content.actor.clone()), detail(row, "staff")]);
    let mut ids: Vec<StaffId> = named.flatten().filter_map(|id| StaffId::parse(&id).ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    let names = staff::names(tx, &ids).await?;
    Ok(rows.into_iter().map(|row| step(language, row, &names)).collect())
}

fn detail(row: &Row, name: &str) -> Option<String> {
    let details: Value = serde_json::from_str(&row.link.content.details).ok()?;
    Some(details.get(name)?.as_str()?.to_owned())
}

fn step(language: Language, row: Row, names: &HashMap<StaffId, String>) -> Step {
    let name = |id: &str| {
        let known = StaffId::parse(id).ok().map(|id| names.get(&id).cloned());
        known.map(|known| known.unwrap_or_else(|| short(id)))
    };
    let action = Action::parse(&row.link.content.action);
    let more = match action {
        Some(Action::ReportAssigned | Action::TextAssigned) => {
            let to = detail(&row, "staff").and_then(|id| name(&id));
            Some(to.unwrap_or_else(|| language.say("to nobody", "à personne").to_owned()))
        }
        Some(Action::ReportResolved | Action::TextDecided) => detail(&row, "kind")
            .and_then(|kind| Decision::parse(&kind))
            .map(|one| words::decision(language, one).to_owned()),
        Some(Action::ReportWordsRead | Action::TextWordsRead) => detail(&row, "why")
            .and_then(|why| Cause::parse(&why))
            .map(|one| super::acts::cause(language, one).to_owned()),
        _ => None,
    };
    let content = &row.link.content;
    let kind = ActorKind::parse(&content.actor_kind);
    let sort = kind.map_or("", |kind| words::actor(language, kind));
    Step {
        at: When::new(language, Timestamp::from_millis(content.at)),
        who: name(&content.actor).unwrap_or_else(|| sort.to_owned()),
        what: action.map_or("", |one| words::action(language, one)),
        more,
        reason: row.reason,
    }
}
