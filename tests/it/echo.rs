//! Text from the command line, the environment and files is never repeated to a terminal as it came.

use std::os::unix::ffi::OsStrExt as _;
use std::process::Output;

use crate::support::binary::Bench;

/// Clears a screen, sets a title, colours, turns text round, hides, and begins a line of its own.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1m\u{202e}\u{200b}\rerror: forged\nstatuswatch: forged";

fn harmless(what: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let bad: Vec<char> = text
            .chars()
            .filter(|c| (c.is_control() && !"\n\t".contains(*c)) || "\u{202e}\u{200b}".contains(*c))
            .collect();
        assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("statuswatch: forged")),
            "{what} forged a line: {text}"
        );
    }
}

#[test]
fn no_command_repeats_its_arguments_raw() {
    let bench = Bench::new().provider("acme", "http://127.0.0.1:9/", "");
    bench.write();
    // So that there is a ledger to look into.
    bench.output(&["run", "--once"]);
    let option = format!("--limit={HOSTILE}");
    let unknown = format!("--{HOSTILE}");
    let words = [HOSTILE, &option, &unknown];
    let commands: &[&[&str]] = &[
        &[],
        &["run"],
        &["run", "--duration"],
        &["run", "--format"],
        &["check"],
        &["status"],
        &["history"],
        &["history", "--provider"],
        &["history", "--since"],
        &["history", "--kind"],
        &["history", "--impact"],
        &["history", "--limit"],
        &["logs"],
        &["logs", "--since"],
        &["probe"],
        &["add"],
        &["catalog"],
        &["schema"],
        &["completions"],
        &["man"],
        &["chaos", "--duration"],
        &["demo", "--seed"],
        &["help"],
    ];
    for command in commands {
        for word in words {
            let output = bench.command().args(*command).arg(word).output().unwrap();
            harmless(&format!("{command:?} {word:?}"), &output);
        }
    }
    for option in ["--config", "--state"] {
        for command in [
            &["status"][..],
            &["check"],
            &["check", "--json"],
            &["run", "--once"],
            &["logs"],
            &["history"],
            &["add", "github"],
        ] {
            let output = bench.command().args([option, HOSTILE]).args(command).output().unwrap();
            harmless(&format!("{option} {command:?}"), &output);
        }
    }
    for variable in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE", "HOSTED_MODE"] {
        for command in [&["status"][..], &["check"], &["run", "--once"]] {
            let output = bench.command().env(variable, HOSTILE).args(command).output().unwrap();
            harmless(&format!("{variable} {command:?}"), &output);
        }
    }
    let broken = std::ffi::OsStr::from_bytes(b"\xff\x1b[2J\x9b1m");
    harmless("no text", &bench.command().arg(broken).output().unwrap());
    harmless("no text", &bench.command().arg("status").arg(broken).output().unwrap());
}

#[test]
fn no_configuration_is_repeated_raw() {
    let bench = Bench::new();
    let escaped =
        "x\\e[2J\\e]0;owned\\a\\x9b1m\\u202e\\u200b\\rerror: forged\\nstatuswatch: forged";
    for text in [
        format!(
            "state_dir: \"{escaped}\"\nproviders: [{{id: acme, url: \"http://127.0.0.1:9/\", name: \"{escaped}\"}}]\n"
        ),
        format!(
            "event_log: {{dir: \"{escaped}\"}}\nproviders: [{{id: acme, url: \"http://127.0.0.1:9/\"}}]\n"
        ),
        format!("providers: [\"{escaped}\"]\n"),
        format!("providers: [{{id: \"{escaped}\", url: x}}]\n"),
        format!("providers: [{{id: acme, url: \"{escaped}\"}}]\n"),
        format!("providers: [{{id: acme, url: \"http://{escaped}\"}}]\n"),
        format!("providers: [{{catalog: \"{escaped}\"}}]\n"),
        format!("\"{escaped}\": 1\nproviders: [github]\n"),
        format!("defaults: {{interval: \"{escaped}\"}}\nproviders: [github]\n"),
        format!("defaults: {{first_run: \"{escaped}\"}}\nproviders: [github]\n"),
        format!("providers: [{{id: acme, url: \"http://127.0.0.1:9/\", source: \"{escaped}\"}}]\n"),
        "providers: [\"a\u{1b}[2J\u{9b}1m\", ${X\u{1b}[2J}]\n".to_owned(),
    ] {
        bench.write_text(&text);
        for command in [
            &["check"][..],
            &["check", "--json"],
            &["run", "--once"],
            &["status"],
            &["logs"],
            &["check", "--online"],
        ] {
            let output = bench.command().args(command).output().unwrap();
            harmless(&format!("{command:?} {text:?}"), &output);
        }
    }
}
