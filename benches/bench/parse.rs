//! From the bytes of a document to events: parsing, comparing, numbering and rendering.

use std::time::Duration;

use statuswatch::document::Document;
use statuswatch::fake::platform::PLATFORMS;
use statuswatch::snapshot::Snapshot;
use statuswatch::source::{self, Documents, Limits, SOURCES, Source};

use crate::documents::grown;
use crate::fixtures::steps;
use crate::grow;
use crate::measure::timed;

/// Prints the tables: synthetic pages first, then one row per source.
pub(crate) fn run() {
    pages();
    sources();
}

/// Measures the fixtures of each source, grown by repeating their items. Those that cannot be grown
/// are measured as they are.
fn sources() {
    println!(
        "\n| source | document | incidents | components | parse | MB/s |\n|---|---|---|---|---|---|"
    );
    let steps = steps();
    for source in SOURCES {
        for size in [50_000, 200_000] {
            let (documents, Snapshot { incidents, components, .. }) =
                grow::grown(*source, &steps, size);
            let length = documents.first.body.len();
            let one = each(*source, &documents, grow::LIMITS);
            let rate = length as f64 / 1e6 / one.as_secs_f64();
            let (name, kb, ms) = (source.name(), length as f64 / 1e3, one.as_secs_f64() * 1e3);
            println!(
                "| `{name}` | {kb:.0} KB | {} | {} | {ms:.2} ms | {rate:.0} |",
                incidents.len(),
                components.len()
            );
            if length < size / 2 {
                break;
            }
        }
    }
}

/// Returns the CPU time per parse, over some 10 MB in total.
fn each(source: &dyn Source, documents: &Documents, limits: Limits) -> Duration {
    let rounds = (10_000_000 / documents.first.body.len()).clamp(20, 20_000);
    let ((), _, cpu) = timed(|| {
        for _ in 0..rounds {
            std::hint::black_box(source.parse(std::hint::black_box(documents), limits).ok());
        }
    });
    cpu / rounds as u32
}

fn pages() {
    println!("\n| format | document | incidents | parse | MB/s |\n|---|---|---|---|---|");
    for platform in PLATFORMS {
        let path =
            if platform.entry().is_empty() { "api/v2/summary.json" } else { platform.entry() };
        let extra = if platform.entry().is_empty() { Some("api/v2/incidents.json") } else { None };
        for size in [50_000, 200_000] {
            for path in std::iter::once(path).chain(extra) {
                let state = grown(*platform, path, size);
                let documents = platform.documents(&state);
                // Not every page with such a summary has a history.
                let Some(shown) = documents.get(path) else {
                    continue;
                };
                let url = format!("https://status.bench.example/{path}").parse().unwrap();
                let document = Document::new(url, Some(&shown.content_type), shown.body.clone());
                let adapter = source::by_name(platform.source()).unwrap();
                let documents = Documents::only(document);
                let limits = Limits { max_items: 100_000 };
                let Ok(snapshot) = adapter.parse(&documents, limits) else {
                    continue;
                };
                let one = each(adapter, &documents, limits);
                let rate = shown.body.len() as f64 / 1e6 / one.as_secs_f64();
                let (name, kb, items) =
                    (platform.name(), shown.body.len() / 1000, snapshot.incidents.len());
                println!(
                    "| {name} `{path}` | {kb} KB | {items} | {:.2} ms | {rate:.0} |",
                    one.as_secs_f64() * 1e3
                );
            }
        }
    }
}
