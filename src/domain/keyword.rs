//! Words that are meant for the relay and not for the other person: a text that is one of them and nothing
//! else. Which they are goes by the country of the proxy number that they are sent to.

use super::message::Body;

/// The longest text that may be such a word, in bytes: no more is looked at.
const BYTES_MAX: usize = 64;

/// What a text asks of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more texts.
    Stop,
    /// Texts again, by a word that may be meant for the other person where nothing was stopped.
    Start,
    /// Texts again, by a word that can't.
    Unstop,
    /// Who is it that writes, and how do I stop it?
    Help,
    /// Nothing more from the other side of this session, and nothing to it.
    Block,
    /// The contrary.
    Unblock,
    /// Somebody should look at what the other side did; and a block.
    Report,
}

/// A language that has words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// English.
    English,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// German.
    German,
    /// Portuguese.
    Portuguese,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
}

use Tongue::{Dutch, English, French, German, Italian, Portuguese, Spanish};

/// Where a text came to: the proxy number.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whether it is under +1: there the words are those of the FCC and of carriers, and stop all texts.
    pub plus_one: bool,
    /// ISO 3166 alpha-2 code, or empty.
    pub country: &'a str,
    /// BCP 47 language of its service, or empty for the country's.
    pub language: &'a str,
}

/// Everywhere.
const STOP: &[&str] = &["STOP", "STOP ALL", "STOPALL"];
/// Under +1: what the FCC counts as a revocation (47 CFR 64.1200, since 2025), what the carriers there
/// read as one, and French for Canada.
const STOP_PLUS_ONE: &[&str] =
    &["QUIT", "END", "REVOKE", "OPT OUT", "OPTOUT", "CANCEL", "UNSUBSCRIBE", "UNSUB", "ARRET"];
const START: &[&str] = &["START"];
const UNSTOP: &[&str] = &["UNSTOP"];
const HELP: &[&str] = &["HELP", "INFO", "AIDE"];

impl Tongue {
    /// The languages of a country whose words are known there beside "stop", the first of which is spoken
    /// to people; English elsewhere.
    fn of_country(country: &str) -> &'static [Self] {
        match country {
            "FR" | "MC" | "SN" | "CI" | "RE" | "GP" | "MQ" | "GF" | "YT" | "PM" | "BL" | "MF"
            | "NC" | "PF" | "WF" => &[French],
            "BE" => &[French, Dutch, German],
            "LU" => &[French, German],
            "CH" => &[German, French, Italian],
            "DE" | "AT" | "LI" => &[German],
            "ES" | "MX" | "AR" | "BO" | "CL" | "CO" | "CR" | "CU" | "EC" | "GT" | "HN" | "NI"
            | "PA" | "PE" | "PY" | "SV" | "UY" | "VE" => &[Spanish],
            "PT" | "BR" | "AO" | "MZ" | "CV" => &[Portuguese],
            "IT" | "SM" | "VA" => &[Italian],
            "NL" | "SR" => &[Dutch],
            _ => &[English],
        }
    }

    /// The language that BCP 47 text names, if it is one of these.
    fn parse(language: &str) -> Option<Self> {
        Some(match language.split('-').next()? {
            "en" => English,
            "fr" => French,
            "es" => Spanish,
            "de" => German,
            "pt" => Portuguese,
            "it" => Italian,
            "nl" => Dutch,
            _ => return None,
        })
    }

    /// In which language somebody is answered who wrote to a number: the service's, else the country's;
    /// English where that is none of these.
    pub fn spoken(place: Place<'_>) -> Self {
        if !place.language.is_empty() {
            return Self::parse(place.language).unwrap_or(English);
        }
        if place.plus_one {
            return English;
        }
        Self::of_country(place.country).first().copied().unwrap_or(English)
    }

    /// Its words that stop texts.
    const fn stop(self) -> &'static [&'static str] {
        match self {
            English => &[],
            French => &["ARRET", "ARRETER", "STOP SMS", "DESABONNER", "DESINSCRIRE"],
            Spanish => &["ALTO", "BAJA", "PARAR"],
            German => &["STOPP", "ABMELDEN"],
            Portuguese => &["SAIR", "PARAR"],
            Italian => &["DISISCRIVI", "CANCELLAMI"],
            Dutch => &["STOPPEN", "AFMELDEN"],
        }
    }

    /// Its words that want texts again.
    const fn start(self) -> &'static [&'static str] {
        match self {
            French => &["DEBUT"],
            Spanish => &["ALTA"],
            English | German | Portuguese | Italian | Dutch => &[],
        }
    }

    const fn block(self) -> &'static [&'static str] {
        match self {
            English => &["BLOCK"],
            French => &["BLOQUER"],
            Spanish | Portuguese => &["BLOQUEAR"],
            German => &["BLOCKIEREN"],
            Italian => &["BLOCCA"],
            Dutch => &["BLOKKEREN"],
        }
    }

    const fn unblock(self) -> &'static [&'static str] {
        match self {
            English => &["UNBLOCK"],
            French => &["DEBLOQUER"],
            Spanish | Portuguese => &["DESBLOQUEAR"],
            German => &["ENTSPERREN"],
            Italian => &["SBLOCCA"],
            Dutch => &["DEBLOKKEREN"],
        }
    }

    const fn report(self) -> &'static [&'static str] {
        match self {
            English => &["REPORT"],
            French => &["SIGNALER"],
            Spanish => &["DENUNCIAR", "REPORTAR"],
            German | Dutch => &["MELDEN"],
            Portuguese => &["DENUNCIAR"],
            Italian => &["SEGNALA"],
        }
    }
}

/// A text without what people put around a word: in capitals, without accents, marks at its ends and
/// doubled blanks; a hyphen is a blank. `None` for one that is too long to be one of the words.
pub fn plain(said: &Body) -> Option<String> {
    let said = said.expose().trim();
    if said.is_empty() || said.len() > BYTES_MAX {
        return None;
    }
    let mut word = String::with_capacity(said.len());
    for c in said.chars().flat_map(char::to_uppercase) {
        match c {
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => {}
            '-' | '_' | '\u{2010}'..='\u{2015}' => word.push(' '),
            c if c.is_whitespace() => word.push(' '),
            c => word.push(unaccented(c)),
        }
    }
    let edge = |c: char| !c.is_alphanumeric();
    let words: Vec<&str> = word.trim_matches(edge).split(' ').filter(|w| !w.is_empty()).collect();
    Some(words.join(" ")).filter(|word| !word.is_empty())
}

/// A capital letter of Latin script without its accent.
const fn unaccented(c: char) -> char {
    match c {
        'À'..='Å' => 'A',
        'Ç' => 'C',
        'È'..='Ë' => 'E',
        'Ì'..='Ï' => 'I',
        'Ñ' => 'N',
        'Ò'..='Ö' => 'O',
        'Ù'..='Ü' => 'U',
        'Ý' => 'Y',
        c => c,
    }
}

impl Keyword {
    /// What a text asks for that is wholly one of the words that stop texts, want them again or ask for
    /// help, at that place. The word is [`plain`].
    pub fn of_texts(word: &str, place: Place<'_>) -> Option<Self> {
        let tongues = if place.plus_one { &[] } else { Tongue::of_country(place.country) };
        let local = |words: fn(Tongue) -> &'static [&'static str]| {
            tongues.iter().any(|tongue| words(*tongue).contains(&word))
        };
        let plus_one = place.plus_one;
        if STOP.contains(&word) || local(Tongue::stop) || plus_one && STOP_PLUS_ONE.contains(&word)
        {
            Some(Self::Stop)
        } else if UNSTOP.contains(&word) {
            Some(Self::Unstop)
        } else if START.contains(&word) || local(Tongue::start) {
            Some(Self::Start)
        } else if plus_one && HELP.contains(&word) {
            Some(Self::Help)
        } else {
            None
        }
    }

    /// The same of the words by which somebody blocks or reports the other side: in English, the
    /// country's languages and the service's.
    pub fn of_contact(word: &str, place: Place<'_>) -> Option<Self> {
        let mut tongues = vec![English];
        tongues.extend(if place.plus_one { &[] } else { Tongue::of_country(place.country) });
        tongues.extend(Tongue::parse(place.language));
        Self::among(word, &tongues)
    }

    /// The same in any of the languages: whether it is worth asking which are known there.
    pub fn may_be_of_contact(word: &str) -> bool {
        let all = [English, French, Spanish, German, Portuguese, Italian, Dutch];
        Self::among(word, &all).is_some()
    }

    fn among(word: &str, tongues: &[Tongue]) -> Option<Self> {
        let is = |words: fn(Tongue) -> &'static [&'static str]| {
            tongues.iter().any(|tongue| words(*tongue).contains(&word))
        };
        if is(Tongue::block) {
            Some(Self::Block)
        } else if is(Tongue::unblock) {
            Some(Self::Unblock)
        } else if is(Tongue::report) {
            Some(Self::Report)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const US: Place<'_> = Place { plus_one: true, country: "US", language: "" };

    fn at(country: &str) -> Place<'_> {
        Place { plus_one: false, country, language: "" }
    }

    fn texts(said: &str, place: Place<'_>) -> Option<Keyword> {
        Keyword::of_texts(&plain(&Body::new(said.into()))?, place)
    }

    fn contact(said: &str, place: Place<'_>) -> Option<Keyword> {
        Keyword::of_contact(&plain(&Body::new(said.into()))?, place)
    }

    /// Under +1 the FCC's list and the carriers' own words stop texts, with any case, accents, blanks and
    /// marks; elsewhere "stop" and the country's, and none of the others'.
    #[test]
    fn words_go_by_country() {
        for said in [
            "STOP",
            "quit",
            "End",
            "revoke",
            "opt out",
            "Opt-Out",
            "optout",
            "cancel",
            "unsubscribe",
            "STOPALL",
            "stop  all",
            " Stop.\n",
            "\u{ab}stop\u{bb}",
            "arr\u{ea}t!",
            "ARRE\u{302}T",
        ] {
            assert_eq!(texts(said, US), Some(Keyword::Stop), "{said}");
        }
        for (country, said) in [
            ("FR", "Arrêt"),
            ("FR", "ARRET !"),
            ("FR", "stop"),
            ("FR", "désinscrire"),
            ("ES", "Alto."),
            ("MX", "baja"),
            ("DE", "Stopp!"),
            ("AT", "abmelden"),
            ("PT", "sair"),
            ("BR", "Parar"),
            ("IT", "disiscrivi"),
            ("NL", "afmelden"),
            ("BE", "Afmelden"),
            ("BE", "arrêt"),
            ("CH", "stopp"),
            ("JP", "stop"),
            ("", "Stop"),
            ("GB", "STOP"),
        ] {
            assert_eq!(texts(said, at(country)), Some(Keyword::Stop), "{country} {said}");
        }
        for (country, said) in [
            ("FR", "cancel"),
            ("FR", "end"),
            ("FR", "alto"),
            ("GB", "quit"),
            ("DE", "baja"),
            ("FR", "help"),
            ("GB", "info"),
            ("JP", "arret"),
            ("FR", "arrête"),
        ] {
            assert_eq!(texts(said, at(country)), None, "{country} {said}");
        }
        for said in ["yes", "baja", "stopp", "please stop", "stop it", "S TOP", "", "...", "🛑"] {
            assert_eq!(texts(said, US), None, "{said}");
        }
        assert_eq!(texts("Help?", US), Some(Keyword::Help));
        assert_eq!(texts("start", at("FR")), Some(Keyword::Start));
        assert_eq!(texts("début", at("FR")), Some(Keyword::Start));
        assert_eq!(texts("unstop", at("NL")), Some(Keyword::Unstop));
    }

    /// Blocking and reporting are known in English, the country's languages and the service's.
    #[test]
    fn contacts_are_blocked_in_several_languages() {
        assert_eq!(contact("block", US), Some(Keyword::Block));
        assert_eq!(contact("Report!", at("FR")), Some(Keyword::Report));
        assert_eq!(contact("signaler", at("FR")), Some(Keyword::Report));
        assert_eq!(contact("débloquer", at("BE")), Some(Keyword::Unblock));
        assert_eq!(contact("melden", at("DE")), Some(Keyword::Report));
        assert_eq!(contact("melden", at("FR")), None);
        let spanish = Place { language: "es-MX", ..US };
        assert_eq!(contact("BLOQUEAR", spanish), Some(Keyword::Block));
        assert_eq!(contact("BLOQUEAR", US), None);
        for said in ["block him", "unblock me", "a report", "blocked"] {
            assert_eq!(contact(said, US), None, "{said}");
        }
        assert!(Keyword::may_be_of_contact("SEGNALA") && !Keyword::may_be_of_contact("STOP"));
    }

    /// People are answered in the service's language, else in the country's.
    #[test]
    fn answers_have_a_language() {
        assert_eq!(Tongue::spoken(at("BR")), Portuguese);
        assert_eq!(Tongue::spoken(at("CH")), German);
        assert_eq!(Tongue::spoken(US), English);
        assert_eq!(Tongue::spoken(Place { language: "fr-CA", ..US }), French);
        assert_eq!(Tongue::spoken(Place { language: "ja", ..at("FR") }), English);
    }

    proptest! {
        /// Whatever stands behind or before a word makes it an ordinary text.
        #[test]
        fn nothing_hides_in_a_sentence(
            word in proptest::sample::select(STOP_PLUS_ONE), more in "[b-df-hj-np-rt-z]{1,8}",
        ) {
            for said in [format!("{word} {more}"), format!("{more} {word}")] {
                prop_assert_eq!(texts(&said, US), None);
            }
        }

        /// Any text at all is read without harm.
        #[test]
        fn anything_is_read(said in "\\PC{0,80}") {
            let _ = (texts(&said, US), contact(&said, at("FR")));
        }
    }
}
