//! Placeholder.
use super::Failed;
use clap::Subcommand;
#[derive(Debug, Subcommand)]
pub(super) enum Staff {
    Create,
}
pub(super) async fn run(_: Staff) -> Result<(), Failed> {
    Ok(())
}
