//! Too much at once, and what can be told from how long an answer takes: slow sockets beside good
//! clients, lanes that are stuck, and the statements that each refusal costs.

#[cfg(test)]
#[path = "overload/clients.rs"]
mod clients;
#[cfg(test)]
#[path = "overload/lanes.rs"]
mod lanes;
#[cfg(test)]
#[path = "overload/server.rs"]
mod server;
#[cfg(test)]
#[path = "overload/slow.rs"]
mod slow;
#[cfg(test)]
#[path = "overload/statements.rs"]
mod statements;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;

/// Held by each test: the first needs the processors for itself, the last one all statements.
#[cfg(test)]
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
