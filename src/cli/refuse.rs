//! Reports usage errors, errors that reach `main`, and panics, all sanitized for terminals.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;

use clap::Parser as _;

use super::args::Cli;
use super::exit::Exit;
use super::output;
use super::table::one_line;

/// Prints what clap says of `line`: help and version are results, the rest is an error. Clap repeats
/// arguments as they are, so it is asked again with arguments that nothing would obey.
pub(super) fn usage(error: clap::Error, line: &[OsString]) -> Exit {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    let harmless: Vec<OsString> = line.iter().map(harmless).collect();
    let error =
        if harmless == line { error } else { Cli::try_parse_from(harmless).err().unwrap_or(error) };
    let rendered = error.render().to_string();
    if output::is_harmless(&rendered) {
        let _gone = error.print();
    } else {
        output::note(rendered.trim_end());
    }
    exit
}

/// An argument on one line, without anything a terminal would obey; others as they are.
fn harmless(argument: &OsString) -> OsString {
    match argument.to_str() {
        Some(text) if output::is_harmless(text) && !text.contains(['\n', '\t']) => argument.clone(),
        _ => one_line(&argument.to_string_lossy()).into(),
    }
}

/// Joins an error and its causes on one line. Causes that repeat the ones below are left out.
pub(super) fn causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = one_line(&cause.to_string());
        if !cause.is_empty() && !said.contains(&cause) {
            let gap = if said.is_empty() { "" } else { ": " };
            said.push_str(gap);
            said.push_str(&cause);
        }
    }
    said
}

/// Reports panics on one line of standard error. `run` writes them to its diagnostics instead.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let why = one_line(info.payload_as_str().unwrap_or("(no text)"));
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        output::note(&format!("statuswatch: internal error: {why} ({place}); please report it"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            output::note(&trace.to_string());
        }
    }));
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn arguments_stay_on_their_line() {
        let of = |text: &str| harmless(&OsString::from(text)).into_string().unwrap();
        assert_eq!(of("--limit=7  x"), "--limit=7  x");
        assert_eq!(of("sta\u{1b}[2Jtus\nerror: \u{9b}1m\rforged"), "sta[2Jtus error: 1m forged");
    }

    #[test]
    fn no_cause_is_repeated() {
        let lookup = std::io::Error::other("failed to lookup: Name or service not known");
        let error = anyhow::Error::new(lookup)
            .context("cannot connect: failed to lookup: Name or service not known")
            .context("cannot prepare HTTP requests");
        assert_eq!(
            causes(&error),
            "cannot prepare HTTP requests: cannot connect: failed to lookup: Name or service not known"
        );
        let plain = std::fs::read("/nonexistent").context("cannot read it\u{1b}[2J").unwrap_err();
        assert_eq!(causes(&plain), "cannot read it[2J: No such file or directory (os error 2)");
    }
}
