//! `entremise fallback`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ConfigFile, Failed, account::open, output};
use crate::{
    app,
    carrier::{Answer, Plan, capabilities::Control, plan::Prompt},
    domain::policy,
    ids::AccountId,
    relay,
    store::services::Service,
};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The carrier's id in the configuration.
    #[arg(long, value_name = "ID")]
    carrier: String,
    /// For calls or for texts.
    #[arg(long = "for", value_enum, default_value = "calls")]
    what: What,
    /// What language it speaks, such as fr-FR. Without it the service's, or English.
    #[arg(long)]
    language: Option<String>,
    /// Names the brand of this service, by id or name, and speaks its language.
    #[arg(long, requires = "account")]
    service: Option<String>,
    /// The service's account, AC….
    #[arg(long, requires = "service")]
    account: Option<AccountId>,
    /// Write it here instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// An announcement, and the end of the call.
    Calls,
    /// Nothing: the text stays on the carrier's record, and is found there.
    Texts,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let config = options.file.load()?;
    let origin = config.origin(config.listen);
    let carriers = app::carriers(&config, &origin, &format!("http://{}", config.listen))
        .map_err(|faults| Failed(faults.to_string()))?;
    let carrier = carriers.known(&options.carrier);
    let carrier = carrier.map_err(|words| Failed(format!("--carrier {words}")))?;
    if carrier.adapter.capabilities().control != Control::Documents {
        return Err(Failed(format!("{} takes no documents, so there is none", carrier.id)));
    }
    let answer = match options.what {
        What::Calls => Answer::Plan(Plan::Announce(prompt(&options).await?)),
        What::Texts => Answer::Ack,
    };
    let document = carrier.adapter.reply(&answer, &carrier.links).response.body;
    if let Some(path) = &options.out {
        std::fs::write(path, &document)
            .map_err(|error| Failed(format!("{} cannot be written: {error}", path.display())))?;
    } else {
        output::line(&String::from_utf8_lossy(&document));
    }
    Ok(())
}

/// What callers hear, as the service says or in general.
async fn prompt(options: &Options) -> Result<Prompt, Failed> {
    let service = service(options).await?;
    let spoken = service.as_ref().map_or("", |service| policy::language(&service.rules, ""));
    let language = options.language.as_deref().unwrap_or(spoken);
    let language = if language.is_empty() { "en-US" } else { language };
    if !policy::is_language(language) {
        return Err(Failed("--language must be a BCP 47 language such as en or fr-FR".into()));
    }
    let brand = service.as_ref().map(|service| service.rules.brand.as_str());
    Ok(Prompt { text: policy::fallback_words(brand, language), language: language.to_owned() })
}

async fn service(options: &Options) -> Result<Option<Service>, Failed> {
    let (Some(name), Some(account)) = (&options.service, &options.account) else {
        return Ok(None);
    };
    let opened = open(&options.file).await?;
    let mut tx = opened.db.read().await?;
    let found = relay::find_service(&mut tx, account, name).await;
    drop(tx);
    opened.close().await;
    found.map(Some).map_err(|error| match error {
        relay::Error::NotFound(_) => Failed("there is no such service".into()),
        other => Failed(other.to_string()),
    })
}
