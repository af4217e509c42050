//! The fuzz targets: each judges what production code does with any bytes. The libFuzzer binaries
//! in `fuzz/` and the replay in `tests/fuzz.rs` call the same functions.

/// Calls a macro with the name of every target: each is a module here with a function `run`.
macro_rules! with_targets {
    ($use:ident) => {
        $use! {
            api_bodies,
            audit_heads,
            commanded,
            config,
            content,
            cursors,
            documents,
            egress,
            epoch_file,
            hooks,
            ids,
            lists,
            phone,
            pictures,
            redaction,
            requests,
            responses,
            sandbox_webhook,
            sealed,
            twilio_webhook,
        }
    };
}

macro_rules! modules {
    ($($name:ident,)*) => {
        $(pub(crate) mod $name;)*
    };
}

with_targets!(modules);

mod adapters;
pub(crate) mod input;
mod plans;
pub(crate) mod world;
