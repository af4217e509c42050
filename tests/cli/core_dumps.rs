//! What is in memory never reaches a file by a core dump.

use std::{
    fs,
    io::Read as _,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::ExitStatusExt as _,
    },
    process::{Command, Stdio},
};

use crate::command::{Place, signal};

/// What a shell says before it becomes the server: as much as the limits allow.
const UNLIMITED: &str = "ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"";

/// The limit that a process has.
fn limit_of(id: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned()
}

/// A server that is aborted leaves no core, though it was started with leave to write one.
#[test]
fn an_aborted_server_leaves_no_core() {
    let place = Place::with_sandbox();
    let server = place.serve_under(&["sh", "-c", UNLIMITED, "sh"]);
    let limit: Vec<String> = limit_of(server.id()).split_whitespace().map(Into::into).collect();
    assert_eq!(limit[4..6], ["0", "0"], "soft and hard limit");
    signal(server.id(), "ABRT");
    let ended = server.end();
    assert_eq!(ended.signal(), Some(6));
    assert!(!ended.core_dumped());
}

/// Its memory is not for other processes of its user either, nor for a program that the kernel would pipe a core
/// to: a process that is not dumpable belongs to root in `/proc`, whoever runs it.
#[test]
fn a_server_is_not_dumpable() {
    let place = Place::with_sandbox();
    // As somebody but root, else nothing is to be seen.
    let under: &[&str] = if fs::metadata("/proc/self").unwrap().uid() == 0 {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    } else {
        &[]
    };
    let server = place.serve_under(under);
    assert_eq!(owner(server.id()), 0, "dumpable");

    let (program, arguments) = under.split_first().unwrap_or((&"sh", &[]));
    let shell: &[&str] = if under.is_empty() { &[] } else { &["sh"] };
    let mut other = Command::new(program);
    other.args(arguments).args(shell).args(["-c", "echo; read line"]);
    let mut other = other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    other.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    assert_ne!(owner(other.id()), 0, "another program's is its user's: the check can fail");
    drop(other.stdin.take());
    other.wait().unwrap();
}

/// Whom a process's environment belongs to.
fn owner(id: u32) -> u32 {
    fs::metadata(format!("/proc/{id}/environ")).unwrap().uid()
}
