//! A service's own limits, as the API shows and sets them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{input::Patch, wire::Count};
use crate::domain::abuse::{Limit, Limits};

/// Declares both forms, a member for each limit of services.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $limit:ident;)+) => {
        /// How much of what there may be; null for as much as the operator allows, and never more than that.
        #[derive(Debug, Serialize, ToSchema)]
        pub(super) struct ServiceLimits {
            $($(#[$doc])* #[schema(minimum = 1)] $name: Option<u32>,)+
        }

        /// The same, as it is set: `null` goes back to the operator's.
        #[derive(Debug, Default, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct LimitSettings {
            $(
                #[schema(value_type = Option<u32>)]
                #[serde(default)]
                $name: Patch<Count>,
            )+
        }

        impl From<&Limits> for ServiceLimits {
            fn from(limits: &Limits) -> Self {
                Self { $($name: Some(limits.get(Limit::$limit)).filter(|most| *most > 0),)+ }
            }
        }

        impl LimitSettings {
            /// Writes what was named into `limits`.
            pub(super) fn apply(&self, limits: &mut Limits) {
                $(match &self.$name {
                    Patch::Absent => {}
                    Patch::Null => limits.set(Limit::$limit, 0),
                    // More than may be set, so that it is refused as such; 0 would be none.
                    Patch::Value(most) => {
                        let most = u32::try_from(most.0).ok().filter(|most| *most > 0);
                        limits.set(Limit::$limit, most.unwrap_or(u32::MAX));
                    }
                })+
            }
        }

        #[cfg(test)]
        const NAMES: &[(&str, Limit)] = &[$((stringify!($name), Limit::$limit),)+];
    };
}

limits! {
    /// Texts of one session, both ways, in 30 seconds.
    pair_texts_per_30_seconds = PairTexts;
    /// Calls in one session in an hour.
    pair_calls_per_hour = PairCalls;
    /// Calls in one session at once.
    pair_calls_at_once = PairAtOnce;
    /// Minutes of calls in one session in a day (UTC).
    pair_call_minutes_per_day = PairMinutes;
    /// Texts that one person sends in an hour.
    person_texts_per_hour = PersonTextsHour;
    /// Texts that one person sends in a day.
    person_texts_per_day = PersonTextsDay;
    /// Calls that one person makes in an hour.
    person_calls_per_hour = PersonCallsHour;
    /// Calls that one person makes in a day.
    person_calls_per_day = PersonCallsDay;
    /// Calls that one person makes at once.
    person_calls_at_once = PersonAtOnce;
    /// Minutes of calls that one person makes in a day.
    person_call_minutes_per_day = PersonMinutes;
    /// Sessions that one person joins in an hour.
    person_sessions_per_hour = PersonSessionsHour;
    /// Sessions that one person joins in a day.
    person_sessions_per_day = PersonSessionsDay;
    /// Texts in turn, each what its side wrote before, after which a session's texts are held back.
    loop_texts = LoopTexts;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit of services is a member, under its own name.
    #[test]
    fn each_limit_is_a_member() {
        let all: Vec<_> = Limit::ALL.iter().filter(|limit| limit.of_services()).collect();
        assert_eq!(NAMES.len(), all.len());
        for (name, limit) in NAMES {
            assert_eq!(limit.as_str(), *name);
            assert!(limit.of_services(), "{name}");
        }
    }
}
