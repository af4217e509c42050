//! The support console, black box: what staff see, what nobody sees, and who gets in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(test)]
#[path = "console/access.rs"]
mod access;
#[cfg(test)]
#[path = "console/pages.rs"]
mod pages;
#[cfg(test)]
#[path = "console/world.rs"]
mod world;
