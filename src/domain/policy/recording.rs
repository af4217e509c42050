//! Recording of calls whose people agreed: a service's rules, and what people are asked.

use std::time::Duration;

use super::is_said_in;

const DAY: Duration = Duration::from_hours(24);

/// The longest call of a service that records: what is longer makes a file that is not taken.
pub const RECORDED_CALL_MAX: Duration = Duration::from_hours(1);

closed_set! {
    /// Whether calls are recorded.
    RecordingRule {
        /// Never.
        Off = "off",
        /// Those whose people all agreed by a key.
        Consent = "consent",
    }
}

/// A service's rules on recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRules {
    /// Whether calls are recorded.
    pub rule: RecordingRule,
    /// What for, as people are told it.
    pub purpose: String,
    /// How long a recording is kept.
    pub kept: Duration,
}

impl Default for RecordingRules {
    fn default() -> Self {
        Self { rule: RecordingRule::Off, purpose: String::new(), kept: 30 * DAY }
    }
}

impl RecordingRules {
    /// Whether people are asked at all.
    pub fn asks(&self) -> bool {
        self.rule == RecordingRule::Consent
    }

    /// Everything that is wrong with them: the field and what is allowed.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let days = self.kept.as_secs() / DAY.as_secs();
        [
            (
                is_said_in(&self.purpose, 200),
                "recording_purpose",
                "must have 1 to 200 characters, none of control",
            ),
            ((1..=365).contains(&days), "recording_days", "must be between 1 and 365"),
        ]
        .into_iter()
        .filter_map(|(ok, field, allowed)| (!ok).then_some((field, allowed)))
        .collect()
    }

    /// What is lacking once all settings are together.
    pub(super) fn lacking(&self, call_max: Duration) -> Vec<(&'static str, &'static str)> {
        let mut lacking = Vec::new();
        if self.asks() && self.purpose.trim().is_empty() {
            lacking.push(("recording_purpose", "is needed where recording is consent"));
        }
        if self.asks() && call_max > RECORDED_CALL_MAX {
            lacking.push(("call_max_seconds", "must be at most 3600 where recording is consent"));
        }
        lacking
    }
}

/// What somebody is asked, and which words these are: kept with the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentWords {
    /// What is said.
    pub text: String,
    /// Which version of which words.
    pub wording: &'static str,
}

/// What somebody hears who may agree, and is connected either way. One who is to `accept` the call by a key
/// is asked both at once, by two keys of their own: who presses 1 as ever takes the call, and agrees to
/// nothing.
pub fn consent_words(purpose: &str, language: &str, accept: bool) -> ConsentWords {
    let (agree, both) = match language.get(..2) {
        Some("fr") => (
            format!(
                "Cet appel peut être enregistré, uniquement si vous êtes tous d'accord. But : {purpose}. \
                 Pour accepter l'enregistrement, appuyez sur 1. Sinon, restez en ligne."
            ),
            format!(
                "Pour prendre l'appel sans enregistrement, appuyez sur 1. Pour le prendre et accepter qu'il \
                 soit enregistré, appuyez sur 2. But de l'enregistrement : {purpose}."
            ),
        ),
        Some("es") => (
            format!(
                "Esta llamada puede grabarse, solo si todos están de acuerdo. Finalidad: {purpose}. Para \
                 aceptar la grabación, pulse 1. Si no, permanezca a la espera."
            ),
            format!(
                "Para atender la llamada sin grabación, pulse 1. Para atenderla y aceptar que se grabe, \
                 pulse 2. Finalidad de la grabación: {purpose}."
            ),
        ),
        Some("de") => (
            format!(
                "Dieser Anruf kann aufgezeichnet werden, nur wenn alle zustimmen. Zweck: {purpose}. Um der \
                 Aufzeichnung zuzustimmen, drücken Sie die 1. Andernfalls bleiben Sie einfach am Apparat."
            ),
            format!(
                "Um den Anruf ohne Aufzeichnung anzunehmen, drücken Sie die 1. Um ihn anzunehmen und der \
                 Aufzeichnung zuzustimmen, drücken Sie die 2. Zweck der Aufzeichnung: {purpose}."
            ),
        ),
        _ => (
            format!(
                "This call may be recorded, only if all of you agree. Purpose: {purpose}. To agree to the \
                 recording, press 1. If not, just stay on the line."
            ),
            format!(
                "To take the call without recording, press 1. To take it and agree to it being recorded, \
                 press 2. Purpose of the recording: {purpose}."
            ),
        ),
    };
    if accept {
        ConsentWords { text: both, wording: "accept-or-agree/1" }
    } else {
        ConsentWords { text: agree, wording: "agree/1" }
    }
}

/// What a key says to such a question: whether the call is taken, and whether they agree. Without a key
/// nobody agrees, and only who need not accept is connected.
pub fn consent_key(digits: &str, accept: bool) -> (bool, bool) {
    match (digits, accept) {
        ("1", true) => (true, false),
        ("2", true) | ("1", false) => (true, true),
        (_, true) => (false, false),
        (_, false) => (true, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In each language people hear what for, and the key that agrees.
    #[test]
    fn people_hear_what_for_and_which_key() {
        for language in ["en-GB", "fr-FR", "es-MX", "de-DE", "it-IT"] {
            for (accept, key) in [(false, '1'), (true, '2')] {
                let words = consent_words("disputes on fares", language, accept);
                assert!(words.text.contains("disputes on fares"), "{words:?}");
                assert!(words.text.contains(key), "{words:?}");
            }
        }
    }

    /// Only the one key agrees: silence, another key, or the key that takes a call agree to nothing.
    #[test]
    fn one_key_agrees() {
        for digits in ["", "0", "1", "2", "3", "*", "#", "12", "21", "11"] {
            assert_eq!(consent_key(digits, false), (true, digits == "1"), "{digits}");
            let taken = matches!(digits, "1" | "2");
            assert_eq!(consent_key(digits, true), (taken, digits == "2"), "{digits}");
        }
    }

    /// Each bound is held, and what is needed together is named.
    #[test]
    fn bounds_are_held() {
        let mut rules = RecordingRules::default();
        assert!(rules.faults().is_empty() && rules.lacking(14 * DAY).is_empty());
        rules.rule = RecordingRule::Consent;
        let lacking = |rules: &RecordingRules, most| {
            let lacking = rules.lacking(most).into_iter();
            lacking.map(|(field, _)| field).collect::<Vec<_>>()
        };
        let all = ["recording_purpose", "call_max_seconds"];
        assert_eq!(lacking(&rules, Duration::from_secs(3_601)), all);
        rules.purpose = "fares".into();
        assert!(lacking(&rules, RECORDED_CALL_MAX).is_empty());
        rules.purpose = "x".repeat(201);
        rules.kept = 366 * DAY;
        let faults: Vec<_> = rules.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(faults, ["recording_purpose", "recording_days"]);
    }
}
