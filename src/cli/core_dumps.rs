//! Keeps what the process has in memory, numbers and keys among it, out of files: no core dumps.

use std::io;

use rustix::process::{self, Resource, Rlimit};

/// Switches core dumps off, for this process and for good.
///
/// The limit is for dumps that the kernel writes to a file; it cannot be raised again without privileges.
/// Linux ignores it for dumps that go to a program (`core_pattern` with a `|`), so there the process is also
/// made not dumpable, which besides keeps others of the same user from reading its memory.
///
/// # Errors
/// Where the kernel refuses either.
pub(super) fn off() -> io::Result<()> {
    process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    process::set_dumpable_behavior(process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
