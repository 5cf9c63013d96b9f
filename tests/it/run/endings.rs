//! How a run ends, and what keeps one from starting.

use std::time::Duration;

use rustix::process::Signal;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Server};

use super::{acme, open_incident, polls};
use crate::support::binary::{Bench, Run};
use crate::support::provider::provider;
use crate::support::wait::within;

#[tokio::test]
async fn a_signal_ends_an_idle_run_at_once_and_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_acme, server, bench) = acme().await;
        let run = bench.start(&["run"]);
        polls(&server, "acme", 3).await;
        run.signal(signal);
        let ended = run.ended().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.err);
        assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""));
    }
}

#[tokio::test]
async fn a_signal_ends_a_run_whose_polls_all_hang() {
    let providers: Vec<_> = (0..20).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    for provider in &providers {
        provider.fault(Fault::Hang);
    }
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    let mut bench = Bench::new().default("timeout", "60s");
    for provider in &providers {
        bench.add(provider.id(), &server.url(provider.id()), "");
    }
    let run = bench.start(&["run", "--hosted"]);
    for provider in &providers {
        within("every provider to hang", server.wait_for(provider.id(), 1)).await;
    }
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    assert_eq!(ended.err, "");
    let status = bench.status().unwrap();
    for provider in status["providers"].as_array().unwrap() {
        assert_eq!(
            (&provider["freshness"], &provider["failures"]),
            (&"never".into(), &0.into()),
            "nothing comes of an aborted poll"
        );
    }
}

#[tokio::test]
async fn a_duration_ends_by_itself() {
    let (_acme, _server, bench) = acme().await;
    let ended = bench.start(&["run", "--duration", "1s"]).ended().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
}

#[tokio::test]
async fn a_second_run_on_the_same_state_is_refused_by_name() {
    let (acme, server, bench) = acme().await;
    let mut first = bench.start(&["run"]);
    polls(&server, "acme", 2).await;
    let second = bench.start(&["run"]).ended().await;
    assert_eq!(second.code(), Some(75));
    assert!(second.err.contains(&format!("process {}", first.pid())), "{}", second.err);
    assert_eq!(second.out, "");
    assert!(first.is_running());
    open_incident(&acme);
    bench.wait_events(1).await;
    assert_eq!(first.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_wrong_configuration_starts_nothing() {
    let (_acme, server, bench) = acme().await;
    let url = server.url("acme");
    bench.write_text(&format!(
        "defaults:\n  intervall: 5s\nproviders:\n  - {{id: acme, url: \"{url}\"}}\n  - {{id: acme, url: \"{url}\"}}\n"
    ));
    let ended = bench.start_as_is(&["run"]).ended().await;
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended.err.contains("providers.yaml:2:3")
            && ended.err.contains("interval")
            && ended.err.contains("acme"),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, "");
    for made in ["state", "logs", "diagnostics"] {
        assert!(!bench.path(made).exists(), "{made} was made");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_created_is_reported() {
    let (_acme, server, bench) = acme().await;
    std::fs::write(bench.path("state"), "a file in its place").unwrap();
    let ended = bench.start(&["run"]).ended().await;
    assert_eq!(ended.code(), Some(1));
    assert!(ended.err.contains("state directory") && ended.err.contains("state"), "{}", ended.err);
    assert!(server.requests().is_empty());
    assert_eq!(std::fs::read_to_string(bench.path("state")).unwrap(), "a file in its place");
}

#[tokio::test]
async fn a_damaged_or_newer_database_is_refused_and_left_alone() {
    let (_acme, server, bench) = acme().await;
    let ended = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    let path = bench.path("state/ledger.db");
    let log = std::fs::metadata(bench.path("state/ledger.db-wal")).map_or(0, |log| log.len());
    // 32 bytes are a header without content.
    assert!(log <= 32, "an orderly end leaves everything in one file: {log}");
    let good = std::fs::read(&path).unwrap();
    let asked = server.requests().len();

    let mut zeroed = good.clone();
    zeroed[..100].fill(0);
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let newer = std::fs::read(&path).unwrap();
    for (bytes, says) in
        [(zeroed, "is damaged"), (cut, "is damaged"), (newer, "start the newer statuswatch")]
    {
        std::fs::write(&path, &bytes).unwrap();
        let ended = bench.start(&["run"]).ended().await;
        assert_eq!(ended.code(), Some(1), "{says}");
        assert!(ended.err.contains(says) && ended.err.contains("ledger.db"), "{}", ended.err);
        assert!(std::fs::read(&path).unwrap() == bytes, "the file was touched");
    }
    assert_eq!(server.requests().len(), asked, "nobody was asked anything");
}

#[tokio::test]
async fn the_flag_goes_before_the_variable_and_that_before_the_file() {
    let (_acme, _server, bench) = acme().await;
    bench.write();
    let plain = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    bench.write_text(&format!("state_dir: by-file\n{plain}"));
    let made = || {
        ["by-flag", "by-variable", "by-file"].map(|dir| bench.path(dir).join("ledger.db").exists())
    };
    for (flag, variable, expected) in [
        (true, true, [true, false, false]),
        (false, true, [true, true, false]),
        (false, false, [true, true, true]),
    ] {
        let mut command = bench.command();
        command.args(["run", "--once"]);
        if flag {
            command.args(["--state", "by-flag"]);
        }
        if variable {
            command.env("STATUSWATCH_STATE", "by-variable");
        }
        assert_eq!(Run::start(&mut command).ended().await.code(), Some(0));
        assert_eq!(made(), expected);
    }
}
