//! What a person can do with a phone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    document::Connect,
    line::Act,
    network::Network,
    phone::{CallEnd, CallId, CallStage, CallView, Direction, PhoneId, Shown, TextState, TextView},
    record::CameIn,
};
use crate::domain::{assurance::Attestation, message::Body, phone::Identifier};

/// The most characters of a text that a phone sends.
const TEXT_CHARS_MAX: usize = 16_000;
/// The most pictures and files of one text.
const MEDIA_MAX: usize = 10;

/// Why a phone does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is no such phone.
    #[error("there is no such phone")]
    NoPhone,
    /// Another phone has that number.
    #[error("another phone has that number")]
    NumberTaken,
    /// The phone is not in that call, or the call is over.
    #[error("the phone is not in that call")]
    NoCall,
    /// The phone is in a call already.
    #[error("the phone is in a call already")]
    OnACall,
    /// Only a phone that rings can be answered or declined, and only an answered one has keys.
    #[error("the call is not at that point")]
    NotNow,
    /// Not one of 0 to 9, * and #.
    #[error("must be one of 0 to 9, * and #")]
    NoKey,
    /// There are no words.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("is too long")]
    TooLong,
    /// The network has as much as it can hold.
    #[error("the network is full")]
    Full,
}

impl Network {
    /// Sends a text. Returns the network's id of it, which the relay sees too.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::Empty`], [`ActionError::TooLong`] beyond 16,000
    /// characters, [`ActionError::Full`].
    pub fn text(
        self: &Arc<Self>,
        phone: PhoneId,
        to: &Identifier,
        body: Body,
    ) -> Result<String, ActionError> {
        self.text_with(phone, to, body, Vec::new())
    }

    /// Sends a text with addresses of at most 10 pictures and files.
    ///
    /// # Errors
    /// As [`Network::text`]; words may be empty if there is a picture.
    pub fn text_with(
        self: &Arc<Self>,
        phone: PhoneId,
        to: &Identifier,
        body: Body,
        media: Vec<String>,
    ) -> Result<String, ActionError> {
        if body.is_empty() && media.is_empty() {
            return Err(ActionError::Empty);
        }
        if body.chars() > TEXT_CHARS_MAX || media.len() > MEDIA_MAX {
            return Err(ActionError::TooLong);
        }
        let from = self.shows(phone)?;
        let id = self.make_id("text");
        let straight = self.phone_of(to);
        let text = TextView {
            id: id.clone(),
            direction: Direction::Out,
            other: to.clone().into(),
            body: body.clone(),
            media: media.clone(),
            at: self.now(),
            state: if straight.is_some() { TextState::Sent } else { TextState::Sending },
        };
        self.change(phone, |view| view.add_text(text)).ok_or(ActionError::NoPhone)?;
        if let (Some(other), Some(from)) = (straight, &from) {
            self.put_text(other, id.clone(), from.clone().into(), body, media);
            return Ok(id);
        }
        self.remember(CameIn {
            id: id.clone(),
            from: from.clone(),
            to: to.clone(),
            text: Some((body.clone(), media.clone())),
            at: self.now(),
            over: true,
            phone,
        });
        if self.loses() {
            self.text_state(phone, &id, TextState::Sent);
            return Ok(id);
        }
        let event = json!({
            "event": "message", "id": id, "from": from.as_ref().map(Identifier::expose),
            "to": to.expose(), "text": body.expose(), "media": media,
        });
        self.post_in_order(
            &format!("from {phone}"),
            self.hook("message"),
            &event,
            Some((phone, id.clone())),
        )?;
        Ok(id)
    }

    /// Puts a text on a phone.
    pub(super) fn put_text(
        &self,
        phone: PhoneId,
        id: String,
        from: Shown,
        body: Body,
        media: Vec<String>,
    ) {
        let (direction, at, state) = (Direction::In, self.now(), TextState::Received);
        let text = TextView { id, direction, other: from, body, media, at, state };
        self.change(phone, |view| view.add_text(text));
    }

    /// Dials a number. Returns the id of the phone's side of the call, which the relay sees too.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::OnACall`].
    pub fn dial(self: &Arc<Self>, phone: PhoneId, to: &Identifier) -> Result<CallId, ActionError> {
        self.dial_attested(phone, to, None)
    }

    /// The same where the network says so of the number that the phone shows.
    ///
    /// # Errors
    /// The same.
    pub fn dial_attested(
        self: &Arc<Self>,
        phone: PhoneId,
        to: &Identifier,
        attestation: Option<Attestation>,
    ) -> Result<CallId, ActionError> {
        let from = self.shows(phone)?;
        let straight = self.phone_of(to).is_some();
        let status_url = (!straight).then(|| self.hook("status"));
        let line = self.open_line(phone, Direction::Out, Some(to.clone()), status_url)?;
        let id = line.id.clone();
        if let (true, Some(from)) = (straight, &from) {
            let connect = Connect::straight(from.clone(), to.clone());
            self.start(line.connect_straight(connect));
        } else {
            let event = json!({
                "event": "call", "id": id.as_str(), "to": to.expose(),
                "from": from.as_ref().map(Identifier::expose),
                "attestation": attestation.map(Attestation::as_str),
            });
            self.remember(CameIn {
                id: id.as_str().to_owned(),
                from,
                to: to.clone(),
                text: None,
                at: self.now(),
                over: false,
                phone,
            });
            let lost = self.loses();
            self.start(line.call_the_relay(event, lost));
        }
        Ok(id)
    }

    /// Answers a ringing call.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::NoCall`], [`ActionError::NotNow`].
    pub fn answer(&self, phone: PhoneId, call: &CallId) -> Result<(), ActionError> {
        let now = self.now();
        self.act(phone, call, Act::Answer, |call| {
            ringing(call)?;
            call.stage = CallStage::Connected;
            call.answered_at = Some(now);
            Ok(())
        })
    }

    /// Turns a ringing call away.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::NoCall`], [`ActionError::NotNow`].
    pub fn decline(&self, phone: PhoneId, call: &CallId) -> Result<(), ActionError> {
        let now = self.now();
        self.act(phone, call, Act::Decline, |call| {
            ringing(call)?;
            call.stage = CallStage::Ended(CallEnd::Declined);
            call.ended_at = Some(now);
            Ok(())
        })
    }

    /// Ends a call, or gives it up before an answer.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::NoCall`], [`ActionError::NotNow`] while it rings
    /// here: decline it.
    pub fn hang_up(&self, phone: PhoneId, call: &CallId) -> Result<(), ActionError> {
        let now = self.now();
        self.act(phone, call, Act::HangUp, |call| {
            let end = match call.stage {
                CallStage::Dialling => CallEnd::Cancelled,
                CallStage::Connected => CallEnd::Finished,
                CallStage::Ringing | CallStage::Ended(_) => return Err(ActionError::NotNow),
            };
            call.stage = CallStage::Ended(end);
            call.ended_at = Some(now);
            Ok(())
        })
    }

    /// Presses a key in an answered call.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::NoCall`], [`ActionError::NotNow`],
    /// [`ActionError::NoKey`].
    pub fn press(&self, phone: PhoneId, call: &CallId, key: char) -> Result<(), ActionError> {
        if !matches!(key, '0'..='9' | '*' | '#') {
            return Err(ActionError::NoKey);
        }
        self.act(phone, call, Act::Press(key), |call| match call.stage {
            CallStage::Connected => Ok(()),
            _ => Err(ActionError::NotNow),
        })
    }

    fn act(
        &self,
        phone: PhoneId,
        call: &CallId,
        act: Act,
        show: impl FnOnce(&mut CallView) -> Result<(), ActionError>,
    ) -> Result<(), ActionError> {
        // Busy before the phone shows it: nobody may see the change and take the network for idle.
        let _busy = self.busy();
        self.change(phone, |view| {
            let call = view.call_mut(call).filter(|call| !call.stage.is_over());
            show(call.ok_or(ActionError::NoCall)?)
        })
        .ok_or(ActionError::NoPhone)??;
        self.hand_over(call, act)
    }

    /// The number that a phone shows to others; `None` if it hides it.
    fn shows(&self, phone: PhoneId) -> Result<Option<Identifier>, ActionError> {
        let state = self.lock();
        let phone = state.phone(phone).ok_or(ActionError::NoPhone)?;
        Ok((!phone.withheld).then(|| phone.view.number.clone()))
    }

    /// Tells the relay something about a call or a text, in order for each of them.
    pub(super) fn report(self: &Arc<Self>, lane: &str, url: String, body: &Value) {
        if self.post_in_order(lane, url, body, None).is_err() {
            tracing::warn!("the sandbox has too many webhooks waiting and dropped one");
        }
    }
}

fn ringing(call: &CallView) -> Result<(), ActionError> {
    if call.stage == CallStage::Ringing { Ok(()) } else { Err(ActionError::NotNow) }
}
