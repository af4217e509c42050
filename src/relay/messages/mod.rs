//! Texts: taken in, owed to the other side, sent by a worker, followed by receipts.

mod content;
mod keyword;
mod opt_out;
mod parts;
mod pin;
mod progress;
mod refused;
mod sending;

pub(in crate::relay) use self::{
    keyword::{heed, reply},
    opt_out::{Told, Whose, carry_opt_out, tell as tell_opt_out, unwanted, unwanted_on},
    progress::{cancel_owed, status},
    refused::{Outside, owe_outside},
    sending::{
        Claimed, STUCK, Times, absent, ask_again, claim, found, give_up, hand_back, sent, set_aside,
    },
};

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::relay::{
    abuse,
    consult::Given,
    error::{Error, Fault},
    inbound::{self, Event, Logged, Route, Routed, Source},
    media::{self, Owner, Wanted},
    sessions::{blocking, locked},
};
use crate::{
    carrier::{event::InboundMessage, plan::Answer},
    domain::{
        content::Outcome,
        event::EventKind,
        interaction::{Kind, Outcome as Ending, Reason},
        media::{MEDIA_MAX, MediaRefusal},
        message::{BODY_CHARS_MAX, Body, MessageState},
        policy::MediaRule,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, SessionId},
    store::{
        Tx, events,
        events::Place,
        inbox::{self, EventKey},
        interactions::{self, Interaction, Origin},
        legs::{self, Leg},
        long_texts, numbers,
        outbox::{self, NewEntry, OutboxKind},
        participants::{self, Participant},
        services,
        sessions::{self, Session},
    },
    telemetry::metrics,
};

/// How long a text is worth sending: a late one would reach a session that has ended.
pub(in crate::relay) const VALIDITY_MAX: Duration = Duration::from_mins(15);

/// What the outbox holds of a text.
#[derive(Serialize, Deserialize)]
struct Payload {
    body: String,
    /// Nothing: versions before 0.2 need it.
    media: Vec<String>,
    /// Whether pictures and files go with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    files: bool,
    /// Whom it goes to who is in no session, and so in no row; else the leg's participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Whether it answers a word of its recipient's, and goes to them whether or not they want texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    asked_for: bool,
    /// Whether the marketplace is asked first: nobody reads the service for a text that it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    asks: bool,
}

/// Takes in a text (M2): nothing is acknowledged before the commit that holds this.
pub(in crate::relay) async fn receive(
    tx: &mut Tx,
    source: Source<'_>,
    message: &InboundMessage,
    given: &Given,
) -> Result<(Answer, Option<Reason>), Error> {
    let carrier = source.carrier;
    let key = EventKey { carrier, kind: "message", event: &message.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok((Answer::Ack, None));
    }
    match parts::whole(tx, carrier, message).await? {
        Some(message) => take(tx, source, &message, given).await,
        None => Ok((Answer::Ack, None)),
    }
}

/// Takes in what has come of a long text whose other parts did not come in time.
pub(in crate::relay) async fn receive_late(
    tx: &mut Tx,
    source: Source<'_>,
    text: &long_texts::Key,
    given: &Given,
) -> Result<(Answer, Option<Reason>), Error> {
    match parts::late(tx, text).await? {
        Some(message) => take(tx, source, &message, given).await,
        None => Ok((Answer::Ack, None)),
    }
}

/// Takes in a text that is whole, and that is new.
async fn take(
    tx: &mut Tx,
    Source { carrier, adapter, .. }: Source<'_>,
    message: &InboundMessage,
    given: &Given,
) -> Result<(Answer, Option<Reason>), Error> {
    let key = EventKey { carrier, kind: "message", event: &message.id };
    let event = Event {
        kind: Kind::Message,
        carrier,
        adapter,
        id: &message.id,
        from: &message.from,
        to: &message.to,
        media: i64::try_from(message.media.len()).unwrap_or(i64::MAX),
        attestation: None,
    };
    blocking::lock_ahead(tx, event, &message.body).await?;
    let found = inbound::route(tx, event).await?;
    let (found, answer) = heed(tx, event, found, &message.body).await?;
    let (route, _) = inbound::lead(tx, event, found, Some(&message.body), given).await?;
    match route {
        Route::Nowhere => Ok((Answer::Ack, Some(Reason::UnknownNumber))),
        Route::Refused(refused) if matches!(refused.reason, Reason::StopWord | Reason::Keyword) => {
            let logged = Logged { state: MessageState::Received.as_str(), goes_on: false };
            let leg = inbound::log_refusal(tx, event, &refused, logged).await?;
            reply(tx, event, &refused, &leg, answer).await?;
            inbox::set_answer(tx, key, &refused.account, &leg.interaction, "").await?;
            Ok((Answer::Ack, Some(refused.reason)))
        }
        Route::Refused(refused) if pin::is_wanted(event, &refused) => {
            pin::take(tx, event, *refused, message, key).await
        }
        Route::Refused(refused) => {
            let advice = given.stranger.as_ref();
            let id = refused::answer(tx, event, &refused, &message.body, advice).await?;
            inbox::set_answer(tx, key, &refused.account, &id, "").await?;
            Ok((Answer::Ack, Some(refused.reason)))
        }
        Route::To(mut routed) => {
            if let Some(reason) = abuse::text(tx, &mut routed, &message.body, given).await? {
                return limited(tx, key, event, *routed, reason).await;
            }
            let (account, id, reason) = relay(tx, event, *routed, message).await?;
            inbox::set_answer(tx, key, &account, &id, "").await?;
            Ok((Answer::Ack, reason))
        }
    }
}

/// Logs a text that is above a limit, or may reach nobody.
async fn limited(
    tx: &mut Tx,
    key: EventKey<'_>,
    event: Event<'_>,
    routed: Routed,
    reason: Reason,
) -> Result<(Answer, Option<Reason>), Error> {
    if reason == Reason::RateLimited {
        let Routed { account, service, session, sender, number, now, .. } = &routed;
        let (of, to) = ((account, service), (session, sender));
        abuse::tell(tx, of, to, &number.country, *now).await?;
    }
    tx.on_commit(move || metrics::abuse(reason.as_str()));
    let refused = routed.refuse(reason);
    let logged = Logged { state: MessageState::Received.as_str(), goes_on: false };
    let leg = inbound::log_refusal(tx, event, &refused, logged).await?;
    inbox::set_answer(tx, key, &refused.account, &leg.interaction, "").await?;
    Ok((Answer::Ack, Some(reason)))
}

async fn relay(
    tx: &mut Tx,
    event: Event<'_>,
    mut routed: Routed,
    message: &InboundMessage,
) -> Result<(AccountId, InteractionId, Option<Reason>), Error> {
    let mut interaction = inbound::interaction(tx, event, &routed);
    let files = routed.service.rules.media != MediaRule::None;
    let found = content::judged(&routed, &message.body);
    let refusal = match (message.body.is_empty(), message.media.is_empty()) {
        (true, true) => Some(Reason::EmptyText),
        (true, false) if !files => Some(Reason::MediaNotSupported),
        _ if matches!(found, Outcome::Blocked(_)) => Some(Reason::ContentBlocked),
        _ => None,
    };
    if let Some(reason) = refusal {
        interaction.media_refused = interaction.media;
        interaction.outcome = Some(Ending::Refused);
        interaction.reason = Some(reason);
        interaction.ended_at = Some(routed.now);
    }
    let account = routed.account.clone();
    let now = routed.now;
    interactions::insert(tx, &account, &interaction).await?;
    let mut leg = inbound::inbound_leg(tx, event, &interaction, MessageState::Received.as_str());
    leg.outcome = interaction.outcome;
    leg.reason = interaction.reason;
    legs::insert(tx, &account, &leg).await?;
    inbound::touch(tx, &account, &mut routed.session, now).await?;
    let place = place(&interaction);
    let role = interaction.from_role.clone();
    if let Some(reason) = refusal {
        let data = json!({ "reason": reason.as_str(), "role": role }).to_string();
        events::insert(tx, &account, EventKind::MessageRefused, place, &data, now).await?;
        content::mark(tx, &account, &routed, &interaction, (&message.body, &found)).await?;
        content::tell(tx, &account, &routed, &found).await?;
        return Ok((account, interaction.id, Some(reason)));
    }
    let data = json!({ "role": role }).to_string();
    events::insert(tx, &account, EventKind::MessageReceived, place, &data, now).await?;
    content::mark(tx, &account, &routed, &interaction, (&message.body, &found)).await?;
    // From here on there is only what may be passed on.
    let body = match &found {
        Outcome::Redacted(body, _) => body,
        _ => &message.body,
    };
    if routed.service.rules.keep_texts {
        let key = routed.session.data_key(tx)?;
        interactions::keep_words(tx, &account, &interaction.id, &key, body).await?;
    }
    let asks = !routed.service.rules.proxy.intercept_callback_url.is_empty();
    let owner =
        Owner { account: &account, session: &routed.session.id, interaction: &interaction.id };
    let reasons = if files {
        let wanted = Wanted { carrier: Some(event.carrier), addresses: &message.media };
        media::want(tx, owner, &routed.session, wanted, now).await?;
        vec![MediaRefusal::TooMany; message.media.len().saturating_sub(MEDIA_MAX)]
    } else {
        vec![MediaRefusal::Off; message.media.len()]
    };
    media::refused(tx, owner, &reasons, role.as_deref(), now).await?;
    let files = files && !message.media.is_empty();
    let owed = Owed { body, files, expires_at: routed.session.expires_at, asks };
    owe(tx, &account, &interaction, &routed.recipients, owed, 1).await?;
    content::tell(tx, &account, &routed, &found).await?;
    Ok((account, interaction.id, None))
}

fn place(interaction: &Interaction) -> Place<'_> {
    Place {
        service: interaction.service.as_ref(),
        session: interaction.session.as_ref(),
        interaction: Some(&interaction.id),
    }
}

#[derive(Clone, Copy)]
struct Owed<'a> {
    body: &'a Body,
    /// Whether pictures and files go with it.
    files: bool,
    /// When the session's time is up.
    expires_at: Timestamp,
    /// Whether the marketplace is asked first. What it sends itself needs no leave of it.
    asks: bool,
}

/// Owes a text to each recipient: a leg and an entry of the outbox.
async fn owe(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &Interaction,
    recipients: &[Participant],
    owed: Owed<'_>,
    first_position: i64,
) -> Result<(), Error> {
    let now = interaction.created_at;
    let body = owed.body.expose().to_owned();
    let (files, asks) = (owed.files, owed.asks);
    let payload = Payload { body, media: Vec::new(), files, to: None, asked_for: false, asks };
    let payload = serde_json::to_string(&payload).unwrap_or_default();
    for (position, recipient) in (first_position..).zip(recipients) {
        let number = numbers::get(tx, account, &recipient.number_id).await?;
        let carrier = number.map_or_else(|| interaction.carrier.clone(), |number| number.carrier);
        let state = MessageState::Queued.as_str();
        let leg = inbound::outbound_leg(tx, interaction, position, recipient, &carrier, state);
        legs::insert(tx, account, &leg).await?;
        let entry = NewEntry {
            kind: OutboxKind::Message,
            session: interaction.session.as_ref(),
            interaction: &interaction.id,
            leg: &leg.id,
            carrier: &carrier,
            payload: &payload,
            run_at: now,
            valid_until: (now + VALIDITY_MAX).min(owed.expires_at),
            now,
        };
        outbox::insert(tx, account, &entry).await?;
    }
    Ok(())
}

/// A text from the marketplace.
#[derive(Debug, Clone)]
pub struct NewText {
    /// What it says; may be empty where there are files.
    pub body: Body,
    /// Addresses of pictures and files, ten at most: called as any stranger's.
    pub media: Vec<String>,
}

impl NewText {
    /// Words alone.
    pub const fn words(body: Body) -> Self {
        Self { body, media: Vec::new() }
    }

    /// Everything that is wrong with its form.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let chars = self.body.chars();
        if chars > BODY_CHARS_MAX || (chars == 0 && self.media.is_empty()) {
            let allowed = format!("must have 1 to {BODY_CHARS_MAX} characters");
            faults.push(Fault::new("/body", "length", allowed));
        }
        if self.media.len() > MEDIA_MAX {
            let allowed = format!("must have at most {MEDIA_MAX} addresses");
            faults.push(Fault::new("/media", "length", allowed));
        }
        faults
    }
}

/// Owes a text from the marketplace to one participant, through the mask.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`],
/// [`Error::ModeNotAllowed`], [`Error::Invalid`], [`Error::RateLimited`].
pub async fn send_to_participant(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    text: &NewText,
) -> Result<Interaction, Error> {
    send(tx, account, session, participant, text, true).await
}

/// The same of a text that says what became of a call, which was counted: it is not.
///
/// # Errors
/// The same but [`Error::RateLimited`].
pub(in crate::relay) async fn send_after_call(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    text: &NewText,
) -> Result<Interaction, Error> {
    send(tx, account, session, participant, text, false).await
}

async fn send(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    text: &NewText,
    counted: bool,
) -> Result<Interaction, Error> {
    let faults = text.faults();
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let mut session = locked(tx, account, session).await?;
    let to = recipient(tx, account, &session, participant).await?;
    let now = tx.now().await?;
    Error::unless_live(&session, now)?;
    if !session.mode.message() {
        return Err(Error::ModeNotAllowed);
    }
    if counted {
        let service = services::get_any(tx, account, &session.service).await?;
        let rules = service.ok_or(Error::NotFound("service"))?.rules;
        let to = std::slice::from_ref(&to);
        abuse::asked(tx, account, (&session, &rules), Kind::Message, (None, to), now).await?;
    }
    inbound::touch(tx, account, &mut session, now).await?;
    write(tx, account, &session, &to, text, now).await
}

async fn recipient(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    participant: &ParticipantId,
) -> Result<Participant, Error> {
    participants::get(tx, account, participant)
        .await?
        .filter(|one| one.session == session.id && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))
}

/// Tells a participant something of their session that is no use of it: its time does not slide. Who
/// wants no texts from the number that they dial gets none.
///
/// # Errors
/// [`Error::NotFound`].
pub(in crate::relay) async fn tell_participant(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    text: &NewText,
) -> Result<(), Error> {
    let session = locked(tx, account, session).await?;
    let to = recipient(tx, account, &session, participant).await?;
    if opt_out::unwanted(tx, account, &to.number_id, &to.person).await? {
        return Ok(());
    }
    let now = tx.now().await?;
    write(tx, account, &session, &to, text, now).await.map(drop)
}

/// Logs a text from the marketplace and owes it.
async fn write(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    to: &Participant,
    text: &NewText,
    now: Timestamp,
) -> Result<Interaction, Error> {
    let number = numbers::get(tx, account, &to.number_id).await?;
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(session.service.clone()),
        session: Some(session.id.clone()),
        kind: Kind::Message,
        origin: Origin::Api,
        from_participant: None,
        from_role: None,
        person: None,
        number: to.number.clone(),
        carrier: number.map(|number| number.carrier).unwrap_or_default(),
        attestation: None,
        outcome: None,
        reason: None,
        media: media::count(text.media.len()),
        media_refused: 0,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    interactions::insert(tx, account, &interaction).await?;
    let service = services::get(tx, account, &session.service).await?;
    if service.is_some_and(|service| service.rules.keep_texts) {
        let key = session.data_key(tx)?;
        interactions::keep_words(tx, account, &interaction.id, &key, &text.body).await?;
    }
    let owner = Owner { account, session: &session.id, interaction: &interaction.id };
    let wanted = Wanted { carrier: None, addresses: &text.media };
    media::want(tx, owner, session, wanted, now).await?;
    let data = json!({ "participant_id": to.id, "role": to.role }).to_string();
    events::insert(tx, account, EventKind::MessageCreated, place(&interaction), &data, now).await?;
    let files = !text.media.is_empty();
    let owed = Owed { body: &text.body, files, expires_at: session.expires_at, asks: false };
    owe(tx, account, &interaction, std::slice::from_ref(to), owed, 0).await?;
    Ok(interaction)
}

/// Tells whoever missed a call of it, through the mask, where the service says so.
pub(in crate::relay) async fn missed_call_text(
    tx: &mut Tx,
    account: &AccountId,
    call: &Interaction,
    legs: &[Leg],
    now: Timestamp,
) -> Result<(), Error> {
    let (Some(service), Some(session)) = (&call.service, &call.session) else { return Ok(()) };
    let Some(service) = services::get(tx, account, service).await? else { return Ok(()) };
    let words = service.rules.missed_call_text;
    if words.is_empty() {
        return Ok(());
    }
    let Some(session) = sessions::lock(tx, account, session).await? else { return Ok(()) };
    if !session.is_live(now) || !session.mode.message() {
        return Ok(());
    }
    let missed: Vec<ParticipantId> = legs
        .iter()
        .filter(|leg| leg.position > 0 && leg.outcome != Some(Ending::Failed))
        .filter_map(|leg| leg.participant.clone())
        .collect();
    for participant in missed {
        let text = NewText::words(Body::new(words.clone()));
        match send_after_call(tx, account, &session.id, &participant, &text).await {
            // Whoever left the session meanwhile is told nothing.
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
