//! The native API, black box: a real server over a real database, on each engine.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/conventions.rs"]
mod conventions;
#[path = "api/document.rs"]
mod document;
#[path = "api/isolation.rs"]
mod isolation;
#[path = "api/problems.rs"]
mod problems;
#[path = "api/resources.rs"]
mod resources;
#[path = "api/world.rs"]
mod world;
