//! What the audit log says: who did what to what, and what is wrong with a chain.

use super::{Pair, say};
use crate::{
    domain::{
        audit::{Action, ActorKind, TargetKind},
        staff::Language,
    },
    relay::ChainFault,
};

/// What was done.
pub(in crate::http::console) const fn action(language: Language, action: Action) -> &'static str {
    say(language, done(action))
}

#[expect(clippy::too_many_lines, reason = "one table, a line or two for each action")]
const fn done(action: Action) -> Pair {
    use Action as A;
    match action {
        A::AccountCreated => ["Account made", "Compte créé"],
        A::ApiKeyCreated => ["API key made", "Clé d’API créée"],
        A::ApiKeyRevoked => ["API key withdrawn", "Clé d’API révoquée"],
        A::ServiceCreated => ["Service made", "Service créé"],
        A::ServiceUpdated => ["Service changed", "Service modifié"],
        A::ServiceDeleted => ["Service deleted", "Service supprimé"],
        A::NumberAdded => ["Proxy number added", "Numéro relais ajouté"],
        A::NumberUpdated => ["Proxy number changed", "Numéro relais modifié"],
        A::NumberRetired => ["Proxy number retired", "Numéro relais retiré"],
        A::NumberOrdered => ["Proxy number ordered", "Numéro relais commandé"],
        A::NumberReleased => ["Proxy number given up", "Numéro relais rendu"],
        A::MoveBegun => {
            ["Sessions moved to other numbers", "Sessions déplacées vers d’autres numéros"]
        }
        A::MoveUndone => ["Move of sessions undone", "Déplacement de sessions annulé"],
        A::NumbersJudged => {
            ["Numbers judged by new rules", "Numéros réévalués selon de nouvelles règles"]
        }
        A::PauseLifted => ["Held-back traffic let through", "Trafic retenu libéré"],
        A::EndpointCreated => ["Endpoint made", "Point de terminaison créé"],
        A::EndpointUpdated => ["Endpoint changed", "Point de terminaison modifié"],
        A::EndpointDisabled => ["Endpoint switched off", "Point de terminaison désactivé"],
        A::EndpointKeysRotated => {
            ["Endpoint’s keys renewed", "Clés du point de terminaison renouvelées"]
        }
        A::EndpointDeleted => ["Endpoint deleted", "Point de terminaison supprimé"],
        A::EndpointResent => ["Events sent again", "Événements renvoyés"],
        A::SessionClosed => ["Session closed", "Session fermée"],
        A::SessionExtended => ["Session extended", "Session prolongée"],
        A::SessionPairBlocked => ["Pair blocked", "Paire bloquée"],
        A::SessionPairUnblocked => ["Block lifted", "Blocage levé"],
        A::SessionNumberRevealed => ["Number revealed", "Numéro révélé"],
        A::SessionTextsRead => ["Texts read", "SMS lus"],
        A::SessionNoted => ["Note added", "Note ajoutée"],
        A::SessionCaseSet => ["Case of a session set", "Dossier d’une session défini"],
        A::SessionDeleted => ["Session deleted", "Session supprimée"],
        A::SessionResumed => ["Session let go on", "Session reprise"],
        A::PinSet => ["PIN set", "Code PIN défini"],
        A::PinRemoved => ["PIN taken away", "Code PIN retiré"],
        A::InteractionDeleted => ["Call or text deleted", "Appel ou SMS supprimé"],
        A::PersonSearched => ["Person searched by number", "Personne cherchée par numéro"],
        A::PersonErased => ["Person erased", "Personne effacée"],
        A::PersonExported => ["Person’s data given out", "Données d’une personne remises"],
        A::ExportMade => ["List exported", "Liste exportée"],
        A::ExportFetched => ["Export downloaded", "Export téléchargé"],
        A::DisclosureAsked => ["Lawful disclosure asked for", "Divulgation légale demandée"],
        A::DisclosureApproved => ["Lawful disclosure approved", "Divulgation légale approuvée"],
        A::VerificationForgotten => ["Verification forgotten", "Vérification oubliée"],
        A::LegalHoldPlaced => ["Legal hold placed", "Conservation légale posée"],
        A::LegalHoldLifted => ["Legal hold lifted", "Conservation légale levée"],
        A::OptOutRecorded => ["Opt-out recorded", "Refus de SMS enregistré"],
        A::OptOutCleared => ["Opt-out cleared", "Refus de SMS levé"],
        A::ReportCreated => ["Report made", "Signalement créé"],
        A::ReportResolved => ["Report decided", "Signalement tranché"],
        A::ReportAssigned => ["Report assigned", "Signalement attribué"],
        A::ReportWordsRead => ["Report’s words read", "Contenu d’un signalement lu"],
        A::TextAssigned => ["Flagged text assigned", "SMS signalé attribué"],
        A::TextDecided => ["Flagged text decided", "SMS signalé tranché"],
        A::TextWordsRead => ["Flagged text read", "SMS signalé lu"],
        A::RecordingPaused => ["Recording paused", "Enregistrement suspendu"],
        A::RecordingResumed => ["Recording went on", "Enregistrement repris"],
        A::RecordingStopped => ["Recording ended", "Enregistrement arrêté"],
        A::StaffInvited => ["Link to the console made", "Lien vers la console créé"],
        A::StaffLoggedIn => ["Logged in", "Connexion"],
        A::StaffRefused => ["Not let in by the other login", "Refus à l’autre connexion"],
        A::StaffLoggedOut => ["Logged out", "Déconnexion"],
        A::StaffProved => ["Proved again who they are", "Identité prouvée de nouveau"],
        A::StaffLocked => {
            ["Too many wrong passwords or codes", "Trop de mots de passe ou codes faux"]
        }
        A::StaffBrowserRevoked => ["Another browser logged out", "Autre navigateur déconnecté"],
        A::StaffGranted => ["Rights given", "Droits accordés"],
        A::StaffGrantRevoked => ["Rights taken away", "Droits retirés"],
        A::StaffDisabled => ["Locked out", "Exclusion"],
        A::StaffEnabled => ["Let in again", "Réadmission"],
        A::StaffPasswordSet => ["Password set", "Mot de passe défini"],
        A::StaffPasswordExpired => ["New password forced", "Nouveau mot de passe imposé"],
        A::StaffTotpAdded => ["App added", "Application ajoutée"],
        A::StaffTotpRemoved => ["App taken away", "Application retirée"],
        A::StaffRecoveryCodesMade => ["New recovery codes", "Nouveaux codes de secours"],
        A::StaffPasskeyAdded => ["Passkey added", "Clé d’accès ajoutée"],
        A::StaffPasskeyRemoved => ["Passkey taken away", "Clé d’accès retirée"],
        A::MasterKeyRotated => ["Master key renewed", "Clé principale renouvelée"],
        A::MasterKeyUnused => ["Master key no longer used", "Clé principale inutilisée"],
        A::MasterKeyDestroyed => ["Master key destroyed", "Clé principale détruite"],
        A::ErasuresReplayed => ["Erasures done again", "Effacements rejoués"],
        A::ErasureListIgnored => {
            ["Served without the erasure list", "Service sans la liste d’effacement"]
        }
        A::DatabaseFenced => {
            ["Sessions put on hold after a restore", "Sessions suspendues après une restauration"]
        }
        A::DatabaseSettled => ["Database said to be whole", "Base déclarée intacte"],
    }
}

/// What sort of actor did it.
pub(in crate::http::console) const fn actor(language: Language, kind: ActorKind) -> &'static str {
    let words = match kind {
        ActorKind::ApiKey => ["an API key", "une clé d’API"],
        ActorKind::AuthToken => ["the account’s auth token", "le jeton du compte"],
        ActorKind::Staff => ["staff", "l’équipe"],
        ActorKind::Operator => ["an operator", "un exploitant"],
        ActorKind::Relay => ["the relay itself", "le relais lui-même"],
    };
    say(language, words)
}

/// What sort of thing it was done to.
pub(in crate::http::console) const fn target(language: Language, kind: TargetKind) -> &'static str {
    let words = match kind {
        TargetKind::Account => ["account", "compte"],
        TargetKind::ApiKey => ["API key", "clé d’API"],
        TargetKind::Service => ["service", "service"],
        TargetKind::Number => ["proxy number", "numéro relais"],
        TargetKind::NumberOrder => ["order of a number", "commande de numéro"],
        TargetKind::NumberMove => ["move of sessions", "déplacement de sessions"],
        TargetKind::TrafficPause => ["held-back traffic", "trafic retenu"],
        TargetKind::Endpoint => ["endpoint", "point de terminaison"],
        TargetKind::Session => ["session", "session"],
        TargetKind::Interaction => ["call or text", "appel ou SMS"],
        TargetKind::Erasure => ["erasure", "effacement"],
        TargetKind::Export => ["export", "export"],
        TargetKind::Disclosure => ["disclosure", "divulgation"],
        TargetKind::LegalHold => ["legal hold", "conservation légale"],
        TargetKind::OptOut => ["opt-out", "refus de SMS"],
        TargetKind::Report => ["report", "signalement"],
        TargetKind::Staff => ["staff", "équipe"],
        TargetKind::MasterKey => ["master key", "clé principale"],
        TargetKind::Database => ["database", "base de données"],
    };
    say(language, words)
}

/// What is wrong with a chain.
pub(in crate::http::console) fn fault(language: Language, fault: ChainFault) -> String {
    if language == Language::English {
        return fault.to_string();
    }
    match fault {
        ChainFault::Edited(seq) => format!("la ligne {seq} n’est pas telle qu’elle a été écrite"),
        ChainFault::Moved { seq, was } => format!("la ligne {seq} a été écrite comme ligne {was}"),
        ChainFault::Missing { from, to } if from == to => format!("la ligne {from} manque"),
        ChainFault::Missing { from, to } => format!("les lignes {from} à {to} manquent"),
        ChainFault::Truncated { from, to } => {
            format!("la fin est coupée : les lignes {from} à {to} ont disparu")
        }
        ChainFault::End(seq) => {
            format!("la dernière ligne est {seq}, et la base note une autre fin")
        }
        ChainFault::Rewritten { after, to } => format!(
            "un scellé signé nomme une autre ligne {to} : les lignes {} à {to} ont été refaites",
            after + 1
        ),
    }
}
