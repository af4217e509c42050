//! The list of proxy numbers: what each can do, whether it is given, and how many people hold it.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Choice, Filters, PLACE, Query, SERVICE},
    gate::Inside,
    sessions::{service_choices, service_name},
    when::When,
    words::{self, Chip, Pair, Tone},
};
use crate::{
    domain::staff::Language,
    ids::{NumberId, ServiceId},
    store::{
        number_list::{self, Filter, Held},
        numbers::{Number, NumberState},
        sessions::Page,
    },
};

/// How many numbers a page lists.
const PAGE: usize = 25;
/// How many carriers and countries a filter offers.
const CHOICES: i64 = 250;
/// People who hold a number are counted no further.
const HELD_MAX: i64 = 1_000;
const ALL: Pair = ["All", "Tous"];
const CAPABILITIES: [&str; 3] = ["voice", "sms", "mms"];

#[derive(Template)]
#[template(path = "console/numbers.html")]
struct NumbersPage {
    shell: Shell,
    filters: Filters,
    selects: Vec<Select>,
    rows: Vec<Row>,
    older: Option<String>,
    clear: String,
}

/// A filter of a closed set.
struct Select {
    name: &'static str,
    label: &'static str,
    all: &'static str,
    choices: Vec<Choice>,
}

struct Row {
    id: String,
    number: String,
    sessions: String,
    state: Chip,
    marks: Vec<&'static str>,
    service: String,
    carrier: String,
    country: String,
    capabilities: String,
    held: Held,
    /// Whether there are more people than were counted.
    more: bool,
    added: Option<When>,
}

const fn state(language: Language, state: NumberState) -> Chip {
    let (tone, word) = match state {
        NumberState::Active => (Tone::Good, language.say("active", "actif")),
        NumberState::Draining => (Tone::Waiting, language.say("draining", "en retrait")),
        NumberState::Retired => (Tone::Quiet, language.say("retired", "retiré")),
    };
    Chip { tone, word }
}

const fn capability(language: Language, name: &str) -> &'static str {
    match name.as_bytes() {
        b"voice" => language.say("calls", "appels"),
        b"sms" => language.say("texts", "SMS"),
        _ => language.say("pictures", "images"),
    }
}

fn filter(filters: &mut Filters) -> (Filter, Page) {
    const LISTED: Pair = ["one of the list", "une valeur de la liste"];
    let word = |text: &str| {
        let ok = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
        ok.then(|| text.to_owned())
    };
    let filter = Filter {
        service: filters.take("service", SERVICE, |id| ServiceId::parse(id).ok()),
        state: filters.take("state", [["State", "État"], LISTED], NumberState::parse),
        carrier: filters.take("carrier", [["Carrier", "Opérateur"], LISTED], word),
        country: filters.take("country", [["Country", "Pays"], LISTED], word),
        capability: filters.take("can", [["Can do", "Permet"], LISTED], |text| {
            CAPABILITIES.into_iter().find(|one| *one == text)
        }),
        reserved: filters.take("reserved", [["Reserved", "Réservé"], LISTED], |text| match text {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }),
    };
    let before = filters.take("before", PLACE, |id| NumberId::parse(id).ok());
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    (filter, Page { before: before.map(|id| id.to_string()), after: None, limit })
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("numbers");
    let mut filters = Filters::new(shell.lang, query);
    let (filter, page) = filter(&mut filters);
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let services = service_choices(&mut tx, account).await?;
    let carriers = number_list::carriers(&mut tx, account, CHOICES).await?;
    let countries = number_list::countries(&mut tx, account, CHOICES).await?;
    let mut found = number_list::list(&mut tx, account, &filter, &page).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut rows = Vec::with_capacity(found.len());
    for one in &found {
        let held = number_list::held(&mut tx, account, &one.id, HELD_MAX).await?;
        rows.push(row(one, held, &services, &shell));
    }
    drop(tx);
    let older = found
        .last()
        .filter(|_| more)
        .map(|last| shell.link_with("/console/numbers", &filters.next(last.id.as_str())));
    let selects = selects(&shell, services, carriers, countries);
    let clear = shell.link("/console/numbers");
    answer::page(&NumbersPage { shell, filters, selects, rows, older, clear })
}

fn selects(
    shell: &Shell,
    services: Vec<Choice>,
    carriers: Vec<String>,
    countries: Vec<String>,
) -> Vec<Select> {
    let lang = shell.lang;
    let select = |name, label, all, choices| Select {
        name,
        label: words::say(lang, label),
        all: words::say(lang, all),
        choices,
    };
    let same =
        |all: Vec<String>| all.into_iter().map(|one| Choice::new(one.clone(), one)).collect();
    let states = NumberState::ALL.iter();
    let states = states.map(|one| Choice::new(one.as_str(), state(lang, *one).word)).collect();
    let can = CAPABILITIES.iter().map(|one| Choice::new(*one, capability(lang, one))).collect();
    let reserved = vec![
        Choice::new("yes", lang.say("only reserved", "seulement les réservés")),
        Choice::new("no", lang.say("not reserved", "non réservés")),
    ];
    vec![
        select("state", ["State", "État"], ["All but retired", "Tous sauf retirés"], states),
        select("service", ["Service", "Service"], ALL, services),
        select("carrier", ["Carrier", "Opérateur"], ALL, same(carriers)),
        select("country", ["Country", "Pays"], ALL, same(countries)),
        select("can", ["Can do", "Permet"], ["Anything", "Tout"], can),
        select("reserved", ["Reserved", "Réservés"], ALL, reserved),
    ]
}

fn row(one: &Number, held: Held, services: &[Choice], shell: &Shell) -> Row {
    let lang = shell.lang;
    let marks = [
        (one.reserved, lang.say("reserved: given when named", "réservé : attribué s’il est nommé")),
        (one.shared, lang.say("shared, with PINs", "partagé, avec codes PIN")),
        (
            one.barred,
            lang.say("a rule keeps it from new calls", "une règle l’exclut des nouveaux appels"),
        ),
    ];
    let text = one.capabilities.text();
    let can = CAPABILITIES.iter().filter(|name| text.contains(**name));
    Row {
        id: one.id.to_string(),
        number: one.number.to_string(),
        sessions: shell.link_with("/console/sessions", &[("number", one.id.as_str())]),
        state: state(lang, one.state),
        marks: marks.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect(),
        service: service_name(services, one.service.as_str()),
        carrier: one.carrier.clone(),
        country: one.country.clone(),
        capabilities: can.map(|name| capability(lang, name)).collect::<Vec<_>>().join(", "),
        more: held.open + held.quarantined >= HELD_MAX,
        held,
        added: When::new(lang, one.created_at),
    }
}
