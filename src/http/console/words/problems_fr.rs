//! What a problem of the APIs is and what to do about it, in French: the codes themselves say it in English.

use crate::http::problem::Code;

/// Title and meaning of a native problem.
#[expect(clippy::too_many_lines, reason = "one table, two lines for each code")]
pub(super) const fn native(code: Code) -> [&'static str; 2] {
    match code {
        Code::MalformedBody => [
            "Le corps ne peut pas être lu",
            "Le corps n’est pas le JSON ou le formulaire qu’annonce le type de contenu, ou il est trop imbriqué.",
        ],
        Code::MalformedParameter => [
            "Un paramètre ne peut pas être lu",
            "« errors » nomme chaque paramètre inconnu, répété ou mal formé.",
        ],
        Code::CursorInvalid => [
            "Le curseur n’est pas utilisable",
            "Un curseur s’emploie tel qu’il a été donné, avec les mêmes filtres. Recommencez du début.",
        ],
        Code::Unauthorized => [
            "Aucune clé d’API valable",
            "La clé manque, est mal formée, inconnue, expirée ou révoquée.",
        ],
        Code::ForbiddenScope => [
            "La clé d’API ne le permet pas",
            "La clé est valable, mais il lui manque le droit que demande cette opération.",
        ],
        Code::BuyingDisabled => [
            "Les comptes ne peuvent pas traiter les numéros de cet opérateur",
            "Acheter dépense l’argent de l’exploitant ; adopter et rendre modifient son compte chez l’opérateur : c’est lui qui l’active, par « buying = true » dans les réglages de l’opérateur.",
        ],
        Code::ErasingDisabled => [
            "Personne ne peut encore être effacé ici",
            "L’effacement exige une liste hors de la base, d’après laquelle une sauvegarde restaurée est effacée de nouveau : l’exploitant règle « erasure_list ».",
        ],
        Code::NotFound => [
            "Cela n’existe pas",
            "Rien n’a cette adresse ou cet identifiant, ou cela appartient à un autre compte.",
        ],
        Code::MethodNotAllowed => [
            "Cette adresse n’accepte pas cette méthode",
            "L’en-tête « Allow » énumère celles qu’elle accepte.",
        ],
        Code::Timeout => [
            "La requête est arrivée trop lentement",
            "Le corps n’était pas complet à temps. Rien n’a été fait.",
        ],
        Code::Conflict => [
            "L’état ne le permet pas",
            "L’objet de la requête est dans un état qui l’exclut ; « detail » dit lequel.",
        ],
        Code::IdempotencyInProgress => [
            "La première requête avec cette clé n’est pas terminée",
            "Une autre requête avec le même « Idempotency-Key » est en cours : redemandez plus tard.",
        ],
        Code::UniqueNameTaken => {
            ["Le nom unique est pris", "Un autre objet de même nature a ce « unique_name »."]
        }
        Code::NumberTaken => [
            "Le numéro est déjà dans un parc",
            "Un numéro relais appartient à un seul compte, et n’est qu’une fois dans son parc.",
        ],
        Code::NumberInUse => [
            "Le numéro est utilisé",
            "Des sessions ouvertes ou une quarantaine tiennent ce numéro relais.",
        ],
        Code::NumberOrderUnderWay => [
            "Une autre opération porte sur ce numéro",
            "Une autre commande achète, adopte ou rend ce numéro : attendez qu’elle soit terminée.",
        ],
        Code::CarrierUnable => [
            "L’opérateur ne le permet pas par API",
            "docs/carriers.md dit de qui les numéros peuvent être achetés, adoptés et rendus ; importez les autres.",
        ],
        Code::CarrierRefused => [
            "L’opérateur a refusé",
            "L’opérateur s’y oppose, ou tient nos identifiants pour faux ; « carrier_code » a son code.",
        ],
        Code::SessionClosed => {
            ["La session est fermée", "Rouvrez-la d’abord, ou ouvrez-en une autre."]
        }
        Code::SessionSuspended => [
            "La session est suspendue depuis une restauration",
            "La base a été restaurée et personne n’a encore dit que cette session était ouverte : reprenez-la ou fermez-la.",
        ],
        Code::SessionNotClosed => {
            ["La session n’est pas fermée", "Seule une session fermée le permet."]
        }
        Code::LegalHold => [
            "Une conservation légale le retient",
            "On n’efface personne dont quelque chose, ou dont une session, est conservé. Le détail nomme la conservation.",
        ],
        Code::PersonErased => [
            "Quelqu’un de la session a été effacé",
            "Son numéro a disparu pour de bon : ouvrez une autre session.",
        ],
        Code::ExportTooLarge => [
            "Il y en a plus qu’un export n’en contient",
            "Restreignez par « created_from » et « created_before », et demandez chaque partie.",
        ],
        Code::ModeNotAllowed => [
            "Le mode de la session ne le permet pas",
            "Un appel exige une session qui relaie les appels, un SMS une qui relaie les SMS.",
        ],
        Code::CallInProgress => [
            "Il y a autant d’appels en cours que permis",
            "Dans la session, ou de la personne dont le téléphone sonnerait d’abord ; docs/abuse.md a les limites.",
        ],
        Code::PinNeeded => [
            "Ce participant a besoin d’un code PIN",
            "Il compose un numéro que des sessions partagent, où seul son code le fait connaître : donnez-lui-en plutôt un autre.",
        ],
        Code::NoPartner => {
            ["Il n’y a personne de l’autre côté", "Ajoutez d’abord un participant d’un autre rôle."]
        }
        Code::ParticipantLimit => [
            "La session a tous ses participants",
            "Retirez-en un d’abord, ou ouvrez une autre session.",
        ],
        Code::ParticipantDuplicate => [
            "Cette personne est déjà dans la session",
            "Une personne est un seul participant d’une session.",
        ],
        Code::PoolExhausted => [
            "Aucun numéro relais ne convient",
            "« rule » dit quelle règle n’en a laissé aucun ; ajoutez des numéros, ou fermez des sessions de cette personne.",
        ],
        Code::PoolQuarantined => [
            "Tous les numéros qui conviennent sont en quarantaine",
            "Sans la quarantaine il y en aurait ; « next_free_at » dit quand le premier est libre.",
        ],
        Code::ParticipantNotVerified => [
            "Le numéro d’une personne n’a pas été vérifié récemment",
            "Le service a « verified_participants » ; « errors » nomme qui. Faites-leur d’abord envoyer et rendre un code.",
        ],
        Code::NoSender => [
            "Aucun numéro ne peut envoyer ce code",
            "Aucun numéro actif et non réservé du service ne peut envoyer de SMS, ou appeler, vers ce pays.",
        ],
        Code::VerificationEnded => [
            "La vérification n’attend plus de code",
            "Elle a réussi, échoué, été annulée ou a expiré ; « verification_status » dit lequel. Commencez-en une autre.",
        ],
        Code::RecordingNotSupported => [
            "Les appels ne peuvent pas être enregistrés ici",
            "Un service ou une session demande des enregistrements, et « carrier », où sont ses numéros, ne peut pas en commencer un après l’accord de tous, ou en suspendre un ; ou aucun stockage n’est réglé.",
        ],
        Code::RecordingNotRunning => [
            "L’état de l’enregistrement ne le permet pas",
            "« state » dit où il en est : seul un enregistrement en cours se suspend, et seul un enregistrement suspendu reprend.",
        ],
        Code::EndpointLimit => [
            "Le compte a tous ses points de terminaison",
            "Supprimez-en un d’abord, ou laissez-en un recevoir les événements de plusieurs services.",
        ],
        Code::EndpointOwned => [
            "Le point de terminaison est le rappel d’un service",
            "Modifiez plutôt « twilio_proxy.callback_url » de son service ; seuls « description » et « enabled » se règlent ici.",
        ],
        Code::EndpointDisabled => [
            "Le point de terminaison est désactivé",
            "Rien ne lui est envoyé ; mettez d’abord « enabled » à true.",
        ],
        Code::VersionMismatch => [
            "L’objet a changé entre-temps",
            "« If-Match » n’est pas l’« ETag » actuel. Relisez-le et décidez de nouveau.",
        ],
        Code::PayloadTooLarge => {
            ["Le corps est trop grand", "Le corps le plus long est réglé par « api_body_bytes »."]
        }
        Code::UnsupportedMediaType => {
            ["Le type de contenu n’est pas compris", "Envoyez « Content-Type: application/json »."]
        }
        Code::ValidationFailed => [
            "La requête enfreint une règle",
            "« errors » a chaque faute, avec son pointeur, un code et ce qui est permis.",
        ],
        Code::IdempotencyKeyReused => [
            "La clé d’idempotence appartient à une autre requête",
            "Le même « Idempotency-Key » est venu avec une autre méthode, une autre adresse ou un autre corps.",
        ],
        Code::RateLimited => {
            ["Trop de requêtes", "« Retry-After » dit quand la suivante est acceptée."]
        }
        Code::VerificationTooSoon => [
            "Un code vient d’être envoyé",
            "L’attente croît à chacun des cinq envois ; « Retry-After » dit quand le suivant part.",
        ],
        Code::VerificationPersonLimit => [
            "Trop de codes pour ce numéro",
            "D’après « verification.per_person_hour » et « per_person_day », tous services confondus, à qui que soit le numéro.",
        ],
        Code::VerificationPrefixLimit => [
            "Trop de codes pour des numéros qui commencent de même",
            "Les numéros qui ne diffèrent que par les quatre derniers chiffres partagent « verification.per_prefix_hour ».",
        ],
        Code::VerificationClientLimit => [
            "Trop de codes pour cette adresse",
            "D’après « verification.per_client_hour », de l’« ip » indiquée.",
        ],
        Code::VerificationAccountLimit => {
            ["Trop de codes de ce compte", "D’après « verification.per_account_hour »."]
        }
        Code::Internal => [
            "Une erreur est survenue de notre côté",
            "Le journal en a la cause, sous le même identifiant de requête.",
        ],
        Code::Unavailable => [
            "Indisponible pour le moment",
            "La base ne répond pas, ou il y a trop à faire. Rien n’a été fait.",
        ],
        Code::CarrierUnavailable => [
            "L’opérateur n’a pas répondu",
            "L’opérateur n’a pas pu être joint, ou a trop à faire. Rien n’a été fait.",
        ],
    }
}

/// The same of one that the Twilio-compatible API answers with that number; `None` for a number that is none.
#[expect(clippy::too_many_lines, reason = "one table, two lines for each number")]
pub(super) const fn twilio(number: u32) -> Option<[&'static str; 2]> {
    Some(match number {
        20003 => ["Authentification refusée", "Le compte ou son jeton, ou la clé, est inconnu."],
        20004 => ["Méthode refusée", "L’adresse n’accepte pas cette méthode."],
        20403 => ["Il manque à la clé le droit requis", "Une clé d’API sans ce droit."],
        20404 => {
            ["La ressource est introuvable", "Cela n’existe pas dans ce compte, ou a été supprimé."]
        }
        20408 => ["Le corps n’était pas complet à temps", "Un corps qui arrive trop lentement."],
        20413 => ["Le corps est trop grand", "Un corps au-delà de « limits.api_body_bytes »."],
        20500 => ["Erreur interne", "Une faute de notre part ; elle est dans le journal."],
        20503 => ["Service indisponible : rien n’a été fait, réessayez", "La base ne répond pas."],
        80101 => [
            "Le numéro est déjà dans un autre service",
            "Ajout d’un numéro qui est dans un autre service du compte.",
        ],
        80103 => [
            "Le participant est déjà dans cette session",
            "Un identifiant qui est, ou a été, dans la session.",
        ],
        80104 => {
            ["Le numéro est déjà dans ce service", "Ajout d’un numéro qui est dans ce service."]
        }
        80201 => [
            "Aucun numéro vocal n’est disponible pour le service",
            "Aucun numéro ne permet ce qu’exige le mode de la session, dont les appels.",
        ],
        80202 => [
            "Aucun numéro SMS n’est disponible pour le service",
            "Aucun numéro ne permet ce qu’exige le mode de la session : les SMS.",
        ],
        80203 => ["Aucun numéro du pays du participant", "Aucun numéro du pays de l’identifiant."],
        80205 => ["Le service n’a pas de numéros", "Un service sans numéros."],
        80206 => [
            "Aucun numéro ne convient, ou la personne les tient tous",
            "Aucun numéro assez proche ou chez un même opérateur, ou la personne tient chacun d’eux, quarantaine comprise.",
        ],
        80207 => [
            "Seuls des numéros réservés sont disponibles",
            "Tous les numéros qui conviennent sont réservés, et aucun n’a été nommé.",
        ],
        80301 => [
            "Le SID du numéro est inconnu du compte",
            "Ajout d’un numéro que ni le compte ni son opérateur n’ont.",
        ],
        80303 => [
            "Le SID du numéro court est inconnu du compte",
            "Ajout d’un numéro court : il n’y en a pas ici.",
        ],
        80304 => [
            "Les identifiants de canaux ne sont pas pris en charge",
            "Un identifiant tel que « messenger:… ».",
        ],
        80402 => [
            "L’identifiant ou le numéro relais est incorrect : l’un d’eux est les deux",
            "Le numéro d’une personne qui est un numéro relais, ou l’inverse.",
        ],
        80404 => [
            "L’identifiant du participant est incorrect ou injoignable",
            "Un identifiant qui n’est pas un numéro, ou que « identifier_check » du service refuse.",
        ],
        80406 => ["Le numéro est incorrect", "Ajout d’un numéro qui n’est pas au format E.164."],
        80407 => ["Le SID du numéro est incorrect", "Un SID de numéro qui n’en est pas un."],
        80502 => [
            "Aucun opérateur n’est configuré",
            "Ajout d’un numéro sans opérateur configuré, ou dont l’opérateur n’a pas pu être interrogé ; le message dit lequel.",
        ],
        80601 => [
            "Le numéro est utilisé par un autre compte",
            "Ajout d’un numéro qu’un autre compte possède.",
        ],
        80602 => ["Un service de ce nom unique existe déjà", "Le nom d’un service est pris."],
        80603 => [
            "Une session de ce nom unique existe déjà",
            "Le nom d’une session est pris, fût-ce par une session fermée.",
        ],
        80604 => [
            "La paire identifiant et numéro relais est déjà utilisée dans une autre session",
            "Un numéro nommé, ou une réouverture, dont la paire désigne une autre session ou est en quarantaine.",
        ],
        80605 => [
            "Le numéro relais n’est pas dans le service",
            "Un numéro nommé qui n’est pas un numéro actif du service.",
        ],
        80607 => [
            "La session est fermée",
            "Modification d’une session fermée ou suspendue, ou de ses personnes, ou envoi à celles-ci.",
        ],
        80608 => [
            "Changement d’état refusé",
            "De open ou in-progress à closed, ou de closed à in-progress : aucun autre.",
        ],
        80609 => [
            "La session a autant de participants que permis",
            "Plus de personnes que le service n’en permet, 2 par défaut.",
        ],
        80611 => [
            "Le numéro est utilisé dans des sessions actives",
            "Retrait d’un numéro qui a des sessions ouvertes.",
        ],
        80614 => ["La session n’a pas d’autre participant", "Il n’y a personne de l’autre côté."],
        80621 => {
            ["Trop de requêtes", "La limite de débit ; « Retry-After » dit pour combien de temps."]
        }
        80622 => [
            "Le service a autant de numéros que permis",
            "Plus de numéros, réservés ou non, que « twilio_proxy.pool_reserved_max » ou « twilio_proxy.pool_max » n’en permettent ; l’API native n’a pas cette limite.",
        ],
        80623 => [
            "Le participant a été ajouté au même moment par une autre requête",
            "Un identifiant absent de la session quand la requête est venue, et présent quand son tour est venu.",
        ],
        80701 => [
            "Un paramètre est incorrect",
            "Toute autre faute d’un paramètre ; le message dit laquelle.",
        ],
        80910 => [
            "La session est vocale seulement",
            "Un message dans une session qui ne relaie que les appels.",
        ],
        _ => return None,
    })
}
