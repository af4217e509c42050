//! `entremise serve`.

use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Failed};
use crate::{
    app::{self, App, Environment, Listeners, Served},
    config::{Config, LogFormat},
    store::durability,
    telemetry::logs::{self, Format},
};

pub(super) async fn run(file: &ConfigFile) -> Result<(), Failed> {
    let config = file.load()?;
    start_logs(&config)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let environment = Environment::default();
    let mut ended = std::pin::pin!(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    let served = tokio::select! {
        served = Served::open(&config, &environment) => served?,
        () = &mut ended => return Ok(()),
    };
    let listeners = Listeners::bind(&config).await?;
    let running = App::start_on(served, &config, listeners, environment)?;
    tracing::info!(
        address = %running.address,
        ops_address = %running.ops_address,
        origin = running.origin,
        engine = ?running.relay.db().engine(),
        "serving"
    );
    for setting in durability::lax(&mut running.relay.db().read().await?).await? {
        tracing::error!(setting, "a loss of power may take away what was acknowledged");
    }
    ended.await;
    tracing::info!("draining");
    running.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

pub(super) fn start_logs(config: &Config) -> Result<(), Failed> {
    let format = match config.log.format {
        LogFormat::Auto => Format::Auto,
        LogFormat::Json => Format::Json,
        LogFormat::Human => Format::Human,
    };
    logs::init(&config.log.filter, format, app::redactor(config))?;
    Ok(())
}
