//! Entremise lets two people who met on a marketplace call and text each other without either ever
//! learning the other's number.
//!
//! # Layout
//! - [`app`]: wires everything: config, listener and clock in, a running relay out
//! - [`cli`]: one file per subcommand
//! - [`config`], [`clock`], [`ids`]: typed settings; injected time; prefixed, time-ordered ids
//! - [`domain`]: the rules, as values in and values out
//! - [`carrier`]: the provider seam, and one folder per carrier
//! - [`store`]: one SQL text for two engines; sealing happens at this boundary
//! - [`privacy`]: keys, sealing, blind indexes, masks
//! - [`egress`]: the guarded client for addresses that others gave us
//! - [`media`]: pictures and files of texts, made harmless and kept for a while
//! - [`relay`]: the use cases, the only writers of state
//! - [`jobs`]: leased loops that do what was promised
//! - [`http`]: the accept loop and every surface
//! - [`sandbox`]: a simulated phone network behind the sandbox carrier
//! - [`telemetry`]: logs, their redaction, and every metric

pub mod app;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod egress;
pub mod http;
pub mod ids;
pub mod jobs;
pub mod media;
pub mod privacy;
pub mod relay;
pub mod sandbox;
pub mod store;
pub mod telemetry;
