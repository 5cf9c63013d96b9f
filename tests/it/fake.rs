//! The fake cluster behaves as scripted; the other tests rely on it.

use std::io::Read as _;
use std::sync::Arc;

use chrono::Utc;
use feed_rs::parser;
use flate2::read::GzDecoder;
use serde_json::Value;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus};
use statuswatch::fake::platform::{Atom, IncidentIo, JsonFeed, PLATFORMS, Rss, Statuspage};
use statuswatch::fake::{Cluster, Etag, Fault, Provider, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::provider::{Raw, alone, provider};

const SUMMARY: &str = "/api/v2/summary.json";

/// An incident with three updates, of which the second was edited, and a maintenance.
fn story(provider: &Provider) {
    let posted = provider.open_incident(
        "Slow <uploads> & more",
        Impact::Major,
        &["Object storage"],
        "Uploads are slow.",
    );
    let second =
        provider.update(posted.incident, IncidentStatus::Identified, "A <disk> failed.").unwrap();
    provider.edit(second, "Two <disks> failed.").unwrap();
    provider.update(posted.incident, IncidentStatus::Identified, "Still at it.").unwrap();
    let now = Utc::now();
    provider.schedule(
        "Disk change",
        (now, now + chrono::Duration::hours(1)),
        &["Compute"],
        "We change disks.",
    );
}

#[test]
fn every_platform_renders_documents_that_parse() {
    for &platform in PLATFORMS {
        let provider = provider("northwind", platform);
        provider.import(3);
        story(&provider);
        let documents = provider.documents();
        assert!(documents.contains_key(""), "{}: the HTML page", platform.name());
        assert!(documents.contains_key(platform.entry()), "{}", platform.name());
        for (path, document) in documents.iter() {
            match document.content_type.split(';').next().unwrap() {
                "text/html" => assert!(document.body.starts_with(b"<!DOCTYPE html>")),
                "application/json" => {
                    drop(serde_json::from_slice::<Value>(&document.body).unwrap());
                }
                _ => {
                    let feed = parser::parse(&document.body[..])
                        .unwrap_or_else(|e| panic!("{} {path}: {e}", platform.name()));
                    assert_eq!(feed.entries.len(), 5, "{} {path}", platform.name());
                    let title = &feed.entries[1].title.as_ref().unwrap().content;
                    assert!(
                        title == "Slow <uploads> & more"
                            || title == "Slow &lt;uploads&gt; &amp; more",
                        "{title}"
                    );
                }
            }
        }
    }
}

#[test]
fn statuspage_shows_open_things_in_the_summary_and_all_in_the_history() {
    let provider = provider("northwind", &Statuspage);
    story(&provider);
    let documents = provider.documents();
    let summary: Value = serde_json::from_slice(&documents["api/v2/summary.json"].body).unwrap();
    assert_eq!(summary["page"]["id"].as_str().unwrap().len(), 12);
    assert_eq!(summary["status"]["indicator"], "major");
    let updates = summary["incidents"][0]["incident_updates"].as_array().unwrap();
    assert_eq!(updates.len(), 3);
    assert_eq!(updates[0]["body"], "Still at it.", "newest first");
    assert_eq!(updates[1]["body"], "Two <disks> failed.");
    assert!(
        updates[1]["updated_at"].as_str() > updates[1]["created_at"].as_str(),
        "an edit moves updated_at"
    );
    assert_eq!(summary["scheduled_maintenances"][0]["status"], "scheduled");
    let before = summary["page"]["updated_at"].as_str().unwrap().to_owned();

    let incident = provider.state().incidents[0].number;
    provider.resolve(incident, "All good.").unwrap();
    provider.set_component("Compute", ComponentStatus::PartialOutage).unwrap();
    let documents = provider.documents();
    let summary: Value = serde_json::from_slice(&documents["api/v2/summary.json"].body).unwrap();
    assert_eq!(
        summary["incidents"].as_array().unwrap().len(),
        0,
        "gone from the summary without a word"
    );
    assert_eq!(summary["components"][0]["status"], "partial_outage");
    assert!(summary["page"]["updated_at"].as_str().unwrap() > before.as_str());
    let history: Value = serde_json::from_slice(&documents["api/v2/incidents.json"].body).unwrap();
    assert_eq!(history["incidents"][0]["id"], provider.incident_id(incident));
    assert_eq!(history["incidents"][0]["incident_updates"][0]["status"], "resolved");

    provider.withdraw(incident).unwrap();
    let history: Value =
        serde_json::from_slice(&provider.documents()["api/v2/incidents.json"].body).unwrap();
    assert_eq!(history["incidents"].as_array().unwrap().len(), 0);
    assert!(provider.withdraw(incident).is_none());
}

#[test]
fn incident_io_leaves_out_empty_lists_and_has_ulids() {
    let provider = provider("helios", &IncidentIo);
    let summary: Value =
        serde_json::from_slice(&provider.documents()["api/v2/summary.json"].body).unwrap();
    assert!(summary.get("incidents").is_none() && summary.get("scheduled_maintenances").is_none());
    assert_eq!(summary["page"]["id"].as_str().unwrap().len(), 26);
    story(&provider);
    let documents = provider.documents();
    let summary: Value = serde_json::from_slice(&documents["api/v2/summary.json"].body).unwrap();
    assert_eq!(summary["incidents"][0]["incident_updates"].as_array().unwrap().len(), 3);
    let feed = String::from_utf8(documents["feed.atom"].body.to_vec()).unwrap();
    assert!(feed.contains("<generator>incident.io</generator>"));
    assert!(feed.contains("<b>Status: Identified</b><br/><br/>Still at it."), "{feed}");
    assert!(!feed.contains("Uploads are slow."), "the feed has the latest update alone");
}

#[test]
fn feeds_grow_with_every_update_newest_first() {
    for (platform, path) in
        [(&Atom as _, "history.atom"), (&Rss as _, "history.rss"), (&JsonFeed as _, "feed.json")]
    {
        let provider = provider("northwind", platform);
        story(&provider);
        let documents = provider.documents();
        let feed = parser::parse(&documents[path].body[..]).unwrap();
        let entry = &feed.entries[1];
        let body = entry.content.as_ref().and_then(|content| content.body.clone());
        let html =
            body.or_else(|| entry.summary.as_ref().map(|text| text.content.clone())).unwrap();
        let places: Vec<usize> = [
            "<strong>Update</strong> - Still",
            "Identified</strong> - Two &lt;disks&gt;",
            "Uploads are slow.",
        ]
        .iter()
        .map(|text| html.find(text).unwrap_or_else(|| panic!("{path}: no {text} in {html}")))
        .collect();
        assert!(places.is_sorted(), "{path}: {html}");
        assert!(
            html.contains("<var data-var='date'>") && html.contains("</var> UTC</small>"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn validators_are_honoured_by_weak_comparison() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    let first = Raw::get(server.address(), SUMMARY, &[]).await;
    let etag = first.header("ETag").unwrap();
    assert!(etag.starts_with("W/\""));
    for asked in [etag.as_str(), etag.trim_start_matches("W/"), "*", &format!("\"other\", {etag}")]
    {
        let again = Raw::get(server.address(), SUMMARY, &[("If-None-Match", asked)]).await;
        assert_eq!((again.status(), again.body().len()), (304, 0), "{asked}");
        assert_eq!(again.header("ETag").as_deref(), Some(etag.as_str()));
    }
    let modified = first.header("Last-Modified").unwrap();
    assert_eq!(
        Raw::get(server.address(), SUMMARY, &[("If-Modified-Since", &modified)]).await.status(),
        304
    );

    provider.open_incident("Slow", Impact::Minor, &[], "Slow.");
    let both = [("If-None-Match", etag.as_str()), ("If-Modified-Since", modified.as_str())];
    let changed = Raw::get(server.address(), SUMMARY, &both).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.header("ETag").unwrap(), etag);
    let by_date = Raw::get(server.address(), SUMMARY, &[("If-Modified-Since", &modified)]).await;
    assert_eq!(by_date.status(), 200, "a change within one second is a change by date too");

    provider.behave(|behaviour| {
        behaviour.etag = Etag::Exact(b"un quoted".to_vec());
        behaviour.cache_control = Some("max-age=5".to_owned());
    });
    let odd = Raw::get(server.address(), SUMMARY, &[]).await;
    assert_eq!(
        (odd.header("ETag").unwrap(), odd.header("Cache-Control").unwrap()),
        ("un quoted".into(), "max-age=5".into())
    );
    assert_eq!(
        Raw::get(server.address(), SUMMARY, &[("If-None-Match", "un quoted")]).await.status(),
        304
    );
    provider.behave(|behaviour| behaviour.not_modified = false);
    assert_eq!(
        Raw::get(server.address(), SUMMARY, &[("If-None-Match", "un quoted")]).await.status(),
        200
    );
}

#[tokio::test]
async fn gzip_is_for_those_who_ask() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    let plain =
        Raw::get(server.address(), SUMMARY, &[("Accept-Encoding", "identity, gzip;q=0")]).await;
    assert_eq!(plain.header("Content-Encoding"), None);
    let packed = Raw::get(server.address(), SUMMARY, &[("Accept-Encoding", "br, gzip")]).await;
    assert_eq!(packed.header("Content-Encoding").as_deref(), Some("gzip"));
    assert_eq!(inflate(packed.body()).unwrap(), plain.body());
}

fn inflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).map(|_| out)
}

#[tokio::test]
async fn the_log_is_exact_and_can_be_waited_for() {
    let northwind = provider("northwind", &Statuspage);
    let helios = provider("helios", &IncidentIo);
    let server = Server::start(Cluster::new([northwind, helios])).await.unwrap();
    assert_eq!(server.url("helios"), format!("http://{}/helios/", server.address()));
    let server = Arc::new(server);
    let waiting = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.wait_answered("northwind", 3).await }
    });
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /northwind/api/v2/status.json?x=1 HTTP/1.1\r\nHost: h\r\nX-Odd:  a\xff b \r\n\r\n").await.unwrap();
        server.wait_for("northwind", 1).await;
    }
    Raw::get(server.address(), "/nobody/here", &[]).await;
    let last = Raw::over(&mut stream, "/northwind/nothing", &[]).await;
    assert!(last.text().contains("Not Found"));
    waiting.await.unwrap();
    let requests = server.requests_of("northwind");
    assert_eq!(
        requests.iter().map(|request| request.status).collect::<Vec<_>>(),
        [Some(200), Some(200), Some(404)]
    );
    assert!(
        requests.iter().all(|request| request.connection == requests[0].connection),
        "kept alive"
    );
    assert!(
        requests
            .iter()
            .all(|request| request.concurrent == 1 && request.finished >= Some(request.at))
    );
    assert_eq!(
        (requests[0].path.as_str(), requests[0].target.as_str()),
        ("api/v2/status.json", "/northwind/api/v2/status.json?x=1")
    );
    assert_eq!(
        requests[0].headers,
        [("Host".to_owned(), b"h".to_vec()), ("X-Odd".to_owned(), b"a\xff b".to_vec())]
    );
    let stranger = server.requests_of("");
    assert_eq!((stranger.len(), stranger[0].status), (1, Some(404)));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn two_requests_at_once_are_seen() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    provider.fault(Fault::Hang);
    let (address, mut streams) = (server.address(), Vec::new());
    for count in 1..=3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        streams.push(stream);
        server.wait_for("northwind", count).await;
    }
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.concurrent).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(requests.iter().all(|request| request.status.is_none() && request.finished.is_none()));
    drop(streams);
    server.wait_answered("northwind", 3).await;
    provider.clear_faults();
    assert_eq!(Raw::get(address, "/", &[]).await.status(), 200);
    assert_eq!(server.requests()[3].concurrent, 1);
}

#[tokio::test]
async fn a_common_client_understands_it() {
    // The first caller wins; either way, a provider is installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().build().unwrap();
    let provider = provider("northwind", &Statuspage);
    story(&provider);
    let server = alone(&provider).await;
    let url = format!("{}api/v2/summary.json", server.url("northwind"));
    let plain = provider.documents()["api/v2/summary.json"].body.clone();
    for _ in 0..5 {
        let answer = client.get(&url).header("Accept-Encoding", "gzip").send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip");
        let (packed, mut body) = (answer.bytes().await.unwrap(), Vec::new());
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut body).unwrap();
        assert_eq!(body, plain, "compressed on the way");
    }
    let etag = client.head(&url).send().await.unwrap().headers()["etag"].clone();
    let known = client.get(&url).header("If-None-Match", etag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    assert_eq!(client.post(&url).body("x").send().await.unwrap().status().as_u16(), 405);
    assert_eq!(server.connections(), 1, "kept alive throughout");
    assert!(server.requests()[0].header("accept-encoding").unwrap().contains("gzip"));
    for fault in [Fault::Truncated, Fault::CutChunked, Fault::Reset, Fault::BrokenGzip] {
        provider.fault(fault.clone());
        let answer = client.get(&url).header("Accept-Encoding", "gzip").send().await.unwrap();
        let unpacked = answer.bytes().await.map(|packed| {
            std::io::copy(&mut flate2::read::GzDecoder::new(&*packed), &mut std::io::sink())
        });
        assert!(!matches!(unpacked, Ok(Ok(_))), "{fault:?}");
    }
    for fault in [Fault::Garbage, Fault::RedirectLoop, Fault::Closed] {
        provider.fault(fault.clone());
        assert!(client.get(&url).send().await.is_err(), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_after_the_other_is_never_taken_for_two_at_once() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    drop(rustls::crypto::ring::default_provider().install_default());
    // One connection per request, so that only the log itself keeps them apart.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    for _ in 0..300 {
        let answer = client
            .get(format!("{}api/v2/status.json", server.url("northwind")))
            .send()
            .await
            .unwrap();
        assert!(!answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(server.connections(), 300);
    assert!(server.requests().iter().all(|request| request.concurrent == 1));
}
