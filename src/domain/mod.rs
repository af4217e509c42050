//! The rules, as values in and values out: no async, no I/O, no clock, no randomness.
//!
//! Nothing here derives `Serialize` or a row mapping: the wire type, the domain type and the row
//! type are three types.

/// Declares an enum whose variants have one text each, used wherever it is stored or shown.
macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text that stands for it in the database, the API and the docs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the text back; `None` for any other.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use closed_set;

pub mod abuse;
pub mod assurance;
pub mod audit;
pub mod budget;
pub mod call;
pub mod case;
pub mod content;
pub mod erasure;
pub mod event;
pub mod export;
pub mod interaction;
pub mod keyword;
pub mod media;
pub mod message;
pub mod moderation;
pub mod number_move;
pub mod oidc;
pub mod opening;
pub mod opt_out;
pub mod phone;
pub mod policy;
pub mod pool;
pub mod price;
pub mod rate;
pub mod recording;
pub mod redact;
pub mod report;
pub mod retention;
pub mod route;
pub mod segments;
pub mod sender;
pub mod session;
pub mod staff;
pub mod time;
pub mod verification;
