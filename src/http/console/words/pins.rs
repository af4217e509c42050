//! What support is told of callers who were to prove who they are.

use super::{CALLER, MARKETPLACE, Told, why};
use crate::domain::interaction::Reason;

/// Nobody could be sure of who called or wrote.
pub(super) const fn not_proved(reason: Reason) -> Told {
    match reason {
        Reason::CallerUnverified => why(
            [
                "The caller’s number is not vouched for",
                "Le numéro de l’appelant n’est pas authentifié",
            ],
            [
                "The telephone network did not vouch for the number that the caller showed, and the \
                 marketplace’s service refuses such calls.",
                "Le réseau téléphonique n’a pas authentifié le numéro affiché par l’appelant, et le \
                 service de la place de marché refuse ces appels.",
            ],
            MARKETPLACE,
            [
                "If this was the right person, the marketplace can let such calls through, or have \
                 them give a code.",
                "Si c’était la bonne personne, la place de marché peut laisser passer ces appels, ou \
                 faire demander un code.",
            ],
        ),
        Reason::PinMissing => why(
            ["No code was given", "Aucun code n’a été donné"],
            [
                "Whoever called or wrote was to give their code, and gave none.",
                "L’appelant ou l’expéditeur devait donner son code, et n’en a donné aucun.",
            ],
            CALLER,
            [
                "Ask them for the code that the marketplace shows them for this contact: in a call it \
                 ends with the pound key, a text begins with it.",
                "Demandez-lui le code que la place de marché affiche pour ce contact : lors d’un appel, \
                 il se termine par la touche dièse ; un SMS commence par lui.",
            ],
        ),
        Reason::PinLocked => why(
            ["Too many codes were wrong", "Trop de codes étaient faux"],
            [
                "Codes are not listened to for a while, since too many were wrong: on this number, or \
                 from this phone.",
                "Les codes ne sont plus acceptés pendant un moment, car trop étaient faux : sur ce \
                 numéro, ou depuis ce téléphone.",
            ],
            CALLER,
            [
                "They can try again an hour later, or a day later if it happens again. Where it goes \
                 on, somebody may be guessing: tell the marketplace.",
                "Il est possible de réessayer une heure plus tard, ou un jour plus tard si cela se \
                 répète. Si cela continue, quelqu’un devine peut-être : prévenez la place de marché.",
            ],
        ),
        _ => why(
            ["The code was wrong", "Le code était faux"],
            [
                "Whoever called or wrote gave a code that means no open session of theirs here.",
                "L’appelant ou l’expéditeur a donné un code qui ne correspond ici à aucune de ses \
                 sessions ouvertes.",
            ],
            CALLER,
            [
                "Ask them to look the code up at the marketplace, and to use the phone that it knows.",
                "Demandez-lui de vérifier le code sur la place de marché, et d’utiliser le téléphone \
                 qu’elle connaît.",
            ],
        ),
    }
}
