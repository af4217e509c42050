//! The first text to somebody who gets a number: who writes, why, from which number, that it is masked, and how
//! to get no more of them.

use super::is_said;

/// A service's rules on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirstTextRules {
    /// Whether people get one.
    pub on: bool,
    /// The marketplace's own words, in which `{brand}`, `{number}` and `{stop}` stand for what they name;
    /// empty for ours.
    pub words: String,
}

/// What may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Brand,
    Number,
    Stop,
}

impl Place {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "brand" => Some(Self::Brand),
            "number" => Some(Self::Number),
            "stop" => Some(Self::Stop),
            _ => None,
        }
    }
}

/// The word that ends texts, in every language that we speak.
const STOP: &str = "STOP";

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Words(&'a str),
    Place(Place),
}

/// The pieces of words of a marketplace's own; `None` where braces hold anything else, or stand alone.
fn pieces(words: &str) -> Option<Vec<Piece<'_>>> {
    let mut all = Vec::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        all.push(Piece::Words(before));
        all.push(Piece::Place(Place::parse(name)?));
        rest = after;
    }
    all.push(Piece::Words(rest));
    let stray = all.iter().any(|piece| matches!(piece, Piece::Words(words) if words.contains('}')));
    (!stray).then_some(all)
}

impl FirstTextRules {
    /// Everything that is wrong with them: the field and what is allowed.
    pub(super) fn faults(&self) -> Option<(&'static str, &'static str)> {
        let ok = is_said(&self.words) && pieces(&self.words).is_some();
        (!ok).then_some((
            "first_text_words",
            "must have at most 300 characters, none of control, and of braces only {brand}, {number} and {stop}",
        ))
    }

    /// Whether the marketplace's own words say how to get no more texts.
    pub(super) fn says_stop(&self) -> bool {
        self.words.is_empty() || self.words.contains("{stop}") || self.words.contains(STOP)
    }

    /// The text to somebody who dials `number` from now on, where `calls` are put through as well.
    pub fn text(&self, brand: &str, language: &str, number: &str, calls: bool) -> String {
        match pieces(&self.words).filter(|_| !self.words.is_empty()) {
            Some(pieces) => pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Words(words) => words,
                    Piece::Place(Place::Brand) => brand,
                    Piece::Place(Place::Number) => number,
                    Piece::Place(Place::Stop) => STOP,
                })
                .collect(),
            None => ours(brand, language, number, calls),
        }
    }
}

/// Letters that texts have in their short form, so that it is one or two parts long.
fn ours(brand: &str, language: &str, number: &str, calls: bool) -> String {
    match language.get(..2) {
        Some("fr") => {
            let way =
                if calls { "Appelez ou écrivez à ce numéro" } else { "Écrivez à ce numéro" };
            format!(
                "{brand} vous met en relation avec un autre membre par le {number}. {way} : aucun de \
                 vous ne voit le numéro de l'autre. Pour ne plus recevoir de SMS, répondez {STOP}."
            )
        }
        Some("es") => {
            let way =
                if calls { "Llame o escriba a este número" } else { "Escriba a este número" };
            format!(
                "{brand} le pone en contacto con otro miembro a través del {number}. {way}: ninguno \
                 de los dos ve el número del otro. Para no recibir otros SMS, responda {STOP}."
            )
        }
        Some("de") => {
            let way = if calls {
                "Rufen Sie dort an oder schreiben Sie"
            } else {
                "Schreiben Sie dorthin"
            };
            format!(
                "{brand} verbindet Sie über {number} mit einem anderen Mitglied. {way}: Keiner von \
                 Ihnen sieht die Nummer des anderen. Wenn Sie keine SMS mehr möchten, antworten Sie {STOP}."
            )
        }
        _ => {
            let way = if calls { "Call or text it" } else { "Text it" };
            format!(
                "{brand} connects you with another member through {number}. {way}: neither of you \
                 sees the other's own number. To get no more texts, reply {STOP}."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "+14155550150";

    fn with(words: &str) -> FirstTextRules {
        FirstTextRules { on: true, words: words.into() }
    }

    /// In every language the text names the brand, the number and the word that stops; and "call" only where
    /// calls are put through.
    #[test]
    fn it_says_who_and_from_where_and_how_to_stop() {
        let mut seen = std::collections::BTreeSet::new();
        for language in ["en-US", "fr-FR", "es-MX", "de-DE", "pt-BR"] {
            for calls in [true, false] {
                let text = with("").text("Bikes", language, NUMBER, calls);
                for word in ["Bikes", NUMBER, "STOP"] {
                    assert!(text.contains(word), "{text}");
                }
                assert!(text.chars().count() <= 306, "it is more than two parts: {text}");
                seen.insert(text);
            }
        }
        assert_eq!(seen.len(), 8, "Portuguese gets English");
    }

    /// Own words stand as they are, with what their braces name; what somebody put into a name is not read
    /// again.
    #[test]
    fn own_words_are_filled_in_once() {
        let rules = with("{brand}: {number}. {stop}? {stop}!");
        assert_eq!(rules.faults(), None);
        let text = rules.text("B{number}", "fr-FR", NUMBER, true);
        assert_eq!(text, "B{number}: +14155550150. STOP? STOP!");
        assert_eq!(with("Hello").text("B", "en", NUMBER, true), "Hello");
    }

    /// Braces hold one of three words or nothing is taken; so with what no text may have.
    #[test]
    fn other_braces_are_refused() {
        for words in [
            "{name}",
            "{",
            "}",
            "{brand",
            "brand}",
            "{}",
            "{ brand }",
            "{Brand}",
            "{{brand}}",
            "{brand}}",
            "a\u{7}",
            "{identifier}",
        ] {
            assert!(with(words).faults().is_some(), "{words:?}");
        }
        assert!(with(&"x".repeat(301)).faults().is_some());
        for words in ["", "x", "{brand}{brand}", "{stop}"] {
            assert_eq!(with(words).faults(), None, "{words}");
        }
    }

    /// Whether people learn how to stop is known of own words too.
    #[test]
    fn silence_on_stopping_is_seen() {
        for (words, says) in [("", true), ("{stop}", true), ("Reply STOP", true), ("Hello", false)]
        {
            assert_eq!(with(words).says_stop(), says, "{words}");
        }
    }
}
