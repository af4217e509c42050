//! What the console says where a session, its rules or its marketplace stood in the way.

use super::{BOTH, CALLER, MARKETPLACE, NOBODY, OPERATOR, Told, why};
use crate::domain::interaction::{Kind, Reason};

/// The session or its rules stood in the way.
#[expect(clippy::too_many_lines, reason = "one table, each reason in two languages")]
pub(super) const fn not_put_through(reason: Reason, kind: Kind) -> Told {
    match reason {
        Reason::UnknownCaller => why(
            ["Not in a session on this number", "Dans aucune session sur ce numéro"],
            [
                "The phone that called or wrote is in no session on this number: another phone than \
                 the one that the marketplace knows, or a number of an older contact.",
                "Le téléphone qui a appelé ou écrit n’est dans aucune session sur ce numéro : ce n’est \
                 pas celui que connaît la place de marché, ou le numéro est celui d’un ancien contact.",
            ],
            CALLER,
            [
                "Ask which phone they used. They must use the one that they gave the marketplace, and \
                 the number that it shows them for this contact.",
                "Demandez-lui quel téléphone a servi. Il faut celui qui a été donné à la place de \
                 marché, et le numéro qu’elle affiche pour ce contact.",
            ],
        ),
        Reason::WithheldCaller => why(
            ["The caller hid their number", "L’appelant a masqué son numéro"],
            [
                "The phone withheld its number, so nobody can tell which session was meant.",
                "Le téléphone n’a pas transmis son numéro : impossible de savoir quelle session était \
                 visée.",
            ],
            CALLER,
            [
                "Ask them to show their number (caller ID) and to try again.",
                "Demandez-lui d’afficher son numéro et de réessayer.",
            ],
        ),
        Reason::SessionClosed => why(
            ["The session was closed", "La session était fermée"],
            [
                "It came when the session was over already.",
                "La session était déjà terminée à ce moment-là.",
            ],
            MARKETPLACE,
            [
                "If the two still need each other, the marketplace can reopen the session.",
                "Si les deux personnes ont encore besoin de se joindre, la place de marché peut rouvrir \
                 la session.",
            ],
        ),
        Reason::SessionExpired => why(
            ["The session’s time was up", "La durée de la session était écoulée"],
            [
                "It came when the session had run out.",
                "La session avait déjà expiré à ce moment-là.",
            ],
            MARKETPLACE,
            [
                "If the two still need each other, the marketplace can reopen or extend the session.",
                "Si les deux personnes ont encore besoin de se joindre, la place de marché peut rouvrir \
                 ou prolonger la session.",
            ],
        ),
        Reason::SessionSuspended => why(
            [
                "The session is on hold since a restore",
                "La session est suspendue depuis une restauration",
            ],
            [
                "The database was put back from a copy. Whether this session was closed after the \
                 copy was made is not known, so nobody is put through.",
                "La base de données a été restaurée depuis une copie. On ignore si cette session a été \
                 fermée après la copie : personne n’est donc mis en relation.",
            ],
            MARKETPLACE,
            [
                "The marketplace must say whether the session was still open: resume it, or close it.",
                "La place de marché doit dire si la session était encore ouverte : la reprendre, ou la \
                 fermer.",
            ],
        ),
        Reason::Blocked => why(
            ["Blocked", "Bloqué"],
            [
                "One of the two has blocked the other, or staff has.",
                "L’une des deux personnes a bloqué l’autre, ou l’équipe l’a fait.",
            ],
            NOBODY,
            [
                "The block works as it should. Only whoever set it may have it lifted.",
                "Le blocage fonctionne comme prévu. Seule la personne qui l’a posé peut le faire lever.",
            ],
        ),
        Reason::ModeNotAllowed => match kind {
            Kind::Call => why(
                ["This session is for texts only", "Cette session est réservée aux SMS"],
                [
                    "The marketplace opened it without calls.",
                    "La place de marché l’a ouverte sans les appels.",
                ],
                CALLER,
                [
                    "Ask them to write a text to the same number.",
                    "Demandez-lui d’écrire un SMS au même numéro.",
                ],
            ),
            Kind::Message => why(
                ["This session is for calls only", "Cette session est réservée aux appels"],
                [
                    "The marketplace opened it without texts.",
                    "La place de marché l’a ouverte sans les SMS.",
                ],
                CALLER,
                ["Ask them to call the same number.", "Demandez-lui d’appeler le même numéro."],
            ),
        },
        Reason::NoPartner => why(
            ["Nobody is on the other side", "Il n’y a personne en face"],
            [
                "The other person has left the session, or was never added.",
                "L’autre personne a quitté la session, ou n’y a jamais été ajoutée.",
            ],
            MARKETPLACE,
            [
                "The marketplace must add the other person to the session.",
                "La place de marché doit ajouter l’autre personne à la session.",
            ],
        ),
        Reason::Loop => why(
            ["It came from one of our own numbers", "L’origine est l’un de nos propres numéros"],
            [
                "One proxy number reached another: a phone forwards its calls or texts to it.",
                "Un numéro relais en a joint un autre : un téléphone y renvoie ses appels ou ses SMS.",
            ],
            BOTH,
            [
                "Ask both to look at the forwarding on their phones and to switch it off for this.",
                "Demandez aux deux de vérifier les renvois sur leur téléphone et de les désactiver pour \
                 ce contact.",
            ],
        ),
        _ => why(
            ["The number is in use by nobody", "Personne n’utilise ce numéro"],
            [
                "The number that was dialled belongs to no account.",
                "Le numéro composé n’appartient à aucun compte.",
            ],
            OPERATOR,
            [
                "If it should be yours, the operator must import it.",
                "S’il devrait être à vous, l’exploitant doit l’importer.",
            ],
        ),
    }
}

/// The marketplace was asked.
pub(super) const fn not_let_through(reason: Reason) -> Told {
    match reason {
        Reason::Intercepted => why(
            [
                "The marketplace did not let it through",
                "La place de marché ne l’a pas laissé passer",
            ],
            [
                "The service asks the marketplace about each call and text, and it said no.",
                "Le service interroge la place de marché pour chaque appel et chaque SMS, et elle a dit \
                 non.",
            ],
            MARKETPLACE,
            [
                "Ask the marketplace why its intercept callback answered 403.",
                "Demandez à la place de marché pourquoi son rappel d’interception a répondu 403.",
            ],
        ),
        _ => why(
            ["The marketplace could not be asked", "La place de marché n’a pas pu être interrogée"],
            [
                "The service asks the marketplace about each call and text, and lets nothing through \
                 while it does not answer.",
                "Le service interroge la place de marché pour chaque appel et chaque SMS, et ne laisse \
                 rien passer tant qu’elle ne répond pas.",
            ],
            MARKETPLACE,
            [
                "The marketplace must look at its intercept callback.",
                "La place de marché doit vérifier son rappel d’interception.",
            ],
        ),
    }
}
