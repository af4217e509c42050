//! Which telephone numbers may stand in the repository: those that can be nobody's.

/// Whether nobody can have this number: ranges that regulators keep for fiction, and one that is
/// ours for proxies in examples.
pub(crate) fn fictional(digits: &str) -> bool {
    let after = |prefix: &str, len: usize| {
        digits.strip_prefix(prefix).is_some_and(|rest| rest.len() == len)
    };
    // North America: NPA 555 0100 to 0199; the carrier's own test numbers are 500 555 00xx.
    let america = digits.len() == 11
        && digits.starts_with('1')
        && (&digits[4..9] == "55501" || digits.starts_with("150055500"));
    // United Kingdom, France: what Ofcom and Arcep keep for drama.
    let kingdom = ["447700900", "442079460", "441632960", "441134960"].iter().any(|p| after(p, 3));
    let france = ["3319900", "3326191", "3335301", "3346571", "3353649", "3363998"];
    let france = france.iter().any(|prefix| after(prefix, 4));
    america || kingdom || france || after("33937", 6)
}

/// The numbers in a text: a `+` (or `%2B`) and 7 to 15 digits.
pub(crate) fn numbers(text: &str) -> Vec<&str> {
    let starts = text.match_indices('+').map(|(at, _)| at + 1);
    let starts = starts.chain(text.match_indices("%2B").map(|(at, _)| at + 3));
    starts
        .filter_map(|start| {
            let rest = &text[start..];
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            (7..=15).contains(&len).then(|| &rest[..len])
        })
        .collect()
}
