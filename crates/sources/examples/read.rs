//! Reads a page that was saved to a file: `cargo run -p statuswatch-sources --example read FILE URL`.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use statuswatch_model::document::Document;
use statuswatch_sources::detect::{Verdict, judge};
use statuswatch_sources::{Documents, Limits, by_name};
use url::Url;

fn main() -> Result<(), Box<dyn Error>> {
    let [file, url] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "FILE URL")?;
    let url = Url::parse(&url)?;
    let document = Document::new(url.clone(), None, std::fs::read(file)?);
    let found = match judge(&url, &document) {
        Verdict::Found(found) => found,
        Verdict::No(what) => return Err(what.into()),
    };
    let source = by_name(found.source).ok_or("no such source")?;
    let snapshot = source.parse(&Documents::only(document), Limits::default())?;
    println!(
        "{}: {} incidents open, impact {}",
        found.reason,
        snapshot.open().count(),
        snapshot.impact()
    );
    Ok(())
}
