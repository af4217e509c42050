//! `entremise numbers sync`.

use clap::Args;
use serde_json::json;

use super::desk::{Desk, refusal, table};
use crate::{
    carrier::{NumberFault, capabilities::Numbers},
    cli::{ConfigFile, Failed, output},
    domain::phone::ProxyNumber,
    relay::{Difference, Synced},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Only this carrier, by its id in the configuration.
    #[arg(long, value_name = "ID")]
    carrier: Option<String>,
    /// Set webhooks that are wrong.
    #[arg(long)]
    fix: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let Options { file, carrier, fix, json } = options;
    let desk = Desk::open(&file).await?;
    let compared = compare(&desk, carrier.as_deref(), fix).await;
    let compared = desk.close(compared).await?;
    let mut differ = 0;
    for (carrier, synced) in &compared {
        show(carrier, synced, json);
        let left = |(_, what): &&(ProxyNumber, Difference)| *what != Difference::Fixed;
        differ += synced.differences.iter().filter(left).count();
    }
    match differ {
        0 => Ok(()),
        1 => Err(Failed("1 number differs".into())),
        more => Err(Failed(format!("{more} numbers differ"))),
    }
}

async fn compare(
    desk: &Desk,
    carrier: Option<&str>,
    fix: bool,
) -> Result<Vec<(String, Synced)>, Failed> {
    let named = carrier.map(|id| desk.carrier(Some(id))).transpose()?;
    let carriers = desk.relay.carriers();
    let chosen = carriers.iter().filter(|one| match &named {
        Some(named) => one.id == *named,
        // Others are in the tables of docs/carriers.md: nothing can be asked of them.
        None => one.adapter.capabilities().numbers != Numbers::None,
    });
    let mut all = Vec::new();
    for one in chosen {
        let synced = desk.relay.sync_numbers(&one.id, fix).await.map_err(|error| {
            let Failed(why) = refusal(error);
            Failed(format!("{}: {why}", one.id))
        })?;
        all.push((one.id.clone(), synced));
    }
    Ok(all)
}

fn joined(faults: &[NumberFault], part: fn(&NumberFault) -> &str) -> String {
    faults.iter().map(part).collect::<Vec<_>>().join("; ")
}

/// A word, what is there, and what to do.
fn words(what: &Difference) -> (&'static str, String, String) {
    let own = |word, found: &str, fix: &str| (word, found.to_owned(), fix.to_owned());
    match what {
        Difference::MissingThere => own(
            "missing",
            "the carrier's account does not have it",
            "release it here, or buy it there",
        ),
        Difference::UnknownHere => {
            own("unknown", "no account here has it", "adopt it with `numbers adopt`, or leave it")
        }
        Difference::Unable => own(
            "unable",
            "it can't do there all that it is to do here",
            "retire it, and adopt it with fewer capabilities",
        ),
        Difference::Wrong(faults) => {
            let found = joined(faults, |fault| &fault.found);
            ("wrong", found, joined(faults, |fault| &fault.fix))
        }
        Difference::Fixed => own("fixed", "its calls or texts went elsewhere", ""),
    }
}

fn show(carrier: &str, synced: &Synced, json: bool) {
    let Synced { here, there, differences } = synced;
    if json {
        for (number, what) in differences {
            let (word, found, fix) = words(what);
            let object = json!({
                "carrier": carrier, "number": number.as_str(), "difference": word,
                "found": found, "fix": fix,
            });
            output::line(&object.to_string());
        }
        return;
    }
    output::line(&format!("{carrier}: {here} numbers here, {there} listed there"));
    let rows: Vec<Vec<String>> = differences
        .iter()
        .map(|(number, what)| {
            let (word, found, fix) = words(what);
            vec![number.as_str().to_owned(), word.to_owned(), found, fix]
        })
        .collect();
    if !rows.is_empty() {
        table(&["number", "difference", "found", "to do"], &rows);
    }
}
