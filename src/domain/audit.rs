//! The audit log's words: who did what to what, and why. Names and ids, never a number or a secret.

use std::fmt;

closed_set! {
    /// What sort of actor did something.
    ActorKind {
        /// An API key.
        ApiKey = "api_key",
        /// An account's own auth token, as the Twilio Proxy API takes it.
        AuthToken = "auth_token",
        /// A member of the support staff.
        Staff = "staff",
        /// Whoever ran a command where the relay runs.
        Operator = "operator",
        /// The relay itself.
        Relay = "relay",
    }
}

closed_set! {
    /// What something was done to.
    TargetKind {
        /// An account.
        Account = "account",
        /// An API key.
        ApiKey = "api_key",
        /// A service.
        Service = "service",
        /// A proxy number.
        Number = "number",
        /// An order about a number.
        NumberOrder = "number_order",
        /// A move of sessions off a number or carrier.
        NumberMove = "number_move",
        /// What holds texts or calls back.
        TrafficPause = "traffic_pause",
        /// An endpoint.
        Endpoint = "endpoint",
        /// A session.
        Session = "session",
        /// An interaction.
        Interaction = "interaction",
        /// The erasure of a person.
        Erasure = "erasure",
        /// An export: of what is known of a person, or of a list of the console.
        Export = "export",
        /// A lawful disclosure.
        Disclosure = "disclosure",
        /// An order to keep what would be deleted.
        LegalHold = "legal_hold",
        /// An opt-out.
        OptOut = "opt_out",
        /// A report.
        Report = "report",
        /// A member of the support staff.
        Staff = "staff",
        /// A master key, by its id.
        MasterKey = "master_key",
        /// The database as a whole.
        Database = "database",
    }
}

/// Declares the actions, each with its text and what it is done to.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal on $target:ident,)+) => {
        closed_set! {
            /// What was done. A new one is a line here, and whoever does it appends it.
            Action { $($(#[$doc])* $variant = $text,)+ }
        }

        impl Action {
            /// What it is done to.
            pub const fn target(self) -> TargetKind {
                match self { $(Self::$variant => TargetKind::$target,)+ }
            }
        }
    };
}

actions! {
    /// An account was made.
    AccountCreated = "account.created" on Account,
    /// An API key was made.
    ApiKeyCreated = "api_key.created" on ApiKey,
    /// An API key was withdrawn.
    ApiKeyRevoked = "api_key.revoked" on ApiKey,
    /// A service was made.
    ServiceCreated = "service.created" on Service,
    /// A service's name or rules were changed.
    ServiceUpdated = "service.updated" on Service,
    /// A service was deleted, with its sessions and numbers.
    ServiceDeleted = "service.deleted" on Service,
    /// A number joined a pool.
    NumberAdded = "number.added" on Number,
    /// A number was changed.
    NumberUpdated = "number.updated" on Number,
    /// A number left its pool.
    NumberRetired = "number.retired" on Number,
    /// A number is to be bought or taken over.
    NumberOrdered = "number.ordered" on NumberOrder,
    /// A number is to be given up.
    NumberReleased = "number.released" on Number,
    /// Sessions are to leave a number or a carrier.
    MoveBegun = "number_move.begun" on NumberMove,
    /// Such a move is taken back.
    MoveUndone = "number_move.undone" on NumberMove,
    /// Numbers were judged anew, since the rules on them had changed.
    NumbersJudged = "numbers.judged" on Database,
    /// Texts or calls that were held back go on.
    PauseLifted = "traffic_pause.lifted" on TrafficPause,
    /// An endpoint was made, with its keys.
    EndpointCreated = "endpoint.created" on Endpoint,
    /// An endpoint was changed.
    EndpointUpdated = "endpoint.updated" on Endpoint,
    /// An endpoint was switched off since it did not work.
    EndpointDisabled = "endpoint.disabled" on Endpoint,
    /// An endpoint got new keys.
    EndpointKeysRotated = "endpoint.keys_rotated" on Endpoint,
    /// An endpoint was deleted.
    EndpointDeleted = "endpoint.deleted" on Endpoint,
    /// Events are sent to an endpoint again.
    EndpointResent = "endpoint.resent" on Endpoint,
    /// Staff closed a session.
    SessionClosed = "session.closed" on Session,
    /// Staff lengthened a session's life.
    SessionExtended = "session.extended" on Session,
    /// Staff let nothing pass any more between the two sides of a session.
    SessionPairBlocked = "session.pair_blocked" on Session,
    /// Staff ended that.
    SessionPairUnblocked = "session.pair_unblocked" on Session,
    /// A participant's number was shown to staff.
    SessionNumberRevealed = "session.number_revealed" on Session,
    /// Texts that a session kept were shown to staff.
    SessionTextsRead = "session.texts_read" on Session,
    /// A session was deleted by itself.
    SessionDeleted = "session.deleted" on Session,
    /// A session that a restore put on hold was confirmed.
    SessionResumed = "session.resumed" on Session,
    /// A participant got a PIN, in place of the one that they had.
    PinSet = "session.pin_set" on Session,
    /// A participant's PIN was taken away.
    PinRemoved = "session.pin_removed" on Session,
    /// Staff wrote a note on a session.
    SessionNoted = "session.noted" on Session,
    /// Staff said which case a session belongs to.
    SessionCaseSet = "session.case_set" on Session,
    /// An interaction was deleted.
    InteractionDeleted = "interaction.deleted" on Interaction,
    /// Staff looked for a person by their number.
    PersonSearched = "person.searched" on Account,
    /// A person is to be erased.
    PersonErased = "person.erased" on Erasure,
    /// What is known of a person is given out to the account.
    PersonExported = "person.exported" on Export,
    /// A list of the console is taken away as a file, or a file of it is begun.
    ExportMade = "export.made" on Export,
    /// A file that took long is downloaded.
    ExportFetched = "export.fetched" on Export,
    /// Who had a proxy number is asked for.
    DisclosureAsked = "disclosure.asked" on Disclosure,
    /// It is told: a second one agreed.
    DisclosureApproved = "disclosure.approved" on Disclosure,
    /// What was known of the verification of a number was forgotten.
    VerificationForgotten = "account.verification_forgotten" on Account,
    /// What would be deleted is kept.
    LegalHoldPlaced = "legal_hold.placed" on LegalHold,
    /// It is not kept any longer.
    LegalHoldLifted = "legal_hold.lifted" on LegalHold,
    /// The marketplace said that somebody wants no more texts.
    OptOutRecorded = "opt_out.recorded" on OptOut,
    /// The marketplace said that somebody wants texts again.
    OptOutCleared = "opt_out.cleared" on OptOut,
    /// The marketplace or its support reported somebody for a person.
    ReportCreated = "report.created" on Report,
    /// A report was decided.
    ReportResolved = "report.resolved" on Report,
    /// A report was given to somebody of the staff, or back to nobody.
    ReportAssigned = "report.assigned" on Report,
    /// The words of a report were shown to staff: its note, and the texts that it names.
    ReportWordsRead = "report.words_read" on Report,
    /// A flagged text was given to somebody of the staff, or back to nobody.
    TextAssigned = "interaction.text_assigned" on Interaction,
    /// A flagged text was decided.
    TextDecided = "interaction.text_decided" on Interaction,
    /// A flagged text was shown to staff.
    TextWordsRead = "interaction.text_read" on Interaction,
    /// A recording was paused.
    RecordingPaused = "recording.paused" on Interaction,
    /// A paused recording went on.
    RecordingResumed = "recording.resumed" on Interaction,
    /// A recording was ended before its call: consent was withdrawn.
    RecordingStopped = "recording.stopped" on Interaction,
    /// Somebody got a link that lets them into the console.
    StaffInvited = "staff.invited" on Staff,
    /// A link was used: a browser is logged in.
    StaffLoggedIn = "staff.logged_in" on Staff,
    /// Somebody came by another login who may do nothing here.
    StaffRefused = "staff.refused" on Staff,
    /// A browser was logged out.
    StaffLoggedOut = "staff.logged_out" on Staff,
    /// Somebody who was logged in proved again who they are.
    StaffProved = "staff.proved" on Staff,
    /// After wrong passwords or codes in a row no more are taken for a while.
    StaffLocked = "staff.locked" on Staff,
    /// Another browser of theirs was logged out.
    StaffBrowserRevoked = "staff.browser_revoked" on Staff,
    /// What they may do in an account was set.
    StaffGranted = "staff.granted" on Staff,
    /// They may do nothing in an account any more.
    StaffGrantRevoked = "staff.grant_revoked" on Staff,
    /// They may not log in any more.
    StaffDisabled = "staff.disabled" on Staff,
    /// They may log in again.
    StaffEnabled = "staff.enabled" on Staff,
    /// They set a password.
    StaffPasswordSet = "staff.password_set" on Staff,
    /// Their password must be changed at their next login.
    StaffPasswordExpired = "staff.password_expired" on Staff,
    /// Codes of an app are asked of them from now on.
    StaffTotpAdded = "staff.totp_added" on Staff,
    /// They are asked for no codes any more.
    StaffTotpRemoved = "staff.totp_removed" on Staff,
    /// They got new recovery codes.
    StaffRecoveryCodesMade = "staff.recovery_codes_made" on Staff,
    /// They added a passkey.
    StaffPasskeyAdded = "staff.passkey_added" on Staff,
    /// A passkey of theirs was taken away.
    StaffPasskeyRemoved = "staff.passkey_removed" on Staff,
    /// A master key became the one that all is wrapped by: nothing is by another from now on.
    MasterKeyRotated = "master_key.rotated" on MasterKey,
    /// A master key wraps nothing any more.
    MasterKeyUnused = "master_key.unused" on MasterKey,
    /// A master key was destroyed, as whoever destroyed it said.
    MasterKeyDestroyed = "master_key.destroyed" on MasterKey,
    /// After a restore what was erased was erased again.
    ErasuresReplayed = "erasures.replayed" on Database,
    /// A database was served without its erasure list: an operator said so.
    ErasureListIgnored = "erasure_list.ignored" on Database,
    /// After a restore every open session was put on hold.
    DatabaseFenced = "database.fenced" on Database,
    /// The database was said to be served from here, with nothing lost.
    DatabaseSettled = "database.settled" on Database,
}

impl Action {
    /// By these somebody saw what the console masks elsewhere, or took something away: counted for each of the
    /// staff.
    pub const LOOKS: &'static [Self] = &[
        Self::ExportMade,
        Self::ExportFetched,
        Self::PersonSearched,
        Self::SessionNumberRevealed,
        Self::SessionTextsRead,
        Self::ReportWordsRead,
        Self::TextWordsRead,
    ];
}

closed_set! {
    /// What a row tells beside: each is an id, a word of a closed set or a count.
    Detail {
        /// The account that it is about, in the installation's chain.
        Account = "account",
        /// The carrier's id in the configuration.
        Carrier = "carrier",
        /// How many.
        Count = "count",
        /// An event's id.
        Event = "event",
        /// What a list is narrowed by: the names of its filters.
        Filters = "filters",
        /// What sort.
        Kind = "kind",
        /// A person's masked number: calling code, and four characters that hold no digit of it.
        Masked = "masked",
        /// A number's id.
        Number = "number",
        /// A participant's id.
        Participant = "participant",
        /// How somebody proved who they are.
        Proof = "proof",
        /// What somebody is in an account.
        Role = "role",
        /// What an API key may do.
        Scopes = "scopes",
        /// What became of a signing secret: `made` or `forgotten`.
        Secret = "secret",
        /// What an opt-out reaches.
        Scope = "scope",
        /// A service's id.
        Service = "service",
        /// A session's id.
        Session = "session",
        /// The id of one of the staff.
        Staff = "staff",
        /// Why, in a word of a closed set.
        Why = "why",
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What sort of actor.
    pub kind: ActorKind,
    /// Its id; of an operator the name of their login, empty where it is not known; empty for the
    /// relay itself.
    pub id: String,
}

impl Actor {
    /// The relay itself.
    pub const RELAY: Self = Self { kind: ActorKind::Relay, id: String::new() };

    /// An actor that has an id.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }

    /// Whoever ran a command. `login` is taken where it is a name as systems have them, and no
    /// telephone number: 32 letters, digits and `._-` at most.
    pub fn operator(login: Option<&str>) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_name = |text: &&str| {
            text.len() <= 32
                && text.chars().all(plain)
                && text.starts_with(|c: char| c.is_ascii_alphabetic())
                && !holds_a_number(text)
        };
        Self::new(ActorKind::Operator, login.filter(is_name).unwrap_or_default())
    }
}

/// Who does something, and why: what each transaction carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Why, in their own words.
    pub reason: Option<Reason>,
}

impl By {
    /// The relay itself, which gives no reason.
    pub const RELAY: Self = Self { actor: Actor::RELAY, reason: None };
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        Self { actor, reason: None }
    }
}

/// Why somebody did something, in their own words. They may name people: it is sealed where it is kept,
/// and its `Debug` shows only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(String);

/// The longest reason, in characters.
pub const REASON_CHARS: usize = 200;

impl Reason {
    /// Reads a reason.
    ///
    /// # Errors
    /// What is allowed: 1 to 200 characters, none of control, and no telephone number among them.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if !(1..=REASON_CHARS).contains(&text.chars().count()) || text.chars().any(char::is_control)
        {
            return Err("must have 1 to 200 characters, none of control");
        }
        if holds_a_number(text) {
            return Err("must not hold a telephone number");
        }
        Ok(Self(text.to_owned()))
    }

    /// The words in clear. Every use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({} characters)", self.0.chars().count())
    }
}

/// Whether a text holds what may be a telephone number: seven digits and more with nothing but signs
/// between them that numbers are written with. A ticket of six digits is none.
pub fn holds_a_number(text: &str) -> bool {
    let mut digits = 0;
    for c in text.chars() {
        if c.is_numeric() {
            digits += 1;
            if digits >= 7 {
                return true;
            }
        } else if !c.is_whitespace() && !"+-.()/\u{2010}\u{2011}\u{2013}".contains(c) {
            digits = 0;
        }
    }
    false
}

/// What is told of one thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// The id of what it was done to; empty for the database.
    pub target: String,
    /// The names of the settings that were changed, where it was a change.
    pub changed: Option<Vec<&'static str>>,
    /// The rest.
    pub details: Vec<(Detail, String)>,
}

impl Entry {
    /// That this was done to that.
    pub fn new(action: Action, target: impl Into<String>) -> Self {
        Self { action, target: target.into(), changed: None, details: Vec::new() }
    }

    /// That these settings were changed by it.
    #[must_use]
    pub fn changed(mut self, names: Vec<&'static str>) -> Self {
        self.changed = Some(names);
        self
    }

    /// And this beside.
    #[must_use]
    pub fn with(mut self, detail: Detail, value: impl Into<String>) -> Self {
        self.details.push((detail, value.into()));
        self
    }
}

/// The names of those of a struct's fields that two values differ in. Every field must be named: one that
/// is added can't be forgotten.
macro_rules! changed_fields {
    ($type:ident, $before:expr, $after:expr, { $($field:ident => $name:literal,)* }) => {{
        let $type { $($field),* } = $before;
        let mut names: Vec<&'static str> = Vec::new();
        $(if *$field != $after.$field { names.push($name); })*
        names
    }};
}
pub(crate) use changed_fields;

#[cfg(test)]
mod tests {
    use super::*;

    /// An action's text begins with what it is done to, but for the one that is done to many.
    #[test]
    fn actions_name_their_target() {
        for action in Action::ALL {
            let (noun, _) = action.as_str().split_once('.').unwrap();
            let target = action.target();
            let plain = noun == target.as_str()
                || (noun == "number" && target == TargetKind::NumberOrder)
                || (noun == "recording" && target == TargetKind::Interaction)
                || (noun == "numbers" && target == TargetKind::Database)
                // Whom it was is nowhere in the log: what was done has an id of its own.
                || (noun == "person"
                    && matches!(
                        target,
                        TargetKind::Account | TargetKind::Erasure | TargetKind::Export
                    ))
                || (noun.starts_with("erasure") && target == TargetKind::Database);
            assert!(plain, "{action} on {target}");
        }
    }

    /// Tickets are reasons; numbers in any dress, nothing, too much and control characters are not.
    #[test]
    fn reasons_hold_no_number() {
        for good in ["SUP-123456", "asked by the buyer, ticket 4711", &"é".repeat(200)] {
            assert!(Reason::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "  ",
            "a\nb",
            &"x".repeat(201),
            "+14155550100",
            "call (415) 555-0100 back",
            "00 33 6 39 98 00 01",
            "0639980001",
            // A date can't be told from one.
            "2026-11-22",
            "\u{665}\u{665}\u{665}\u{660}\u{661}\u{660}\u{660}",
        ] {
            assert!(Reason::parse(bad).is_err(), "{bad}");
        }
        let reason = Reason::parse(" for Alice ").unwrap();
        assert_eq!(reason.expose(), "for Alice");
        assert_eq!(format!("{reason:?}"), "Reason(9 characters)");
    }

    /// A login is a name, or it is not kept.
    #[test]
    fn operators_have_plain_names() {
        assert_eq!(Actor::operator(Some("alice.b")).id, "alice.b");
        for odd in [None, Some(""), Some("a b"), Some("+14155550100"), Some("u14155550100")] {
            assert_eq!(Actor::operator(odd).id, "", "{odd:?}");
        }
    }
}
