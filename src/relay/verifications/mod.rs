//! Verifications: a code is sent to a number, and whoever gives it back has it.
//!
//! Nothing that is answered tells whether a number is known here: a participant's, a blocked one's and a
//! stranger's are the same. Whoever wants no texts gets none, and their verification looks like any other.

mod check;
mod limits;
mod sender;
mod voice;

use std::{net::IpAddr, time::Duration};

use serde_json::json;

pub(in crate::relay) use self::voice::{answered, claim_call};
pub use self::{
    check::{Checked, cancel_verification, check_verification, forget_verified},
    sender::Senders,
};
use self::{limits::take, sender::Sender};
use super::{
    Relay, abuse,
    error::{Error, Fault},
    messages,
    sessions::AddParticipant,
};
use crate::{
    domain::{
        call::CallState,
        event::EventKind,
        interaction::Kind,
        message::{Body, MessageState},
        phone::Identifier,
        policy,
        time::Timestamp,
        verification::{self, Channel, Code, Held, SENDS_MAX, Status},
    },
    ids::{AccountId, LegId, NumberId, ServiceId, VerificationId},
    privacy::Person,
    store::{
        Tx, accounts, events,
        events::Place,
        interactions::{self, Interaction, Origin},
        legs::{self, Direction, Leg},
        numbers,
        outbox::{self, NewEntry, OutboxKind},
        pauses,
        services::{self, Service},
        verifications::{self, NewSend, Verification},
        verified_people,
    },
    telemetry::metrics,
};

/// How long a call that says a code waits to be placed: whoever asked for it sits there.
const CALL_WAITS: Duration = Duration::from_mins(2);
/// How many verifications are ended in one go.
const BATCH: i64 = 200;

/// A code to send.
#[derive(Debug, Clone)]
pub struct SendCode {
    /// The service whose words and numbers are used.
    pub service: ServiceId,
    /// Whom to send it to.
    pub to: Identifier,
    /// The proxy number that it comes from; `None` for one of the service's pool.
    pub from: Option<NumberId>,
    /// Where whoever asks the marketplace does so from.
    pub client: Option<IpAddr>,
    /// What is sent, and how.
    pub terms: CodeTerms,
}

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct CodeTerms {
    /// By a text or a call.
    pub channel: Channel,
    /// BCP 47; `None` for the service's, or that of the number's country.
    pub language: Option<String>,
    /// The site that the code is for.
    pub domain: Option<String>,
    /// How many digits.
    pub code_length: usize,
    /// How long the code is good.
    pub ttl: Duration,
}

impl CodeTerms {
    /// Everything that is wrong with it, by pointers into a body.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, pointer: &str, allowed: &str| {
            if !ok {
                faults.push(Fault::new(pointer, "not_allowed", allowed));
            }
        };
        let (least, most) = verification::TTL_BOUNDS;
        check((least..=most).contains(&self.ttl), "/ttl_seconds", "must be between 60 and 3600");
        let (least, most) = verification::CODE_LENGTHS;
        let length = (least..=most).contains(&self.code_length);
        check(length, "/code_length", "must be between 4 and 8");
        let language = self.language.as_deref().is_none_or(policy::is_language);
        check(language, "/language", "must be a BCP 47 language such as en or fr-FR");
        let domain = self.domain.as_deref().is_none_or(verification::is_domain);
        check(domain, "/domain", "must be a host's name in lower case, such as bikes.example");
        let spoken = self.channel == Channel::Call && self.domain.is_some();
        check(!spoken, "/domain", "must be left out for a call");
        faults
    }
}

/// Sends a code to a number, or once more where one is pending for it; whether the verification is new.
///
/// # Errors
/// [`Error::NotFound`] for the service, [`Error::Invalid`] for a number that nobody may have or that can't be
/// sent from, [`Error::NoSender`], [`Error::CodeHeld`]; [`Error::RateLimited`] while traffic is held back.
pub async fn send_code(
    tx: &mut Tx,
    account: &AccountId,
    new: &SendCode,
    senders: &Senders,
) -> Result<(Verification, bool), Error> {
    let service = services::get(tx, account, &new.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    reachable(tx, &service, &new.to).await?;
    let keys = accounts::keys(tx, account).await?;
    let person = keys.index.person(&new.to.canonical());
    let pending = verifications::lock_pending(tx, account, &service.id, &person).await?;
    let now = tx.now().await?;
    let pending = match pending {
        Some(mut one) if now >= one.expires_at => {
            end(tx, account, &mut one, Status::Expired, now).await?;
            None
        }
        pending => pending,
    };
    if let Some(one) = &pending {
        if one.sends >= SENDS_MAX {
            return Err(Error::CodeHeld(Held::Wait, one.expires_at.since(now)));
        }
        if now < one.next_send_at {
            return Err(Error::CodeHeld(Held::Wait, one.next_send_at.since(now)));
        }
    }
    let kind = kind_of(new.terms.channel);
    let paused = pauses::wide(tx, now).await?;
    let prefix = keys.index.prefix(&new.to.canonical());
    abuse::unpaused(&paused, (account, kind), &prefix, now).inspect_err(|_| {
        metrics::verification(new.terms.channel.as_str(), "limited");
    })?;
    let sender = sender::choose(tx, account, &service, new, &person, senders).await?;
    take(tx, account, &senders.limits, new, &person, now).await?;
    let country = new.to.country().map(|country| country.as_str().to_owned());
    let country = country.unwrap_or_default();
    let fresh = pending.is_none();
    let mut one = match pending {
        Some(one) => one,
        None => Verification {
            id: tx.id_at(now),
            service: service.id.clone(),
            person,
            calling_code: new.to.calling_code(),
            channel: new.terms.channel,
            language: policy::language(&service.rules, &country).to_owned(),
            domain: String::new(),
            code_length: new.terms.code_length,
            status: Status::Pending,
            checks: 0,
            sends: 0,
            next_send_at: now,
            expires_at: now + new.terms.ttl,
            version: 0,
            created_at: now,
            updated_at: now,
            ended_at: None,
        },
    };
    if let Some(language) = &new.terms.language {
        one.language.clone_from(language);
    }
    one.channel = new.terms.channel;
    one.domain = new.terms.domain.clone().unwrap_or_default();
    one.sends += 1;
    one.next_send_at = now + verification::wait(one.sends);
    one.version += 1;
    one.updated_at = now;
    if fresh {
        verifications::insert(tx, account, &one, &new.to).await?;
    } else {
        verifications::update(tx, account, &one).await?;
    }
    owe(tx, account, &service, &one, &new.to, &sender, now).await?;
    let data = json!({
        "verification_id": one.id, "channel": one.channel.as_str(), "sends": one.sends,
    });
    tell(tx, account, EventKind::VerificationSent, &one, data, now).await?;
    let channel = one.channel.as_str();
    tx.on_commit(move || metrics::verification(channel, "sent"));
    Ok((one, fresh))
}

/// Refuses numbers that nobody may be sent a code on: before anything is counted or kept, and by the number
/// alone.
async fn reachable(tx: &mut Tx, service: &Service, to: &Identifier) -> Result<(), Error> {
    let (bounds, rules) = (tx.bounds(), &service.rules);
    if let Err(why) = bounds.reaches(&rules.countries, to, rules.identifier_check) {
        return Err(Error::Invalid(vec![Fault::new("/to", why.as_str(), why.words())]));
    }
    if numbers::is_ours(tx, to).await? {
        let fault = Fault::new("/to", "proxy_number", "must not be a proxy number");
        return Err(Error::Invalid(vec![fault]));
    }
    Ok(())
}

/// What the log has of a code that is sent so.
const fn kind_of(channel: Channel) -> Kind {
    match channel {
        Channel::Sms => Kind::Message,
        Channel::Call => Kind::Call,
    }
}

/// Owes a new code, as a text or a call of its own.
async fn owe(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    one: &Verification,
    to: &Identifier,
    sender: &Sender,
    now: Timestamp,
) -> Result<(), Error> {
    let code = Code::draw(one.code_length, |bytes| tx.random(bytes));
    let leg = log(tx, account, service, sender, kind_of(one.channel), now).await?;
    let send = NewSend {
        verification: &one.id,
        number: one.sends,
        channel: one.channel,
        leg: &leg.id,
        code: &code,
        now,
    };
    verifications::insert_send(tx, account, &send).await?;
    match one.channel {
        Channel::Sms => {
            let brand = &service.rules.brand;
            let words = verification::text(brand, &one.language, &code, &one.domain);
            // A code that would come after its time is not sent.
            let words = Body::new(words);
            let valid_until = one.expires_at;
            let new = messages::Outside { to, words: &words, asked_for: false, valid_until };
            messages::owe_outside(tx, account, &leg, new, now).await
        }
        Channel::Call => {
            let payload = json!({ "to": to.expose() }).to_string();
            let entry = NewEntry {
                kind: OutboxKind::Call,
                session: None,
                interaction: &leg.interaction,
                leg: &leg.id,
                carrier: &leg.carrier,
                payload: &payload,
                run_at: now,
                valid_until: one.expires_at.min(now + CALL_WAITS),
                now,
            };
            outbox::insert(tx, account, &entry).await?;
            Ok(())
        }
    }
}

/// Logs a text or call of ours to somebody in no session; its leg.
async fn log(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    sender: &Sender,
    kind: Kind,
    now: Timestamp,
) -> Result<Leg, Error> {
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(service.id.clone()),
        session: None,
        kind,
        origin: Origin::Api,
        from_participant: None,
        from_role: None,
        person: None,
        number: sender.number.clone(),
        carrier: sender.carrier.clone(),
        attestation: None,
        outcome: None,
        reason: None,
        media: 0,
        media_refused: 0,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    interactions::insert(tx, account, &interaction).await?;
    let state = match kind {
        Kind::Message => MessageState::Queued.as_str(),
        Kind::Call => CallState::Queued.as_str(),
    };
    let leg = Leg {
        id: tx.id_at::<LegId>(now),
        interaction: interaction.id,
        session: None,
        position: 0,
        kind,
        direction: Direction::Outbound,
        participant: None,
        role: None,
        number: interaction.number,
        sender_id: sender.id.clone(),
        carrier: interaction.carrier,
        carrier_id: None,
        state: state.to_owned(),
        outcome: None,
        reason: None,
        carrier_code: None,
        possible_duplicate: false,
        duration: None,
        created_at: now,
        updated_at: now,
        answered_at: None,
        ended_at: None,
    };
    legs::insert(tx, account, &leg).await?;
    Ok(leg)
}

/// Ends a verification: its number and codes are forgotten with it. The caller holds its lock.
async fn end(
    tx: &mut Tx,
    account: &AccountId,
    one: &mut Verification,
    status: Status,
    now: Timestamp,
) -> Result<(), Error> {
    one.status = status;
    one.ended_at = Some(now);
    one.updated_at = now;
    one.version += 1;
    verifications::update(tx, account, one).await?;
    let (channel, outcome) = (one.channel.as_str(), status.as_str());
    tx.on_commit(move || metrics::verification(channel, outcome));
    let kind = match status {
        Status::Verified => EventKind::VerificationVerified,
        Status::Failed => EventKind::VerificationFailed,
        Status::Expired => EventKind::VerificationExpired,
        // Whoever asked for it knows.
        Status::Cancelled | Status::Pending => return Ok(()),
    };
    let data = json!({ "verification_id": one.id, "channel": one.channel.as_str() });
    tell(tx, account, kind, one, data, now).await
}

async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    kind: EventKind,
    one: &Verification,
    data: serde_json::Value,
    now: Timestamp,
) -> Result<(), Error> {
    let place = Place { service: Some(&one.service), session: None, interaction: None };
    Ok(events::insert(tx, account, kind, place, &data.to_string(), now).await?)
}

/// Refuses people whose number was not verified lately, where their service wants that.
///
/// # Errors
/// [`Error::NotVerified`] with the places of those who were not.
pub(in crate::relay) async fn require(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    people: &[AddParticipant],
    persons: &[Person],
    now: Timestamp,
) -> Result<(), Error> {
    let rules = &service.rules.verified;
    if !rules.required {
        return Ok(());
    }
    let mut not = Vec::new();
    for (place, person) in persons.iter().enumerate().take(people.len()) {
        let at = verified_people::verified_at(tx, account, person).await?;
        if at.is_none_or(|at| now.since(at) > rules.within) {
            not.push(place);
        }
    }
    if not.is_empty() { Ok(()) } else { Err(Error::NotVerified(not)) }
}

impl Relay {
    /// Ends verifications whose time is up; how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn expire_verifications(&self) -> Result<usize, Error> {
        let mut tx = self.db().read().await?;
        let now = tx.now().await?;
        let due = verifications::due(&mut tx, now, BATCH).await?;
        drop(tx);
        let ended = self.each(due, |tx, account, id| Box::pin(expire(tx, account, id))).await?;
        if ended > 0 {
            self.committed();
        }
        Ok(ended)
    }
}

async fn expire(tx: &mut Tx, account: &AccountId, id: &VerificationId) -> Result<bool, Error> {
    let Some(mut one) = verifications::lock(tx, account, id).await? else { return Ok(false) };
    let now = tx.now().await?;
    if one.status != Status::Pending || now < one.expires_at {
        return Ok(false);
    }
    end(tx, account, &mut one, Status::Expired, now).await?;
    Ok(true)
}
