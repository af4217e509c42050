//! `entremise pauses`.

use clap::Subcommand;
use serde_json::json;

use super::{
    ConfigFile, Failed,
    account::{open, relay},
    output,
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, PauseId},
    relay::{self as cases, Error},
    store::pauses::{self, Pause},
};

/// How many are read at once.
const PAGE: i64 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum Pauses {
    /// Print what is held back of an account, and for 30 days what was, as JSON lines.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Whose.
        #[arg(long)]
        account: AccountId,
    },
    /// Let what is held back go on; every node knows within some seconds.
    Lift {
        #[command(flatten)]
        file: ConfigFile,
        /// Whose.
        #[arg(long)]
        account: AccountId,
        /// The pause: TP and 32 hex digits.
        id: PauseId,
    },
}

fn shown(pause: &Pause) -> String {
    json!({
        "id": pause.id, "scope": pause.scope.as_str(), "kind": pause.kind.as_str(),
        "why": pause.why.as_str(), "since": pause.since.rfc3339(), "until": pause.until.rfc3339(),
        "lifted_at": pause.lifted_at.map(Timestamp::rfc3339),
    })
    .to_string()
}

pub(super) async fn run(command: Pauses) -> Result<(), Failed> {
    match command {
        Pauses::List { file, account } => list(&file, &account).await,
        Pauses::Lift { file, account, id } => {
            let opened = open(&file).await?;
            let relay = relay(&opened);
            let lifted: Result<Pause, Error> = relay
                .db()
                .write(move |tx| {
                    let (account, id) = (account.clone(), id.clone());
                    Box::pin(async move { cases::lift_pause(tx, &account, &id).await })
                })
                .await;
            opened.close().await;
            output::line(&shown(&lifted?));
            Ok(())
        }
    }
}

async fn list(file: &ConfigFile, account: &AccountId) -> Result<(), Failed> {
    let opened = open(file).await?;
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let mut tx = opened.db.read().await?;
        let page = pauses::list(&mut tx, account, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        last.id.as_str().clone_into(&mut after);
        all.extend(page.iter().map(shown));
    }
    opened.close().await;
    for line in all {
        output::line(&line);
    }
    Ok(())
}
