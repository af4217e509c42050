//! A verified webhook, event by event.

use std::time::Duration;

use super::{Relay, calls, consult::Advice, error::Error, messages};
use crate::{
    carrier::{Inbound, Plan, plan::Answer},
    domain::interaction::Reason,
    store,
};

/// How long the database may take over one event: the strictest carrier waits for 2 seconds
/// (Telnyx). A marketplace that is asked has a time of its own.
const ANSWER_MAX: Duration = Duration::from_millis(1800);

/// Waits for a commit, as long as a carrier may be kept waiting.
async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Store(store::Error::Unavailable("not in time".into()));
    tokio::time::timeout(ANSWER_MAX, work).await.map_err(late)?
}

/// What one event came to.
#[derive(Debug)]
pub struct Handled {
    /// What the carrier is told.
    pub answer: Answer,
    /// `accepted`, `ignored` or `duplicate` and the like: for the metric.
    pub outcome: &'static str,
    /// What kind of event it was: for the metric.
    pub kind: &'static str,
}

impl Relay {
    /// Takes in one event of a carrier, durably, before it is answered.
    ///
    /// # Errors
    /// The store's, also where it took longer than a carrier waits: then the carrier must try
    /// again.
    pub async fn handle(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let handled = match event {
            Inbound::Message(_) | Inbound::Call(_) => self.take_in(carrier, event).await,
            Inbound::MessageStatus(_) | Inbound::CallStatus(_) => self.news(carrier, event).await,
            Inbound::CalleeAnswered(_)
            | Inbound::Keys(_)
            | Inbound::Played(_)
            | Inbound::DialEnded(_)
            | Inbound::PlacedCallAnswered(_) => self.step(carrier, event).await,
            Inbound::Ignored(_) => {
                Ok(Handled { answer: Answer::Ack, outcome: "ignored", kind: "other" })
            }
        };
        self.committed();
        handled
    }

    async fn take_in(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let kind = if matches!(event, Inbound::Call(_)) { "call" } else { "message" };
        let (answer, reason) = self.receive(carrier, event).await?;
        let outcome = if reason == Some(Reason::UnknownNumber) { "ignored" } else { "accepted" };
        Ok(Handled { answer, outcome, kind })
    }

    /// Takes in a text or a call, and asks the marketplace where it wants to be asked.
    pub(super) async fn receive(
        &self,
        carrier: &str,
        event: &Inbound,
    ) -> Result<(Answer, Option<Reason>), Error> {
        match self.decide(carrier, event, None).await {
            Err(Error::Ask(question)) => {
                let advice = self.consult(&question).await;
                self.decide(carrier, event, Some(advice)).await
            }
            decided => decided,
        }
    }

    async fn decide(
        &self,
        carrier: &str,
        event: &Inbound,
        advice: Option<Advice>,
    ) -> Result<(Answer, Option<Reason>), Error> {
        let at_once = self.at_once(carrier);
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let decided = self.db.write(move |tx| {
            let (carrier, event, advice) = (carrier.clone(), event.clone(), advice.clone());
            Box::pin(async move {
                let advice = advice.as_ref();
                match &event {
                    Inbound::Call(call) => {
                        calls::receive(tx, &carrier, call, advice, at_once).await
                    }
                    Inbound::Message(text) => messages::receive(tx, &carrier, text, advice).await,
                    _ => Ok((Answer::Ack, None)),
                }
            })
        });
        in_time(decided).await
    }

    /// How many people a carrier rings at once.
    fn at_once(&self, carrier: &str) -> usize {
        let one = self.carriers.get(carrier);
        one.map_or(1, |one| one.adapter.capabilities().simultaneous)
    }

    async fn news(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let known = self.db.write(move |tx| {
            let (carrier, event) = (carrier.clone(), event.clone());
            Box::pin(async move {
                match &event {
                    Inbound::MessageStatus(news) => messages::status(tx, &carrier, news).await,
                    Inbound::CallStatus(news) => calls::status(tx, &carrier, news).await,
                    _ => Ok::<_, Error>(false),
                }
            })
        });
        let known = in_time(known).await?;
        let outcome = if known { "accepted" } else { "ignored" };
        Ok(Handled { answer: Answer::Ack, outcome, kind: "status" })
    }

    async fn step(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let at_once = self.at_once(carrier);
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let answer = self.db.write(move |tx| {
            let (carrier, event) = (carrier.clone(), event.clone());
            Box::pin(async move {
                match &event {
                    Inbound::CalleeAnswered(at) => calls::callee_answered(tx, &carrier, at).await,
                    Inbound::Keys(at) => calls::keys(tx, &carrier, at).await,
                    Inbound::Played(_) => Ok(Answer::Plan(Plan::Hangup)),
                    Inbound::DialEnded(at) => calls::dial_ended(tx, &carrier, at, at_once).await,
                    Inbound::PlacedCallAnswered(at) => {
                        calls::placed_answered(tx, &carrier, at, at_once).await
                    }
                    _ => Ok::<_, Error>(Answer::Ack),
                }
            })
        });
        let answer = in_time(answer).await?;
        Ok(Handled { answer, outcome: "accepted", kind: "step" })
    }
}
