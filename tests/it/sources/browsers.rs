//! JSON that browsers accept and strict parsers do not: of duplicate keys the last one counts, and
//! a lone surrogate is one replacement character.

use serde_json::Value;
use statuswatch::document::{Document, Shape};
use statuswatch::snapshot::Snapshot;
use statuswatch::source::{Documents, Limits};

use super::fixtures::{Step, steps};

/// Returns the documents of `step` with each JSON text rewritten.
fn rewritten(step: &Step, rewrite: impl Fn(&Value) -> String) -> Documents {
    let one = |document: &Document| {
        let text = document.text();
        // An empty list in UTF-16 is AWS's own, and has nothing to rewrite.
        if document.shape() != Shape::Json || text.trim() == "[]" {
            return document.clone();
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        Document::new(document.url.clone(), None, rewrite(&value))
    };
    let mut documents = step.documents.clone();
    documents.first = one(&documents.first);
    for (_, detail) in &mut documents.details {
        *detail = one(detail);
    }
    documents
}

/// Parses the documents; only counts the rejections, because their reasons contain offsets.
fn parse(step: &Step, documents: &Documents) -> Snapshot {
    let read = step.source.parse(documents, Limits::default());
    let mut snapshot = read.unwrap_or_else(|error| panic!("{}: {error}", step.name));
    snapshot.rejected.iter_mut().for_each(String::clear);
    snapshot
}

/// Duplicates every member of every object, the first with a value of an unexpected type.
fn twice(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let wrong = map.iter().map(|(key, value)| {
                let other = if value.is_object() { "7" } else { "{\"}\": [\",\"]}" };
                format!("{}: {other}", Value::from(key.as_str()))
            });
            let right = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), twice(value)));
            let members: Vec<String> = wrong.chain(right).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(twice).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[test]
fn the_last_of_equal_keys_counts_in_every_source() {
    let mut seen = 0;
    for step in steps() {
        let documents = rewritten(&step, twice);
        seen += usize::from(documents.first.body != step.documents.first.body);
        let once = rewritten(&step, Value::to_string);
        assert_eq!(parse(&step, &documents), parse(&step, &once), "{}", step.name);
    }
    assert!(seen > 150, "{seen} documents were rewritten");
}

/// Appends a lone surrogate to every text of several words.
fn halved(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), halved(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(halved).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if text.contains(' ') => {
            let quoted = value.to_string();
            format!("{}\\ud83d\"", quoted.strip_suffix('"').unwrap())
        }
        other => other.to_string(),
    }
}

#[test]
fn a_lone_surrogate_rejects_no_item() {
    let mut seen = 0;
    for step in steps() {
        let documents = rewritten(&step, halved);
        seen += usize::from(documents.first.text().contains("\\ud83d"));
        let (read, whole) = (parse(&step, &documents), parse(&step, &step.documents));
        let counts = |snapshot: &Snapshot| {
            let updates: usize =
                snapshot.incidents.iter().map(|incident| incident.updates.len()).sum();
            (snapshot.incidents.len(), updates, snapshot.components.len(), snapshot.rejected.len())
        };
        assert_eq!(counts(&read), counts(&whole), "{}", step.name);
    }
    assert!(seen > 100, "{seen} documents had a text");
}

/// JSON within an HTML page is read the same way.
#[test]
fn json_within_a_page_is_read_likewise() {
    for (source, key) in [("pagerduty", "\"title\":"), ("okta", "\"Status__c\":")] {
        let mut seen = 0;
        for step in steps().into_iter().filter(|step| step.source.name() == source) {
            if step.documents.first.shape() != Shape::Html {
                continue;
            }
            let mut documents = step.documents.clone();
            let text = documents.first.text().into_owned();
            // Okta's page escapes quotes as entities.
            for quote in ["\"", "&quot;"] {
                let key = key.replace('"', quote);
                let text = text.replace(&key, &format!("{key} {quote}\\ud83d{quote}, {key}"));
                if text != step.documents.first.text() {
                    seen += 1;
                    documents.first = Document::new(
                        documents.first.url.clone(),
                        documents.first.content_type.as_deref(),
                        text,
                    );
                }
            }
            assert_eq!(parse(&step, &documents), parse(&step, &step.documents), "{}", step.name);
        }
        assert!(seen > 0, "{source} has no page with {key}");
    }
}
