//! `entremise numbers`.

mod desk;
mod import;
mod moving;
mod order;
mod search;
mod sync;

use clap::Subcommand;

use super::Failed;

#[derive(Debug, Subcommand)]
pub(super) enum Numbers {
    /// Import proxy numbers from a CSV file with the columns number,carrier,capabilities, and
    /// registration if it is known.
    ///
    /// A line looks like `+14155550100,twilio,voice|sms,10dlc`. All lines are imported, or none. A
    /// number that the account has already is left as it is.
    Import(import::Options),
    /// Show numbers that a carrier would sell; costs nothing.
    Search(search::Options),
    /// Buy numbers at a carrier, which charges you for them, lead their calls and texts here, and add them
    /// to a service's pool.
    Buy(order::BuyOptions),
    /// Take over a number that the carrier's account has already; its webhooks are kept, to be put back.
    Adopt(order::AdoptOptions),
    /// Give a number up once nobody holds it, open or in quarantine.
    Release(order::ReleaseOptions),
    /// Show what was ordered, and how far it has come.
    Orders(order::ListOptions),
    /// Move live sessions off a number that is dead, blocked or ported, or off a carrier.
    Move(Box<moving::Options>),
    /// Compare the inventory with what carriers have; status 1 where they differ.
    Sync(sync::Options),
}

pub(super) async fn run(command: Numbers) -> Result<(), Failed> {
    match command {
        Numbers::Import(options) => import::run(options).await,
        Numbers::Search(options) => search::run(options).await,
        Numbers::Buy(options) => order::buy(options).await,
        Numbers::Adopt(options) => order::adopt(options).await,
        Numbers::Release(options) => order::release(options).await,
        Numbers::Orders(options) => order::list(options).await,
        Numbers::Move(options) => moving::run(*options).await,
        Numbers::Sync(options) => sync::run(options).await,
    }
}
