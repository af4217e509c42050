//! A simulated phone network: phones that people, tests and pages drive, and the carrier between
//! them and the relay.
//!
//! It speaks HTTP to the relay's hooks like any carrier and knows nothing of the relay's insides.
//! Everything is in memory and bounded. `docs/carriers/sandbox.md` describes its dialect.

mod actions;
mod api;
mod call;
mod dial;
mod document;
mod faults;
mod line;
mod network;
mod phone;
mod pictures;
mod record;
mod state;
mod stock;
mod tape;
mod webhook;

pub use self::{
    actions::ActionError,
    api::{NewCall, NewMessage, Refusal, Taken},
    faults::Faults,
    network::{Network, Options, Pace},
    phone::{
        CallEnd, CallId, CallStage, CallView, Contact, Direction, PhoneId, PhoneView, Shown, Sound,
        TextState, TextView,
    },
    pictures::PICTURE_MAX,
    record::CameIn,
    state::{CALLS_KEPT, TEXTS_KEPT},
    stock::{NoSale, Rented, Wish},
    tape::TapeAct,
};
