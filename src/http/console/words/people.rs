//! What the console says where one of the two people did something, or did not.

use super::{CALLER, MARKETPLACE, NOBODY, RECIPIENT, Told, why};
use crate::domain::interaction::Reason;

/// A word for the relay, or what came of one.
pub(super) const fn stopping(reason: Reason) -> Told {
    match reason {
        Reason::OptedOut => why(
            ["The recipient has opted out of texts", "Le destinataire a refusé les SMS"],
            [
                "The recipient sent STOP to this number, and the carrier keeps to it.",
                "Le destinataire a envoyé STOP à ce numéro, et l’opérateur s’y tient.",
            ],
            RECIPIENT,
            [
                "Ask the recipient to send START to the number that they write to.",
                "Demandez au destinataire d’envoyer START au numéro auquel il écrit.",
            ],
        ),
        Reason::RecipientOptedOut => why(
            [
                "The recipient wants no texts from this number",
                "Le destinataire ne veut pas de SMS de ce numéro",
            ],
            [
                "The recipient sent a word that stops texts, such as STOP, to a number of the \
                 marketplace, told the marketplace so, or their carrier says so. Calls go through.",
                "Le destinataire a envoyé un mot qui arrête les SMS, tel que STOP, à un numéro de la \
                 place de marché, le lui a dit, ou son opérateur l’indique. Les appels passent.",
            ],
            RECIPIENT,
            [
                "Ask the recipient to send START to the number that they have for this contact, or have \
                 the two call each other.",
                "Demandez au destinataire d’envoyer START au numéro qu’il a pour ce contact, ou faites \
                 en sorte que les deux s’appellent.",
            ],
        ),
        Reason::StopWord => why(
            [
                "A word that stops texts, or starts them again",
                "Un mot qui arrête les SMS, ou les rétablit",
            ],
            [
                "The text was nothing but such a word, as STOP or UNSTOP. It was heeded, and is not \
                 passed on.",
                "Le SMS ne contenait qu’un tel mot, comme STOP ou UNSTOP. Il a été pris en compte, et \
                 n’est pas transmis.",
            ],
            NOBODY,
            [
                "Nothing is wrong. If they want texts again, they send START to the same number.",
                "Tout est normal. Pour recevoir de nouveau des SMS, il suffit d’envoyer START au même \
                 numéro.",
            ],
        ),
        _ => why(
            ["A word for the relay", "Un mot destiné au relais"],
            [
                "The text was nothing but a word such as HELP, BLOCK, UNBLOCK or REPORT. It was heeded, \
                 and is not passed on.",
                "Le SMS ne contenait qu’un mot tel que AIDE, BLOQUER, DEBLOQUER ou SIGNALER. Il a été \
                 pris en compte, et n’est pas transmis.",
            ],
            NOBODY,
            [
                "Nothing is wrong. If they meant the other person, they write it in a sentence.",
                "Tout est normal. Si le mot s’adressait à l’autre personne, il faut l’écrire dans une \
                 phrase.",
            ],
        ),
    }
}

/// What one of the two did or did not do.
pub(super) const fn between_people(reason: Reason) -> Told {
    match reason {
        Reason::NotAccepted | Reason::NoAnswer | Reason::Busy | Reason::CallerHungUp => {
            not_taken(reason)
        }
        Reason::MediaNotSupported => why(
            [
                "Pictures and files are not relayed",
                "Les images et les fichiers ne sont pas transmis",
            ],
            [
                "The text held a picture or a file, which this service does not pass on.",
                "Le message contenait une image ou un fichier, que ce service ne transmet pas.",
            ],
            CALLER,
            [
                "Ask them to write in words, or to share the picture in the marketplace.",
                "Demandez-lui d’écrire avec des mots, ou de partager l’image sur la place de marché.",
            ],
        ),
        Reason::MediaRefused => why(
            [
                "None of its pictures or files may be passed on",
                "Aucun de ses fichiers ni aucune de ses images ne peut être transmis",
            ],
            [
                "It had no words, and what it held is of a kind that this service does not pass on, too \
                 large, damaged, or could not be fetched from the carrier.",
                "Il était sans texte, et son contenu est d’un type que ce service ne transmet pas, trop \
                 volumineux, endommagé, ou n’a pas pu être récupéré chez l’opérateur.",
            ],
            CALLER,
            [
                "Ask them to write in words, or to share the picture in the marketplace.",
                "Demandez-lui d’écrire avec des mots, ou de partager l’image sur la place de marché.",
            ],
        ),
        Reason::RecipientWithoutMedia => why(
            ["The recipient can’t get pictures", "Le destinataire ne peut pas recevoir d’images"],
            [
                "It had no words, and the recipient’s proxy number or its carrier takes no pictures and \
                 files.",
                "Il était sans texte, et le numéro relais du destinataire ou son opérateur n’accepte ni \
                 images ni fichiers.",
            ],
            MARKETPLACE,
            [
                "Numbers with “mms” at a carrier that takes pictures would do. Until then people must \
                 write in words.",
                "Il faudrait des numéros avec « mms » chez un opérateur qui accepte les images. D’ici \
                 là, il faut écrire avec des mots.",
            ],
        ),
        Reason::EmptyText => why(
            ["There was nothing in the text", "Le SMS était vide"],
            ["The text had no words.", "Le SMS ne contenait aucun mot."],
            CALLER,
            ["Ask them to write it again.", "Demandez-lui de l’écrire de nouveau."],
        ),
        _ => why(
            [
                "It held what may not be written here",
                "Il contenait ce qui ne peut pas être écrit ici",
            ],
            [
                "The service does not pass on texts with such content; the sender was told.",
                "Le service ne transmet pas les SMS avec un tel contenu ; l’expéditeur en a été averti.",
            ],
            CALLER,
            [
                "Ask them to write it without numbers, addresses, links or payment details.",
                "Demandez-lui de l’écrire sans numéros, adresses, liens ni coordonnées de paiement.",
            ],
        ),
    }
}

/// A call that rang, and what came of it.
const fn not_taken(reason: Reason) -> Told {
    match reason {
        Reason::NotAccepted => why(
            ["The call was not accepted", "L’appel n’a pas été accepté"],
            [
                "The phone was picked up and 1 was not pressed: often a voicemail.",
                "On a décroché sans appuyer sur 1 : c’est souvent une messagerie vocale.",
            ],
            CALLER,
            [
                "Ask them to call again later, or to write.",
                "Demandez-lui de rappeler plus tard, ou d’écrire.",
            ],
        ),
        Reason::NoAnswer => why(
            ["Nobody answered", "Personne n’a répondu"],
            [
                "The phone rang until the time was up.",
                "Le téléphone a sonné jusqu’au bout du délai.",
            ],
            CALLER,
            [
                "Ask them to call again later, or to write.",
                "Demandez-lui de rappeler plus tard, ou d’écrire.",
            ],
        ),
        Reason::Busy => why(
            ["Busy or declined", "Occupé ou rejeté"],
            [
                "The line was busy, or the person declined. Carriers do not say which.",
                "La ligne était occupée, ou la personne a rejeté l’appel. Les opérateurs ne précisent \
                 pas lequel des deux.",
            ],
            CALLER,
            [
                "Ask them to call again later, or to write.",
                "Demandez-lui de rappeler plus tard, ou d’écrire.",
            ],
        ),
        _ => why(
            ["The caller hung up first", "L’appelant a raccroché avant la réponse"],
            [
                "The caller ended the call while the other phone was still ringing.",
                "L’appelant a mis fin à l’appel pendant que l’autre téléphone sonnait encore.",
            ],
            NOBODY,
            [
                "Nothing is wrong; they may call again.",
                "Tout est normal ; il est possible de rappeler.",
            ],
        ),
    }
}
