//! What somebody is answered who wrote a word that is meant for the relay: once, in their language, with the
//! brand and the way back.

use crate::domain::keyword::Tongue;

/// What came of such a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heeded {
    /// They get no more texts; from no number of the account, or else of the service.
    Stopped {
        /// Whether from none of the account.
        everywhere: bool,
    },
    /// They get texts again.
    Started,
    /// They asked for help.
    Helped,
    /// The other side is blocked.
    Blocked,
    /// It is not, any more.
    Unblocked,
    /// It was reported, and is blocked.
    Reported,
}

/// The answer. It is one part of a text where the brand is not long.
pub fn heeded_words(brand: &str, tongue: Tongue, what: Heeded) -> String {
    let words = match tongue {
        Tongue::English => english(what),
        Tongue::French => french(what),
        Tongue::Spanish => spanish(what),
        Tongue::German => german(what),
        Tongue::Portuguese => portuguese(what),
        Tongue::Italian => italian(what),
        Tongue::Dutch => dutch(what),
    };
    let colon = if tongue == Tongue::French { " :" } else { ":" };
    format!("{brand}{colon} {words}")
}

const fn english(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "you are unsubscribed and get no more texts from us. Reply START to get them again."
        }
        Heeded::Stopped { everywhere: false } => {
            "you get no more texts from this service. Calls still work. Reply START to get texts again."
        }
        Heeded::Started => "you get texts again. Reply STOP to end them.",
        Heeded::Helped => {
            "this number connects you with another member. Reply STOP for no more texts. Msg & data rates \
             may apply."
        }
        Heeded::Blocked => {
            "this contact is blocked: no calls or texts pass between you. Reply UNBLOCK to undo."
        }
        Heeded::Unblocked => {
            "this contact is not blocked any more. Reply BLOCK to block them again."
        }
        Heeded::Reported => {
            "thank you, we got your report. This contact is blocked. Reply UNBLOCK to lift the block."
        }
    }
}

const fn french(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "vous ne recevrez plus de SMS de notre part. Répondez START pour en recevoir à nouveau."
        }
        Heeded::Stopped { everywhere: false } => {
            "vous ne recevrez plus de SMS de ce service. Les appels restent possibles. Répondez START pour \
             en recevoir à nouveau."
        }
        Heeded::Started => {
            "vous recevez à nouveau des SMS. Répondez STOP pour ne plus en recevoir."
        }
        Heeded::Helped => {
            "ce numéro vous met en relation avec un autre membre. Répondez STOP pour ne plus recevoir de \
             SMS."
        }
        Heeded::Blocked => {
            "ce contact est bloqué : ni appel ni SMS entre vous. Répondez DEBLOQUER pour annuler."
        }
        Heeded::Unblocked => {
            "ce contact n'est plus bloqué. Répondez BLOQUER pour le bloquer à nouveau."
        }
        Heeded::Reported => {
            "merci, nous avons reçu votre signalement. Ce contact est bloqué. Répondez DEBLOQUER pour lever \
             le blocage."
        }
    }
}

const fn spanish(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "no recibirá más mensajes nuestros. Responda START para volver a recibirlos."
        }
        Heeded::Stopped { everywhere: false } => {
            "no recibirá más mensajes de este servicio. Las llamadas siguen activas. Responda START para \
             volver a recibirlos."
        }
        Heeded::Started => "vuelve a recibir mensajes. Responda STOP para dejar de recibirlos.",
        Heeded::Helped => {
            "este número le conecta con otro miembro. Responda STOP para no recibir más mensajes."
        }
        Heeded::Blocked => {
            "este contacto está bloqueado: sin llamadas ni mensajes. Responda DESBLOQUEAR para anularlo."
        }
        Heeded::Unblocked => {
            "este contacto ya no está bloqueado. Responda BLOQUEAR para bloquearlo de nuevo."
        }
        Heeded::Reported => {
            "gracias, hemos recibido su denuncia. Este contacto está bloqueado. Responda DESBLOQUEAR para \
             anular el bloqueo."
        }
    }
}

const fn german(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "Sie erhalten keine SMS mehr von uns. Antworten Sie START, um wieder welche zu erhalten."
        }
        Heeded::Stopped { everywhere: false } => {
            "Sie erhalten keine SMS mehr von diesem Dienst. Anrufe bleiben möglich. Antworten Sie START, um \
             wieder welche zu erhalten."
        }
        Heeded::Started => {
            "Sie erhalten wieder SMS. Antworten Sie STOP, um keine mehr zu erhalten."
        }
        Heeded::Helped => {
            "Diese Nummer verbindet Sie mit einem anderen Mitglied. Antworten Sie STOP, um keine SMS mehr \
             zu erhalten."
        }
        Heeded::Blocked => {
            "Dieser Kontakt ist blockiert: keine Anrufe, keine SMS. Antworten Sie ENTSPERREN, um das \
             aufzuheben."
        }
        Heeded::Unblocked => {
            "Dieser Kontakt ist nicht mehr blockiert. Antworten Sie BLOCKIEREN, um ihn wieder zu blockieren."
        }
        Heeded::Reported => {
            "Danke, Ihre Meldung ist eingegangen. Dieser Kontakt ist blockiert. Antworten Sie ENTSPERREN, \
             um das aufzuheben."
        }
    }
}

const fn portuguese(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "não receberá mais mensagens nossas. Responda START para voltar a recebê-las."
        }
        Heeded::Stopped { everywhere: false } => {
            "não receberá mais mensagens deste serviço. As chamadas continuam. Responda START para voltar a \
             recebê-las."
        }
        Heeded::Started => "volta a receber mensagens. Responda STOP para deixar de as receber.",
        Heeded::Helped => {
            "este número liga-o a outro membro. Responda STOP para não receber mais mensagens."
        }
        Heeded::Blocked => {
            "este contacto está bloqueado: sem chamadas nem mensagens. Responda DESBLOQUEAR para anular."
        }
        Heeded::Unblocked => {
            "este contacto já não está bloqueado. Responda BLOQUEAR para o bloquear de novo."
        }
        Heeded::Reported => {
            "obrigado, recebemos a sua denúncia. Este contacto está bloqueado. Responda DESBLOQUEAR para \
             anular."
        }
    }
}

const fn italian(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "non riceverà più SMS da noi. Risponda START per riceverli di nuovo."
        }
        Heeded::Stopped { everywhere: false } => {
            "non riceverà più SMS da questo servizio. Le chiamate restano possibili. Risponda START per \
             riceverli di nuovo."
        }
        Heeded::Started => "riceve di nuovo gli SMS. Risponda STOP per non riceverne più.",
        Heeded::Helped => {
            "questo numero la mette in contatto con un altro membro. Risponda STOP per non ricevere più SMS."
        }
        Heeded::Blocked => {
            "questo contatto è bloccato: né chiamate né SMS tra voi. Risponda SBLOCCA per annullare."
        }
        Heeded::Unblocked => {
            "questo contatto non è più bloccato. Risponda BLOCCA per bloccarlo di nuovo."
        }
        Heeded::Reported => {
            "grazie, abbiamo ricevuto la segnalazione. Questo contatto è bloccato. Risponda SBLOCCA per \
             annullare il blocco."
        }
    }
}

const fn dutch(what: Heeded) -> &'static str {
    match what {
        Heeded::Stopped { everywhere: true } => {
            "u krijgt geen sms'en meer van ons. Antwoord START om ze weer te krijgen."
        }
        Heeded::Stopped { everywhere: false } => {
            "u krijgt geen sms'en meer van deze dienst. Bellen kan nog. Antwoord START om ze weer te krijgen."
        }
        Heeded::Started => "u krijgt weer sms'en. Antwoord STOP om ze te beëindigen.",
        Heeded::Helped => {
            "dit nummer verbindt u met een ander lid. Antwoord STOP om geen sms'en meer te krijgen."
        }
        Heeded::Blocked => {
            "dit contact is geblokkeerd: geen oproepen of sms'en. Antwoord DEBLOKKEREN om dit op te heffen."
        }
        Heeded::Unblocked => {
            "dit contact is niet meer geblokkeerd. Antwoord BLOKKEREN om het weer te blokkeren."
        }
        Heeded::Reported => {
            "dank u, we hebben uw melding ontvangen. Dit contact is geblokkeerd. Antwoord DEBLOKKEREN om \
             dit op te heffen."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        keyword::{Keyword, Place, plain},
        message::Body,
    };

    /// Each answer names the brand, and the word that it offers as the way back is known where the language
    /// is spoken.
    #[test]
    fn the_way_back_is_known() {
        for (tongue, country) in [
            (Tongue::English, "GB"),
            (Tongue::French, "FR"),
            (Tongue::Spanish, "ES"),
            (Tongue::German, "DE"),
            (Tongue::Portuguese, "PT"),
            (Tongue::Italian, "IT"),
            (Tongue::Dutch, "NL"),
        ] {
            let place = Place { plus_one: false, country, language: "" };
            for (what, back) in [
                (Heeded::Stopped { everywhere: true }, Keyword::Start),
                (Heeded::Stopped { everywhere: false }, Keyword::Start),
                (Heeded::Started, Keyword::Stop),
                (Heeded::Helped, Keyword::Stop),
                (Heeded::Blocked, Keyword::Unblock),
                (Heeded::Unblocked, Keyword::Block),
                (Heeded::Reported, Keyword::Unblock),
            ] {
                let words = heeded_words("Bikes", tongue, what);
                assert!(words.starts_with("Bikes") && words.chars().count() <= 160, "{words}");
                let known = words.split(|c: char| !c.is_alphanumeric()).any(|word| {
                    let capitals = word.len() > 2 && word.chars().all(char::is_uppercase);
                    let word = plain(&Body::new(word.into())).unwrap_or_default();
                    let read =
                        Keyword::of_texts(&word, place).or(Keyword::of_contact(&word, place));
                    capitals && read == Some(back)
                });
                assert!(known, "{words}");
            }
        }
    }
}
