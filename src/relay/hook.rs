//! A verified webhook, event by event.

use std::{sync::Arc, time::Duration};

use super::{
    Relay, calls,
    consult::{Advice, Given},
    error::Error,
    messages, recording, voicemail,
};
use crate::{
    carrier::{Inbound, plan::Answer},
    domain::interaction::Reason,
    store,
};

/// How long the database may take over one event: the strictest carrier waits for 2 seconds
/// (Telnyx). A marketplace that is asked has a time of its own.
const ANSWER_MAX: Duration = Duration::from_millis(1800);

/// How long a marketplace may take where Twilio's callbacks ask it: as long as the carrier waits, but
/// for what the database needs before and after.
const ASK_MIN: Duration = Duration::from_secs(1);
const ASK_MAX: Duration = Duration::from_secs(10);
const SPARE: Duration = Duration::from_secs(4);
/// How often a marketplace is asked about one webhook: what a stranger gets, and whether it may.
const QUESTIONS_MAX: u32 = 2;

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
            | Inbound::Recorded(_)
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
        self.asking(carrier, |given| self.decide(carrier, event, given)).await
    }

    /// Does what may ask the marketplace first, and again with what it said.
    pub(super) async fn asking<T, F>(
        &self,
        carrier: &str,
        work: impl Fn(Given) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let patience = self.carriers().get(carrier).map(|one| one.adapter.capabilities().patience);
        let most = patience.unwrap_or_default().saturating_sub(SPARE).clamp(ASK_MIN, ASK_MAX);
        let mut given = Given { spending: self.spending.clone(), ..Given::default() };
        loop {
            match work(given.clone()).await {
                Err(Error::Ask(question)) if given.questions < QUESTIONS_MAX => {
                    given.questions += 1;
                    self.consult(&question, most, &mut given).await;
                }
                Err(Error::Unadvised) if given.stranger != Some(Advice::Default) => {
                    given.stranger = Some(Advice::Default);
                }
                done => return done,
            }
        }
    }

    async fn decide(
        &self,
        carrier: &str,
        event: &Inbound,
        given: Given,
    ) -> Result<(Answer, Option<Reason>), Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let carriers = Arc::clone(&self.carriers);
        let decided = self.db.write(move |tx| {
            let (carrier, event, given) = (carrier.clone(), event.clone(), given.clone());
            let carriers = Arc::clone(&carriers);
            Box::pin(async move {
                let source = carriers.source(&carrier);
                match &event {
                    Inbound::Call(call) => calls::receive(tx, source, call, &given).await,
                    Inbound::Message(text) => messages::receive(tx, source, text, &given).await,
                    _ => Ok((Answer::Ack, None)),
                }
            })
        });
        in_time(decided).await
    }

    async fn news(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let carriers = Arc::clone(&self.carriers);
        let known = self.db.write(move |tx| {
            let (carrier, event) = (carrier.clone(), event.clone());
            let carriers = Arc::clone(&carriers);
            Box::pin(async move {
                let source = carriers.source(&carrier);
                match &event {
                    Inbound::MessageStatus(news) => messages::status(tx, source, news).await,
                    Inbound::CallStatus(news) => calls::status(tx, source, news).await,
                    _ => Ok::<_, Error>(false),
                }
            })
        });
        let known = in_time(known).await?;
        let outcome = if known { "accepted" } else { "ignored" };
        Ok(Handled { answer: Answer::Ack, outcome, kind: "status" })
    }

    async fn step(&self, carrier: &str, event: &Inbound) -> Result<Handled, Error> {
        let answer = self.asking(carrier, |given| self.answer(carrier, event, given)).await?;
        Ok(Handled { answer, outcome: "accepted", kind: "step" })
    }

    async fn answer(&self, carrier: &str, event: &Inbound, given: Given) -> Result<Answer, Error> {
        let (carrier, event) = (carrier.to_owned(), event.clone());
        let carriers = Arc::clone(&self.carriers);
        let answer = self.db.write(move |tx| {
            let (carrier, event, given) = (carrier.clone(), event.clone(), given.clone());
            let carriers = Arc::clone(&carriers);
            Box::pin(async move {
                let source = carriers.source(&carrier);
                match &event {
                    Inbound::CalleeAnswered(at) => calls::callee_answered(tx, source, at).await,
                    Inbound::Keys(at) => calls::keys(tx, source, at, &given).await,
                    Inbound::Played(at) => calls::played(tx, source, at, &given).await,
                    Inbound::Recorded(at) if at.talk => recording::arrived(tx, source, at).await,
                    Inbound::Recorded(at) => voicemail::recorded(tx, source, at).await,
                    Inbound::DialEnded(at) => {
                        Box::pin(calls::dial_ended(tx, source, at, &given)).await
                    }
                    Inbound::PlacedCallAnswered(at) => calls::placed_answered(tx, source, at).await,
                    _ => Ok::<_, Error>(Answer::Ack),
                }
            })
        });
        in_time(answer).await
    }
}
