//! `run --record` and `replay`: a replay reports what was recorded, recordings contain no secrets,
//! and neither damage nor a full disk causes more than a warning.

mod recorder;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Fault, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::recording::{Recording, replay};
use crate::support::wait::within;

const SECRET: &str = "S3CRET-t0ken-7f";

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// Returns every file below with its bytes; gzip files are decompressed.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        out.push((path, bytes));
    }
    out.sort();
    out
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the content of events, without their numbers and the time of the poll.
fn facts(events: &[Value]) -> Vec<String> {
    let mut facts: Vec<String> = events
        .iter()
        .map(|event| {
            let word = |key: &str| event[key].to_string();
            [word("id"), word("kind"), word("title"), word("status"), word("message")].join(" ")
        })
        .collect();
    facts.sort();
    facts
}

#[test]
fn a_recording_written_by_hand_is_replayed() {
    let replayed = replay(&fixtures("recordings/by-hand"));
    assert_eq!(replayed.played.warnings, [""; 0]);
    let reported: Vec<String> = replayed
        .events
        .iter()
        .map(|event| {
            let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {}",
                word("observed_at"),
                word("kind"),
                word("status"),
                word("message")
            )
        })
        .collect();
    assert_eq!(
        reported,
        [
            "2026-03-01T12:05:00Z incident investigating We are looking into it.",
            // Ten minutes after the last successful poll, to the millisecond.
            "2026-03-01T12:15:00Z provider unreachable 503",
            "2026-03-01T12:21:00Z incident identified A disk is full.",
            "2026-03-01T12:21:00Z provider reachable -",
            "2026-03-01T12:23:00Z incident resolved -",
        ]
    );
    let summary = &replayed.played.summary;
    assert_eq!((summary.answers, summary.polls, summary.failed), (5, 7, 2));
}

/// Starts a page on which something happens, and reports and records it with a separate `run`.
async fn watched(bench: &Bench, acme: &Provider, server: &Server, args: &[&str]) -> String {
    let polled =
        |count: usize| within("polls", server.wait_until(move |requests| requests.len() >= count));
    let run = bench.start(args);
    bench.wait_events(1).await;
    let incident = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "We look.");
    bench.wait_events(2).await;
    acme.update(incident.incident, IncidentStatus::Identified, "A disk is full.").unwrap();
    acme.set_component("Compute", ComponentStatus::MajorOutage).unwrap();
    bench.wait_events(4).await;
    acme.fault_next(2, Fault::Status(503, None));
    polled(server.requests().len() + 5).await;
    acme.resolve(incident.incident, "It is over.").unwrap();
    acme.set_component("Compute", ComponentStatus::Operational).unwrap();
    bench.wait_events(6).await;
    polled(server.requests().len() + 3).await;
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    ended.err
}

async fn acme() -> (Provider, Server, Bench) {
    let acme = provider("acme", &Statuspage);
    acme.open_incident("Earlier", Impact::Minor, &[], "It was there before.");
    let server = alone(&acme).await;
    let bench = Bench::new()
        .default("interval", "150ms")
        .default("incident_interval", "150ms")
        .provider("acme", &format!("{}api/v2/summary.json?key={SECRET}", server.url("acme")), "");
    (acme, server, bench)
}

#[tokio::test]
async fn a_replay_reports_the_same_and_recordings_contain_no_secrets() {
    let (acme, server, bench) = acme().await;
    watched(&bench, &acme, &server, &["run", "--hosted", "--record", "tape"]).await;
    let before = (files(&bench.path("state")).len(), files(&bench.path("logs")));

    let (output, out, err) = bench.output(&["replay", "tape", "--against", "history"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("No difference: 6 events are the same."), "{err}");

    let (_, out, err) = bench.output(&["replay", "tape", "--json"]);
    assert_eq!(facts(&lines(&out)), facts(&bench.events()), "{err}");
    let seqs: Vec<u64> = lines(&out).iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    // Uses the current configuration, which leaves components out.
    let text = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    std::fs::write(
        bench.path("other.yaml"),
        text.replace("defaults:\n", "defaults:\n  kinds: [incident]\n"),
    )
    .unwrap();
    let (_, out, err) = bench.output(&["replay", "tape", "--config", "other.yaml", "--json"]);
    assert!(lines(&out).iter().all(|event| event["kind"] == "incident"), "{out}");
    assert_eq!(lines(&out).len(), 4, "{out}{err}");
    let (_, out, _) = bench.output(&["replay", "tape"]);
    assert!(out.contains("Incident: Failed requests\n"), "{out}");

    let after = (files(&bench.path("state")).len(), files(&bench.path("logs")));
    assert_eq!(before, after, "a replay touches neither state nor logs");
    for (path, bytes) in files(&bench.path("tape")) {
        let name = path.display().to_string();
        assert!(!name.contains(SECRET), "{name}");
        assert!(memchr::memmem::find(&bytes, SECRET.as_bytes()).is_none(), "{name}");
    }
    // Every body once, and lines only for changes.
    let index = files(&bench.path("tape"))
        .into_iter()
        .find(|(path, _)| path.ends_with("index.jsonl"))
        .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
        .unwrap();
    let requests = server.requests().len();
    let answers = lines(&index).iter().filter(|line| line["url"].is_string()).count();
    assert!(answers < requests, "{answers} lines for {requests} requests\n{index}");
}

#[tokio::test]
async fn a_difference_is_shown_and_ends_with_1() {
    let (acme, server, bench) = acme().await;
    watched(&bench, &acme, &server, &["run", "--hosted", "--record", "tape"]).await;
    // The history of a program that missed one update and made another one up.
    let database = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
    let changed = database
        .execute("DELETE FROM event WHERE line LIKE '%A disk is full.%'", [])
        .and_then(|_| {
            let invented =
                "UPDATE event SET line = replace(line, 'It is over.', 'It is not over.')";
            database.execute(invented, [])
        })
        .unwrap();
    assert!(changed > 0);
    drop(database);
    let (output, out, err) = bench.output(&["replay", "tape", "--against", "history", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let kinds: Vec<String> = lines(&out)
        .iter()
        .map(|line| format!("{} {}", line["difference"], line["fields"]))
        .collect();
    assert_eq!(kinds, ["\"extra\" null", "\"different\" [\"message\"]"], "{out}");
    let (_, out, err) = bench.output(&["replay", "tape", "--against", "history"]);
    assert!(out.starts_with("EXTRA\n[") && out.contains("DIFFERENT in message\n"), "{out}");
    assert!(err.contains("0 missing, 1 extra, 1 different, 4 the same."), "{err}");
}

#[tokio::test]
async fn a_killed_recording_is_valid_and_can_be_continued() {
    let (acme, server, bench) = acme().await;
    let args = ["run", "--hosted", "--record", "tape"];
    let mut run = bench.start(&args);
    bench.wait_events(1).await;
    let incident = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    for kill in 0..4 {
        let text = format!("Update {} of a page that is recorded.", kill + 1);
        acme.update(incident.incident, IncidentStatus::Identified, &text).unwrap();
        bench.wait_events(kill + 3).await;
        run.signal(Signal::KILL);
        run.ended().await;
        run = bench.start(&args);
    }
    acme.resolve(incident.incident, "It is over.").unwrap();
    bench.wait_events(7).await;
    within(
        "a poll",
        server.wait_until({
            let count = server.requests().len();
            move |requests| requests.len() > count + 2
        }),
    )
    .await;
    run.stop().await;
    let segments = std::fs::read_dir(bench.path("tape")).unwrap().count();
    assert_eq!(segments, 5);
    let (output, out, err) = bench.output(&["replay", "tape", "--against", "history"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{err}");

    // As left by a kill within a line and within a body.
    let index = files(&bench.path("tape"))
        .into_iter()
        .rev()
        .find(|(path, _)| path.ends_with("index.jsonl"))
        .unwrap();
    std::fs::write(&index.0, &index.1[..index.1.len() - 10]).unwrap();
    let body = std::fs::read_dir(index.0.parent().unwrap().join("bodies"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&body).unwrap();
    std::fs::write(&body, &bytes[..bytes.len() / 2]).unwrap();
    let (output, _, err) = bench.output(&["replay", "tape"]);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("skipped: truncated: the program was killed at this point"), "{err}");
    assert!(err.contains("was skipped: cannot read bodies/"), "{err}");
}

#[tokio::test]
async fn an_unwritable_recording_is_reported_once_and_delays_no_poll() {
    let (acme, server, bench) = acme().await;
    std::fs::write(bench.path("tape"), "a file, not a directory").unwrap();
    let err = watched(&bench, &acme, &server, &["run", "--hosted", "--record", "tape"]).await;
    assert_eq!(err.matches("cannot write the recording").count(), 1, "{err}");
    assert!(err.contains("some polls could not be recorded"), "{err}");
}

#[tokio::test]
async fn the_configuration_says_where_and_a_restart_asks_for_nothing_in_full() {
    let acme = provider("acme", &Statuspage);
    let incident = acme.open_incident("Failed requests", Impact::Major, &[], "We look.");
    let server = alone(&acme).await;
    let mut bench = Bench::new().default("first_run", "all");
    bench.add("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    bench.write();
    let text = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    bench.write_text(&format!("record: {{dir: kept, keep: 3d, max: 10MiB}}\n{text}"));
    let run = bench.start_as_is(&["run", "--hosted"]);
    bench.wait_events(1).await;
    run.stop().await;
    let before = server.requests().len();
    let run = bench.start_as_is(&["run", "--hosted"]);
    within("polls", server.wait_until(move |requests| requests.len() >= before + 3)).await;
    run.stop().await;
    let after = server.requests();
    let whole = after[before..].iter().filter(|request| request.status == Some(200)).count();
    assert_eq!(whole, 0, "the recorder knows the body from before the restart");
    acme.resolve(incident.incident, "It is over.").unwrap();

    // The newest segment is a recording by itself.
    let mut segments: Vec<PathBuf> =
        std::fs::read_dir(bench.path("kept")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let newest = segments.last().unwrap();
    let replayed = replay(newest);
    assert_eq!(replayed.played.warnings, [""; 0]);
    assert_eq!(replayed.events.len(), 1, "{:?}", replayed.events);
}

#[test]
fn garbage_is_skipped() {
    let original = fixtures("recordings/by-hand");
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in files(&original) {
            let mut bytes = bytes;
            for _ in 0..rng.usize(0..12) {
                let at = rng.usize(0..bytes.len());
                match rng.u8(0..4) {
                    0 => bytes[at] = rng.u8(..),
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.insert(at, b'\n'),
                    _ => {
                        let part = bytes[at..].to_vec();
                        bytes.extend(part);
                    }
                }
            }
            std::fs::write(dir.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        let Ok(played) = statuswatch::replay::play(dir.path(), None, &mut |_| {}) else { continue };
        for warning in &played.warnings {
            assert!(!warning.chars().any(char::is_control), "round {round}: {warning:?}");
        }
    }
}

#[test]
fn what_a_page_answered_becomes_a_recording_in_a_few_lines() {
    let page = |state: &str| {
        format!(r#"{{"reports": [{{"n": 7, "t": "Slow answers", "s": "{state}"}}]}}"#).into_bytes()
    };
    let entry = serde_json::json!({
        "id": "acme", "url": "https://status.acme.example/", "source": "json",
        "json": {"list": "/reports", "id": "/n", "title": "/t", "status": "/s"},
    });
    let recording = Recording::with(&entry)
        .answer("2026-03-01T12:00:00Z", "", &page("investigating"))
        .answer("2026-03-01T12:01:00Z", "", &page("resolved"))
        .again("2026-03-01T12:02:00Z");
    let statuses: Vec<Value> =
        recording.replay().events.iter().map(|event| event["status"].clone()).collect();
    assert_eq!(statuses, ["investigating", "resolved"]);
}

#[test]
fn a_change_under_an_old_validator_is_found_as_it_was_then() {
    let page = |state: &str| {
        format!(r#"{{"reports": [{{"n": 7, "t": "Slow answers", "s": "{state}"}}]}}"#).into_bytes()
    };
    let entry = serde_json::json!({
        "id": "acme", "url": "https://status.acme.example/", "source": "json",
        "json": {"list": "/reports", "id": "/n", "title": "/t", "status": "/s"},
    });
    let statuses = |in_full: bool| -> Vec<Value> {
        let modified = "Tue, 01 Jan 1980 00:00:01 GMT";
        let first = serde_json::json!({"last_modified": modified});
        let second = serde_json::json!({"last_modified": modified, "in_full": in_full});
        let recording = Recording::with(&entry)
            .answer_with("2026-03-01T12:00:00Z", "", &page("investigating"), &first)
            .answer_with("2026-03-01T12:01:00Z", "", &page("identified"), &second);
        recording.replay().events.iter().map(|event| event["status"].clone()).collect()
    };
    assert_eq!(statuses(true), ["investigating", "identified"]);
    assert_eq!(statuses(false), ["investigating"], "a conditional request was answered 304");
}

/// The folders of cases, and the address at which each page is polled.
const CASES: &[(&str, &str)] = &[("old-item-slides-back", "rss.xml"), ("always-304", "rss.xml")];

#[test]
fn a_folder_of_successive_answers_is_a_recording() {
    for (case, first) in CASES {
        let folder = fixtures("recordings").join(case);
        let replayed = Recording::of_case(&folder, first).replay();
        assert_eq!(replayed.played.warnings, [""; 0], "{case}");
        assert_eq!(replayed.played.summary.failed, 0, "{case}");
        assert!(replayed.played.summary.answers >= 2, "{case}");
    }
}
