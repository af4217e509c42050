//! A service's rules: what an account may set, its defaults and its bounds.

mod assurance;
mod changed;
mod content;
mod first_text;
mod keywords;
mod limited;
mod order_url;
mod recording;
mod twilio_proxy;
mod verified;
mod voicemail;

use std::time::Duration;

use super::{
    abuse::{Bounds, Countries, Limits, Unreachable},
    assurance::AssuranceRules,
    opt_out::StopWords,
    phone::{Identifier, Strictness},
    retention::RetentionRules,
    sender::SenderId,
};
pub use assurance::{pin_help, pin_wanted};
pub use content::ContentRules;
pub use first_text::FirstTextRules;
pub use keywords::{Heeded, heeded_words};
pub use limited::{busy_words, limited_words};
pub use order_url::OrderUrl;
pub use recording::{
    ConsentWords, RECORDED_CALL_MAX, RecordingRule, RecordingRules, consent_key, consent_words,
};
pub use twilio_proxy::{OnInterceptFailure, ProxyRules, URLS as PROXY_URLS};
pub use verified::VerifiedRules;
pub use voicemail::{VoicemailRules, voicemail_text};

const DAY: Duration = Duration::from_hours(24);

/// Below this a late call or text of the last session may reach a stranger: carriers hold texts for
/// up to 72 hours (AWS End User Messaging, `TimeToLive`).
pub const QUARANTINE_ADVISED: Duration = Duration::from_hours(72);

closed_set! {
    /// How near to a person's own number the proxy number must be.
    GeoMatch {
        /// Any number of the pool.
        Any = "any",
        /// The same country.
        Country = "country",
        /// The same area code, where the plan has them (+1); the same country elsewhere.
        AreaCode = "area-code",
        /// The same area code or one that overlays it; the same country elsewhere.
        Overlay = "overlay",
        /// An area code close by; the same country elsewhere.
        Radius = "radius",
        /// The same area code, one that overlays it or one close by; the same country elsewhere.
        ExtendedAreaCode = "extended-area-code",
    }
}

closed_set! {
    /// Which number a person gets for counterparts that they had before.
    Selection {
        /// The one that they had then, if it is free.
        PreferSticky = "prefer-sticky",
        /// Another one, as long as there is another.
        AvoidSticky = "avoid-sticky",
    }
}

closed_set! {
    /// In which order the members of a team are rung.
    TeamRing {
        /// All at once; the first who answers is connected.
        All = "all",
        /// One after the other, in the order in which they were added.
        InOrder = "in-order",
    }
}

closed_set! {
    /// What somebody hears who calls where no session is.
    OutOfSession {
        /// The brand's neutral words.
        Announce = "announce",
        /// A tone, unanswered: costs nothing.
        Reject = "reject",
        /// The marketplace's own line rings.
        Forward = "forward",
        /// The marketplace is asked.
        Callback = "callback",
    }
}

closed_set! {
    /// Which pictures and files of texts are passed on.
    MediaRule {
        /// None.
        None = "none",
        /// Pictures: they are made anew, and keep nothing but their pixels.
        Images = "images",
        /// Also sound, film and documents, whose hidden notes on people and places stay in.
        Files = "files",
    }
}

/// A service's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The marketplace's name, as callers hear it: 1 to 60 characters.
    pub brand: String,
    /// BCP 47 language of what is said; empty for the language of the dialled number's country.
    pub language: String,
    /// How long a session lives after its last interaction; zero for ever.
    pub default_ttl: Duration,
    /// How long nobody else gets a person's number after a session.
    pub quarantine: Duration,
    /// How near a proxy number must be.
    pub geo_match: GeoMatch,
    /// Whether a pool that has nothing near gives a number of the same country instead.
    pub geo_fallback: bool,
    /// Which number a pair gets again.
    pub selection: Selection,
    /// How many people a session may have.
    pub participants_max: u32,
    /// How long a phone rings.
    pub ring_timeout: Duration,
    /// The longest call.
    pub call_max: Duration,
    /// Said to the caller before the other phone rings. Empty for nothing, so that callers hear
    /// true ringing and unanswered calls cost nothing.
    pub caller_announcement: String,
    /// Said to whoever answers, before the two are connected. Empty for nothing.
    pub callee_whisper: String,
    /// Whether whoever answers must press 1: keeps callers out of voicemail.
    pub press_one: bool,
    /// In which order a team is rung.
    pub team_ring: TeamRing,
    /// What a caller without a session hears.
    pub out_of_session: OutOfSession,
    /// Said instead of the neutral words; empty for those.
    pub out_of_session_announcement: String,
    /// The marketplace's own line, such as its support: whom [`OutOfSession::Forward`] rings.
    pub out_of_session_number: Option<Identifier>,
    /// Sent back to whoever texts where no session is, once a day; empty for nothing.
    pub out_of_session_text: String,
    /// Where [`OutOfSession::Callback`] asks; empty for nowhere. May hold a secret.
    pub out_of_session_url: String,
    /// Sent to the callee of a missed call, through the mask; empty for none.
    pub missed_call_text: String,
    /// What becomes of a call that nobody took.
    pub voicemail: VoicemailRules,
    /// Whether calls are recorded, and what for.
    pub recording: RecordingRules,
    /// How sure we must be that a person's number exists.
    pub identifier_check: Strictness,
    /// Whether what people write is kept, sealed, with the interaction.
    pub keep_texts: bool,
    /// What becomes of the words by which people stop texts.
    pub stop_words: StopWords,
    /// Sent to whoever asks for help under +1, where [`StopWords::Country`] reads such words; empty for words
    /// of ours.
    pub help_text: String,
    /// Whether people may block and report the other side by a text.
    pub block_words: bool,
    /// Which pictures and files are passed on.
    pub media: MediaRule,
    /// Whether contact cards are: they hold numbers.
    pub vcards: bool,
    /// Whether people are told by a text that they dial another number from now on.
    pub tell_of_moves: bool,
    /// Whether whoever gets a number is told of it by a text, and in which words.
    pub first_text: FirstTextRules,
    /// What becomes of telephone numbers, addresses, links and payment handles in texts.
    pub content: ContentRules,
    /// Whether people must have shown that their number is theirs.
    pub verified: VerifiedRules,
    /// The name under which codes are texted, where country and carrier take names; `None` for a proxy number.
    pub sender_id: Option<SenderId>,
    /// Where support finds the order behind a session; `None` for nowhere.
    pub order_url: Option<OrderUrl>,
    /// What is kept for a shorter time than the operator keeps it.
    pub retention: RetentionRules,
    /// Which countries' numbers may join its sessions and be reached.
    pub countries: Countries,
    /// Limits that are lower than the installation's.
    pub limits: Limits,
    /// Whether whoever wrote too much is told so, once an hour.
    pub tell_limits: bool,
    /// How sure we must be of who calls.
    pub assurance: AssuranceRules,
    /// What a service of Twilio Proxy has on top.
    pub proxy: ProxyRules,
}

impl Rules {
    /// The rules of a new service.
    pub fn new(brand: String) -> Self {
        Self {
            brand,
            language: String::new(),
            default_ttl: 30 * DAY,
            quarantine: 7 * DAY,
            geo_match: GeoMatch::Country,
            geo_fallback: true,
            selection: Selection::PreferSticky,
            participants_max: 2,
            ring_timeout: Duration::from_secs(20),
            call_max: Duration::from_mins(30),
            caller_announcement: String::new(),
            callee_whisper: String::new(),
            press_one: false,
            team_ring: TeamRing::All,
            out_of_session: OutOfSession::Announce,
            out_of_session_announcement: String::new(),
            out_of_session_number: None,
            out_of_session_text: String::new(),
            out_of_session_url: String::new(),
            missed_call_text: String::new(),
            voicemail: VoicemailRules::default(),
            recording: RecordingRules::default(),
            identifier_check: Strictness::Possible,
            keep_texts: false,
            stop_words: StopWords::Country,
            help_text: String::new(),
            block_words: true,
            media: MediaRule::Images,
            vcards: false,
            tell_of_moves: false,
            first_text: FirstTextRules::default(),
            content: ContentRules::default(),
            verified: VerifiedRules::default(),
            sender_id: None,
            order_url: None,
            retention: RetentionRules::default(),
            countries: Countries::default(),
            limits: Limits::default(),
            tell_limits: false,
            assurance: AssuranceRules::default(),
            proxy: ProxyRules::default(),
        }
    }

    /// The rules of a new service that is made as Twilio Proxy makes one: its sessions live for ever,
    /// numbers must exist, interactions tell what was written, words that stop texts bind the number that
    /// they were sent to, and no others are read. Quarantine stays on.
    pub fn of_twilio_proxy(brand: String) -> Self {
        Self {
            default_ttl: Duration::ZERO,
            identifier_check: Strictness::Valid,
            keep_texts: true,
            stop_words: StopWords::Number,
            block_words: false,
            ..Self::new(brand)
        }
    }

    /// Everything that is wrong with them: the field and what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, field, allowed| {
            if !ok {
                faults.push((field, allowed));
            }
        };
        check(
            !self.brand.trim().is_empty() && is_said_in(&self.brand, 60),
            "brand",
            "must have 1 to 60 characters and no control characters",
        );
        check(
            self.language.is_empty() || is_language(&self.language),
            "language",
            "must be a BCP 47 language such as en or fr-FR",
        );
        check(self.default_ttl <= 3650 * DAY, "default_ttl_seconds", "must be at most 10 years");
        check(self.quarantine <= 3650 * DAY, "quarantine_seconds", "must be at most 10 years");
        check(
            (2..=20).contains(&self.participants_max),
            "participants_max",
            "must be between 2 and 20",
        );
        check(
            (5..=600).contains(&self.ring_timeout.as_secs()),
            "ring_timeout_seconds",
            "must be between 5 and 600",
        );
        check(
            (60..=14_400).contains(&self.call_max.as_secs()),
            "call_max_seconds",
            "must be between 60 and 14400",
        );
        for (field, text) in [
            ("caller_announcement", &self.caller_announcement),
            ("callee_whisper", &self.callee_whisper),
            ("out_of_session_announcement", &self.out_of_session_announcement),
            ("out_of_session_text", &self.out_of_session_text),
            ("missed_call_text", &self.missed_call_text),
            ("help_text", &self.help_text),
        ] {
            check(is_said(text), field, "must have at most 300 characters, none of control");
        }
        faults.extend(self.voicemail.faults());
        faults.extend(self.first_text.faults());
        faults.extend(self.recording.faults());
        faults.extend(self.content.faults());
        faults.extend(self.verified.faults());
        faults.extend(self.retention.faults());
        faults.extend(limited::faults(&self.limits));
        faults.extend(self.proxy.faults());
        faults
    }

    /// Why the service's own line can't be rung: it goes through the gate that people's numbers do.
    pub fn line_fault(&self, bounds: &Bounds) -> Option<Unreachable> {
        let line = self.out_of_session_number.as_ref()?;
        bounds.reaches(&self.countries, line, Strictness::Possible).err()
    }

    /// What is lacking once all settings are together: the field and why it is needed. A change
    /// that names a few of them can't be judged by it.
    pub fn lacking(&self) -> Vec<(&'static str, &'static str)> {
        let mut lacking = self.content.lacking();
        if self.assurance.asks_pins() && !self.proxy.intercept_callback_url.is_empty() {
            // Whoever proves themselves by a PIN is not asked about: the callback would be gone round.
            let why = "must be empty where callers are asked for PINs";
            lacking.push(("twilio_proxy/intercept_callback_url", why));
        }
        lacking.extend(self.recording.lacking(self.call_max));
        match self.out_of_session {
            OutOfSession::Forward if self.out_of_session_number.is_none() => {
                let why = "is needed where out_of_session is forward";
                lacking.push(("out_of_session_number", why));
            }
            OutOfSession::Callback if self.out_of_session_url.is_empty() => {
                lacking.push(("out_of_session_url", "is needed where out_of_session is callback"));
            }
            _ => {}
        }
        lacking
    }

    /// What deserves a warning though it is allowed.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.quarantine < QUARANTINE_ADVISED {
            warnings.push(Warning {
                words: "quarantine_seconds is under 72 hours: a late text or call of a closed session may \
                        reach the next person who gets the number",
                fix: "set quarantine_seconds to 259200 or more",
            });
        }
        if self.first_text.on && !self.first_text.says_stop() {
            warnings.push(Warning {
                words: "first_text_words do not say how to get no more texts",
                fix: "put {stop} into first_text_words",
            });
        }
        if self.first_text.on && self.stop_words == StopWords::Relay {
            warnings.push(Warning {
                words: "first_text says that STOP ends texts, and stop_words is relay: whether it does is up \
                        to the carrier",
                fix: "set stop_words to number",
            });
        }
        warnings
    }
}

/// What is allowed, and unwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// What it is, and what may come of it.
    pub words: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

fn is_said_in(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// Whether words may be said or sent for a marketplace: 300 characters at most, none of control.
pub fn is_said(text: &str) -> bool {
    is_said_in(text, 300)
}

/// Whether this has the form of a BCP 47 language, such as `fr-FR`.
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    parts
        .next()
        .is_some_and(|p| matches!(p.len(), 2 | 3) && p.bytes().all(|b| b.is_ascii_lowercase()))
        && parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The language of what is said: the service's, else that of the dialled number's country, else
/// English.
pub fn language<'a>(rules: &'a Rules, country: &str) -> &'a str {
    if !rules.language.is_empty() {
        return &rules.language;
    }
    match country {
        "FR" | "BE" | "LU" | "MC" | "SN" | "CI" | "RE" | "GP" | "MQ" | "GF" => "fr-FR",
        "ES" => "es-ES",
        "MX" | "AR" | "CO" | "CL" | "PE" | "EC" | "UY" | "VE" => "es-MX",
        "DE" | "AT" | "CH" => "de-DE",
        "GB" | "IE" => "en-GB",
        _ => "en-US",
    }
}

/// What somebody hears who calls where no session is: the same for every cause.
pub fn neutral_words(rules: &Rules, language: &str) -> String {
    if !rules.out_of_session_announcement.is_empty() {
        return rules.out_of_session_announcement.clone();
    }
    let brand = &rules.brand;
    match language.get(..2) {
        Some("fr") => format!(
            "Ce numéro met en relation les membres de {brand}. Ouvrez {brand} pour les contacter."
        ),
        Some("es") => format!(
            "Este número conecta a los miembros de {brand}. Abra {brand} para ponerse en contacto."
        ),
        Some("de") => format!(
            "Diese Nummer verbindet Mitglieder von {brand}. Bitte öffnen Sie {brand}, um Kontakt \
             aufzunehmen."
        ),
        _ => {
            format!("This number connects members of {brand}. Please open {brand} to get in touch.")
        }
    }
}

/// What every caller hears while the relay can't be reached at all.
pub fn fallback_words(brand: Option<&str>, language: &str) -> String {
    let brand = brand.map(str::trim).filter(|brand| !brand.is_empty());
    match (language.get(..2), brand) {
        (Some("fr"), Some(brand)) => {
            format!(
                "{brand} ne peut pas transmettre d'appels en ce moment. Veuillez réessayer plus tard."
            )
        }
        (Some("fr"), None) => {
            "Votre appel ne peut pas être transmis en ce moment. Veuillez réessayer plus tard."
                .into()
        }
        (Some("es"), Some(brand)) => {
            format!("{brand} no puede transmitir llamadas en este momento. Inténtelo más tarde.")
        }
        (Some("es"), None) => {
            "Su llamada no puede transmitirse en este momento. Inténtelo más tarde.".into()
        }
        (Some("de"), Some(brand)) => {
            format!(
                "{brand} kann gerade keine Anrufe vermitteln. Bitte versuchen Sie es später erneut."
            )
        }
        (Some("de"), None) => {
            "Ihr Anruf kann gerade nicht vermittelt werden. Bitte versuchen Sie es später erneut."
                .into()
        }
        (_, Some(brand)) => {
            format!("{brand} can't put calls through at the moment. Please try again later.")
        }
        (_, None) => "Your call can't be put through at the moment. Please try again later.".into(),
    }
}

/// Sent to somebody who is to call and text `to` from now on, instead of `from`.
pub fn moved_words(rules: &Rules, language: &str, [from, to]: [&str; 2]) -> String {
    let brand = &rules.brand;
    match language.get(..2) {
        Some("fr") => format!(
            "{brand} : pour joindre votre contact, appelez désormais le {to} ou écrivez-lui à ce \
             numéro. Il remplace le {from}."
        ),
        Some("es") => format!(
            "{brand}: a partir de ahora, llame o escriba a su contacto al {to}. Este número \
             sustituye al {from}."
        ),
        Some("de") => format!(
            "{brand}: Ihren Kontakt erreichen Sie ab jetzt unter {to}, per Anruf oder SMS. Diese \
             Nummer ersetzt {from}."
        ),
        _ => {
            format!("{brand}: from now on, call or text your contact on {to}. It replaces {from}.")
        }
    }
}

/// Asked of whoever answers where `press_one` is set.
pub fn press_one_words(language: &str) -> &'static str {
    match language.get(..2) {
        Some("fr") => "Appuyez sur 1 pour accepter l'appel.",
        Some("es") => "Pulse 1 para aceptar la llamada.",
        Some("de") => "Drücken Sie die 1, um den Anruf anzunehmen.",
        _ => "Press 1 to accept the call.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults are allowed and warn of nothing.
    #[test]
    fn defaults_are_sound() {
        let rules = Rules::new("Market".into());
        assert!(rules.faults().is_empty());
        assert!(rules.warnings().is_empty());
    }

    /// All faults come at once, each with its field.
    #[test]
    fn all_faults_at_once() {
        let mut rules = Rules::new(String::new());
        rules.language = "English".into();
        rules.participants_max = 1;
        rules.ring_timeout = Duration::ZERO;
        rules.callee_whisper = "a\u{7}".into();
        let fields: Vec<_> = rules.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(
            fields,
            ["brand", "language", "participants_max", "ring_timeout_seconds", "callee_whisper"]
        );
    }

    /// The words for an outage name the brand if there is one, in each language that we speak.
    #[test]
    fn outages_have_words() {
        for language in ["fr-FR", "es-MX", "de-DE", "en-GB", "pt-BR"] {
            let named = fallback_words(Some("Bikes"), language);
            let plain = fallback_words(Some(" "), language);
            assert!(named.contains("Bikes"), "{named}");
            assert_eq!(plain, fallback_words(None, language));
            assert_ne!(plain, named);
            assert!(
                language.starts_with("en") || language.starts_with("pt") || !named.contains("call")
            );
        }
    }

    /// A line that earns its owner money is refused, and one that is rung must be named.
    #[test]
    fn a_line_is_gated_and_named() {
        let mut rules = Rules::new("Market".into());
        rules.out_of_session = OutOfSession::Forward;
        assert!(rules.faults().is_empty());
        assert_eq!(rules.lacking().first().map(|one| one.0), Some("out_of_session_number"));
        for (number, ok) in
            [("+33639980001", true), ("+19005550100", false), ("+19115550100", false)]
        {
            rules.out_of_session_number = Some(Identifier::parse(number).unwrap());
            assert_eq!(rules.line_fault(&Bounds::default()).is_none(), ok);
            assert!(rules.lacking().is_empty());
        }
    }

    /// A quarantine under 72 hours is allowed, and warned of.
    #[test]
    fn a_short_quarantine_is_warned_of() {
        let mut rules = Rules::new("Market".into());
        rules.quarantine = Duration::from_mins(1);
        assert!(rules.faults().is_empty());
        assert_eq!(rules.warnings().len(), 1);
    }
}
