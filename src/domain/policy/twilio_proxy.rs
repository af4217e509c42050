//! What a service of Twilio Proxy has on top of our rules: its callbacks, and what their silence means.

closed_set! {
    /// What becomes of a call or text while the marketplace can't be asked whether to let it through.
    OnInterceptFailure {
        /// It goes through, as with Twilio.
        Continue = "continue",
        /// It does not.
        Block = "block",
    }
}

/// The longest address that a callback may have, in bytes.
const URL_MAX: usize = 4000;

/// What a service of Twilio Proxy has. Every address may hold a secret; empty ones are not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRules {
    /// Told of each interaction and of each change in it.
    pub callback_url: String,
    /// Asked before a call or text goes through.
    pub intercept_callback_url: String,
    /// Asked what to do with a call or text that belongs to no open session.
    pub out_of_session_callback_url: String,
    /// The chat service that the marketplace named: kept and shown, never used. Empty for none.
    pub chat_instance_sid: String,
    /// What becomes of a call or text while `intercept_callback_url` does not answer.
    pub on_intercept_failure: OnInterceptFailure,
}

impl Default for ProxyRules {
    fn default() -> Self {
        Self {
            callback_url: String::new(),
            intercept_callback_url: String::new(),
            out_of_session_callback_url: String::new(),
            chat_instance_sid: String::new(),
            on_intercept_failure: OnInterceptFailure::Continue,
        }
    }
}

/// The addresses' names among the rules.
pub const URLS: [&str; 3] = [
    "twilio_proxy/callback_url",
    "twilio_proxy/intercept_callback_url",
    "twilio_proxy/out_of_session_callback_url",
];

impl ProxyRules {
    /// The addresses, in the order of [`URLS`].
    pub fn urls(&self) -> [&str; 3] {
        [&self.callback_url, &self.intercept_callback_url, &self.out_of_session_callback_url]
    }

    /// The same, to be changed.
    pub fn urls_mut(&mut self) -> [&mut String; 3] {
        [
            &mut self.callback_url,
            &mut self.intercept_callback_url,
            &mut self.out_of_session_callback_url,
        ]
    }

    /// Everything that is wrong with them: the field and what is allowed. Whether an address may be
    /// called is not judged here.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let long = URLS.into_iter().zip(self.urls()).filter(|(_, url)| url.len() > URL_MAX);
        let mut faults: Vec<_> =
            long.map(|(field, _)| (field, "must have at most 4000 characters")).collect();
        let chat = &self.chat_instance_sid;
        if !chat.is_empty() && !is_chat_sid(chat) {
            faults.push(("twilio_proxy/chat_instance_sid", "must be IS and 32 hex digits"));
        }
        faults
    }
}

fn is_chat_sid(text: &str) -> bool {
    text.strip_prefix("IS")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Too long an address and anything but a chat service's id are faults; empty fields are not.
    #[test]
    fn faults() {
        let mut rules = ProxyRules::default();
        assert!(rules.faults().is_empty());
        rules.intercept_callback_url = format!("https://m.example/{}", "x".repeat(URL_MAX));
        rules.chat_instance_sid = "IS12".into();
        let fields: Vec<_> = rules.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(
            fields,
            ["twilio_proxy/intercept_callback_url", "twilio_proxy/chat_instance_sid"]
        );
        rules.chat_instance_sid = format!("IS{}", "0a".repeat(16));
        assert_eq!(rules.faults().len(), 1);
    }
}
