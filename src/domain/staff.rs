//! The support staff: who may do what, and what a login must be.

use std::{fmt, time::Duration};

closed_set! {
    /// What somebody is in an account.
    Role {
        /// Looks: sessions, the log and the pools, masked.
        Viewer = "viewer",
        /// Handles cases: closes, extends, blocks, moves off a number, sends events again, moderates.
        Agent = "agent",
        /// Answers for agents: reveals, reads texts, exports, erases, holds, runs the pools.
        Supervisor = "supervisor",
        /// Runs the console: staff, keys and settings, and all that a supervisor does.
        Admin = "admin",
        /// Reads who did and saw what, and nothing else.
        Auditor = "auditor",
    }
}

closed_set! {
    /// One thing that somebody may do.
    Permission {
        /// See sessions, calls and texts, numbers and figures, all masked.
        View = "view",
        /// Close, extend, block, clear an opt-out, move a person off a number, send events again, note.
        Act = "act",
        /// Decide reports and flagged texts.
        Moderate = "moderate",
        /// See a person's number, with a reason.
        Reveal = "reveal",
        /// Read what people wrote or said.
        ReadTexts = "read_texts",
        /// Take lists away as files, masked.
        Export = "export",
        /// Erase a person, and place and lift legal holds.
        Erase = "erase",
        /// Add, reserve, drain and retire proxy numbers.
        Pools = "pools",
        /// See API requests, deliveries, webhooks and keys.
        Develop = "develop",
        /// Read, check and export the audit log.
        Audit = "audit",
        /// Add, change and lock out staff.
        Staff = "staff",
    }
}

impl Role {
    /// Whether the role alone allows it.
    pub const fn may(self, what: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Viewer => matches!(what, P::View),
            Self::Agent => matches!(what, P::View | P::Act | P::Moderate | P::Develop),
            Self::Supervisor => !matches!(what, P::Audit | P::Staff),
            Self::Admin => true,
            Self::Auditor => matches!(what, P::Audit),
        }
    }
}

impl Permission {
    /// What may be given to somebody beside their role: to open a number and to read words are two things.
    pub const EXTRA: &'static [Self] = &[Self::Reveal, Self::ReadTexts, Self::Export];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Permissions given beside a role: some of [`Permission::EXTRA`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extra(u16);

impl Extra {
    /// Reads their names, separated by spaces; `None` if one can't be given so.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().try_fold(Self::default(), |all, name| {
            let one = Permission::parse(name).filter(|one| Permission::EXTRA.contains(one))?;
            Some(Self(all.0 | one.bit()))
        })
    }

    /// Whether that is among them.
    pub const fn has(self, what: Permission) -> bool {
        self.0 & what.bit() != 0
    }
}

impl FromIterator<Permission> for Extra {
    /// Those that may be given so; others are left out.
    fn from_iter<I: IntoIterator<Item = Permission>>(all: I) -> Self {
        let given = all.into_iter().filter(|one| Permission::EXTRA.contains(one));
        Self(given.fold(0, |all, one| all | one.bit()))
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Permission::ALL.iter().filter(|one| self.has(**one)).map(|one| one.as_str());
        f.write_str(&all.collect::<Vec<_>>().join(" "))
    }
}

/// What somebody is in an account and may do there beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The role.
    pub role: Role,
    /// What they may do beside it.
    pub extra: Extra,
}

impl Rights {
    /// A role's own.
    pub fn of(role: Role) -> Self {
        Self { role, extra: Extra::default() }
    }

    /// Whether they may do that.
    pub const fn may(self, what: Permission) -> bool {
        self.role.may(what) || self.extra.has(what)
    }
}

closed_set! {
    /// The languages of the console.
    Language {
        /// English.
        English = "en",
        /// French.
        French = "fr",
    }
}

impl Language {
    /// The words of the two that are of this language.
    pub const fn say<'a>(self, english: &'a str, french: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::French => french,
        }
    }

    /// The one of these that an `Accept-Language` (RFC 9110 §12.5.4) prefers; English where it names none.
    pub fn accepted(header: &str) -> Self {
        let mut best = (Self::English, 0);
        for one in header.split(',').take(20) {
            let mut parts = one.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=").map(thousandths));
            let weight = weight.unwrap_or(1000);
            let primary = tag.split('-').next().unwrap_or_default();
            if let Some(language) = Self::parse(primary).filter(|_| weight > best.1) {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// A weight from 0 to 1 in thousandths; 0 for what is none.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<3}");
    match (whole, part.get(..3).and_then(|part| part.parse::<u16>().ok())) {
        ("1", _) => 1000,
        ("0", Some(part)) => part,
        _ => 0,
    }
}

closed_set! {
    /// How somebody proved who they are.
    Proof {
        /// A one-time link.
        Link = "link",
        /// A password alone.
        Password = "password",
        /// A password and a code of an app.
        Totp = "totp",
        /// A password and a recovery code.
        Recovery = "recovery",
        /// A passkey, which asked for the person too.
        Passkey = "passkey",
        /// Another login, by `OpenID` Connect.
        Oidc = "oidc",
    }
}

/// What logins must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRules {
    /// How long a browser stays logged in while nobody does anything.
    pub idle: Duration,
    /// How long it stays logged in whatever they do.
    pub longest: Duration,
    /// Whether passwords are taken at all.
    pub passwords: bool,
    /// Who must have a second factor.
    pub second_factor: Vec<Role>,
    /// After how many days a password must be changed, in the order of [`Role::ALL`]; 0 for never.
    pub password_days: [u32; Role::ALL.len()],
    /// How many numbers one person may reveal in 24 hours.
    pub reveals_per_day: u32,
    /// For how long a proof of who somebody is counts as fresh.
    pub fresh: Duration,
}

impl Default for LoginRules {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(30),
            longest: Duration::from_hours(12),
            passwords: true,
            second_factor: vec![Role::Supervisor, Role::Admin],
            password_days: Role::ALL
                .iter()
                .map(|role| if *role == Role::Admin { 365 } else { 0 })
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_default(),
            reveals_per_day: 20,
            fresh: Duration::from_mins(15),
        }
    }
}

impl LoginRules {
    /// How old a password may become for somebody of these roles: the shortest of theirs; `None` for as old as
    /// it likes.
    pub fn password_age(&self, roles: impl IntoIterator<Item = Role>) -> Option<Duration> {
        let days = roles.into_iter().filter_map(|role| {
            let place = Role::ALL.iter().position(|one| *one == role)?;
            self.password_days.get(place).copied().filter(|days| *days > 0)
        });
        days.min().map(|days| Duration::from_hours(24 * u64::from(days)))
    }

    /// Whether somebody of these rights must have a second factor: by their role, or since they may reveal
    /// numbers or read texts.
    pub fn needs_second(&self, all: impl IntoIterator<Item = Rights>) -> bool {
        !self.second_factor.is_empty()
            && all.into_iter().any(|rights| {
                self.second_factor.contains(&rights.role)
                    || rights.extra.has(Permission::Reveal)
                    || rights.extra.has(Permission::ReadTexts)
            })
    }
}

/// The shortest and the longest password, in characters (NIST SP 800-63B-4 §3.1.1.2 asks for 8 where it is one
/// factor of two, 15 where it is the only one).
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 15..=200;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakPassword {
    /// Shorter than the least.
    Short,
    /// Longer than the most.
    Long,
    /// One of the first that anybody tries: few different characters, a row of the keyboard, a word again and
    /// again.
    Common,
    /// It holds their own name or the console's.
    Name,
}

/// A password of somebody of that name. Nothing is asked of its characters: length is what helps.
///
/// # Errors
/// Why it is not taken.
pub fn check_password(password: &str, name: &str) -> Result<(), WeakPassword> {
    const ROWS: [&str; 6] = [
        "qwertyuiopasdfghjklzxcvbnm",
        "azertyuiopqsdfghjklmwxcvbn",
        "12345678901234567890",
        "09876543210987654321",
        "abcdefghijklmnopqrstuvwxyz",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    ];
    let count = password.chars().count();
    if count < *PASSWORD_CHARS.start() {
        return Err(WeakPassword::Short);
    }
    if count > *PASSWORD_CHARS.end() {
        return Err(WeakPassword::Long);
    }
    let lower = password.to_lowercase();
    let bare: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    let row = bare
        .get(..bare.len().min(10))
        .is_some_and(|start| start.len() == 10 && ROWS.iter().any(|row| row.contains(start)));
    let again = (1..=bare.len() / 2)
        .filter(|n| bare.is_char_boundary(*n))
        .any(|n| bare.len().is_multiple_of(n) && bare.split_at(n).0.repeat(bare.len() / n) == bare);
    let common = ["password", "passw0rd", "motdepasse", "letmein", "welcome", "changeme"]
        .iter()
        .any(|word| bare.replace(word, "").chars().count() < 6);
    if distinct.len() < 6 || row || again || common {
        return Err(WeakPassword::Common);
    }
    let own = name.split_whitespace().chain(["entremise"]);
    let mut rest = bare;
    for word in own.map(str::to_lowercase).filter(|word| word.chars().count() >= 4) {
        rest = rest.replace(&word, "");
    }
    if rest.chars().count() < 10 { Err(WeakPassword::Name) } else { Ok(()) }
}

/// How many wrong passwords or codes in a row cost nothing.
const FREE_FAILURES: u32 = 5;
/// The longest wait after more.
const WAIT_MAX: Duration = Duration::from_mins(15);

/// How long somebody must wait after so many wrong passwords or codes in a row: nothing at first, then from a
/// second twice as long each time, a quarter of an hour at most. It never ends in a lock that only an admin
/// opens: whoever knows a name could shut its owner out.
pub fn wait_after(failures: u32) -> Duration {
    if failures < FREE_FAILURES {
        return Duration::ZERO;
    }
    let doublings = (failures - FREE_FAILURES).min(20);
    Duration::from_secs(1_u64 << doublings).min(WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each role may do, all of it.
    #[test]
    fn roles_may_so_much() {
        let may = |role: Role| {
            let all = Permission::ALL.iter().filter(|what| role.may(**what));
            all.map(|what| what.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(may(Role::Viewer), "view");
        assert_eq!(may(Role::Agent), "view act moderate develop");
        assert_eq!(
            may(Role::Supervisor),
            "view act moderate reveal read_texts export erase pools develop"
        );
        assert_eq!(may(Role::Admin).split(' ').count(), Permission::ALL.len());
        assert_eq!(may(Role::Auditor), "audit");
    }

    /// `docs/console.md` says of each role what it may do.
    #[test]
    fn the_docs_tell_the_roles() {
        let docs = include_str!("../../docs/console.md");
        for role in Role::ALL {
            let all = Permission::ALL.iter().filter(|what| role.may(**what));
            let may = all.map(|what| what.as_str()).collect::<Vec<_>>().join(", ");
            assert!(docs.contains(&format!("| `{role}` | {may} |")), "{role}: {may}");
        }
    }

    /// Only some permissions are given beside a role, and each alone.
    #[test]
    fn extras_are_given_one_by_one() {
        let extra = Extra::parse("read_texts").unwrap();
        let rights = Rights { role: Role::Agent, extra };
        assert!(rights.may(Permission::ReadTexts) && !rights.may(Permission::Reveal));
        assert_eq!(extra.to_string(), "read_texts");
        assert_eq!(Extra::parse("reveal export").unwrap().to_string(), "reveal export");
        assert_eq!(Extra::parse("staff"), None);
        assert_eq!(Extra::parse(""), Some(Extra::default()));
    }

    /// The language that a browser asks for first, of those that there are.
    #[test]
    fn languages_are_accepted_by_weight() {
        for (header, language) in [
            ("", Language::English),
            ("fr", Language::French),
            ("fr-CA, en;q=0.8", Language::French),
            ("de, fr;q=0.5, en;q=0.7", Language::English),
            ("de;q=0.9, fr;q=0.75, en;q=0.7", Language::French),
            ("fr;q=0", Language::English),
            ("fr;q=x", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    /// Long ones are taken whatever they are made of; what is tried first is not.
    #[test]
    fn passwords_are_judged() {
        for good in ["correct horse battery staple", "Trüffel im Frühtau 7", "xK9#mQ2$vL7!pR4@"] {
            assert_eq!(check_password(good, "Ada"), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("shortest ever", WeakPassword::Short),
            ("aaaaaaaaaaaaaaaaaa", WeakPassword::Common),
            ("qwertyuiopasdfgh", WeakPassword::Common),
            ("1234567890123456", WeakPassword::Common),
            ("sunshinesunshine", WeakPassword::Common),
            ("Password!Password!1", WeakPassword::Common),
            ("grace hopper 2026", WeakPassword::Name),
            ("entremise-entremise-26", WeakPassword::Name),
        ] {
            assert_eq!(check_password(bad, "Grace Hopper"), Err(why), "{bad}");
        }
        assert_eq!(check_password(&"ab cd ef 12 ".repeat(17), ""), Err(WeakPassword::Long));
    }

    /// Waits grow and end.
    #[test]
    fn waits_grow_and_are_bounded() {
        let waits = [0, 4, 5, 6, 8, 14, 15, 1000].map(|n| wait_after(n).as_secs());
        assert_eq!(waits, [0, 0, 1, 2, 8, 512, 900, 900]);
    }

    /// A password's age is bounded by the strictest role; a second factor is asked of whoever opens what is
    /// masked.
    #[test]
    fn rules_by_role() {
        let rules = LoginRules::default();
        assert_eq!(rules.password_age([Role::Agent]), None);
        let year = Duration::from_hours(24 * 365);
        assert_eq!(rules.password_age([Role::Agent, Role::Admin]), Some(year));
        assert!(!rules.needs_second([Rights::of(Role::Agent)]));
        assert!(rules.needs_second([Rights::of(Role::Viewer), Rights::of(Role::Admin)]));
        let reader = Rights { role: Role::Agent, extra: Extra::parse("read_texts").unwrap() };
        assert!(rules.needs_second([reader]));
        let none = LoginRules { second_factor: Vec::new(), ..rules };
        assert!(!none.needs_second([reader]));
    }
}
