//! What is to be done next about an order: one question to its carrier, or one thing told.

use std::time::Duration;

use super::{Terms, work::rest};
use crate::{
    carrier::{
        Provisioning, SendError,
        error::{Retry, SendErrorKind},
        provisioning::{Bought, Held, Offer, Progress, Purchase},
    },
    domain::{
        phone::{ProxyNumber, Registered},
        pool::Capabilities,
        time::Timestamp,
    },
    relay::{Configured, Error, Relay, inventory::number_faults},
    store::{
        number_orders::{self, NumberOrder, OrderFailure, OrderKind, OrderState},
        numbers,
    },
};

/// How long after a purchase of which nobody knows what came the carrier is asked whether it was taken: it
/// may still be at it.
const SETTLE: Duration = Duration::from_secs(20);
/// How often the same number is bought again after it was surely not there.
const TRIES_MAX: i64 = 5;
/// How many numbers are chosen one after the other, where each was gone before it was bought.
const CHOICES_MAX: i64 = 3;
/// How many numbers a search is for, of which one is chosen.
const CHOICE: u8 = 20;
/// How often a number that was set is looked at before it counts as wrong.
const LOOKS_MAX: i64 = 4;
/// How often a carrier is asked in vain before anything was bought: an hour, with the rests between.
const PATIENCE: i64 = 20;
/// The same for a number that the account has: a day.
const PATIENCE_HELD: i64 = 300;
/// The same for a carrier's own order, a month: the customer's papers are read by people.
const ORDER_MAX: i64 = 9_000;

/// What a step came to.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// This is written, and the next step follows.
    On(Box<NumberOrder>),
    /// The same, and the carrier is asked to sell at once.
    Asking(Box<NumberOrder>),
    /// The same, with where the number's calls and texts went before.
    Keep(Box<NumberOrder>, String),
    /// This is written, and it is left alone for so long.
    Later(Box<NumberOrder>, Duration),
    /// It is looked whether anybody still holds the number.
    Drain,
    /// The number joins the pool.
    Add(Box<NumberOrder>),
    /// The number is given up.
    Released,
    /// It can't be done.
    Fail(OrderFailure, Option<String>),
}

fn on(order: NumberOrder) -> Step {
    Step::On(Box::new(NumberOrder { attempts: 0, ..order }))
}

/// What the carrier refused for good.
fn refused(error: &SendError) -> Step {
    let reason = match error.kind {
        SendErrorKind::Config => OrderFailure::CarrierSettings,
        SendErrorKind::Unsupported => OrderFailure::Unsupported,
        _ => OrderFailure::Refused,
    };
    Step::Fail(reason, error.carrier_code.clone())
}

/// A question, or a change that may be made twice, was not answered well.
fn trouble(order: &NumberOrder, error: &SendError, patience: i64) -> Step {
    let wait = match error.retry {
        Retry::Never => return refused(error),
        Retry::After(wait) => wait,
        Retry::Unknown => Duration::ZERO,
    };
    if order.attempts >= patience {
        return Step::Fail(OrderFailure::Unreachable, error.carrier_code.clone());
    }
    later(order, wait)
}

/// The same step again, after a while.
fn later(order: &NumberOrder, least: Duration) -> Step {
    let pause = rest(order.attempts).max(least);
    Step::Later(Box::new(NumberOrder { attempts: order.attempts + 1, ..order.clone() }), pause)
}

/// Nothing could be done with the order itself: again, as long as for a number that the account has. What was
/// done at the carrier stands.
pub(super) fn stumbled(order: &NumberOrder) -> Step {
    if order.attempts >= PATIENCE_HELD {
        return Step::Fail(OrderFailure::NotAdded, None);
    }
    later(order, Duration::ZERO)
}

/// The same order in that state, at once.
fn now_in(order: &NumberOrder, state: OrderState) -> Step {
    on(NumberOrder { state, ..order.clone() })
}

/// An order at its carrier.
struct At<'a> {
    order: &'a NumberOrder,
    carrier: &'a Configured,
    provisioning: &'a dyn Provisioning,
    now: Timestamp,
}

impl At<'_> {
    fn trouble(&self, error: &SendError) -> Step {
        trouble(self.order, error, PATIENCE)
    }

    fn trouble_held(&self, error: &SendError) -> Step {
        trouble(self.order, error, PATIENCE_HELD)
    }

    /// All that the carrier can do.
    fn able(&self) -> Capabilities {
        self.carrier.adapter.capabilities().of_numbers()
    }

    fn purchase(&self, number: &ProxyNumber, terms: Terms) -> Purchase {
        let order = self.order;
        let can = if order.capabilities == Capabilities::default() {
            self.able()
        } else {
            order.capabilities
        };
        Purchase {
            number: number.clone(),
            kind: terms.criteria(Some(number)).kind,
            can,
            // Each number that is chosen is another purchase.
            reference: format!("{}-{}", order.id, order.choices),
            address: terms.address,
            bundle: terms.bundle,
        }
    }
}

impl Relay {
    /// The next step. `uncertain`: whether somebody else may have asked the carrier to sell.
    pub(super) async fn order_step(
        &self,
        order: &NumberOrder,
        uncertain: bool,
    ) -> Result<Step, Error> {
        if order.state == OrderState::Draining {
            return Ok(Step::Drain);
        }
        let Ok((carrier, provisioning)) = self.provisioner(&order.carrier) else {
            return Ok(match order.state {
                // Nothing is to be told to a carrier that can't be told anything.
                OrderState::Releasing => Step::Released,
                _ => Step::Fail(OrderFailure::Unsupported, None),
            });
        };
        let now = self.db.read().await?.now().await?;
        let at = At { order, carrier, provisioning, now };
        let Some(number) = &order.number else { return self.choose(&at).await };
        Ok(match (order.kind, order.state) {
            (OrderKind::Buy, OrderState::Queued) => self.begin(&at, number).await,
            (_, OrderState::Queued) => now_in(order, OrderState::Configuring),
            (_, OrderState::Buying) => self.buy(&at, number, uncertain).await,
            (_, OrderState::Ordered) => self.ask_order(&at).await,
            (_, OrderState::Releasing) => return self.release(&at, number).await,
            _ => self.configure(&at, number).await,
        })
    }

    /// Chooses a number on sale that nobody has or buys.
    async fn choose(&self, at: &At<'_>) -> Result<Step, Error> {
        let terms = Terms::read(at.order);
        let search = terms.criteria(None).search(CHOICE);
        let offers = match self.offers(at.carrier, at.provisioning, &search).await {
            Ok(offers) => offers,
            Err(error) => return Ok(at.trouble(&error)),
        };
        let mut failure = OrderFailure::NotOnSale;
        let mut tx = self.db.read().await?;
        for offer in offers {
            if let Err(why) = terms.accept(&offer) {
                failure = why;
                continue;
            }
            // What the pool may not have is not bought for it.
            let barred = !number_faults(&tx, &offer.number, &Registered::default()).is_empty();
            let taken = barred
                || terms.gone.iter().any(|gone| gone == offer.number.as_str())
                || numbers::owner(&mut tx, &offer.number).await?.is_some()
                || number_orders::under_way(&mut tx, &offer.number).await?.is_some();
            if taken {
                continue;
            }
            let wanted = at.order.capabilities;
            let nothing = wanted == Capabilities::default();
            return Ok(on(NumberOrder {
                number: Some(offer.number),
                capabilities: if nothing { both(offer.can, at.able()) } else { wanted },
                choices: at.order.choices + 1,
                ..at.order.clone()
            }));
        }
        Ok(Step::Fail(failure, None))
    }

    /// Looks that it is not the account's already, and what it costs where that counts.
    async fn begin(&self, at: &At<'_>, number: &ProxyNumber) -> Step {
        let terms = Terms::read(at.order);
        if terms.price_max.is_some() && !terms.chosen_here {
            let search = terms.criteria(Some(number)).search(CHOICE);
            let offers = match self.offers(at.carrier, at.provisioning, &search).await {
                Ok(offers) => offers,
                Err(error) => return at.trouble(&error),
            };
            let Some(offer) = offers.iter().find(|offer| offer.number == *number) else {
                return Step::Fail(OrderFailure::NotOnSale, None);
            };
            if let Err(why) = terms.accept(offer) {
                return Step::Fail(why, None);
            }
        }
        match self.held_there(at.carrier, at.provisioning, number).await {
            Ok(None) => Step::Asking(Box::new(NumberOrder { attempts: 0, ..at.order.clone() })),
            Ok(Some(_)) => Step::Fail(OrderFailure::HeldAlready, None),
            Err(error) => at.trouble(&error),
        }
    }

    /// Buys it; what may have been bought is looked for first, and bought again only if it is surely
    /// not there.
    async fn buy(&self, at: &At<'_>, number: &ProxyNumber, uncertain: bool) -> Step {
        let order = at.order;
        let purchase = at.purchase(number, Terms::read(order));
        if uncertain {
            return self.look_for(at, number, &purchase).await;
        }
        match self.buy_there(at.carrier, at.provisioning, &purchase).await {
            Ok(Bought::Now) => now_in(order, OrderState::Configuring),
            Ok(Bought::Ordered(id)) => on(NumberOrder {
                state: OrderState::Ordered,
                carrier_order: Some(id),
                ..order.clone()
            }),
            Err(error) => match error.retry {
                // An earlier try may have been taken after all: then this one had to be refused.
                Retry::Never if order.buys > 1 => {
                    match self.held_there(at.carrier, at.provisioning, number).await {
                        Ok(Some(_)) => now_in(order, OrderState::Configuring),
                        Ok(None) => at.gone(&error),
                        Err(other) => again(order, &other),
                    }
                }
                Retry::Never => at.gone(&error),
                _ => again(order, &error),
            },
        }
    }

    async fn look_for(&self, at: &At<'_>, number: &ProxyNumber, purchase: &Purchase) -> Step {
        let order = at.order;
        match self.held_there(at.carrier, at.provisioning, number).await {
            Ok(Some(_)) => {
                return now_in(order, OrderState::Configuring);
            }
            Ok(None) => {}
            Err(error) => return at.trouble_held(&error),
        }
        match self.trace_there(at.carrier, at.provisioning, purchase).await {
            Ok(Some(id)) => {
                let carrier_order = Some(id);
                on(NumberOrder { state: OrderState::Ordered, carrier_order, ..order.clone() })
            }
            Err(error) => at.trouble_held(&error),
            Ok(None) => {
                let settled = order.asked_at.map_or(SETTLE, |asked| at.now.since(asked));
                if settled < SETTLE {
                    let rest = SETTLE.saturating_sub(settled).max(Duration::from_secs(1));
                    Step::Later(Box::new(order.clone()), rest)
                } else if order.buys >= TRIES_MAX {
                    Step::Fail(OrderFailure::NeverCame, None)
                } else {
                    Step::Asking(Box::new(NumberOrder { attempts: 0, ..order.clone() }))
                }
            }
        }
    }

    /// Asks how far the carrier's order has come.
    async fn ask_order(&self, at: &At<'_>) -> Step {
        let order = at.order;
        let Some(id) = &order.carrier_order else {
            return Step::Fail(OrderFailure::OrderFailed, None);
        };
        match self.ordered_there(at.carrier, at.provisioning, id).await {
            Ok(Progress::Done) => now_in(order, OrderState::Configuring),
            Ok(Progress::Failed(code)) => {
                let code = code.and_then(|code| crate::carrier::error::plain_code(&code));
                Step::Fail(OrderFailure::OrderFailed, code)
            }
            Ok(Progress::Pending) if order.attempts >= ORDER_MAX => {
                Step::Fail(OrderFailure::NeverCame, None)
            }
            Ok(Progress::Pending) => later(order, Duration::ZERO),
            Err(error) => trouble(order, &error, ORDER_MAX),
        }
    }

    /// Keeps where its calls and texts went, leads them here, and looks that they come.
    async fn configure(&self, at: &At<'_>, number: &ProxyNumber) -> Step {
        let order = at.order;
        let held = match self.held_there(at.carrier, at.provisioning, number).await {
            Ok(Some(held)) => held,
            Ok(None) if order.kind == OrderKind::Adopt => {
                return Step::Fail(OrderFailure::NotHeld, None);
            }
            Ok(None) if order.attempts >= PATIENCE_HELD => {
                return Step::Fail(OrderFailure::NeverCame, None);
            }
            Ok(None) => return later(order, Duration::ZERO),
            Err(error) => return at.trouble_held(&error),
        };
        if !order.has_previous() {
            let nothing = order.capabilities == Capabilities::default();
            let can = if nothing { held.can.unwrap_or(at.able()) } else { order.capabilities };
            let next = NumberOrder {
                capabilities: both(can, at.able()),
                carrier_number: Some(held.id),
                ..order.clone()
            };
            if next.capabilities == Capabilities::default() {
                return Step::Fail(OrderFailure::Misconfigured, None);
            }
            return Step::Keep(Box::new(next), held.settings);
        }
        let requests = at.provisioning.configure(&held, order.capabilities, &at.carrier.links);
        let set = self.change_there(at.carrier, at.provisioning, "number_set", requests).await;
        if let Err(error) = set {
            return at.trouble_held(&error);
        }
        self.verify(at, number).await
    }

    async fn verify(&self, at: &At<'_>, number: &ProxyNumber) -> Step {
        let (order, adapter) = (at.order, &at.carrier.adapter);
        let done = Step::Add(Box::new(order.clone()));
        let Some(request) = adapter.number(number) else { return done };
        let unread = || SendError::new(SendErrorKind::Unreachable, Retry::Unknown);
        let faults = self.tell(at.carrier, "number_look", request, |response| {
            let read = response.status.is_success().then(|| {
                adapter.number_faults(number, order.capabilities, &at.carrier.links, response)
            });
            read.flatten().ok_or_else(unread)
        });
        match faults.await {
            Ok(faults) if !faults.iter().any(|fault| fault.grave) => done,
            Ok(_) if order.attempts + 1 >= LOOKS_MAX => {
                Step::Fail(OrderFailure::Misconfigured, None)
            }
            // What was just set may not be shown yet.
            Ok(_) => later(order, Duration::ZERO),
            Err(error) => at.trouble_held(&error),
        }
    }

    /// Gives it back, or leads its calls and texts where they went before.
    async fn release(&self, at: &At<'_>, number: &ProxyNumber) -> Result<Step, Error> {
        let held = match self.held_there(at.carrier, at.provisioning, number).await {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(Step::Released),
            Err(error) => return Ok(at.trouble_held(&error)),
        };
        let cancel = Terms::read(at.order).at_carrier.as_deref() == Some("cancel");
        let (operation, requests) = if cancel {
            let Some(request) = at.provisioning.release(&held) else {
                return Ok(Step::Fail(OrderFailure::Unsupported, None));
            };
            ("number_release", vec![request])
        } else {
            ("number_restore", self.restoring(at, &held).await?)
        };
        let done = self.change_there(at.carrier, at.provisioning, operation, requests).await;
        Ok(match done {
            Ok(()) => Step::Released,
            Err(error) => at.trouble_held(&error),
        })
    }

    /// What leads its calls and texts where they went before; nothing where that is not known.
    async fn restoring(
        &self,
        at: &At<'_>,
        held: &Held,
    ) -> Result<Vec<crate::carrier::Request>, Error> {
        let Some(id) = &at.order.number_id else { return Ok(Vec::new()) };
        let mut tx = self.db.read().await?;
        let brought = number_orders::that_brought(&mut tx, &at.order.account, id).await?;
        let Some(brought) = brought else { return Ok(Vec::new()) };
        let before = brought.previous(&mut tx).await?;
        Ok(before.map(|before| at.provisioning.restore(held, &before)).unwrap_or_default())
    }
}

impl At<'_> {
    /// It was certainly not bought: another one is chosen, where any will do.
    fn gone(&self, error: &SendError) -> Step {
        let order = self.order;
        let mut terms = Terms::read(order);
        let another = terms.chosen_here && order.choices < CHOICES_MAX;
        if error.kind != SendErrorKind::Rejected || !another {
            return refused(error);
        }
        terms.gone.extend(order.number.as_ref().map(|number| number.as_str().to_owned()));
        on(NumberOrder {
            state: OrderState::Queued,
            number: None,
            wanted: terms.text(),
            asked_at: None,
            buys: 0,
            ..order.clone()
        })
    }
}

/// Asked again after a while; whoever does looks first whether it was bought.
fn again(order: &NumberOrder, error: &SendError) -> Step {
    let wait = match error.retry {
        Retry::After(wait) => wait,
        Retry::Never | Retry::Unknown => Duration::ZERO,
    };
    later(order, wait)
}

fn both(one: Capabilities, other: Capabilities) -> Capabilities {
    Capabilities {
        voice: one.voice && other.voice,
        sms: one.sms && other.sms,
        mms: one.mms && other.mms,
    }
}

impl Terms {
    /// Whether an offer may be bought, and why not.
    fn accept(&self, offer: &Offer) -> Result<(), OrderFailure> {
        use crate::carrier::provisioning::Want;
        let lacks = offer.wants.iter().any(|want| match want {
            Want::Address => self.address.is_none(),
            Want::Bundle => self.bundle.is_none(),
        });
        if lacks {
            return Err(OrderFailure::RequirementsUnmet);
        }
        let Some(most) = self.price_max else { return Ok(()) };
        let Some(price) = offer.price else { return Err(OrderFailure::PriceUntold) };
        let currency =
            self.currency.as_ref().is_none_or(|currency| currency == price.currency().as_str());
        if currency && price.micros() <= most { Ok(()) } else { Err(OrderFailure::TooExpensive) }
    }
}
