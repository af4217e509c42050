//! The words of four languages by which numbers, addresses and their kinds are said: data.
//!
//! All of them are as [`super::fold`] leaves them: lower-case, without accents, `ß` as `ss`.

/// A language, as a bit: what is composed must be of one.
pub(super) type Languages = u8;
pub(super) const EN: Languages = 1;
pub(super) const FR: Languages = 2;
pub(super) const ES: Languages = 4;
pub(super) const DE: Languages = 8;

/// What a word says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A value under a thousand.
    Value(u32, Languages),
    /// Times a hundred.
    Hundred(Languages),
    /// A thousand or more: a quantity, never a part of a telephone number.
    Big,
    /// What joins tens and units.
    And(Languages),
    /// The next digit so often.
    Times(usize),
}

/// Numbers in words.
const NUMBERS: &[(&str, Said)] = {
    use Said::{And, Big, Hundred, Times, Value};
    &[
        ("zero", Value(0, EN | FR)), ("nought", Value(0, EN)), ("naught", Value(0, EN)),
        ("one", Value(1, EN)), ("two", Value(2, EN)), ("three", Value(3, EN)), ("four", Value(4, EN)),
        ("five", Value(5, EN)), ("six", Value(6, EN | FR)), ("seven", Value(7, EN)),
        ("eight", Value(8, EN)), ("nine", Value(9, EN)), ("niner", Value(9, EN)),
        ("ten", Value(10, EN)), ("eleven", Value(11, EN)), ("twelve", Value(12, EN)),
        ("thirteen", Value(13, EN)), ("fourteen", Value(14, EN)), ("fifteen", Value(15, EN)),
        ("sixteen", Value(16, EN)), ("seventeen", Value(17, EN)), ("eighteen", Value(18, EN)),
        ("nineteen", Value(19, EN)), ("twenty", Value(20, EN)), ("thirty", Value(30, EN)),
        ("forty", Value(40, EN)), ("fourty", Value(40, EN)), ("fifty", Value(50, EN)),
        ("sixty", Value(60, EN)), ("seventy", Value(70, EN)), ("eighty", Value(80, EN)),
        ("ninety", Value(90, EN)), ("hundred", Hundred(EN)), ("thousand", Big), ("million", Big),
        ("and", And(EN)), ("double", Times(2)), ("triple", Times(3)), ("treble", Times(3)),
        ("un", Value(1, FR)), ("une", Value(1, FR)), ("deux", Value(2, FR)), ("trois", Value(3, FR)),
        ("quatre", Value(4, FR)), ("cinq", Value(5, FR)), ("sept", Value(7, FR)),
        ("huit", Value(8, FR)), ("neuf", Value(9, FR)), ("dix", Value(10, FR)),
        ("onze", Value(11, FR)), ("douze", Value(12, FR)), ("treize", Value(13, FR)),
        ("quatorze", Value(14, FR)), ("quinze", Value(15, FR)), ("seize", Value(16, FR)),
        ("vingt", Value(20, FR)), ("vingts", Value(20, FR)), ("trente", Value(30, FR)),
        ("quarante", Value(40, FR)), ("cinquante", Value(50, FR)), ("soixante", Value(60, FR)),
        ("septante", Value(70, FR)), ("huitante", Value(80, FR)), ("octante", Value(80, FR)),
        ("nonante", Value(90, FR)), ("cent", Hundred(FR)), ("cents", Hundred(FR)), ("mille", Big),
        ("et", And(FR)),
        ("cero", Value(0, ES)), ("uno", Value(1, ES)), ("una", Value(1, ES)), ("dos", Value(2, ES)),
        ("tres", Value(3, ES)), ("cuatro", Value(4, ES)), ("cinco", Value(5, ES)),
        ("seis", Value(6, ES)), ("siete", Value(7, ES)), ("ocho", Value(8, ES)),
        ("nueve", Value(9, ES)), ("diez", Value(10, ES)), ("once", Value(11, ES)),
        ("doce", Value(12, ES)), ("trece", Value(13, ES)), ("catorce", Value(14, ES)),
        ("quince", Value(15, ES)), ("dieciseis", Value(16, ES)), ("diecisiete", Value(17, ES)),
        ("dieciocho", Value(18, ES)), ("diecinueve", Value(19, ES)), ("veinte", Value(20, ES)),
        ("veintiuno", Value(21, ES)), ("veintidos", Value(22, ES)), ("veintitres", Value(23, ES)),
        ("veinticuatro", Value(24, ES)), ("veinticinco", Value(25, ES)),
        ("veintiseis", Value(26, ES)), ("veintisiete", Value(27, ES)),
        ("veintiocho", Value(28, ES)), ("veintinueve", Value(29, ES)), ("treinta", Value(30, ES)),
        ("cuarenta", Value(40, ES)), ("cincuenta", Value(50, ES)), ("sesenta", Value(60, ES)),
        ("setenta", Value(70, ES)), ("ochenta", Value(80, ES)), ("noventa", Value(90, ES)),
        ("cien", Value(100, ES)), ("ciento", Value(100, ES)), ("doscientos", Value(200, ES)),
        ("trescientos", Value(300, ES)), ("cuatrocientos", Value(400, ES)),
        ("quinientos", Value(500, ES)), ("seiscientos", Value(600, ES)),
        ("setecientos", Value(700, ES)), ("ochocientos", Value(800, ES)),
        ("novecientos", Value(900, ES)), ("mil", Big), ("y", And(ES)), ("doble", Times(2)),
        ("null", Value(0, DE)), ("eins", Value(1, DE)), ("ein", Value(1, DE)),
        ("zwei", Value(2, DE)), ("zwo", Value(2, DE)), ("drei", Value(3, DE)),
        ("vier", Value(4, DE)), ("funf", Value(5, DE)), ("fuenf", Value(5, DE)),
        ("sechs", Value(6, DE)), ("sieben", Value(7, DE)), ("acht", Value(8, DE)),
        ("neun", Value(9, DE)), ("zehn", Value(10, DE)), ("elf", Value(11, DE)),
        ("zwolf", Value(12, DE)), ("zwoelf", Value(12, DE)), ("dreizehn", Value(13, DE)),
        ("vierzehn", Value(14, DE)), ("funfzehn", Value(15, DE)), ("sechzehn", Value(16, DE)),
        ("siebzehn", Value(17, DE)), ("achtzehn", Value(18, DE)), ("neunzehn", Value(19, DE)),
        ("zwanzig", Value(20, DE)), ("dreissig", Value(30, DE)), ("dreisig", Value(30, DE)),
        ("vierzig", Value(40, DE)), ("funfzig", Value(50, DE)), ("fuenfzig", Value(50, DE)),
        ("sechzig", Value(60, DE)), ("siebzig", Value(70, DE)), ("achtzig", Value(80, DE)),
        ("neunzig", Value(90, DE)), ("hundert", Hundred(DE)), ("tausend", Big), ("und", And(DE)),
        ("doppel", Times(2)), ("doppelt", Times(2)), ("zweimal", Times(2)), ("dreimal", Times(3)),
    ]
};

/// What a word says of a number, where it is such a word.
pub(super) fn number(word: &str) -> Option<Said> {
    NUMBERS.iter().find(|(text, _)| *text == word).map(|(_, said)| *said)
}

/// The longest word that is taken apart: each letter of a longer one would be looked at again.
const COMPOUND_MAX: usize = 64;

/// The same of a word that is written together of several, such as `neununddreissig`.
pub(super) fn numbers(word: &str) -> Option<Vec<Said>> {
    if let Some(said) = number(word) {
        return Some(vec![said]);
    }
    if word.len() > COMPOUND_MAX || !word.is_ascii() {
        return None;
    }
    // By the length that is read: the place of the last word of a reading, the longest word first.
    let mut read: Vec<Option<(usize, Said)>> = vec![None; word.len() + 1];
    for end in 1..=word.len() {
        for start in 0..end {
            if start > 0 && read[start].is_none() {
                continue;
            }
            if let Some(said) = number(&word[start..end]) {
                read[end] = Some((start, said));
                break;
            }
        }
    }
    let mut parts = Vec::new();
    let mut end = word.len();
    while end > 0 {
        let (start, said) = read[end]?;
        parts.push(said);
        end = start;
    }
    parts.reverse();
    Some(parts)
}

/// Words that say nothing between the groups of a number.
pub(super) const FILLERS: &[&str] = &[
    "and", "then", "next", "now", "dot", "dash", "minus", "hyphen", "slash", "space", "comma",
    "star", "underscore", "after", "finally", "last", "lastly", "et", "puis", "ensuite", "apres",
    "enfin", "tiret", "point", "virgule", "espace", "moins", "pour", "finir", "y", "luego",
    "despues", "guion", "punto", "coma", "espacio", "barra", "al", "final", "und", "dann", "danach",
    "strich", "punkt", "komma", "zum", "schluss", "die", "ahora", "encore", "nochmal",
];

/// Words for a plus before a number.
pub(super) const PLUS: &[&str] = &["plus", "mas"];

/// Words near which digits are a telephone number.
pub(super) const PHONES: &[&str] = &[
    "call", "calls", "text", "ring", "phone", "cell", "mobile", "tel", "telephone", "whatsapp",
    "wa", "signal", "viber", "telegram", "sms", "number", "num", "reach", "contact", "dial", "hit",
    "appelle", "appelez", "appeler", "appel", "portable", "numero", "joignable", "joindre", "gsm",
    "llama", "llamame", "llamar", "llame", "movil", "celular", "cel", "telefono", "escribe",
    "escribeme", "wasap", "whatsap", "contacto", "avisame", "ruf", "rufe", "rufen", "anruf",
    "anrufen", "nummer", "handy", "handynummer", "telefon", "mobil", "erreichst", "erreichbar",
];

/// Words near which digits are something else's.
pub(super) const OTHERS: &[&str] = &[
    "order", "orders", "invoice", "tracking", "ref", "reference", "serial", "imei", "isbn", "sku",
    "ticket", "booking", "confirmation", "code", "pin", "password", "parcel", "vin", "ean",
    "commande", "facture", "colis", "suivi", "serie", "reservation", "billet", "dossier", "article",
    "siret", "siren", "pedido", "factura", "seguimiento", "envio", "referencia", "reserva",
    "codigo", "articulo", "billete", "bestellung", "bestellnummer", "rechnung", "rechnungsnummer",
    "sendung", "sendungsnummer", "seriennummer", "artikelnummer", "buchung", "referenz", "paket",
];

/// What is counted or measured: a number before it is a quantity.
pub(super) const UNITS: &[&str] = &[
    "euro", "euros", "eur", "dollar", "dollars", "bucks", "usd", "pound", "pounds", "gbp", "quid",
    "chf", "centimes", "centimos", "pesos", "soles", "km", "kms", "m", "cm", "mm", "kg", "g", "l",
    "ml", "cl", "gb", "tb", "mah", "w", "min", "mins", "minutes", "minutos", "minuten", "hours",
    "heures", "horas", "stunden", "h", "am", "pm", "uhr", "miles", "millas", "pieces",
    "exemplaires", "ans", "years", "anos", "jahre", "personnes", "people", "personas", "personen",
];

/// Months: the numbers beside them are dates.
pub(super) const MONTHS: &[&str] = &[
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december", "jan", "feb", "apr", "aug", "oct", "nov", "dec", "janvier",
    "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre",
    "novembre", "decembre", "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio",
    "agosto", "septiembre", "octubre", "noviembre", "diciembre", "januar", "februar", "marz",
    "juni", "juli", "oktober", "dezember",
];

/// Words for the sign `@` that mean nothing else.
pub(super) const AT: &[&str] = &["arobase", "arobas", "arrobase", "arroba", "klammeraffe"];

/// Words that stand for it among others: what follows must be a domain beyond doubt.
pub(super) const PERHAPS_AT: &[&str] = &["at", "aet", "chez", "en", "bei"];

/// Words for a dot, each with the ends of names that are said with it.
pub(super) const DOTS: &[(&str, &[&str])] = &[
    ("dot", &["com", "net", "org", "info", "io", "co", "uk", "me", "app", "shop", "fr", "es", "de", "eu"]),
    ("point", &["com", "net", "org", "info", "fr", "be", "ch", "eu", "io"]),
    ("punto", &["com", "net", "org", "info", "es", "mx", "io"]),
    ("punkt", &["com", "net", "org", "info", "de", "at", "ch", "eu", "io"]),
];

/// Words before "point" and its like that make it a word of its own.
pub(super) const ARTICLES: &[&str] = &[
    "a", "the", "this", "that", "un", "le", "ce", "au", "mon", "el", "ese", "este", "al", "mi", "del",
    "der", "den", "dem", "ein", "einen", "auf",
];

/// Providers of mail that are named without the end of their name.
pub(super) const PROVIDERS: &[&str] = &[
    "gmail", "googlemail", "hotmail", "outlook", "yahoo", "icloud", "protonmail", "gmx", "laposte",
    "wanadoo", "posteo",
];

/// The ends of names on the net that no other word looks like.
pub(super) const TLDS: &[&str] = &[
    "com", "net", "org", "info", "biz", "io", "app", "dev", "shop", "store", "online", "site",
    "xyz", "club", "link", "co", "tv", "ly", "gg", "gl", "ai", "cc", "eu", "fr", "ch", "uk", "mx",
    "ar", "cl", "pt", "nl", "pl", "ru", "cn", "cat", "page", "tk", "top", "website", "blog", "edu",
    "gov", "lu",
];

/// Those that are words as well: a sentence may begin behind the dot.
pub(super) const WORDY_TLDS: &[&str] = &["me", "it", "de", "es", "ca", "pe", "pro", "live", "be", "at", "us"];

/// Those that are too much of a word without something behind them.
pub(super) const BARELY_TLDS: &[&str] = &["be", "at", "us", "live", "pro", "pe", "ca"];

/// Ways to pay that name a person by a handle, a number or an address.
pub(super) const PAYMENTS: &[&str] = &[
    "venmo", "cashapp", "paypal", "zelle", "revolut", "lydia", "wero", "bizum", "twint", "paylib",
    "sumeria", "monzo", "satispay", "vipps", "swish", "mobilepay", "blik", "wise", "cash",
];

/// Names on the net that are a person's handle to be paid by.
pub(super) const PAYMENT_HOSTS: &[&str] = &[
    "paypal.me", "paypal.com/paypalme", "cash.app", "venmo.com", "revolut.me", "monzo.me",
    "wise.com/pay", "lydia.me", "ko-fi.com", "buymeacoffee.com",
];

/// Forms of IBAN by country: `n` digits, `a` letters, `c` both; from the registry of SWIFT.
pub(super) const IBANS: &[(&str, &str)] = &[
    ("ad", "n8c12"), ("at", "n16"), ("be", "n12"), ("bg", "a4n6c8"), ("ch", "n5c12"),
    ("cy", "n8c16"), ("cz", "n20"), ("de", "n18"), ("dk", "n14"), ("ee", "n16"), ("es", "n20"),
    ("fi", "n14"), ("fr", "n10c11n2"), ("gb", "a4n14"), ("gr", "n7c16"), ("hr", "n17"),
    ("hu", "n24"), ("ie", "a4n14"), ("is", "n22"), ("it", "a1n10c12"), ("li", "n5c12"),
    ("lt", "n16"), ("lu", "n3c13"), ("lv", "a4c13"), ("mc", "n10c11n2"), ("mt", "a4n5c18"),
    ("nl", "a4n10"), ("no", "n11"), ("pl", "n24"), ("pt", "n21"), ("ro", "a4c16"), ("se", "n20"),
    ("si", "n15"), ("sk", "n20"), ("sm", "a1n10c12"), ("tr", "n6c16"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that are written together come apart into those that they are made of.
    #[test]
    fn compounds_come_apart() {
        let values = |word: &str| numbers(word).map(|parts| parts.len());
        assert_eq!(values("neununddreissig"), Some(3));
        assert_eq!(values("quatrevingtdixhuit"), Some(4));
        assert_eq!(values("siebzehn"), Some(1));
        assert_eq!(values("einhunderteinundsiebzig"), Some(5));
        assert_eq!(values("someone"), None);
        assert_eq!(values(&"one".repeat(30)), None);
    }

    /// Every word is in the form in which texts are compared.
    #[test]
    fn words_are_folded() {
        let lists = [FILLERS, PHONES, OTHERS, UNITS, MONTHS, AT, PERHAPS_AT, ARTICLES, PROVIDERS];
        let words = lists.into_iter().flatten().copied().chain(NUMBERS.iter().map(|(word, _)| *word));
        for word in words {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
        }
    }
}
