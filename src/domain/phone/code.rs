//! Calling codes: the one to three digits after the `+`, read without a library.

/// Every calling code that ITU has given to countries or to networks (ITU-T E.164, list of assigned
/// codes, 2016, with the changes since: 383 Kosovo). No code begins another.
const ASSIGNED: &[u16] = &[
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54,
    55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 211,
    212, 213, 216, 218, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234,
    235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253,
    254, 255, 256, 257, 258, 260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 290, 291, 297, 298,
    299, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 370, 371, 372, 373, 374, 375, 376, 377,
    378, 380, 381, 382, 383, 385, 386, 387, 389, 420, 421, 423, 500, 501, 502, 503, 504, 505, 506,
    507, 508, 509, 590, 591, 592, 593, 594, 595, 596, 597, 598, 599, 670, 672, 673, 674, 675, 676,
    677, 678, 679, 680, 681, 682, 683, 685, 686, 687, 688, 689, 690, 691, 692, 800, 808, 850, 852,
    853, 855, 856, 870, 878, 880, 881, 882, 883, 886, 888, 960, 961, 962, 963, 964, 965, 966, 967,
    968, 970, 971, 972, 973, 974, 975, 976, 977, 979, 992, 993, 994, 995, 996, 998,
];

/// The calling code of a number that is `+` and digits; `None` if the code is not assigned.
pub(super) fn calling_code(number: &str) -> Option<u16> {
    (2..=4).find_map(|end| {
        let code = number.get(1..end)?.parse().ok()?;
        ASSIGNED.binary_search(&code).is_ok().then_some(code)
    })
}

/// What follows the calling code.
pub(super) fn national(number: &str) -> Option<&str> {
    let digits = calling_code(number)?.ilog10() as usize + 1;
    number.get(1 + digits..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table is in order, as the search needs, and no code begins another.
    #[test]
    fn codes_are_sorted_and_prefix_free() {
        assert!(ASSIGNED.is_sorted_by(|a, b| a < b));
        let texts: Vec<String> = ASSIGNED.iter().map(u16::to_string).collect();
        for a in &texts {
            assert!(texts.iter().all(|b| a == b || !b.starts_with(a.as_str())), "{a}");
        }
    }

    /// Codes of one, two and three digits are found, and what is not assigned is not.
    #[test]
    fn codes_are_read_from_the_front() {
        for (number, code) in [
            ("+14155550100", Some(1)),
            ("+447700900123", Some(44)),
            ("+22997123456", Some(229)),
            ("+2101234567", None),
            ("+9991234567", None),
        ] {
            assert_eq!(calling_code(number), code, "{number}");
        }
        assert_eq!(national("+447700900123"), Some("7700900123"));
    }
}
