//! What happened in a session, told in order: each call and text with its legs, and what else
//! changed between them.

use std::collections::HashMap;

use super::{
    trail::{Shown, Step, Trails, event_words},
    when::{self, When},
    words::{self, Chip, Receipt, Tone, Why},
};
use crate::{
    domain::{
        interaction::{Kind, Outcome, Reason},
        message::MessageState,
        staff::Language,
        time::Timestamp,
    },
    ids::InteractionId,
    relay::Carriers,
    store::{
        events::Event,
        interactions::{Interaction, Origin, Tally},
        legs::{Direction, Leg},
        participants::Participant,
    },
};

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Entry {
    /// The day, where it is another than that of the entry before.
    pub(super) day: Option<String>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Contact(Box<Contact>),
    Change(Change),
}

/// A call or text.
#[derive(Debug)]
pub(super) struct Contact {
    pub(super) id: String,
    pub(super) at: Option<When>,
    pub(super) kind: &'static str,
    /// Whether it is a call; a text else.
    pub(super) call: bool,
    pub(super) from: Party,
    pub(super) to: Vec<Party>,
    /// Whether the marketplace asked for it.
    pub(super) asked_for: bool,
    pub(super) chip: Chip,
    pub(super) sentence: &'static str,
    pub(super) why: Option<Why>,
    /// What there is to measure: `spoke for 3 min`.
    pub(super) facts: Vec<String>,
    pub(super) legs: Vec<LegRow>,
    pub(super) shown: Vec<Shown>,
    /// Messages that were left, and recordings.
    pub(super) besides: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One end of a call or text.
#[derive(Debug, Clone)]
pub(super) struct Party {
    pub(super) role: String,
    pub(super) masked: String,
    /// The first side of the session, the second, or neither.
    pub(super) side: &'static str,
}

#[derive(Debug)]
pub(super) struct LegRow {
    pub(super) party: Party,
    pub(super) inbound: bool,
    pub(super) number: String,
    pub(super) carrier: String,
    pub(super) carrier_id: Option<String>,
    pub(super) carrier_code: Option<String>,
    /// What the carrier means by that, where it is known.
    pub(super) means: Option<&'static str>,
    /// Whether its recipient may have it twice.
    pub(super) possible_duplicate: bool,
    pub(super) state: &'static str,
    pub(super) why: Option<&'static str>,
    pub(super) answered: Option<When>,
    pub(super) ended: Option<When>,
    pub(super) duration: Option<String>,
}

/// An event, as a small row.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) at: Option<When>,
    pub(super) words: String,
    /// Whose it is.
    pub(super) role: Option<String>,
    /// What became of telling the marketplace.
    pub(super) told: Vec<String>,
}

/// How many ended in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) count: i64,
    pub(super) chip: Chip,
}

/// How many calls and texts of a session are counted: the newest.
pub(super) const COUNTED: i64 = 1_000;

/// The counts of one session, those that went well first.
pub(super) fn counts<'a>(
    language: Language,
    tallies: impl Iterator<Item = &'a Tally>,
) -> Vec<Count> {
    let mut counts = Vec::new();
    let (mut undelivered, mut all) = (0, 0);
    for tally in tallies {
        // Only what a carrier took can be undelivered; a tally of it stands beside the rest.
        let lost = if tally.outcome == Some(Outcome::Relayed) { tally.undelivered } else { 0 };
        undelivered += lost;
        all += tally.count;
        let count = tally.count - lost;
        counts.push(Count { count, chip: words::counted(language, tally.outcome, count) });
    }
    let chip = words::undelivered(language, undelivered);
    counts.push(Count { count: undelivered, chip });
    if all >= COUNTED {
        counts.push(Count { count: all, chip: words::only_newest(language) });
    }
    counts.retain(|one| one.count > 0);
    counts.sort_by_key(|one| match one.chip.tone {
        Tone::Good => 0,
        Tone::Waiting => 1,
        Tone::Missed => 2,
        Tone::Bad => 3,
        Tone::Quiet => 4,
    });
    counts
}

/// What is known of a text's arrival: one phone that has it is enough.
fn receipt(kind: Kind, legs: &[Leg]) -> Receipt {
    let any = |state: MessageState| {
        legs.iter().any(|leg| leg.direction == Direction::Outbound && leg.state == state.as_str())
    };
    match kind {
        Kind::Message if any(MessageState::Delivered) => Receipt::Delivered,
        Kind::Message if any(MessageState::Undelivered) => Receipt::Undelivered,
        Kind::Message | Kind::Call => Receipt::None,
    }
}

/// Why it did not get through, if it did not.
fn cause(interaction: &Interaction, receipt: Receipt) -> Option<Reason> {
    match (interaction.outcome, receipt) {
        (Some(Outcome::Relayed), Receipt::Undelivered) => Some(Reason::Undelivered),
        (Some(Outcome::Relayed | Outcome::Connected), _) => None,
        _ => interaction.reason,
    }
}

/// Tells an interaction in one line: chip, sentence, and what is behind it.
pub(super) fn verdict(
    language: Language,
    interaction: &Interaction,
    legs: &[Leg],
) -> (Chip, &'static str, Option<Why>) {
    let receipt = receipt(interaction.kind, legs);
    let (chip, sentence) = words::ending(language, interaction.kind, interaction.outcome, receipt);
    let why = cause(interaction, receipt).map(|one| words::reason(language, one, interaction.kind));
    (chip, sentence, why)
}

/// Who is who in what is told.
pub(super) struct Cast<'a> {
    language: Language,
    people: &'a [Participant],
    roles: Vec<&'a str>,
    carriers: Option<&'a Carriers>,
}

impl<'a> Cast<'a> {
    pub(super) fn new(language: Language, people: &'a [Participant]) -> Self {
        let mut roles: Vec<&str> = Vec::new();
        for one in people {
            if !roles.contains(&one.role.as_str()) {
                roles.push(&one.role);
            }
        }
        Self { language, people, roles, carriers: None }
    }

    /// The same with the carriers, whose codes then are told with what they mean.
    pub(super) fn among(self, carriers: &'a Carriers) -> Self {
        Self { carriers: Some(carriers), ..self }
    }

    /// The language in which it is told.
    pub(super) const fn language(&self) -> Language {
        self.language
    }

    /// Somebody of the session, by their keyed hash.
    pub(super) fn person(&self, hash: &str) -> Option<Party> {
        let known = self.people.iter().find(|one| one.person.as_str() == hash)?;
        Some(self.party(&known.role, known.masked()))
    }

    fn means(&self, leg: &Leg) -> Option<&'static str> {
        let kind = self.carriers?.get(&leg.carrier)?.kind;
        words::carrier_code(self.language, kind, leg.carrier_code.as_deref()?)
    }

    /// The roles, in the order in which they came.
    pub(super) fn roles(&self) -> &[&'a str] {
        &self.roles
    }

    pub(super) fn side(&self, role: &str) -> &'static str {
        match self.roles.iter().position(|other| *other == role) {
            Some(0) => "one",
            Some(1) => "two",
            _ => "none",
        }
    }

    fn party(&self, role: &str, masked: String) -> Party {
        Party { role: role.to_owned(), masked, side: self.side(role) }
    }

    /// Whoever began an interaction.
    pub(super) fn from(&self, one: &Interaction) -> Party {
        let person = one.from_participant.as_ref();
        let known = person.and_then(|id| self.people.iter().find(|other| other.id == *id));
        if let Some(known) = known {
            return self.party(&known.role, known.masked());
        }
        let say = |english, french| self.language.say(english, french);
        match (&one.person, one.origin) {
            (_, Origin::Api) => self.party(say("marketplace", "place de marché"), String::new()),
            (Some(person), Origin::Person) => {
                let unknown = say("unknown person", "personne inconnue");
                let masked = crate::domain::redact::masked(None, person.tag());
                self.party(one.from_role.as_deref().unwrap_or(unknown), masked)
            }
            (None, Origin::Person) => {
                self.party(say("hidden number", "numéro masqué"), String::new())
            }
        }
    }

    /// Whose leg it is.
    pub(super) fn leg_party(&self, leg: &Leg, from: &Party) -> Party {
        let id = leg.participant.as_ref();
        match id.and_then(|id| self.people.iter().find(|other| other.id == *id)) {
            Some(known) => self.party(&known.role, known.masked()),
            None if leg.direction == Direction::Inbound => from.clone(),
            None => {
                let somebody = self.language.say("somebody", "quelqu’un");
                self.party(leg.role.as_deref().unwrap_or(somebody), String::new())
            }
        }
    }

    /// Whoever was to be reached.
    pub(super) fn to(&self, one: &Interaction, legs: &[Leg], from: &Party) -> Vec<Party> {
        legs.iter()
            .filter(|leg| leg.direction == Direction::Outbound)
            // A call that the marketplace asked for rings whoever begins it first.
            .filter(|leg| leg.participant.is_none() || leg.participant != one.from_participant)
            .map(|leg| self.leg_party(leg, from))
            .collect()
    }
}

/// Makes the timeline out of what the store has.
pub(super) fn tell(
    interactions: Vec<Interaction>,
    mut legs: HashMap<InteractionId, Vec<Leg>>,
    events: Vec<Event>,
    trails: &Trails,
    cast: &Cast<'_>,
) -> Vec<Entry> {
    let mut changes: Vec<(Timestamp, What)> = Vec::new();
    let mut inner: HashMap<InteractionId, Vec<Event>> = HashMap::new();
    for event in events {
        if let Some(id) = event.interaction.clone() {
            inner.entry(id).or_default().push(event);
        } else {
            let change = change(cast.language, &event, trails);
            changes.push((event.created_at, What::Change(change)));
        }
    }
    for one in interactions {
        let legs = legs.remove(&one.id).unwrap_or_default();
        let events = inner.remove(&one.id).unwrap_or_default();
        let contact = contact(&one, &legs, &events, trails, cast);
        changes.push((one.created_at, What::Contact(Box::new(contact))));
    }
    // Stable: what changed at the very moment of a contact stays before it.
    changes.sort_by_key(|(at, _)| *at);
    let mut last = None;
    changes
        .into_iter()
        .map(|(at, what)| {
            let day = When::new(cast.language, at).map(|when| when.day);
            let shown = day.clone().filter(|_| day != last);
            last = day;
            Entry { day: shown, what }
        })
        .collect()
}

fn contact(
    one: &Interaction,
    legs: &[Leg],
    events: &[Event],
    trails: &Trails,
    cast: &Cast<'_>,
) -> Contact {
    let language = cast.language;
    let (chip, sentence, why) = verdict(language, one, legs);
    let from = cast.from(one);
    Contact {
        id: one.id.to_string(),
        at: When::new(language, one.created_at),
        kind: words::kind(language, one.kind),
        call: one.kind == Kind::Call,
        to: cast.to(one, legs, &from),
        asked_for: one.origin == Origin::Api,
        chip,
        sentence,
        why,
        facts: facts(language, one, legs),
        legs: legs.iter().map(|leg| leg_row(leg, &from, cast)).collect(),
        shown: trails.shown(one, legs, cast),
        besides: trails.besides(language, &one.id),
        steps: trails.steps(one, legs, events, cast),
        from,
    }
}

fn facts(language: Language, one: &Interaction, legs: &[Leg]) -> Vec<String> {
    let mut facts = Vec::new();
    let mut fact = |words: &str, length| {
        facts.push(format!("{words} {}", when::length(language, length)));
    };
    let out = legs.iter().filter(|leg| leg.direction == Direction::Outbound);
    if let Some(answered) = out.filter_map(|leg| leg.answered_at).min() {
        let words = language.say("answered after", "décroché au bout de");
        fact(words, answered.since(one.created_at));
    }
    if let Some(spoken) = one.duration {
        fact(language.say("spoke for", "conversation de"), spoken);
    }
    let passed_on = one.ended_at.filter(|_| one.outcome == Some(Outcome::Relayed));
    if let Some(ended) = passed_on {
        fact(language.say("passed on in", "transmis en"), ended.since(one.created_at));
    }
    match one.media {
        ..=0 => {}
        1 => facts.push(language.say("1 picture or file", "1 image ou fichier").to_owned()),
        many => {
            let words = language.say("pictures or files", "images ou fichiers");
            facts.push(format!("{many} {words}"));
        }
    }
    if one.media_refused > 0 && one.outcome != Some(Outcome::Refused) {
        let words = language.say("not passed on", "non transmis");
        facts.push(format!("{} {words}", one.media_refused));
    }
    facts
}

fn leg_row(leg: &Leg, from: &Party, cast: &Cast<'_>) -> LegRow {
    let language = cast.language;
    let when = |at| When::new(language, at);
    LegRow {
        party: cast.leg_party(leg, from),
        inbound: leg.direction == Direction::Inbound,
        number: leg.number.to_string(),
        carrier: leg.carrier.clone(),
        carrier_id: leg.carrier_id.clone(),
        carrier_code: leg.carrier_code.clone(),
        means: cast.means(leg),
        possible_duplicate: leg.possible_duplicate,
        state: words::leg_state(language, leg.kind, &leg.state),
        why: leg.reason.map(|reason| words::reason(language, reason, leg.kind).title),
        answered: leg.answered_at.and_then(when),
        ended: leg.ended_at.and_then(when),
        duration: leg.duration.map(|spoken| when::length(language, spoken)),
    }
}

fn change(language: Language, event: &Event, trails: &Trails) -> Change {
    let (words, role) = event_words(language, event);
    let told = trails.told(language, event);
    Change { at: When::new(language, event.created_at), words, role, told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;

    /// Texts that never arrived are not counted as sent, and good comes before bad. In French each
    /// agrees with its count.
    #[test]
    fn what_was_not_delivered_is_told_apart() {
        let session = SessionId::parse("KC0123456789abcdef0123456789abcdef").unwrap();
        let tally = |outcome, count, undelivered| Tally {
            session: session.clone(),
            outcome,
            count,
            undelivered,
        };
        let tallies = [tally(Some(Outcome::Refused), 1, 0), tally(Some(Outcome::Relayed), 5, 2)];
        for (language, words) in [
            (Language::English, ["sent", "refused", "not delivered"]),
            (Language::French, ["envoyés", "refusé", "non distribués"]),
        ] {
            let counts = counts(language, tallies.iter());
            let told: Vec<(i64, &str)> =
                counts.iter().map(|one| (one.count, one.chip.word)).collect();
            let expected: Vec<(i64, &str)> = [3, 1, 2].into_iter().zip(words).collect();
            assert_eq!(told, expected);
        }
    }
}
