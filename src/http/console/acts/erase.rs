//! Erasing a person: what it would do, then the word of whoever does it, then the receipt.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use serde_json::Value;

use super::{
    ActPage, Field, Kind, fault,
    on_person::{about, participant},
    reason, words,
};
use crate::{
    domain::{erasure::Erased, staff::Language},
    http::console::{
        App,
        answer::{self, Answer, No, Other, Shell},
        door::Form,
        gate::Inside,
        when::When,
    },
    ids::ErasureId,
    relay::{Error, Subject, begin_erasure},
    store::{Lane, erasures, participants::Participant},
};

#[derive(Template)]
#[template(path = "console/erasure.html")]
struct ErasurePage {
    shell: Shell,
    id: String,
    state: &'static str,
    asked: Option<When>,
    until: Option<When>,
    counts: Vec<(&'static str, String)>,
    /// The signed receipt, once there is one.
    receipt: Option<String>,
}

/// Counts by class, in words; those of none are left out.
fn counted(language: Language, counts: &Value) -> Vec<(&'static str, String)> {
    let counts: BTreeMap<String, u64> = serde_json::from_value(counts.clone()).unwrap_or_default();
    let known = |one: &Erased| counts.get(one.as_str()).copied().filter(|count| *count > 0);
    Erased::ALL
        .iter()
        .filter_map(|one| Some((words::erased(language, *one), known(one)?.to_string())))
        .collect()
}

/// The last four characters of a masked number, which are typed to say that it is this person.
fn word(one: &Participant) -> String {
    one.person.tag().to_owned()
}

/// What it would do, in the page that asks.
async fn form(
    app: &App,
    inside: &Inside,
    one: &Participant,
    fault_said: Option<String>,
) -> Answer<ActPage> {
    let mut page = about(one, inside, "erase");
    let lang = page.shell.lang;
    page.title = lang.say("Erase a person", "Effacer une personne");
    let relay = inside.person.relay(app).lane(Lane::Jobs);
    let tried = match relay.erasure_list() {
        Ok(_) => relay.try_erasure(inside.id(), &Subject::Participant(one.id.clone())).await,
        Err(error) => Err(error),
    };
    let (found, complete) = match tried {
        Ok(tried) => tried,
        Err(error) => {
            page.fault = Some(fault(lang, error)?);
            return Ok(page);
        }
    };
    page.counts = counted(lang, &found["counts"]);
    page.words.push(
        lang.say(
            "What is known of this person in every session of the account goes for good: number, name, words, \
             pictures. Their open sessions are closed. It can’t be taken back. This is what would go now:",
            "Tout ce que l’on sait de cette personne dans toutes les sessions du compte disparaît définitivement : \
             numéro, nom, contenus, images. Ses sessions ouvertes sont fermées. Cela ne s’annule pas. Voici ce qui \
             disparaîtrait maintenant :",
        )
        .to_owned(),
    );
    if !complete {
        let more = lang
            .say("There is more than was looked at.", "Il y en a plus que ce qui a été examiné.");
        page.words.push(more.to_owned());
    }
    let label = match lang {
        Language::English => {
            format!("To confirm, type the last four characters of {}", one.masked())
        }
        Language::French => {
            format!("Pour confirmer, saisissez les quatre derniers caractères de {}", one.masked())
        }
    };
    page.fields = vec![Field::new("word", label, Kind::Needed(8)), Field::reason(lang)];
    page.button = lang.say("Erase for good", "Effacer définitivement");
    page.danger = true;
    page.fault = fault_said;
    Ok(page)
}

/// Where its form is.
fn address(inside: &Inside, one: &Participant) -> String {
    inside.shell("").link(&format!("/console/people/{}/erase", one.id))
}

pub(in crate::http::console) async fn page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    inside.person.fresh(&address(&inside, &one))?;
    answer::page(&form(&app, &inside, &one, None).await?)
}

pub(in crate::http::console) async fn erase(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    typed: Form,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    inside.person.fresh(&address(&inside, &one))?;
    let language = inside.person.language;
    let read = reason(language, &typed).and_then(|why| {
        let words = language.say(
            "Those are not the last four characters of the masked number: nothing was erased.",
            "Ce ne sont pas les quatre derniers caractères du numéro masqué : rien n’a été effacé.",
        );
        let same = typed.get("word").eq_ignore_ascii_case(&word(&one));
        if same { Ok(why) } else { Err(words.to_owned()) }
    });
    let why = match read {
        Ok(why) => why,
        Err(said) => return answer::again(&form(&app, &inside, &one, Some(said)).await?),
    };
    let relay = inside.person.relay_since(&app, why).lane(Lane::Jobs).urgent();
    let input = (inside.id().clone(), Subject::Participant(one.id.clone()));
    let begun = match relay.erasure_list() {
        Ok(_) => {
            relay
                .act(input, |tx, (account, subject)| {
                    Box::pin(async move { Ok(begin_erasure(tx, &account, &subject).await?.id) })
                })
                .await
        }
        Err(error) => Err(error),
    };
    let id: Result<ErasureId, Error> = begun;
    let id = match id {
        Ok(id) => id,
        Err(error) => {
            let said = fault(language, error)?;
            return answer::again(&form(&app, &inside, &one, Some(said)).await?);
        }
    };
    if let Err(error) = relay.hurry_erasure(inside.id(), &id).await {
        // It is noted, and a job goes on with it.
        tracing::warn!(erasure = %id, %error, "an erasure is left to the job");
    }
    Err(Other::To(inside.shell("").link(&format!("/console/erasures/{id}"))))
}

/// How far an erasure has come, with its receipt.
pub(in crate::http::console) async fn receipt(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let id = ErasureId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let one = erasures::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
    drop(tx);
    let signed = app.relay.receipt(inside.id(), &one)?;
    let shell = inside.shell("sessions");
    let lang = shell.lang;
    let counts: Value = serde_json::from_str(&one.counts).unwrap_or_default();
    let receipt = signed.and_then(|signed| serde_json::to_string_pretty(&signed.object()).ok());
    answer::page(&ErasurePage {
        id: id.to_string(),
        state: words::erasure(lang, one.state),
        asked: When::new(lang, one.created_at),
        until: one.wait_until.and_then(|at| When::new(lang, at)),
        counts: counted(lang, &counts),
        receipt,
        shell,
    })
}
