//! What the console says of what was held back: limits, countries, kinds of numbers, machines.

use super::{CALLER, MARKETPLACE, OPERATOR, Told, why};
use crate::domain::interaction::Reason;

/// What a limit, or the gate that numbers go through, means.
#[expect(clippy::too_many_lines, reason = "one table, each reason in two languages")]
pub(super) const fn held_back(reason: Reason) -> Told {
    match reason {
        Reason::MinutesSpent => why(
            ["The minutes of the day are used up", "Les minutes du jour sont épuisées"],
            [
                "The two, or the caller, have talked as long as they may in a day.",
                "Les deux personnes, ou l’appelant, ont parlé autant que permis en un jour.",
            ],
            CALLER,
            [
                "Ask them to write, or to call again tomorrow (UTC).",
                "Demandez-lui d’écrire, ou de rappeler demain (UTC).",
            ],
        ),
        Reason::CallInProgress => why(
            ["Another call goes on", "Un autre appel est en cours"],
            [
                "As many calls go on as may at once, in the session or of the caller.",
                "Il y a déjà autant d’appels en cours que permis, dans la session ou de cet appelant.",
            ],
            CALLER,
            [
                "Ask them to end the other call first. If nobody talks, it counts no longer after some \
                 minutes.",
                "Demandez-lui de terminer d’abord l’autre appel. Si personne n’y parle, il ne compte \
                 plus au bout de quelques minutes.",
            ],
        ),
        Reason::CountryNotAllowed => why(
            ["The country is not reached", "Ce pays n’est pas desservi"],
            [
                "The other side’s number is of a country that the service or this relay does not reach.",
                "Le numéro en face est d’un pays que le service ou ce relais ne dessert pas.",
            ],
            MARKETPLACE,
            [
                "Ask the marketplace to add the country to the service’s list, if people there are meant \
                 to be reached.",
                "Demandez à la place de marché d’ajouter le pays à la liste du service, si l’on doit y \
                 joindre des personnes.",
            ],
        ),
        Reason::NumberNotAllowed => why(
            ["Such numbers are never reached", "Ces numéros ne sont jamais joints"],
            [
                "The other side’s number is a premium, satellite, emergency or other number that is no \
                 person’s.",
                "Le numéro en face est surtaxé, satellite, d’urgence ou autre : ce n’est celui de \
                 personne.",
            ],
            MARKETPLACE,
            [
                "Ask the marketplace for the person’s own number.",
                "Demandez à la place de marché le propre numéro de la personne.",
            ],
        ),
        Reason::TrafficPaused => why(
            ["Traffic is held back", "Le trafic est retenu"],
            [
                "The account sent more than its limit or many times what is usual, or too much to such \
                 numbers.",
                "Le compte a envoyé plus que sa limite ou bien plus que d’habitude, ou trop vers de tels \
                 numéros.",
            ],
            OPERATOR,
            [
                "Ask the operator, or the marketplace, to look at what is sent, and to lift the pause if \
                 it is well.",
                "Demandez à l’exploitant, ou à la place de marché, d’examiner les envois, et de lever la \
                 pause si tout est normal.",
            ],
        ),
        Reason::LoopStopped => why(
            ["Two machines answered each other", "Deux automates se répondaient"],
            [
                "Both sides sent the same again and again, as automatic answers do: the session’s texts \
                 wait for a while.",
                "Les deux côtés envoyaient sans cesse la même chose, comme le font des réponses \
                 automatiques : les SMS de la session attendent un moment.",
            ],
            MARKETPLACE,
            [
                "Ask the two to switch their automatic answers off. The marketplace can lift the pause.",
                "Demandez aux deux de couper leurs réponses automatiques. La place de marché peut lever \
                 la pause.",
            ],
        ),
        _ => why(
            ["Too much in a short time", "Trop en peu de temps"],
            [
                "It was more than the limits allow in that time.",
                "C’était plus que ce que les limites permettent dans ce délai.",
            ],
            CALLER,
            [
                "Ask them to wait, and then to try again.",
                "Demandez-lui d’attendre, puis de réessayer.",
            ],
        ),
    }
}
