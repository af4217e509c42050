//! The accept loop and every surface.
pub mod api;
mod api_log;
pub mod console;
pub mod hooks;
pub mod limit;
pub mod media;
pub mod ops;
pub mod problem;
pub mod sandbox;
pub mod server;
pub mod twilio_proxy;
