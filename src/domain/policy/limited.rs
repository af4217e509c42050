//! Limits of a service: what may be set, and what people hear and read who come to one.

use crate::domain::abuse::Limits;

/// What is wrong with a service's limits: the field and what is allowed.
pub(super) fn faults(limits: &Limits) -> Vec<(&'static str, &'static str)> {
    limits
        .iter()
        .filter(|(limit, most)| !limit.of_services() || *most > limit.most())
        .map(|_| ("limits", "must be limits of services, each within its bound (docs/abuse.md)"))
        .take(1)
        .collect()
}

/// What a caller hears who is not put through for now: it tells nothing of anybody.
pub fn busy_words(language: &str) -> &'static str {
    match language.get(..2) {
        Some("fr") => "La ligne est occupée. Veuillez rappeler plus tard.",
        Some("es") => "La línea está ocupada. Inténtelo más tarde.",
        Some("de") => "Die Leitung ist besetzt. Bitte versuchen Sie es später erneut.",
        _ => "The line is busy. Please try again later.",
    }
}

/// Sent to somebody whose texts are more than their limit.
pub fn limited_words(brand: &str, language: &str) -> String {
    match language.get(..2) {
        Some("fr") => format!(
            "{brand} : trop de messages en peu de temps. Le dernier n'a pas été transmis ; réessayez \
             plus tard."
        ),
        Some("es") => format!(
            "{brand}: demasiados mensajes en poco tiempo. El último no se ha enviado; inténtelo más \
             tarde."
        ),
        Some("de") => format!(
            "{brand}: zu viele Nachrichten in kurzer Zeit. Die letzte wurde nicht zugestellt, bitte \
             versuchen Sie es später erneut."
        ),
        _ => format!(
            "{brand}: too many messages in a short time. The last one was not delivered; please try \
             again later."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::abuse::Limit;

    /// A service sets its own limits and not the installation's.
    #[test]
    fn services_set_their_own() {
        let mut limits = Limits::default();
        limits.set(Limit::PairTexts, 9);
        assert!(faults(&limits).is_empty());
        limits.set(Limit::PairTexts, u32::MAX);
        assert_eq!(faults(&limits).len(), 1);
        let mut limits = Limits::default();
        limits.set(Limit::PrefixTexts, 9);
        assert_eq!(faults(&limits).len(), 1);
    }

    /// Each language has its words.
    #[test]
    fn words_in_each_language() {
        let mut said: Vec<_> = ["fr-FR", "es-MX", "de-DE", "en-GB"].map(busy_words).into();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), 4);
        for language in ["fr-FR", "es-MX", "de-DE", "en-GB"] {
            assert!(limited_words("Bikes", language).starts_with("Bikes"));
        }
    }
}
