//! Real captures, if available.

use std::fs;
use std::path::{Path, PathBuf};

use statuswatch::document::{Document, Shape};
use statuswatch::event::{Impact, IncidentStatus, Kind, parse_time};
use statuswatch::snapshot::{Incident, Listing, Snapshot, UpdateId};
use statuswatch::source::detect::detect;
use statuswatch::source::{Documents, Limits, SOURCES, by_name};
use url::Url;

use super::fixtures::{captures, entries, file_name};

/// Platforms whose HTML page is read.
const READ_FROM_HTML: &[&str] = &["pagerduty", "statuscast"];

fn document(path: &Path, url: &str) -> Document {
    let body = fs::read(path).unwrap();
    // Some captures of pages were stored in a fenced block.
    let body = body.strip_prefix(b"```\n").map(<[u8]>::to_vec).unwrap_or(body);
    Document::new(Url::parse(url).unwrap(), None, body)
}

fn summary(path: &Path) -> Document {
    document(path, "https://status.acme.example/api/v2/summary.json")
}

fn read(root: &Path, source: &str, name: &str) -> Snapshot {
    let path = root.join(source).join(name);
    let document = summary(&path);
    let by: Vec<&str> =
        SOURCES.iter().filter(|s| s.detect(&document).is_some()).map(|s| s.name()).collect();
    assert_eq!(by, [source], "{name}");
    let snapshot = by_name(source).unwrap().parse(&Documents::only(document), Limits::default());
    let snapshot = snapshot.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(snapshot.rejected, Vec::<String>::new(), "{name}");
    snapshot
}

fn incident<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Incident {
    snapshot
        .incidents
        .iter()
        .find(|incident| incident.id == id)
        .unwrap_or_else(|| panic!("no incident {id}"))
}

fn texts(incident: &Incident) -> Vec<(&UpdateId, &str)> {
    incident.updates.iter().map(|update| (&update.id, update.text.as_str())).collect()
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn every_summary_is_read_by_its_source_alone() {
    let root = captures();
    let mut count = 0;
    for source in ["statuspage", "incidentio"] {
        for path in entries(&root.join(source)) {
            let name = file_name(&path);
            let is_summary = ["-summary-", "-maint-", "wrong-tenant", "zone-change"]
                .iter()
                .any(|part| name.contains(part));
            if !is_summary || path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let snapshot = read(&root, source, &name);
            assert!(snapshot.page.id.is_some() && !snapshot.components.is_empty(), "{name}");
            for incident in &snapshot.incidents {
                assert!(!incident.title.is_empty() && !incident.updates.is_empty(), "{name}");
                let fields = (incident.status, incident.impact);
                assert!(
                    fields.0 != IncidentStatus::Update && fields.1 != Impact::Unknown,
                    "{name}: {fields:?}"
                );
                for update in &incident.updates {
                    assert!(
                        update.published_at.is_some() && update.edited_at.is_some()
                            || source == "incidentio",
                        "{name}"
                    );
                    assert!(!update.text.is_empty(), "{name}");
                }
            }
            count += 1;
        }
    }
    assert_eq!(count, 38);
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn sequences_contain_what_is_known_of_them() {
    let root = captures();
    let page = |name: &str| read(&root, "statuspage", name);

    let id = "8gmgl950y3h7";
    let counts: Vec<usize> = (1..=4)
        .map(|n| {
            incident(&page(&format!("cloudflare-summary-seq-{id}-0{n}.json")), id).updates.len()
        })
        .collect();
    assert_eq!((counts[0], counts[1], counts[2], counts[3]), (1, 8, 13, 21));
    let first = page("cloudflare-summary-seq-8gmgl950y3h7-01.json");
    assert_eq!(incident(&first, id).impact, Impact::Critical);
    let last = page("cloudflare-summary-seq-8gmgl950y3h7-05.json");
    assert!(!last.incidents.iter().any(|incident| incident.id == id));
    assert_eq!(last.coverage.incidents, Listing::Open);

    let (before, after) = (
        page("github-summary-seq-p38y9j23bt7b-02.json"),
        page("github-summary-seq-p38y9j23bt7b-03.json"),
    );
    let (before, after) = (incident(&before, "p38y9j23bt7b"), incident(&after, "p38y9j23bt7b"));
    let (old, new) = (texts(before), texts(after));
    assert_eq!(
        old.iter().map(|t| t.0).collect::<Vec<_>>(),
        new.iter().map(|t| t.0).collect::<Vec<_>>()
    );
    assert_eq!(old[0], new[0]);
    assert_ne!(old[1].1, new[1].1);
    assert!(after.updates[1].edited_at > before.updates[1].edited_at);

    let maintenance = page("github-summary-maint-xb49wskhzrm2-02.json");
    let maintenance = incident(&maintenance, "xb49wskhzrm2");
    assert_eq!(
        (maintenance.kind, maintenance.status),
        (Kind::Maintenance, IncidentStatus::InProgress)
    );
    assert!(maintenance.scheduled_for < maintenance.scheduled_until);

    let updates = |n: usize| {
        let name = format!("statuspage-meta-maint-3fdfvxk9zhgx-0{n}.json");
        let snapshot = page(&name);
        let updates = incident(&snapshot, "3fdfvxk9zhgx").updates.clone();
        assert!(updates.is_sorted_by_key(|update| update.published_at), "{name}");
        updates.len()
    };
    assert_eq!([updates(1), updates(2), updates(3), updates(4)], [2, 3, 2, 4]);

    let versions: Vec<_> =
        (1..=3).map(|n| page(&format!("jira-wrong-tenant-0{n}.json")).page.id).collect();
    assert!(versions[0] == versions[2] && versions[0] != versions[1]);

    let jira = page("jira-summary-seq-x5yqyntc3kys-06.json");
    assert_eq!(incident(&jira, "x5yqyntc3kys").impact, Impact::None);

    let opsgenie = page("opsgenie-maint-sv5623kxtnvz-01.json");
    assert!(opsgenie.components.iter().any(|component| component.group.as_deref() == Some("EU")));
    assert!(
        !opsgenie
            .components
            .iter()
            .any(|component| component.id.as_deref() == Some("jzqq334r65mx")),
        "a group row"
    );
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn openai_shows_25_components_that_are_not_all() {
    let root = captures();
    let quiet = read(&root, "incidentio", "openai-compat-summary-seq-01.json");
    assert_eq!(
        (quiet.components.len(), quiet.incidents.len(), quiet.impact()),
        (25, 0, Impact::None)
    );
    assert_eq!(quiet.coverage.incidents, Listing::Open);
    let open = read(&root, "incidentio", "openai-compat-summary-seq-02.json");
    assert_eq!((open.components.len(), open.incidents.len()), (25, 2));
    assert!(!open.coverage.all_components && open.page.version.is_none());
    let incident = incident(&open, "01M3Q4RK1SM4EMK445GGPG7C0N");
    assert_eq!(
        incident.url.as_deref(),
        Some("https://status.openai.com/incidents/01M3Q4RK1SM4EMK445GGPG7C0N")
    );
    assert_eq!(incident.updates.len(), 2);
    assert_eq!(incident.updates[0].published_at, parse_time("2026-09-29T17:52:52Z"));
    assert!(
        incident.updates[0].text.contains("\n\n") || incident.updates[1].text.contains("\n\n"),
        "paragraphs stay"
    );
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn other_documents_are_errors() {
    let root = captures();
    let error = |source: &str, file: &str| {
        let documents = Documents::only(summary(&root.join(file)));
        by_name(source).unwrap().parse(&documents, Limits::default()).unwrap_err().to_string()
    };
    assert_eq!(
        error("statuspage", "statuspage/jira-align-error-500-body.json"),
        "the provider answered with an error: 500 Internal Server Error"
    );
    assert_eq!(
        error("statuspage", "statuspage/unclaimed-subdomain.html"),
        "an HTML page was answered: \"Statuspage | Atlassian\""
    );
    for file in [
        "statuspage/github-status-01.json",
        "statuspage/github-incidents-trimmed.json",
        "statuspage/webhook-incident-resolved.json",
        "statuspage/webhook-component-update.json",
        "instatus/zed-summary.json",
        "betterstack/turso-index.json",
    ] {
        for source in ["statuspage", "incidentio"] {
            assert!(
                error(source, file).starts_with(&format!("not a {source} document")),
                "{file}: {}",
                error(source, file)
            );
        }
    }
    error("statuspage", "incidentio/openai-compat-summary-seq-01.json");
    error("incidentio", "statuspage/trello-zone-change-01.json");
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn html_is_detected_where_it_is_read_and_nothing_by_two_sources() {
    let root = captures();
    let files: Vec<PathBuf> = entries(&root).iter().flat_map(|folder| entries(folder)).collect();
    assert!(files.len() > 100);
    for path in files {
        let document = summary(&path);
        let by: Vec<&str> =
            SOURCES.iter().filter(|s| s.detect(&document).is_some()).map(|s| s.name()).collect();
        assert!(by.len() <= 1, "{}: {by:?}", path.display());
        if document.shape() == Shape::Html {
            let own = path.parent().map(file_name).unwrap_or_default();
            let read = READ_FROM_HTML.contains(&own.as_str());
            assert_eq!(by, if read { vec![own] } else { vec![] }, "{}", path.display());
        }
    }
}

#[tokio::test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
async fn dead_statuspage_addresses_are_rejected_with_their_reason() {
    let root = captures();
    for (file, reason) in
        [("unclaimed-subdomain.html", "is unclaimed"), ("inactive-page.html", "deactivated")]
    {
        let page = Url::parse("https://acme.statuspage.io/").unwrap();
        let answer = document(&root.join("statuspage").join(file), page.as_str());
        let error = detect(&page, |_, _| std::future::ready(Ok(answer.clone()))).await.unwrap_err();
        assert!(
            error.reason.as_deref().is_some_and(|found| found.contains(reason)),
            "{file}: {error}"
        );
    }
}

#[tokio::test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
async fn pages_are_found_behind_their_html() {
    let root = captures();
    for (html, json, source) in [
        ("statuspage/zoom-page.html", "statuspage/trello-zone-change-01.json", "statuspage"),
        (
            "incidentio/openai-page-major.html",
            "incidentio/openai-compat-summary-seq-02.json",
            "incidentio",
        ),
    ] {
        let page = Url::parse("https://status.acme.example/").unwrap();
        let found = detect(&page, |url, _| {
            std::future::ready(match url.path() {
                "/" => Ok(document(&root.join(html), url.as_str())),
                "/api/v2/summary.json" => Ok(document(&root.join(json), url.as_str())),
                _ => Err("404 Not Found".to_owned()),
            })
        })
        .await;
        assert_eq!(found.map(|found| found.source).map_err(|error| error.to_string()), Ok(source));
    }
}
