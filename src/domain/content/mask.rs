//! What stands in the place of what was taken out of a text, and what the sender is told.

use std::ops::Range;

use super::ContentKind;

/// The mark where there is no room for words: shorter than twice whatever is found.
const BRIEF: &str = "[…]";

/// The mark in the recipient's language.
pub(super) const fn mark(kind: ContentKind, language: &str) -> &'static str {
    match (language.as_bytes(), kind) {
        ([b'f', b'r', ..], ContentKind::Phone) => "[numéro retiré]",
        ([b'f', b'r', ..], ContentKind::Email) => "[e-mail retiré]",
        ([b'f', b'r', ..], ContentKind::Link) => "[lien retiré]",
        ([b'f', b'r', ..], ContentKind::Payment) => "[paiement retiré]",
        ([b'e', b's', ..], ContentKind::Phone) => "[número eliminado]",
        ([b'e', b's', ..], ContentKind::Email) => "[correo eliminado]",
        ([b'e', b's', ..], ContentKind::Link) => "[enlace eliminado]",
        ([b'e', b's', ..], ContentKind::Payment) => "[pago eliminado]",
        ([b'd', b'e', ..], ContentKind::Phone) => "[Nummer entfernt]",
        ([b'd', b'e', ..], ContentKind::Email) => "[E-Mail entfernt]",
        ([b'd', b'e', ..], ContentKind::Link) => "[Link entfernt]",
        ([b'd', b'e', ..], ContentKind::Payment) => "[Zahlungsdaten entfernt]",
        (_, ContentKind::Phone) => "[number removed]",
        (_, ContentKind::Email) => "[e-mail removed]",
        (_, ContentKind::Link) => "[link removed]",
        (_, ContentKind::Payment) => "[payment details removed]",
    }
}

/// The text with a mark in the place of each of these parts, which are apart and in order. Never
/// longer than twice the text, nor than `most` characters if the text is not: then the marks are brief.
pub(super) fn masked(
    text: &str,
    parts: &[(Range<usize>, ContentKind)],
    language: &str,
    most: usize,
) -> String {
    let write = |mark: &dyn Fn(ContentKind) -> &'static str| {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (part, kind) in parts {
            out.push_str(&text[from..part.start]);
            out.push_str(mark(*kind));
            from = part.end;
        }
        out.push_str(&text[from..]);
        out
    };
    let chars = |text: &str| text.chars().count();
    let full = write(&|kind| mark(kind, language));
    let fits = full.len() <= 2 * text.len()
        && chars(&full) <= 2 * chars(text)
        && chars(&full) <= most.max(chars(text));
    if fits { full } else { write(&|_| BRIEF) }
}

/// How the kinds are named to whoever wrote.
const fn named(kind: ContentKind, language: &str) -> &'static str {
    match (language.as_bytes(), kind) {
        ([b'f', b'r', ..], ContentKind::Phone) => "un numéro de téléphone",
        ([b'f', b'r', ..], ContentKind::Email) => "une adresse e-mail",
        ([b'f', b'r', ..], ContentKind::Link) => "un lien",
        ([b'f', b'r', ..], ContentKind::Payment) => "des coordonnées de paiement",
        ([b'e', b's', ..], ContentKind::Phone) => "un número de teléfono",
        ([b'e', b's', ..], ContentKind::Email) => "una dirección de correo",
        ([b'e', b's', ..], ContentKind::Link) => "un enlace",
        ([b'e', b's', ..], ContentKind::Payment) => "datos de pago",
        ([b'd', b'e', ..], ContentKind::Phone) => "eine Telefonnummer",
        ([b'd', b'e', ..], ContentKind::Email) => "eine E-Mail-Adresse",
        ([b'd', b'e', ..], ContentKind::Link) => "einen Link",
        ([b'd', b'e', ..], ContentKind::Payment) => "Zahlungsdaten",
        (_, ContentKind::Phone) => "a phone number",
        (_, ContentKind::Email) => "an e-mail address",
        (_, ContentKind::Link) => "a link",
        (_, ContentKind::Payment) => "payment details",
    }
}

closed_set! {
    /// What became of a text in which something was found.
    Fate {
        /// Passed on as it was; the marketplace is told.
        Flagged = "flagged",
        /// Passed on without some of it.
        Redacted = "redacted",
        /// Not passed on.
        Blocked = "blocked",
    }
}

/// What a sender is told: what became of their text, why, and the marketplace's own words behind it.
pub fn told(
    brand: &str,
    language: &str,
    fate: Fate,
    kinds: &[ContentKind],
    notice: &str,
) -> String {
    let list = kinds.iter().map(|kind| named(*kind, language)).collect::<Vec<_>>().join(", ");
    let said = match (language.as_bytes(), fate) {
        ([b'f', b'r', ..], Fate::Blocked) => {
            format!("{brand} : votre message n'a pas été transmis, car il contient {list}.")
        }
        ([b'f', b'r', ..], Fate::Redacted) => {
            format!(
                "{brand} : votre message a été transmis sans une partie de son contenu : {list}."
            )
        }
        ([b'f', b'r', ..], Fate::Flagged) => {
            format!("{brand} : votre message a été transmis et signalé, car il contient {list}.")
        }
        ([b'e', b's', ..], Fate::Blocked) => {
            format!("{brand}: su mensaje no se ha entregado porque contiene {list}.")
        }
        ([b'e', b's', ..], Fate::Redacted) => {
            format!("{brand}: su mensaje se ha entregado sin una parte de su contenido: {list}.")
        }
        ([b'e', b's', ..], Fate::Flagged) => {
            format!("{brand}: su mensaje se ha entregado y señalado porque contiene {list}.")
        }
        ([b'd', b'e', ..], Fate::Blocked) => {
            format!("{brand}: Ihre Nachricht wurde nicht zugestellt, denn sie enthält {list}.")
        }
        ([b'd', b'e', ..], Fate::Redacted) => {
            format!("{brand}: Ihre Nachricht wurde ohne einen Teil zugestellt: {list}.")
        }
        ([b'd', b'e', ..], Fate::Flagged) => {
            format!(
                "{brand}: Ihre Nachricht wurde zugestellt und gemeldet, denn sie enthält {list}."
            )
        }
        (_, Fate::Blocked) => {
            format!("{brand}: your message was not delivered, since it contains {list}.")
        }
        (_, Fate::Redacted) => {
            format!("{brand}: your message was delivered without part of what it contains: {list}.")
        }
        (_, Fate::Flagged) => {
            format!("{brand}: your message was delivered and reported, since it contains {list}.")
        }
    };
    format!("{said} {notice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In each language the sender is told the kind, and the marketplace's words follow.
    #[test]
    fn senders_are_told() {
        for (language, word) in [
            ("en-US", "phone number"),
            ("fr-FR", "téléphone"),
            ("es-MX", "teléfono"),
            ("de", "Telefon"),
        ] {
            for fate in [Fate::Flagged, Fate::Redacted, Fate::Blocked] {
                let said = told("Bikes", language, fate, &[ContentKind::Phone], "See the rules.");
                assert!(said.contains(word) && said.ends_with(". See the rules."), "{said}");
            }
        }
    }

    /// Where words would make it too long the marks are brief.
    #[test]
    fn marks_fit() {
        let part = [(0..7, ContentKind::Phone)];
        assert_eq!(masked("5550100", &part, "en", 1600), "[…]");
        let text = "5550100 is the number of the shop";
        assert_eq!(
            masked(text, &part, "en-GB", 1600),
            "[number removed] is the number of the shop"
        );
        assert_eq!(masked(text, &part, "en-GB", 20), "[…] is the number of the shop");
    }
}
