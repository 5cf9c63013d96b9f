//! Actors that fail are replaced, counted and reported, and no event is lost or reported twice:
//! runs the pipeline in this process and injects faults into its actors.

use std::sync::Arc;
use std::time::Duration;

use actix::System;
use serde_json::Value;
use statuswatch::config::{Config, Console, ConsoleFormat};
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Posted, Provider, Request, Server};
use statuswatch::ledger::StateLock;
use statuswatch::pipeline::{Pipeline, RunOptions};
use statuswatch::poller::Sabotage;
use statuswatch::supervisor::InjectedFault;

use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until, until_true, within};

/// A pipeline that polls `acme` and `neighbor`.
struct Story {
    acme: Provider,
    server: Server,
    bench: Bench,
    pipeline: Pipeline,
}

impl Story {
    async fn begin(section: &str) -> Self {
        let (acme, neighbor) = (provider("acme", &Statuspage), provider("neighbor", &Statuspage));
        let server = Server::start_each(Cluster::new([acme.clone(), neighbor])).await.unwrap();
        let bench = Bench::new().provider("acme", &server.url("acme"), "").provider(
            "neighbor",
            &server.url("neighbor"),
            "",
        );
        let mut config = bench.config();
        if section == "short stall" {
            config.supervision.stall_after = Duration::from_millis(500);
        }
        let mut pipeline = start(&config);
        within("the start", &mut pipeline.ready).await.unwrap();
        Self { acme, server, bench, pipeline }
    }

    fn break_it(&self, what: InjectedFault) {
        self.pipeline.supervisor.try_send(what).unwrap();
    }

    async fn polls(&self, id: &str, more: usize) {
        let before = self.server.requests_of(id).len();
        within(&format!("{more} more polls of {id}"), self.server.wait_answered(id, before + more))
            .await;
    }

    fn open_incident(&self) -> Posted {
        self.acme.open_incident("Failed requests", Impact::Major, &["Compute"], "Update 0.")
    }

    /// Waits until `status` shows this many restarts of acme's poller.
    async fn restarts(&self, count: u64) -> Value {
        let shown = || {
            self.bench
                .status_of("acme")
                .filter(|row| row["restarts"].as_u64().is_some_and(|shown| shown >= count))
        };
        until(&format!("{count} restarts"), shown).await
    }

    async fn end(mut self) {
        let ending = within("the end", self.pipeline.shutdown(Duration::from_secs(4))).await;
        assert!(ending.delivered && ending.written, "{ending:?}");
    }
}

fn start(config: &Config) -> Pipeline {
    let how = RunOptions {
        listening: None,
        agent: None,
        joined: None,
        once: false,
        dry_run: false,
        console: Console { format: ConsoleFormat::Off },
        console_writer: Arc::new(|| Box::new(std::io::sink())),
        color: false,
        traces: None,
        alive: Box::new(|| {}),
    };
    Pipeline::start(config, StateLock::acquire(&config.state_dir).unwrap(), how).unwrap()
}

/// Returns the reported updates, after checking that they are numbered without gaps and unique.
fn texts(events: &[Value]) -> Vec<String> {
    for (event, seq) in events.iter().zip(1_u64..) {
        assert_eq!(event["seq"], seq, "{events:#?}");
    }
    events.iter().map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn is_whole(request: &Request) -> bool {
    request.path.ends_with("summary.json") && request.header("If-None-Match").is_none()
}

#[test]
fn a_poller_that_panics_is_replaced_counted_and_goes_on_where_it_was() {
    System::new().block_on(async {
        let story = Story::begin("").await;
        let posted = story.open_incident();
        story.bench.wait_events(1).await;
        story.polls("acme", 2).await;
        let whole =
            story.server.requests_of("acme").iter().filter(|request| is_whole(request)).count();
        let neighbor = story.server.requests_of("neighbor").len();
        story.break_it(InjectedFault::Poller("acme".to_owned(), Sabotage::Panic));
        let row = story.restarts(1).await;
        assert!(row["last_restart_cause"].as_str().unwrap().starts_with("panic: "), "{row}");
        story.polls("acme", 3).await;
        let requests = story.server.requests_of("acme");
        assert_eq!(
            requests.iter().filter(|request| is_whole(request)).count(),
            whole,
            "the new one asks only for what is new"
        );
        assert!(story.server.requests_of("neighbor").len() > neighbor);
        assert_eq!(story.bench.status_of("neighbor").unwrap()["restarts"], 0);
        story.acme.update(posted.incident, IncidentStatus::Identified, "Update 1.").unwrap();
        assert_eq!(texts(&story.bench.wait_events(2).await), ["Update 0.", "Update 1."]);
        story.end().await;
    });
}

#[test]
fn a_poller_that_stalls_is_replaced() {
    System::new().block_on(async {
        let story = Story::begin("short stall").await;
        story.polls("acme", 3).await;
        // The fault has no effect during a poll, when there is no timer to remove: repeat until it
        // takes effect.
        let row = until("a stall", || {
            story.break_it(InjectedFault::Poller("acme".to_owned(), Sabotage::Stall));
            story.bench.status_of("acme").filter(|row| row["restarts"] != 0)
        })
        .await;
        assert_eq!(row["last_restart_cause"], "stall", "{row}");
        story.polls("acme", 3).await;
        assert_eq!(story.bench.status_of("neighbor").unwrap()["restarts"], 0);
        story.end().await;
    });
}

#[test]
fn a_poller_that_keeps_dying_is_parked_and_tried_again() {
    System::new().block_on(async {
        let story = Story::begin("").await;
        story.polls("acme", 2).await;
        for round in 1..=6 {
            let mut reported = false;
            until_true("a restart", || {
                // A replacement that has not started yet receives nothing.
                if !reported
                    || story
                        .bench
                        .status_of("acme")
                        .is_some_and(|row| row["restarts"].as_u64() < Some(round))
                {
                    story.break_it(InjectedFault::Poller("acme".to_owned(), Sabotage::Panic));
                    reported = true;
                }
                story
                    .bench
                    .status_of("acme")
                    .is_some_and(|row| row["restarts"].as_u64() >= Some(round))
            })
            .await;
        }
        until_true("parking", || {
            story.bench.status_of("acme").is_some_and(|row| row["parked"] == true)
        })
        .await;
        let before = story.server.requests_of("neighbor").len();
        // The longest delay here is 2 s, after which polling continues.
        story.polls("acme", 2).await;
        assert!(story.server.requests_of("neighbor").len() > before);
        story.end().await;
    });
}

#[test]
fn a_ledger_that_crashes_with_results_in_flight_loses_nothing() {
    System::new().block_on(async {
        let mut story = Story::begin("").await;
        let posted = story.open_incident();
        story.bench.wait_events(1).await;
        for round in 1..=3 {
            story
                .acme
                .update(posted.incident, IncidentStatus::Identified, &format!("Update {round}."))
                .unwrap();
            story.break_it(InjectedFault::Ledger);
            story.polls("acme", 1).await;
            story.break_it(InjectedFault::Ledger);
            story.bench.wait_events(1 + round).await;
        }
        story.polls("acme", 2).await;
        assert_eq!(
            texts(&story.bench.events()),
            ["Update 0.", "Update 1.", "Update 2.", "Update 3."]
        );
        assert!(story.pipeline.fatal.try_recv().is_err(), "within the intensity it goes on");
        story.end().await;
    });
}

#[test]
fn a_sink_that_crashes_resumes_exactly() {
    System::new().block_on(async {
        let story = Story::begin("").await;
        let posted = story.open_incident();
        for round in 1..=4 {
            story.bench.wait_events(round).await;
            story.break_it(InjectedFault::Sink("event_log.json".to_owned()));
            story
                .acme
                .update(posted.incident, IncidentStatus::Identified, &format!("Update {round}."))
                .unwrap();
        }
        let events = story.bench.wait_events(5).await;
        assert_eq!(
            texts(&events),
            ["Update 0.", "Update 1.", "Update 2.", "Update 3.", "Update 4."]
        );
        story.end().await;
    });
}

#[test]
fn a_core_actor_that_keeps_crashing_ends_the_process() {
    System::new().block_on(async {
        let mut story = Story::begin("").await;
        story.polls("acme", 2).await;
        let supervisor = story.pipeline.supervisor.clone();
        let breaking = async {
            loop {
                supervisor.try_send(InjectedFault::Ledger).unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reason = tokio::select! {
            reason = within("the supervisor to give up", story.pipeline.fatal.recv()) => reason.unwrap(),
            () = breaking => unreachable!("it never ends"),
        };
        assert!(reason.starts_with("the ledger keeps failing: panic"), "{reason}");
    });
}
