//! `entremise numbers import`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::{
        ConfigFile, Failed,
        account::{open, relay},
        output,
    },
    domain::{phone::Permits, policy::Rules},
    ids::{AccountId, ServiceId},
    relay::{self, NewService, NumberLine},
    store::{Tx, accounts},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The account, AC….
    #[arg(long)]
    account: AccountId,
    /// The service whose pool they join: its id or name. Made if there is none of that name.
    #[arg(long, default_value = "default")]
    service: String,
    /// The file.
    #[arg(value_name = "FILE.csv")]
    csv: PathBuf,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let Options { file, account, service, csv } = options;
    let config = file.load()?;
    let known: Vec<String> = config.carriers.iter().map(|one| one.id.clone()).collect();
    let text = std::fs::read(&csv)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", csv.display())))?;
    let lines = read(&text, &known, &config.numbers.allow)?;
    let opened = open(&file).await?;
    let total = lines.len();
    let result = relay(&opened)
        .db()
        .write(move |tx| {
            let (account, service, lines) = (account.clone(), service.clone(), lines.clone());
            Box::pin(async move { import(tx, &account, &service, &lines).await })
        })
        .await;
    opened.close().await;
    let (service, added) = result.map_err(|error| match error {
        relay::Error::NotFound(what) => Failed(format!("there is no such {what}")),
        relay::Error::NumberTaken => {
            Failed("a number belongs to another account; nothing was imported".into())
        }
        relay::Error::Invalid(faults) => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Failed(format!("nothing was imported: {}", all.join("; ")))
        }
        other => Failed(other.to_string()),
    })?;
    output::line(&format!(
        "{added} of {total} numbers added to service {service}; {} were there already",
        total - added
    ));
    Ok(())
}

/// Reads the file; every fault with its line.
fn read(text: &[u8], carriers: &[String], permits: &Permits) -> Result<Vec<NumberLine>, Failed> {
    relay::read_numbers(text, carriers, permits).map_err(|faults| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failed(all.join("\n"))
    })
}

async fn import(
    tx: &mut Tx,
    account: &AccountId,
    service: &str,
    lines: &[NumberLine],
) -> Result<(ServiceId, usize), relay::Error> {
    let owner = accounts::get(tx, account).await?.ok_or(relay::Error::NotFound("account"))?;
    let found = match relay::find_service(tx, account, service).await {
        Err(relay::Error::NotFound(_)) if ServiceId::parse(service).is_err() => {
            let brand: String = owner.name.chars().take(60).collect();
            let new = NewService { unique_name: service.to_owned(), rules: Rules::new(brand) };
            relay::create_service(tx, account, &new).await?
        }
        found => found?,
    };
    let added = relay::import_numbers(tx, account, &found.id, lines).await?;
    Ok((found.id, added))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::{Registered, Registration};

    /// Every fault of a file comes at once, each with its line; the values are not repeated.
    #[test]
    fn all_faults_with_their_lines() {
        let text = b"number,carrier,capabilities\n+14155550100,sandbox,voice|sms\n\
            4155550101,sandbox,voice\n+14155550102,nobody,fax\n+14155550103,sandbox\n";
        let Failed(message) = read(text, &["sandbox".into()], &Permits::default()).unwrap_err();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 4, "{message}");
        assert!(lines[0].starts_with("line 3: number"));
        assert!(lines[1].starts_with("line 4: carrier"));
        assert!(lines[2].starts_with("line 4: capabilities"));
        assert!(lines[3].starts_with("line 5: must have three"));
        assert!(!message.contains("4155550101"));
    }

    /// The fourth column says for what a number is registered; a file without it stays valid. A number that a
    /// rule refuses is a fault that names the rule and its source, unless the operator lets it in.
    #[test]
    fn registration_and_rules() {
        let carriers = ["sandbox".to_owned()];
        let permits = Permits::parse(["+33639 permit 7 of Arcep"]).unwrap();
        let text = b"number,carrier,capabilities,registration\n+14155550100,sandbox,sms,10dlc\n\
            +14155550101,sandbox,sms,\n+33639980001,sandbox,voice,none\n";
        let lines = read(text, &carriers, &permits).unwrap();
        let said: Vec<_> = lines.iter().map(|line| line.registered.registration).collect();
        assert_eq!(said, [Registration::TenDlc, Registration::Unknown, Registration::None]);
        let Failed(message) = read(text, &carriers, &Permits::default()).unwrap_err();
        assert!(message.starts_with("line 4: number is kept for one natural person"), "{message}");
        assert!(message.contains("rule fr-mobile, https://arcep.fr/"), "{message}");

        let three = b"number,carrier,capabilities\n+14155550100,sandbox,sms\n";
        let lines = read(three, &carriers, &permits).unwrap();
        assert_eq!(lines[0].registered, Registered::default());
        let wrong =
            b"number,carrier,capabilities,registration\n+14155550100,sandbox,sms,toll_free\n\
            +14155550101,sandbox,sms,yes\n";
        let Failed(message) = read(wrong, &carriers, &permits).unwrap_err();
        assert!(message.contains("line 2: registration must be 10dlc"), "{message}");
        assert!(message.contains("line 3: registration must be one of unknown"), "{message}");
    }
}
