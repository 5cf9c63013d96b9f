//! Feeds: documents to snapshots, over documents of our own and, where they are at hand, over real ones.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use statuswatch::document::Document;
use statuswatch::event::{ComponentStatus, Kind, Status, Time, parse_time};
use statuswatch::snapshot::{Listing, Snapshot, Update, UpdateId};
use statuswatch::source::{Documents, Limits, ParseError, Source, by_name};
use url::Url;

fn feed() -> &'static dyn Source {
    by_name("feed").unwrap()
}

fn parse_with(body: impl Into<Bytes>, content_type: Option<&str>, limits: Limits) -> Result<Snapshot, ParseError> {
    let url = Url::parse("https://status.acme.example/feed").unwrap();
    feed().parse(&Documents::only(Document::new(url, content_type, body)), limits)
}

fn parse(body: impl Into<Bytes>) -> Result<Snapshot, ParseError> {
    parse_with(body, None, Limits::default())
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/feed").join(name)).unwrap()
}

fn snapshot(name: &str) -> Snapshot {
    parse(fixture(name)).unwrap()
}

fn time(text: &str) -> Time {
    parse_time(text).unwrap()
}

fn real(name: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        ["../shared/fixtures", "../../shared/fixtures"].iter().find_map(|dir| std::fs::read(root.join(dir).join(name)).ok());
    if found.is_none() {
        println!("skipped: shared fixtures are not here");
    }
    found
}

fn real_feeds() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dirs = ["../shared/fixtures", "../../shared/fixtures"].map(|dir| root.join(dir));
    let Some(dir) = dirs.iter().find(|dir| dir.is_dir()) else {
        println!("skipped: shared fixtures are not here");
        return Vec::new();
    };
    let folders = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
    files.filter(|path| matches!(path.extension().and_then(|e| e.to_str()), Some("atom" | "rss" | "xml"))).collect()
}

#[test]
fn every_real_feed_is_read_whole() {
    for path in real_feeds() {
        let body = std::fs::read(&path).unwrap();
        let text = String::from_utf8(body.clone()).unwrap();
        let items = text.matches("<entry>").count() + text.matches("<item>").count();
        let blocks = text.matches("&lt;small&gt;").count() + text.matches("<small>").count();
        let snapshot = parse(body).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(snapshot.incidents.len(), items, "{}", path.display());
        assert!(snapshot.rejected.is_empty(), "{}", path.display());
        let updates: Vec<&Update> = snapshot.incidents.iter().flat_map(|incident| &incident.updates).collect();
        assert_eq!(updates.len(), if blocks > 0 { blocks } else { items }, "{}", path.display());
        for incident in &snapshot.incidents {
            assert!(!incident.title.is_empty() && !incident.id.is_empty());
            for update in &incident.updates {
                let at = update.published_at.unwrap_or_else(|| panic!("{}: {update:?}", path.display()));
                assert!(at > time("2017-01-01T00:00:00Z") && at < time("2026-12-01T00:00:00Z"), "{}: {at}", path.display());
                assert!(!update.text.contains('<') || update.text.contains("< "), "{}", update.text);
            }
            let times: Vec<_> = incident.updates.iter().map(|update| update.published_at).collect();
            println!("{} {} {:?} {:?}", path.display(), incident.id, incident.status, times.first());
        }
    }
}
