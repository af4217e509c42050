//! Small types of the wire: times, words of closed sets, ids, and their schemas.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::{
    carrier::provisioning,
    domain::{
        assurance, audit, content, erasure, event::EventKind, interaction, number_move, opt_out,
        phone, policy, pool::Rule, recording, report, session, time::Timestamp, verification,
    },
    ids::{
        AccountId, EndpointId, ErasureId, EventId, HoldId, InteractionId, KeyId, LegId, MoveId,
        NumberId, NumberOrderId, OptOutId, ParticipantId, PauseId, ReportId, ServiceId, SessionId,
        StaffId, VerificationId,
    },
    relay,
    store::{charges, deliveries, endpoints, interactions, legs, number_orders, numbers, pauses},
};

/// An instant: RFC 3339 in UTC, with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

impl Time {
    /// An instant that may never come.
    pub(super) fn or_never(at: Timestamp) -> Option<Self> {
        (at != Timestamp::MAX).then_some(Self(at))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = text.parse::<jiff::Timestamp>().map_err(|_| {
            D::Error::custom(
                "invalid value, expected an RFC 3339 time such as 2026-11-21T18:00:00Z",
            )
        })?;
        Ok(Self(Timestamp::from_millis(at.as_millisecond())))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339; answers are in UTC with milliseconds"))
            .examples([json!("2026-11-21T18:00:00.000Z")])
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer).map(Self)
    }
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer).map(Self)
    }
}

/// A whole number that is not negative.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    serde_json::Number::deserialize(deserializer)
        .ok()
        .and_then(|number| number.as_u64())
        .ok_or_else(|| D::Error::custom("invalid value, expected a whole number, 0 or more"))
}

impl PartialSchema for Seconds {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .description(Some("Whole seconds"))
            .into()
    }
}

impl ToSchema for Seconds {
    fn name() -> Cow<'static, str> {
        "Seconds".into()
    }
}

macro_rules! words {
    ($($name:ident = $set:ty, $about:literal;)*) => {$(
        #[doc = $about]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) struct $name(pub(super) $set);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$set>::parse(&text).map(Self).ok_or_else(|| {
                    let all: Vec<_> = <$set>::ALL.iter().map(|one| one.as_str()).collect();
                    let all = all.join(", ");
                    D::Error::custom(format!("unknown variant, expected one of {all}"))
                })
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(<$set>::ALL.iter().map(|one| one.as_str())))
                    .description(Some($about))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

/// What a number can do, by word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ability {
    Voice,
    Sms,
    Mms,
}

impl Ability {
    const ALL: &'static [Self] = &[Self::Voice, Self::Sms, Self::Mms];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Sms => "sms",
            Self::Mms => "mms",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text)
    }
}

words! {
    Capability = Ability, "What a number can do";
    ActorKind = audit::ActorKind, "What sort of actor did something";
    AuditAction = audit::Action, "What was done";
    ClosedReason = session::ClosedReason, "Why a session is closed";
    AttemptOutcome = deliveries::AttemptOutcome, "How an attempt ended";
    CarrierState = relay::CarrierState, "Whether a carrier is sent to: one at a time while half open";
    GroupBy = charges::GroupBy, "By what usage is summed";
    PriceSource = charges::PriceSource, "Who says what it cost: its carrier, or the table of the settings";
    DeliveryState = deliveries::DeliveryState, "How far a delivery has come";
    DisabledReason = endpoints::DisabledReason, "Why an endpoint was switched off";
    EndpointKind = endpoints::EndpointKind, "What an endpoint gets";
    EventType = EventKind, "What happened";
    Resend = relay::Resend, "Which deliveries are owed again";
    Direction = legs::Direction, "Which way a leg goes";
    GeoMatch = policy::GeoMatch, "How near to a person's own number the proxy number must be";
    Kind = interaction::Kind, "A text or a call";
    Mode = session::Mode, "What a session relays";
    ErasureState = erasure::ErasureState, "How far the erasure of a person has come";
    MoveReason = number_move::Why, "Why sessions leave a number";
    MoveState = number_move::MoveState, "How far a move has come";
    AtCarrier = relay::AtCarrier, "What becomes of a number at its carrier once it has left the pool";
    NumberKind = provisioning::NumberKind, "What sort of number it is";
    NumberWant = provisioning::Want, "What a carrier wants before it sells a number";
    OrderFailure = number_orders::OrderFailure, "Why it can't be done";
    OrderKind = number_orders::OrderKind, "What is to be done about a number";
    OrderState = number_orders::OrderState, "How far it has come";
    NumberState = numbers::NumberState, "Whether a number is given to new sessions";
    Origin = interactions::Origin, "Who began it: a person, or the marketplace by this API";
    OutOfSession = policy::OutOfSession, "What somebody hears who calls where no session is";
    Outcome = interaction::Outcome, "How it ended; set once";
    PauseScope = pauses::PauseScope, "What is held back";
    PauseWhy = pauses::PauseWhy, "Why it is held back";
    PoolRule = Rule, "A rule that narrows the pool";
    Registration = phone::Registration, "Whether a number under +1 is registered for texts";
    Reason = interaction::Reason, "Why it ended so";
    IdentifierCheck = phone::Strictness, "How sure we must be that a person's number exists";
    Attestation = assurance::Attestation, "What the network says of the number that a caller shows";
    Treatment = assurance::Treatment, "What becomes of a call by what the network says of its caller";
    PinUse = assurance::PinUse, "What a PIN opens";
    StopWords = opt_out::StopWords, "What becomes of the words by which people stop texts";
    OptOutScope = opt_out::Scope, "What somebody wants no texts from";
    OptOutSource = opt_out::Source, "Who said so: the person by a text, their carrier, or you by API";
    ReportCategory = report::Category, "What is reported";
    ReportDecision = report::Decision, "What was decided";
    ReportSource = report::Source, "Whether you made it by API, or the person by a text";
    ReportState = report::State, "Whether it was decided";
    ContentAction = content::ContentAction, "What becomes of a text that holds something of a kind";
    ContentFate = content::Fate, "What became of a text in which something was found";
    ContentKind = content::ContentKind, "What may be found in a text";
    MediaRule = policy::MediaRule, "Which pictures and files of texts are passed on";
    OnInterceptFailure = policy::OnInterceptFailure, "What becomes of a call or text while the marketplace can't be asked";
    KeyScope = relay::Scope, "What an API key may do";
    Selection = policy::Selection, "Which number a person gets for counterparts had before";
    StepState = number_move::StepState, "What became of a participant in a move";
    State = session::State, "Where a session is in its life";
    RecordingRule = policy::RecordingRule, "Whether calls are recorded";
    RecordingState = recording::RecordingState, "How far a recording has come";
    RecordingLoss = recording::RecordingLoss, "Why nothing of a recording is kept";
    VerificationChannel = verification::Channel, "How a code is sent";
    VerificationStatus = verification::Status, "How far a verification has come";
    TeamRing = policy::TeamRing, "In which order the members of a team are rung";
}

macro_rules! ids {
    ($($id:ty = $name:literal, $prefix:literal;)*) => {$(
        impl PartialSchema for $id {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "[0-9a-f]{32}$")))
                    .examples([json!(concat!($prefix, "019343fd1c3a7e63a1c0bb0f3e9a1d52"))])
                    .into()
            }
        }

        impl ToSchema for $id {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

ids! {
    AccountId = "AccountId", "AC";
    ServiceId = "ServiceId", "KS";
    SessionId = "SessionId", "KC";
    ParticipantId = "ParticipantId", "KP";
    InteractionId = "InteractionId", "KI";
    NumberId = "NumberId", "PN";
    NumberOrderId = "NumberOrderId", "NO";
    LegId = "LegId", "LG";
    EventId = "EventId", "EV";
    EndpointId = "EndpointId", "EP";
    KeyId = "KeyId", "AK";
    MoveId = "MoveId", "MV";
    ErasureId = "ErasureId", "ER";
    VerificationId = "VerificationId", "VE";
    HoldId = "HoldId", "LH";
    OptOutId = "OptOutId", "OO";
    ReportId = "ReportId", "RP";
    PauseId = "PauseId", "TP";
    StaffId = "StaffId", "ST";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ms: i64) -> String {
        serde_json::to_string(&Time(Timestamp::from_millis(ms))).unwrap()
    }

    /// Three decimals always, in UTC, whatever was given; beyond the calendar the last instant.
    #[test]
    fn times_have_one_form() {
        assert_eq!(shown(1_795_284_000_000), "\"2026-11-21T18:00:00.000Z\"");
        assert_eq!(shown(0), "\"1970-01-01T00:00:00.000Z\"");
        assert!(shown(i64::MAX - 1).starts_with("\"9999-"));
        let read: Time = serde_json::from_str("\"2026-11-21T19:00:00+01:00\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"2026-11-21T18:00:00.000Z\"");
        assert!(serde_json::from_str::<Time>("\"tomorrow\"").is_err());
        assert!(serde_json::from_str::<Time>("17").is_err());
    }

    /// A word of the set reads back; another is refused with all that is allowed.
    #[test]
    fn words_are_closed() {
        let mode: Mode = serde_json::from_str("\"voice-only\"").unwrap();
        assert_eq!(serde_json::to_string(&mode).unwrap(), "\"voice-only\"");
        let error = serde_json::from_str::<Mode>("\"telepathy\"").unwrap_err().to_string();
        assert!(error.contains("expected one of voice-and-message, voice-only"), "{error}");
        assert!(!error.contains("telepathy"));
    }
}
