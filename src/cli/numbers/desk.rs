//! What these commands have in common: a database with the carriers, and tables.

use crate::{
    app::{self, Opened},
    cli::{ConfigFile, Failed, account, output},
    domain::pool::Capabilities,
    egress::Egress,
    ids::{AccountId, ServiceId},
    relay::{self, Client, Relay},
    store::accounts,
};

/// The use cases over the configured database and carriers, beside a server that may be running.
pub(super) struct Desk {
    opened: Opened,
    pub(super) relay: Relay,
}

impl Desk {
    pub(super) async fn open(file: &ConfigFile) -> Result<Self, Failed> {
        let config = file.load()?;
        let origin = config.origin(config.listen);
        let carriers = app::carriers(&config, &origin, &format!("http://{}", config.listen))
            .map_err(|faults| Failed(faults.to_string()))?;
        let opened = account::opened(&config).await?;
        let relay = Relay::new(opened.db.clone(), carriers, Client::new(), Egress::default());
        Ok(Self { opened, relay })
    }

    pub(super) async fn close<T>(self, done: Result<T, Failed>) -> Result<T, Failed> {
        self.opened.close().await;
        done
    }

    /// The carrier that is meant: the one that is named, or the first.
    pub(super) fn carrier(&self, named: Option<&str>) -> Result<String, Failed> {
        let carriers = self.relay.carriers();
        let known = carriers.known(named.or(carriers.default_id()).unwrap_or_default());
        known.map(|one| one.id.clone()).map_err(|words| Failed(format!("--carrier {words}")))
    }

    /// The service of that id or name.
    pub(super) async fn service(
        &self,
        account: &AccountId,
        named: &str,
    ) -> Result<ServiceId, Failed> {
        let mut tx = self.relay.db().read().await?;
        if accounts::get(&mut tx, account).await?.is_none() {
            return Err(Failed("there is no such account".into()));
        }
        let found = relay::find_service(&mut tx, account, named).await;
        found.map(|service| service.id).map_err(refusal)
    }
}

/// Why a use case refused, for people at a terminal.
pub(super) fn refusal(error: relay::Error) -> Failed {
    match error {
        relay::Error::NotFound(what) => Failed(format!("there is no such {what}")),
        other => Failed(other.to_string()),
    }
}

/// Reads `voice,sms,mms` or `voice|sms|mms`.
pub(super) fn capabilities(text: &str) -> Result<Capabilities, String> {
    Capabilities::parse(&text.replace(',', "|"))
        .ok_or_else(|| "must be of voice, sms and mms, with commas between".to_owned())
}

/// Prints rows under their heads, each column as wide as its longest cell.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads.get(column).map_or(0, |head| head.len())]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count())))
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    output::line(&output::Paint::new().bold(&line(&heads)));
    for row in rows {
        output::line(&line(row));
    }
}
