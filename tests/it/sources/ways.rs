//! Strict and lenient decoding yield the same snapshots: documents are decoded in one pass if
//! valid, otherwise item by item.

use std::fs;

use bytes::Bytes;
use fastrand::Rng;
use statuswatch::document::Document;
use statuswatch::source::{Documents, Limits, Source, by_name};
use url::Url;

use super::fixtures::{broken, captures, entries, file_name, steps};
use crate::fuzz::mutate::mutate;

/// The sources that support both strategies.
const BOTH_STRATEGIES: &[&str] = &["statuspage", "incidentio"];

/// Number of damaged copies of each fixture.
const DAMAGED: usize = 12;

/// Adds an unrelated document large enough that all are decoded item by item.
fn item_by_item(documents: &Documents) -> Documents {
    let url = documents.first.url.clone();
    let large = Document::new(url, None, Bytes::from(vec![b' '; (1 << 20) + 1]));
    let mut documents = documents.clone();
    documents.details.push(("large", large));
    documents
}

/// Checks that both strategies agree; returns whether the documents could be read.
fn same(source: &dyn Source, name: &str, documents: &Documents) -> bool {
    let mut read = false;
    for max_items in [Limits::default().max_items, 3] {
        let said = source.parse(documents, Limits { max_items });
        let slowly = source.parse(&item_by_item(documents), Limits { max_items });
        assert_eq!(said, slowly, "{name}: {}", String::from_utf8_lossy(&documents.first.body));
        read |= said.is_ok();
    }
    read
}

fn supports_both_strategies(source: &dyn Source) -> bool {
    BOTH_STRATEGIES.contains(&source.name())
}

#[test]
fn fixtures_read_the_same_with_both_strategies() {
    for step in steps().iter().filter(|step| supports_both_strategies(step.source)) {
        assert!(same(step.source, &step.name, &step.documents), "{}", step.name);
    }
    for (source, name, document) in
        broken().into_iter().filter(|(source, ..)| supports_both_strategies(*source))
    {
        assert!(!same(source, &name, &Documents::only(document)), "{name}");
    }
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn captures_read_the_same_with_both_strategies() {
    let root = captures();
    let mut read = 0;
    for name in BOTH_STRATEGIES {
        for path in entries(&root.join(name)) {
            let address = if file_name(&path).contains("incidents") {
                "incidents.json"
            } else {
                "summary.json"
            };
            let url =
                Url::parse("https://status.acme.example/api/v2/").unwrap().join(address).unwrap();
            let document = Document::new(url, None, fs::read(&path).unwrap());
            read += usize::from(same(
                by_name(name).unwrap(),
                &file_name(&path),
                &Documents::only(document),
            ));
        }
    }
    assert!(read >= 38, "{read} captures were read");
}

#[test]
fn damaged_documents_read_the_same_with_both_strategies() {
    let steps: Vec<_> =
        steps().into_iter().filter(|step| supports_both_strategies(step.source)).collect();
    let bodies: Vec<&[u8]> = steps.iter().map(|step| step.documents.first.body.as_ref()).collect();
    let (mut read, mut refused, mut lossy) = (0, 0, 0);
    for (number, step) in steps.iter().enumerate() {
        for round in 0..DAMAGED {
            let mut random = Rng::with_seed((number * DAMAGED + round) as u64);
            let mut documents = step.documents.clone();
            let all = std::iter::once(&mut documents.first)
                .chain(documents.details.iter_mut().map(|(_, detail)| detail));
            for document in all {
                document.body = mutate(&mut random, &document.body, &bodies).into();
            }
            if same(step.source, &format!("{}, round {round}", step.name), &documents) {
                read += 1;
                let snapshot = step.source.parse(&documents, Limits::default()).unwrap();
                lossy += usize::from(!snapshot.rejected.is_empty());
            } else {
                refused += 1;
            }
        }
    }
    // Both valid and invalid documents must occur.
    assert!(
        read > 20 && refused > 20 && lossy > 5,
        "{read} read, {lossy} of them not whole, {refused} refused"
    );
}

#[test]
fn item_variants_read_the_same_with_both_strategies() {
    let id = |source: &str| {
        if source == "statuspage" { "abcdefghij01" } else { "01JABCDEFGHJKMNPQRSTVWXYZ0" }
    };
    let items = [
        r#"{"id": "a"}"#,
        r#"{"id": 7, "name": null, "status": null, "impact": null, "shortlink": null, "incident_updates": null, "components": null}"#,
        r#"{"id": 123456789012345678901234567890, "name": " a\nb ", "status": "In Progress", "impact": "MAINTENANCE"}"#,
        r#"{"id": "a", "name": 5}"#,
        r#"{"id": "a", "created_at": {}}"#,
        r#"{"id": "a", "created_at": "soon", "started_at": "2026-03-08T01:30:00.000-08:00"}"#,
        r#"{"id": "a", "id": "b"}"#,
        r#"{"name": "no id"}"#,
        r#"["a", "name", "resolved", "none", "", null, null, null, null, null, [], []]"#,
        r#"["a"]"#,
        "[]",
        "null",
        "7",
        r#"{"id": "a", "incident_updates": [{"id": "u", "body": "<p>a</p>", "status": "wobbling"}, {"id": "u"}, {"body": 1}, 3]}"#,
        r#"{"id": "a", "incident_updates": {}}"#,
        r#"{"id": "a", "components": [{"id": "c", "name": "C", "status": "operational", "group": true, "group_id": ""}, {"id": {}}]}"#,
        r#"{"id": "a", "other": "\ud800"}"#,
        r#"{"id": "a", "name": "\ud800"}"#,
        r#"{"id": "a", "other": 1e999}"#,
        r#"{"id": "a", "other": [[[[[[[[]]]]]]]]}"#,
        r#"{"id": "c", "status": "major_outage", "group_id": "g", "group": null}"#,
        r#"{"id": "g", "name": " The  group", "group": true}"#,
    ];
    let mut whole = 0;
    for name in BOTH_STRATEGIES {
        let source = by_name(name).unwrap();
        let page = format!(
            r#""page": {{"id": "{}", "updated_at": "2026-03-08T01:30:00Z"}}, "status": {{"indicator": "none"}}"#,
            id(name)
        );
        for item in items {
            for other in items {
                let body = format!(
                    r#"{{{page}, "components": [{other}, {item}], "incidents": [{item}], "scheduled_maintenances": [{other}]}}"#
                );
                let url = Url::parse("https://status.acme.example/api/v2/summary.json").unwrap();
                let documents = Documents::only(Document::new(url, None, body));
                whole += usize::from(same(source, name, &documents));
            }
        }
    }
    assert!(whole > 100, "{whole} were read");
}
