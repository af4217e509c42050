//! The words of four languages for numbers: data, and how compounds come apart.
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
        ("zero", Value(0, EN | FR)),
        ("nought", Value(0, EN)),
        ("naught", Value(0, EN)),
        ("one", Value(1, EN)),
        ("two", Value(2, EN)),
        ("three", Value(3, EN)),
        ("four", Value(4, EN)),
        ("five", Value(5, EN)),
        ("six", Value(6, EN | FR)),
        ("seven", Value(7, EN)),
        ("eight", Value(8, EN)),
        ("nine", Value(9, EN)),
        ("niner", Value(9, EN)),
        ("ten", Value(10, EN)),
        ("eleven", Value(11, EN)),
        ("twelve", Value(12, EN)),
        ("thirteen", Value(13, EN)),
        ("fourteen", Value(14, EN)),
        ("fifteen", Value(15, EN)),
        ("sixteen", Value(16, EN)),
        ("seventeen", Value(17, EN)),
        ("eighteen", Value(18, EN)),
        ("nineteen", Value(19, EN)),
        ("twenty", Value(20, EN)),
        ("thirty", Value(30, EN)),
        ("forty", Value(40, EN)),
        ("fourty", Value(40, EN)),
        ("fifty", Value(50, EN)),
        ("sixty", Value(60, EN)),
        ("seventy", Value(70, EN)),
        ("eighty", Value(80, EN)),
        ("ninety", Value(90, EN)),
        ("hundred", Hundred(EN)),
        ("thousand", Big),
        ("million", Big),
        ("and", And(EN)),
        ("double", Times(2)),
        ("triple", Times(3)),
        ("treble", Times(3)),
        ("un", Value(1, FR)),
        ("une", Value(1, FR)),
        ("deux", Value(2, FR)),
        ("trois", Value(3, FR)),
        ("quatre", Value(4, FR)),
        ("cinq", Value(5, FR)),
        ("sept", Value(7, FR)),
        ("huit", Value(8, FR)),
        ("neuf", Value(9, FR)),
        ("dix", Value(10, FR)),
        ("onze", Value(11, FR)),
        ("douze", Value(12, FR)),
        ("treize", Value(13, FR)),
        ("quatorze", Value(14, FR)),
        ("quinze", Value(15, FR)),
        ("seize", Value(16, FR)),
        ("vingt", Value(20, FR)),
        ("vingts", Value(20, FR)),
        ("trente", Value(30, FR)),
        ("quarante", Value(40, FR)),
        ("cinquante", Value(50, FR)),
        ("soixante", Value(60, FR)),
        ("septante", Value(70, FR)),
        ("huitante", Value(80, FR)),
        ("octante", Value(80, FR)),
        ("nonante", Value(90, FR)),
        ("cent", Hundred(FR)),
        ("cents", Hundred(FR)),
        ("mille", Big),
        ("et", And(FR)),
        ("cero", Value(0, ES)),
        ("uno", Value(1, ES)),
        ("una", Value(1, ES)),
        ("dos", Value(2, ES)),
        ("tres", Value(3, ES)),
        ("cuatro", Value(4, ES)),
        ("cinco", Value(5, ES)),
        ("seis", Value(6, ES)),
        ("siete", Value(7, ES)),
        ("ocho", Value(8, ES)),
        ("nueve", Value(9, ES)),
        ("diez", Value(10, ES)),
        ("once", Value(11, ES)),
        ("doce", Value(12, ES)),
        ("trece", Value(13, ES)),
        ("catorce", Value(14, ES)),
        ("quince", Value(15, ES)),
        ("dieciseis", Value(16, ES)),
        ("diecisiete", Value(17, ES)),
        ("dieciocho", Value(18, ES)),
        ("diecinueve", Value(19, ES)),
        ("veinte", Value(20, ES)),
        ("veintiuno", Value(21, ES)),
        ("veintidos", Value(22, ES)),
        ("veintitres", Value(23, ES)),
        ("veinticuatro", Value(24, ES)),
        ("veinticinco", Value(25, ES)),
        ("veintiseis", Value(26, ES)),
        ("veintisiete", Value(27, ES)),
        ("veintiocho", Value(28, ES)),
        ("veintinueve", Value(29, ES)),
        ("treinta", Value(30, ES)),
        ("cuarenta", Value(40, ES)),
        ("cincuenta", Value(50, ES)),
        ("sesenta", Value(60, ES)),
        ("setenta", Value(70, ES)),
        ("ochenta", Value(80, ES)),
        ("noventa", Value(90, ES)),
        ("cien", Value(100, ES)),
        ("ciento", Value(100, ES)),
        ("doscientos", Value(200, ES)),
        ("trescientos", Value(300, ES)),
        ("cuatrocientos", Value(400, ES)),
        ("quinientos", Value(500, ES)),
        ("seiscientos", Value(600, ES)),
        ("setecientos", Value(700, ES)),
        ("ochocientos", Value(800, ES)),
        ("novecientos", Value(900, ES)),
        ("mil", Big),
        ("y", And(ES)),
        ("doble", Times(2)),
        ("null", Value(0, DE)),
        ("eins", Value(1, DE)),
        ("ein", Value(1, DE)),
        ("zwei", Value(2, DE)),
        ("zwo", Value(2, DE)),
        ("drei", Value(3, DE)),
        ("vier", Value(4, DE)),
        ("funf", Value(5, DE)),
        ("fuenf", Value(5, DE)),
        ("sechs", Value(6, DE)),
        ("sieben", Value(7, DE)),
        ("acht", Value(8, DE)),
        ("neun", Value(9, DE)),
        ("zehn", Value(10, DE)),
        ("elf", Value(11, DE)),
        ("zwolf", Value(12, DE)),
        ("zwoelf", Value(12, DE)),
        ("dreizehn", Value(13, DE)),
        ("vierzehn", Value(14, DE)),
        ("funfzehn", Value(15, DE)),
        ("sechzehn", Value(16, DE)),
        ("siebzehn", Value(17, DE)),
        ("achtzehn", Value(18, DE)),
        ("neunzehn", Value(19, DE)),
        ("zwanzig", Value(20, DE)),
        ("dreissig", Value(30, DE)),
        ("dreisig", Value(30, DE)),
        ("vierzig", Value(40, DE)),
        ("funfzig", Value(50, DE)),
        ("fuenfzig", Value(50, DE)),
        ("sechzig", Value(60, DE)),
        ("siebzig", Value(70, DE)),
        ("achtzig", Value(80, DE)),
        ("neunzig", Value(90, DE)),
        ("hundert", Hundred(DE)),
        ("tausend", Big),
        ("und", And(DE)),
        ("doppel", Times(2)),
        ("doppelt", Times(2)),
        ("zweimal", Times(2)),
        ("dreimal", Times(3)),
    ]
};

/// What a word says of a number, where it is such a word.
pub(super) fn number(word: &str) -> Option<Said> {
    let found = NUMBERS.iter().find(|(text, _)| *text == word);
    found.map(|(_, said)| *said)
}

/// The longest of [`NUMBERS`].
const NUMBER_MAX: usize = 13;
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
        for start in end.saturating_sub(NUMBER_MAX)..end {
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

    /// No word for a number is longer than is looked for.
    #[test]
    fn numbers_are_as_long_as_is_said() {
        assert_eq!(NUMBERS.iter().map(|(word, _)| word.len()).max(), Some(NUMBER_MAX));
    }

    /// Every word is in the form in which texts are compared.
    #[test]
    fn words_are_folded() {
        for (word, _) in NUMBERS {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
        }
    }
}
