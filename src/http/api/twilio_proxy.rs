//! What a service of the Twilio Proxy API has on top, as the native API shows and sets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    input::{Faults, Patch},
    service_settings::set,
    wire::OnInterceptFailure,
};
use crate::{
    domain::policy::{PROXY_URLS, ProxyRules},
    egress::Egress,
};

/// What a service of the Twilio Proxy API has on top.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TwilioProxy {
    /// Told of each interaction; empty for nobody.
    callback_url: String,
    /// Asked before a call or text goes through; empty for nobody.
    intercept_callback_url: String,
    /// Asked what to do with a call or text of no open session; empty for nobody.
    out_of_session_callback_url: String,
    /// Kept and shown, never used; empty for none.
    chat_instance_sid: String,
    on_intercept_failure: OnInterceptFailure,
}

/// The same, as it is set. `null` goes back to the default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxySettings {
    /// https, at a public address; empty for nobody.
    #[schema(value_type = Option<String>, max_length = 4000)]
    #[serde(default)]
    callback_url: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 4000)]
    #[serde(default)]
    intercept_callback_url: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 4000)]
    #[serde(default)]
    out_of_session_callback_url: Patch<String>,
    #[schema(value_type = Option<String>, pattern = "^(IS[0-9a-fA-F]{32})?$")]
    #[serde(default)]
    chat_instance_sid: Patch<String>,
    #[schema(value_type = Option<OnInterceptFailure>)]
    #[serde(default)]
    on_intercept_failure: Patch<OnInterceptFailure>,
}

impl From<ProxyRules> for TwilioProxy {
    fn from(rules: ProxyRules) -> Self {
        Self {
            callback_url: rules.callback_url,
            intercept_callback_url: rules.intercept_callback_url,
            out_of_session_callback_url: rules.out_of_session_callback_url,
            chat_instance_sid: rules.chat_instance_sid,
            on_intercept_failure: OnInterceptFailure(rules.on_intercept_failure),
        }
    }
}

impl ProxySettings {
    fn urls(&self) -> [&Patch<String>; 3] {
        [&self.callback_url, &self.intercept_callback_url, &self.out_of_session_callback_url]
    }

    /// Writes what was named into `rules`.
    pub(super) fn apply(&self, rules: &mut ProxyRules) {
        let default = ProxyRules::default();
        for (patch, to) in self.urls().into_iter().zip(rules.urls_mut()) {
            set(patch, &String::new(), to, String::clone);
        }
        set(&self.chat_instance_sid, &String::new(), &mut rules.chat_instance_sid, String::clone);
        let failure = &mut rules.on_intercept_failure;
        set(&self.on_intercept_failure, &default.on_intercept_failure, failure, |one| one.0);
    }

    /// Addresses that may not be called.
    pub(super) fn check(&self, faults: &mut Faults, egress: &Egress) {
        for (field, patch) in PROXY_URLS.into_iter().zip(self.urls()) {
            if let Patch::Value(url) = patch
                && !url.is_empty()
                && let Err(refused) = egress.accept(url)
            {
                faults.add(format!("/{field}"), "not_allowed", refused.to_string());
            }
        }
    }
}
