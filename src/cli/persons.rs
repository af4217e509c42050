//! `entremise persons`: erases people, exports what is known of them, and verifies what was signed.

use std::{
    io::{BufRead as _, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{ConfigFile, Failed, account, output};
use crate::{
    app::{self, Opened},
    domain::phone::Identifier,
    ids::{AccountId, ErasureId},
    privacy::audit::PublicKey,
    relay::{self, Relay, Subject, Window},
    store::erasures,
};

/// The longest file that is verified.
const FILE_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Persons {
    /// Erase a person of an account; prints the receipt. Run again with the same number, it erases what came since.
    Erase(Erase),
    /// Print everything that is known of a person in an account, as one signed JSON object. No number is in it.
    Export(Who),
    /// Print the receipt of an erasure as it is now.
    Receipt {
        #[command(flatten)]
        file: ConfigFile,
        /// The account, AC….
        #[arg(long)]
        account: AccountId,
        /// The erasure, ER….
        id: ErasureId,
    },
    /// Verify a receipt, an export or a disclosure; status 1 if it was changed or another key signed it.
    Verify {
        /// What it is verified with, as `audit key` printed it.
        #[arg(long, value_name = "KEY")]
        public_key: String,
        /// The file; `-` for standard input.
        document: PathBuf,
    },
    /// Write into the erasure list what the database knows: on a new node.
    Relist {
        #[command(flatten)]
        file: ConfigFile,
    },
}

#[derive(Debug, Args)]
pub(super) struct Who {
    #[command(flatten)]
    file: ConfigFile,
    /// The account, AC….
    #[arg(long)]
    account: AccountId,
    /// The file whose first line is the number, +…; standard input without it. Arguments are seen by others.
    #[arg(long, value_name = "FILE")]
    number_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Erase {
    #[command(flatten)]
    who: Who,
    /// Only say what would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(command: Persons) -> Result<(), Failed> {
    match command {
        Persons::Verify { public_key, document } => verify(&public_key, &document),
        Persons::Erase(options) => {
            let subject = subject(&options.who)?;
            let (opened, relay) = begin(&options.who.file).await?;
            let done = erase(&opened, &relay, &options, subject).await;
            opened.close().await;
            done
        }
        Persons::Export(who) => {
            let subject = subject(&who)?;
            let (opened, relay) = begin(&who.file).await?;
            let done = relay.export_person(&who.account, &subject, Window::default()).await;
            opened.close().await;
            output::line(&done?.1.object().to_string());
            Ok(())
        }
        Persons::Receipt { file, account, id } => {
            let (opened, relay) = begin(&file).await?;
            let done = receipt(&opened, &relay, &account, &id).await;
            opened.close().await;
            done
        }
        Persons::Relist { file } => {
            let (opened, relay) = begin(&file).await?;
            let done = relay.complete_list().await;
            opened.close().await;
            output::line(&format!("{} entries were added to the erasure list", done?));
            Ok(())
        }
    }
}

async fn begin(file: &ConfigFile) -> Result<(Opened, Relay), Failed> {
    let config = file.load()?;
    let opened = account::opened(&config).await?;
    let relay = account::relay(&opened)
        .with_objects(app::objects(&config)?)
        .with_erasing(app::erasing(&config));
    Ok((opened, relay))
}

fn subject(who: &Who) -> Result<Subject, Failed> {
    let mut line = String::new();
    match &who.number_file {
        Some(path) => {
            let file = std::fs::File::open(path)?;
            std::io::BufReader::new(file.take(4096)).read_line(&mut line)?;
        }
        None => {
            std::io::BufReader::new(std::io::stdin().take(4096)).read_line(&mut line)?;
        }
    }
    let number = Identifier::parse(line.trim());
    number.map(Subject::Number).map_err(|error| Failed(format!("the number {error}")))
}

async fn erase(
    opened: &Opened,
    relay: &Relay,
    options: &Erase,
    subject: Subject,
) -> Result<(), Failed> {
    let account = &options.who.account;
    relay.erasure_list()?;
    if options.dry_run {
        output::line(&relay.try_erasure(account, &subject).await?.0.to_string());
        return Ok(());
    }
    let owner = account.clone();
    let begun = opened
        .db
        .write(move |tx| {
            let (owner, subject) = (owner.clone(), subject.clone());
            Box::pin(async move { relay::begin_erasure(tx, &owner, &subject).await })
        })
        .await?;
    relay.list_owed().await?;
    while relay.erase_on(account, &begun.id).await? {}
    relay.forget_files().await?;
    receipt(opened, relay, account, &begun.id).await
}

async fn receipt(
    opened: &Opened,
    relay: &Relay,
    account: &AccountId,
    id: &ErasureId,
) -> Result<(), Failed> {
    let one = erasures::get(&mut opened.db.read().await?, account, id).await?;
    let one = one.ok_or_else(|| Failed(format!("there is no erasure {id}")))?;
    let receipt = relay.receipt(account, &one)?;
    let receipt = receipt.ok_or_else(|| Failed(format!("erasure {id} is under way")))?;
    output::line(&receipt.object().to_string());
    Ok(())
}

fn verify(public_key: &str, document: &Path) -> Result<(), Failed> {
    let key = PublicKey::parse(public_key)
        .map_err(|_| Failed("--public-key must be what `entremise audit key` printed".into()))?;
    let mut text = String::new();
    if document == Path::new("-") {
        std::io::stdin().take(FILE_MAX).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(document)?.take(FILE_MAX).read_to_string(&mut text)?;
    }
    match relay::verify_document(&text, &key) {
        Some(true) => {
            output::line("the signature holds");
            Ok(())
        }
        Some(false) => Err(Failed(
            "the signature does not hold: it was changed, or another key signed it".into(),
        )),
        None => Err(Failed("it is no signed document of entremise".into())),
    }
}
