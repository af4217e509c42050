//! `entremise staff`.

use clap::Subcommand;

use super::{
    ConfigFile, Failed,
    account::{open, relay},
    output,
};
use crate::ids::AccountId;

#[derive(Debug, Subcommand)]
pub(super) enum Staff {
    /// Let somebody into the console: prints a link that works once, within 24 hours.
    ///
    /// The same name again gives the same person another link.
    Create {
        #[command(flatten)]
        file: ConfigFile,
        /// Who it is, as the audit will name them.
        #[arg(long)]
        name: String,
        /// The one account that they may see; all without it.
        #[arg(long)]
        account: Option<AccountId>,
    },
}

pub(super) async fn run(command: Staff) -> Result<(), Failed> {
    let Staff::Create { file, name, account } = command;
    let config = file.load()?;
    let opened = open(&file).await?;
    let made = relay(&opened).create_staff(&name, account).await;
    opened.close().await;
    output::line(&link(&config.origin(config.listen), &made?));
    Ok(())
}

/// The link: its secret is behind the `#`, which no server log and no `Referer` holds.
pub(super) fn link(origin: &str, secret: &str) -> String {
    format!("{origin}/console/login#{secret}")
}
