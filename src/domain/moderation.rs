//! What waits for a moderator: reports, and texts in which something was found that their service looks for.

closed_set! {
    /// What sort of thing waits.
    ItemKind {
        /// Somebody reported the other side.
        Report = "report",
        /// Something was found in a text.
        Text = "text",
    }
}

closed_set! {
    /// What became of telling whoever reported that something was decided.
    Notice {
        /// A text is on its way to them.
        Sent = "sent",
        /// Their session is over, on hold or deleted: nothing goes out from its numbers.
        Over = "over",
        /// Their session relays no texts.
        NoTexts = "no_texts",
        /// They want no texts from that number.
        OptedOut = "opted_out",
        /// They are not in the session any more.
        Left = "left",
    }
}

/// What whoever reported is told: that it was decided, and nothing of what, or of whom. Letters that texts have in
/// their short form.
pub fn decided(brand: &str, language: &str) -> String {
    match language.get(..2) {
        Some("fr") => format!(
            "{brand} : nous avons examiné votre signalement et pris une décision. Merci de nous avoir prévenus."
        ),
        Some("es") => format!(
            "{brand}: hemos examinado lo que nos ha comunicado y ya se ha decidido. Gracias por avisarnos."
        ),
        Some("de") => format!(
            "{brand}: Wir haben Ihre Meldung geprüft und darüber entschieden. Danke, dass Sie uns Bescheid gegeben haben."
        ),
        _ => format!(
            "{brand}: we have looked into what you reported, and it is decided. Thank you for telling us."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text names the brand, in four languages, and fits one part or two.
    #[test]
    fn whoever_reported_is_told_in_their_language() {
        let all = ["en-US", "fr-FR", "es-MX", "de-DE", "pt-BR"].map(|one| decided("Bikes", one));
        assert!(all.iter().all(|text| text.starts_with("Bikes") && text.chars().count() <= 160));
        assert_eq!(std::collections::BTreeSet::from(all).len(), 4, "Portuguese gets English");
    }
}
