//! One source by itself, the one that `STATUSWATCH_FUZZ_SOURCE` names: two polls with all the
//! documents it asks for.
//!
//! Input: the documents of a poll, parted by a record separator, each behind a line with the role
//! it has in a fixture's file name.
#![no_main]

#[path = "../../tests/it/sources/fixtures.rs"]
#[allow(dead_code, reason = "the addresses alone are used here")]
mod fixtures;
#[path = "../../tests/it/fuzz/whole.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod whole;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use statuswatch::document::Document;
use statuswatch::event::{Impact, IncidentStatus, Kind};
use statuswatch::source::{JsonMap, Word};
use statuswatch::source::{Documents, PriorItems, Limits, Source, by_name};
use url::Url;

static SOURCE: LazyLock<&'static dyn Source> = LazyLock::new(|| {
    let name = std::env::var("STATUSWATCH_FUZZ_SOURCE").unwrap_or_default();
    by_name(&name).unwrap_or_else(|| panic!("STATUSWATCH_FUZZ_SOURCE is no source: {name:?}"))
});

/// Something that is open and in no document, so that histories are asked for.
static KNOWN: LazyLock<PriorItems> = LazyLock::new(|| PriorItems {
    open: vec![(Kind::Incident, "gone".to_owned()), (Kind::Maintenance, "gone".to_owned())],
    ..PriorItems::default()
});

/// A description that a user might give, for the source that needs one.
static DESCRIPTION: LazyLock<Arc<JsonMap>> = LazyLock::new(|| {
    let pointer = |name: &str| Some(format!("/{name}"));
    Arc::new(JsonMap {
        list: "/incidents".to_owned(),
        id: "/id".to_owned(),
        title: "/name".to_owned(),
        status: pointer("status"),
        text: pointer("body"),
        time: pointer("created_at"),
        url: pointer("url"),
        impact: pointer("impact"),
        absent_is_over: true,
        words: vec![
            ("resolved".to_owned(), Word::Status(IncidentStatus::Resolved)),
            ("investigating".to_owned(), Word::Status(IncidentStatus::Investigating)),
            ("major".to_owned(), Word::Impact(Impact::Major)),
        ],
    })
});

fn record(bytes: &[u8]) -> (&str, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (std::str::from_utf8(&bytes[..end]).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
}

fuzz_target!(|bytes: &[u8]| {
    let mut records = bytes.split(|byte| *byte == 0x1e).map(record);
    let Some((role, first)) = records.next() else { return };
    let place = fixtures::FIRST.iter().find(|(name, _)| *name == role).map_or("https://status.acme.example/feed", |(_, place)| place);
    let Ok(url) = Url::parse(place) else { return };
    let mut documents = Documents::only(Document::new(url, None, first.to_vec()));
    documents.description = (SOURCE.name() == "json").then(|| Arc::clone(&DESCRIPTION));
    let _ = (SOURCE.detect(&documents.first), SOURCE.prefetch(&documents.first, &KNOWN));
    let Some(before) = whole::walk(*SOURCE, &documents, &whole::Before::default()) else { return };
    let Ok(snapshot) = SOURCE.parse(&documents, Limits::default()) else { return };
    let mut rest: Vec<_> = records.collect();
    documents.known = KNOWN.clone();
    for detail in SOURCE.details(&documents.first, &snapshot, &KNOWN) {
        // In its role's place, or whatever is left: most mutations tear the names.
        let place = rest.iter().position(|(role, _)| *role == detail.role).or(if rest.is_empty() { None } else { Some(0) });
        let Some(place) = place else { continue };
        documents.details.push((detail.role, Document::new(detail.url, None, rest.remove(place).1.to_vec())));
    }
    if !documents.details.is_empty() {
        whole::walk(*SOURCE, &documents, &before);
    }
});
