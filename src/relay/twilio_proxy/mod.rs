//! What services of Twilio Proxy have on top of ours: interactions in Twilio's words, and three
//! callbacks with its parameters and its signature.

mod callback;
mod form;
mod intercept;
mod stranger;
mod told;
mod twiml;
mod words;

pub(super) use self::{
    callback::{letter, of_service},
    form::Letter,
    intercept::{Passage, Verdict, of_call, of_text},
    stranger::{Ask, Document, Wanted, ask_again, create, is_asked, leads_back, question},
    twiml::{Dial, End, Gather, Target, Verb, turn},
};
pub use self::{
    told::{Side, Told, tell},
    words::{date, parse_date, status},
};
