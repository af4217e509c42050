//! `entremise numbers import`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::{
        ConfigFile, Failed,
        account::{open, relay},
        output,
    },
    domain::{phone::ProxyNumber, policy::Rules, pool::Capabilities},
    ids::{AccountId, ServiceId},
    relay::{self, NewNumber, NewService},
    store::{self, Tx, accounts, services},
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

/// One line of the file.
#[derive(Debug, Clone)]
struct Line {
    number: ProxyNumber,
    carrier: String,
    capabilities: Capabilities,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let Options { file, account, service, csv } = options;
    let config = file.load()?;
    let known: Vec<String> = config.carriers.iter().map(|one| one.id.clone()).collect();
    let text = std::fs::read(&csv)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", csv.display())))?;
    let lines = read(&text, &known)?;
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
            let all: Vec<String> =
                faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect();
            Failed(format!("--service: {}", all.join("; ")))
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
fn read(text: &[u8], carriers: &[String]) -> Result<Vec<Line>, Failed> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let headers = reader.headers().map_err(|error| Failed(format!("the file: {error}")))?.clone();
    if headers.iter().ne(["number", "carrier", "capabilities"]) {
        return Err(Failed("the first line must be: number,carrier,capabilities".into()));
    }
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        let at = record.position().map_or(0, csv::Position::line);
        let column = |place: usize| record.get(place).unwrap_or_default();
        if record.len() != 3 {
            faults.push(format!("line {at}: must have three columns"));
            continue;
        }
        let number = ProxyNumber::parse(column(0));
        if let Err(error) = &number {
            faults.push(format!("line {at}: number {error}"));
        }
        let carrier = column(1);
        if !carriers.iter().any(|one| one == carrier) {
            let all = carriers.join(", ");
            faults.push(format!("line {at}: carrier must be one of the configured: {all}"));
        }
        let capabilities = Capabilities::parse(column(2));
        if capabilities.is_none() {
            faults.push(format!("line {at}: capabilities must be of voice|sms|mms"));
        }
        if let (Ok(number), Some(capabilities)) = (number, capabilities) {
            lines.push(Line { number, carrier: carrier.to_owned(), capabilities });
        }
    }
    if faults.is_empty() { Ok(lines) } else { Err(Failed(faults.join("\n"))) }
}

async fn import(
    tx: &mut Tx,
    account: &AccountId,
    service: &str,
    lines: &[Line],
) -> Result<(ServiceId, usize), relay::Error> {
    let owner = accounts::get(tx, account).await?.ok_or(relay::Error::NotFound("account"))?;
    let found = match ServiceId::parse(service) {
        Ok(id) => {
            services::get(tx, account, &id).await?.ok_or(relay::Error::NotFound("service"))?
        }
        Err(_) => {
            if let Some(found) = services::by_name(tx, account, service).await? {
                found
            } else {
                let brand: String = owner.name.chars().take(60).collect();
                let new = NewService { unique_name: service.to_owned(), rules: Rules::new(brand) };
                relay::create_service(tx, account, &new).await?
            }
        }
    };
    let mut added = 0;
    for line in lines {
        let new = NewNumber {
            service: found.id.clone(),
            number: line.number.clone(),
            carrier: line.carrier.clone(),
            capabilities: line.capabilities,
            reserved: false,
        };
        match store::numbers::owner(tx, &line.number).await? {
            Some((other, _)) if other == *account => {}
            _ => {
                relay::add_number(tx, account, &new).await?;
                added += 1;
            }
        }
    }
    Ok((found.id, added))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every fault of a file comes at once, each with its line; the values are not repeated.
    #[test]
    fn all_faults_with_their_lines() {
        let text = b"number,carrier,capabilities\n+14155550100,sandbox,voice|sms\n\
            4155550101,sandbox,voice\n+14155550102,nobody,fax\n+14155550103,sandbox\n";
        let Failed(message) = read(text, &["sandbox".into()]).unwrap_err();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 4, "{message}");
        assert!(lines[0].starts_with("line 3: number"));
        assert!(lines[1].starts_with("line 4: carrier"));
        assert!(lines[2].starts_with("line 4: capabilities"));
        assert!(lines[3].starts_with("line 5: must have three"));
        assert!(!message.contains("4155550101"));
    }
}
