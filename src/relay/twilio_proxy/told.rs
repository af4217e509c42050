//! What is told of an interaction: the same in an answer and in a callback.

use std::collections::HashMap;

use serde_json::json;

use super::words::status;
use crate::{
    carrier::Carrier,
    domain::{
        interaction::{Kind, Outcome},
        message::Body,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, ParticipantId, hex},
    relay::{Carriers, Error, inbound::Event},
    store::{
        Tx,
        interactions::{self, Interaction},
        legs::{self, Direction, Leg},
        sessions::Session,
    },
};

/// What is told of an interaction. What people wrote is in clear.
#[derive(Clone)]
pub struct Told {
    /// Its id.
    pub id: InteractionId,
    /// A call or a text.
    pub kind: Kind,
    /// A JSON object as text: what a text says, or how long a call lasted.
    pub data: String,
    /// The side that reached us.
    pub inbound: Option<Side>,
    /// The side that we reached; of several the one who answered, or the first.
    pub outbound: Option<Side>,
    /// When it came.
    pub created_at: Timestamp,
    /// When it or one of its sides last changed.
    pub updated_at: Timestamp,
}

/// One side of it.
#[derive(Debug, Clone)]
pub struct Side {
    /// Our leg.
    pub leg: LegId,
    /// Whose it is.
    pub participant: Option<ParticipantId>,
    /// The call's or text's id: Twilio's own where the carrier is Twilio, and then not before it is
    /// known; made up of the leg's for every other carrier.
    pub sid: Option<String>,
    /// How far it has come, in Twilio's word.
    pub status: &'static str,
    /// Where Twilio has it.
    pub url: Option<String>,
}

impl Told {
    /// What Twilio calls this kind of interaction.
    pub const fn type_word(&self) -> &'static str {
        match self.kind {
            Kind::Message => "Message",
            Kind::Call => "Voice",
        }
    }

    /// What Twilio calls the resource on each side.
    pub const fn resource_word(&self) -> &'static str {
        match self.kind {
            Kind::Message => "Message",
            Kind::Call => "Call",
        }
    }
}

/// An id in Twilio's form for something that a carrier other than Twilio has.
pub(super) fn made_up_sid(kind: Kind, leg: &LegId) -> String {
    let prefix = match kind {
        Kind::Call => "CA",
        Kind::Message => "SM",
    };
    format!("{prefix}{}", leg.as_str().get(2..).unwrap_or_default())
}

/// Twilio's SID of what came in: the carrier's own id where that is one, or else one that every copy
/// of the event gets.
pub(super) fn sid_of(tx: &Tx, event: Event<'_>) -> String {
    if event.adapter.is_some_and(Carrier::has_twilio_sids) {
        return event.id.to_owned();
    }
    let prefix = match event.kind {
        Kind::Call => "CA",
        Kind::Message => "SM",
    };
    let named = format!("{}\0{}\0{}", event.carrier, event.kind.as_str(), event.id);
    format!("{prefix}{}", hex(&tx.keyring().sign("twilio-sid", named.as_bytes())[..16]))
}

/// What Twilio's SID of this leg is, and where Twilio has it.
fn resource(carriers: &Carriers, kind: Kind, leg: &Leg) -> (Option<String>, Option<String>) {
    let adapter = carriers.get(&leg.carrier).map(|one| &one.adapter);
    let own = leg.carrier_id.as_ref().and_then(|id| {
        let url = adapter?.resource_url(kind, id)?;
        Some((id.clone(), url))
    });
    match own {
        Some((sid, url)) => (Some(sid), Some(url)),
        // Twilio will tell its own.
        None if adapter.is_some_and(|one| one.has_twilio_sids()) => (None, None),
        None => (Some(made_up_sid(kind, &leg.id)), None),
    }
}

fn side(carriers: &Carriers, kind: Kind, leg: &Leg) -> Side {
    let (sid, url) = resource(carriers, kind, leg);
    Side {
        leg: leg.id.clone(),
        participant: leg.participant.clone(),
        sid,
        status: status(kind, &leg.state),
        url,
    }
}

/// Of several who were rung or written to, the one who was reached, or the first.
fn outbound(legs: &[Leg]) -> Option<&Leg> {
    let out = || legs.iter().filter(|leg| leg.direction == Direction::Outbound);
    let reached = |leg: &&Leg| {
        matches!(leg.outcome, Some(Outcome::Connected | Outcome::Relayed))
            || leg.answered_at.is_some()
    };
    out().find(reached).or_else(|| out().next())
}

pub(super) fn data(one: &Interaction, words: Option<&Body>) -> String {
    match (one.kind, words) {
        (Kind::Message, Some(words)) => json!({ "body": words.expose() }).to_string(),
        (Kind::Call, _) if one.ended_at.is_some() => {
            let seconds = one.duration.unwrap_or_default().as_secs();
            json!({ "duration": seconds.to_string() }).to_string()
        }
        (Kind::Message, None) | (Kind::Call, _) => "{}".to_owned(),
    }
}

/// What is told of interactions of one session.
pub async fn tell(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    session: &Session,
    found: &[Interaction],
) -> Result<Vec<Told>, Error> {
    let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
    let key = session.data_key(tx)?;
    let words = interactions::words(tx, account, &key, &ids).await?;
    let mut legs: HashMap<InteractionId, Vec<Leg>> = HashMap::new();
    for leg in legs::of_interactions(tx, account, &ids).await? {
        legs.entry(leg.interaction.clone()).or_default().push(leg);
    }
    let told = found.iter().map(|one| {
        let legs = legs.get(&one.id).map_or(&[][..], Vec::as_slice);
        let inbound = legs.iter().find(|leg| leg.direction == Direction::Inbound);
        let changed = legs.iter().map(|leg| leg.updated_at).max().unwrap_or(one.updated_at);
        Told {
            id: one.id.clone(),
            kind: one.kind,
            data: data(one, words.get(&one.id)),
            inbound: inbound.map(|leg| side(carriers, one.kind, leg)),
            outbound: outbound(legs).map(|leg| side(carriers, one.kind, leg)),
            created_at: one.created_at,
            updated_at: one.updated_at.max(changed),
        }
    });
    Ok(told.collect())
}
