//! A phone, as its owner sees it: its texts and its calls.

use std::{fmt, str::FromStr};

use crate::domain::{message::Body, phone::Identifier, sender::SenderId, time::Timestamp};

/// A phone: `p1`, `p2` and so on, in order of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneId(pub(super) u32);

impl fmt::Display for PhoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// Text that names no phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone: p and its number")]
pub struct PhoneIdError;

impl FromStr for PhoneId {
    type Err = PhoneIdError;

    fn from_str(text: &str) -> Result<Self, PhoneIdError> {
        let digits = text.strip_prefix('p').ok_or(PhoneIdError)?;
        let id = Self(digits.parse().map_err(|_| PhoneIdError)?);
        if id.to_string() == text { Ok(id) } else { Err(PhoneIdError) }
    }
}

/// One phone's side of a call; the carrier's id of that leg.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) String);

impl CallId {
    /// Takes the text of an id as a page or a program sends it back.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that the owner of a phone sees on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneView {
    /// Which phone.
    pub id: PhoneId,
    /// Whose, such as "Buyer".
    pub name: String,
    /// Its own number.
    pub number: Identifier,
    /// Numbers that its owner was given.
    pub contacts: Vec<Contact>,
    /// Texts, oldest first; the last 100.
    pub texts: Vec<TextView>,
    /// Calls, oldest first; the last 50.
    pub calls: Vec<CallView>,
    /// The network's change counter when this phone last changed.
    pub version: u64,
}

impl PhoneView {
    /// The call that the phone is in, from the first ring to the end.
    pub fn call(&self) -> Option<&CallView> {
        self.calls.iter().rev().find(|call| !call.stage.is_over())
    }

    /// The texts that came in, oldest first.
    pub fn received(&self) -> impl Iterator<Item = &TextView> {
        self.texts.iter().filter(|text| text.direction == Direction::In)
    }
}

/// A number that a phone's owner was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who answers there, as the owner knows them: "Seller".
    pub label: String,
    /// The number.
    pub number: Identifier,
}

/// Which way a text or a call went, seen from the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this phone.
    In,
    /// From this phone.
    Out,
}

/// Who is at the other end of a text, as a phone shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A number.
    Number(Identifier),
    /// A name of letters, which can't be answered.
    Name(SenderId),
}

impl Shown {
    /// The number, `+` first, or the name.
    pub fn expose(&self) -> &str {
        match self {
            Self::Number(number) => number.expose(),
            Self::Name(name) => name.as_str(),
        }
    }

    /// The number, if it is one.
    pub const fn number(&self) -> Option<&Identifier> {
        match self {
            Self::Number(number) => Some(number),
            Self::Name(_) => None,
        }
    }
}

impl From<Identifier> for Shown {
    fn from(number: Identifier) -> Self {
        Self::Number(number)
    }
}

impl PartialEq<Identifier> for Shown {
    fn eq(&self, other: &Identifier) -> bool {
        self.number() == Some(other)
    }
}

/// One text on a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextView {
    /// The network's id.
    pub id: String,
    /// Which way.
    pub direction: Direction,
    /// Who is at the other end, as this phone shows it.
    pub other: Shown,
    /// The words.
    pub body: Body,
    /// Addresses of pictures and files.
    pub media: Vec<String>,
    /// When it was sent or came.
    pub at: Timestamp,
    /// How far it has come.
    pub state: TextState,
}

/// How far a text has come, as its phone shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextState {
    /// On its way to the network's other side.
    Sending,
    /// Taken.
    Sent,
    /// Nobody took it, however often it was tried.
    Failed,
    /// It came in.
    Received,
}

/// One call on a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// The network's id of this phone's side.
    pub id: CallId,
    /// Which way.
    pub direction: Direction,
    /// The number at the other end as this phone shows it; `None` if it is withheld.
    pub other: Option<Identifier>,
    /// How far it has come.
    pub stage: CallStage,
    /// When it began to ring or was dialled.
    pub at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it heard, oldest first, the last 20; the last one is what it hears now.
    pub heard: Vec<Sound>,
}

/// How far a call has come, seen from one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStage {
    /// Dialled; nobody has answered yet.
    Dialling,
    /// This phone rings.
    Ringing,
    /// Answered.
    Connected,
    /// Over.
    Ended(CallEnd),
}

impl CallStage {
    /// Whether the call has ended.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// How a call ended, seen from one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// After an answer.
    Finished,
    /// The other end was busy or declined, or this phone declined.
    Declined,
    /// Not answered: missed here, or nobody there.
    Missed,
    /// Given up by the caller before an answer.
    Cancelled,
    /// The network could not place it.
    Failed,
}

/// What a phone's owner hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// The ringing of the phone at the other end.
    Ringing,
    /// A busy tone.
    Busy,
    /// The tone after which a message is recorded.
    Tone,
    /// A recorded voice.
    Words {
        /// What it says.
        text: String,
        /// BCP 47.
        language: String,
        /// Whether it waits for a key.
        question: bool,
    },
    /// A recording.
    Audio {
        /// Where it is.
        url: String,
    },
    /// The person at the other end.
    Person,
    /// A key that the person at the other end pressed.
    Key(char),
}
