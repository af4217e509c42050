//! What stands in the place of what was taken out of a text, and what the sender is told.

use std::ops::Range;

use super::ContentKind;

/// The mark where there is no room for words: shorter than twice whatever is found.
const BRIEF: &str = "[…]";

/// The mark in the recipient's language.
pub(super) const fn mark(kind: ContentKind, language: &str) -> &'static str {
    match (tongue(language), kind) {
        (b"fr", ContentKind::Phone) => "[numéro retiré]",
        (b"fr", ContentKind::Email) => "[e-mail retiré]",
        (b"fr", ContentKind::Link) => "[lien retiré]",
        (b"fr", ContentKind::Payment) => "[paiement retiré]",
        (b"es", ContentKind::Phone) => "[número eliminado]",
        (b"es", ContentKind::Email) => "[correo eliminado]",
        (b"es", ContentKind::Link) => "[enlace eliminado]",
        (b"es", ContentKind::Payment) => "[pago eliminado]",
        (b"de", ContentKind::Phone) => "[Nummer entfernt]",
        (b"de", ContentKind::Email) => "[E-Mail entfernt]",
        (b"de", ContentKind::Link) => "[Link entfernt]",
        (b"de", ContentKind::Payment) => "[Zahlungsdaten entfernt]",
        (_, ContentKind::Phone) => "[number removed]",
        (_, ContentKind::Email) => "[e-mail removed]",
        (_, ContentKind::Link) => "[link removed]",
        (_, ContentKind::Payment) => "[payment details removed]",
    }
}

/// The two letters of a language, without its region.
const fn tongue(language: &str) -> &[u8] {
    match language.as_bytes() {
        [a, b, ..] => {
            let _ = (a, b);
            language.as_bytes().split_at(2).0
        }
        _ => b"en",
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
    match (tongue(language), kind) {
        (b"fr", ContentKind::Phone) => "un numéro de téléphone",
        (b"fr", ContentKind::Email) => "une adresse e-mail",
        (b"fr", ContentKind::Link) => "un lien",
        (b"fr", ContentKind::Payment) => "des coordonnées de paiement",
        (b"es", ContentKind::Phone) => "un número de teléfono",
        (b"es", ContentKind::Email) => "una dirección de correo",
        (b"es", ContentKind::Link) => "un enlace",
        (b"es", ContentKind::Payment) => "datos de pago",
        (b"de", ContentKind::Phone) => "eine Telefonnummer",
        (b"de", ContentKind::Email) => "eine E-Mail-Adresse",
        (b"de", ContentKind::Link) => "einen Link",
        (b"de", ContentKind::Payment) => "Zahlungsdaten",
        (_, ContentKind::Phone) => "a phone number",
        (_, ContentKind::Email) => "an e-mail address",
        (_, ContentKind::Link) => "a link",
        (_, ContentKind::Payment) => "payment details",
    }
}

/// What became of a text, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Passed on, and the marketplace knows what is in it.
    Flagged,
    /// Passed on without some of it.
    Redacted,
    /// Not passed on.
    Blocked,
}

/// What a sender is told: what became of their text, why, and the marketplace's own words behind it.
pub fn told(brand: &str, language: &str, fate: Fate, kinds: &[ContentKind], notice: &str) -> String {
    let list = kinds.iter().map(|kind| named(*kind, language)).collect::<Vec<_>>().join(", ");
    let said = match (tongue(language), fate) {
        (b"fr", Fate::Blocked) => {
            format!("{brand} : votre message n'a pas été transmis, car il contient {list}.")
        }
        (b"fr", Fate::Redacted) => {
            format!("{brand} : votre message a été transmis sans une partie de son contenu : {list}.")
        }
        (b"fr", Fate::Flagged) => {
            format!("{brand} : votre message a été transmis et signalé, car il contient {list}.")
        }
        (b"es", Fate::Blocked) => {
            format!("{brand}: su mensaje no se ha entregado porque contiene {list}.")
        }
        (b"es", Fate::Redacted) => {
            format!("{brand}: su mensaje se ha entregado sin una parte de su contenido: {list}.")
        }
        (b"es", Fate::Flagged) => {
            format!("{brand}: su mensaje se ha entregado y señalado porque contiene {list}.")
        }
        (b"de", Fate::Blocked) => {
            format!("{brand}: Ihre Nachricht wurde nicht zugestellt, denn sie enthält {list}.")
        }
        (b"de", Fate::Redacted) => {
            format!("{brand}: Ihre Nachricht wurde ohne einen Teil zugestellt: {list}.")
        }
        (b"de", Fate::Flagged) => {
            format!("{brand}: Ihre Nachricht wurde zugestellt und gemeldet, denn sie enthält {list}.")
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
        for (language, word) in
            [("en-US", "phone number"), ("fr-FR", "téléphone"), ("es-MX", "teléfono"), ("de", "Telefon")]
        {
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
        assert_eq!(masked(text, &part, "en-GB", 1600), "[number removed] is the number of the shop");
        assert_eq!(masked(text, &part, "en-GB", 20), "[…] is the number of the shop");
    }
}
