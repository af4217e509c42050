//! The fuzz targets without libFuzzer: each on its corpus in `fuzz/corpus`, and on a few thousand
//! inputs that a seed makes of it. `scripts/fuzz` runs the same targets guided by coverage.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests; clippy knows only their functions"
)]

#[path = "support/fiction.rs"]
mod fiction;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/replay.rs"]
mod replay;
#[path = "support/rng.rs"]
mod rng;
#[macro_use]
#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::{collections::BTreeSet, fs};

macro_rules! tests {
    ($($name:ident,)*) => {
        $(
            /// The target holds on its corpus and on what a seed makes of it.
            #[test]
            fn $name() {
                replay::replay(stringify!($name), targets::$name::run);
            }
        )*

        const TARGETS: &[&str] = &[$(stringify!($name)),*];
    };
}

with_targets!(tests);

/// Each target has its binary, its entry in fuzz/Cargo.toml and its corpus, and nothing else has.
#[test]
fn targets_are_whole() {
    let names = |folder: &str| -> BTreeSet<String> {
        let files = fs::read_dir(replay::folder().join(folder)).unwrap();
        files
            .map(|file| file.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").into())
            .collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = fs::read_to_string(replay::folder().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    let bins: BTreeSet<String> = bins.map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bins, targets);
    for name in TARGETS {
        let path = replay::folder().join("fuzz_targets").join(format!("{name}.rs"));
        let call = format!("entremise_fuzz::{name}(data)");
        assert!(fs::read_to_string(path).unwrap().contains(&call), "{name} runs another target");
    }
}

/// The corpus is small, and no number in it can be anybody's, but for those that
/// `tests/numbers.allowed` lists.
#[test]
fn the_corpus_is_small_and_fictional() {
    let allowed = include_str!("numbers.allowed");
    let allowed: Vec<&str> =
        allowed.lines().filter_map(|line| line.strip_prefix('+')?.split(' ').next()).collect();
    for target in TARGETS {
        let inputs = replay::corpus(target);
        assert!(inputs.len() <= 200, "{target} has {} inputs", inputs.len());
        for (name, input) in inputs {
            assert!(input.len() <= 4096, "{target}/{name} has {} bytes", input.len());
            let text = String::from_utf8_lossy(&input);
            for number in fiction::numbers(&text) {
                let nobody = fiction::fictional(number) || allowed.contains(&number);
                assert!(nobody, "{target}/{name}: +{number} may be somebody's");
            }
        }
    }
}
