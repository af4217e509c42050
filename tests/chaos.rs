//! Real nodes, a real database and a carrier that keeps the truth, while things break.
//!
//! `cargo test --test chaos` plays a short profile. A long one, by hand:
//! `cargo test --test chaos -- --engine sqlite --seconds 1800 --rate 60 --pause 10`.
//! `--engine sqlite|postgres|both`, `--rate` (texts and calls a second), `--pause` (seconds between
//! two faults), `--seed`, `--calm` (nothing breaks) and
//! `--keep-logs` may be given; PostgreSQL is found as `scripts/with-postgres` says.

#[cfg(test)]
#[path = "chaos/carrier.rs"]
mod carrier;
#[cfg(test)]
#[path = "chaos/cluster.rs"]
mod cluster;
#[cfg(test)]
#[path = "chaos/database.rs"]
mod database;
#[cfg(test)]
#[path = "chaos/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "chaos/gate.rs"]
mod gate;
#[cfg(test)]
#[path = "chaos/judge.rs"]
mod judge;
#[cfg(test)]
#[path = "chaos/load.rs"]
mod load;
#[cfg(test)]
#[path = "chaos/options.rs"]
mod options;
#[cfg(test)]
#[path = "support/rng.rs"]
mod rng;
#[cfg(test)]
#[path = "chaos/run.rs"]
mod run;
#[cfg(test)]
#[path = "chaos/truth.rs"]
mod truth;
#[cfg(test)]
#[path = "chaos/web.rs"]
mod web;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    run::main()
}
