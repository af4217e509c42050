//! Runs a target on its corpus, and on what a seed makes of it.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    mutate,
    rng::{self, Rng},
    targets::world,
};

/// How many inputs a seed makes, and how long that may take: slower targets make fewer.
const ROUNDS: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Every input of a target's corpus, in order of the files' names.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|_| panic!("no {}", folder.display()));
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap())
        })
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs.sort();
    inputs
}

/// `FUZZ_SEED` repeats a run.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
fn seed() -> u64 {
    std::env::var("FUZZ_SEED").ok().map_or_else(rng::any, |text| text.parse().expect("a number"))
}

/// The whole corpus, and then inputs that a seed makes of it.
#[expect(clippy::print_stdout, reason = "a test's output: shown when it fails")]
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let inputs = corpus(target);
    let tell = |input: &[u8], origin: &str| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(input)));
        if let Err(panic) = outcome {
            println!("{target}: {origin}\n{}", input.escape_ascii());
            resume_unwind(panic);
        }
    };
    for (name, input) in &inputs {
        tell(input, name);
    }
    let seed = seed();
    let mut rng = Rng::new(seed);
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, input)| input).collect();
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS && begun.elapsed() < PATIENCE {
        let input = mutate::mutate(&inputs[rng.below(inputs.len())], &inputs, &mut rng);
        tell(&input, &format!("FUZZ_SEED={seed}, input {rounds}"));
        rounds += 1;
    }
    world::end();
    println!("{target}: {} inputs and {rounds} made of them, FUZZ_SEED={seed}", inputs.len());
}
