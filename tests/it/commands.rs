//! The binary as a shell sees it: what goes where, and exit statuses.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary in `dir`, without anything of the environment that it would read.
fn statuswatch(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuswatch"));
    command.current_dir(dir).stdin(Stdio::null());
    for name in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE", "HOSTED_MODE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn run(dir: &Path, args: &[&str]) -> (Output, String, String) {
    let output = statuswatch(dir).args(args).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap());
    (output, out, err)
}

#[test]
fn help_and_version_are_results() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["-h"], &["man", "--help"]] {
        let (output, out, err) = run(dir.path(), args);
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains("Usage:"), "{out}");
    }
    let (_, out, _) = run(dir.path(), &["--help"]);
    assert!(out.contains("75  the state directory is in use"), "{out}");
    let (output, out, _) = run(dir.path(), &["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out.starts_with(concat!("statuswatch ", env!("CARGO_PKG_VERSION"))) && out.contains("SQLite 3."), "{out}");
    let (_, out, _) = run(dir.path(), &["-V"]);
    assert_eq!(out, concat!("statuswatch ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_usage_is_2_and_says_so_on_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["--nope"][..], &["nope"], &["completions"], &["completions", "nosuchshell"], &["man", "extra"]] {
        let (output, out, err) = run(dir.path(), args);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{args:?}");
        assert!(err.contains("error:"), "{args:?}: {err}");
    }
}

#[test]
fn completions_know_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (output, out, err) = run(dir.path(), &["completions", shell]);
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
        assert!(out.contains("completions") && out.contains("config"), "{shell}: {out}");
    }
}

#[test]
fn the_manual_is_roff() {
    let dir = tempfile::tempdir().unwrap();
    let (output, out, _) = run(dir.path(), &["man"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out.contains(".TH statuswatch 1") && out.contains(".SH \"COMPLETIONS\""), "{out}");
}

/// `statuswatch man | head -c1`.
#[test]
fn a_reader_that_goes_away_is_an_ordinary_end() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = statuswatch(dir.path()).arg("man").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(reader);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}
