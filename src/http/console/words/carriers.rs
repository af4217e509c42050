//! What the console says where a carrier, or our way to it, stood in the way.

use super::{CALLER, MARKETPLACE, OPERATOR, RECIPIENT, Told, why};
use crate::domain::interaction::Reason;

/// A carrier, or our way to it.
#[expect(clippy::too_many_lines, reason = "one table, each reason in two languages")]
pub(super) const fn on_the_way(reason: Reason) -> Told {
    match reason {
        Reason::CarrierRejected | Reason::CarrierConfig | Reason::BudgetSpent | Reason::Parked => {
            for_the_operator(reason)
        }
        Reason::InvalidNumber => why(
            [
                "The recipient’s number can’t be reached",
                "Le numéro du destinataire est injoignable",
            ],
            [
                "The carrier says that the number does not exist, or can’t take this: a landline takes \
                 no texts.",
                "L’opérateur indique que le numéro n’existe pas, ou ne peut pas recevoir cela : une \
                 ligne fixe ne reçoit pas de SMS.",
            ],
            MARKETPLACE,
            [
                "The marketplace must ask the recipient for a number that works.",
                "La place de marché doit demander au destinataire un numéro valide.",
            ],
        ),
        Reason::CarrierUnreachable => why(
            ["The carrier could not be reached", "L’opérateur n’a pas pu être joint"],
            [
                "The carrier did not answer until the time was up.",
                "L’opérateur n’a pas répondu dans le délai.",
            ],
            CALLER,
            [
                "Ask them to send it again. If it lasts, tell the operator.",
                "Demandez-lui de recommencer. Si cela dure, prévenez l’exploitant.",
            ],
        ),
        Reason::CarrierUnknown => why(
            ["The carrier’s answer was lost", "La réponse de l’opérateur s’est perdue"],
            [
                "The connection broke before the carrier answered, and asking the carrier did not tell. \
                 It is not sent on a guess, so that nobody gets it twice.",
                "La connexion s’est coupée avant la réponse de l’opérateur, et l’interroger n’a rien \
                 donné. On ne renvoie pas au hasard, pour que personne ne le reçoive deux fois.",
            ],
            RECIPIENT,
            [
                "Ask the recipient whether it came. If not, it may be sent again.",
                "Demandez au destinataire s’il l’a reçu. Sinon, l’envoi peut être refait.",
            ],
        ),
        Reason::Undelivered => why(
            ["The carrier could not deliver it", "L’opérateur n’a pas pu le distribuer"],
            [
                "The phone was off for too long, is full, or its network filtered the text.",
                "Le téléphone est resté éteint trop longtemps, sa mémoire est pleine, ou son réseau a \
                 filtré le SMS.",
            ],
            RECIPIENT,
            [
                "Ask the recipient to switch the phone on, then have the text sent again. With a \
                 carrier’s code that repeats, tell the operator.",
                "Demandez au destinataire d’allumer son téléphone, puis faites renvoyer le SMS. Si le \
                 même code d’opérateur revient, prévenez l’exploitant.",
            ],
        ),
        Reason::TooLate => why(
            ["Its time ran out", "Le délai est dépassé"],
            [
                "It could not be sent while it was still worth sending.",
                "L’envoi n’a pas pu se faire tant qu’il avait encore un sens.",
            ],
            CALLER,
            ["Ask them to send it again.", "Demandez-lui de l’envoyer de nouveau."],
        ),
        _ => why(
            ["The carrier did not tell us in time", "L’opérateur ne nous a pas prévenus à temps"],
            [
                "The carrier’s message about it never came. Its list of calls and texts told us later, \
                 when it could not be put through any more.",
                "L’avis de l’opérateur n’est jamais arrivé. Sa liste d’appels et de SMS nous l’a appris \
                 plus tard, quand il n’était plus possible de donner suite.",
            ],
            CALLER,
            [
                "Ask them to try again. If it repeats, tell the operator.",
                "Demandez-lui de réessayer. Si cela se répète, prévenez l’exploitant.",
            ],
        ),
    }
}

/// What nobody but the operator can mend.
const fn for_the_operator(reason: Reason) -> Told {
    match reason {
        Reason::CarrierRejected => why(
            ["The carrier refused it", "L’opérateur l’a refusé"],
            [
                "The carrier would not take it. Its code, if it gave one, is in the details.",
                "L’opérateur n’en a pas voulu. Son code, s’il en a donné un, est dans les détails.",
            ],
            OPERATOR,
            [
                "Pass the carrier’s code and id on. If others are refused as well, it is urgent.",
                "Transmettez le code et l’identifiant de l’opérateur. Si d’autres sont refusés aussi, \
                 c’est urgent.",
            ],
        ),
        Reason::CarrierConfig => why(
            [
                "Our account at the carrier is set up wrongly",
                "Notre compte chez l’opérateur est mal configuré",
            ],
            [
                "The carrier refused our credentials or settings, or the two numbers are at different \
                 carriers.",
                "L’opérateur a refusé nos identifiants ou nos réglages, ou les deux numéros sont chez \
                 des opérateurs différents.",
            ],
            OPERATOR,
            [
                "Tell the operator at once: more will fail until it is mended.",
                "Prévenez l’exploitant sans attendre : d’autres échoueront tant que ce n’est pas réparé.",
            ],
        ),
        Reason::BudgetSpent => why(
            ["What may be spent is spent", "Le budget est épuisé"],
            [
                "A budget of the carrier, or of the account, has nothing left for today or this month.",
                "Un budget de l’opérateur, ou du compte, n’a plus rien pour aujourd’hui ou pour ce mois.",
            ],
            OPERATOR,
            [
                "Ask the operator whether the budget is to be raised.",
                "Demandez à l’exploitant si le budget doit être relevé.",
            ],
        ),
        _ => why(
            ["Set aside", "Mis de côté"],
            [
                "Sending it stopped our worker too often, so it was put aside.",
                "L’envoi a interrompu trop souvent notre traitement : il a été mis de côté.",
            ],
            OPERATOR,
            [
                "Tell the operator: this is a fault of the relay.",
                "Prévenez l’exploitant : c’est un défaut du relais.",
            ],
        ),
    }
}
