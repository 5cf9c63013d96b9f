//! What a user namespace allows, where there are any.

use std::process::{Command, Stdio};

/// Whether a command works here: `unshare` is not everywhere, and containers forbid it.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a file system of one's own can be mounted here; says so where not.
pub(crate) fn mounts() -> bool {
    let mounts =
        works(Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none", "/tmp"]));
    if !mounts {
        println!("skipped: no mounts in a user namespace here");
    }
    mounts
}
