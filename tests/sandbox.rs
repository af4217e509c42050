//! The simulated phone network and its HTTP surface, with the real adapter between it and a relay
//! that each test words.

#[cfg(test)]
#[path = "sandbox/calls.rs"]
mod calls;
#[cfg(test)]
#[path = "sandbox/surface.rs"]
mod surface;
#[cfg(test)]
#[path = "sandbox/texts.rs"]
mod texts;
#[cfg(test)]
#[path = "sandbox/world.rs"]
mod world;
