//! Whole conversations through a running relay, on each engine: with simulated phones, and over each
//! carrier with a stand-in for its API. The promises hold while many people do everything at once.

#[cfg(test)]
#[path = "relay/abuse.rs"]
mod abuse;
#[cfg(test)]
#[path = "relay/abuse_gate.rs"]
mod abuse_gate;
#[cfg(test)]
#[path = "relay/abuse_traffic.rs"]
mod abuse_traffic;
#[cfg(test)]
#[path = "relay/across.rs"]
mod across;
#[cfg(test)]
#[path = "relay/assurance.rs"]
mod assurance;
#[cfg(test)]
#[path = "relay/assurance_dialects.rs"]
mod assurance_dialects;
#[cfg(test)]
#[path = "relay/assurance_limits.rs"]
mod assurance_limits;
#[cfg(test)]
#[path = "relay/blocking.rs"]
mod blocking;
#[cfg(test)]
#[path = "relay/budgets.rs"]
mod budgets;
#[cfg(test)]
#[path = "relay/callback.rs"]
mod callback;
#[cfg(test)]
#[path = "relay/caller_id.rs"]
mod caller_id;
#[cfg(test)]
#[path = "relay/clocks.rs"]
mod clocks;
#[cfg(test)]
#[path = "relay/commanded.rs"]
mod commanded;
#[cfg(test)]
#[path = "relay/consent.rs"]
mod consent;
#[cfg(test)]
#[path = "relay/consent_beside.rs"]
mod consent_beside;
#[cfg(test)]
#[path = "relay/consent_over.rs"]
mod consent_over;
#[cfg(test)]
#[path = "relay/content.rs"]
mod content;
#[cfg(test)]
#[path = "relay/detour.rs"]
mod detour;
#[cfg(test)]
#[path = "relay/dialect.rs"]
mod dialect;
#[cfg(test)]
#[path = "relay/disclosing.rs"]
mod disclosing;
#[cfg(test)]
#[path = "relay/erasing.rs"]
mod erasing;
#[cfg(test)]
#[path = "relay/erasing_held.rs"]
mod erasing_held;
#[cfg(test)]
#[path = "relay/events.rs"]
mod events;
#[cfg(test)]
#[path = "relay/fake_twilio.rs"]
mod fake;
#[cfg(test)]
#[path = "relay/first_text.rs"]
mod first_text;
#[cfg(test)]
#[path = "relay/gaps.rs"]
mod gaps;
#[cfg(test)]
#[path = "relay/health.rs"]
mod health;
#[cfg(test)]
#[path = "relay/health_stage.rs"]
mod health_stage;
#[cfg(test)]
#[path = "relay/keys.rs"]
mod keys;
#[cfg(test)]
#[path = "relay/leftovers.rs"]
mod leftovers;
#[cfg(test)]
#[path = "relay/long_texts.rs"]
mod long_texts;
#[cfg(test)]
#[path = "relay/market.rs"]
mod market;
#[cfg(test)]
#[path = "relay/media.rs"]
mod media;
#[cfg(test)]
#[path = "relay/media_by_words.rs"]
mod media_by_words;
#[cfg(test)]
#[path = "relay/model.rs"]
mod model;
#[cfg(test)]
#[path = "relay/moving.rs"]
mod moving;
#[cfg(test)]
#[path = "relay/moving_broken.rs"]
mod moving_broken;
#[cfg(test)]
#[path = "relay/moving_stage.rs"]
mod moving_stage;
#[cfg(test)]
#[path = "relay/moving_undone.rs"]
mod moving_undone;
#[cfg(test)]
#[path = "relay/neutral.rs"]
mod neutral;
#[cfg(test)]
#[path = "relay/opt_outs.rs"]
mod opt_outs;
#[cfg(test)]
#[path = "relay/ordering.rs"]
mod ordering;
#[cfg(test)]
#[path = "relay/ordering_terms.rs"]
mod ordering_terms;
#[cfg(test)]
#[path = "relay/out_of_session.rs"]
mod out_of_session;
#[cfg(test)]
#[path = "relay/outage.rs"]
mod outage;
#[cfg(test)]
#[path = "relay/over_bandwidth.rs"]
mod over_bandwidth;
#[cfg(test)]
#[path = "relay/over_call_control.rs"]
mod over_call_control;
#[cfg(test)]
#[path = "relay/over_infobip.rs"]
mod over_infobip;
#[cfg(test)]
#[path = "relay/over_jambonz.rs"]
mod over_jambonz;
#[cfg(test)]
#[path = "relay/over_plivo.rs"]
mod over_plivo;
#[cfg(test)]
#[path = "relay/over_signalwire.rs"]
mod over_signalwire;
#[cfg(test)]
#[path = "relay/over_sinch.rs"]
mod over_sinch;
#[cfg(test)]
#[path = "relay/over_telnyx.rs"]
mod over_telnyx;
#[cfg(test)]
#[path = "relay/over_twilio.rs"]
mod over_twilio;
#[cfg(test)]
#[path = "relay/over_vonage.rs"]
mod over_vonage;
#[cfg(test)]
#[path = "relay/picture_stage.rs"]
mod picture_stage;
#[cfg(test)]
#[path = "relay/poison.rs"]
mod poison;
#[cfg(test)]
#[path = "relay/prices.rs"]
mod prices;
#[cfg(test)]
#[path = "relay/races.rs"]
mod races;
#[cfg(test)]
#[path = "relay/receiver.rs"]
mod receiver;
#[cfg(test)]
#[path = "relay/recordings.rs"]
mod recordings;
#[cfg(test)]
#[path = "relay/registration.rs"]
mod registration;
#[cfg(test)]
#[path = "relay/restored.rs"]
mod restored;
#[cfg(test)]
#[path = "relay/retention.rs"]
mod retention;
#[cfg(test)]
#[path = "relay/retention_edges.rs"]
mod retention_edges;
#[cfg(test)]
#[path = "relay/ringing.rs"]
mod ringing;
#[cfg(test)]
#[path = "support/rng.rs"]
mod rng;
#[cfg(test)]
#[path = "relay/s3.rs"]
mod s3;
#[cfg(test)]
#[path = "relay/shop.rs"]
mod shop;
#[cfg(test)]
#[path = "relay/slow_recordings.rs"]
mod slow_recordings;
#[cfg(test)]
#[path = "relay/stop_stage.rs"]
mod stop_stage;
#[cfg(test)]
#[path = "relay/storm.rs"]
mod storm;
#[cfg(test)]
mod support;
#[cfg(test)]
#[path = "relay/unknown.rs"]
mod unknown;
#[cfg(test)]
#[path = "relay/verification.rs"]
mod verification;
#[cfg(test)]
#[path = "relay/verification_names.rs"]
mod verification_names;
#[cfg(test)]
#[path = "relay/verification_senders.rs"]
mod verification_senders;
#[cfg(test)]
#[path = "relay/verification_waits.rs"]
mod verification_waits;
#[cfg(test)]
#[path = "relay/voicemail.rs"]
mod voicemail;
#[cfg(test)]
#[path = "relay/voicemail_lost.rs"]
mod voicemail_lost;
