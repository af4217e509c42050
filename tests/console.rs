//! The support console, black box: what staff see, what nobody sees, and who gets in.

#[cfg(test)]
#[path = "console/access.rs"]
mod access;
#[cfg(test)]
#[path = "console/pages.rs"]
mod pages;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "console/world.rs"]
mod world;
