//! Recording of calls: who is asked, what they answered, and what follows. A recording begins once both sides
//! have agreed by a key, and not before: whoever presses none is connected unrecorded.
//!
//! The carrier is asked by entries of the outbox that say no more than that something is due: what it is follows
//! from how far the recording has come when the entry is claimed, under the locks of session and call.

mod acts;
mod file;
mod wish;

use std::time::Duration;

use serde_json::json;

pub(super) use self::{
    acts::park,
    file::{arrived, kept, lost},
};
pub use self::{
    file::address as recording_address,
    wish::{check_service_recording, check_session_recording, wish_recording},
};
use super::{
    calls::{Live, country_of},
    error::Error,
    inbound::Source,
};
use crate::{
    carrier::plan::{Gather, Plan, Prompt, Script, Sound, Then},
    domain::{
        event::EventKind,
        policy::{self, Rules, consent_key, consent_words},
        recording::{RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId},
    store::{
        Tx,
        events::{self, Place},
        legs::Leg,
        outbox::{self, NewEntry, OutboxKind},
        recordings::{self, Consent, Recording},
        services::Service,
        sessions::Session,
    },
    telemetry::metrics,
};

/// How long whoever was there first may think: they hear nothing meanwhile.
const CONSENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a carrier is tried to be asked to begin, and for anything else.
const BEGUN_FOR: Duration = Duration::from_secs(20);
const ASKED_FOR: Duration = Duration::from_mins(10);
/// How long the news of a recording's file is waited for.
const FILE_WITHIN: Duration = Duration::from_hours(2);

/// Whether the people of a session are asked, as far as service and session say.
pub(super) fn wanted(rules: &Rules, session: &Session) -> bool {
    rules.recording.asks() && session.recording != Some(false) && session.mode.voice()
}

/// Whether the people of a call are asked: service and session say so, its carrier can, and there is a store
/// for files.
pub(super) fn asks(source: Source<'_>, rules: &Rules, session: &Session) -> bool {
    let can = source.adapter.is_some_and(|one| one.capabilities().recording);
    wanted(rules, session) && can && source.keeps
}

/// What whoever was there first hears before anybody is rung: what for, and which key agrees. The first time
/// notes that they are asked.
pub(super) async fn ask_first(
    tx: &mut Tx,
    (account, service, session): (&AccountId, &Service, &Session),
    leg: &Leg,
    country: &str,
    now: Timestamp,
) -> Result<Plan, Error> {
    let rules = &service.rules;
    let new = Recording {
        interaction: leg.interaction.clone(),
        session: session.id.clone(),
        leg: leg.id.clone(),
        carrier: leg.carrier.clone(),
        state: RecordingState::Asked,
        loss: None,
        purpose: rules.recording.purpose.clone(),
        kept: rules.recording.kept,
        carrier_id: None,
        busy_until: Timestamp::EPOCH,
        started_at: None,
        ended_at: None,
        created_at: now,
        updated_at: now,
    };
    recordings::insert(tx, account, &new).await?;
    tx.on_commit(|| metrics::recording("asked"));
    let language = policy::language(rules, country);
    let say = |text: String| Sound::Say(Prompt { text, language: language.to_owned() });
    let words = consent_words(&rules.recording.purpose, language, false).text;
    let announced = &rules.caller_announcement;
    Ok(Plan::Script(Box::new(Script {
        leg: leg.id.clone(),
        turn: 0,
        sounds: (!announced.is_empty()).then(|| say(announced.clone())).into_iter().collect(),
        then: Then::Keys(Gather {
            prompts: vec![say(words)],
            timeout: CONSENT_TIMEOUT,
            digits_max: 1,
            finish: None,
        }),
    })))
}

/// Notes what whoever was there first pressed, or that they pressed nothing; whether this was the first time.
/// `None` where they were asked nothing.
pub(super) async fn first_answered(
    tx: &mut Tx,
    call: &Live,
    rules: &Rules,
    digits: &str,
) -> Result<Option<bool>, Error> {
    let found = recordings::get(tx, &call.account, &call.leg.interaction).await?;
    let Some(one) = found.filter(|one| one.leg == call.leg.id) else { return Ok(None) };
    let agreed = consent_key(digits, false).1;
    let new = note(tx, call, rules, false, agreed).await?;
    if new && !agreed && one.state == RecordingState::Asked {
        decline(tx, call, one).await?;
    }
    Ok(Some(new))
}

/// Whether whoever answers our ringing is to be asked: the one who was there first has agreed, and nobody else
/// has answered yet.
pub(super) async fn open_question(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<bool, Error> {
    let found = recordings::get(tx, account, interaction).await?;
    let Some(one) = found.filter(|one| one.state == RecordingState::Asked) else {
        return Ok(false);
    };
    let consents = recordings::consents(tx, account, interaction).await?;
    Ok(consents.iter().any(|consent| consent.leg == one.leg && consent.agreed))
}

/// Whether somebody who was rung is, or was, asked: they answered, or the question is open.
pub(super) async fn was_asked(tx: &mut Tx, account: &AccountId, leg: &Leg) -> Result<bool, Error> {
    let consents = recordings::consents(tx, account, &leg.interaction).await?;
    if consents.iter().any(|one| one.leg == leg.id) {
        return Ok(true);
    }
    open_question(tx, account, &leg.interaction).await
}

/// Notes what somebody pressed who was rung and asked; whether they take the call. With both agreed the start
/// is owed. `accept` says whether they must take the call by a key.
pub(super) async fn callee_answered(
    tx: &mut Tx,
    call: &Live,
    (rules, accept): (&Rules, bool),
    digits: &str,
) -> Result<bool, Error> {
    let (takes, agreed) = consent_key(digits, accept);
    if !takes {
        return Ok(false);
    }
    let found = recordings::get(tx, &call.account, &call.leg.interaction).await?;
    let Some(one) = found else { return Ok(true) };
    if !note(tx, call, rules, accept, agreed).await? {
        return Ok(true);
    }
    if one.state != RecordingState::Asked {
        return Ok(true);
    }
    if !agreed {
        decline(tx, call, one).await?;
        return Ok(true);
    }
    tx.on_commit(|| metrics::recording("agreed"));
    move_on(tx, &call.account, one, RecordingState::Starting, call.now).await?;
    Ok(true)
}

/// Notes an answer: the first stands.
async fn note(
    tx: &mut Tx,
    call: &Live,
    rules: &Rules,
    accept: bool,
    agreed: bool,
) -> Result<bool, Error> {
    let country = country_of(tx, &call.leg).await?;
    let language = policy::language(rules, &country);
    let consent = Consent {
        leg: call.leg.id.clone(),
        role: call.leg.role.clone(),
        agreed,
        language: language.to_owned(),
        wording: consent_words("", language, accept).wording.to_owned(),
        at: call.now,
    };
    Ok(recordings::answered(tx, &call.account, &call.leg.interaction, &consent).await?)
}

async fn decline(tx: &mut Tx, call: &Live, one: Recording) -> Result<(), Error> {
    tx.on_commit(|| metrics::recording("declined"));
    let one = Recording { state: RecordingState::Declined, updated_at: call.now, ..one };
    Ok(recordings::update(tx, &call.account, &one).await?)
}

/// What has become of a call's recording when a dialling ends without a talk.
pub(super) async fn was_begun(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let found = recordings::get(tx, account, interaction).await?;
    let Some(one) = found else { return Ok(false) };
    if !one.state.is_under_way() {
        // The same is told again.
        return Ok(one.loss == Some(RecordingLoss::NotConnected));
    }
    let one = Recording { loss: Some(RecordingLoss::NotConnected), ..one };
    // Its call ends with this answer.
    over(tx, account, one, now).await?;
    Ok(true)
}

/// The call is over: what was not confirmed by now never will be.
pub(super) async fn call_over(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
    now: Timestamp,
) -> Result<(), Error> {
    let found = recordings::get(tx, account, interaction).await?;
    if let Some(one) = found.filter(|one| one.state.is_under_way()) {
        over(tx, account, one, now).await?;
    }
    Ok(())
}

/// Ends a recording with its call. The file is to come, and is looked for if no news of it does.
async fn over(
    tx: &mut Tx,
    account: &AccountId,
    one: Recording,
    now: Timestamp,
) -> Result<(), Error> {
    let (state, loss) = one.state.over();
    let loss = one.loss.or(loss);
    // A start that is being asked for may be heard all the same: its file is only deleted.
    let asked = one.busy_until > Timestamp::EPOCH;
    let state = if asked { RecordingState::Stopped } else { state };
    let ended_at = one.ended_at.or(Some(now));
    let one = Recording { state, loss, ended_at, updated_at: now, ..one };
    recordings::update(tx, account, &one).await?;
    if state == RecordingState::Failed {
        return tell_loss(tx, account, &one, now).await;
    }
    owe(tx, account, &one, now, now + FILE_WITHIN).await
}

/// Brings a recording to where its carrier is to be asked for something, and owes that.
async fn move_on(
    tx: &mut Tx,
    account: &AccountId,
    one: Recording,
    state: RecordingState,
    now: Timestamp,
) -> Result<Recording, Error> {
    let one = Recording { state, updated_at: now, ..one };
    recordings::update(tx, account, &one).await?;
    owe(tx, account, &one, now, now).await?;
    Ok(one)
}

/// Owes whatever is due of a recording at `run_at`.
async fn owe(
    tx: &mut Tx,
    account: &AccountId,
    one: &Recording,
    now: Timestamp,
    run_at: Timestamp,
) -> Result<(), Error> {
    let lasts = if one.state == RecordingState::Starting { BEGUN_FOR } else { ASKED_FOR };
    let entry = NewEntry {
        kind: OutboxKind::Record,
        session: Some(&one.session),
        interaction: &one.interaction,
        leg: &one.leg,
        carrier: &one.carrier,
        payload: "",
        run_at,
        valid_until: run_at + lasts,
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(())
}

/// Owes the deletion of a recording at its carrier.
async fn owe_drop(
    tx: &mut Tx,
    account: &AccountId,
    one: &Recording,
    id: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let entry = NewEntry {
        kind: OutboxKind::DropRecording,
        session: Some(&one.session),
        interaction: &one.interaction,
        leg: &one.leg,
        carrier: &one.carrier,
        payload: id,
        run_at: now,
        valid_until: now + super::voicemail::DROPPED_FOR,
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(())
}

/// Tells the marketplace how far a recording has come.
async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    one: &Recording,
    kind: EventKind,
    data: serde_json::Value,
    now: Timestamp,
) -> Result<(), Error> {
    let place =
        Place { service: None, session: Some(&one.session), interaction: Some(&one.interaction) };
    events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    Ok(())
}

/// Tells that nothing of a recording is kept, and why.
async fn tell_loss(
    tx: &mut Tx,
    account: &AccountId,
    one: &Recording,
    now: Timestamp,
) -> Result<(), Error> {
    tx.on_commit(|| metrics::recording("lost"));
    let data = json!({ "reason": one.loss.map(RecordingLoss::as_str) });
    tell(tx, account, one, EventKind::RecordingFailed, data, now).await
}

/// The leg that is recorded, among those of a call.
fn is_recorded(one: &Recording, leg: &LegId) -> bool {
    one.leg == *leg
}
