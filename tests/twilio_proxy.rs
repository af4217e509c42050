//! The drop-in for Twilio Proxy, black box: a real server with phones, on each engine.

#[cfg(test)]
#[path = "twilio_proxy/audit.rs"]
mod audit;
#[cfg(test)]
#[path = "twilio_proxy/bad_input.rs"]
mod bad_input;
#[cfg(test)]
#[path = "twilio_proxy/callbacks.rs"]
mod callbacks;
#[cfg(test)]
#[path = "twilio_proxy/carrier.rs"]
mod carrier;
#[cfg(test)]
#[path = "twilio_proxy/deleting.rs"]
mod deleting;
#[cfg(test)]
#[path = "twilio_proxy/docs.rs"]
mod docs;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
#[path = "relay/fake_twilio.rs"]
mod fake;
#[cfg(test)]
#[path = "twilio_proxy/interactions.rs"]
mod interactions;
#[cfg(test)]
#[path = "twilio_proxy/isolation.rs"]
mod isolation;
#[cfg(test)]
#[path = "twilio_proxy/life.rs"]
mod life;
#[cfg(test)]
#[path = "twilio_proxy/numbers.rs"]
mod numbers;
#[cfg(test)]
#[path = "twilio_proxy/shapes.rs"]
mod shapes;
#[cfg(test)]
#[path = "twilio_proxy/site.rs"]
mod site;
#[cfg(test)]
#[path = "twilio_proxy/stop_words.rs"]
mod stop_words;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "twilio_proxy/world.rs"]
mod world;
