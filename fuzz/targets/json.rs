//! Documents of the platforms, for each source that is not the feed's.
#![no_main]

#[path = "../../tests/it/fuzz/whole.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod whole;

use libfuzzer_sys::fuzz_target;
use statuswatch::document::Document;
use statuswatch::source::{Documents, SOURCES};
use url::Url;

const PLACES: [&str; 3] = [
    "https://status.acme.example/api/v2/summary.json",
    "https://status.acme.example/api/v1/summary",
    "https://status.acme.example/api/v2/incidents.json",
];

fuzz_target!(|body: &[u8]| {
    for place in PLACES {
        let Ok(url) = Url::parse(place) else { continue };
        let documents = Documents::only(Document::new(url, None, body.to_vec()));
        for source in SOURCES.iter().filter(|source| source.name() != "feed") {
            whole::walk(*source, &documents, &whole::Before::default());
        }
    }
});
