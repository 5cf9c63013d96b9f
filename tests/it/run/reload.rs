//! SIGHUP: only what changed is touched.

use rustix::process::Signal;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Server};

use super::{is_conditional, polls};
use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until_true, within};

const IDS: [&str; 4] = ["kept", "dropped", "changed", "added"];

/// A server with four providers, and a bench that watches the first three.
async fn four() -> (Server, Bench) {
    let server =
        Server::start_each(Cluster::new(IDS.map(|id| provider(id, &Statuspage)))).await.unwrap();
    let mut bench = Bench::new();
    for id in &IDS[..3] {
        bench.add(id, &server.url(id), "");
    }
    (server, bench)
}

#[tokio::test]
async fn a_reload_starts_stops_and_changes_only_what_it_names() {
    let (server, mut bench) = four().await;
    let run = bench.start(&["run"]);
    for id in &IDS[..3] {
        polls(&server, id, 3).await;
    }
    bench.remove("dropped");
    bench.remove("changed");
    bench.add("changed", &server.url("changed"), ", name: Renamed, interval: 100ms");
    bench.add("added", &server.url("added"), "");
    bench.write();
    run.signal(Signal::HUP);
    run.wait_err("the configuration was reloaded").await;
    let dropped = server.requests_of("dropped").len();
    within("a poll of the one added", server.wait_answered("added", 1)).await;
    polls(&server, "kept", 5).await;
    polls(&server, "changed", 3).await;
    assert!(server.requests_of("dropped").len() <= dropped + 1, "one may have been under way");

    let kept = server.requests_of("kept");
    let whole = kept
        .iter()
        .filter(|request| request.path.ends_with("summary.json") && !is_conditional(request))
        .count();
    assert_eq!(whole, 1, "its poller was not started anew");
    let changed = server.requests_of("changed");
    let whole = changed
        .iter()
        .filter(|request| request.path.ends_with("summary.json") && !is_conditional(request))
        .count();
    assert_eq!(whole, 1, "a changed entry goes on from where it stood");
    assert_eq!(bench.status_of("changed").unwrap()["name"], "Renamed");
    assert!(bench.status_of("dropped").is_none());
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    assert!(ended.err.contains("(started=1, stopped=1, changed=1, unchanged=1)"), "{}", ended.err);
}

#[tokio::test]
async fn an_invalid_reload_changes_nothing_and_says_why() {
    let (server, bench) = four().await;
    let run = bench.start(&["run"]);
    for id in &IDS[..3] {
        polls(&server, id, 2).await;
    }
    bench.write_text("providers:\n  - {id: added, url: ftp://nowhere.example/}\n");
    run.signal(Signal::HUP);
    run.wait_err("is invalid").await;
    assert!(run.err().contains("providers.yaml:2:"), "{}", run.err());
    for id in &IDS[..3] {
        polls(&server, id, 2).await;
    }
    assert!(server.requests_of("added").is_empty());
    assert_eq!(run.stop().await.code(), Some(0));
}

/// As mounted configurations are exchanged: the link is moved to another file in one step, again
/// and again.
#[tokio::test]
async fn a_file_exchanged_by_its_link_is_read_as_the_old_or_the_new_and_never_as_a_mix() {
    let (server, bench) = four().await;
    bench.write();
    let text = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    for name in ["North", "South"] {
        let named = IDS[..3].iter().fold(text.clone(), |text, id| {
            text.replace(&format!("{{id: {id},"), &format!("{{id: {id}, name: {name} {id},"))
        });
        std::fs::write(bench.path(name), named).unwrap();
    }
    let swap = |to: &str| {
        std::os::unix::fs::symlink(bench.path(to), bench.path("link")).unwrap();
        std::fs::rename(bench.path("link"), bench.path("providers.yaml")).unwrap();
    };
    swap("North");
    let run = bench.start_as_is(&["run"]);
    polls(&server, "kept", 2).await;
    for round in 0..6 {
        swap(["South", "North"][round % 2]);
        run.signal(Signal::HUP);
        until_true("a reload", || {
            run.err().matches("the configuration was reloaded").count() > round
        })
        .await;
        let status = bench.status().unwrap();
        let rows = status["providers"].as_array().unwrap();
        let south =
            rows.iter().filter(|row| row["name"].as_str().unwrap().starts_with("South")).count();
        assert!((south == 0 || south == 3) && rows.len() == 3, "{status}");
    }
    assert_eq!(run.stop().await.code(), Some(0));
}
