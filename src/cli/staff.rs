//! `entremise staff`.

use clap::Subcommand;

use super::{
    ConfigFile, Failed,
    account::{open, relay},
    output,
};
use crate::{
    domain::staff::{Permission, Rights, Role},
    ids::AccountId,
    relay::Invite,
};

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
        /// What they are there: viewer, agent, supervisor, admin or auditor. Somebody new is an admin without it;
        /// somebody who is there keeps what they are.
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        /// What they may do beside their role: `reveal`, `read_texts`, `export`.
        #[arg(long, value_parser = extra, requires = "role", value_delimiter = ',')]
        allow: Vec<Permission>,
    },
}

fn role(text: &str) -> Result<Role, String> {
    let all = Role::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    Role::parse(text).ok_or_else(|| format!("must be one of {all}"))
}

fn extra(text: &str) -> Result<Permission, String> {
    let found = Permission::EXTRA.iter().find(|one| one.as_str() == text);
    let all = Permission::EXTRA.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    found.copied().ok_or_else(|| format!("must be one of {all}"))
}

pub(super) async fn run(command: Staff) -> Result<(), Failed> {
    let Staff::Create { file, name, account, role, allow } = command;
    let extra = allow.into_iter().collect();
    let rights = role.map(|role| Rights { role, extra });
    let config = file.load()?;
    let opened = open(&file).await?;
    let relay = relay(&opened);
    let known = relay.staff_named(&name).await;
    let made = match known {
        Ok(None) => {
            let rights = Some(rights.unwrap_or_else(|| Rights::of(Role::Admin)));
            relay.create_staff(Invite { name, account, rights }).await
        }
        Ok(Some(_)) => relay.create_staff(Invite { name, account, rights }).await,
        Err(error) => Err(error),
    };
    opened.close().await;
    output::line(&link(&config.origin(config.listen), &made?));
    Ok(())
}

/// The link: its secret is behind the `#`, which no server log and no `Referer` holds.
pub(super) fn link(origin: &str, secret: &str) -> String {
    format!("{origin}/console/login#{secret}")
}
