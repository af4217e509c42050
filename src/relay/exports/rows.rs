//! The rows of a list, as files have them: masked as on the pages, no word of anybody.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{
    domain::{
        audit::{Action, ActorKind},
        export::{Cell, ExportList},
        interaction::{Kind, Outcome, Reason},
        redact,
        session::{ClosedReason, State},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, NumberId, ServiceId, SessionId, StaffId},
    relay::Error,
    store::{
        Tx, audit,
        interactions::{self, Interaction, Origin},
        legs::{self, Direction, Leg},
        participants::{self, Participant},
        services,
        sessions::{self, Page as Place},
        staff,
    },
};

/// A list and what it is narrowed to.
#[derive(Debug, Clone)]
pub enum Narrowed {
    /// Sessions.
    Sessions(sessions::Filter),
    /// Calls and texts.
    Interactions(interactions::Filter),
    /// The audit log.
    Audit(audit::Filter),
}

/// Rows, and the last of them.
pub(super) struct Page {
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) last: Option<String>,
}

impl Narrowed {
    /// Which list.
    pub const fn list(&self) -> ExportList {
        match self {
            Self::Sessions(_) => ExportList::Sessions,
            Self::Interactions(_) => ExportList::Interactions,
            Self::Audit(_) => ExportList::Audit,
        }
    }

    /// The filters by name: those of the console's addresses.
    fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        let ms = |at: Option<Timestamp>| at.map(|at| at.millis().to_string());
        match self {
            Self::Sessions(one) => vec![
                ("state", one.state.map(|one| one.as_str().to_owned())),
                ("service", one.service.as_ref().map(ToString::to_string)),
                ("role", one.role.clone()),
                ("name", one.unique_name.clone()),
                ("number", one.number.as_ref().map(ToString::to_string)),
                ("from", ms(one.created_from)),
                ("to", ms(one.created_before)),
            ],
            Self::Interactions(one) => vec![
                ("kind", one.kind.map(|one| one.as_str().to_owned())),
                ("outcome", one.outcome.map(|one| one.as_str().to_owned())),
                ("service", one.service.as_ref().map(ToString::to_string)),
                ("role", one.role.clone()),
                ("from", ms(one.created_from)),
                ("to", ms(one.created_before)),
            ],
            Self::Audit(one) => vec![
                ("action", one.action.map(|one| one.as_str().to_owned())),
                ("kind", one.actor_kind.map(|one| one.as_str().to_owned())),
                ("who", one.actor.clone()),
                ("about", one.target.clone()),
                ("from", ms(one.from)),
                ("to", ms(one.before)),
            ],
        }
    }

    /// The names of the filters that hold.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.pairs().into_iter().filter_map(|(name, value)| value.map(|_| name)).collect()
    }

    /// What it is narrowed to, as a JSON object.
    pub(super) fn to_text(&self) -> String {
        let held = self.pairs().into_iter().filter_map(|(name, value)| Some((name, value?)));
        let map: Map<String, Value> =
            held.map(|(name, value)| (name.to_owned(), value.into())).collect();
        Value::Object(map).to_string()
    }

    /// Reads what [`Narrowed::to_text`] wrote; nothing where another version wrote what is not known here: a
    /// filter that is left out would give out more than was asked for.
    pub(super) fn parse(list: ExportList, text: &str) -> Option<Self> {
        let Ok(Value::Object(map)) = serde_json::from_str(text) else { return None };
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let at = |name: &str| text(name).and_then(|ms| ms.parse().ok()).map(Timestamp::from_millis);
        let read = match list {
            ExportList::Sessions => Self::Sessions(sessions::Filter {
                state: text("state").and_then(State::parse),
                service: text("service").and_then(|id| ServiceId::parse(id).ok()),
                role: text("role").map(str::to_owned),
                unique_name: text("name").map(str::to_owned),
                number: text("number").and_then(|id| NumberId::parse(id).ok()),
                created_from: at("from"),
                created_before: at("to"),
                ..sessions::Filter::default()
            }),
            ExportList::Interactions => Self::Interactions(interactions::Filter {
                kind: text("kind").and_then(Kind::parse),
                outcome: text("outcome").and_then(Outcome::parse),
                service: text("service").and_then(|id| ServiceId::parse(id).ok()),
                role: text("role").map(str::to_owned),
                created_from: at("from"),
                created_before: at("to"),
                ..interactions::Filter::default()
            }),
            ExportList::Audit => Self::Audit(audit::Filter {
                action: text("action").and_then(Action::parse),
                actor_kind: text("kind").and_then(ActorKind::parse),
                actor: text("who").map(str::to_owned),
                target: text("about").map(str::to_owned),
                from: at("from"),
                before: at("to"),
                from_seq: None,
            }),
        };
        (read.names().len() == map.len()).then_some(read)
    }

    /// How many rows there are, counted to `most`.
    pub(super) async fn count(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        most: i64,
    ) -> Result<i64, Error> {
        Ok(match self {
            Self::Sessions(filter) => sessions::count_narrowed(tx, account, filter, most).await?,
            Self::Interactions(filter) => {
                interactions::count_narrowed(tx, account, filter, most).await?
            }
            Self::Audit(filter) => {
                audit::count_narrowed(tx, account.as_str(), filter, most).await?
            }
        })
    }
}

/// The rows behind `last`, newest first, `limit` at most.
pub(super) async fn page(
    tx: &mut Tx,
    account: &AccountId,
    narrowed: &Narrowed,
    last: Option<String>,
    limit: i64,
) -> Result<Page, Error> {
    let place = Place { before: last, after: None, limit };
    match narrowed {
        Narrowed::Sessions(filter) => sessions_page(tx, account, filter, &place).await,
        Narrowed::Interactions(filter) => interactions_page(tx, account, filter, &place).await,
        Narrowed::Audit(filter) => audit_page(tx, account, filter, &place).await,
    }
}

fn at(at: Timestamp) -> Cell {
    at.rfc3339().into()
}

fn maybe(time: Option<Timestamp>) -> Cell {
    time.map_or(Cell::Empty, at)
}

/// The names of services, each once.
async fn service_names(
    tx: &mut Tx,
    account: &AccountId,
    mut ids: Vec<ServiceId>,
) -> Result<HashMap<ServiceId, String>, Error> {
    ids.sort_unstable();
    ids.dedup();
    let mut names = HashMap::new();
    for id in ids {
        if let Some(service) = services::get_any(tx, account, &id).await? {
            names.insert(id, service.unique_name);
        }
    }
    Ok(names)
}

async fn sessions_page(
    tx: &mut Tx,
    account: &AccountId,
    filter: &sessions::Filter,
    place: &Place,
) -> Result<Page, Error> {
    let found = sessions::list(tx, account, filter, place).await?;
    let ids: Vec<SessionId> = found.iter().map(|one| one.id.clone()).collect();
    let mut people: HashMap<SessionId, Vec<String>> = HashMap::new();
    if !ids.is_empty() {
        for one in participants::of_sessions(tx, account, &ids).await? {
            let left = if one.removed_at.is_some() { " (left)" } else { "" };
            let words = format!("{} {}{left}", one.role, one.masked());
            people.entry(one.session).or_default().push(words);
        }
    }
    let mut counts: HashMap<SessionId, (i64, i64)> = HashMap::new();
    for tally in interactions::tallies(tx, account, &ids).await? {
        let counted = counts.entry(tally.session).or_default();
        counted.0 += tally.count;
        counted.1 += tally.undelivered;
    }
    let of: Vec<ServiceId> = found.iter().map(|one| one.service.clone()).collect();
    let services = service_names(tx, account, of).await?;
    let last = found.last().map(|one| one.id.to_string());
    let rows = found.into_iter().map(|one| {
        let people = people.remove(&one.id).unwrap_or_default().join("; ");
        let (all, undelivered) = counts.get(&one.id).copied().unwrap_or_default();
        vec![
            one.id.as_str().into(),
            one.unique_name.into(),
            one.state.as_str().into(),
            one.closed_reason.map(ClosedReason::as_str).into(),
            one.mode.as_str().into(),
            one.service.as_str().into(),
            services.get(&one.service).cloned().into(),
            people.into(),
            at(one.created_at),
            maybe(one.last_interaction_at),
            maybe(one.ended_at),
            // "Never" is told as nothing.
            maybe(Some(one.expires_at).filter(|end| *end != Timestamp::MAX)),
            all.into(),
            undelivered.into(),
        ]
    });
    Ok(Page { rows: rows.collect(), last })
}

/// A role and the masked form of somebody.
fn party(role: &str, masked: &str) -> String {
    format!("{role} {masked}").trim().to_owned()
}

fn known<'a>(
    people: &'a HashMap<String, Participant>,
    id: Option<&crate::ids::ParticipantId>,
) -> Option<&'a Participant> {
    id.and_then(|id| people.get(id.as_str()))
}

fn from(one: &Interaction, people: &HashMap<String, Participant>) -> String {
    if let Some(person) = known(people, one.from_participant.as_ref()) {
        return party(&person.role, &person.masked());
    }
    match (&one.person, one.origin) {
        (_, Origin::Api) => "marketplace".to_owned(),
        (Some(person), Origin::Person) => {
            let role = one.from_role.as_deref().unwrap_or("unknown");
            party(role, &redact::masked(None, person.tag()))
        }
        (None, Origin::Person) => "withheld".to_owned(),
    }
}

fn to(one: &Interaction, legs: &[Leg], people: &HashMap<String, Participant>) -> String {
    let reached = legs
        .iter()
        .filter(|leg| leg.direction == Direction::Outbound)
        // A call that the marketplace asked for rings whoever begins it first.
        .filter(|leg| leg.participant.is_none() || leg.participant != one.from_participant)
        .map(|leg| match known(people, leg.participant.as_ref()) {
            Some(person) => party(&person.role, &person.masked()),
            None => leg.role.clone().unwrap_or_else(|| "unknown".to_owned()),
        });
    reached.collect::<Vec<_>>().join("; ")
}

async fn interactions_page(
    tx: &mut Tx,
    account: &AccountId,
    filter: &interactions::Filter,
    place: &Place,
) -> Result<Page, Error> {
    let found = interactions::list(tx, account, filter, place).await?;
    let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
    let mut of: Vec<SessionId> = found.iter().filter_map(|one| one.session.clone()).collect();
    of.sort_unstable();
    of.dedup();
    let mut by_interaction: HashMap<InteractionId, Vec<Leg>> = HashMap::new();
    for leg in legs::of_interactions(tx, account, &ids).await? {
        by_interaction.entry(leg.interaction.clone()).or_default().push(leg);
    }
    let people = participants::of_sessions(tx, account, &of).await?;
    let people: HashMap<String, Participant> =
        people.into_iter().map(|one| (one.id.to_string(), one)).collect();
    let names: HashMap<SessionId, String> =
        sessions::names(tx, account, &of).await?.into_iter().collect();
    let within: Vec<ServiceId> = found.iter().filter_map(|one| one.service.clone()).collect();
    let services = service_names(tx, account, within).await?;
    let last = found.last().map(|one| one.id.to_string());
    let rows = found.into_iter().map(|one| {
        let legs = by_interaction.remove(&one.id).unwrap_or_default();
        let seconds =
            one.duration.map(|spoken| i64::try_from(spoken.as_secs()).unwrap_or(i64::MAX));
        vec![
            one.id.as_str().into(),
            one.kind.as_str().into(),
            at(one.created_at),
            maybe(one.ended_at),
            one.outcome.map(Outcome::as_str).into(),
            one.reason.map(Reason::as_str).into(),
            seconds.into(),
            from(&one, &people).into(),
            to(&one, &legs, &people).into(),
            one.number.as_str().into(),
            one.carrier.as_str().into(),
            one.session.as_ref().map(SessionId::as_str).into(),
            one.session.as_ref().and_then(|id| names.get(id).cloned()).into(),
            one.service.as_ref().map(ServiceId::as_str).into(),
            one.service.as_ref().and_then(|id| services.get(id).cloned()).into(),
        ]
    });
    Ok(Page { rows: rows.collect(), last })
}

async fn audit_page(
    tx: &mut Tx,
    account: &AccountId,
    filter: &audit::Filter,
    place: &Place,
) -> Result<Page, Error> {
    let before = place.before.as_ref().and_then(|seq| seq.parse().ok());
    let found = audit::list(tx, account.as_str(), filter, before, place.limit).await?;
    let actors = found.iter().filter_map(|row| StaffId::parse(&row.link.content.actor).ok());
    let mut ids: Vec<StaffId> = actors.collect();
    ids.sort_unstable();
    ids.dedup();
    let names = staff::names(tx, &ids).await?;
    let last = found.last().map(|row| row.link.content.seq.to_string());
    let rows = found.into_iter().map(|row| {
        let hash = row.link.hash;
        let one = row.link.content;
        let name = StaffId::parse(&one.actor).ok().and_then(|id| names.get(&id).cloned());
        vec![
            one.seq.into(),
            at(Timestamp::from_millis(one.at)),
            one.actor_kind.into(),
            one.actor.into(),
            name.into(),
            one.action.into(),
            one.target_kind.into(),
            one.target.into(),
            row.reason.into(),
            one.details.into(),
            one.previous.into(),
            hash.into(),
        ]
    });
    Ok(Page { rows: rows.collect(), last })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a job reads back is what was asked for; what it does not understand it does not leave out.
    #[test]
    fn filters_are_read_back() {
        let at = Some(Timestamp::from_millis(1_795_252_727_000));
        let all = [
            Narrowed::Sessions(sessions::Filter {
                state: Some(State::Open),
                unique_name: Some("order \"7\"".into()),
                role: Some("buyer".into()),
                created_from: at,
                ..sessions::Filter::default()
            }),
            Narrowed::Interactions(interactions::Filter {
                kind: Some(Kind::Call),
                outcome: Some(Outcome::Refused),
                created_before: at,
                ..interactions::Filter::default()
            }),
            Narrowed::Audit(audit::Filter {
                action: Some(Action::ExportMade),
                actor_kind: Some(ActorKind::Staff),
                from: at,
                before: at,
                ..audit::Filter::default()
            }),
        ];
        for one in all {
            let text = one.to_text();
            let read = Narrowed::parse(one.list(), &text).unwrap();
            assert_eq!(format!("{read:?}"), format!("{one:?}"));
            let newer = text.replacen('{', "{\"mood\":\"x\",", 1);
            assert!(Narrowed::parse(one.list(), &newer).is_none());
        }
        let odd = "{\"state\":\"asleep\"}";
        assert!(Narrowed::parse(ExportList::Sessions, odd).is_none());
    }
}
