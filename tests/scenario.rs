//! Whole conversations on simulated phones, on each engine: the promises of the relay hold while
//! many people do everything at once.

#[cfg(test)]
#[path = "scenario/market.rs"]
mod market;
#[cfg(test)]
#[path = "scenario/model.rs"]
mod model;
#[cfg(test)]
#[path = "scenario/neutral.rs"]
mod neutral;
#[cfg(test)]
#[path = "scenario/storm.rs"]
mod storm;
#[cfg(test)]
mod support;
