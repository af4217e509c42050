//! What a text must not hold, where its service says so: telephone numbers, e-mail addresses, links and
//! payment handles, found though they are disguised.
//!
//! One pass undoes the disguises of single characters and keeps the way back (`fold`); the result is
//! cut into words, digits and marks (`tokens`); each kind has a reader of its own, and the words of
//! the languages are data (`words`). `docs/content.md` has the figures, held by `tests/content.rs`.

mod addresses;
mod fold;
mod mask;
mod numbers;
mod payments;
mod phones;
mod quantities;
mod spoken;
mod tokens;
mod words;

use std::ops::Range;

use super::message::{BODY_CHARS_MAX, Body};
pub use mask::{Fate, told};

closed_set! {
    /// What is looked for.
    ContentKind {
        /// A telephone number, in digits or words.
        Phone = "phone",
        /// An e-mail address.
        Email = "email",
        /// A link, or a name on the net.
        Link = "link",
        /// An IBAN, a handle of a payment service, an address of coins.
        Payment = "payment",
    }
}

closed_set! {
    /// What becomes of a text that holds something of a kind; later ones are stricter.
    ContentAction {
        /// Nothing: it is not even looked for.
        Allow = "allow",
        /// It is passed on as it is, and the marketplace is told.
        Flag = "flag",
        /// It is passed on without it.
        Redact = "redact",
        /// It is not passed on.
        Block = "block",
    }
}

/// What is done with what is found, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// With telephone numbers.
    pub phone: ContentAction,
    /// With e-mail addresses.
    pub email: ContentAction,
    /// With links.
    pub link: ContentAction,
    /// With payment handles.
    pub payment: ContentAction,
}

impl Actions {
    /// Everything passes; nothing is read.
    pub const ALLOW: Self = Self::all(ContentAction::Allow);

    /// The same for each kind.
    pub const fn all(action: ContentAction) -> Self {
        Self { phone: action, email: action, link: action, payment: action }
    }

    /// The action for a kind.
    pub const fn of(self, kind: ContentKind) -> ContentAction {
        match kind {
            ContentKind::Phone => self.phone,
            ContentKind::Email => self.email,
            ContentKind::Link => self.link,
            ContentKind::Payment => self.payment,
        }
    }

    /// Whether texts are read at all.
    pub fn read(self) -> bool {
        self != Self::ALLOW
    }
}

/// Something found: its kind and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: ContentKind,
    /// Where it is: bytes of the text, at the borders of characters.
    pub at: Range<usize>,
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found that is looked for.
    Unchanged,
    /// It is passed on as it is; these were found.
    Flagged(Vec<ContentKind>),
    /// This is passed on instead; these were found, some perhaps only flagged.
    Redacted(Body, Vec<ContentKind>),
    /// It is not passed on; these were found.
    Blocked(Vec<ContentKind>),
}

impl Outcome {
    /// What its sender is told of it, and what was found; nothing if nothing was.
    pub fn fate(&self) -> Option<(Fate, &[ContentKind])> {
        match self {
            Self::Unchanged => None,
            Self::Flagged(kinds) => Some((Fate::Flagged, kinds)),
            Self::Redacted(_, kinds) => Some((Fate::Redacted, kinds)),
            Self::Blocked(kinds) => Some((Fate::Blocked, kinds)),
        }
    }
}

/// Everything in a text, in order of where it begins; parts of different kinds may overlap. `own` are
/// the proxy numbers of its session, in E.164: they may be named.
pub fn find(text: &str, own: &[&str]) -> Vec<Found> {
    let glyphs = fold::fold(text);
    let tokens = tokens::tokens(&glyphs);
    let bytes = |range: &Range<usize>| -> Range<usize> {
        let (first, last) = (tokens[range.start].from, tokens[range.end - 1].to - 1);
        glyphs[first].start..glyphs[last].end
    };
    let capital = |at: usize| {
        let start = tokens.get(at).map(|token| glyphs[token.from].start);
        start.and_then(|start| text[start..].chars().next()).is_some_and(char::is_uppercase)
    };
    let reader = addresses::Reader { tokens: &tokens, capital: &capital };
    let mut found = Vec::new();
    // What is surely a payment's is no telephone number.
    let mut accounts: Vec<Range<usize>> = Vec::new();
    for iban in payments::ibans(&glyphs) {
        accounts.push(glyphs[iban.start].start..glyphs[iban.end - 1].end);
    }
    accounts.extend(payments::coins(text));
    let taken: Vec<Range<usize>> = (0..tokens.len())
        .filter(|at| {
            let token = bytes(&(*at..at + 1));
            accounts.iter().any(|one| one.start < token.end && token.start < one.end)
        })
        .map(|at| at..at + 1)
        .collect();
    found.extend(accounts.into_iter().map(|at| Found { kind: ContentKind::Payment, at }));
    let emails = reader.emails();
    let apart = |a: &Range<usize>, b: &Range<usize>| a.end <= b.start || b.end <= a.start;
    let links = reader.links().into_iter().filter(|link| emails.iter().all(|one| apart(one, link)));
    let links: Vec<Range<usize>> = links.collect();
    let mut paid = payments::handles(&tokens);
    for link in &links {
        let said: String = glyphs[tokens[link.start].from..tokens[link.end - 1].to]
            .iter()
            .map(|glyph| glyph.c)
            .collect();
        if payments::is_paid_at(&said) {
            paid.push(link.clone());
        }
    }
    paid.extend(emails.iter().filter(|at| payments::is_paid(&tokens, at.start, at.end)).cloned());
    for (range, digits) in phones::find(&tokens, &taken) {
        let inside = |one: &Range<usize>| one.start <= range.start && range.end <= one.end;
        if links.iter().chain(&emails).any(inside) || is_own(&digits, own) {
            continue;
        }
        if payments::is_paid(&tokens, range.start, range.end) {
            paid.push(range.clone());
        }
        found.push(Found { kind: ContentKind::Phone, at: bytes(&range) });
    }
    let of = |kind: ContentKind| move |at: Range<usize>| Found { kind, at };
    found.extend(emails.iter().map(&bytes).map(of(ContentKind::Email)));
    found.extend(links.iter().map(&bytes).map(of(ContentKind::Link)));
    found.extend(paid.iter().map(&bytes).map(of(ContentKind::Payment)));
    found.sort_by_key(|one| (one.at.start, one.kind, one.at.end));
    found
}

/// Whether these digits are one of the session's own numbers, as dialled at home or from abroad.
fn is_own(digits: &str, own: &[&str]) -> bool {
    let bare = digits.trim_start_matches('0');
    bare.len() >= 7 && own.iter().any(|number| number.ends_with(bare))
}

/// Judges a text. Nothing is looked for where every kind is allowed.
pub fn judge(actions: Actions, body: &Body, own: &[&str], language: &str) -> Outcome {
    if !actions.read() {
        return Outcome::Unchanged;
    }
    let text = body.expose();
    let found: Vec<Found> = find(text, own)
        .into_iter()
        .filter(|one| actions.of(one.kind) != ContentAction::Allow)
        .collect();
    let kinds: Vec<ContentKind> = ContentKind::ALL
        .iter()
        .filter(|kind| found.iter().any(|one| one.kind == **kind))
        .copied()
        .collect();
    match kinds.iter().map(|kind| actions.of(*kind)).max() {
        None | Some(ContentAction::Allow) => Outcome::Unchanged,
        Some(ContentAction::Flag) => Outcome::Flagged(kinds),
        Some(ContentAction::Block) => Outcome::Blocked(kinds),
        Some(ContentAction::Redact) => {
            let mut parts: Vec<(Range<usize>, ContentKind)> = Vec::new();
            for one in found.into_iter().filter(|one| actions.of(one.kind) == ContentAction::Redact)
            {
                match parts.last_mut() {
                    Some((last, _)) if one.at.start < last.end => {
                        last.end = last.end.max(one.at.end);
                    }
                    _ => parts.push((one.at, one.kind)),
                }
            }
            let body = Body::new(mask::masked(text, &parts, language, BODY_CHARS_MAX));
            Outcome::Redacted(body, kinds)
        }
    }
}
