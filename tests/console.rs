//! The support console, black box: what staff see, what nobody sees, and who gets in.

#[cfg(test)]
#[path = "console/access.rs"]
mod access;
#[cfg(test)]
#[path = "console/actions.rs"]
mod actions;
#[cfg(test)]
#[path = "console/audits.rs"]
mod audits;
#[cfg(test)]
#[path = "console/authenticator.rs"]
mod authenticator;
#[cfg(test)]
#[path = "console/developer.rs"]
mod developer;
#[cfg(test)]
#[path = "console/developer_keys.rs"]
mod developer_keys;
#[cfg(test)]
#[path = "console/events.rs"]
mod events;
#[cfg(test)]
#[path = "console/exports.rs"]
mod exports;
#[cfg(test)]
#[path = "console/finding.rs"]
mod finding;
#[cfg(test)]
#[path = "console/languages.rs"]
mod languages;
#[cfg(test)]
#[path = "console/logins.rs"]
mod logins;
#[cfg(test)]
#[path = "console/measured.rs"]
mod measured;
#[cfg(test)]
#[path = "../benches/pages/list.rs"]
mod measured_pages;
#[cfg(test)]
#[path = "console/moderation.rs"]
mod moderation;
#[cfg(test)]
#[path = "console/notes.rs"]
mod notes;
#[cfg(test)]
#[path = "console/numbers.rs"]
mod numbers;
#[cfg(test)]
#[path = "console/oidc.rs"]
mod oidc;
#[cfg(test)]
#[path = "console/oidc_proof.rs"]
mod oidc_proof;
#[cfg(test)]
#[path = "console/overview.rs"]
mod overview;
#[cfg(test)]
#[path = "console/overview_served.rs"]
mod overview_served;
#[cfg(test)]
#[path = "console/pages.rs"]
mod pages;
#[cfg(test)]
#[path = "console/passkeys.rs"]
mod passkeys;
#[cfg(test)]
#[path = "console/pools.rs"]
mod pools;
#[cfg(test)]
#[path = "console/provider.rs"]
mod provider;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
#[path = "relay/receiver.rs"]
mod receiver;
#[cfg(test)]
#[path = "console/reveals.rs"]
mod reveals;
#[cfg(test)]
#[path = "console/rows.rs"]
mod rows;
#[cfg(test)]
#[path = "console/session_page.rs"]
mod session_page;
#[cfg(test)]
#[path = "relay/stop_stage.rs"]
mod stop_stage;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "console/world.rs"]
mod world;
