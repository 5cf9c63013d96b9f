//! From the bytes of a document to events: parsed, compared, numbered and rendered.

use std::time::Duration;

use statuswatch::document::Document;
use statuswatch::source::{self, Documents, Limits};
use statuswatch::world::platform::PLATFORMS;

use crate::documents::grown;
use crate::measure::timed;

/// Prints the table.
pub(crate) fn run() {
    println!("\n| format | document | incidents | parse | MB/s |\n|---|---|---|---|---|");
    for platform in PLATFORMS {
        let path = if platform.entry().is_empty() { "api/v2/summary.json" } else { platform.entry() };
        let extra = if platform.entry().is_empty() { Some("api/v2/incidents.json") } else { None };
        for size in [50_000, 200_000] {
            for path in std::iter::once(path).chain(extra) {
                let state = grown(*platform, path, size);
                let documents = platform.documents(&state);
                let shown = &documents[path];
                let url = format!("https://status.bench.example/{path}").parse().unwrap();
                let document = Document::new(url, Some(&shown.content_type), shown.body.clone());
                let adapter = source::by_name(platform.source()).unwrap();
                let documents = Documents::only(document);
                let limits = Limits { max_items: 100_000 };
                let Ok(snapshot) = adapter.parse(&documents, limits) else { continue };
                let rounds = 40_000_000 / shown.body.len();
                let ((), _, cpu) = timed(|| {
                    for _ in 0..rounds {
                        std::hint::black_box(adapter.parse(std::hint::black_box(&documents), limits).ok());
                    }
                });
                let one: Duration = cpu / rounds as u32;
                let rate = shown.body.len() as f64 / 1e6 / one.as_secs_f64();
                let (name, kb, items) = (platform.name(), shown.body.len() / 1000, snapshot.incidents.len());
                println!("| {name} `{path}` | {kb} KB | {items} | {:.2} ms | {rate:.0} |", one.as_secs_f64() * 1e3);
            }
        }
    }
}
