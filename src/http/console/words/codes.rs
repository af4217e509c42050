//! What carriers' error codes mean, as their own references say (read in November 2026). One that is not here is
//! shown bare: a wrong meaning would be worse than none.

use super::{Pair, say};
use crate::domain::staff::Language;

const NO_SUCH: Pair =
    ["no such number, or none that can be reached", "numéro inexistant ou injoignable"];
const OFF: Pair = [
    "the phone is off, out of reach, or no longer in use",
    "téléphone éteint, hors de portée ou plus en service",
];
const LANDLINE: Pair = ["a landline: it takes no texts", "ligne fixe : elle ne reçoit pas de SMS"];
const BARRED: Pair = [
    "the recipient’s network or phone takes none from this number",
    "le réseau ou le téléphone du destinataire n’en accepte pas de ce numéro",
];
const FILTERED: Pair =
    ["filtered as unwanted, by a carrier on the way", "filtré comme indésirable, par un opérateur"];
const OPTED_OUT: Pair = ["the recipient said STOP", "le destinataire a envoyé STOP"];
const UNREGISTERED: Pair = [
    "the sending number is not registered for texts to there",
    "le numéro d’envoi n’est pas enregistré pour les SMS vers ce pays",
];
const SENDER: Pair = [
    "the sending number is not ours there, or can’t send",
    "le numéro d’envoi n’est pas à nous chez lui, ou ne peut pas envoyer",
];
const THROTTLED: Pair = ["too many at once", "trop d’envois à la fois"];
const LOGIN: Pair = ["our login there was refused", "nos identifiants chez lui ont été refusés"];
const EXPIRED: Pair =
    ["not delivered before its time was up", "non distribué avant la fin du délai"];
const COUNTRY: Pair = ["this country is not allowed there", "ce pays n’y est pas autorisé"];
const UNKNOWN: Pair = [
    "the network gave no cause: it may work the next time",
    "le réseau n’a pas donné de cause : un nouvel essai peut aboutir",
];
const NETWORK: Pair =
    ["a fault on the way, often a passing one", "une panne en chemin, souvent passagère"];
const TOO_LONG: Pair = ["the text is too long", "le SMS est trop long"];
const BUSY: Pair = ["the line was busy", "la ligne était occupée"];
const NO_ANSWER: Pair = ["it rang and nobody answered", "cela a sonné sans réponse"];
const DECLINED: Pair = ["the call was declined", "l’appel a été rejeté"];
const CANCELLED: Pair = ["ended before an answer", "terminé avant une réponse"];
const REFUSED: Pair =
    ["refused by the recipient’s carrier", "refusé par l’opérateur du destinataire"];

/// What the code of a carrier of that kind means, where that is known.
pub(in crate::http::console) fn carrier_code(
    language: Language,
    kind: &str,
    code: &str,
) -> Option<&'static str> {
    let meaning = match kind {
        "twilio" | "signalwire" => twilio(code),
        "telnyx" => telnyx(code),
        "plivo" => plivo(code),
        "bandwidth" => bandwidth(code),
        "sinch" => sinch(code),
        "jambonz" => sip(code),
        _ => None,
    };
    meaning.map(|meaning| say(language, meaning))
}

fn twilio(code: &str) -> Option<Pair> {
    Some(match code {
        "13224" | "13225" | "21211" | "21214" | "21217" | "30005" => NO_SUCH,
        "21408" | "21612" => COUNTRY,
        "21610" => OPTED_OUT,
        "21606" | "21659" | "21660" => SENDER,
        "21614" | "21635" | "30006" => LANDLINE,
        "21617" => TOO_LONG,
        "20003" => LOGIN,
        "20429" | "30001" => THROTTLED,
        "30003" => OFF,
        "30004" => BARRED,
        "30007" => FILTERED,
        "30008" => UNKNOWN,
        "30034" => UNREGISTERED,
        _ => return None,
    })
}

fn telnyx(code: &str) -> Option<Pair> {
    Some(match code {
        "40001" | "40310" => NO_SUCH,
        "10009" => LOGIN,
        "10011" | "40011" => THROTTLED,
        "40300" => OPTED_OUT,
        "40305" | "40321" => SENDER,
        "40309" => COUNTRY,
        "40002" | "40003" => FILTERED,
        "40004" => REFUSED,
        "40005" => EXPIRED,
        "40006" => NETWORK,
        _ => return None,
    })
}

fn plivo(code: &str) -> Option<Pair> {
    Some(match code {
        "20" | "80" => NETWORK,
        "30" => FILTERED,
        "40" => SENDER,
        "50" => NO_SUCH,
        "110" => TOO_LONG,
        "200" => OPTED_OUT,
        "420" => EXPIRED,
        "450" => BARRED,
        _ => return None,
    })
}

fn bandwidth(code: &str) -> Option<Pair> {
    Some(match code {
        "4403" | "4404" | "4405" | "4406" => SENDER,
        "4432" => COUNTRY,
        "4470" | "4770" => FILTERED,
        "4482" => BARRED,
        "4702" | "4780" | "4781" | "4785" => THROTTLED,
        "4720" | "4721" => NO_SUCH,
        "4750" => REFUSED,
        "4775" => OPTED_OUT,
        "4795" => UNREGISTERED,
        "9902" | "9999" => UNKNOWN,
        _ => return None,
    })
}

fn sinch(code: &str) -> Option<Pair> {
    Some(match code {
        "402" => NO_SUCH,
        "403" | "404" => NETWORK,
        "406" => EXPIRED,
        "408" | "415" => REFUSED,
        "412" => COUNTRY,
        "413" => BARRED,
        "417" => OFF,
        _ => return None,
    })
}

/// RFC 3261 §21.
fn sip(code: &str) -> Option<Pair> {
    Some(match code {
        "404" | "410" | "484" | "604" => NO_SUCH,
        "401" | "407" => LOGIN,
        "403" => REFUSED,
        "408" => NO_ANSWER,
        "480" => OFF,
        "486" | "600" => BUSY,
        "487" => CANCELLED,
        "500" | "502" | "503" | "504" => NETWORK,
        "603" => DECLINED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code means what its own carrier says of it, in both languages; one that nobody knows is left bare.
    #[test]
    fn codes_are_their_carriers() {
        let says = |kind, code| carrier_code(Language::English, kind, code);
        assert_eq!(says("twilio", "30003"), Some(OFF[0]));
        assert_eq!(says("signalwire", "21610"), Some(OPTED_OUT[0]));
        assert_eq!(says("telnyx", "40300"), Some(OPTED_OUT[0]));
        assert_eq!(says("plivo", "200"), Some(OPTED_OUT[0]));
        assert_eq!(says("jambonz", "404"), Some(NO_SUCH[0]));
        assert_eq!(says("sinch", "404"), Some(NETWORK[0]));
        assert_eq!(says("telnyx", "30003"), None);
        assert_eq!(says("of_tomorrow", "404"), None);
        for kind in crate::carrier::KINDS {
            for code in 0..65_000 {
                let code = code.to_string();
                let english = carrier_code(Language::English, kind.name, &code);
                let french = carrier_code(Language::French, kind.name, &code);
                assert_eq!(english.is_some(), french.is_some());
                assert!(english.is_none() || english != french);
            }
        }
    }
}
