//! The simulated phone network and its HTTP surface, with the real adapter between it and a relay
//! that each test words.

#[path = "sandbox/calls.rs"]
mod calls;
#[path = "sandbox/surface.rs"]
mod surface;
#[path = "sandbox/texts.rs"]
mod texts;
#[path = "sandbox/world.rs"]
mod world;
