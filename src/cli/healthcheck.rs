//! `entremise healthcheck`.

use std::net::SocketAddr;

use clap::Args;

use super::{ConfigFile, Failed};
use crate::http::ops;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The operations listener, if not the one of the settings.
    #[arg(long)]
    address: Option<SocketAddr>,
}

pub(super) async fn run(options: &Options) -> Result<(), Failed> {
    let address = match options.address {
        Some(address) => address,
        None => options.file.load()?.ops_listen,
    };
    ops::probe(address).await.map_err(|error| Failed(error.to_string()))
}
