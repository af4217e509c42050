//! `entremise numbers move`: live sessions off a number that is dead, blocked or ported.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    app::Opened,
    cli::{
        ConfigFile, Failed,
        account::{open, relay},
        output,
    },
    config::Config,
    domain::{
        number_move::{MoveState, Why},
        phone::ProxyNumber,
    },
    ids::{AccountId, MoveId},
    relay::{self, NewMove, Relay, Trial},
    store::{
        number_moves::{self, Move, Off},
        numbers,
    },
};

/// After how many batches of sessions a line of progress is printed.
const LINE_EVERY: usize = 10;

/// The number stays in no pool: nobody new gets it. Whoever is moved is reached by the old number too, as
/// long as that works. Broken off, the move is gone on with by a running server, or by --go-on.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The number that sessions are moved off, +….
    #[arg(long, group = "what", requires = "why")]
    number: Option<String>,
    /// The carrier, by its id in the configuration, off all of whose numbers they are moved.
    #[arg(long, group = "what", requires = "why", value_name = "ID")]
    carrier: Option<String>,
    /// Take this move back, MV….
    #[arg(long, group = "what", value_name = "MV…")]
    undo: Option<MoveId>,
    /// Go on with this move, or with taking it back, MV….
    #[arg(long, group = "what", value_name = "MV…")]
    go_on: Option<MoveId>,
    /// Only of this account, AC…: off a carrier.
    #[arg(long, requires = "carrier")]
    account: Option<AccountId>,
    /// The number that everybody gets, +…; without, what the pool has.
    #[arg(long, requires = "number", conflicts_with = "to_carrier")]
    to: Option<String>,
    /// The carrier that a ported number has come to: it is kept.
    #[arg(long, requires = "number", value_name = "ID")]
    to_carrier: Option<String>,
    /// Why: dead, blocked, ported or other.
    #[arg(long, value_parser = why)]
    why: Option<Why>,
    /// Tell people by a text, whatever their service says.
    #[arg(long, conflicts_with = "quiet")]
    tell: bool,
    /// Tell nobody, whatever their service says.
    #[arg(long)]
    quiet: bool,
    /// Only say what would be done, and change nothing.
    #[arg(long, conflicts_with_all = ["undo", "go_on", "leave"])]
    dry_run: bool,
    /// Leave the work to a running server.
    #[arg(long, conflicts_with = "go_on")]
    leave: bool,
    /// Print one JSON object for each move instead of words.
    #[arg(long)]
    json: bool,
}

fn why(text: &str) -> Result<Why, String> {
    Why::parse(text).ok_or_else(|| {
        let all: Vec<&str> = Why::ALL.iter().map(|one| one.as_str()).collect();
        format!("must be one of {}", all.join(", "))
    })
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let config = options.file.load()?;
    let opened = open(&options.file).await?;
    let done = work(&options, &config, &opened).await;
    opened.close().await;
    done
}

async fn work(options: &Options, config: &Config, opened: &Opened) -> Result<(), Failed> {
    let relay = relay(opened);
    if let Some(id) = options.undo.as_ref().or(options.go_on.as_ref()) {
        let mut tx = opened.db.read().await?;
        let account = number_moves::account_of(&mut tx, id).await?;
        let account = account.ok_or_else(|| Failed(format!("there is no move {id}")))?;
        drop(tx);
        if options.undo.is_some() {
            turn(&relay, &account, id).await?;
        }
        return follow(options, &relay, &account, id).await;
    }
    for (account, new) in asked(options, config, opened).await? {
        if options.dry_run {
            let trial = relay.try_move(&account, &new, usize::MAX).await.map_err(refused)?;
            output::line(&tried(&trial, &account, options.json));
            continue;
        }
        let owner = account.clone();
        let begun = opened
            .db
            .write(move |tx| {
                let (owner, new) = (owner.clone(), new.clone());
                Box::pin(async move { relay::begin_move(tx, &owner, &new).await })
            })
            .await
            .map_err(refused)?;
        follow(options, &relay, &account, &begun.id).await?;
    }
    Ok(())
}

/// The moves that are asked for: one for each account that has numbers at a carrier.
async fn asked(
    options: &Options,
    config: &Config,
    opened: &Opened,
) -> Result<Vec<(AccountId, NewMove)>, Failed> {
    let known = |id: &String| {
        let mut ids = config.carriers.iter().map(|one| one.id.as_str());
        if ids.any(|one| one == id) {
            Ok(())
        } else {
            let ids = config.carriers.iter().map(|one| one.id.as_str());
            Err(Failed(format!("the carrier {}", relay::must_be_one_of(ids))))
        }
    };
    let why = options.why.ok_or_else(|| Failed("--why is missing".into()))?;
    let tell = match (options.tell, options.quiet) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    options.to_carrier.as_ref().map_or(Ok(()), known)?;
    let mut tx = opened.db.read().await?;
    if let Some(carrier) = &options.carrier {
        // One that was taken out of the settings may still have numbers.
        let mut accounts = number_moves::accounts_at(&mut tx, carrier).await?;
        accounts.retain(|one| options.account.as_ref().is_none_or(|only| only == one));
        if accounts.is_empty() {
            return Err(Failed("no account has numbers at that carrier".into()));
        }
        let off = Off::Carrier(carrier.clone());
        let new = NewMove { off, to_number: None, to_carrier: None, why, tell };
        return Ok(accounts.into_iter().map(|account| (account, new.clone())).collect());
    }
    let number = |text: &str| {
        ProxyNumber::parse(text).map_err(|error| Failed(format!("the number {error}")))
    };
    let unknown = || Failed("that number is in no account's pool".into());
    let from = number(options.number.as_deref().unwrap_or_default())?;
    let (account, from) = numbers::owner(&mut tx, &from).await?.ok_or_else(unknown)?;
    let to_number = match &options.to {
        Some(to) => Some(numbers::owner(&mut tx, &number(to)?).await?.ok_or_else(unknown)?.1.id),
        None => None,
    };
    let (off, to_carrier) = (Off::Number(from.id), options.to_carrier.clone());
    Ok(vec![(account, NewMove { off, to_number, to_carrier, why, tell })])
}

fn refused(error: relay::Error) -> Failed {
    match error {
        relay::Error::Invalid(faults) => {
            let all: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
            Failed(format!("nothing was moved: the number {}", all.join("; ")))
        }
        other => Failed(other.to_string()),
    }
}

async fn turn(relay: &Relay, account: &AccountId, id: &MoveId) -> Result<(), Failed> {
    let (account, id) = (account.clone(), id.clone());
    let turned = relay.db().write(move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move { relay::undo_move(tx, &account, &id, None).await })
    });
    turned.await.map(drop).map_err(refused)
}

/// Goes on with a move until it is done, and says how far it has come.
async fn follow(
    options: &Options,
    relay: &Relay,
    account: &AccountId,
    id: &MoveId,
) -> Result<(), Failed> {
    if options.leave {
        output::line(&if options.json {
            json!({ "move": id, "account_sid": account, "state": "left" }).to_string()
        } else {
            format!("{id}: left to the running server")
        });
        return Ok(());
    }
    let ended = async {
        for batch in 0_usize.. {
            let row = relay.move_on(account, id).await?;
            if !row.state.is_open() {
                return Ok(row);
            }
            if !options.json && batch.is_multiple_of(LINE_EVERY) {
                output::line(&progress(&row));
            }
        }
        Err(relay::Error::NotFound("move"))
    };
    let row = tokio::select! {
        row = ended => row.map_err(refused)?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failed(format!(
                "broken off; nothing is half done. A running server goes on with it by itself; without \
                 one: entremise numbers move --go-on {id}. To take it back: --undo {id}"
            )));
        }
    };
    output::line(&if options.json { object(&row, account).to_string() } else { progress(&row) });
    Ok(())
}

fn progress(row: &Move) -> String {
    let tally = row.tally;
    match row.state {
        MoveState::Running | MoveState::Done => {
            format!("{}: {}; {} people moved, {} kept", row.id, row.state, tally.moved, tally.kept)
        }
        MoveState::Undoing | MoveState::Undone => format!(
            "{}: {}; {} people moved back, {} not",
            row.id, row.state, tally.undone, tally.not_undone
        ),
    }
}

fn object(row: &Move, account: &AccountId) -> Value {
    json!({
        "move": row.id, "account_sid": account, "state": row.state.as_str(),
        "moved": row.tally.moved, "kept": row.tally.kept, "undone": row.tally.undone,
        "not_undone": row.tally.not_undone,
    })
}

fn tried(trial: &Trial, account: &AccountId, as_json: bool) -> String {
    if as_json {
        return json!({
            "account_sid": account, "sessions": trial.sessions, "moved": trial.moved,
            "kept": trial.kept,
        })
        .to_string();
    }
    let kept: Vec<String> =
        trial.kept.iter().map(|(reason, people)| format!("{people} ({reason})")).collect();
    let kept = if kept.is_empty() { "nobody".to_owned() } else { kept.join(", ") };
    format!("{} live sessions: {} people would move; kept: {kept}", trial.sessions, trial.moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What would stay is told with its reasons, in words and in JSON alike.
    #[test]
    fn a_trial_is_told() {
        let account = AccountId::parse(&format!("AC{:032x}", 7)).unwrap();
        let mut trial = Trial { sessions: 3, moved: 2, ..Trial::default() };
        assert_eq!(
            tried(&trial, &account, false),
            "3 live sessions: 2 people would move; kept: nobody"
        );
        trial.kept.insert("in_use".into(), 1);
        assert!(tried(&trial, &account, false).ends_with("kept: 1 (in_use)"));
        let told: Value = serde_json::from_str(&tried(&trial, &account, true)).unwrap();
        assert_eq!((&told["moved"], &told["kept"]["in_use"]), (&json!(2), &json!(1)));
    }
}
