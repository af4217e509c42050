//! The master keys: as text, from files, or from a command that prints the current one.

use std::{
    io::Read as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use toml::Value;

use super::{
    MasterKey,
    reader::Reader,
    rules::{list, secret, text},
};

const RULE: &str = "32 bytes in base64; to make one: head -c 32 /dev/urandom | base64";
const COMMAND: &str = "a list of texts: a program and its arguments, such as [\"vault\", \"kv\", \
                       \"get\", \"-field=key\", \"secret/entremise\"]";
const KEYS: &str = "a list of at most 16 keys, each of 32 bytes in base64";
const FILES: &str = "a list of the paths of at most 16 files";
const PREVIOUS_MAX: usize = 16;
/// How long the command may take.
const COMMAND_MAX: Duration = Duration::from_secs(10);
/// How much it may print: a key has 44 characters.
const OUTPUT_MAX: u64 = 1024;
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) fn master_key(reader: &mut Reader<'_>) -> MasterKey {
    let before = reader.faults_so_far();
    let given = secret(reader, "master_key", "master_key_file");
    let command = reader.optional("master_key_command", COMMAND, |value| {
        let words = list(value, |word| Some(word.to_owned()))?;
        words.first().is_some_and(|program| !program.trim().is_empty()).then_some(words)
    });
    if command.is_some() && (given.is_some() || reader.faults_so_far() > before) {
        if given.is_some() {
            let message = "and `master_key` or `master_key_file` exclude each other";
            reader.fault("master_key_command", message);
        }
        return MasterKey::new([0; 32]);
    }
    let (name, given) = match command {
        None => ("master_key", given),
        Some(words) => match printed(&words, COMMAND_MAX) {
            Ok(text) => ("master_key_command", Some(text)),
            Err(why) => {
                reader.fault("master_key_command", why);
                return MasterKey::new([0; 32]);
            }
        },
    };
    match given.as_deref().map(key) {
        Some(Some(key)) => return key,
        Some(None) => reader.fault(name, format!("must be {RULE}")),
        None if reader.faults_so_far() > before => {}
        None => reader.fault(
            "master_key",
            format!(
                "is missing (or `master_key_file`, or `master_key_command`): {RULE}. Keep a copy: \
                 without it no number and no text can be read again"
            ),
        ),
    }
    MasterKey::new([0; 32])
}

/// The keys that only open what is not wrapped again yet.
pub(super) fn previous(reader: &mut Reader<'_>) -> Vec<MasterKey> {
    let few = |keys: &Vec<_>| keys.len() <= PREVIOUS_MAX;
    let mut keys = reader
        .value("previous_master_keys", Vec::new(), KEYS, |value| list(value, key).filter(few));
    let files = reader.value("previous_master_key_files", Vec::new(), FILES, |value| {
        let one = |path: &str| text(&Value::String(path.to_owned())).map(PathBuf::from);
        list(value, one).filter(|files| files.len() <= PREVIOUS_MAX)
    });
    for path in files {
        match std::fs::read_to_string(&path) {
            Ok(text) => match key(&text) {
                Some(key) => keys.push(key),
                None => reader.fault(
                    "previous_master_key_files",
                    format!("{} must hold {RULE}", path.display()),
                ),
            },
            Err(error) => reader.fault(
                "previous_master_key_files",
                format!("cannot be read: {}: {error}", path.display()),
            ),
        }
    }
    keys
}

fn key(text: &str) -> Option<MasterKey> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let bytes = <[u8; 32]>::try_from(bytes).ok()?;
    (bytes != [0; 32]).then(|| MasterKey::new(bytes))
}

/// What a command prints on its standard output; else why there is nothing, without a word of what it
/// said. What it says on standard error is dropped: a log is no place for what is about a key.
fn printed(words: &[String], within: Duration) -> Result<String, String> {
    let [program, arguments @ ..] = words else { return Err("is empty".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("does not start: {error}"))?;
    let until = Instant::now() + within;
    let read = read(&mut child, until);
    let ended = if read.is_ok() { ended(&mut child, until) } else { Err(String::new()) };
    if ended.is_err() {
        // It may have ended by now: then there is nobody to stop.
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = read?;
    ended?;
    Ok(text)
}

/// All that it prints, until it prints no more.
fn read(child: &mut Child, until: Instant) -> Result<String, String> {
    let Some(out) = child.stdout.take() else { return Err("prints nothing".to_owned()) };
    let (send, told) = mpsc::channel();
    // If the command hands its output to a child of its own, the thread ends with that one.
    thread::spawn(move || {
        let mut text = String::new();
        let read = out.take(OUTPUT_MAX + 1).read_to_string(&mut text).map(|_| text);
        // Nobody waits any more after the deadline.
        let _ = send.send(read.map_err(|error| error.kind()));
    });
    match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(Ok(text)) if text.len() as u64 > OUTPUT_MAX => {
            Err(format!("prints more than {OUTPUT_MAX} bytes"))
        }
        Ok(Ok(text)) => Ok(text),
        Ok(Err(kind)) => Err(format!("prints what can't be read: {kind}")),
        Err(_) => Err(late()),
    }
}

fn ended(child: &mut Child, until: Instant) -> Result<(), String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("fails: {status}")),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK_EVERY),
            Ok(None) => return Err(late()),
            Err(error) => return Err(format!("can't be waited for: {error}")),
        }
    }
}

fn late() -> String {
    "takes too long: ten seconds at most".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, within: Duration) -> Result<String, String> {
        printed(&["sh", "-c", script].map(str::to_owned), within)
    }

    /// A command's output is taken; one that fails, hangs, prints without end or is not there is
    /// refused in time, and nothing of what it said is in the fault.
    #[test]
    fn a_command_prints_the_key() {
        assert_eq!(sh("echo canary", COMMAND_MAX).unwrap(), "canary\n");
        for (script, why) in [
            ("echo canary; echo canary >&2; exit 3", "fails: exit status: 3"),
            ("yes canary", "prints more than 1024 bytes"),
            ("printf 'canary\\377'", "prints what can't be read"),
        ] {
            let told = sh(script, COMMAND_MAX).unwrap_err();
            assert!(told.starts_with(why) && !told.contains("canary"), "{told}");
        }
        let soon = Duration::from_millis(50);
        for hangs in ["exec sleep 60", "exec >&-; exec sleep 60"] {
            let began = Instant::now();
            assert_eq!(sh(hangs, soon).unwrap_err(), late());
            assert!(began.elapsed() < COMMAND_MAX);
        }
        let told = printed(&["/no/such/program".to_owned()], soon).unwrap_err();
        assert!(told.starts_with("does not start"), "{told}");
    }
}
