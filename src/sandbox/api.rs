//! What the relay asks of the network: texts to deliver, calls to place, calls to end.

use std::{sync::Arc, time::Duration};

use ring::digest;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    dial::Rung,
    faults::Admission,
    line::Act,
    network::Network,
    phone::{CallId, Shown},
    state::Known,
};
use crate::domain::{
    message::{Body, MessageState},
    phone::Identifier,
};

/// The most characters of an idempotency key.
const KEY_MAX: usize = 255;

/// A text to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// What the recipient sees: any name, but no number of a person.
    pub from: Shown,
    /// The recipient.
    pub to: Identifier,
    /// The words.
    pub body: Body,
    /// Addresses of pictures and files.
    pub media: Vec<String>,
    /// Where receipts go, if anywhere.
    pub status_url: Option<String>,
}

/// A call to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// What the person sees.
    pub from: Identifier,
    /// The person.
    pub to: Identifier,
    /// How long to ring; at most 10 minutes.
    pub ring_timeout: Duration,
    /// The longest that it may last; at most 4 hours.
    pub duration_max: Duration,
    /// Where to ask what to do once it is answered.
    pub answer_url: String,
    /// Where news of it goes, if anywhere.
    pub status_url: Option<String>,
}

/// The network took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The network's id of it.
    pub id: String,
    /// Whether the same key had been taken before: nothing was done again.
    pub again: bool,
}

/// The network does not say that it took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `from` is a person's number: a carrier shows only its customer's own.
    NotYours,
    /// A callback address is not one of the relay's hooks.
    BadUrl,
    /// There is nothing to deliver.
    Empty,
    /// The key is not 1 to 255 visible ASCII characters.
    BadKey,
    /// The key came with another request before.
    KeyReused,
    /// The number is not on sale.
    Sold,
    /// There is no such call.
    NoCall,
    /// The call's recording is not in a state for that.
    NoRecording,
    /// Refused on purpose with this status; nothing was taken.
    Fault(u16),
    /// Taken, and the answer is lost on purpose.
    Lost {
        /// Whether the connection is cut instead of answered with 500.
        cut: bool,
    },
}

impl Network {
    /// Takes a text, delivers it, and sends its receipts: `sent` and then `delivered`, or
    /// `undelivered` where no phone has the number.
    ///
    /// # Errors
    /// [`Refusal`], all but [`Refusal::NoCall`].
    pub async fn take_message(
        self: &Arc<Self>,
        key: Option<&str>,
        message: NewMessage,
    ) -> Result<Taken, Refusal> {
        let admission = self.admit().await?;
        self.allowed(message.from.number(), [message.status_url.as_deref()])?;
        if message.body.is_empty() && message.media.is_empty() {
            return Err(Refusal::Empty);
        }
        let request = json!([
            "message",
            message.from.expose(),
            message.to.expose(),
            message.body.expose(),
            message.media,
            message.status_url,
        ]);
        let taken = self.once(key, &request.to_string(), "text")?;
        if !taken.again {
            let (network, id) = (Arc::clone(self), taken.id.clone());
            let busy = self.busy();
            // Deliveries keep the order in which they were taken where they take no time.
            if self.options.pace.delivery.is_zero() {
                self.deliver_message(&id, message);
            } else {
                self.start(async move {
                    tokio::time::sleep(network.options.pace.delivery).await;
                    network.deliver_message(&id, message);
                    drop(busy);
                });
            }
        }
        self.answer_api(admission, taken)
    }

    fn deliver_message(self: &Arc<Self>, id: &str, message: NewMessage) {
        let NewMessage { from, to, body, media, status_url } = message;
        let last = match self.phone_of(&to) {
            Some(phone) => {
                self.put_text(phone, id.to_owned(), from, body, media);
                MessageState::Delivered
            }
            None => MessageState::Undelivered,
        };
        let Some(url) = status_url else { return };
        let percent = self.faults().lost_receipt_percent;
        if self.lock().dice.hits(percent) {
            return;
        }
        for state in [MessageState::Sent, last] {
            let mut receipt =
                json!({ "event": "message_status", "id": id, "state": state.as_str() });
            if state == MessageState::Undelivered {
                receipt["code"] = "unknown-number".into();
            }
            self.report(id, url.clone(), &receipt);
        }
    }

    /// Rings a phone for the relay and asks `answer_url` what to do once it is answered.
    ///
    /// # Errors
    /// [`Refusal`], all but [`Refusal::NoCall`] and [`Refusal::Empty`].
    pub async fn take_call(
        self: &Arc<Self>,
        key: Option<&str>,
        call: NewCall,
    ) -> Result<Taken, Refusal> {
        let admission = self.admit().await?;
        self.allowed(
            Some(&call.from),
            [Some(call.answer_url.as_str()), call.status_url.as_deref()],
        )?;
        let request =
            json!(
                ["call", call.from.expose(), call.to.expose(), call.answer_url, call.status_url,]
            );
        let mut taken = self.once(key, &request.to_string(), "call")?;
        if !taken.again {
            // The id of the phone's side is the one that callbacks and an end will name.
            if let Ok(line) = self.ring_phone(&call.from, &call.to, call.status_url) {
                line.id.as_str().clone_into(&mut taken.id);
                if let Some(key) = key {
                    self.lock().keys.rename(key, &taken.id);
                }
                let ring_timeout = call.ring_timeout.min(Duration::from_mins(10));
                let most = call.duration_max.min(Duration::from_hours(4));
                self.start(async move {
                    let rung = line.until_ready(ring_timeout, None, CancellationToken::new()).await;
                    if let Rung::Ready(line) = rung {
                        line.answered_placed(call.answer_url, most).await;
                    }
                });
            }
        }
        self.answer_api(admission, taken)
    }

    /// Ends a call. One that is over already stays so.
    ///
    /// # Errors
    /// [`Refusal::NoCall`], [`Refusal::Fault`], [`Refusal::Lost`].
    pub async fn end_call(self: &Arc<Self>, id: &str) -> Result<Taken, Refusal> {
        let admission = self.admit().await?;
        // Only ids of this network's own were ever given out.
        if !id.starts_with(&format!("call-{}-", self.born)) {
            return Err(Refusal::NoCall);
        }
        let again = self.hand_over(&CallId::new(id), Act::End).is_err();
        self.answer_api(admission, Taken { id: id.to_owned(), again })
    }

    /// Sells a number out of the stock. One that the same key bought is told again.
    ///
    /// # Errors
    /// [`Refusal::Sold`], [`Refusal::BadKey`], [`Refusal::KeyReused`], [`Refusal::Fault`],
    /// [`Refusal::Lost`].
    pub async fn sell(self: &Arc<Self>, key: Option<&str>, number: &str) -> Result<Taken, Refusal> {
        let admission = self.admit().await?;
        let taken = self.once(key, &json!(["number", number]).to_string(), "number")?;
        let again = taken.again;
        let mut state = self.lock();
        if !again && state.stock.sell(number).is_err() {
            // Nothing came of it: the same key may try again.
            state.keys.forget(key.unwrap_or_default());
            return Err(Refusal::Sold);
        }
        drop(state);
        self.answer_api(admission, taken)
    }

    pub(super) async fn admit(&self) -> Result<Admission, Refusal> {
        let slow = self.faults().slow_ms;
        if slow > 0 {
            tokio::time::sleep(Duration::from_millis(slow)).await;
        }
        match self.lock().faults.admit() {
            Admission::Refused(status) => Err(Refusal::Fault(status)),
            admission => Ok(admission),
        }
    }

    pub(super) fn answer_api(&self, admission: Admission, taken: Taken) -> Result<Taken, Refusal> {
        match admission {
            Admission::Lost => Err(Refusal::Lost { cut: self.faults().accept_then_reset }),
            Admission::Fine | Admission::Refused(_) => Ok(taken),
        }
    }

    fn allowed<const N: usize>(
        &self,
        from: Option<&Identifier>,
        urls: [Option<&str>; N],
    ) -> Result<(), Refusal> {
        if from.is_some_and(|from| self.phone_of(from).is_some()) {
            return Err(Refusal::NotYours);
        }
        if urls.into_iter().flatten().all(|url| self.is_hook(url)) {
            Ok(())
        } else {
            Err(Refusal::BadUrl)
        }
    }

    /// The id of a new request, or of the same one that was taken before.
    fn once(&self, key: Option<&str>, request: &str, prefix: &str) -> Result<Taken, Refusal> {
        let id = self.make_id(prefix);
        let Some(key) = key else { return Ok(Taken { id, again: false }) };
        if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refusal::BadKey);
        }
        let mut print = [0; 32];
        print.copy_from_slice(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let now = self.now();
        let mut state = self.lock();
        if let Some(known) = state.keys.known(key, now) {
            return if known.print == print {
                Ok(Taken { id: known.id.clone(), again: true })
            } else {
                Err(Refusal::KeyReused)
            };
        }
        state.keys.remember(key, Known { print, id: id.clone() }, now);
        Ok(Taken { id, again: false })
    }
}
