//! The binary: reads the arguments and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    entremise::cli::run()
}
