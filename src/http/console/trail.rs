//! The way of one call or text, step by step, and what each phone showed of it. Words of people are in neither.

use std::{collections::HashMap, fmt::Write as _, time::Duration};

use super::{
    answer::Answer,
    timeline::{Cast, Party},
    when::{self, When},
    words::{self, Stage},
};
use crate::{
    domain::{
        call::CallState,
        content::Fate,
        interaction::{Kind, Outcome, Reason},
        message::MessageState,
        session::ClosedReason,
        staff::Language,
        time::Timestamp,
    },
    ids::{AccountId, EventId, InteractionId, LegId},
    relay::{self, HeardKind},
    store::{
        Tx,
        deliveries::DeliveryState,
        events::Event,
        interactions::{Interaction, Origin},
        legs::{Direction, Leg},
        media::Purpose,
        outbox::OutboxState,
        trails::{self, Agreed, Delivered, File, Found, Recorded, Request, Webhook},
    },
};

/// One step of the way.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: Option<When>,
    /// How long after the step before.
    pub(super) after: Option<String>,
    pub(super) stage: &'static str,
    pub(super) words: String,
    /// Whose it is.
    pub(super) role: Option<String>,
    /// What became of telling the marketplace.
    pub(super) told: Vec<String>,
}

/// What one person's phone showed.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) party: Party,
    pub(super) words: Vec<String>,
}

/// What stands beside the log of a page's calls and texts.
#[derive(Debug, Default)]
pub(super) struct Trails {
    webhooks: HashMap<InteractionId, Vec<Webhook>>,
    requests: HashMap<LegId, Vec<Request>>,
    delivered: HashMap<EventId, Vec<Delivered>>,
    files: HashMap<InteractionId, Vec<File>>,
    recordings: HashMap<InteractionId, Vec<Recorded>>,
    consents: HashMap<InteractionId, Vec<Agreed>>,
    findings: HashMap<InteractionId, Vec<Found>>,
}

fn grouped<K: std::hash::Hash + Eq, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

fn of<'a, K: std::hash::Hash + Eq, V>(groups: &'a HashMap<K, Vec<V>>, key: &K) -> &'a [V] {
    groups.get(key).map_or(&[], Vec::as_slice)
}

impl Trails {
    /// Reads it: one statement for each sort, whatever the number of calls and texts.
    pub(super) async fn read(
        tx: &mut Tx,
        account: &AccountId,
        ids: &[InteractionId],
        legs: &[LegId],
        events: &[EventId],
    ) -> Answer<Self> {
        let files = trails::files(tx, account, ids).await?;
        let consents = trails::consents(tx, account, ids).await?;
        let findings = trails::findings(tx, account, ids).await?;
        let recordings = trails::recordings(tx, account, ids).await?;
        Ok(Self {
            webhooks: grouped(trails::webhooks(tx, account, ids).await?, |one| {
                one.interaction.clone()
            }),
            requests: grouped(trails::requests(tx, account, legs).await?, |one| one.leg.clone()),
            delivered: grouped(trails::delivered(tx, account, events).await?, |one| {
                one.event.clone()
            }),
            files: grouped(files, |one| one.interaction.clone()),
            recordings: grouped(recordings, |one| one.interaction.clone()),
            consents: grouped(consents, |one| one.interaction.clone()),
            findings: grouped(findings, |one| one.interaction.clone()),
        })
    }

    /// What became of telling the marketplace of an event, a line for each state.
    pub(super) fn told(&self, language: Language, event: &Event) -> Vec<String> {
        let rows = of(&self.delivered, &event.id).iter();
        rows.map(|one| delivered(language, one, event.created_at)).collect()
    }

    /// What there is to say of files and of a recording.
    pub(super) fn besides(&self, language: Language, id: &InteractionId) -> Vec<String> {
        let mut lines = Vec::new();
        for one in of(&self.files, id).iter().filter(|one| one.purpose != Purpose::File) {
            let mut line = words::file(language, one.purpose, one.state).to_owned();
            if let Some(seconds) = one.seconds {
                let length = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                let _ = write!(line, " ({})", when::length(language, length));
            }
            lines.push(line);
        }
        for one in of(&self.recordings, id) {
            let recording = language.say("Recording: ", "Enregistrement : ");
            let mut line = format!("{recording}{}", words::recording(language, one.state));
            if let Some(loss) = one.loss {
                let _ = write!(line, " ({})", words::loss(language, loss));
            }
            lines.push(line);
        }
        lines
    }

    /// The way of a call or text, in order.
    pub(super) fn steps(
        &self,
        one: &Interaction,
        legs: &[Leg],
        events: &[Event],
        cast: &Cast<'_>,
    ) -> Vec<Step> {
        let language = cast.language();
        let mut raw = Vec::new();
        for hook in of(&self.webhooks, &one.id) {
            let words = format!("{} {}", hook.carrier, words::told_us(language, one.kind));
            raw.push((hook.at, Stage::Webhook, words, None, Vec::new()));
        }
        raw.push((one.created_at, Stage::Decision, decision(language, one), None, Vec::new()));
        for leg in legs {
            for asked in of(&self.requests, &leg.id) {
                let role = cast.leg_party(leg, &cast.from(one)).role;
                raw.push((
                    asked.tried_at.unwrap_or(asked.at),
                    Stage::Request,
                    request(language, leg, asked),
                    Some(role),
                    Vec::new(),
                ));
            }
        }
        for event in events {
            let (words, role) = event_words(language, event);
            let stage = Stage::of(&event.kind);
            raw.push((event.created_at, stage, words, role, self.told(language, event)));
        }
        // Stable: what happened at one moment stays in the order of cause and effect.
        raw.sort_by_key(|(at, ..)| *at);
        let mut before: Option<Timestamp> = None;
        raw.into_iter()
            .map(|(at, stage, words, role, told)| {
                let after = before.map(|before| took(language, at.since(before)));
                before = Some(at);
                let (at, stage) = (When::new(language, at), words::stage(language, stage));
                Step { at, after, stage, words, role, told }
            })
            .collect()
    }

    /// What each phone showed, whoever began it first.
    pub(super) fn shown(&self, one: &Interaction, legs: &[Leg], cast: &Cast<'_>) -> Vec<Shown> {
        let from = cast.from(one);
        let mut shown: Vec<Shown> = Vec::new();
        for leg in legs {
            let words = match (one.kind, leg.direction) {
                (Kind::Call, Direction::Inbound) => self.caller(one, leg, cast.language()),
                (Kind::Call, Direction::Outbound) => self.rung(one, leg, cast.language()),
                (Kind::Message, Direction::Inbound) => Vec::new(),
                (Kind::Message, Direction::Outbound) => self.texted(one, leg, cast.language()),
            };
            if !words.is_empty() {
                shown.push(Shown { party: cast.leg_party(leg, &from), words });
            }
        }
        if one.kind == Kind::Message && one.origin == Origin::Person {
            let answered = legs.iter().any(|leg| is_answer(one, leg));
            if !answered {
                let words = cast.language().say(
                    "no answer of ours: only their own text",
                    "aucune réponse de notre part : seulement son propre SMS",
                );
                shown.insert(0, Shown { party: from, words: vec![words.to_owned()] });
            }
        }
        shown
    }

    fn caller(&self, one: &Interaction, leg: &Leg, language: Language) -> Vec<String> {
        let dialled = language.say("dialled", "a composé");
        let mut lines = vec![format!("{dialled} {}", leg.number)];
        for hook in of(&self.webhooks, &one.id) {
            let Some(heard) = relay::heard_of(&hook.answer) else { continue };
            let said = !heard.languages.is_empty() || heard.played;
            let mut line = words::heard(language, heard.what, said).to_owned();
            if !heard.languages.is_empty() {
                let _ = write!(line, " ({})", heard.languages.join(", "));
            }
            lines.push(line);
        }
        if of(&self.files, &one.id).iter().any(|file| file.purpose == Purpose::Voicemail) {
            lines.push(language.say("left a message", "a laissé un message").to_owned());
        }
        lines.extend(self.agreed(one, leg, language));
        lines
    }

    fn rung(&self, one: &Interaction, leg: &Leg, language: Language) -> Vec<String> {
        let say = |english, french| language.say(english, french);
        let rang = match CallState::parse(&leg.state) {
            Some(CallState::Queued | CallState::Failed) => {
                return vec![say("did not ring", "n’a pas sonné").to_owned()];
            }
            Some(CallState::Initiated) => say("was to ring, showing", "devait sonner en affichant"),
            _ => say("rang, showing", "a sonné en affichant"),
        };
        let mut lines = vec![format!("{rang} {}", leg.number)];
        let heard =
            of(&self.webhooks, &one.id).iter().find_map(|hook| relay::heard_of(&hook.answer));
        let screened = heard.filter(|heard| heard.what == HeardKind::Rings).and_then(|h| h.screen);
        if leg.answered_at.is_some()
            && let Some(accept) = screened
        {
            lines.push(
                if accept {
                    say(
                        "on answering: our question, press 1 to accept",
                        "en décrochant : notre question, touche 1 pour accepter",
                    )
                } else {
                    say(
                        "on answering: a word of ours first",
                        "en décrochant : d’abord un mot de notre part",
                    )
                }
                .to_owned(),
            );
        }
        lines.extend(self.agreed(one, leg, language));
        lines
    }

    fn agreed(&self, one: &Interaction, leg: &Leg, language: Language) -> Option<String> {
        let asked = of(&self.consents, &one.id).iter().find(|asked| asked.leg == leg.id)?;
        let words = if asked.agreed {
            language.say("agreed to be recorded", "a accepté l’enregistrement")
        } else {
            language.say("did not agree to be recorded", "n’a pas accepté l’enregistrement")
        };
        Some(format!("{words} ({})", asked.language))
    }

    fn texted(&self, one: &Interaction, leg: &Leg, language: Language) -> Vec<String> {
        let say = |english, french| language.say(english, french);
        let arrived = match MessageState::parse(&leg.state) {
            Some(MessageState::Delivered) => say("got", "a reçu"),
            Some(MessageState::Sent) => say("should have got", "devrait avoir reçu"),
            Some(MessageState::Unknown) => say("may have got", "a peut-être reçu"),
            Some(MessageState::Queued | MessageState::Sending) => {
                return vec![say("nothing yet", "rien pour l’instant").to_owned()];
            }
            _ => {
                return vec![
                    say("nothing: it did not arrive", "rien : il n’est pas arrivé").to_owned(),
                ];
            }
        };
        let sender = leg.sender_id.as_ref().map(|name| name.as_str().to_owned());
        let sender = sender.unwrap_or_else(|| leg.number.to_string());
        let from = say("from", "de la part de");
        let what = if is_answer(one, leg) {
            say("a text of ours in answer", "un SMS de notre part en réponse").to_owned()
        } else if one.origin == Origin::Api {
            say("the marketplace’s text", "le SMS de la place de marché").to_owned()
        } else {
            self.found(one, language).unwrap_or_else(|| {
                say("the text as it was written", "le SMS tel qu’écrit").to_owned()
            })
        };
        let mut lines = vec![format!("{arrived} {what}, {from} {sender}")];
        if one.media_refused > 0 {
            lines.push(
                say("without some pictures or files", "sans certaines images ou certains fichiers")
                    .to_owned(),
            );
        }
        lines
    }

    /// What a text had that the service looks for, as its recipient saw it.
    fn found(&self, one: &Interaction, language: Language) -> Option<String> {
        let found = of(&self.findings, &one.id).first()?;
        let kinds: Vec<&str> =
            found.kinds.iter().map(|kind| words::content(language, *kind)).collect();
        let fate = words::fate(language, found.fate);
        Some(match found.fate {
            Fate::Flagged => fate.to_owned(),
            Fate::Redacted | Fate::Blocked => format!("{fate} {}", kinds.join(", ")),
        })
    }
}

/// Whether a text goes back to whoever wrote to us.
fn is_answer(one: &Interaction, leg: &Leg) -> bool {
    one.origin == Origin::Person
        && leg.direction == Direction::Outbound
        && (leg.participant.is_none() || leg.participant == one.from_participant)
}

/// Short times to the millisecond.
fn took(language: Language, length: Duration) -> String {
    if length < Duration::from_millis(100) {
        format!("{} ms", length.as_millis())
    } else {
        when::length(language, length)
    }
}

fn decision(language: Language, one: &Interaction) -> String {
    let say = |english, french| language.say(english, french);
    if one.outcome == Some(Outcome::Refused) {
        let refused = say("Refused", "Refus");
        return match one.reason {
            Some(reason) => {
                let colon = say(": ", " : ");
                format!("{refused}{colon}{}", words::reason(language, reason, one.kind).title)
            }
            None => refused.to_owned(),
        };
    }
    match (one.origin, one.kind) {
        (Origin::Api, _) => {
            say("Taken on for the marketplace", "Pris en charge pour la place de marché")
        }
        (Origin::Person, Kind::Call) => say("To be put through", "À mettre en relation"),
        (Origin::Person, Kind::Message) => say("To be passed on", "À transmettre"),
    }
    .to_owned()
}

fn request(language: Language, leg: &Leg, asked: &Request) -> String {
    let mut words = format!("{}, {}", words::request(language, asked.kind), leg.carrier);
    if asked.attempts > 1 {
        let tries = language.say("tries", "essais");
        let _ = write!(words, ", {} {tries}", asked.attempts);
    }
    if asked.tried_at.is_none() && asked.state == OutboxState::Ready {
        let waits = language.say("waits for its turn", "attend son tour");
        let _ = write!(words, ", {waits}");
    } else if let Some(state) = words::request_state(language, asked.state) {
        let _ = write!(words, ", {state}");
    }
    words
}

fn delivered(language: Language, one: &Delivered, at: Timestamp) -> String {
    let say = |english, french| language.say(english, french);
    let state = match one.state {
        DeliveryState::Ready | DeliveryState::Sending => {
            say("marketplace not told yet", "place de marché pas encore prévenue")
        }
        DeliveryState::Delivered => say("marketplace told", "place de marché prévenue"),
        DeliveryState::Failed => {
            say("marketplace did not take it", "refusé par la place de marché")
        }
        DeliveryState::Cancelled => {
            say("its endpoint was switched off", "point de terminaison désactivé")
        }
    };
    let mut words = state.to_owned();
    if one.endpoints > 1 {
        let endpoints = say("endpoints", "points de terminaison");
        let _ = write!(words, " ({} {endpoints})", one.endpoints);
    }
    if let Some(ended) = one.ended_at {
        let after = say("after", "après");
        let _ = write!(words, " {after} {}", took(language, ended.since(at)));
    }
    if one.attempts > 1 {
        let tries = say("tries", "essais");
        let _ = write!(words, ", {} {tries}", one.attempts);
    }
    words
}

/// What an event says, and whose it is. Only what our own events say by name is shown of their data.
pub(super) fn event_words(language: Language, event: &Event) -> (String, Option<String>) {
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
    let kind = if event.kind.starts_with("call.") { Kind::Call } else { Kind::Message };
    let reason = text("reason").and_then(Reason::parse);
    let closed = text("reason").and_then(ClosedReason::parse);
    let why = match reason {
        Some(reason) => Some(words::reason(language, reason, kind).title),
        None => closed.map(|closed| words::closed(language, closed)),
    };
    let said =
        words::event(language, &event.kind).map_or_else(|| event.kind.clone(), str::to_owned);
    let words = match why {
        Some(why) => format!("{said}{}{why}", language.say(": ", " : ")),
        None => said,
    };
    (words, text("role").map(str::to_owned))
}
