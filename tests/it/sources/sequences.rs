//! Parses the captured sequences in order and compares them as the ledger does.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use statuswatch::config::FirstRun;
use statuswatch::document::Document;
use statuswatch::event::{Time, format_time, parse_time};
use statuswatch::ledger::reconcile::{Context, ItemState, SeenVersion, reconcile};
use statuswatch::snapshot::Snapshot;
use statuswatch::source::{Documents, Limits, SOURCES, by_name};
use url::Url;

use super::fixtures::captures;
use super::happened::{SEQUENCES, Sequence};

fn read(root: &Path, sequence: &Sequence, step: usize) -> Snapshot {
    let path = root.join(sequence.files.replace("NN", &format!("{step:02}")));
    let document = Document::new(Url::parse(sequence.url).unwrap(), None, fs::read(&path).unwrap());
    let by: Vec<&str> =
        SOURCES.iter().filter(|s| s.detect(&document).is_some()).map(|s| s.name()).collect();
    assert_eq!(by, [sequence.source], "{}", path.display());
    let snapshot =
        by_name(sequence.source).unwrap().parse(&Documents::only(document), Limits::default());
    let snapshot = snapshot.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(snapshot.rejected, Vec::<String>::new(), "{}", path.display());
    snapshot
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn sequences_yield_exactly_the_expected_events() {
    let root = captures();
    let now: Time = parse_time("2026-11-01T00:00:00Z").unwrap();
    for sequence in SEQUENCES {
        let mut known: HashMap<String, (ItemState, Vec<SeenVersion>)> = HashMap::new();
        for step in 1..=sequence.steps {
            let mut reported = Vec::new();
            for incident in &read(&root, sequence, step).incidents {
                let context = Context {
                    provider: "acme",
                    now,
                    first_run: (step == 1).then_some(FirstRun::Active),
                    watched_since: parse_time("2019-01-01T00:00:00Z").unwrap(),
                    first_history: false,
                    reported: &[],
                    reread: false,
                };
                let before = known.remove(&incident.id);
                let (item, mut seen) =
                    before.map_or((None, Vec::new()), |(item, seen)| (Some(item), seen));
                let outcome = reconcile(item.as_ref(), &seen, incident, context);
                for draft in outcome.drafts {
                    assert!(draft.kind == incident.kind && draft.message.is_some());
                    reported.push((
                        incident.id.clone(),
                        draft.update_id.unwrap(),
                        draft.revision,
                        draft.status.to_string(),
                    ));
                }
                seen.extend(outcome.seen);
                known.insert(incident.id.clone(), (outcome.item, seen));
            }
            let expected = sequence.expected.iter().filter(|row| row.0 == step);
            let mut expected: Vec<_> = expected
                .map(|(_, id, update, revision, status)| {
                    ((*id).to_owned(), (*update).to_owned(), *revision, (*status).to_owned())
                })
                .collect();
            // The order between incidents is undefined.
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            reported.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(reported, expected, "{} step {step}", sequence.files);
        }
    }
}

/// The contents of single captures according to their notes.
#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn single_captures_are_read_as_noted() {
    let root = captures();
    let one = |source: &'static str, url: &'static str, files: &'static str| {
        read(&root, &Sequence { source, url, files, steps: 1, expected: &[] }, 1)
    };
    let aws = one(
        "aws",
        "https://health.aws.amazon.com/public/currentevents",
        "aws/aws-currentevents.utf16be.bin",
    );
    let shape: Vec<_> = aws
        .incidents
        .iter()
        .map(|i| (i.updates.len(), i.components.len(), i.impact.as_str()))
        .collect();
    assert_eq!(shape, [(23, 140, "critical"), (13, 149, "critical")]);
    assert!(
        aws.incidents[0]
            .components
            .iter()
            .all(|component| component.group.as_deref() == Some("me-central-1"))
    );
    assert_eq!(
        aws.incidents[0].started_at.map(format_time).as_deref(),
        Some("2026-03-01T12:51:25Z")
    );
    assert_eq!(aws.incidents[1].title, "Increased Error Rates");
    assert_eq!(aws.open().count(), 2);

    let google = "https://status.cloud.google.com/incidents.json";
    for (file, count) in [
        ("gcp/gcp-incidents-2026.json", 4),
        ("gcp/gcp-incidents-2022-07-03-big.json", 157),
        ("gcp/gcp-incidents-2020-11-old-schema.json", 147),
    ] {
        let snapshot = one("google", google, file);
        assert_eq!((snapshot.incidents.len(), snapshot.open().count()), (count, 0), "{file}");
        for incident in &snapshot.incidents {
            assert!(
                incident.updates.is_sorted_by_key(|update| update.published_at)
                    && !incident.title.is_empty(),
                "{file}"
            );
            assert!(
                incident
                    .updates
                    .iter()
                    .all(|update| update.published_at.is_some() && !update.text.is_empty()),
                "{file}"
            );
            assert!(
                incident
                    .url
                    .as_deref()
                    .is_some_and(|url| url.starts_with("https://status.cloud.google.com/incident")),
                "{file}"
            );
        }
    }

    let heroku = one(
        "heroku",
        "https://status.heroku.com/api/v4/current-status",
        "heroku/heroku-current-status.json",
    );
    let reported: Vec<_> = heroku
        .incidents
        .iter()
        .map(|i| (i.id.as_str(), i.status.as_str(), i.updates.len()))
        .collect();
    assert_eq!(
        reported,
        [("2965", "completed", 2), ("2959", "completed", 2)],
        "two ended ones that stand as upcoming"
    );
    assert_eq!((heroku.components.len(), heroku.impact().as_str()), (3, "none"));

    let apple = one(
        "apple",
        "https://www.apple.com/x.js",
        "apple/apple-developer-system-status-ongoing.json",
    );
    assert_eq!(apple.incidents.len(), 10);
    let open: Vec<_> = apple
        .open()
        .map(|i| (i.id.as_str(), i.kind.as_str(), i.status.as_str(), i.components.len()))
        .collect();
    assert_eq!(
        open,
        [("2000000024", "maintenance", "in_progress", 4)],
        "ended for three services, not for the fourth"
    );

    let azure = one(
        "azure",
        "https://azure.status.microsoft/en-us/status/feed/",
        "azure/azure-status-feed-empty.xml",
    );
    assert_eq!((azure.incidents.len(), azure.impact().as_str()), (0, "none"));

    let quiet = one(
        "slack",
        "https://slack-status.com/api/v2.0.0/current",
        "slack/slack-current-ok-2026.json",
    );
    assert!(quiet.incidents.is_empty());
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn slack_has_the_end_in_its_history() {
    let root = captures();
    let document = |file: &str, url: &str| {
        Document::new(
            Url::parse(url).unwrap(),
            None,
            fs::read(root.join("slack").join(file)).unwrap(),
        )
    };
    let first =
        document("slack-current-ok-2026.json", "https://slack-status.com/api/v2.0.0/current");
    let history =
        document("slack-history-2026.json", "https://slack-status.com/api/v2.0.0/history");
    let documents = Documents { details: vec![("history", history)], ..Documents::only(first) };
    let snapshot = by_name("slack").unwrap().parse(&documents, Limits::default()).unwrap();
    let reported: Vec<_> = snapshot
        .incidents
        .iter()
        .map(|i| (i.id.as_str(), i.status.as_str(), i.updates.len()))
        .collect();
    assert_eq!(
        reported,
        [("1571", "resolved", 3), ("1568", "resolved", 6), ("1570", "resolved", 3)]
    );
    let last = snapshot.incidents[0].updates.last().unwrap();
    assert_eq!(last.published_at, parse_time("2026-06-26T10:09:39Z"));
    assert!(last.text.starts_with("We've resolved the issue") && !last.text.contains('<'));
}
