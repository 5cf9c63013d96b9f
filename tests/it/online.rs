//! `check --online`, `probe` and `add` against fake pages: what is found, and what is said where
//! nothing is.

use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;
use statuswatch::event::Impact;
use statuswatch::fake::platform::{BetterStack, IncidentIo, Instatus, Statuspage};
use statuswatch::fake::{Cluster, Fault, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};

/// The rows of the table, by provider.
fn row<'a>(out: &'a str, id: &str) -> &'a str {
    out.lines()
        .find(|line| line.starts_with(&format!("{id} ")))
        .unwrap_or_else(|| panic!("no row {id}:\n{out}"))
}

async fn check(bench: &Bench) -> (Option<i32>, String, Value) {
    let ended = bench.start(&["check", "--online"]).ended().await;
    assert_eq!(ended.err, "", "no progress in a pipe");
    let json = bench.start(&["check", "--online", "--json"]).ended().await;
    assert_eq!((json.code(), json.err.as_str()), (ended.code(), ""));
    (ended.code(), ended.out, serde_json::from_str(&json.out).unwrap())
}

#[tokio::test]
async fn what_is_found_stands_in_a_table() {
    let [quiet, open] = [provider("quiet", &Instatus), provider("open", &BetterStack)];
    open.open_incident("Slow", Impact::Major, &["Compute"], "Slow.");
    let server = Server::start_each(Cluster::new([quiet, open])).await.unwrap();
    let bench = Bench::new().provider("quiet", &server.url("quiet"), "").provider(
        "open",
        &server.url("open"),
        "",
    );
    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(0), "{out}");
    let words = |id: &str| row(&out, id).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words("quiet"), ["quiet", "instatus", "none", "0", "2", "ok"]);
    assert_eq!(words("open"), ["open", "betterstack", "major", "1", "2", "ok"]);
    assert!(out.ends_with("\n2 of 2 can be read\n"), "{out}");
    assert_eq!(
        (&json[1]["source"], &json[1]["open"], &json[1]["warnings"]),
        (&"betterstack".into(), &1.into(), &Value::Array(vec![]))
    );
}

/// A feed in local times, of which one cannot be read.
#[tokio::test]
async fn times_are_read_in_their_zone_and_those_that_cannot_be_are_named() {
    let acme = Provider::raw("acme", Arc::new(Utc::now));
    let item = |id: &str, date: &str| {
        format!(
            "<item><guid>{id}</guid><title>Investigating: {id}</title><pubDate>{date}</pubDate></item>"
        )
    };
    let items = [item("slow", "24.10.2026 08:28"), item("down", "vorgestern")].concat();
    acme.set_document(
        "feed.rss",
        "application/rss+xml",
        format!("<rss version=\"2.0\"><channel><title>Acme</title>{items}</channel></rss>"),
    );
    let server = alone(&acme).await;
    let url = format!("{}/feed.rss", server.url("acme"));
    let bench = Bench::new().provider("acme", &url, ", source: feed, time_zone: Europe/Berlin");
    let says = "1 time cannot be read: \"vorgestern\"";

    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(row(&out, "acme").contains(says), "{out}");
    assert_eq!(json[0]["warnings"][0], says);

    let probe = bench.start(&["probe", &url]).ended().await;
    assert!(probe.out.contains(&format!("Times        {says}")), "{}", probe.out);

    let run = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(run.code(), Some(0), "{}", run.err);
    let events = bench.wait_events(2).await;
    let slow = events.iter().find(|event| event["incident_id"] == "slow").unwrap();
    assert_eq!(slow["published_at"], "2026-10-24T06:28:00Z");
    let status = bench.status_of("acme").unwrap();
    assert_eq!(status["unread_times"], serde_json::json!({"count": 1, "examples": ["vorgestern"]}));
}

#[tokio::test]
async fn what_is_astray_is_reported() {
    let names = ["moved", "changed", "html", "missing", "failing", "filtered"];
    let pages: Vec<Provider> = names.iter().map(|id| provider(id, &Statuspage)).collect();
    let elsewhere = Server::start_each(
        Cluster::new([provider("moved", &IncidentIo)]).on("127.0.0.2".parse().unwrap()),
    )
    .await
    .unwrap();
    pages[0]
        .fault(Fault::Redirect { to: format!("{}?from=here", elsewhere.url("moved")), code: 301 });
    pages[1].switch_platform(&IncidentIo);
    pages[2].become_html(true);
    pages[3].fault(Fault::Status(404, None));
    pages[4].fault(Fault::Status(503, None));
    let server = Server::start_each(Cluster::new(pages)).await.unwrap();
    let mut bench = Bench::new();
    for (id, more) in names.iter().zip([
        ", allow_private_addresses: true",
        ", source: statuspage",
        "",
        "",
        "",
        ", components: [Comptue]",
    ]) {
        bench.add(id, &server.url(id), more);
    }
    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(1), "{out}");
    for (id, says) in [
        ("moved", "the address of providers.yaml has moved to http://127.0.0.2:"),
        ("changed", "providers.yaml says statuspage"),
        ("html", "no status page was detected at http://127.0.0.1:"),
        ("missing", "404 Not Found"),
        ("failing", "503 Service Unavailable"),
        ("filtered", "no component matches \"Comptue\"; did you mean \"Compute\"?"),
    ] {
        assert!(row(&out, id).contains(says), "{id}: {out}");
    }
    assert!(out.ends_with("\n3 of 6 can be read\n"), "{out}");
    assert_eq!((&json[0]["readable"], &json[0]["source"]), (&true.into(), &"incidentio".into()));
    assert_eq!(
        (&json[3]["readable"], &json[3]["problem"]),
        (&false.into(), &"404 Not Found".into())
    );
}

/// What `probe` and `add` say where there is no status page, and that nothing is said twice.
#[tokio::test]
async fn what_is_no_status_page_is_reported_in_a_few_lines() {
    let names = ["html", "unclaimed", "empty", "nothing", "limited", "challenge"];
    let pages = names.map(|id| Provider::raw(id, std::sync::Arc::new(chrono::Utc::now)));
    pages[0].become_html(true);
    pages[1].set_document("", "text/html", "<!DOCTYPE html><title>Statuspage | Atlassian</title>");
    pages[2].fault(Fault::Empty);
    pages[4].fault(Fault::Status(429, Some(statuswatch::fake::RetryAfter::Seconds(60))));
    pages[5].fault(Fault::Status(403, None));
    let server = Server::start_each(Cluster::new(pages)).await.unwrap();
    let bench = Bench::new();
    for (id, first, more) in [
        ("html", "no status page was detected at", Some("an HTML page, \"Welcome\" (and ")),
        (
            "unclaimed",
            "this Statuspage address is unclaimed",
            Some("an HTML page, \"Statuspage | Atlassian\""),
        ),
        ("empty", "200 with an empty body", None),
        ("nothing", "404 Not Found", None),
        ("limited", "429 Too Many Requests", None),
        ("challenge", "403 Forbidden", None),
    ] {
        for command in ["probe", "add"] {
            let ended = bench.start_as_is(&[command, &server.url(id)]).ended().await;
            assert_eq!(
                (ended.code(), ended.out.as_str()),
                (Some(1), ""),
                "{command} {id}: {}",
                ended.err
            );
            let mut lines = ended.err.lines();
            let reported = lines.next().unwrap();
            assert!(
                reported.starts_with("statuswatch: ") && reported.contains(first),
                "{reported}"
            );
            assert_eq!(reported.matches("http://").count(), 1, "{reported}");
            if let Some(more) = more {
                assert!(lines.next().unwrap().contains(more), "{}", ended.err);
                assert!(lines.next().unwrap().starts_with("help: "), "{}", ended.err);
            }
            assert_eq!(
                lines.next(),
                (command == "add").then_some("statuswatch: nothing was added"),
                "{}",
                ended.err
            );
            assert_eq!(lines.next(), None);
        }
    }
    assert!(!bench.path("providers.yaml").exists());
}

#[tokio::test]
async fn a_page_is_added_once_and_ids_are_distinguished() {
    let pages = ["first", "second"].map(|id| provider(id, &Statuspage));
    let server = Server::start_each(Cluster::new(pages)).await.unwrap();
    let bench = Bench::new();
    let (first, second) = (server.url("first"), server.url("second"));
    for (what, out, err) in [
        (first.as_str(), "providers.yaml: 1 provider\n", String::new()),
        (
            first.as_str(),
            "",
            format!("statuswatch: {first} is already configured, as northwind-cloud\n"),
        ),
        // Of the same name at another address.
        (second.as_str(), "providers.yaml: 2 providers\n", String::new()),
        // Nobody is asked for a page of the catalog.
        ("https://www.githubstatus.com", "providers.yaml: 3 providers\n", String::new()),
        ("github", "", "statuswatch: github is already configured\n".to_owned()),
    ] {
        let ended = bench.start_as_is(&["add", what]).ended().await;
        assert_eq!((ended.code(), ended.out.as_str(), ended.err), (Some(0), out, err), "{what}");
    }
    let text = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    let ids: Vec<&str> = text.lines().filter(|line| line.starts_with("  - ")).collect();
    assert_eq!(
        ids,
        ["  - id: northwind-cloud", "  - id: northwind-cloud-2", "  - github"],
        "{text}"
    );
    let ended = bench.start_as_is(&["probe", &first]).ended().await;
    assert!(
        ended.out.contains("Platform     statuspage") && ended.out.contains("\nCompute"),
        "{}",
        ended.out
    );
    let ended = bench.start_as_is(&["probe", "gihtub"]).ended().await;
    let says = "statuswatch: \"gihtub\" is not in the catalog; did you mean \"github\"?\n";
    assert_eq!((ended.code(), ended.err.as_str()), (Some(2), says));
}

/// A provider whose page was looked after until so many days ago.
fn silent(id: &str, days: i64) -> Provider {
    let clock = std::sync::Arc::new(move || chrono::Utc::now() - chrono::Duration::days(days));
    Provider::new(id, "Northwind Cloud", &Statuspage, &["Compute"], clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_page_is_reported_once() {
    let pages = [silent("dead", 200), silent("quiet", 20)];
    let server = Server::start_each(Cluster::new(pages)).await.unwrap();
    let bench = Bench::new().provider("dead", &server.url("dead"), "").provider(
        "quiet",
        &server.url("quiet"),
        "",
    );
    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(0), "a page that can be read");
    assert!(row(&out, "dead").contains("nothing on it is newer than 20"), "{out}");
    assert!(row(&out, "quiet").ends_with("ok"), "{out}");
    assert_eq!(json[0]["warnings"].as_array().unwrap().len(), 1, "{json}");
    for round in 0..2 {
        let (output, _, err) = tokio::task::block_in_place(|| bench.output(&["run", "--once"]));
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert_eq!(err.contains("dead looks suspect: nothing on it"), round == 0, "{err}");
        let suspect = |id: &str| bench.status_of(id).unwrap()["suspect"].clone();
        assert!(suspect("dead").is_string() && suspect("quiet").is_null());
        assert_eq!(bench.events(), [Value::Null; 0], "no event");
    }
}
