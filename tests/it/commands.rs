//! The binary as a shell sees it: what goes where, and exit statuses.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use statuswatch::config::{Filter, FirstRun, Provider, Rotation, Settings};
use statuswatch::event::{Impact, IncidentStatus, Kind};
use statuswatch::ledger::{
    Checkpoint, LedgerActor, LedgerOptions, Query, Reader, Record, Resume, Watch,
};
use statuswatch::sink::{Cursor, EventLogSink, LogFileFormat, Sink, StoredEvent};
use statuswatch::snapshot::{Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId};

/// The binary in `dir`, without anything of the environment that it would read.
fn statuswatch(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuswatch"));
    command.current_dir(dir).stdin(Stdio::null());
    for name in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE", "HOSTED_MODE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn run(dir: &Path, args: &[&str]) -> (Output, String, String) {
    let output = statuswatch(dir).args(args).output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    );
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
    assert!(
        out.starts_with(concat!("statuswatch ", env!("CARGO_PKG_VERSION")))
            && out.contains("SQLite 3."),
        "{out}"
    );
    let (_, out, _) = run(dir.path(), &["-V"]);
    assert_eq!(out, concat!("statuswatch ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_usage_is_2_and_says_so_on_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["--nope"][..],
        &["nope"],
        &["completions"],
        &["completions", "nosuchshell"],
        &["man", "extra"],
    ] {
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

#[test]
fn the_catalog_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    let (output, out, err) = run(dir.path(), &["catalog", "github"]);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    assert!(out.lines().nth(1).unwrap().starts_with("github "), "{out}");
    let (_, out, _) = run(dir.path(), &["catalog", "--json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert!(all.len() > 1500 && all.iter().all(|entry| entry["slug"].is_string()));
    let (_, out, _) = run(dir.path(), &["catalog", "planetscale", "--json"]);
    let one: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(one[0]["confirmed"], "2026-09-07");
    assert!(
        one[0]["confirmed_by"]
            .as_array()
            .unwrap()
            .contains(&serde_json::Value::from("APVentureEngine/vendor-status-watch"))
    );
    let (_, out, _) = run(dir.path(), &["catalog", "planetscale"]);
    assert!(
        out.contains("planetscale: confirmed on 2026-09-07. Found in ")
            && out.contains("APVentureEngine/vendor-status-watch"),
        "{out}"
    );
    let (_, out, _) = run(dir.path(), &["catalog", "Mistral"]);
    assert!(out.contains("mistral: unconfirmed address (1 source), a browser challenge"), "{out}");
    let (_, out, _) = run(dir.path(), &["catalog", "replicate"]);
    assert!(out.contains("only its component \"Replicate\" is reported"), "{out}");
    let (output, out, err) = run(dir.path(), &["catalog", "qqqqqqqqqqqqqqqq"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""));
    assert!(err.contains("\"qqqqqqqqqqqqqqqq\""), "{err}");
}

#[test]
fn a_valid_configuration_is_0_and_a_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("providers.yaml"), "providers:\n  - openai\n  - github\n")
        .unwrap();
    let (output, out, err) = run(dir.path(), &["check"]);
    assert_eq!(
        (output.status.code(), out.as_str(), err.as_str()),
        (Some(0), "providers.yaml: 2 providers, no errors\n", "")
    );
}

/// What the catalog is not sure of is said by `check` alone, and is no mistake.
#[test]
fn doubtful_addresses_are_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    let text = "providers:\n  - openai\n  - auth0\n  - bitwarden: {interval: 30s}\n  - fastly: {enabled: false}\n  - catalog: ai\n";
    std::fs::write(dir.path().join("providers.yaml"), text).unwrap();
    let (output, out, err) = run(dir.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        out.ends_with(" providers, no errors, but some catalog addresses are doubtful\n"),
        "{out}"
    );
    assert!(
        err.contains(":3:5: warning: \"auth0\": unconfirmed address (7 sources): https://"),
        "{err}"
    );
    assert!(
        err.contains(":4:5: warning: \"bitwarden\": unconfirmed address (1 source): https://"),
        "{err}"
    );
    assert!(
        err.contains(":6:5: warning: the catalog is not sure of the URLs of")
            && err.contains("mistral"),
        "{err}"
    );
    assert!(!err.contains("openai") && !err.contains("fastly"), "{err}");
    let (_, out, err) = run(dir.path(), &["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((err.as_str(), json["mistakes"].as_array().unwrap().len()), ("", 0));
    assert_eq!(
        (json["doubts"].as_array().unwrap().len(), &json["doubts"][0]["line"]),
        (3, &3.into())
    );
    let own = "providers:\n  - {id: auth0, url: \"https://status.acme.example\"}\n";
    std::fs::write(dir.path().join("providers.yaml"), own).unwrap();
    assert_eq!(run(dir.path(), &["check"]).1, "providers.yaml: 1 provider, no errors\n");
}

#[test]
fn all_errors_are_reported_together_with_status_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("a.yaml"),
        "providrs:\n  - openai\nproviders:\n  - id: acme\n    url: status.acme.example\n",
    )
    .unwrap();
    let (output, out, err) = run(dir.path(), &["check", "-c", "a.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("a.yaml:1:1:") && err.contains("a.yaml:5:"), "{err}");
    assert_eq!(out, "a.yaml: 2 errors\n");
    let (output, out, _) = run(dir.path(), &["check", "-c", "a.yaml", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["valid"], &json["mistakes"][0]["line"]), (&false.into(), &1.into()));
    // Whoever needs the file for its state directory gets the same error.
    let (output, out, err) = run(dir.path(), &["status", "-c", "a.yaml"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""));
    assert!(err.contains("a.yaml:1:1:") && err.contains("--state"), "{err}");
}

#[test]
fn no_configuration_is_2_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (output, out, err) = run(dir.path(), &["check"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""));
    assert!(err.contains("cannot read providers.yaml"), "{err}");
}

#[test]
fn add_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("providers.yaml");
    let (output, out, err) = run(dir.path(), &["add", "openai"]);
    assert_eq!(
        (output.status.code(), out.as_str(), err.as_str()),
        (Some(0), "providers.yaml: 1 provider\n", "")
    );
    assert_eq!(run(dir.path(), &["check"]).0.status.code(), Some(0));

    let before = "# ours\nproviders:   # all\n  - openai # first\n\ndefaults:\n  interval: 30s\n";
    std::fs::write(&path, before).unwrap();
    let (output, out, err) = run(dir.path(), &["add", "github", "openai"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "providers.yaml: 2 providers\n"));
    assert!(err.contains("openai is already configured"), "{err}");
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, before.replace("# first\n", "# first\n  - github\n"));

    for (args, says) in [
        (["add", "githbu"], "did you mean \"github\"?"),
        (["add", "../x"], "is not in the catalog"),
    ] {
        let (output, out, err) = run(dir.path(), &args);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""));
        assert!(err.contains(says), "{err}");
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        after,
        "a refused addition changes nothing"
    );

    std::fs::write(&path, "intervall: 5s\nproviders:\n  - openai\n").unwrap();
    let (output, _, err) = run(dir.path(), &["add", "github"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("nothing was added") && err.contains("intervall"), "{err}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left next to the file"
    );
}

#[test]
fn the_schema_is_json() {
    let dir = tempfile::tempdir().unwrap();
    let (output, out, _) = run(dir.path(), &["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(schema["properties"]["providers"].is_object(), "{schema}");
}

/// `statuswatch man | head -c1`.
#[test]
fn a_reader_that_goes_away_is_an_ordinary_end() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child =
        statuswatch(dir.path()).arg("man").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(reader);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

/// A state directory with one provider that has an open incident of a title that would harm a
/// terminal.
pub(crate) fn watched() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::new(Provider {
        id: "acme".to_owned(),
        name: "Acme Cloud".to_owned(),
        url: "https://status.acme.example/".parse().unwrap(),
        source: None,
        url_written: true,
        settings: Settings { first_run: FirstRun::All, ..Settings::default() },
        filter: Filter::default(),
        json: None,
    });
    let now = statuswatch::clock::now();
    let update = |id: &str, status, minutes| Update {
        id: UpdateId::Native(id.to_owned()),
        status,
        stated: status,
        published_at: Some(now - chrono::Duration::minutes(minutes)),
        edited_at: None,
        text: "Looking.".to_owned(),
    };
    let incident = |id: &str, impact, updates: Vec<Update>| Incident {
        status: updates.last().unwrap().status,
        impact,
        updates,
        ..Incident::new(Kind::Incident, id, format!("PollError {id}"))
    };
    let snapshot = Snapshot {
        page: Page { id: Some("page1".to_owned()), impact: Some(Impact::None), ..Page::default() },
        incidents: vec![
            incident(
                "one",
                Impact::Major,
                vec![
                    update("1", IncidentStatus::Investigating, 30),
                    update("2", IncidentStatus::Identified, 20),
                ],
            ),
            incident(
                "two",
                Impact::Minor,
                vec![
                    update("3", IncidentStatus::Investigating, 90),
                    update("4", IncidentStatus::Resolved, 80),
                ],
            ),
        ],
        coverage: Coverage {
            incidents: Listing::Recent,
            maintenances: Listing::Recent,
            all_components: false,
        },
        ..Snapshot::default()
    };
    let state = dir.path().join("state");
    actix::System::new().block_on(async move {
        let (fatal, _) = tokio::sync::mpsc::unbounded_channel();
        let ledger = LedgerActor::open(LedgerOptions {
            state_dir: state,
            shared: None,
            keep: Duration::from_hours(400 * 24),
            fatal,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        })
        .unwrap()
        .start();
        ledger
            .send(Watch {
                providers: vec![Arc::clone(&provider)],
                died: Vec::new(),
                real_intervals: std::collections::HashMap::new(),
                shards: None,
            })
            .await
            .unwrap()
            .unwrap();
        ledger
            .send(Resume { provider: Arc::clone(&provider), generation: 1 })
            .await
            .unwrap()
            .unwrap();
        let checkpoint = Checkpoint::default();
        let snapshot = Box::new(snapshot);
        let record = Record {
            provider,
            generation: 1,
            snapshot,
            checkpoint,
            complete: true,
            observed_at: now,
        };
        ledger.send(record).await.unwrap().unwrap();
    });
    dir
}

#[test]
fn status_shows_what_is_open() {
    let dir = watched();
    let (output, out, err) = run(dir.path(), &["status"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(err.starts_with("No run is watching"), "{err}");
    assert!(out.contains("Acme Cloud  Partial outage  1     fresh"), "{out}");
    assert!(out.contains("Acme Cloud: PollError one\n  Identified, major"), "{out}");
    assert!(!out.contains('\u{1b}'), "colour in a pipe: {out}");

    let (_, out, _) = run(dir.path(), &["status", "acme", "--json", "--state", "state"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["providers"][0]["open"][0]["id"], "one");
    assert_eq!(run(dir.path(), &["status", "--check"]).0.status.code(), Some(0));

    let (output, out, err) = run(dir.path(), &["status", "nobody"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""));
    assert!(err.contains("no provider \"nobody\"") && err.contains("acme"), "{err}");
}

#[test]
fn history_selects() {
    let dir = watched();
    let reported = |args: &[&str]| -> Vec<String> {
        let (output, out, err) = run(dir.path(), &[&["history", "--json"], args].concat());
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
        let events =
            out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events
            .map(|event| {
                format!(
                    "{} {}",
                    event["incident_id"].as_str().unwrap(),
                    event["status"].as_str().unwrap()
                )
            })
            .collect()
    };
    let all = ["two investigating", "two resolved", "one investigating", "one identified"];
    assert_eq!(reported(&[]), all);
    assert_eq!(reported(&["--limit", "1"]), all[3..]);
    assert_eq!(reported(&["--impact", "major"]), all[2..]);
    assert_eq!(reported(&["--impact", "major+", "--limit", "1"]), all[3..]);
    assert_eq!(reported(&["--impact", "minor+", "--limit", "0"]), all);
    assert_eq!(reported(&["--provider", "acme", "--kind", "incident", "--since", "1h"]), all);
    for nothing in [
        &["--provider", "other"][..],
        &["--kind", "maintenance"],
        &["--since", "2100-01-01"],
        &["--impact", "critical"],
    ] {
        assert_eq!(reported(nothing), [""; 0], "{nothing:?}");
    }
    let (_, out, _) = run(dir.path(), &["history"]);
    assert!(
        out.starts_with("SEQ") && out.contains("PollError one") && out.lines().count() == 5,
        "{out}"
    );
    assert_eq!(run(dir.path(), &["history", "--since", "soon"]).0.status.code(), Some(2));
}

#[test]
fn without_a_ledger_it_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["status", "history"] {
        let (output, out, err) = run(dir.path(), &[command, "--state", "nowhere"]);
        assert_eq!((output.status.code(), out.as_str()), (Some(1), ""));
        assert!(err.contains("there is no ledger at nowhere") && err.lines().count() == 1, "{err}");
    }
}

/// An event log in `dir` that begins a file with each event.
fn open_log(dir: &Path) -> EventLogSink {
    let mut sink = EventLogSink::new(dir.join("logs"), LogFileFormat::Json, Rotation::Size(100), 0);
    sink.open(&Cursor::default(), &mut |_| Ok(Vec::new())).unwrap();
    sink
}

fn write(log: &mut EventLogSink, events: &[StoredEvent]) {
    for event in events {
        log.deliver(std::slice::from_ref(event)).unwrap();
    }
}

/// A process that does not outlive its test, however that ends.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[test]
fn logs_reads_across_rotated_files() {
    let dir = watched();
    let events =
        Reader::open(&dir.path().join("state")).unwrap().events(&Query::default()).unwrap();
    write(&mut open_log(dir.path()), &events);
    assert!(std::fs::read_dir(dir.path().join("logs")).unwrap().count() >= 4, "rotated");
    let lines = |args: &[&str]| {
        let (output, out, err) = run(dir.path(), &[&["logs", "--json"], args].concat());
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all: Vec<String> = events.iter().map(|event| event.line.clone()).collect();
    assert_eq!(lines(&[]), all);
    assert_eq!(lines(&["--limit", "2"]), all[2..]);
    assert_eq!(lines(&["--impact", "major"]), all[2..]);
    assert_eq!(lines(&["--provider", "other"]), [""; 0]);
    let (_, out, _) = run(dir.path(), &["logs"]);
    assert_eq!(
        out,
        events
            .iter()
            .map(|event| statuswatch::event::render_block(&event.event))
            .collect::<String>()
    );
}

#[test]
fn logs_follows_across_a_rotation_until_stopped() {
    let dir = watched();
    let events =
        Reader::open(&dir.path().join("state")).unwrap().events(&Query::default()).unwrap();
    let (before, after) = events.split_at(1);
    let mut log = open_log(dir.path());
    write(&mut log, before);
    let mut child = Killed(
        statuswatch(dir.path())
            .args(["logs", "-f", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let out = BufReader::new(child.0.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let next =
        || receiver.recv_timeout(Duration::from_secs(30)).expect("a line within half a minute");
    assert_eq!(next(), before[0].line);
    write(&mut log, after);
    for event in after {
        assert_eq!(next(), event.line);
    }
    let pid = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    reading.join().unwrap().unwrap();
}

#[test]
fn logs_without_a_log_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (output, out, err) = run(dir.path(), &["logs"]);
    assert_eq!((output.status.code(), out.as_str(), err.as_str()), (Some(0), "", ""));
}
