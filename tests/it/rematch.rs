//! Providers that move: to another platform, to another host, to other ids, or to a page nobody can
//! read. Nothing reported before is reported again, nothing that is open is closed.

use serde_json::Value;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus};
use statuswatch::fake::platform::{Atom, IncidentIo, Platform, Statuspage};
use statuswatch::fake::{Cluster, Fault, Posted, Provider, Server};

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::until;

/// Failed polls after which the page is asked what it is: with the one that recognises it, three.
const UNREAD: usize = 2;

/// A page with a past and an incident under way, watched until that was reported.
struct Story {
    page: Provider,
    server: Server,
    bench: Bench,
    run: Run,
    posted: Posted,
}

impl Story {
    /// `more` are further keys of the provider, each `, key: value`.
    async fn begin(platform: &'static dyn Platform, more: &str) -> Self {
        let page = provider("acme", platform);
        page.import(5);
        let posted = page.open_incident(
            "Uploads are slow",
            Impact::Major,
            &["Object storage"],
            "Some uploads take minutes.",
        );
        let server = alone(&page).await;
        // Loopback is private: a redirect to it is followed only where the user allows it.
        let more = format!(", name: Acme, allow_private_addresses: true{more}");
        let bench = Bench::new().provider("acme", &server.url("acme"), &more);
        let run = bench.start(&["run"]);
        bench.wait_events(1).await;
        page.update(posted.incident, IncidentStatus::Identified, "A disk has failed.").unwrap();
        bench.wait_events(2).await;
        Self { page, server, bench, run, posted }
    }

    /// Waits for the event that says where the provider moved, and gives it.
    async fn moved(&self) -> Value {
        let is_move = |event: &Value| event["kind"] == "provider" && event["status"] == "reachable";
        until("the event of the move", || self.bench.events().into_iter().find(is_move)).await
    }

    /// Goes on with the story, ends it, and gives what was reported since the first two events and what
    /// was said.
    async fn end(
        self,
        page: &Provider,
        incident: u64,
        shows_components: bool,
    ) -> (Vec<String>, String) {
        let status = self.bench.status_of("acme").unwrap();
        assert_eq!(status["open"].as_array().unwrap().len(), 1, "still open: {status:#}");
        let before = self.bench.events().len();
        page.update(incident, IncidentStatus::Monitoring, "The disk is replaced.").unwrap();
        self.bench.wait_events(before + 1).await;
        page.set_component("Compute", ComponentStatus::DegradedPerformance).unwrap();
        let more = usize::from(shows_components);
        self.bench.wait_events(before + 1 + more).await;
        page.resolve(incident, "All is well.").unwrap();
        self.bench.wait_events(before + 2 + more).await;
        let ended = self.run.stop().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.err);
        (self.bench.events().iter().skip(2).map(line).collect(), ended.err)
    }
}

fn line(event: &Value) -> String {
    let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} {} | {}", word("kind"), word("status"), word("title"), word("message"))
}

/// What is reported after the move, whatever the platform.
const AFTERWARDS: [&str; 3] = [
    "incident monitoring Uploads are slow | The disk is replaced.",
    "component degraded_performance Compute | -",
    "incident resolved Uploads are slow | All is well.",
];

#[tokio::test]
async fn another_platform_at_the_same_address() {
    let (statuspage, incidentio): (&'static dyn Platform, &'static dyn Platform) =
        (&Statuspage, &IncidentIo);
    let moves = [
        (statuspage, incidentio, ""),
        (incidentio, statuspage, ""),
        // Whoever named the source is not left behind, either.
        (statuspage, incidentio, ", source: statuspage"),
        // To a page that has nothing but a feed.
        (statuspage, &Atom, ""),
    ];
    futures::future::join_all(moves.map(|(from, to, more)| platform_changes(from, to, more))).await;
}

async fn platform_changes(from: &'static dyn Platform, to: &'static dyn Platform, more: &str) {
    let story = Story::begin(from, more).await;
    let before = story.server.requests_of("acme").len();
    story.page.switch_platform(to);
    let moved = story.moved().await;
    assert_eq!(moved["title"], format!("Acme has moved from {} to {}", from.source(), to.source()));
    assert_eq!(
        moved["message"],
        format!(
            "Of {} listed incidents and maintenances, {0} are already known and 0 are not. Nothing is reported twice.",
            6
        )
    );
    let since = story.server.requests_of("acme").split_off(before);
    let recognised = since.iter().position(|request| request.path.is_empty()).unwrap();
    // One may have been under way, and the details of the last good poll.
    assert!(recognised <= UNREAD + 2, "asked anew after {recognised} requests");
    let (page, incident) = (story.page.clone(), story.posted.incident);
    let shows_components = to.source() != "feed";
    let (reported, err) = story.end(&page, incident, shows_components).await;
    let afterwards: Vec<&str> = AFTERWARDS
        .into_iter()
        .filter(|line| shows_components || !line.starts_with("component"))
        .collect();
    assert_eq!(reported[1..], afterwards, "{err}");
}

#[tokio::test]
async fn a_redirect_to_another_host_with_another_platform() {
    let story = Story::begin(&Statuspage, "").await;
    let elsewhere = provider("acme", &IncidentIo);
    elsewhere.change(|state, _| *state = story.page.state());
    let host =
        Server::start_each(Cluster::new([elsewhere.clone()]).on("127.0.0.2".parse().unwrap()))
            .await
            .unwrap();
    // A redirect whose target is asked for at the old host, too, is spared there: this one is not.
    story.page.fault(Fault::Redirect { to: format!("{}?from=acme", host.url("acme")), code: 301 });
    let moved = story.moved().await;
    assert_eq!(moved["title"], "Acme has moved from statuspage to incidentio");
    let incident = story.posted.incident;
    let (reported, err) = story.end(&elsewhere, incident, true).await;
    assert_eq!(reported[1..], AFTERWARDS, "{err}");
    assert!(err.contains("the address redirects permanently"), "{err}");
}

#[tokio::test]
async fn ids_that_all_change() {
    let story = Story::begin(&Statuspage, "").await;
    story.page.change(|state, _| {
        for incident in &mut state.incidents {
            incident.number += 1000;
            incident.updates.iter_mut().for_each(|update| update.number += 1000);
        }
    });
    let moved = story.moved().await;
    assert_eq!(moved["title"], "Acme has changed the ids of all its incidents");
    let (page, incident) = (story.page.clone(), story.posted.incident + 1000);
    let (reported, err) = story.end(&page, incident, true).await;
    assert_eq!(reported[1..], AFTERWARDS, "{err}");
}

#[tokio::test]
async fn ids_that_all_change_and_change_back() {
    let story = Story::begin(&Statuspage, "").await;
    let shift = |by: i64| {
        let to = move |number: u64| number.checked_add_signed(by).unwrap();
        story.page.change(|state, _| {
            for incident in &mut state.incidents {
                incident.number = to(incident.number);
                incident.updates.iter_mut().for_each(|update| update.number = to(update.number));
            }
        });
    };
    shift(1000);
    story.moved().await;
    let before = story.server.requests_of("acme").len();
    shift(-1000);
    // What is missing from two answers in a row would be reported as withdrawn.
    until("polls of the former ids", || {
        (story.server.requests_of("acme").len() >= before + 8).then_some(())
    })
    .await;
    let (page, incident) = (story.page.clone(), story.posted.incident);
    let (reported, err) = story.end(&page, incident, true).await;
    assert_eq!(reported[1..], AFTERWARDS, "{err}");
}

/// The page was made anew: its own id is another one, too.
#[tokio::test]
async fn a_page_made_anew() {
    let story = Story::begin(&Statuspage, "").await;
    story.page.change(|state, _| "acme-again".clone_into(&mut state.tenant));
    let moved = story.moved().await;
    assert_eq!(moved["title"], "Acme has changed the ids of all its incidents");
    let (page, incident) = (story.page.clone(), story.posted.incident);
    let (reported, err) = story.end(&page, incident, true).await;
    assert_eq!(reported[1..], AFTERWARDS, "{err}");
}

#[tokio::test]
async fn an_address_that_becomes_a_page_of_html() {
    let story = Story::begin(&Statuspage, ", stale_after: 1s").await;
    story.page.become_html(true);
    let unreachable = story.bench.wait_events(3).await.remove(2);
    assert_eq!(
        (&unreachable["kind"], &unreachable["status"]),
        (&"provider".into(), &"unreachable".into())
    );
    assert!(unreachable["message"].as_str().unwrap().contains("HTML"), "{unreachable:#}");
    let status = story.bench.status_of("acme").unwrap();
    assert_eq!(
        (&status["status"], &status["open"].as_array().unwrap().len()),
        (&"unknown".into(), &1),
        "{status:#}"
    );
    story.page.become_html(false);
    let moved = story.moved().await;
    assert_eq!(moved["title"], "Acme can be read again");
    let (page, incident) = (story.page.clone(), story.posted.incident);
    let (reported, err) = story.end(&page, incident, true).await;
    assert_eq!(reported[2..], AFTERWARDS, "{err}");
}
