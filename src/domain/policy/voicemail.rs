//! Voicemail: what a caller hears whom nobody answers, and what the callee is told of what they said.

use std::time::Duration;

use super::is_said;

const DAY: Duration = Duration::from_hours(24);

/// A service's rules on voicemail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicemailRules {
    /// Whether callers may leave a message where nobody took their call.
    pub on: bool,
    /// Said to the caller first; empty for words of ours. It must say that they are recorded.
    pub greeting: String,
    /// The longest message.
    pub longest: Duration,
    /// Whether whoever missed the call is told by a text, where the session has texts.
    pub text: bool,
    /// How long a message is kept.
    pub kept: Duration,
}

impl Default for VoicemailRules {
    fn default() -> Self {
        Self {
            on: false,
            greeting: String::new(),
            longest: Duration::from_mins(2),
            text: true,
            kept: 7 * DAY,
        }
    }
}

impl VoicemailRules {
    /// Everything that is wrong with them: the field and what is allowed.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let days = self.kept.as_secs() / DAY.as_secs();
        [
            (
                is_said(&self.greeting),
                "voicemail_greeting",
                "must have at most 300 characters, none of control",
            ),
            (
                (10..=300).contains(&self.longest.as_secs()),
                "voicemail_seconds",
                "must be between 10 and 300",
            ),
            ((1..=30).contains(&days), "voicemail_days", "must be between 1 and 30"),
        ]
        .into_iter()
        .filter_map(|(ok, field, allowed)| (!ok).then_some((field, allowed)))
        .collect()
    }

    /// What the caller hears before the tone. Not a word of it depends on who did not answer.
    pub fn greeting(&self, language: &str) -> String {
        if !self.greeting.is_empty() {
            return self.greeting.clone();
        }
        match language.get(..2) {
            Some("fr") => {
                "Personne ne peut répondre pour le moment. Laissez un message après le signal \
                 sonore. Il sera enregistré et transmis. Pour terminer, appuyez sur dièse."
            }
            Some("es") => {
                "Nadie puede atender su llamada en este momento. Deje un mensaje después de la \
                 señal. Se grabará y se entregará. Para terminar, pulse almohadilla."
            }
            Some("de") => {
                "Ihr Anruf kann gerade nicht angenommen werden. Bitte sprechen Sie nach dem Ton. \
                 Ihre Nachricht wird aufgezeichnet und zugestellt. Zum Beenden drücken Sie Raute."
            }
            _ => {
                "Nobody can take your call right now. Please leave a message after the tone. It \
                 will be recorded and passed on. Press pound, or hang up, when you are done."
            }
        }
        .into()
    }
}

/// The text that tells of a message: from whom by their role, how long it is where that is known, and where
/// it can be heard.
pub fn voicemail_text(
    brand: &str,
    language: &str,
    role: Option<&str>,
    length: Option<Duration>,
    address: &str,
) -> String {
    let seconds = length.map(|length| format!("{} s", length.as_secs().max(1)));
    let facts: Vec<&str> = role.into_iter().chain(seconds.as_deref()).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    match language.get(..2) {
        Some("fr") => format!("{brand} : vous avez un nouveau message vocal{facts} : {address}"),
        Some("es") => format!("{brand}: tiene un nuevo mensaje de voz{facts}: {address}"),
        Some("de") => format!("{brand}: Sie haben eine neue Sprachnachricht{facts}: {address}"),
        _ => format!("{brand}: you have a new voice message{facts}: {address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is recorded is told so, in each language; a marketplace's own words stand in their place.
    #[test]
    fn callers_are_told_that_they_are_recorded() {
        let mut rules = VoicemailRules::default();
        assert!(rules.faults().is_empty());
        for (language, word) in [
            ("en-US", "recorded"),
            ("fr-FR", "enregistré"),
            ("es-MX", "grabará"),
            ("de-DE", "aufgezeichnet"),
            ("it-IT", "recorded"),
        ] {
            assert!(rules.greeting(language).contains(word), "{language}");
            assert!(is_said(&rules.greeting(language)), "{language}");
        }
        rules.greeting = "Speak.".into();
        assert_eq!(rules.greeting("fr-FR"), "Speak.");
    }

    /// Each bound is held, and each fault names its field.
    #[test]
    fn bounds_are_held() {
        let rules = VoicemailRules {
            greeting: "x".repeat(301),
            longest: Duration::from_secs(9),
            kept: 31 * DAY,
            ..VoicemailRules::default()
        };
        let fields: Vec<_> = rules.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["voicemail_greeting", "voicemail_seconds", "voicemail_days"]);
    }

    /// The text names a role and a length where those are known, and an address always.
    #[test]
    fn the_text_says_what_is_known() {
        let at = "https://r.example/media/x";
        let twelve = Some(Duration::from_millis(12_400));
        assert_eq!(
            voicemail_text("Bikes", "en-US", Some("buyer"), twelve, at),
            format!("Bikes: you have a new voice message (buyer, 12 s): {at}")
        );
        assert_eq!(
            voicemail_text("Bikes", "fr-FR", None, None, at),
            format!("Bikes : vous avez un nouveau message vocal : {at}")
        );
    }
}
