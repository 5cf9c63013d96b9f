//! `check --online`: every provider fetched once, with progress, and a table of what was found.

use std::collections::BTreeSet;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::examine;
use super::exit::Exit;
use super::output::{self, Paint};
use super::table::{Cell, Table, one_line};
use crate::catalog;
use crate::clock;
use crate::config::Provider;
use crate::event::Impact;
use crate::ledger::abandoned::page_silence;
use crate::poller::PollError;
use crate::poller::cycle::Examined;
use crate::poller::filters::unmatched;
use crate::redact::redact;

/// The number of pending providers named in the progress message.
const FEW: usize = 3;

/// One provider in `--json`.
#[derive(Serialize)]
struct Row {
    provider: String,
    name: String,
    readable: bool,
    source: Option<&'static str>,
    document: Option<String>,
    impact: Option<Impact>,
    open: Option<usize>,
    components: Option<usize>,
    problem: Option<String>,
    warnings: Vec<String>,
}

/// Reads every provider once and prints the results. Exits with 1 if any cannot be read.
pub(super) fn run(providers: &[Arc<Provider>], json: bool) -> anyhow::Result<Exit> {
    let progress = ProgressBar::new(providers.len() as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    progress.set_style(style);
    let mut waiting: BTreeSet<&str> =
        providers.iter().map(|provider| provider.id.as_str()).collect();
    let results = examine::all(providers, |provider| {
        waiting.remove(provider.id.as_str());
        // The last ones are the slowest.
        let few = waiting.len() <= FEW && !waiting.is_empty();
        let names: Vec<&str> = waiting.iter().copied().take(FEW).collect();
        progress.set_message(if few {
            format!("waiting for {}", names.join(", "))
        } else {
            provider.id.clone()
        });
        progress.inc(1);
    })?;
    progress.finish_and_clear();
    let rows: Vec<Row> =
        providers.iter().zip(&results).map(|(provider, result)| row(provider, result)).collect();
    let failed = rows.iter().filter(|row| !row.readable).count();
    if json {
        output::print_json(&rows)?;
    } else {
        output::print(&table(&rows))?;
        output::print(&format!("\n{} of {} can be read\n", rows.len() - failed, rows.len()))?;
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

fn row(provider: &Provider, result: &Result<Examined, PollError>) -> Row {
    let mut row = Row {
        provider: provider.id.clone(),
        name: provider.name.clone(),
        readable: result.is_ok(),
        source: None,
        document: None,
        impact: None,
        open: None,
        components: None,
        problem: None,
        warnings: Vec::new(),
    };
    match result {
        Ok(found) => {
            let snapshot = &found.snapshot;
            row.source = Some(found.source);
            row.document = Some(redact(&found.document_url));
            row.impact = Some(snapshot.impact());
            row.open = Some(snapshot.open().count());
            row.components = Some(snapshot.components.len());
            row.warnings.extend(astray(provider, found));
            row.warnings.extend(snapshot.unread_times.warning());
            row.warnings
                .extend(page_silence(snapshot, clock::now()).map(|silence| silence.sentence()));
            row.warnings.extend(
                unmatched(&provider.filter, snapshot)
                    .iter()
                    .map(|pattern| one_line(&pattern.to_string())),
            );
        }
        Err(error) => {
            row.problem = Some(one_line(&error.reason));
            let known = catalog::find(&provider.id).filter(|_| !provider.url_written);
            row.warnings.extend(known.and_then(|entry| entry.doubt()));
        }
    }
    row
}

/// Where the page is not, or is not what, it is said to be.
fn astray(provider: &Provider, found: &Examined) -> Vec<String> {
    let mut warnings = Vec::new();
    let says = if provider.url_written { "providers.yaml" } else { "the catalog" };
    if let Some(moved_to) = &found.moved_to {
        let todo = if provider.url_written {
            "please change it"
        } else {
            "name it with \"id\" and \"url\""
        };
        warnings.push(format!("the address of {says} has moved to {}: {todo}", redact(moved_to)));
    } else if found.document_url.host() != provider.url.host() {
        warnings.push(format!("the address leads to {}", redact(&found.document_url)));
    }
    if let Some(said) = provider.source.as_deref().filter(|said| *said != found.source) {
        warnings.push(format!("{says} says {said}"));
    }
    warnings
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["PROVIDER", "SOURCE", "IMPACT", "OPEN", "COMPONENTS", "RESULT"]);
    let number =
        |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    for row in rows {
        let reported: Vec<&str> =
            row.problem.iter().chain(&row.warnings).map(String::as_str).collect();
        let result = match (&row.problem, reported.is_empty()) {
            (Some(_), _) => Cell::painted(&reported.join("; "), Paint::Red),
            (None, false) => Cell::painted(&reported.join("; "), Paint::Yellow),
            (None, true) => Cell::painted("ok", Paint::Green),
        };
        table.row([
            row.provider.as_str().into(),
            row.source.unwrap_or("-").into(),
            row.impact.map_or("-", Impact::as_str).into(),
            number(row.open).as_str().into(),
            number(row.components).as_str().into(),
            result,
        ]);
    }
    table.render(output::color())
}
