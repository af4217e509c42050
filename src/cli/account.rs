//! `entremise account`.

use clap::Subcommand;
use serde_json::json;

use super::{ConfigFile, Failed, output};
use crate::{
    app::Opened,
    clock::Clock,
    config::{self, Config},
    domain::audit::Actor,
    egress::Egress,
    ids::{AccountId, Ids},
    relay::{Carriers, Client, Relay},
    store::accounts,
};

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Make an account; prints its id and secrets once, as one JSON object.
    Create {
        #[command(flatten)]
        file: ConfigFile,
        /// The marketplace's name.
        #[arg(long)]
        name: String,
        /// The id that it has at Twilio, AC…, and is to keep here.
        #[arg(long, value_name = "AC…")]
        sid: Option<AccountId>,
    },
    /// List the accounts, one JSON object a line.
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: Account) -> Result<(), Failed> {
    match command {
        Account::Create { file, name, sid } => {
            if name.trim().is_empty() || name.chars().count() > 100 {
                return Err(Failed("--name must have 1 to 100 characters".into()));
            }
            let opened = open(&file).await?;
            let made = match sid {
                Some(sid) => relay(&opened).adopt_account(sid, name.trim()).await?,
                None => relay(&opened).create_account(name.trim()).await?,
            };
            let object = json!({
                "account_sid": made.account,
                "auth_token": made.auth_token,
                "api_key": made.api_key,
            });
            output::line(&object.to_string());
            opened.close().await;
        }
        Account::List { file } => {
            let opened = open(&file).await?;
            let mut tx = opened.db.read().await?;
            for account in accounts::all(&mut tx).await? {
                let object = json!({ "account_sid": account.id, "name": account.name });
                output::line(&object.to_string());
            }
            drop(tx);
            opened.close().await;
        }
    }
    Ok(())
}

/// Opens the database beside a server that may be running.
pub(super) async fn open(file: &ConfigFile) -> Result<Opened, Failed> {
    opened(&file.load()?).await
}

/// The same with settings that were read already. What is done is the operator's.
pub(super) async fn opened(config: &Config) -> Result<Opened, Failed> {
    let mut opened = Opened::open(config, &Clock::system(), &Ids::default()).await?;
    let operator = Actor::operator(config::login().as_deref());
    opened.db = opened.db.by(operator);
    Ok(opened)
}

/// The use cases, with no carrier: a command asks none.
pub(super) fn relay(opened: &Opened) -> Relay {
    Relay::new(opened.db.clone(), Carriers::default(), Client::new(), Egress::default())
}
