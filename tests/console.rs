//! The support console, black box: what staff see, what nobody sees, and who gets in.

#[cfg(test)]
#[path = "console/access.rs"]
mod access;
#[cfg(test)]
#[path = "console/audits.rs"]
mod audits;
#[cfg(test)]
#[path = "console/events.rs"]
mod events;
#[cfg(test)]
#[path = "console/exports.rs"]
mod exports;
#[cfg(test)]
#[path = "console/languages.rs"]
mod languages;
#[cfg(test)]
#[path = "console/logins.rs"]
mod logins;
#[cfg(test)]
#[path = "console/numbers.rs"]
mod numbers;
#[cfg(test)]
#[path = "console/pages.rs"]
mod pages;
#[cfg(test)]
#[path = "console/rows.rs"]
mod rows;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "console/world.rs"]
mod world;
