//! The staff: who may do what, for whoever runs the console.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect},
};

use super::{
    App,
    answer::{self, Answer, No, Other, Shell},
    door::Form,
    filters::{Choice, Query},
    gate::Member,
    me::Row as BrowserRow,
    when::When,
};
use crate::{
    domain::staff::{Extra, Language, Permission, Rights, Role},
    ids::{AccountId, BrowserId, StaffId},
    relay::{Error, Fault, Invite, Relay},
    store::{
        Tx, accounts,
        staff::{self, Grant, Staff, factors},
    },
};

const PAGE: i64 = 50;
/// How many accounts a form offers.
const ACCOUNTS: i64 = 200;

#[derive(Template)]
#[template(path = "console/staff.html")]
struct StaffPage {
    shell: Shell,
    rows: Vec<Row>,
    more: Option<String>,
    form: GrantForm,
    /// The link that was just made, and whose it is.
    link: Option<(String, String)>,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "console/staff_one.html")]
struct OnePage {
    shell: Shell,
    id: String,
    name: String,
    since: Option<When>,
    disabled: Option<When>,
    grants: Vec<GrantRow>,
    /// The other login that they come by, if they do.
    elsewhere: Option<String>,
    password: Option<When>,
    must_change: bool,
    app: bool,
    passkeys: i64,
    browsers: Vec<BrowserRow>,
    /// Where a browser is logged out.
    ends: String,
    form: GrantForm,
    link: Option<String>,
    fault: Option<String>,
}

struct Row {
    id: String,
    name: String,
    grants: Vec<GrantRow>,
    second: bool,
    disabled: bool,
}

struct GrantRow {
    account: String,
    /// Its id; empty for all.
    id: String,
    role: &'static str,
    extra: Vec<&'static str>,
}

/// What a form that gives rights offers.
struct GrantForm {
    roles: Vec<Choice>,
    extras: Vec<Choice>,
    accounts: Vec<Choice>,
}

/// A role in words.
const fn role(language: Language, role: Role) -> &'static str {
    match role {
        Role::Viewer => language.say("viewer", "lecture seule"),
        Role::Agent => language.say("agent", "agent"),
        Role::Supervisor => language.say("supervisor", "superviseur"),
        Role::Admin => language.say("admin", "administrateur"),
        Role::Auditor => language.say("auditor", "auditeur"),
    }
}

/// What a role is for.
const fn role_means(language: Language, role: Role) -> &'static str {
    match role {
        Role::Viewer => language.say("sees, masked", "voit, masqué"),
        Role::Agent => language.say("and handles cases", "et traite les dossiers"),
        Role::Supervisor => language.say(
            "and reveals, reads texts, exports, erases, runs the pools",
            "et révèle, lit les SMS, exporte, efface, gère les numéros",
        ),
        Role::Admin => {
            language.say("and runs the console and reads the audit", "et administre, lit l’audit")
        }
        Role::Auditor => language.say("reads the audit, nothing else", "lit l’audit, rien d’autre"),
    }
}

const fn extra(language: Language, one: Permission) -> &'static str {
    match one {
        Permission::Reveal => language.say("reveal numbers", "révéler des numéros"),
        Permission::ReadTexts => language.say("read texts", "lire les SMS"),
        Permission::Export => language.say("export", "exporter"),
        _ => "",
    }
}

async fn grant_form(tx: &mut Tx, language: Language) -> Answer<GrantForm> {
    let accounts = accounts::list(tx, "", ACCOUNTS).await?;
    Ok(GrantForm {
        roles: Role::ALL
            .iter()
            .map(|one| {
                let words = format!("{}: {}", role(language, *one), role_means(language, *one));
                Choice::new(one.as_str(), words)
            })
            .collect(),
        extras: Permission::EXTRA
            .iter()
            .map(|one| Choice::new(one.as_str(), extra(language, *one)))
            .collect(),
        accounts: accounts
            .into_iter()
            .map(|one| Choice::new(one.id.to_string(), one.name))
            .collect(),
    })
}

async fn grant_rows(tx: &mut Tx, person: &Staff, language: Language) -> Answer<Vec<GrantRow>> {
    let mut rows = Vec::new();
    for grant in &person.grants {
        let (account, id) = match &grant.account {
            None => (language.say("every account", "tous les comptes").to_owned(), String::new()),
            Some(id) => {
                let name =
                    accounts::get(tx, id).await?.map_or_else(|| id.to_string(), |one| one.name);
                (name, id.to_string())
            }
        };
        let given = Permission::EXTRA.iter().filter(|one| grant.rights.extra.has(**one));
        rows.push(GrantRow {
            account,
            id,
            role: role(language, grant.rights.role),
            extra: given.map(|one| extra(language, *one)).collect(),
        });
    }
    Ok(rows)
}

async fn list(
    app: &App,
    person: &Member,
    after: &str,
    link: Option<(String, String)>,
    fault: Option<String>,
) -> Answer<StaffPage> {
    let mut tx = app.relay.db().read().await?;
    let mut found = staff::list(&mut tx, None, after, PAGE + 1).await?;
    let most = usize::try_from(PAGE).unwrap_or_default();
    let over = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| over).map(|one| one.name.clone());
    let mut rows = Vec::new();
    for one in found {
        let second = factors::get(&mut tx, &one.id).await?.is_some_and(|known| known.has_second());
        rows.push(Row {
            id: one.id.to_string(),
            grants: grant_rows(&mut tx, &one, person.language).await?,
            second,
            disabled: one.disabled_at.is_some(),
            name: one.name,
        });
    }
    let form = grant_form(&mut tx, person.language).await?;
    let shell = person.shell("staff");
    let more = last.map(|last| shell.link_with("/console/staff", &[("after", &last)]));
    Ok(StaffPage { shell, rows, more, form, link, fault })
}

pub(super) async fn page(State(app): State<App>, person: Member, query: Query) -> Answer {
    let after = query.get("after").unwrap_or_default();
    answer::page(&list(&app, &person, after, None, None).await?)
}

/// What a form gives: rights in an account or in all.
fn asked(form: &Form) -> Answer<Grant> {
    let role = Role::parse(form.get("role")).ok_or(No::NOTHING_HERE)?;
    let extra: Extra = form.all("extra").filter_map(Permission::parse).collect();
    let account = match form.get("account") {
        "" => None,
        id => Some(AccountId::parse(id).map_err(|_| No::NOTHING_HERE)?),
    };
    Ok(Grant { account, rights: Rights { role, extra } })
}

/// What is wrong with what was asked for, in words.
fn wrong(language: Language, error: Error) -> Answer<String> {
    let words = |fault: Fault| {
        match (language, fault.code, fault.pointer.as_str()) {
        (Language::English, ..) => fault.to_string(),
        (Language::French, "last_admin", _) => {
            "C’est la dernière personne qui administre toute la console : faites-en entrer une \
             autre d’abord."
                .to_owned()
        }
        (Language::French, "elsewhere", _) => {
            "Cette personne passe par l’autre connexion, et par elle seule : ses groupes y décident de ce qu’elle \
             peut faire."
                .to_owned()
        }
        (Language::French, _, "/name") => {
            "Le nom ne peut ni être vide ou trop long, ni contenir de caractère de contrôle."
                .to_owned()
        }
        (Language::French, ..) => "Cela n’est pas permis ici.".to_owned(),
    }
    };
    match error {
        Error::Invalid(faults) => Ok(faults.into_iter().map(words).collect::<Vec<_>>().join(" ")),
        other => Err(other.into()),
    }
}

/// Lets somebody in: adds them, and shows the link once.
pub(super) async fn invite(State(app): State<App>, person: Member, form: Form) -> Answer {
    person.fresh("/console/staff")?;
    let Grant { account, rights } = asked(&form)?;
    let name = form.get("name").to_owned();
    if app.relay.staff_named(&name).await?.is_some() {
        let there = person.language.say("There is somebody of that name.", "Ce nom existe déjà.");
        return answer::again(&list(&app, &person, "", None, Some(there.to_owned())).await?);
    }
    let invite = Invite { name: name.clone(), account, rights: Some(rights) };
    match person.relay(&app).create_staff(invite).await {
        Ok(link) => {
            let link = Some((name, format!("/console/login#{link}")));
            answer::page(&list(&app, &person, "", link, None).await?)
        }
        Err(error) => answer::again(
            &list(&app, &person, "", None, Some(wrong(person.language, error)?)).await?,
        ),
    }
}

async fn find(app: &App, id: &str) -> Answer<Staff> {
    let id = StaffId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    Ok(staff::get(&mut tx, &id).await?.ok_or(No::NOTHING_HERE)?)
}

async fn whole(
    app: &App,
    person: &Member,
    one: Staff,
    link: Option<String>,
    fault: Option<String>,
) -> Answer<OnePage> {
    let browsers = app.relay.browsers_of(&one).await?;
    let mut tx = app.relay.db().read().await?;
    let known = factors::get(&mut tx, &one.id).await?.ok_or(No::NOTHING_HERE)?;
    let language = person.language;
    Ok(OnePage {
        shell: person.shell("staff"),
        grants: grant_rows(&mut tx, &one, language).await?,
        form: grant_form(&mut tx, language).await?,
        ends: format!("/console/staff/{}/browsers", one.id),
        id: one.id.to_string(),
        name: one.name,
        elsewhere: one.issuer,
        since: When::new(language, one.created_at),
        disabled: one.disabled_at.and_then(|at| When::new(language, at)),
        password: known.password_set_at.and_then(|at| When::new(language, at)),
        must_change: known.must_change,
        app: known.totp_since.is_some(),
        passkeys: known.passkeys,
        browsers: browsers.into_iter().map(|one| BrowserRow::new(one, None, language)).collect(),
        link,
        fault,
    })
}

pub(super) async fn one(State(app): State<App>, person: Member, Path(id): Path<String>) -> Answer {
    let one = find(&app, &id).await?;
    answer::page(&whole(&app, &person, one, None, None).await?)
}

/// Sees to it that whoever changes staff proved lately who they are.
fn allowed(person: &Member, id: &str) -> Answer<StaffId> {
    let id = StaffId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    person.fresh(&format!("/console/staff/{id}"))?;
    Ok(id)
}

/// Changes something about somebody, in the name of whoever asks: leads to their page, or shows it again with what was
/// wrong.
async fn change(
    app: &App,
    person: &Member,
    id: &str,
    change: impl AsyncFnOnce(&Relay, &StaffId) -> Result<(), Error>,
) -> Answer {
    let id = allowed(person, id)?;
    match change(&person.relay(app), &id).await {
        Ok(()) => Ok(Redirect::to(&format!("/console/staff/{id}")).into_response()),
        Err(error) => {
            let fault = wrong(person.language, error)?;
            let one = find(app, id.as_str()).await?;
            answer::again(&whole(app, person, one, None, Some(fault)).await?)
        }
    }
}

pub(super) async fn grant(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let grant = asked(&form)?;
    change(&app, &person, &id, async |relay, staff| relay.set_grant(staff, grant).await).await
}

pub(super) async fn revoke(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let account = match form.get("account") {
        "" => None,
        account => Some(AccountId::parse(account).map_err(|_| No::NOTHING_HERE)?),
    };
    change(&app, &person, &id, async |relay, staff| relay.revoke_grant(staff, account).await).await
}

/// Makes somebody another link, and shows it once.
pub(super) async fn link(State(app): State<App>, person: Member, Path(id): Path<String>) -> Answer {
    allowed(&person, &id)?;
    let one = find(&app, &id).await?;
    let invite = Invite { name: one.name.clone(), account: None, rights: None };
    match person.relay(&app).create_staff(invite).await {
        Ok(link) => {
            let link = Some(format!("/console/login#{link}"));
            answer::page(&whole(&app, &person, one, link, None).await?)
        }
        Err(error) => {
            let fault = Some(wrong(person.language, error)?);
            answer::again(&whole(&app, &person, one, None, fault).await?)
        }
    }
}

pub(super) async fn expire(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
) -> Answer {
    change(&app, &person, &id, async |relay, staff| relay.expire_password(staff).await).await
}

pub(super) async fn remove_second_steps(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
) -> Answer {
    change(&app, &person, &id, async |relay, staff| relay.remove_second_steps(staff).await).await
}

pub(super) async fn disable(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
) -> Answer {
    change(&app, &person, &id, async |relay, staff| relay.set_disabled(staff, true).await).await
}

pub(super) async fn enable(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
) -> Answer {
    change(&app, &person, &id, async |relay, staff| relay.set_disabled(staff, false).await).await
}

/// Logs a browser of theirs out.
pub(super) async fn end_browser(
    State(app): State<App>,
    person: Member,
    Path((id, browser)): Path<(String, String)>,
) -> Answer {
    let browser = BrowserId::parse(&browser).map_err(|_| Other::No(No::NOTHING_HERE))?;
    let one = find(&app, &id).await?;
    change(&app, &person, &id, async |relay, _| relay.revoke_browser(&one, &browser).await).await
}
