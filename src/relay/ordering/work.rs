//! Does what was ordered, a step at a time: each is committed before the next one is begun, so that
//! whoever takes over goes on from there.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Terms,
    steps::{Step, stumbled},
};
use crate::{
    domain::{event::EventKind, time::doubled},
    ids::{AccountId, NumberOrderId},
    relay::{Error, NewNumber, Relay, add_number},
    store::{
        self, Tx,
        events::{self, Place},
        number_orders::{self, NumberOrder, OrderFailure, OrderState},
    },
    telemetry::metrics,
};

/// How long a worker may hold an order: longer than a step's requests may take, one after the other.
const LEASE: Duration = Duration::from_mins(1);
/// How many orders are looked at in one go.
const BATCH: i64 = 20;
/// How many are worked on at once.
const AT_ONCE: usize = 4;
/// How many steps one claim may take.
const STEPS_MAX: usize = 12;

/// The longest that a step which did not succeed is left alone.
const REST_MAX: Duration = Duration::from_mins(5);

/// How long an order is left alone that can't be read: a later build may have written it.
const UNREAD_REST: Duration = Duration::from_mins(10);

/// How long a step that did not succeed so often is left alone.
pub(super) fn rest(attempts: i64) -> Duration {
    doubled(attempts, REST_MAX)
}

impl Relay {
    /// Does what is due, as far as it goes, until `stop`; how many orders moved. One that can't be gone on
    /// with keeps no other back (I32).
    ///
    /// # Errors
    /// The store's: the leases end by themselves.
    pub async fn work_number_orders(&self, stop: &CancellationToken) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let (due, unread) = number_orders::due(&mut tx, now, BATCH).await?;
        drop(tx);
        let left = self.each(unread, |tx, account, id| {
            Box::pin(async move {
                let now = tx.now().await?;
                Ok(number_orders::leave(tx, account, id, now, now + UNREAD_REST).await?)
            })
        });
        left.await?;
        let working = due.into_iter().map(|order| self.work_number_order(order, stop));
        let results: Vec<_> = stream::iter(working).buffer_unordered(AT_ONCE).collect().await;
        let (mut moved, mut failed) = (0, None);
        for result in results {
            match result {
                Ok(ours) => moved += usize::from(ours),
                Err(error) if error.lasts() => tracing::error!(%error, "an order is left as it is"),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(moved), Err)
    }

    /// One order as it is now.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn number_order(
        &self,
        account: &AccountId,
        id: &NumberOrderId,
    ) -> Result<NumberOrder, Error> {
        let mut tx = self.db.read().await?;
        let order = number_orders::get(&mut tx, account, id).await?;
        order.ok_or(Error::NotFound("number order"))
    }

    /// Goes on with one order as far as it goes, unless somebody else does; whether it was ours. Nothing is
    /// begun after `stop`, and what was begun is ended: a purchase is noted.
    ///
    /// # Errors
    /// The store's: the lease ends by itself.
    pub async fn work_number_order(
        &self,
        order: NumberOrder,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        if stop.is_cancelled() {
            return Ok(false);
        }
        let claimed = self
            .db
            .write(move |tx| {
                let order = order.clone();
                Box::pin(async move {
                    let now = tx.now().await?;
                    let claimed = number_orders::claim(tx, &order, now, now + LEASE).await?;
                    Ok::<_, Error>((claimed, tx.passed()))
                })
            })
            .await?;
        let (Some(mut order), claimed_at) = claimed else { return Ok(false) };
        // Whoever had it before may have asked the carrier and not have told.
        let mut uncertain = order.state == OrderState::Buying;
        for _ in 0..STEPS_MAX {
            // Somebody else may have it soon: nothing more is asked of the carrier.
            if stop.is_cancelled() || self.db.since(claimed_at) > LEASE / 2 {
                break;
            }
            let step = match self.order_step(&order, uncertain).await {
                Err(error) if error.lasts() => {
                    tracing::error!(order = %order.id, %error, "a step of an order can't be taken");
                    stumbled(&order)
                }
                step => step?,
            };
            uncertain = false;
            match self.note_step(order, step).await? {
                Some(next) => order = next,
                None => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Writes what a step came to; the order, if there is a next step now.
    async fn note_step(
        &self,
        order: NumberOrder,
        step: Step,
    ) -> Result<Option<NumberOrder>, Error> {
        let (kind, carrier) = (order.kind, order.carrier.clone());
        let noted = self.write_step(order.clone(), step.clone()).await;
        let noted = match noted {
            // Somebody has it, or it can't join: what was done at the carrier stands.
            Err(Error::Invalid(_) | Error::NumberTaken | Error::NotFound(_)) => {
                let failed = Step::Fail(OrderFailure::NotAdded, None);
                self.write_step(order, failed).await?
            }
            // Another order has chosen the same number: another one is chosen.
            Err(Error::Store(store::Error::Conflict)) => {
                let later =
                    Step::Later(Box::new(NumberOrder { number: None, ..order.clone() }), rest(0));
                self.write_step(order, later).await?
            }
            Err(error) if error.lasts() => {
                tracing::error!(order = %order.id, %error, "a step of an order can't be noted");
                let stumbled = stumbled(&order);
                self.write_step(order, stumbled).await?
            }
            noted => noted?,
        };
        match noted {
            Noted::On(order) => Ok(Some(*order)),
            Noted::Left => Ok(None),
            Noted::Ended(state) => {
                metrics::number_order(&carrier, kind.as_str(), state.as_str());
                self.committed();
                Ok(None)
            }
        }
    }

    async fn write_step(&self, order: NumberOrder, step: Step) -> Result<Noted, Error> {
        self.db
            .write(move |tx| {
                let (order, step) = (order.clone(), step.clone());
                Box::pin(async move { note(tx, order, step).await })
            })
            .await
    }
}

/// What was written.
enum Noted {
    On(Box<NumberOrder>),
    Left,
    Ended(OrderState),
}

async fn note(tx: &mut Tx, order: NumberOrder, step: Step) -> Result<Noted, Error> {
    let now = tx.now().await?;
    let ended = |order: NumberOrder, state: OrderState| NumberOrder {
        state,
        updated_at: now,
        ended_at: Some(now),
        ..order
    };
    match step {
        Step::On(next) => {
            let next = NumberOrder { updated_at: now, run_at: now + LEASE, ..*next };
            let ours = number_orders::save(tx, &next).await?;
            Ok(if ours { Noted::On(Box::new(next)) } else { Noted::Left })
        }
        Step::Asking(next) => {
            let next = NumberOrder {
                state: OrderState::Buying,
                buys: next.buys + 1,
                asked_at: Some(now),
                updated_at: now,
                run_at: now + LEASE,
                ..*next
            };
            let ours = number_orders::save(tx, &next).await?;
            Ok(if ours { Noted::On(Box::new(next)) } else { Noted::Left })
        }
        Step::Keep(next, settings) => {
            let mut next = NumberOrder { updated_at: now, run_at: now + LEASE, ..*next };
            next.keep_previous(tx, &settings).await?;
            let ours = number_orders::save(tx, &next).await?;
            Ok(if ours { Noted::On(Box::new(next)) } else { Noted::Left })
        }
        Step::Later(next, pause) => {
            let next = NumberOrder { updated_at: now, run_at: now + pause, ..*next };
            number_orders::save(tx, &next).await?;
            Ok(Noted::Left)
        }
        Step::Drain => drain(tx, order).await,
        Step::Add(next) => add(tx, ended(*next, OrderState::Done)).await,
        Step::Released => {
            let released = ended(order, OrderState::Done);
            if !number_orders::save(tx, &released).await? {
                return Ok(Noted::Left);
            }
            let at_carrier = Terms::read(&released).at_carrier;
            let data = json!({ "number_id": released.number_id, "at_carrier": at_carrier });
            tell(tx, &released, EventKind::NumberReleased, &data).await?;
            Ok(Noted::Ended(OrderState::Done))
        }
        Step::Fail(reason, code) => {
            let order = NumberOrder { reason: Some(reason), carrier_code: code, ..order };
            let failed = ended(order, OrderState::Failed);
            if !number_orders::save(tx, &failed).await? {
                return Ok(Noted::Left);
            }
            let data = json!({
                "order_id": failed.id, "kind": failed.kind.as_str(), "reason": reason.as_str(),
                "number_id": failed.number_id,
            });
            tell(tx, &failed, EventKind::OrderFailed, &data).await?;
            Ok(Noted::Ended(OrderState::Failed))
        }
    }
}

async fn tell(
    tx: &mut Tx,
    order: &NumberOrder,
    kind: EventKind,
    data: &serde_json::Value,
) -> Result<(), Error> {
    let place = Place { service: Some(&order.service), ..Place::default() };
    events::insert(tx, &order.account, kind, place, &data.to_string(), order.updated_at).await?;
    Ok(())
}

/// The number joins the pool, and the order is done: both or neither.
async fn add(tx: &mut Tx, order: NumberOrder) -> Result<Noted, Error> {
    let Some(number) = &order.number else { return Err(Error::NotFound("number")) };
    let new = NewNumber {
        service: order.service.clone(),
        number: number.clone(),
        carrier: order.carrier.clone(),
        capabilities: order.capabilities,
        reserved: Terms::read(&order).reserved,
    };
    let added = add_number(tx, &order.account, &new).await?;
    let done = NumberOrder { number_id: Some(added.id), ..order };
    if number_orders::save(tx, &done).await? {
        Ok(Noted::Ended(OrderState::Done))
    } else {
        // Somebody else went on with it: nothing of this is kept.
        Err(Error::Store(store::Error::Transient))
    }
}

/// Whether anybody still holds the number; if not it leaves the pool, in the same transaction.
async fn drain(tx: &mut Tx, order: NumberOrder) -> Result<Noted, Error> {
    use crate::{
        relay::{UpdateNumber, update_number},
        store::{
            holds,
            numbers::{self, NumberState},
            participants,
        },
    };
    /// How long is waited while a session is open.
    const LOOK: Duration = Duration::from_mins(1);

    let (account, id) = (&order.account, order.number_id.clone());
    let Some(id) = id else { return Err(Error::NotFound("number")) };
    // Whoever takes it at this moment is seen below, or comes too late.
    let state = numbers::lock(tx, account, &id).await?.map(|number| number.state);
    let now = tx.now().await?;
    let next = match state {
        // Somebody wants it after all.
        Some(NumberState::Active) => {
            let state = OrderState::Cancelled;
            let ended = NumberOrder { state, updated_at: now, ended_at: Some(now), ..order };
            number_orders::save(tx, &ended).await?;
            return Ok(Noted::Ended(state));
        }
        Some(NumberState::Draining) => {
            let mut held = holds::held_until(tx, account, &id, now).await?;
            // Who shares it has no hold.
            if participants::live_on(tx, account, &id).await? > 0 {
                held = Some(None);
            }
            let waits = match held {
                None => None,
                Some(Some(_)) if Terms::read(&order).force => None,
                Some(until) => Some(until.map_or(LOOK, |at| at.since(now)).min(LOOK)),
            };
            if let Some(pause) = waits {
                let pause = pause.max(Duration::from_secs(1));
                let later = NumberOrder { run_at: now + pause, ..order };
                number_orders::save(tx, &later).await?;
                return Ok(Noted::Left);
            }
            let retired =
                UpdateNumber { state: Some(NumberState::Retired), ..UpdateNumber::default() };
            update_number(tx, account, &id, retired, None).await?;
            NumberOrder { state: OrderState::Releasing, ..order }
        }
        Some(NumberState::Retired) | None => NumberOrder { state: OrderState::Releasing, ..order },
    };
    let next = NumberOrder { updated_at: now, run_at: now + LEASE, ..next };
    let ours = number_orders::save(tx, &next).await?;
    if ours { Ok(Noted::On(Box::new(next))) } else { Err(Error::Store(store::Error::Transient)) }
}
