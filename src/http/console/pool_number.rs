//! One proxy number: what it is, and what may be done with it: reserve, drain, retire, move its sessions off.

use askama::Template;
use axum::extract::{Path, State, rejection::PathRejection};

use super::{
    App,
    answer::{self, Answer, No, Other, Shell},
    door::Form,
    filters::{Choice, Query},
    gate::Inside,
    pools,
    when::When,
    words::{self, Chip},
};
use crate::{
    domain::{
        number_move::{MoveState, Why},
        phone::ProxyNumber,
        staff::{Language, Permission},
    },
    ids::{MoveId, NumberId},
    relay::{self, NewMove, UpdateNumber},
    store::{
        holds,
        number_moves::{self, Move, Off},
        numbers::{self, NumberState},
        services,
    },
};

/// How many of the account's last moves are shown.
const MOVES: i64 = 20;
/// How many sessions a trial looks at.
const TRIED: usize = 200;

#[derive(Template)]
#[template(path = "console/pool_number.html")]
struct NumberPage {
    shell: Shell,
    id: String,
    number: String,
    state: Chip,
    service: String,
    place: String,
    carrier: String,
    can: String,
    registration: &'static str,
    added: Option<When>,
    sessions: i64,
    sessions_link: String,
    version: i64,
    reserved: bool,
    shared: bool,
    active: bool,
    retired: bool,
    may_change: bool,
    whys: Vec<Choice>,
    moves: Vec<MoveRow>,
    notice: Option<&'static str>,
    fault: Option<String>,
    trial: Vec<String>,
    change: String,
    move_off: String,
}

struct MoveRow {
    at: Option<When>,
    off: String,
    why: &'static str,
    state: Chip,
    moved: i64,
    kept: i64,
    undo: Option<String>,
}

/// What a refusal of the relay says to whoever runs a pool; nothing for one that is no fault of theirs.
pub(super) fn refusal(language: Language, error: &relay::Error) -> Option<String> {
    let say = |english, french| Some(language.say(english, french).to_owned());
    match error {
        relay::Error::NumberHasSessions => say(
            "People dial it in open sessions. Drain it and move them off, or wait until they end.",
            "Des personnes le composent dans des sessions ouvertes. Videz-le et déplacez-les, ou attendez la fin.",
        ),
        relay::Error::NumberTaken => say(
            "A number belongs to another account. Nothing was changed.",
            "Un numéro appartient à un autre compte. Rien n’a été modifié.",
        ),
        relay::Error::VersionMismatch => say(
            "Somebody changed it meanwhile. Look at it again.",
            "Il a été modifié entre-temps. Regardez-le de nouveau.",
        ),
        relay::Error::TrialUnderWay => say(
            "Another trial is under way. Try again in a moment.",
            "Un autre essai est en cours. Réessayez dans un instant.",
        ),
        relay::Error::Invalid(faults) => {
            let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
            if codes.contains(&"participant") {
                return say(
                    "A number is the own number of somebody in an open session. Nothing was changed.",
                    "Un numéro est celui d’une personne d’une session ouverte. Rien n’a été modifié.",
                );
            }
            if codes.contains(&"number_shared") {
                return say(
                    "Sessions share it: close them, or wait until they end.",
                    "Des sessions le partagent : fermez-les, ou attendez leur fin.",
                );
            }
            say(
                "The other number must be another active number of the same service.",
                "L’autre numéro doit être un autre numéro actif du même service.",
            )
        }
        _ => None,
    }
}

fn id_of(id: Result<Path<String>, PathRejection>) -> Answer<NumberId> {
    let Path(id) = id.map_err(|_| No::NOTHING_HERE)?;
    Ok(NumberId::parse(&id).map_err(|_| No::NOTHING_HERE)?)
}

fn move_row(shell: &Shell, one: &Move) -> MoveRow {
    let turned = matches!(one.state, MoveState::Running | MoveState::Done);
    let undo = turned && shell.may(Permission::Pools);
    MoveRow {
        at: When::new(shell.lang, one.created_at),
        off: match &one.off {
            Off::Number(id) => super::sessions::short(id.as_str()),
            Off::Carrier(id) => id.clone(),
        },
        why: words::move_why(shell.lang, one.why),
        state: words::move_state(shell.lang, one.state),
        moved: one.tally.moved,
        kept: one.tally.kept,
        undo: undo.then(|| shell.link(&format!("/console/pools/moves/{}/undo", one.id))),
    }
}

async fn read(app: &App, inside: &Inside, id: &NumberId) -> Answer<NumberPage> {
    let shell = inside.shell("pools");
    let (language, account) = (shell.lang, inside.id());
    let mut tx = app.relay.db().read().await?;
    let number = numbers::get(&mut tx, account, id).await?.ok_or(No::NOTHING_HERE)?;
    let service = services::get(&mut tx, account, &number.service).await?;
    let sessions = holds::open_on(&mut tx, account, id).await?;
    let moves = number_moves::latest(&mut tx, account, MOVES).await?;
    drop(tx);
    let path = format!("/console/pools/numbers/{id}");
    let whys = Why::ALL.iter();
    Ok(NumberPage {
        id: id.to_string(),
        state: words::number_state(language, &number),
        service: service.map(|one| one.unique_name).unwrap_or_default(),
        place: pools::place(language, &number.country, &number.area),
        can: words::can(language, number.capabilities),
        registration: words::registration(language, number.registered.registration),
        added: When::new(language, number.created_at),
        sessions,
        sessions_link: shell.link_with("/console/sessions", &[("number", id.as_str())]),
        version: number.version,
        reserved: number.reserved,
        shared: number.shared,
        active: number.state == NumberState::Active,
        retired: number.state == NumberState::Retired,
        may_change: shell.may(Permission::Pools),
        whys: whys.map(|why| Choice::new(why.as_str(), words::move_why(language, *why))).collect(),
        moves: moves.iter().map(|one| move_row(&shell, one)).collect(),
        notice: None,
        fault: None,
        trial: Vec::new(),
        change: shell.link(&format!("{path}/change")),
        move_off: shell.link(&format!("{path}/move")),
        number: number.number.to_string(),
        carrier: number.carrier,
        shell,
    })
}

pub(super) async fn page(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    query: Query,
) -> Answer {
    let id = id_of(id)?;
    let mut page = read(&app, &inside, &id).await?;
    let say = |english, french| Some(page.shell.lang.say(english, french));
    page.notice = match query.get("done") {
        Some("changed") => {
            say("Done. The opposite button takes it back.", "C’est fait. Le bouton opposé annule.")
        }
        Some("retired") => say("It is retired.", "Il est retiré."),
        Some("moving") => say(
            "Its sessions are being moved. The list below says how far it is, and undoes it.",
            "Ses sessions sont en cours de déplacement. La liste ci-dessous indique l’avancement et permet d’annuler.",
        ),
        _ => None,
    };
    answer::page(&page)
}

async fn refused(app: &App, inside: &Inside, id: &NumberId, fault: String) -> Answer {
    let mut page = read(app, inside, id).await?;
    page.fault = Some(fault);
    answer::again(&page)
}

/// Reserves, drains or retires a number, or takes either of the first two back.
pub(super) async fn change(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    form: Form,
) -> Answer {
    let id = id_of(id)?;
    let path = format!("/console/pools/numbers/{id}");
    let retires = form.get("do") == "retire";
    let change = match form.get("do") {
        "reserve" => UpdateNumber { reserved: Some(true), ..UpdateNumber::default() },
        "give" => UpdateNumber { reserved: Some(false), ..UpdateNumber::default() },
        "drain" => UpdateNumber { state: Some(NumberState::Draining), ..UpdateNumber::default() },
        "activate" => UpdateNumber { state: Some(NumberState::Active), ..UpdateNumber::default() },
        "retire" => UpdateNumber { state: Some(NumberState::Retired), ..UpdateNumber::default() },
        _ => return Err(No::NOTHING_HERE.into()),
    };
    if retires {
        inside.person.fresh(&inside.shell("pools").link(&path))?;
        let mut tx = app.relay.db().read().await?;
        let number = numbers::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
        drop(tx);
        let digits = number.number.as_str();
        let last = digits.get(digits.len().saturating_sub(4)..).unwrap_or_default();
        if form.get("confirm") != last {
            let words = inside.person.language.say(
                "Nothing was changed: type the number’s last four digits to retire it.",
                "Rien n’a été modifié : tapez les quatre derniers chiffres du numéro pour le retirer.",
            );
            return refused(&app, &inside, &id, words.to_owned()).await;
        }
    }
    let version: Option<i64> = form.get("version").parse().ok();
    let (account, of) = (inside.id().clone(), id.clone());
    let relay = inside.person.relay(&app);
    let changed = relay.db().write(move |tx| {
        let (account, of, change) = (account.clone(), of.clone(), change.clone());
        Box::pin(async move { relay::update_number(tx, &account, &of, change, version).await })
    });
    match changed.await {
        Ok(_) => {
            app.relay.committed();
            let done = if retires { "retired" } else { "changed" };
            Err(Other::To(inside.shell("pools").link_with(&path, &[("done", done)])))
        }
        Err(error) => match refusal(inside.person.language, &error) {
            Some(words) => refused(&app, &inside, &id, words).await,
            None => Err(error.into()),
        },
    }
}

/// Moves the sessions of a number off it, or says what that would do.
pub(super) async fn move_off(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    form: Form,
) -> Answer {
    let id = id_of(id)?;
    let language = inside.person.language;
    let path = format!("/console/pools/numbers/{id}");
    let moves = form.get("do") == "move";
    if moves {
        inside.person.fresh(&inside.shell("pools").link(&path))?;
    }
    let to_number = match form.get("to") {
        "" => None,
        text => {
            let mut tx = app.relay.db().read().await?;
            let owner = match ProxyNumber::parse(text) {
                Ok(number) => numbers::owner(&mut tx, &number).await?,
                Err(_) => None,
            };
            drop(tx);
            let Some((_, to)) = owner.filter(|(account, _)| account == inside.id()) else {
                let words = language.say(
                    "The other number must be another active number of the same service.",
                    "L’autre numéro doit être un autre numéro actif du même service.",
                );
                return refused(&app, &inside, &id, words.to_owned()).await;
            };
            Some(to.id)
        }
    };
    let new = NewMove {
        off: Off::Number(id.clone()),
        to_number,
        to_carrier: None,
        why: Why::parse(form.get("why")).unwrap_or(Why::Other),
        tell: match form.get("tell") {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
    };
    let tried = if moves {
        let account = inside.id().clone();
        let relay = inside.person.relay(&app);
        let begun = relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::begin_move(tx, &account, &new).await.map(drop) })
        });
        begun.await.map(|()| None)
    } else {
        app.relay.try_move(inside.id(), &new, TRIED).await.map(Some)
    };
    match tried {
        Ok(None) => {
            app.relay.committed();
            Err(Other::To(inside.shell("pools").link_with(&path, &[("done", "moving")])))
        }
        Ok(Some(trial)) => {
            let mut page = read(&app, &inside, &id).await?;
            page.trial = trial_words(language, &trial);
            answer::page(&page)
        }
        Err(error) => match refusal(language, &error) {
            Some(words) => refused(&app, &inside, &id, words).await,
            None => Err(error.into()),
        },
    }
}

fn trial_words(language: Language, trial: &relay::Trial) -> Vec<String> {
    let say = |english, french| language.say(english, french);
    let kept: u64 = trial.kept.values().sum();
    let mut lines = vec![
        format!("{} {}", say("Sessions looked at:", "Sessions examinées :"), trial.sessions),
        format!(
            "{} {}",
            say(
                "People who would dial another number:",
                "Personnes qui composeraient un autre numéro :"
            ),
            trial.moved
        ),
        format!(
            "{} {kept}",
            say(
                "People for whom there is no other:",
                "Personnes pour qui il n’y en a pas d’autre :"
            )
        ),
    ];
    if !trial.complete {
        lines.push(
            say(
                "There are more sessions than were looked at.",
                "Il y a d’autres sessions que celles examinées.",
            )
            .to_owned(),
        );
    }
    lines
}

/// Takes a move back.
pub(super) async fn undo(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
) -> Answer {
    let Path(id) = id.map_err(|_| No::NOTHING_HERE)?;
    let id = MoveId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let account = inside.id().clone();
    let relay = inside.person.relay(&app);
    let undone = relay.db().write(move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move { relay::undo_move(tx, &account, &id, None).await })
    });
    let undone = undone.await?;
    app.relay.committed();
    let shell = inside.shell("pools");
    Err(Other::To(match undone.off {
        Off::Number(number) => shell.link(&format!("/console/pools/numbers/{number}")),
        Off::Carrier(_) => shell.link("/console/pools"),
    }))
}
