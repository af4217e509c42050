//! `entremise retention` and `entremise legal-hold`: what is kept how long, and what is kept longer.

use std::{io::Read as _, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, account, output};
use crate::{
    app::Opened,
    domain::{
        audit::Reason,
        phone::Identifier,
        retention::{DataClass, RetentionRules, Term},
        time::Timestamp,
    },
    ids::{AccountId, HoldId, SessionId},
    relay::{self, HoldOn, NewHold, Standings},
    store::{
        legal_holds::{self, Case, Held, LegalHold},
        retention as rows,
    },
};

/// How many lines of counts are printed.
const COUNTS_MAX: i64 = 1_000_000;
/// How many holds are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Print what stays of the log instead: anonymised counts, one JSON object a line.
    #[arg(long)]
    counts: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Hold {
    /// Keep a session, or all sessions of a person, until the hold is lifted; prints one JSON object.
    Place {
        #[command(flatten)]
        file: ConfigFile,
        /// The account, AC….
        #[arg(long)]
        account: AccountId,
        /// The session, KC….
        #[arg(long, required_unless_present = "number_file", conflicts_with = "number_file")]
        session: Option<SessionId>,
        /// A file with the person's number, or - for standard input: others on the machine can read
        /// arguments.
        #[arg(long, value_name = "FILE")]
        number_file: Option<PathBuf>,
        /// The case that it is for.
        #[arg(long, value_parser = case)]
        case: Case,
        /// Why, without telephone numbers.
        #[arg(long, value_parser = reason)]
        reason: Reason,
    },
    /// Print the legal holds of an account, one JSON object a line.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// The account, AC….
        #[arg(long)]
        account: AccountId,
    },
    /// Lift a hold: what is too old goes the next night.
    Lift {
        #[command(flatten)]
        file: ConfigFile,
        /// The account, AC….
        #[arg(long)]
        account: AccountId,
        /// The hold, LH….
        hold: HoldId,
    },
}

fn case(text: &str) -> Result<Case, String> {
    Case::parse(text).ok_or_else(|| "must have 1 to 100 characters, none of control".to_owned())
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::parse(text).map_err(str::to_owned)
}

/// Prints each class with its terms, and what the nightly job would delete now. Nothing is changed.
pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let opened = account::open(&options.file).await?;
    let done = if options.counts { counts(&opened).await } else { show(&opened).await };
    opened.close().await;
    done
}

async fn counts(opened: &Opened) -> Result<(), Failed> {
    let mut tx = opened.db.read().await?;
    for (cell, tally) in rows::shown(&mut tx, COUNTS_MAX).await? {
        let object = json!({
            "day": Timestamp::from_millis(cell.day * 86_400_000)
                .rfc3339().get(..10),
            "role": cell.role, "kind": cell.kind, "duration": cell.duration,
            "outcome": cell.outcome, "count": tally,
        });
        output::line(&object.to_string());
    }
    Ok(())
}

async fn show(opened: &Opened) -> Result<(), Failed> {
    let survey = account::relay(opened).retention_survey().await?;
    for class in DataClass::ALL {
        output::line(&line(opened, *class, &survey).to_string());
    }
    Ok(())
}

fn line(opened: &Opened, class: DataClass, survey: &Standings) -> Value {
    let terms = opened.db.retention();
    let mut object = json!({ "class": class.as_str(), "tables": class.tables() });
    match class.term() {
        Term::Days { setting, .. } => {
            object["setting"] = json!(format!("retention.{setting}"));
            object["days"] = json!(terms.days(class, &RetentionRules::default()));
        }
        Term::Fixed(words) => object["kept"] = json!(words),
    }
    if let Some(law) = terms.statutory.as_ref().filter(|_| class == DataClass::Statutory) {
        object["days"] = json!(law.days);
        object["basis"] = json!(law.basis);
    }
    if let Some(standing) = survey.get(&class) {
        object["due"] = json!(standing.gone);
        object["oldest"] = json!(standing.oldest.map(Timestamp::rfc3339));
    }
    object
}

pub(super) async fn hold(command: Hold) -> Result<(), Failed> {
    let (Hold::Place { file, .. } | Hold::List { file, .. } | Hold::Lift { file, .. }) = &command;
    let opened = account::open(file).await?;
    let done = held(&opened, command).await;
    opened.close().await;
    done
}

async fn held(opened: &Opened, command: Hold) -> Result<(), Failed> {
    match command {
        Hold::Place { account, session, number_file, case, reason, .. } => {
            let on = match (session, number_file) {
                (Some(session), _) => HoldOn::Session(session),
                (None, Some(file)) => HoldOn::Person(number(&file)?),
                (None, None) => return Err(Failed("name --session or --number-file".into())),
            };
            let new = NewHold { on, case, reason };
            let placed = opened.db.write(move |tx| {
                let (account, new) = (account.clone(), new.clone());
                Box::pin(async move { relay::place_hold(tx, &account, &new).await })
            });
            output::line(&object(&placed.await?).to_string());
        }
        Hold::List { account, .. } => {
            let mut after = String::new();
            loop {
                let mut tx = opened.db.read().await?;
                let page = legal_holds::list(&mut tx, &account, &after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.id.to_string();
                for hold in &page {
                    output::line(&object(hold).to_string());
                }
            }
        }
        Hold::Lift { account, hold, .. } => {
            let lifted = opened.db.write(move |tx| {
                let (account, hold) = (account.clone(), hold.clone());
                Box::pin(async move { relay::lift_hold(tx, &account, &hold).await })
            });
            lifted.await?;
        }
    }
    Ok(())
}

/// The number in a file. What is wrong with it is told without it.
fn number(file: &std::path::Path) -> Result<Identifier, Failed> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(256).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(256).read_to_string(&mut text))
    };
    read.map_err(|error| Failed(format!("the number cannot be read: {error}")))?;
    Identifier::parse(text.trim()).map_err(|error| Failed(format!("the number {error}")))
}

fn object(hold: &LegalHold) -> Value {
    let session = match &hold.held {
        Held::Session(id) => Some(id),
        Held::Person(..) => None,
    };
    json!({
        "id": hold.id, "session_id": session, "person_masked": hold.held.masked(),
        "case_id": hold.case.expose(), "reason": hold.reason.expose(),
        "created_at": hold.created_at.rfc3339(),
        "lifted_at": hold.lifted_at.map(Timestamp::rfc3339),
    })
}
