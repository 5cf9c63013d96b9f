//! `gate` and the GitHub action in `deploy/`, on a state directory with an open major incident.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::commands::{run, watched};

#[test]
fn the_exit_status_is_the_verdict() {
    let dir = watched();
    for (args, status) in [
        (&["--needs", "acme"][..], 10),
        (&["--needs", "acme-cloud", "--min-impact", "critical"], 0),
        (&["--needs", "npm"], 11),
        (&["--needs", "npm", "--on-unknown", "pass"], 0),
        (&["--needs", "npm", "--on-unknown", "hold"], 10),
        (&["--needs", "npm,acme"], 10),
        (&["--needs", "npm", "--needs", "acme", "--min-impact", "critical"], 11),
        (&["--needs", "acme", "--max-age", "1ms"], 11),
        (&["--needs", "acme#api"], 2),
        (&["--needs", "acne"], 2),
        (&["--needs", "acme", "--min-impact", "none"], 2),
        (&["--needs", ""], 2),
        (&[], 2),
        (&["--needs", "acme", "--state", "nowhere"], 1),
    ] {
        let (output, out, err) = run(dir.path(), &[&["gate"], args].concat());
        assert_eq!(output.status.code(), Some(status), "{args:?}: {out}{err}");
        let answers = matches!(status, 0 | 10 | 11);
        assert_eq!((out.is_empty(), err.is_empty()), (!answers, answers), "{args:?}: {out}{err}");
    }
    let (_, _, err) = run(dir.path(), &["gate", "--needs", "acne"]);
    assert_eq!(err, "statuswatch: no provider \"acne\"; candidate: acme\n");
}

#[test]
fn a_line_per_need_and_the_same_as_json() {
    let dir = watched();
    let (_, out, _) = run(dir.path(), &["gate", "--needs", "npm,acme"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("VERDICT  NEED  REASON"), "{out}");
    assert!(lines[1].starts_with("unknown  npm   not watched: add it with"), "{out}");
    assert!(lines[1].contains("  https://status.npmjs.org"), "{out}");
    assert!(lines[2].starts_with("hold     acme  major incident \"PollError one\""), "{out}");
    assert!(lines[4].starts_with("hold: acme: major incident \"PollError one\""), "{out}");
    assert_eq!(lines.len(), 5, "{out}");
    let (_, out, _) = run(dir.path(), &["gate", "--needs", "npm,acme", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verdict"], "hold");
    assert_eq!(
        (&json["needs"][0]["verdict"], &json["needs"][1]["items"][0]["id"]),
        (&"unknown".into(), &"one".into())
    );
}

#[test]
fn waiting_is_over_when_its_time_is() {
    let dir = watched();
    let began = Instant::now();
    let (output, out, err) = run(dir.path(), &["gate", "--needs", "acme", "--wait", "300ms"]);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((output.status.code(), err.as_str()), (Some(10), ""), "{out}");
    let began = Instant::now();
    let fine = ["gate", "--needs", "acme", "--min-impact", "critical", "--wait", "1h"];
    assert_eq!(run(dir.path(), &fine).0.status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_mins(1), "waited although it passed");
}

const ACTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/github-action");

/// The inputs of the action with their defaults, and the variable each is passed in.
fn inputs() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(Path::new(ACTION).join("action.yml")).unwrap();
    let action: Value = serde_yaml::from_str(&text).unwrap();
    let step = &action["runs"]["steps"][0];
    let variables = step["env"].as_object().unwrap();
    assert!(!step["run"].as_str().unwrap().contains("${{"), "an input is executed");
    for output in ["verdict", "reason"] {
        assert_eq!(
            action["outputs"][output]["value"],
            format!("${{{{ steps.gate.outputs.{output} }}}}")
        );
    }
    let passed: Vec<(String, String, String)> = action["inputs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, input)| {
            let expression = format!("${{{{ inputs.{name} }}}}");
            let (variable, _) = variables.iter().find(|(_, value)| **value == expression).unwrap();
            let default = input["default"].as_str().unwrap_or_default();
            (name.clone(), default.to_owned(), variable.clone())
        })
        .collect();
    assert_eq!(passed.len(), variables.len());
    passed
}

/// Runs the step with `given` inputs; returns its status, its outputs and what it printed.
fn step(dir: &Path, given: &[(&str, &str)]) -> (i32, String, String) {
    let outputs = dir.join("outputs");
    let _former = std::fs::remove_file(&outputs);
    let mut command = Command::new("bash");
    command.arg(Path::new(ACTION).join("gate.sh")).current_dir(dir);
    command.env("GITHUB_OUTPUT", &outputs).env_remove("STATUSWATCH_STATE");
    for (name, default, variable) in inputs() {
        let own = (name == "program").then_some(env!("CARGO_BIN_EXE_statuswatch"));
        let given = given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
        command.env(variable, given.or(own).unwrap_or(&default));
    }
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), std::fs::read_to_string(&outputs).unwrap(), printed)
}

#[test]
fn the_action_sets_its_outputs_and_fails_as_asked() {
    let dir = watched();
    let (status, outputs, printed) = step(dir.path(), &[("needs", "acme\nnpm")]);
    assert_eq!(status, 10);
    assert!(
        outputs.starts_with("verdict=hold\nreason=acme: major incident \"PollError one\""),
        "{outputs}"
    );
    assert_eq!(outputs.lines().count(), 2, "{outputs}");
    // What the provider wrote stands where the runner obeys nothing.
    let lines: Vec<&str> = printed.lines().collect();
    let token = lines[0].strip_prefix("::stop-commands::").unwrap();
    assert!(token.len() == 32 && *lines.last().unwrap() == format!("::{token}::"), "{printed}");
    assert!(printed.contains("PollError one"), "{printed}");

    let verdict = |given: &[(&str, &str)]| {
        let (status, outputs, _) = step(dir.path(), given);
        (status, outputs.lines().next().unwrap().to_owned())
    };
    let is = |status: i32, verdict: &str| (status, format!("verdict={verdict}"));
    assert_eq!(verdict(&[("needs", "acme"), ("fail", "false")]), is(0, "hold"));
    assert_eq!(verdict(&[("needs", "acme"), ("min-impact", "critical")]), is(0, "pass"));
    assert_eq!(verdict(&[("needs", "npm")]), is(11, "unknown"));
    assert_eq!(verdict(&[("needs", "npm"), ("on-unknown", "pass")]), is(0, "pass"));
    assert_eq!(verdict(&[("needs", "acme"), ("max-age", "1ms")]), is(11, "unknown"));
    assert_eq!(verdict(&[("needs", "acme"), ("wait", "1ms")]), is(10, "hold"));
    assert_eq!(verdict(&[("needs", "acme"), ("state", "nowhere")]), is(1, "error"));
    assert_eq!(verdict(&[("needs", "acme"), ("program", "./nothing")]), is(127, "error"));
    // An input is an argument, whatever it contains.
    let hostile = [("needs", "--help $(touch executed); touch executed"), ("fail", "false")];
    assert_eq!(verdict(&hostile), is(2, "error"));
    assert!(!dir.path().join("executed").exists());
}
