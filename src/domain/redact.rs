//! The masked form of a person's number.

/// `+33••••a1f0`: calling code, dots and four hex digits of the blind index. No subscriber digit.
///
/// `tag` is the blind index in hex; fewer than four digits are shown as they are.
pub fn masked(calling_code: Option<u16>, tag: &str) -> String {
    let tag: String = tag.chars().take(4).collect();
    match calling_code {
        Some(code) => format!("+{code}••••{tag}"),
        None => format!("••••{tag}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form is fixed: staff compare it by eye.
    #[test]
    fn masked_form() {
        assert_eq!(masked(Some(33), "a1f0c3"), "+33••••a1f0");
        assert_eq!(masked(None, "a1f0c3"), "••••a1f0");
    }
}
