//! A verified webhook, event by event.

use super::{Relay, calls, error::Error, messages};
use crate::{
    carrier::{Inbound, plan::Answer},
    domain::interaction::Reason,
};

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
    /// The store's: then the carrier must try again.
    pub async fn handle(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let handled = match event {
            Inbound::Message(_) | Inbound::Call(_) => self.take_in(carrier, event).await,
            Inbound::MessageStatus(_) | Inbound::CallStatus(_) => self.news(carrier, event).await,
            Inbound::CalleeAnswered(_)
            | Inbound::Keys(_)
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
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let (answer, reason): (Answer, Option<Reason>) = self
            .db
            .write(move |tx| {
                let (carrier, event) = (carrier.clone(), event.clone());
                Box::pin(async move {
                    match &event {
                        Inbound::Call(call) => calls::receive(tx, &carrier, call).await,
                        Inbound::Message(text) => messages::receive(tx, &carrier, text).await,
                        _ => Ok((Answer::Ack, None)),
                    }
                })
            })
            .await?;
        let outcome = if reason == Some(Reason::UnknownNumber) { "ignored" } else { "accepted" };
        Ok(Handled { answer, outcome, kind })
    }

    async fn news(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let known = self
            .db
            .write(move |tx| {
                let (carrier, event) = (carrier.clone(), event.clone());
                Box::pin(async move {
                    match &event {
                        Inbound::MessageStatus(news) => messages::status(tx, &carrier, news).await,
                        Inbound::CallStatus(news) => calls::status(tx, &carrier, news).await,
                        _ => Ok::<_, Error>(false),
                    }
                })
            })
            .await?;
        let outcome = if known { "accepted" } else { "ignored" };
        Ok(Handled { answer: Answer::Ack, outcome, kind: "status" })
    }

    async fn step(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let answer = self
            .db
            .write(move |tx| {
                let (carrier, event) = (carrier.clone(), event.clone());
                Box::pin(async move {
                    match &event {
                        Inbound::CalleeAnswered(at) => {
                            calls::callee_answered(tx, &carrier, at).await
                        }
                        Inbound::Keys(at) => calls::keys(tx, &carrier, at).await,
                        Inbound::DialEnded(at) => calls::dial_ended(tx, &carrier, at).await,
                        Inbound::PlacedCallAnswered(at) => {
                            calls::placed_answered(tx, &carrier, at).await
                        }
                        _ => Ok::<_, Error>(Answer::Ack),
                    }
                })
            })
            .await?;
        Ok(Handled { answer, outcome: "accepted", kind: "step" })
    }
}
