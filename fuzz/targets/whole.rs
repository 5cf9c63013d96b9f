//! Bytes to text: a poll of two documents, parted by a record separator, after the poll of the
//! first alone.
#![no_main]

#[path = "../../tests/it/fuzz/whole.rs"]
mod whole;

use libfuzzer_sys::fuzz_target;
use statuswatch::document::Document;
use statuswatch::source::{Documents, PriorItems, Limits, SOURCES};
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == 0x1e);
    let first = parts.next().unwrap_or_default();
    let Ok(url) = Url::parse("https://status.acme.example/api/v2/summary.json") else { return };
    let first = Document::new(url, None, first.to_vec());
    whole::detect_document(&first);
    whole::texts(&first.text());
    for source in SOURCES {
        let mut documents = Documents::only(first.clone());
        let Some(before) = whole::walk(*source, &documents, &whole::Before::default()) else { continue };
        let Ok(snapshot) = source.parse(&documents, Limits::default()) else { continue };
        for (detail, body) in source.details(&first, &snapshot, &PriorItems::default()).into_iter().zip(parts.clone()) {
            documents.details.push((detail.role, Document::new(detail.url, None, body.to_vec())));
        }
        whole::walk(*source, &documents, &before);
    }
});
