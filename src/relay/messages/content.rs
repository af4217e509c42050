//! What a text holds that its service does not want: judged, marked, told to the marketplace and to
//! whoever wrote it.

use std::time::Duration;

use serde_json::json;

use super::{NewText, place, tell_participant};
use crate::{
    domain::{
        content::{self, Fate, Outcome},
        event::EventKind,
        message::Body,
        policy,
    },
    ids::AccountId,
    relay::{error::Error, inbound::Routed},
    store::{
        Tx,
        budgets::{self, Asker, Costly},
        events,
        interactions::Interaction,
        text_findings::{self, NewFinding},
    },
    telemetry::metrics,
};

/// How often within [`NOTICES_PER`] one person is told what became of their texts to one number: enough
/// for somebody who tries, and too few for two machines that answer each other.
const NOTICES_MAX: i64 = 5;
const NOTICES_PER: Duration = Duration::from_hours(1);

/// What becomes of a text that is put through: a pure call, with what the transaction has locked.
pub(super) fn judged(routed: &Routed, said: &Body) -> Outcome {
    let rules = &routed.service.rules;
    let mut own = vec![routed.number.number.as_str(), routed.sender.number.as_str()];
    own.extend(routed.recipients.iter().map(|one| one.number.as_str()));
    let language = policy::language(rules, &routed.number.country);
    content::judge(rules.content.actions, said, &own, language)
}

/// Marks a text in which something was found, and tells the marketplace: kinds, never a word. The text
/// as it was written is kept where the service says so and somebody would else not have it.
pub(super) async fn mark(
    tx: &mut Tx,
    account: &AccountId,
    routed: &Routed,
    interaction: &Interaction,
    (said, found): (&Body, &Outcome),
) -> Result<(), Error> {
    let Some((fate, kinds)) = found.fate() else { return Ok(()) };
    let keeps = routed.service.rules.content.keep_originals && fate != Fate::Flagged;
    let key = routed.session.data_key(tx)?;
    let finding = NewFinding {
        interaction: &interaction.id,
        service: &routed.session.service,
        session: &routed.session.id,
        fate,
        kinds,
        original: keeps.then_some(said),
        now: routed.now,
    };
    text_findings::insert(tx, account, &key, &finding).await?;
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let data = json!({ "action": fate.as_str(), "kinds": kinds, "role": interaction.from_role });
    let (kind, data) = (EventKind::MessageModerated, data.to_string());
    events::insert(tx, account, kind, place(interaction), &data, routed.now).await?;
    tx.on_commit(move || metrics::content(fate.as_str()));
    Ok(())
}

/// Tells whoever wrote it what became of their text, in the session's language, through the number that
/// they dial.
pub(super) async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    routed: &Routed,
    found: &Outcome,
) -> Result<(), Error> {
    let Some((fate, kinds)) = found.fate() else { return Ok(()) };
    let (rules, sender) = (&routed.service.rules, &routed.sender);
    let asker = Asker { account, number: &sender.number_id, person: Some(&sender.person) };
    let (most, per) = (NOTICES_MAX, NOTICES_PER);
    if !budgets::take(tx, asker, Costly::Notice, most, per, routed.now).await? {
        tx.on_commit(|| metrics::content("untold"));
        return Ok(());
    }
    let language = policy::language(rules, &routed.number.country);
    let words = content::told(&rules.brand, language, fate, kinds, &rules.content.notice);
    let text = NewText::words(Body::new(words));
    tell_participant(tx, account, &routed.session.id, &sender.id, &text).await
}
