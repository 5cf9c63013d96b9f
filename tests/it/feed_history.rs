//! Feeds that repeat entries, lose and regain their history, list items twice or start over: what
//! the real program reports.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::wait::within;

/// One item: id, title, minutes before now, text.
type Item<'a> = (String, &'a str, i64, String);

fn item(id: &str, minutes: i64) -> Item<'static> {
    (id.to_owned(), "Slow parcels", minutes, format!("Words about {id}."))
}

fn rss(begun: DateTime<Utc>, items: &[Item<'_>]) -> String {
    let mut text =
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Parcels</title>".to_owned();
    for (id, title, minutes, words) in items {
        let at = (begun - TimeDelta::minutes(*minutes)).to_rfc2822();
        write!(text, "<item><guid isPermaLink=\"false\">{id}</guid><title>{title}</title><pubDate>{at}</pubDate><description>{words}</description></item>")
            .unwrap();
    }
    text + "</channel></rss>"
}

/// A list, and what is reported of it: incident and text.
type Step = (Vec<Item<'static>>, Vec<(&'static str, &'static str)>);

/// A feed that shows one list after the other, and what is reported after each: incident and text.
struct Story {
    id: &'static str,
    steps: Vec<Step>,
}

fn stories() -> Vec<Story> {
    let window = |ids: std::ops::Range<i64>| {
        ids.map(|n| item(&format!("past-{n}"), 1000 + n)).collect::<Vec<_>>()
    };
    let only = |items: Vec<Item<'static>>| (items, vec![]);
    let other = ("reused".to_owned(), "Trucks stand still", -1, "Quite another matter.".to_owned());
    vec![
        Story {
            id: "nothing-first",
            steps: vec![only(vec![]), (vec![item("one", 0)], vec![("one", "Words about one.")])],
        },
        Story {
            id: "window",
            steps: vec![only(window(0..25)), only(window(0..10)), only(window(0..25))],
        },
        Story {
            id: "listed-twice",
            steps: vec![
                only(vec![]),
                (vec![item("same", 0), item("same", 0)], vec![("same", "Words about same.")]),
                (
                    vec![
                        ("both".to_owned(), "Slow parcels", 2, "First words.".to_owned()),
                        ("both".to_owned(), "Slow parcels", 1, "Second words.".to_owned()),
                        item("same", 0),
                    ],
                    vec![("both", "First words."), ("both", "Second words.")],
                ),
            ],
        },
        Story {
            id: "reused",
            steps: vec![
                only(vec![item("reused", 500)]),
                (vec![other], vec![("reused", "Quite another matter.")]),
            ],
        },
        Story {
            id: "spellings",
            steps: vec![
                only(vec![(
                    "http://Parcels.example/i/7".to_owned(),
                    "Slow parcels",
                    9,
                    "Words.".to_owned(),
                )]),
                only(vec![(
                    " https://parcels.example/i/7/ ".to_owned(),
                    "Slow parcels",
                    9,
                    "Words.".to_owned(),
                )]),
            ],
        },
        Story {
            id: "rolled-on",
            steps: vec![
                only((0..5).map(|n| item(&format!("old-{n}"), 100 + n)).collect()),
                (
                    (0..3)
                        .map(|n| {
                            (
                                [format!("new-{n}")].concat(),
                                ["Lost parcels", "Torn parcels", "Wet parcels"][n],
                                -(n as i64),
                                format!("News {n}."),
                            )
                        })
                        .collect(),
                    vec![("new-0", "News 0."), ("new-1", "News 1."), ("new-2", "News 2.")],
                ),
            ],
        },
        // The same ids as another provider's.
        Story {
            id: "namesake",
            steps: vec![only(vec![]), (vec![item("one", 0)], vec![("one", "Words about one.")])],
        },
    ]
}

fn of<'a>(events: &'a [Value], provider: &str) -> Vec<(&'a str, &'a str)> {
    let mine = events.iter().filter(|event| event["provider"] == provider);
    mine.map(|event| (event["incident_id"].as_str().unwrap(), event["message"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn feeds_report_what_is_new_and_nothing_else() {
    let (begun, stories) = (Utc::now(), stories());
    let providers: Vec<Provider> =
        stories.iter().map(|story| Provider::raw(story.id, Arc::new(Utc::now))).collect();
    let show = |step: usize| {
        for (story, provider) in stories.iter().zip(&providers) {
            if let Some((items, _)) = story.steps.get(step) {
                provider.set_document("feed.xml", "application/rss+xml", rss(begun, items));
            }
        }
    };
    show(0);
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    let mut bench = Bench::new().default("first_run", "none");
    for story in &stories {
        bench.add(story.id, &format!("{}feed.xml", server.url(story.id)), ", source: feed");
    }
    let run = bench.start(&["run"]);
    let mut expected: Vec<Vec<(&str, &str)>> = vec![Vec::new(); stories.len()];
    for step in 0..3 {
        show(step);
        let before: Vec<usize> =
            providers.iter().map(|provider| server.requests_of(provider.id()).len()).collect();
        for (provider, before) in providers.iter().zip(before) {
            within("polls of each", server.wait_answered(provider.id(), before + 4)).await;
        }
        let events = bench.events();
        for (story, expected) in stories.iter().zip(&mut expected) {
            expected.extend(story.steps.get(step).into_iter().flat_map(|(_, reported)| reported));
            assert_eq!(of(&events, story.id), expected[..], "{} after step {step}", story.id);
        }
    }
    let ended = run.stop().await;
    assert!(
        ended.err.contains("rolled-on") && ended.err.contains("updates may have been missed"),
        "{}",
        ended.err
    );
    let events = bench.events();
    let ids = |provider: &str| {
        events
            .iter()
            .filter(|event| event["provider"] == provider)
            .map(|event| event["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_ne!(ids("nothing-first"), ids("namesake"), "ids are their provider's");
}

#[tokio::test]
async fn an_import_of_the_past_is_reported_once_and_marked() {
    let (begun, feed) = (Utc::now(), Provider::raw("feed", Arc::new(Utc::now)));
    let known: Vec<Item<'_>> = (0..3).map(|n| item(&format!("known-{n}"), 60 + n)).collect();
    feed.set_document("feed.xml", "application/rss+xml", rss(begun, &known));
    let server = alone(&feed).await;
    let bench =
        Bench::new().provider("feed", &format!("{}feed.xml", server.url("feed")), ", source: feed");
    let run = bench.start(&["run"]);
    within("first polls", server.wait_answered("feed", 3)).await;
    let past = (0..300).map(|n| item(&format!("past-{n}"), 10_000 + n));
    let all: Vec<Item<'_>> = known.into_iter().chain(past).collect();
    feed.set_document("feed.xml", "application/rss+xml", rss(begun, &all));
    let events = bench.wait_events(300).await;
    let before = server.requests_of("feed").len();
    within("polls afterwards", server.wait_answered("feed", before + 3)).await;
    run.stop().await;
    assert_eq!(bench.events().len(), 300);
    assert!(events.iter().all(|event| event["backfill"] == true));
    let texts: Vec<&str> =
        events.iter().map(|event| event["incident_id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..300).rev().map(|n| format!("past-{n}")).collect();
    assert_eq!(texts, expected, "oldest first");
}

#[tokio::test]
async fn an_incident_that_is_opened_again_is_reported_again() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench =
        Bench::new().provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    let run = bench.start(&["run"]);
    within("first polls", server.wait_answered("acme", 3)).await;
    let posted = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    for (n, status) in [
        (1, IncidentStatus::Resolved),
        (2, IncidentStatus::Investigating),
        (3, IncidentStatus::Resolved),
    ] {
        bench.wait_events(n).await;
        acme.update(posted.incident, status, &format!("Update {n}.")).unwrap();
    }
    let events = bench.wait_events(4).await;
    let reported: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event["status"].as_str().unwrap(), event["message"].as_str().unwrap()))
        .collect();
    assert_eq!(
        reported,
        [
            ("investigating", "Update 0."),
            ("resolved", "Update 1."),
            ("investigating", "Update 2."),
            ("resolved", "Update 3.")
        ]
    );
    assert!(events.iter().all(|event| event["incident_id"] == events[0]["incident_id"]));
    run.stop().await;
}

/// The first poll cannot read the page's history: with `all` it is reported once it can be read.
#[tokio::test]
async fn all_of_the_past_is_reported_also_where_it_could_not_be_read_at_first() {
    let acme = provider("acme", &Statuspage);
    let posted = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    acme.resolve(posted.incident, "Update 1.").unwrap();
    acme.fault_on("api/v2/incidents.json", Fault::Status(500, None));
    let server = alone(&acme).await;
    let bench = Bench::new().default("first_run", "all");
    let bench = bench.provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    let run = bench.start(&["run"]);
    within(
        "polls without a history",
        server.wait_until(|requests| {
            requests.iter().filter(|request| request.status == Some(500)).count() >= 2
        }),
    )
    .await;
    acme.clear_faults();
    let events = bench.wait_events(2).await;
    assert!(events.iter().all(|event| event["backfill"] == true), "{events:#?}");
    assert_eq!(
        of(&events, "acme").iter().map(|(_, text)| *text).collect::<Vec<_>>(),
        ["Update 0.", "Update 1."]
    );
    run.stop().await;
}
