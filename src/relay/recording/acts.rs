//! What a carrier is asked about the recording of a call, and what follows from its answer.
//!
//! A pause that is not confirmed makes an end of the recording, and an end that is not confirmed one of the call;
//! nothing is kept of what may hold more than was agreed to.

use std::time::Duration;

use serde_json::json;

use super::{FILE_WITHIN, is_recorded, move_on, over, owe, owe_drop, tell, tell_loss};
use crate::relay::{
    Error, Relay,
    calls::{Live, live},
};
use crate::{
    carrier::{
        Outbound, SendError,
        error::{Retry, SendErrorKind},
        outbound::RecordingCommand,
    },
    domain::{
        call::CallState,
        event::EventKind,
        recording::{RecordingAct, RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::AccountId,
    store::{
        Tx, media,
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        recordings::{self, Recording},
    },
    telemetry::metrics,
};

/// How long a worker may be at one request.
const LEASE: Duration = Duration::from_secs(30);
/// Between two tries of what was surely not done.
const AGAIN: Duration = Duration::from_secs(1);
/// How often an end is asked for before the call is ended.
const STOPS_MAX: i64 = 3;
/// For how long a call is tried to be ended.
const ENDED_FOR: Duration = Duration::from_mins(10);

/// What a worker is to do with an entry.
enum Due {
    /// Nothing, or nothing more.
    Nothing,
    /// To ask the carrier.
    Ask(Box<Entry>, RecordingCommand),
}

impl Relay {
    /// Asks a carrier for what is due of a recording; whether anything was done.
    ///
    /// # Errors
    /// The store's: the lease ends by itself.
    pub(in crate::relay) async fn record(&self, entry: Entry) -> Result<bool, Error> {
        let (due, judged) = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    let due = claim(tx, &entry).await?;
                    Ok::<_, Error>((due, tx.passed()))
                })
            })
            .await?;
        let Due::Ask(entry, asked) = due else { return Ok(true) };
        let act = asked.act;
        let result = self.ask(&entry.carrier, &Outbound::Recording(asked), "recording").await;
        self.note(judged, move |tx| {
            let (entry, result) = (entry.clone(), result.clone());
            Box::pin(async move { answered(tx, &entry, act, &result).await })
        })
        .await?;
        self.committed();
        Ok(true)
    }
}

/// Gives up on an entry that stopped our workers (I32): of what may be running nothing is kept, and its call ends.
pub(in crate::relay) async fn park(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    if let Some(call) = live(tx, &entry.carrier, &entry.leg).await?
        && let Some(one) = recordings::get(tx, &call.account, &entry.interaction).await?
        && one.state.is_under_way()
    {
        let loss = one.loss.or(Some(RecordingLoss::StopUnconfirmed));
        end_call(tx, &call, &Recording { loss, busy_until: Timestamp::EPOCH, ..one }).await?;
    }
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// Claims what is due of a recording, judged anew: two people who agreed, a session that is open, a call that
/// goes on.
async fn claim(tx: &mut Tx, entry: &Entry) -> Result<Due, Error> {
    let Some(call) = live(tx, &entry.carrier, &entry.leg).await? else {
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(Due::Nothing);
    };
    let Some(entry) = outbox::claim(tx, entry, call.now, call.now + LEASE).await? else {
        return Ok(Due::Nothing);
    };
    let found = recordings::get(tx, &call.account, &entry.interaction).await?;
    let Some(one) = found.filter(|one| is_recorded(one, &call.leg.id)) else {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Due::Nothing);
    };
    if one.state == RecordingState::Stopped {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        if one.ended_at.is_some_and(|at| at + FILE_WITHIN <= call.now) {
            give_up_file(tx, &call, one).await?;
        }
        return Ok(Due::Nothing);
    }
    if one.busy_until > call.now {
        // What is asked of one recording is asked in order: whoever is at it owes what comes next.
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Due::Nothing);
    }
    let Some(act) = one.state.due() else {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Due::Nothing);
    };
    if one.busy_until > Timestamp::EPOCH {
        // A worker was lost over it: nobody knows what the carrier did.
        let unknown = SendError::new(SendErrorKind::Unreachable, Retry::Unknown);
        settle(tx, &call, &entry, one, act, &Err(unknown)).await?;
        return Ok(Due::Nothing);
    }
    let is_over = CallState::parse(&call.leg.state).is_some_and(CallState::is_final);
    let stale = act == RecordingAct::Start && !may_begin(tx, &call, &entry).await?;
    let Some(id) = call.leg.carrier_id.clone().filter(|_| !is_over && !stale) else {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        over(tx, &call.account, one, call.now).await?;
        return Ok(Due::Nothing);
    };
    let asked =
        RecordingCommand { leg: one.leg.clone(), call: id, id: one.carrier_id.clone(), act };
    let one = Recording { busy_until: call.now + LEASE, ..one };
    recordings::update(tx, &call.account, &one).await?;
    Ok(Due::Ask(Box::new(entry), asked))
}

/// Whether a recording may begin at this moment: both sides agreed, nobody who was connected did not, the
/// session still puts people through, and it is not too late.
async fn may_begin(tx: &mut Tx, call: &Live, entry: &Entry) -> Result<bool, Error> {
    let consents = recordings::consents(tx, &call.account, &entry.interaction).await?;
    let agreed = consents.len() >= 2 && consents.iter().all(|one| one.agreed);
    Ok(agreed && call.open && call.now < entry.valid_until)
}

/// Records what came of asking.
async fn answered(
    tx: &mut Tx,
    entry: &Entry,
    act: RecordingAct,
    result: &Result<String, SendError>,
) -> Result<(), Error> {
    let Some(call) = live(tx, &entry.carrier, &entry.leg).await? else { return Ok(()) };
    let found = recordings::get(tx, &call.account, &entry.interaction).await?;
    let Some(one) = found else { return Ok(()) };
    settle(tx, &call, entry, one, act, result).await
}

async fn settle(
    tx: &mut Tx,
    call: &Live,
    entry: &Entry,
    one: Recording,
    act: RecordingAct,
    result: &Result<String, SendError>,
) -> Result<(), Error> {
    let id = result.as_ref().ok().filter(|id| !id.is_empty()).cloned();
    let one = Recording {
        busy_until: Timestamp::EPOCH,
        carrier_id: one.carrier_id.clone().or(id),
        updated_at: call.now,
        ..one
    };
    // The call ended while it was asked, or something else was wished since.
    if one.state.due() != Some(act) {
        let doubtful = act == RecordingAct::Pause && result.is_err();
        let loss = one.loss.or(doubtful.then_some(RecordingLoss::PauseUnconfirmed));
        let one = Recording { loss, ..one };
        recordings::update(tx, &call.account, &one).await?;
        outbox::finish(tx, entry, OutboxState::Done).await?;
        if one.state.due().is_some() {
            owe(tx, &call.account, &one, call.now, call.now).await?;
        }
        return Ok(());
    }
    match result {
        Ok(_) => {
            outbox::finish(tx, entry, OutboxState::Done).await?;
            confirmed(tx, call, one, act).await
        }
        Err(error) => unconfirmed(tx, call, entry, one, act, error).await,
    }
}

/// The carrier has done it.
async fn confirmed(
    tx: &mut Tx,
    call: &Live,
    one: Recording,
    act: RecordingAct,
) -> Result<(), Error> {
    let now = call.now;
    let (state, kind) = match act {
        RecordingAct::Start => (RecordingState::Recording, EventKind::RecordingStarted),
        RecordingAct::Pause => (RecordingState::Paused, EventKind::RecordingPaused),
        RecordingAct::Resume => (RecordingState::Recording, EventKind::RecordingResumed),
        RecordingAct::Stop => (RecordingState::Stopped, EventKind::RecordingStopped),
    };
    let one = match act {
        RecordingAct::Start => Recording { state, started_at: Some(now), ..one },
        RecordingAct::Stop => Recording { state, ended_at: Some(now), ..one },
        RecordingAct::Pause | RecordingAct::Resume => Recording { state, ..one },
    };
    recordings::update(tx, &call.account, &one).await?;
    tx.on_commit(move || metrics::recording(state.as_str()));
    tell(tx, &call.account, &one, kind, json!({}), now).await?;
    if state == RecordingState::Stopped {
        owe(tx, &call.account, &one, now, now + FILE_WITHIN).await?;
    }
    Ok(())
}

/// The carrier did not say that it has done it.
async fn unconfirmed(
    tx: &mut Tx,
    call: &Live,
    entry: &Entry,
    one: Recording,
    act: RecordingAct,
    error: &SendError,
) -> Result<(), Error> {
    let (account, now) = (&call.account, call.now);
    tx.on_commit(|| metrics::recording("unconfirmed"));
    match (act, error.retry) {
        // It certainly did not begin: once more, while that makes sense.
        (RecordingAct::Start, Retry::After(wait)) if now + wait < entry.valid_until => {
            recordings::update(tx, account, &one).await?;
            outbox::put_off(tx, entry, now + wait.max(AGAIN)).await?;
            Ok(())
        }
        (RecordingAct::Start, Retry::After(_) | Retry::Never) => {
            outbox::finish(tx, entry, OutboxState::Done).await?;
            let loss = one.loss.or(Some(RecordingLoss::NotStarted));
            let one = Recording { state: RecordingState::Failed, loss, ended_at: Some(now), ..one };
            recordings::update(tx, account, &one).await?;
            tell_loss(tx, account, &one, now).await
        }
        (RecordingAct::Stop, _) if entry.attempts >= STOPS_MAX => {
            outbox::finish(tx, entry, OutboxState::Done).await?;
            let loss = one.loss.or(Some(RecordingLoss::StopUnconfirmed));
            end_call(tx, call, &Recording { loss, ..one }).await
        }
        (RecordingAct::Stop, _) => {
            recordings::update(tx, account, &one).await?;
            outbox::put_off(tx, entry, now + AGAIN).await?;
            Ok(())
        }
        // What may run, or may not be paused, ends.
        (RecordingAct::Start | RecordingAct::Pause | RecordingAct::Resume, _) => {
            outbox::finish(tx, entry, OutboxState::Done).await?;
            let loss = match act {
                RecordingAct::Start => Some(RecordingLoss::NotStarted),
                RecordingAct::Pause => Some(RecordingLoss::PauseUnconfirmed),
                RecordingAct::Resume | RecordingAct::Stop => None,
            };
            let one = Recording { loss: one.loss.or(loss), ..one };
            move_on(tx, account, one, RecordingState::Stopping, now).await?;
            Ok(())
        }
    }
}

/// Ends the call of a recording that can't be ended otherwise. Nothing of it is kept.
async fn end_call(tx: &mut Tx, call: &Live, one: &Recording) -> Result<(), Error> {
    recordings::update(tx, &call.account, one).await?;
    tracing::error!(carrier = one.carrier, "a recording can't be ended: its call is");
    let Some(id) = call.leg.carrier_id.as_deref() else { return Ok(()) };
    let entry = NewEntry {
        kind: OutboxKind::EndCall,
        session: Some(&one.session),
        interaction: &one.interaction,
        leg: &one.leg,
        carrier: &one.carrier,
        payload: id,
        run_at: call.now,
        valid_until: call.now + ENDED_FOR,
        now: call.now,
    };
    outbox::insert(tx, &call.account, &entry).await?;
    Ok(())
}

/// No news of a file came in time: whatever there is, is deleted where its id is known.
async fn give_up_file(tx: &mut Tx, call: &Live, one: Recording) -> Result<(), Error> {
    let account: &AccountId = &call.account;
    if media::recording(tx, account, &one.interaction).await?.is_some() {
        return Ok(());
    }
    let loss = one.loss.or(Some(RecordingLoss::Lost));
    let one = Recording { state: RecordingState::Failed, loss, updated_at: call.now, ..one };
    recordings::update(tx, account, &one).await?;
    if let Some(id) = &one.carrier_id {
        owe_drop(tx, account, &one, id, call.now).await?;
    } else {
        tracing::error!(
            carrier = one.carrier,
            "no news of a recording came, and its id is not known: look for it at the carrier"
        );
    }
    tell_loss(tx, account, &one, call.now).await
}
