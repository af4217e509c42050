//! What callers and writers are told who are to prove who they are by a PIN.

use super::Rules;

/// What a caller hears who is to give their PIN, first and `again`. Not a word of it depends on who calls.
pub fn pin_wanted(rules: &Rules, language: &str, again: bool) -> String {
    let brand = &rules.brand;
    match (language.get(..2), again) {
        (Some("fr"), false) => {
            format!("{brand}. Composez votre code, puis appuyez sur dièse.")
        }
        (Some("fr"), true) => {
            "Ce code n'est pas valable. Composez votre code, puis appuyez sur dièse.".into()
        }
        (Some("es"), false) => format!("{brand}. Marque su código y pulse almohadilla."),
        (Some("es"), true) => {
            "Ese código no es válido. Marque su código y pulse almohadilla.".into()
        }
        (Some("de"), false) => {
            format!("{brand}. Bitte geben Sie Ihren Code ein und drücken Sie dann Raute.")
        }
        (Some("de"), true) => {
            "Dieser Code gilt nicht. Bitte geben Sie Ihren Code ein und drücken Sie dann Raute."
                .into()
        }
        (_, false) => format!("{brand}. Please enter your code, then press the pound key."),
        (_, true) => {
            "That code is not valid. Please enter your code, then press the pound key.".into()
        }
    }
}

/// Sent once a day to whoever texts a number that sessions share without a code that is theirs.
pub fn pin_help(rules: &Rules, language: &str) -> String {
    let brand = &rules.brand;
    match language.get(..2) {
        Some("fr") => format!(
            "{brand} : ce numéro est partagé. Commencez votre message par votre code, suivi d'un \
             espace."
        ),
        Some("es") => format!(
            "{brand}: este número es compartido. Empiece su mensaje con su código y un espacio."
        ),
        Some("de") => format!(
            "{brand}: Diese Nummer wird geteilt. Beginnen Sie Ihre Nachricht mit Ihrem Code und einem \
             Leerzeichen."
        ),
        _ => format!(
            "{brand}: this number is shared. Begin your message with your code and a space."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each language has words of its own, which are the same for everybody.
    #[test]
    fn each_language_has_words() {
        let rules = Rules::new("Bikes".into());
        let mut said = Vec::new();
        for language in ["fr-FR", "es-MX", "de-DE", "en-GB"] {
            for words in [
                pin_wanted(&rules, language, false),
                pin_wanted(&rules, language, true),
                pin_help(&rules, language),
            ] {
                assert!(super::super::is_said(&words) && !said.contains(&words), "{words}");
                said.push(words);
            }
        }
        assert_eq!(pin_wanted(&rules, "pt-BR", false), pin_wanted(&rules, "en-US", false));
    }
}
