//! Every sink after a whole conversation: logs at their most talkative, metrics, the database's
//! rows and files, temporary files. No person's number and no word of theirs is in any of them.
//!
//! A binary of its own, because it takes over the process's logs.

#[cfg(test)]
#[path = "scenario/market.rs"]
mod market;
#[cfg(test)]
mod support;

#[cfg(test)]
#[path = "privacy/sinks.rs"]
mod sinks;
