//! What the console says of events.

use super::{Pair, say};
use crate::domain::{event::EventKind, staff::Language};

/// What an event says happened; `None` for one that this table does not know.
pub(in crate::http::console) fn event(language: Language, kind: &str) -> Option<&'static str> {
    EventKind::parse(kind).map(|kind| say(language, told(kind)))
}

#[expect(clippy::too_many_lines, reason = "one table, a line or two for each event")]
const fn told(kind: EventKind) -> Pair {
    match kind {
        EventKind::SessionCreated => ["Session opened", "Session ouverte"],
        EventKind::SessionStarted => [
            "First contact: the session is in progress",
            "Premier contact : la session est en cours",
        ],
        EventKind::SessionUpdated => {
            ["Session changed by the marketplace", "Session modifiée par la place de marché"]
        }
        EventKind::SessionClosed => ["Session closed", "Session fermée"],
        EventKind::SessionReopened => ["Session reopened", "Session rouverte"],
        EventKind::SessionResumed => {
            ["Session resumed after a restore", "Session reprise après une restauration"]
        }
        EventKind::SessionDeleted => ["Session deleted", "Session supprimée"],
        EventKind::SessionsSuspended => {
            ["Sessions put on hold after a restore", "Sessions suspendues après une restauration"]
        }
        EventKind::SessionLooped => [
            "Two machines answered each other: texts held back",
            "Deux automates se répondaient : SMS retenus",
        ],
        EventKind::ParticipantAdded => ["Joined", "Entrée dans la session"],
        EventKind::ParticipantRemoved => ["Left", "Sortie de la session"],
        EventKind::ParticipantBlocked => ["Blocked the other side", "A bloqué l’autre côté"],
        EventKind::ParticipantUnblocked => {
            ["Lifted the block of the other side", "A levé le blocage de l’autre côté"]
        }
        EventKind::ParticipantMoved => {
            ["Dials another number from now on", "Compose désormais un autre numéro"]
        }
        EventKind::PersonOptedOut => ["Wants no more texts", "Ne veut plus de SMS"],
        EventKind::PersonOptedIn => ["Wants texts again", "Veut de nouveau des SMS"],
        EventKind::ReportCreated => ["Reported the other side", "A signalé l’autre côté"],
        EventKind::ReportResolved => ["Report decided", "Signalement tranché"],
        EventKind::MoveCompleted => {
            ["Sessions moved off a number", "Sessions déplacées vers un autre numéro"]
        }
        EventKind::MoveUndone => {
            ["Move off a number taken back", "Déplacement vers un autre numéro annulé"]
        }
        EventKind::MessageReceived => ["Text came in", "SMS reçu"],
        EventKind::MessageCreated => {
            ["Text asked for by the marketplace", "SMS demandé par la place de marché"]
        }
        EventKind::MessageRelayed => ["Carrier took the text", "SMS pris par l’opérateur"],
        EventKind::MessageDelivered => ["Phone has the text", "SMS arrivé sur le téléphone"],
        EventKind::MessageUndelivered => {
            ["Carrier could not deliver the text", "L’opérateur n’a pas pu distribuer le SMS"]
        }
        EventKind::MessageFailed => ["Text could not be sent", "Le SMS n’a pas pu être envoyé"],
        EventKind::MessageCancelled => ["Text withdrawn", "SMS retiré"],
        EventKind::MessageUnknown => [
            "Gave up: nobody knows whether it was sent",
            "Abandon : personne ne sait si l’envoi a eu lieu",
        ],
        EventKind::MediaRefused => {
            ["Pictures or files not passed on", "Images ou fichiers non transmis"]
        }
        EventKind::MessageModerated => {
            ["Text held what the service looks for", "Le SMS contenait ce que le service recherche"]
        }
        EventKind::MessageDecided => ["Flagged text decided", "SMS signalé tranché"],
        EventKind::MessageRefused => ["Text refused", "SMS refusé"],
        EventKind::CallReceived => ["Call came in", "Appel reçu"],
        EventKind::CallCreated => {
            ["Call asked for by the marketplace", "Appel demandé par la place de marché"]
        }
        EventKind::CallInitiated => ["Carrier began to ring", "L’opérateur lance la sonnerie"],
        EventKind::CallRinging => ["Phone rings", "Le téléphone sonne"],
        EventKind::CallAnswered => ["Answered", "Décroché"],
        EventKind::CallCompleted => ["Call ended", "Appel terminé"],
        EventKind::CallMissed => ["Call ended without a talk", "Appel terminé sans conversation"],
        EventKind::CallVoicemail => ["Caller left a message", "L’appelant a laissé un message"],
        EventKind::RecordingStarted => {
            ["Both agreed: recording", "Les deux ont accepté : enregistrement en cours"]
        }
        EventKind::RecordingPaused => ["Recording paused", "Enregistrement suspendu"],
        EventKind::RecordingResumed => ["Recording went on", "Enregistrement repris"],
        EventKind::RecordingStopped => {
            ["Recording ended before its call", "Enregistrement arrêté avant la fin de l’appel"]
        }
        EventKind::RecordingReady => ["Recording kept", "Enregistrement conservé"],
        EventKind::RecordingFailed => {
            ["Nothing of a recording is kept", "Rien de l’enregistrement n’est conservé"]
        }
        EventKind::CallUnknown => {
            ["Nobody knows how the call ended", "Personne ne sait comment l’appel s’est terminé"]
        }
        EventKind::CallRefused => ["Call refused", "Appel refusé"],
        EventKind::CallerUnverified => {
            ["Caller’s number not vouched for", "Numéro de l’appelant non authentifié"]
        }
        EventKind::PinLocked => [
            "Codes not listened to for a while",
            "Les codes ne sont plus acceptés pendant un moment",
        ],
        EventKind::NumberAdded => ["Proxy number added", "Numéro relais ajouté"],
        EventKind::NumberReleased => ["Proxy number given up", "Numéro relais rendu"],
        EventKind::OrderFailed => ["Number order failed", "Échec d’une commande de numéro"],
        EventKind::VerificationSent => ["Code on its way", "Code envoyé"],
        EventKind::VerificationVerified => {
            ["Code given back: number verified", "Code rendu : numéro vérifié"]
        }
        EventKind::VerificationFailed => ["Too many wrong codes", "Trop de codes faux"],
        EventKind::VerificationExpired => ["Code not given back in time", "Code non rendu à temps"],
        EventKind::BudgetNear => ["Budget comes to its end", "Budget bientôt épuisé"],
        EventKind::BudgetSpent => ["Budget spent", "Budget épuisé"],
        EventKind::TrafficPaused => ["Traffic held back", "Trafic retenu"],
        EventKind::TrafficResumed => ["Traffic goes on", "Trafic rétabli"],
        EventKind::HarvestSuspected => [
            "Somebody tries one number after the other",
            "Quelqu’un essaie les numéros l’un après l’autre",
        ],
        EventKind::EndpointDisabled => ["Endpoint switched off", "Point de terminaison désactivé"],
        EventKind::EndpointPing => ["Endpoint tried out", "Point de terminaison testé"],
    }
}
