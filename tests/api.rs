//! The native API, black box: a real server over a real database, on each engine.

#[cfg(test)]
#[path = "api/audit.rs"]
mod audit;
#[cfg(test)]
#[path = "api/bad_input.rs"]
mod bad_input;
#[cfg(test)]
#[path = "api/conventions.rs"]
mod conventions;
#[cfg(test)]
#[path = "api/document.rs"]
mod document;
#[cfg(test)]
#[path = "api/isolation.rs"]
mod isolation;
#[cfg(test)]
#[path = "api/legal_holds.rs"]
mod legal_holds;
#[cfg(test)]
#[path = "api/numbers.rs"]
mod numbers;
#[cfg(test)]
#[path = "api/orders.rs"]
mod orders;
#[cfg(test)]
#[path = "api/persons.rs"]
mod persons;
#[cfg(test)]
#[path = "api/problems.rs"]
mod problems;
#[cfg(test)]
#[path = "api/recordings.rs"]
mod recordings;
#[cfg(test)]
#[path = "api/resources.rs"]
mod resources;
#[cfg(test)]
#[path = "api/stopping.rs"]
mod stopping;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "api/verifications.rs"]
mod verifications;
#[cfg(test)]
#[path = "api/world.rs"]
mod world;
