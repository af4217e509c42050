//! What marketplaces ask of recordings: to pause, go on with and end one, and, before there is any, whether the
//! carriers can.

use super::{move_on, tell_loss, wanted};
use crate::relay::{Carriers, Error, Fault, SessionView};
use crate::{
    domain::{
        audit::{Action, Entry},
        recording::{RecordingAct, RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId},
    store::{
        Tx, audit, interactions, numbers,
        recordings::{self, Recording},
        services::{self, Service},
        sessions,
    },
};

/// Has a recording paused, gone on with, or ended: its consent is withdrawn then. The carrier is asked at once,
/// and an event tells once it has confirmed. What is as wished already stays as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::RecordingState`] where it is not in a state for that.
pub async fn wish_recording(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    act: RecordingAct,
) -> Result<Recording, Error> {
    let interaction = interactions::get(tx, account, id).await?;
    interaction.ok_or(Error::NotFound("interaction"))?;
    let one = recordings::get(tx, account, id).await?.ok_or(Error::NotFound("recording"))?;
    sessions::lock(tx, account, &one.session).await?;
    interactions::lock(tx, account, id).await?;
    let one = recordings::get(tx, account, id).await?.ok_or(Error::NotFound("recording"))?;
    let now = tx.now().await?;
    let Some(state) = one.state.wished(act) else {
        return Err(Error::RecordingState(one.state));
    };
    if state == one.state {
        return Ok(one);
    }
    let action = match act {
        RecordingAct::Resume => Action::RecordingResumed,
        RecordingAct::Pause => Action::RecordingPaused,
        RecordingAct::Start | RecordingAct::Stop => Action::RecordingStopped,
    };
    let asked = one.busy_until > Timestamp::EPOCH;
    let one = match one.state {
        // Nobody was asked to begin yet, and nobody is now.
        RecordingState::Starting if !asked => {
            let loss = Some(RecordingLoss::NotStarted);
            let (state, ended_at) = (RecordingState::Failed, Some(now));
            let one = Recording { state, loss, ended_at, updated_at: now, ..one };
            recordings::update(tx, account, &one).await?;
            tell_loss(tx, account, &one, now).await?;
            one
        }
        // A pause that was wished and never asked for.
        RecordingState::Pausing if !asked => {
            let loss = one.loss.or(Some(RecordingLoss::PauseUnconfirmed));
            move_on(tx, account, Recording { loss, ..one }, state, now).await?
        }
        _ => move_on(tx, account, one, state, now).await?,
    };
    audit::append(tx, account, Entry::new(action, id.as_str())).await?;
    Ok(one)
}

/// Refuses a service whose rules ask for recordings where a carrier of its calls can't make them, or nothing
/// keeps them.
///
/// # Errors
/// [`Error::RecordingUnsupported`].
pub async fn check_service_recording(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    service: &Service,
) -> Result<(), Error> {
    if !service.rules.recording.asks() {
        return Ok(());
    }
    let mut of_calls = numbers::carriers_of_calls(tx, account, &service.id).await?;
    if of_calls.is_empty() {
        // Numbers come later: one carrier that can is enough for now.
        let all = || carriers.iter();
        let none = !all().any(|one| one.adapter.capabilities().recording);
        of_calls.extend(all().next().filter(|_| none).map(|one| one.id.clone()));
    }
    refuse_unable(carriers, of_calls.iter().map(String::as_str))
}

/// Refuses a session whose calls are to be recorded where its numbers are at a carrier that can't, and one that
/// is to be recorded though its service is not.
///
/// # Errors
/// [`Error::Invalid`], [`Error::RecordingUnsupported`].
pub async fn check_session_recording(
    tx: &mut Tx,
    carriers: &Carriers,
    account: &AccountId,
    view: &SessionView,
) -> Result<(), Error> {
    let session = &view.session;
    let service = services::get(tx, account, &session.service).await?;
    let rules = service.ok_or(Error::NotFound("service"))?.rules;
    if session.recording == Some(true) && !rules.recording.asks() {
        let fault = "must not be true where the service's recording is off";
        return Err(Error::Invalid(vec![Fault::new("/recording", "not_allowed", fault)]));
    }
    if !wanted(&rules, session) {
        return Ok(());
    }
    let mut of_calls = Vec::new();
    for one in view.participants.iter().filter(|one| one.removed_at.is_none()) {
        let number = numbers::get(tx, account, &one.number_id).await?;
        of_calls.extend(number.map(|number| number.carrier));
    }
    refuse_unable(carriers, of_calls.iter().map(String::as_str))
}

fn refuse_unable<'a>(
    carriers: &Carriers,
    mut of_calls: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    let can = |id: &str| carriers.get(id).is_some_and(|one| one.adapter.capabilities().recording);
    if let Some(id) = of_calls.find(|id| !can(id)) {
        return Err(Error::RecordingUnsupported(Some(id.to_owned())));
    }
    if carriers.keep_files() { Ok(()) } else { Err(Error::RecordingUnsupported(None)) }
}
