//! Opting out of texts: the words that do so, the words that undo it, and how far it reaches.

use super::message::Body;

closed_set! {
    /// What becomes of the words by which people stop texts.
    StopWords {
        /// They are relayed like any others: stopping is between the person and the carrier.
        Relay = "relay",
        /// They are not relayed, and bind the number that they were sent to and their sender.
        Number = "number",
        /// They are not relayed. Which words and what they stop goes by the country of the number that they
        /// were sent to: under +1 texts from all numbers of the account, elsewhere those of the service.
        Country = "country",
    }
}

closed_set! {
    /// What an opt-out reaches.
    Scope {
        /// One proxy number: its id.
        Number = "number",
        /// All numbers of one service: its id.
        Service = "service",
        /// All numbers of the account: its id.
        Account = "account",
    }
}

closed_set! {
    /// Where an opt-out comes from.
    Source {
        /// The person wrote a word that stops texts.
        Person = "person",
        /// Their carrier refused a text for that reason: they told it, or another relay before us.
        Carrier = "carrier",
        /// They told the marketplace, which said so by API.
        Api = "api",
    }
}

/// What a text asks for that is one of the words and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Texts again, by a word that is not relayed.
    Unstop,
}

/// The words of Twilio Proxy, and the French ones of its carriers.
const WORDS: &[(&str, Keyword)] = &[
    ("STOP", Keyword::Stop),
    ("REVOKE", Keyword::Stop),
    ("OPTOUT", Keyword::Stop),
    ("UNSUBSCRIBE", Keyword::Stop),
    ("END", Keyword::Stop),
    ("CANCEL", Keyword::Stop),
    ("QUIT", Keyword::Stop),
    ("STOPALL", Keyword::Stop),
    ("ARRET", Keyword::Stop),
    ("ARRETT", Keyword::Stop),
    ("ARRETE", Keyword::Stop),
    ("START", Keyword::Start),
    ("YES", Keyword::Start),
    ("DEBUT", Keyword::Start),
    ("UNSTOP", Keyword::Unstop),
];

/// Further ones that carriers read, in other languages: whoever writes one wants no more texts, though
/// Twilio Proxy would relay it.
const WORDS_OF_OTHERS: &[&str] = &[
    "OPT-OUT",
    "ARRÊT",
    "ARRETER",
    "ARRÊTER",
    "DESABONNER",
    "DÉSABONNER",
    "DESINSCRIRE",
    "DÉSINSCRIRE",
    "ALTO",
    "BAJA",
    "PARAR",
    "SAIR",
    "STOPP",
    "ABMELDEN",
];

/// Whether a text asks for no more texts, generously: it begins with "stop", or is one of the words that
/// stop and no other, with any marks around it. Carriers answer such a text themselves, so we do not.
/// [`Keyword::of`] is strict, since what it finds binds a person.
pub fn is_opt_out(body: &Body) -> bool {
    let words = body.expose().to_uppercase();
    let is_edge = |c: char| !c.is_alphanumeric();
    let whole = words.trim_matches(is_edge);
    let first = whole.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
    let stops = |word: &str| WORDS.contains(&(word, Keyword::Stop));
    first.trim_matches(is_edge) == "STOP" || stops(whole) || WORDS_OF_OTHERS.contains(&whole)
}

impl Keyword {
    /// Reads a text that is wholly one of the words, in any case and with blanks around it.
    pub fn of(body: &Body) -> Option<Self> {
        let said = body.expose().trim();
        WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(said)).map(|(_, keyword)| *keyword)
    }

    /// Whether it is relayed all the same: it may be meant for the other person.
    pub const fn is_relayed(self) -> bool {
        matches!(self, Self::Start)
    }

    /// Whether its sender wants no more texts; else they want them again.
    pub const fn opts_out(self) -> bool {
        matches!(self, Self::Stop)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Option<Keyword> {
        Keyword::of(&Body::new(text.to_owned()))
    }

    /// Each word that stops is known in any case, with blanks around it; of those that start again
    /// only "unstop" is not relayed.
    #[test]
    fn whole_words_are_known() {
        let stops = "STOP REVOKE OPTOUT UNSUBSCRIBE END CANCEL QUIT STOPALL ARRET ARRETT ARRETE";
        for word in stops.split(' ') {
            for text in [word.to_owned(), word.to_lowercase(), format!(" {word}\r\n")] {
                assert_eq!(of(&text), Some(Keyword::Stop), "{text}");
            }
        }
        for word in ["Start", "yes", "DEBUT"] {
            assert_eq!(of(word), Some(Keyword::Start));
        }
        assert_eq!(of("\tUnstop "), Some(Keyword::Unstop));
        assert!(Keyword::Start.is_relayed());
        assert!(!Keyword::Stop.is_relayed() && !Keyword::Unstop.is_relayed());
        assert!(Keyword::Stop.opts_out() && !Keyword::Unstop.opts_out());
    }

    /// With anything beside it a word is none, nor are the words for help.
    #[test]
    fn other_texts_are_none() {
        for text in ["", " ", "STOP.", "stop it", "Don't stop", "S TOP", "HELP", "INFO", "arrêt"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    /// "Stop" is known in any case, with marks and blanks around it and words behind it; the other
    /// words only alone.
    #[test]
    fn opting_out_is_known() {
        for text in
            ["STOP", " stop. ", "Stop!", "STOP 36111", "stop\nplease", "arrêt", "End", "\"quit\""]
        {
            assert!(is_opt_out(&Body::new(text.into())), "{text}");
        }
        for text in ["", "?", "Don't stop", "End of the street", "stopping by", "Cancel my ride"] {
            assert!(!is_opt_out(&Body::new(text.into())), "{text}");
        }
    }

    proptest! {
        /// Whatever stands behind or before a word makes it an ordinary text.
        #[test]
        fn nothing_hides_in_a_sentence(place in 0..WORDS.len(), more in "[a-z0-9.!?]{1,8}") {
            let word = WORDS[place].0;
            for text in [format!("{word} {more}"), format!("{more} {word}")] {
                prop_assert_eq!(of(&text), None);
            }
        }
    }
}
