//! Atom, RSS, RDF and JSON feeds.
#![no_main]

#[path = "../../tests/it/fuzz/whole.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod whole;

use libfuzzer_sys::fuzz_target;
use statuswatch::document::Document;
use statuswatch::source::{Documents, by_name};
use url::Url;

fuzz_target!(|body: &[u8]| {
    let (Ok(url), Some(feed)) = (Url::parse("https://status.acme.example/history.atom"), by_name("feed")) else { return };
    let documents = Documents::only(Document::new(url, None, body.to_vec()));
    whole::walk(feed, &documents, &whole::Before::default());
});
