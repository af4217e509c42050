//! Prefixed, time-ordered ids: two letters and the 32 hex digits of a UUIDv7 (RFC 9562 §5.7).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::time::Timestamp;

/// Where random bytes come from. Tests and simulations seed it.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::expect_used, reason = "without randomness nothing that we do is safe")]
    fn fill(&self, bytes: &mut [u8]) {
        use ring::rand::SecureRandom as _;
        ring::rand::SystemRandom::new().fill(bytes).expect("the system gives no random bytes");
    }
}

/// Makes ids. Those of one process sort in the order in which they were made, also within one
/// millisecond and while a clock that jumped back stands still: texts are sent, and lists are paged,
/// in the order of their ids. Cheap to clone; clones share the order.
#[derive(Debug, Clone)]
pub struct Ids {
    entropy: Arc<dyn Entropy>,
    last: Arc<Mutex<Last>>,
}

/// The latest id: its time and its random part, as RFC 9562 §6.2 has it in method 2.
#[derive(Debug, Default)]
struct Last {
    ms: u64,
    random: u128,
}

impl Last {
    /// The random part of an id made at `ms`, out of fresh random bytes.
    fn next(&mut self, ms: u64, fresh: [u8; 10]) -> [u8; 10] {
        let mut bytes = [0; 16];
        bytes[6..].copy_from_slice(&fresh);
        // Two of these bits are the variant's. The third stays clear, so that no number of steps
        // within one millisecond runs over.
        let fresh = u128::from_be_bytes(bytes) & !(0b111 << 61);
        let step = (fresh & 0xffff_ffff) + 1;
        let random = if ms == self.ms { self.random + step } else { fresh };
        if ms >= self.ms {
            *self = Self { ms, random };
        }
        let [_, _, _, _, _, _, random @ ..] = random.to_be_bytes();
        random
    }
}

impl Ids {
    /// Ids whose random part comes from `entropy`.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, last: Arc::default() }
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.entropy.fill(bytes);
    }

    /// A new id made at `now`.
    pub fn make<I: Id>(&self, now: Timestamp) -> I {
        let mut fresh = [0; 10];
        self.entropy.fill(&mut fresh);
        let ms = u64::try_from(now.millis()).unwrap_or(0);
        let random = self.last.lock().unwrap_or_else(PoisonError::into_inner).next(ms, fresh);
        let uuid = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
        I::from_text(format!("{}{}", I::PREFIX, uuid.simple()))
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new(Arc::new(SystemEntropy))
    }
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One kind of id.
pub trait Id: Sized {
    /// The two letters.
    const PREFIX: &'static str;
    /// What it names, for messages.
    const NOUN: &'static str;

    /// Wraps text that is known to be well formed.
    #[doc(hidden)]
    fn from_text(text: String) -> Self;
}

/// A string that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {noun} id: {prefix} and 32 lower-case hex digits")]
pub struct IdError {
    prefix: &'static str,
    noun: &'static str,
}

fn well_formed(prefix: &str, text: &str) -> bool {
    text.len() == 34
        && text.starts_with(prefix)
        && text.bytes().skip(2).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads an id.
            ///
            /// # Errors
            /// [`IdError`] for anything but the prefix and 32 lower-case hex digits.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if well_formed($prefix, text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { prefix: $prefix, noun: $noun })
                }
            }

            /// Less than every id made at `now` or later, and more than every earlier one: for
            /// ranges. It is nothing's id.
            pub fn first_of(now: Timestamp) -> Self {
                let ms = u64::try_from(now.millis()).unwrap_or(0) & 0xffff_ffff_ffff;
                Self(format!("{}{ms:012x}{:020}", $prefix, 0))
            }

            /// When it was made, in whole milliseconds: ids begin with that.
            pub fn made_at(&self) -> Timestamp {
                let ms = self.0.get(2..14).and_then(|hex| i64::from_str_radix(hex, 16).ok());
                Timestamp::from_millis(ms.unwrap_or_default())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;

            fn from_text(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    )*};
}

ids! {
    /// An account: one marketplace.
    AccountId = "AC", "an account";
    /// A service: rules and a pool.
    ServiceId = "KS", "a service";
    /// A session.
    SessionId = "KC", "a session";
    /// A participant of one session.
    ParticipantId = "KP", "a participant";
    /// An interaction: one relayed call or text.
    InteractionId = "KI", "an interaction";
    /// A proxy number in an account's inventory.
    NumberId = "PN", "a number";
    /// Something to be done about a number at its carrier.
    NumberOrderId = "NO", "a number order";
    /// One side of an interaction.
    LegId = "LG", "a leg";
    /// An event for the marketplace.
    EventId = "EV", "an event";
    /// An endpoint: where a marketplace's events are sent.
    EndpointId = "EP", "an endpoint";
    /// An entry of the outbox.
    OutboxId = "OB", "an outbox entry";
    /// A picture or file of a text.
    MediaId = "MD", "a picture's or file's";
    /// An API key.
    KeyId = "AK", "an API key";
    /// A member of the support staff.
    StaffId = "ST", "a staff member";
    /// A browser that is logged in to the console.
    BrowserId = "BR", "a browser";
    /// A move of sessions off a number.
    MoveId = "MV", "a move";
    /// The erasure of a person.
    ErasureId = "ER", "an erasure";
    /// An export of what is known of a person.
    ExportId = "EX", "an export";
    /// A lawful disclosure of who had a proxy number.
    DisclosureId = "DI", "a disclosure";
    /// A verification of somebody's number.
    VerificationId = "VE", "a verification";
    /// An order to keep what would be deleted.
    HoldId = "LH", "a legal hold";
    /// A record that a law wants kept.
    RecordId = "SR", "a statutory record";
    /// An opt-out: somebody who wants no more texts.
    OptOutId = "OO", "an opt-out";
    /// A report of somebody in a session.
    ReportId = "RP", "a report";
    /// A note of staff on a session.
    SessionNoteId = "SN", "a note on a session";
    /// Texts or calls that are held back.
    PauseId = "TP", "a pause";
    /// A request to the APIs, in the log of them.
    LoggedId = "LR", "a logged request";
    /// One HTTP request, as it is told to the caller and logged.
    RequestId = "RQ", "a request";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of later instants sort later, so that an id is a cursor.
    #[test]
    fn ids_sort_by_time() {
        let ids = Ids::default();
        let early: SessionId = ids.make(Timestamp::from_millis(1_700_000_000_000));
        let late: SessionId = ids.make(Timestamp::from_millis(1_700_000_000_001));
        assert!(early < late);
        assert_eq!(SessionId::parse(early.as_str()).unwrap(), early);
    }

    /// Ids of one instant sort in the order in which they were made, whoever makes others of an
    /// earlier instant meanwhile, and whatever the random bytes are.
    #[test]
    fn ids_of_one_instant_sort() {
        #[derive(Debug)]
        struct Full;
        impl Entropy for Full {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0xff);
            }
        }
        for ids in [Ids::default(), Ids::new(Arc::new(Full))] {
            let made: Vec<SessionId> = (0..10_000)
                .map(|_| {
                    let _: LegId = ids.make(Timestamp::from_millis(1_600_000_000_000));
                    ids.clone().make(Timestamp::from_millis(1_700_000_000_000))
                })
                .collect();
            assert!(made.is_sorted_by(|a, b| a < b));
            assert!(made.iter().all(|id| &id.as_str()[2..14] == "018bcfe56800"));
            assert!(made.iter().all(|id| &id.as_str()[14..15] == "7"));
        }
    }

    /// Ranges of ids are ranges of time.
    #[test]
    fn ranges_of_ids_are_of_time() {
        let at = Timestamp::from_millis;
        let id: EventId = Ids::default().make(at(1_700_000_000_000));
        assert!(EventId::first_of(at(1_700_000_000_000)) < id);
        assert!(id < EventId::first_of(at(1_700_000_000_001)));
        assert_eq!(id.made_at(), at(1_700_000_000_000));
        assert_eq!(
            EventId::first_of(at(7)),
            EventId::parse("EV00000000000700000000000000000000").unwrap()
        );
    }

    /// A near miss is refused: another kind, upper case, too short, not ASCII.
    #[test]
    fn only_well_formed_ids_are_read() {
        for text in [
            "",
            "KC",
            "KS0123456789abcdef0123456789abcdef",
            "KC0123456789ABCDEF0123456789abcdef",
            "KC0123456789abcdef0123456789abcdé",
        ] {
            assert!(SessionId::parse(text).is_err(), "{text}");
        }
    }
}
