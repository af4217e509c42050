//! Placeholder.
use super::Failed;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct Options {}
pub(super) async fn run(_: Options) -> Result<(), Failed> {
    Ok(())
}
