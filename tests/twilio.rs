//! A relay over Twilio, whose REST API is a stand-in on loopback: signed webhooks in, TwiML and
//! requests out, and what happens when the API is in trouble.

#[cfg(test)]
#[path = "twilio/conversation.rs"]
mod conversation;
#[cfg(test)]
#[path = "twilio/fake.rs"]
mod fake;
#[cfg(test)]
#[path = "scenario/market.rs"]
mod market;
#[cfg(test)]
mod support;
