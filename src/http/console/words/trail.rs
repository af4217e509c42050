//! What the console says of the way of a call or text: who did what, and what phones showed.

use super::{Pair, say};
use crate::{
    domain::{
        content::{ContentKind, Fate},
        event::EventKind,
        interaction::Kind,
        recording::{RecordingLoss, RecordingState},
        staff::Language,
    },
    relay::HeardKind,
    store::{
        media::{MediaState, Purpose},
        outbox::{OutboxKind, OutboxState},
    },
};

/// Whose step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::console) enum Stage {
    /// A carrier told us.
    Webhook,
    /// We decided.
    Decision,
    /// We asked a carrier.
    Request,
    /// A carrier answered that.
    Answer,
    /// A carrier told how it went on.
    Receipt,
}

impl Stage {
    /// Where an event belongs.
    pub(in crate::http::console) fn of(kind: &str) -> Self {
        use EventKind as E;
        match EventKind::parse(kind) {
            Some(E::MessageRelayed | E::MessageFailed | E::MessageUnknown | E::CallInitiated) => {
                Self::Answer
            }
            Some(
                E::MessageDelivered
                | E::MessageUndelivered
                | E::CallRinging
                | E::CallAnswered
                | E::CallCompleted
                | E::CallMissed
                | E::CallVoicemail
                | E::CallUnknown
                | E::RecordingStarted
                | E::RecordingPaused
                | E::RecordingResumed
                | E::RecordingStopped
                | E::RecordingReady
                | E::RecordingFailed,
            ) => Self::Receipt,
            _ => Self::Decision,
        }
    }
}

/// Who did it, and to whom.
pub(in crate::http::console) const fn stage(language: Language, stage: Stage) -> &'static str {
    say(
        language,
        match stage {
            Stage::Webhook => ["Carrier’s webhook", "Webhook de l’opérateur"],
            Stage::Decision => ["Decision", "Décision"],
            Stage::Request => ["Our request", "Notre demande"],
            Stage::Answer => ["Carrier’s answer", "Réponse de l’opérateur"],
            Stage::Receipt => ["Carrier’s report", "Compte rendu de l’opérateur"],
        },
    )
}

/// What a carrier told us first.
pub(in crate::http::console) const fn told_us(language: Language, kind: Kind) -> &'static str {
    say(
        language,
        match kind {
            Kind::Call => ["told us of the call", "nous a annoncé l’appel"],
            Kind::Message => ["handed us the text", "nous a remis le SMS"],
        },
    )
}

/// What we owed a carrier.
pub(in crate::http::console) const fn request(
    language: Language,
    kind: OutboxKind,
) -> &'static str {
    say(
        language,
        match kind {
            OutboxKind::Message => ["Send the text", "Envoyer le SMS"],
            OutboxKind::Call => ["Place the call", "Passer l’appel"],
            OutboxKind::EndCall => ["End the call", "Terminer l’appel"],
            OutboxKind::FetchRecording => ["Fetch what was recorded", "Récupérer l’enregistrement"],
            OutboxKind::DropRecording => ["Delete what was recorded", "Supprimer l’enregistrement"],
            OutboxKind::DropRecord => {
                ["Delete the carrier’s own record", "Supprimer la trace chez l’opérateur"]
            }
            OutboxKind::Record => ["Steer the recording", "Piloter l’enregistrement"],
        },
    )
}

/// How far a request has come, where that needs saying.
pub(in crate::http::console) const fn request_state(
    language: Language,
    state: OutboxState,
) -> Option<&'static str> {
    match state {
        OutboxState::Ready => Some(language.say("not done yet", "pas encore faite")),
        OutboxState::Sending => Some(language.say("under way", "en cours")),
        OutboxState::Done => None,
        OutboxState::Parked => Some(language.say("set aside", "mise de côté")),
    }
}

/// What a caller heard in the end.
pub(in crate::http::console) const fn heard(
    language: Language,
    kind: HeardKind,
    said: bool,
) -> &'static str {
    say(
        language,
        match (kind, said) {
            (HeardKind::Busy, _) => ["heard the busy tone", "a entendu la tonalité d’occupation"],
            (HeardKind::Declined, _) => [
                "was turned away unanswered, as their network words it",
                "a été écarté sans réponse, avec le message de son réseau",
            ],
            (HeardKind::Ended, true) => [
                "heard our message, and the call ended",
                "a entendu notre message, puis l’appel s’est terminé",
            ],
            (HeardKind::Ended, false) => ["heard the call end", "a entendu l’appel se terminer"],
            (HeardKind::Rings, true) => {
                ["heard our message, and then ringing", "a entendu notre message, puis la sonnerie"]
            }
            (HeardKind::Rings, false) => ["heard ringing", "a entendu la sonnerie"],
            (HeardKind::Keys, _) => {
                ["was asked to press keys, for a code", "a été invité à taper un code"]
            }
            (HeardKind::Records, _) => [
                "heard a greeting and a tone, to leave a message",
                "a entendu une annonce et un bip, pour laisser un message",
            ],
            (HeardKind::GoesOn, _) => [
                "heard what the marketplace wrote for such calls",
                "a entendu ce que la place de marché a écrit pour ces appels",
            ],
        },
    )
}

/// What became of a text that held something the service looks for, as its recipient saw it.
pub(in crate::http::console) const fn fate(language: Language, fate: Fate) -> &'static str {
    match fate {
        Fate::Flagged => language.say("the whole text", "le SMS entier"),
        Fate::Redacted => language.say("the text without", "le SMS sans"),
        Fate::Blocked => language.say("nothing: the text held", "rien : le SMS contenait"),
    }
}

/// Something that is looked for in texts.
pub(in crate::http::console) const fn content(
    language: Language,
    kind: ContentKind,
) -> &'static str {
    match kind {
        ContentKind::Phone => language.say("a telephone number", "un numéro de téléphone"),
        ContentKind::Email => language.say("an e-mail address", "une adresse électronique"),
        ContentKind::Link => language.say("a link", "un lien"),
        ContentKind::Payment => language.say("a way to pay", "un moyen de paiement"),
    }
}

/// What is known of a file or message.
pub(in crate::http::console) const fn file(
    language: Language,
    purpose: Purpose,
    state: MediaState,
) -> &'static str {
    say(
        language,
        match (purpose, state) {
            (Purpose::Voicemail, MediaState::Wanted) => [
                "A message was left; it is being fetched",
                "Un message a été laissé ; récupération en cours",
            ],
            (Purpose::Voicemail, MediaState::Kept) => {
                ["A message was left and is kept", "Un message a été laissé et conservé"]
            }
            (Purpose::Voicemail, MediaState::Refused) => [
                "A message was left and could not be kept",
                "Un message a été laissé et n’a pas pu être conservé",
            ],
            (Purpose::Recording, MediaState::Wanted) => {
                ["The recording is being fetched", "L’enregistrement est en cours de récupération"]
            }
            (Purpose::Recording, MediaState::Kept) => {
                ["The recording is kept", "L’enregistrement est conservé"]
            }
            (Purpose::Recording, MediaState::Refused) => {
                ["The recording could not be kept", "L’enregistrement n’a pas pu être conservé"]
            }
            (Purpose::File, MediaState::Wanted) => [
                "A picture or file is being fetched",
                "Une image ou un fichier est en cours de récupération",
            ],
            (Purpose::File, MediaState::Kept) => {
                ["A picture or file was passed on", "Une image ou un fichier a été transmis"]
            }
            (Purpose::File, MediaState::Refused) => [
                "A picture or file was not passed on",
                "Une image ou un fichier n’a pas été transmis",
            ],
        },
    )
}

/// How far the recording of a call has come.
pub(in crate::http::console) const fn recording(
    language: Language,
    state: RecordingState,
) -> &'static str {
    say(
        language,
        match state {
            RecordingState::Asked => ["People are asked", "Les personnes sont interrogées"],
            RecordingState::Declined => {
                ["Somebody did not agree: nothing is recorded", "Refus : rien n’est enregistré"]
            }
            RecordingState::Starting => ["It is about to begin", "Il va commencer"],
            RecordingState::Recording => ["It runs", "Il est en cours"],
            RecordingState::Pausing => ["It is about to pause", "Il va être suspendu"],
            RecordingState::Paused => ["It is paused", "Il est suspendu"],
            RecordingState::Resuming => ["It is about to go on", "Il va reprendre"],
            RecordingState::Stopping => ["It is about to end", "Il va se terminer"],
            RecordingState::Stopped => {
                ["It is over; its file is on its way", "Il est terminé ; son fichier arrive"]
            }
            RecordingState::Ready => ["It is kept", "Il est conservé"],
            RecordingState::Failed => ["Nothing of it is kept", "Rien n’en est conservé"],
        },
    )
}

/// Why nothing of a recording is kept.
pub(in crate::http::console) const fn loss(
    language: Language,
    loss: RecordingLoss,
) -> &'static str {
    say(language, lost(loss))
}

const fn lost(loss: RecordingLoss) -> Pair {
    match loss {
        RecordingLoss::NotStarted => [
            "it did not begin: the call had ended, or the carrier refused",
            "il n’a pas commencé : l’appel était terminé, ou l’opérateur a refusé",
        ],
        RecordingLoss::PauseUnconfirmed => {
            ["the carrier did not confirm a pause", "l’opérateur n’a pas confirmé une pause"]
        }
        RecordingLoss::StopUnconfirmed => {
            ["the carrier did not confirm its end", "l’opérateur n’a pas confirmé l’arrêt"]
        }
        RecordingLoss::NotConnected => [
            "whoever agreed had gone before the two were connected",
            "la personne d’accord était partie avant la mise en relation",
        ],
        RecordingLoss::SessionDeleted => ["its session was deleted", "sa session a été supprimée"],
        RecordingLoss::Erased => {
            ["somebody of its session was erased", "une personne de sa session a été effacée"]
        }
        RecordingLoss::Lost => [
            "the carrier told of no file, or did not give it out",
            "l’opérateur n’a pas annoncé de fichier, ou ne l’a pas remis",
        ],
        RecordingLoss::Unusable => [
            "what the carrier gave out is no sound, or too long",
            "ce que l’opérateur a remis n’est pas un son, ou est trop long",
        ],
    }
}
