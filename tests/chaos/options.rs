//! What a run is asked for.

use std::{path::PathBuf, time::Duration};

/// Where rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) engines: Vec<Engine>,
    /// How long the load runs.
    pub(crate) length: Duration,
    /// Texts and calls a second.
    pub(crate) rate: u32,
    /// Between the end of one fault and the next.
    pub(crate) pause: Duration,
    pub(crate) seed: u64,
    /// Whether nothing breaks: what the load alone comes to.
    pub(crate) calm: bool,
    /// Whether the nodes' logs are kept.
    pub(crate) keep_logs: bool,
    /// Another build of ours, such as the release before: nodes are started as that one and as this
    /// one in turn.
    pub(crate) other: Option<PathBuf>,
}

/// Reads the arguments. `None` where a name was asked for that is not ours: `cargo test NAME` asks
/// every binary.
///
/// # Panics
/// If a value is not what it must be.
pub(crate) fn read(arguments: impl Iterator<Item = String>, seed: u64) -> Option<Options> {
    let mut options = Options {
        engines: vec![Engine::Sqlite, Engine::Postgres],
        length: Duration::from_secs(40),
        rate: 15,
        pause: Duration::from_millis(1500),
        seed,
        calm: false,
        keep_logs: false,
        other: None,
    };
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--other" {
            let path = arguments.next().expect("--other needs the path of a binary");
            options.other = Some(path.into());
            continue;
        }
        let mut number = || -> u64 {
            let value = arguments.next().unwrap_or_default();
            value.parse().unwrap_or_else(|_| panic!("{argument} needs a number, not {value:?}"))
        };
        match argument.as_str() {
            "--seconds" => options.length = Duration::from_secs(number()),
            "--rate" => options.rate = u32::try_from(number()).unwrap().max(1),
            "--pause" => options.pause = Duration::from_secs(number()),
            "--seed" => options.seed = number(),
            "--calm" => options.calm = true,
            "--keep-logs" => options.keep_logs = true,
            "--engine" => {
                options.engines = match arguments.next().unwrap_or_default().as_str() {
                    "sqlite" => vec![Engine::Sqlite],
                    "postgres" => vec![Engine::Postgres],
                    "both" => vec![Engine::Sqlite, Engine::Postgres],
                    other => panic!("--engine needs sqlite, postgres or both, not {other:?}"),
                }
            }
            // What else cargo's own harness takes is not for us.
            flag if flag.starts_with('-') => {}
            name if "chaos".contains(name) => {}
            _ => return None,
        }
    }
    Some(options)
}
