//! Where a call or text to a proxy number leads: the same way for both, and one way to refuse.

mod proved;

pub(super) use self::proved::{Proved, proved};

use serde_json::json;

use super::{
    abuse,
    consult::{Advice, Given},
    error::Error,
    twilio_proxy,
};
use crate::{
    carrier::Carrier,
    domain::{
        assurance::{Attestation, Pin},
        event::EventKind,
        interaction::{Kind, Outcome, Reason},
        message::Body,
        opt_out::is_opt_out,
        phone::{Caller, ProxyNumber},
        route::{self, Decision, Facts, Other},
        session::State,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, ParticipantId, SessionId},
    privacy::Person,
    store::{
        Tx,
        accounts::{self},
        blocks,
        budgets::Asker,
        events,
        events::Place,
        holds,
        interactions::{self, Interaction, Origin},
        legs::{self, Direction, Leg},
        numbers::{self, Number},
        participants::{self, Participant},
        pins,
        services::{self, Service},
        sessions::{self, Session},
    },
};

/// Where something came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The carrier's id in the configuration.
    pub(super) carrier: &'a str,
    /// It, where it is configured.
    pub(super) adapter: Option<&'a dyn Carrier>,
    /// Whether there is a store for files.
    pub(super) keeps: bool,
}

/// What came in, of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    /// The carrier's id in the configuration.
    pub(super) carrier: &'a str,
    /// It, where it is configured.
    pub(super) adapter: Option<&'a dyn Carrier>,
    /// The carrier's id of the call or text.
    pub(super) id: &'a str,
    pub(super) from: &'a Caller,
    pub(super) to: &'a ProxyNumber,
    /// How many pictures and files.
    pub(super) media: i64,
    /// What the network says of the caller's number; none of a text.
    pub(super) attestation: Option<Attestation>,
}

/// Where it leads.
pub(super) enum Route {
    /// The dialled number belongs to no account, or not to this carrier.
    Nowhere,
    /// To an account, and there to nobody.
    Refused(Box<Refused>),
    /// To these people.
    To(Box<Routed>),
}

/// An event that reached an account and nobody in it.
pub(super) struct Refused {
    pub(super) account: AccountId,
    pub(super) number: Number,
    pub(super) service: Service,
    pub(super) reason: Reason,
    person: Option<Person>,
    /// The last session that this caller had on this number.
    last: Option<(SessionId, Option<ParticipantId>, Option<String>)>,
    pub(super) now: Timestamp,
    /// Whether they tried too many numbers: they get the neutral answer, and nothing else is done for them.
    pub(super) silent: bool,
}

impl Refused {
    /// Who it was, if they are known.
    pub(super) const fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// The last session that they had on this number, and their role in it.
    pub(super) fn last_session(&self) -> (Option<&SessionId>, Option<&str>) {
        let last = self.last.as_ref();
        (last.map(|(id, ..)| id), last.and_then(|(.., role)| role.as_deref()))
    }

    /// Who they were in it.
    pub(super) fn last_participant(&self) -> Option<&ParticipantId> {
        self.last.as_ref().and_then(|(_, participant, _)| participant.as_ref())
    }

    /// Whose budget an answer takes from.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker { account: &self.account, number: &self.number.id, person: self.person.as_ref() }
    }
}

/// How the leg of a refused event is logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logged<'a> {
    /// How far it has come.
    pub(super) state: &'a str,
    /// Whether it is still answered by somebody: then it belongs to no session, whose end would
    /// end it.
    pub(super) goes_on: bool,
}

/// An event that is put through.
pub(super) struct Routed {
    pub(super) account: AccountId,
    pub(super) service: Service,
    pub(super) number: Number,
    pub(super) session: Session,
    pub(super) sender: Participant,
    pub(super) recipients: Vec<Participant>,
    pub(super) now: Timestamp,
}

impl Routed {
    /// The same as refused by what it says, for that reason.
    pub(super) fn refuse(self, reason: Reason) -> Refused {
        let Self { account, service, number, session, sender, now, .. } = self;
        let last = Some((session.id, Some(sender.id), Some(sender.role)));
        let person = Some(sender.person);
        Refused { account, number, service, reason, person, last, now, silent: false }
    }
}

/// Finds where an event leads. The session is locked before it is judged, so that a close that was
/// acknowledged is seen (I3).
pub(super) async fn route(tx: &mut Tx, event: Event<'_>) -> Result<Route, Error> {
    let Some((account, number)) = numbers::owner(tx, event.to).await? else {
        return Ok(Route::Nowhere);
    };
    if number.carrier != event.carrier {
        return Ok(Route::Nowhere);
    }
    let service = services::get_any(tx, &account, &number.service)
        .await?
        .ok_or(Error::NotFound("service"))?;
    // Its numbers went with it: whoever found the number a moment earlier finds nobody either.
    if service.deleted {
        return Ok(Route::Nowhere);
    }
    let keys = accounts::keys(tx, &account).await?;
    let now = tx.now().await?;
    let mut refused = Refused {
        account,
        number,
        service,
        reason: Reason::WithheldCaller,
        person: None,
        last: None,
        now,
        silent: false,
    };
    let Caller::Number(caller) = event.from else {
        return Ok(Route::Refused(Box::new(refused)));
    };
    let person = keys.index.person(&caller.canonical());
    if numbers::is_ours(tx, caller).await? {
        refused.reason = Reason::Loop;
        return Ok(Route::Refused(Box::new(refused)));
    }
    refused.person = Some(person.clone());
    routed(tx, event.kind, refused, &person).await
}

/// Where `found` leads once the marketplace has said what becomes of somebody who is in no session, where it
/// wants to say so in Twilio's way; and whether it has put them through itself. `said` is what they
/// wrote.
///
/// # Errors
/// [`Error::Ask`] where it is to be asked first, [`Error::Unadvised`] where what it said can't be done.
pub(super) async fn lead(
    tx: &mut Tx,
    event: Event<'_>,
    mut found: Route,
    said: Option<&Body>,
    given: &Given,
) -> Result<(Route, bool), Error> {
    let Route::Refused(refused) = &mut found else { return Ok((found, false)) };
    abuse::probed(tx, refused).await?;
    if refused.silent || !twilio_proxy::is_asked(refused) || said.is_some_and(is_opt_out) {
        return Ok((found, false));
    }
    match &given.stranger {
        None => {
            let question = twilio_proxy::question(tx, event, refused, said).await?;
            Err(Error::Ask(Box::new(question)))
        }
        Some(Advice::Create(wanted)) => {
            Ok((twilio_proxy::create(tx, event, refused, wanted).await?, true))
        }
        Some(Advice::Route) => Ok((route(tx, event).await?, true)),
        Some(_) => Ok((found, false)),
    }
}

async fn routed(
    tx: &mut Tx,
    kind: Kind,
    mut refused: Refused,
    person: &Person,
) -> Result<Route, Error> {
    refused.reason = Reason::UnknownCaller;
    let account = refused.account.clone();
    let Some(hold) = holds::find(tx, &account, &refused.number.id, person).await? else {
        let last = participants::last_session(tx, &account, person, &refused.number.id).await?;
        refused.last = last.map(|one| (one.session, Some(one.id), Some(one.role)));
        read_nobody(tx, &account, person).await?;
        return Ok(Route::Refused(Box::new(refused)));
    };
    let (session, participant) = (&hold.session, &hold.participant);
    judged(tx, kind, refused, Meant { session, participant, by: By::Hold(hold.open) }).await
}

/// A session that a caller's number, or a PIN, means, and as whom.
#[derive(Clone, Copy)]
struct Meant<'a> {
    session: &'a SessionId,
    participant: &'a ParticipantId,
    by: By<'a>,
}

/// What means it.
#[derive(Clone, Copy)]
enum By<'a> {
    /// A hold, and whether it is open.
    Hold(bool),
    /// A PIN of whoever shows that number.
    Pin(&'a Pin, Option<&'a Person>),
}

async fn judged(
    tx: &mut Tx,
    kind: Kind,
    mut refused: Refused,
    meant: Meant<'_>,
) -> Result<Route, Error> {
    let account = refused.account.clone();
    let session = sessions::lock(tx, &account, meant.session).await?;
    let Some(session) = session else { return Ok(Route::Refused(Box::new(refused))) };
    let people = participants::of_session(tx, &account, &session.id).await?;
    let (sender, others): (Vec<_>, Vec<_>) =
        people.into_iter().partition(|one| one.id == *meant.participant);
    let Some(sender) = sender.into_iter().next() else {
        return Ok(Route::Refused(Box::new(refused)));
    };
    let open = match meant.by {
        By::Hold(open) => open,
        By::Pin(pin, shown) => {
            let found = pins::find(tx, &account, &refused.number.id, pin, shown).await?;
            found.is_some_and(|one| one.open && one.participant == sender.id)
        }
    };
    let person = sender.person.clone();
    let persons: Vec<Person> = others.iter().map(|one| one.person.clone()).collect();
    let blockers = blocks::apart(tx, &account, &person, &persons).await?;
    let facts: Vec<Other<'_>> = others
        .iter()
        .map(|one| Other {
            role: &one.role,
            removed: one.removed_at.is_some(),
            blocked: blockers.contains(&one.person),
        })
        .collect();
    // Read after the lock: whoever closed it has committed.
    let now = tx.now().await?;
    refused.now = now;
    let decision = route::decide(&Facts {
        kind,
        now,
        // The hold was read before the lock: whoever was removed meanwhile is told by their row.
        hold_open: open && sender.removed_at.is_none(),
        state: if session.gone { State::Closed } else { session.state },
        suspended: session.suspended_at.is_some(),
        mode: session.mode,
        expires_at: session.expires_at,
        from_role: &sender.role,
        others: &facts,
    });
    match decision {
        Decision::Refuse(reason) => {
            refused.reason = reason;
            // What is read of whoever has no hold: see there.
            participants::last_session(tx, &account, &person, &refused.number.id).await?;
            // What was deleted is not in the log either.
            if !session.gone {
                refused.last = Some((session.id, Some(sender.id), Some(sender.role)));
            }
            Ok(Route::Refused(Box::new(refused)))
        }
        Decision::Relay(places) => {
            let recipients = others
                .into_iter()
                .enumerate()
                .filter(|(place, _)| places.contains(place))
                .map(|(_, one)| one)
                .collect();
            let Refused { account, number, service, .. } = refused;
            Ok(Route::To(Box::new(Routed {
                account,
                service,
                number,
                session,
                sender,
                recipients,
                now,
            })))
        }
    }
}

/// Reads as much as is read to judge a session, and finds nothing. How long a refusal takes would
/// tell strangers from people who had a session here: each cause reads the same rows' worth (I5).
async fn read_nobody(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<(), Error> {
    let now = tx.now().await?;
    let nobody = tx.id_at(now);
    sessions::lock(tx, account, &nobody).await?;
    participants::of_session(tx, account, &nobody).await?;
    blocks::apart(tx, account, person, std::slice::from_ref(person)).await?;
    Ok(())
}

/// Logs a refusal as an interaction with its reason, and as an event; the leg on which it came.
pub(super) async fn log_refusal(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    logged: Logged<'_>,
) -> Result<Leg, Error> {
    let now = refused.now;
    let id: InteractionId = tx.id_at(now);
    let (session, participant, role) = match &refused.last {
        Some((session, participant, role)) => {
            (Some(session.clone()), participant.clone(), role.clone())
        }
        None => (None, None, None),
    };
    let interaction = Interaction {
        id: id.clone(),
        service: Some(refused.service.id.clone()),
        session: session.clone(),
        kind: event.kind,
        origin: Origin::Person,
        from_participant: participant,
        from_role: role.clone(),
        person: refused.person.clone(),
        number: refused.number.number.clone(),
        carrier: event.carrier.to_owned(),
        attestation: event.attestation,
        outcome: Some(Outcome::Refused),
        reason: Some(refused.reason),
        media: event.media,
        media_refused: event.media,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: Some(now),
    };
    interactions::insert(tx, &refused.account, &interaction).await?;
    let leg = Leg {
        session: session.clone().filter(|_| !logged.goes_on),
        outcome: Some(Outcome::Refused),
        reason: Some(refused.reason),
        ended_at: (!logged.goes_on).then_some(now),
        ..inbound_leg(tx, event, &interaction, logged.state)
    };
    legs::insert(tx, &refused.account, &leg).await?;
    if session.is_none() {
        // An event of a session is counted, and costs as much as this (I5).
        let nobody = tx.id_at(now);
        sessions::count_event(tx, &refused.account, &nobody).await?;
    }
    let data = json!({ "reason": refused.reason.as_str(), "role": role }).to_string();
    let place = Place {
        service: Some(&refused.service.id),
        session: session.as_ref(),
        interaction: Some(&id),
    };
    let kind = match event.kind {
        Kind::Message => EventKind::MessageRefused,
        Kind::Call => EventKind::CallRefused,
    };
    events::insert(tx, &refused.account, kind, place, &data, now).await?;
    Ok(leg)
}

/// Logs what came `at` that time, could not be put through any more, and so is an event: its webhook
/// never came.
pub(super) async fn log_missed(
    tx: &mut Tx,
    event: Event<'_>,
    routed: &Routed,
    outcome: Outcome,
    state: &str,
    at: Timestamp,
) -> Result<InteractionId, Error> {
    let now = routed.now;
    let reason = Some(Reason::WebhookMissed);
    let outcome_now = Some(outcome);
    let logged = Interaction {
        outcome: outcome_now,
        reason,
        media_refused: event.media,
        ended_at: Some(now),
        ..interaction(tx, event, routed)
    };
    interactions::insert(tx, &routed.account, &logged).await?;
    let leg = inbound_leg(tx, event, &logged, state);
    let leg = Leg { outcome: outcome_now, reason, ended_at: Some(now), ..leg };
    legs::insert(tx, &routed.account, &leg).await?;
    let data = json!({
        "leg_id": leg.id, "outcome": outcome.as_str(), "reason": reason.map(Reason::as_str),
        "role": logged.from_role, "late_seconds": now.since(at).as_secs(),
    });
    let place = Place {
        service: logged.service.as_ref(),
        session: logged.session.as_ref(),
        interaction: Some(&logged.id),
    };
    let kind = match event.kind {
        Kind::Message => EventKind::MessageFailed,
        Kind::Call => EventKind::CallMissed,
    };
    events::insert(tx, &routed.account, kind, place, &data.to_string(), now).await?;
    Ok(logged.id)
}

/// The leg on which something came in.
pub(super) fn inbound_leg(
    tx: &Tx,
    event: Event<'_>,
    interaction: &Interaction,
    state: &str,
) -> Leg {
    let id: LegId = tx.id_at(interaction.created_at);
    Leg {
        id,
        interaction: interaction.id.clone(),
        session: interaction.session.clone(),
        position: 0,
        kind: event.kind,
        direction: Direction::Inbound,
        participant: interaction.from_participant.clone(),
        role: interaction.from_role.clone(),
        number: interaction.number.clone(),
        sender_id: None,
        carrier: event.carrier.to_owned(),
        carrier_id: Some(event.id.to_owned()),
        state: state.to_owned(),
        outcome: None,
        reason: None,
        carrier_code: None,
        possible_duplicate: false,
        duration: None,
        created_at: interaction.created_at,
        updated_at: interaction.created_at,
        answered_at: None,
        ended_at: None,
    }
}

/// The leg on which a recipient is reached: they see the number that they hold themselves (I2).
pub(super) fn outbound_leg(
    tx: &Tx,
    interaction: &Interaction,
    position: i64,
    recipient: &Participant,
    carrier: &str,
    state: &str,
) -> Leg {
    Leg {
        id: tx.id_at(interaction.created_at),
        interaction: interaction.id.clone(),
        session: interaction.session.clone(),
        position,
        kind: interaction.kind,
        direction: Direction::Outbound,
        participant: Some(recipient.id.clone()),
        role: Some(recipient.role.clone()),
        number: recipient.number.clone(),
        sender_id: None,
        carrier: carrier.to_owned(),
        carrier_id: None,
        state: state.to_owned(),
        outcome: None,
        reason: None,
        carrier_code: None,
        possible_duplicate: false,
        duration: None,
        created_at: interaction.created_at,
        updated_at: interaction.created_at,
        answered_at: None,
        ended_at: None,
    }
}

/// The interaction of an event that is put through.
pub(super) fn interaction(tx: &Tx, event: Event<'_>, routed: &Routed) -> Interaction {
    Interaction {
        id: tx.id_at(routed.now),
        service: Some(routed.service.id.clone()),
        session: Some(routed.session.id.clone()),
        kind: event.kind,
        origin: Origin::Person,
        from_participant: Some(routed.sender.id.clone()),
        from_role: Some(routed.sender.role.clone()),
        person: Some(routed.sender.person.clone()),
        number: routed.number.number.clone(),
        carrier: event.carrier.to_owned(),
        attestation: event.attestation,
        outcome: None,
        reason: None,
        media: event.media,
        media_refused: 0,
        duration: None,
        version: 1,
        created_at: routed.now,
        updated_at: routed.now,
        ended_at: None,
    }
}

/// A session was used: it is in progress, and its time slides.
pub(super) async fn touch(
    tx: &mut Tx,
    account: &AccountId,
    session: &mut Session,
    now: Timestamp,
) -> Result<(), Error> {
    let place =
        Place { service: Some(&session.service), session: Some(&session.id), interaction: None };
    if session.state == State::Open {
        events::insert(tx, account, EventKind::SessionStarted, place, "{}", now).await?;
        session.state = State::InProgress;
    }
    session.started_at = session.started_at.or(Some(now));
    session.last_interaction_at = Some(now);
    session.expires_at = session.lifetime.expires_at(now);
    session.version += 1;
    session.updated_at = now;
    sessions::update(tx, account, session).await?;
    Ok(())
}
