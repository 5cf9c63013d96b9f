//! The whole pipeline for untrusted bytes, from a document to the output lines, with its
//! invariants.
//!
//! Shared by the mutation tests and by the coverage-guided targets in `fuzz/`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use statuswatch::config::FirstRun;
use statuswatch::document::Document;
use statuswatch::event::{
    Component, Draft, Kind, Status, StatusEvent, Time, render_block, render_block_colored,
};
use statuswatch::ledger::reconcile::{
    Context, ItemState, Reconciled, SeenVersion, digest, reconcile,
};
use statuswatch::snapshot::{Incident, Snapshot};
use statuswatch::source::detect::detect;
use statuswatch::source::{Documents, Limits, PriorItems, SOURCES, Source};
use url::Url;

/// Longest error, rejection or reason.
const MAX_DIAGNOSTIC: usize = 4096;
/// Longest title, name or id.
const MAX_NAME: usize = 2048;
/// Longest message.
const MAX_TEXT: usize = 20 << 10;
/// The only other host that details may be on; AWS's source names it.
const ELSEWHERE: &str = "history-events-us-west-2-prod.s3.amazonaws.com";
/// Maximum growth: bytes of the event log per byte of the documents, in addition to a constant per
/// line.
const MAX_GROWTH: usize = 64;

/// Returns the time at which everything is read.
fn now() -> Time {
    Time::from_timestamp_millis(1_790_000_000_000).unwrap_or_default()
}

/// What the ledger knows after a first document.
#[derive(Default)]
pub(crate) struct Before {
    items: Vec<(ItemState, Vec<SeenVersion>)>,
    known: PriorItems,
}

/// Detects the document with every source and through the search for an address.
pub(crate) fn detect_document(document: &Document) {
    drop(format!("{:?}", document.shape()));
    harmless(
        "text of a document",
        &statuswatch::text::one_line(&document.text(), 200),
        false,
        MAX_NAME,
    );
    for source in SOURCES {
        if let Some(reason) = source.detect(document) {
            diagnostic("how it was detected", &reason);
        }
        for url in source.locate(&document.url) {
            assert!(
                matches!(url.scheme(), "http" | "https"),
                "{} would look at {url}",
                source.name()
            );
        }
    }
    let page = document.url.clone();
    let mut asked = 0;
    let answer = at_once(detect(&page, |url, _| {
        asked += 1;
        assert!(matches!(url.scheme(), "http" | "https"), "recognition would look at {url}");
        // Only the address itself serves the document.
        std::future::ready(if url == page {
            Ok(document.clone())
        } else {
            Err("404 Not Found".to_owned())
        })
    }));
    assert!(asked <= 64, "{asked} requests to detect one page");
    match answer {
        Ok(found) => diagnostic("how it was found", &found.reason),
        Err(not_found) => {
            diagnostic("why nothing was found", &not_found.reason.unwrap_or_default());
        }
    }
}

/// Parses the documents with `source` and checks the output. Returns what the ledger would know
/// then.
pub(crate) fn walk(source: &dyn Source, documents: &Documents, before: &Before) -> Option<Before> {
    let bytes = documents.first.body.len()
        + documents.details.iter().map(|(_, detail)| detail.body.len()).sum::<usize>();
    let snapshot = match source.parse(documents, Limits::default()) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            diagnostic("why it was not read", &error.to_string());
            return None;
        }
    };
    for detail in source.details(&documents.first, &snapshot, &before.known) {
        assert!(
            matches!(detail.url.scheme(), "http" | "https"),
            "a detail would be asked of {}",
            detail.url
        );
        let host = detail.url.host_str();
        assert!(
            host == documents.first.url.host_str() || host == Some(ELSEWHERE),
            "a document led to another host"
        );
    }
    check(&snapshot, bytes);
    let mut after = Before::default();
    for incident in &snapshot.incidents {
        assert_eq!(digest(incident), digest(&incident.clone()));
        let known = before.items.iter().find(|(item, _)| item.native_id == incident.id);
        for (first_run, first_history) in [(Some(FirstRun::All), true), (None, false)] {
            let context = Context {
                provider: "acme",
                now: now(),
                first_run,
                watched_since: now(),
                first_history,
                reported: &[],
                reread: false,
            };
            let seen = known.map_or(&[][..], |(_, seen)| seen);
            let Reconciled { item, seen: new, drafts } =
                reconcile(known.map(|(item, _)| item), seen, incident, context);
            for draft in drafts {
                shown(&event(draft, source.name()), bytes);
            }
            if first_run.is_none() {
                // Reported updates are not reported again.
                let again = reconcile(Some(&item), &[seen, &new].concat(), incident, context);
                let reported: Vec<_> =
                    again.drafts.iter().map(|draft| (&draft.update_id, draft.revision)).collect();
                assert!(reported.is_empty(), "reported again: {reported:?}");
                after.known.open.extend(item.open.then(|| (item.kind, item.native_id.clone())));
                after.items.push((item, new));
            }
        }
    }
    for component in &snapshot.components {
        shown(&event(of_component(component), source.name()), bytes);
    }
    after.known.version = snapshot.page.version;
    after.known.baseline = true;
    Some(after)
}

/// Checks everything in a snapshot that may be displayed.
fn check(snapshot: &Snapshot, bytes: usize) {
    for text in [&snapshot.page.id, &snapshot.page.name, &snapshot.page.url].into_iter().flatten() {
        harmless("page", text, false, 4 * MAX_NAME);
    }
    for rejected in &snapshot.rejected {
        diagnostic("rejected", rejected);
    }
    for component in &snapshot.components {
        check_component(component);
    }
    for incident in &snapshot.incidents {
        check_incident(incident, bytes);
    }
}

fn check_component(component: &Component) {
    harmless("component", &component.name, false, MAX_NAME);
    for text in [&component.id, &component.group].into_iter().flatten() {
        harmless("component", text, false, MAX_NAME);
    }
}

fn check_incident(incident: &Incident, bytes: usize) {
    assert!(!incident.id.is_empty(), "an incident without id");
    assert!(matches!(incident.kind, Kind::Incident | Kind::Maintenance));
    harmless("incident id", &incident.id, false, MAX_NAME);
    harmless("title", &incident.title, false, MAX_NAME);
    if let Some(url) = &incident.url {
        harmless("url", url, false, 1 << 20);
        assert!(
            url.starts_with("http://") || url.starts_with("https://"),
            "a link nobody should open: {url}"
        );
    }
    incident.components.iter().for_each(check_component);
    for update in &incident.updates {
        harmless("text", &update.text, true, whole(bytes));
    }
}

/// Checks the event as every sink formats it.
fn shown(event: &StatusEvent, bytes: usize) {
    harmless("message", event.message.as_deref().unwrap_or_default(), true, MAX_TEXT);
    let line = serde_json::to_string(event).unwrap_or_else(|error| panic!("no line: {error}"));
    harmless("line of the log", &line, false, (64 << 10) + bytes.saturating_mul(MAX_GROWTH));
    let back: StatusEvent =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let block = render_block(event);
    harmless("block", &block, true, (64 << 10) + bytes.saturating_mul(MAX_GROWTH));
    let rules = block
        .lines()
        .filter(|line| line.len() == 60 && line.bytes().all(|byte| byte == b'-'))
        .count();
    assert_eq!(rules, 1, "a text passes for a frame: {block}");
    let colored = render_block_colored(event);
    assert_eq!(colored.matches('\u{1b}').count(), 2, "colour of somebody else");
    assert_eq!(back.id, event.id);
}

fn event(draft: Draft, source: &str) -> StatusEvent {
    StatusEvent {
        seq: 1,
        id: draft.id.to_string(),
        kind: draft.kind,
        provider: "acme".to_owned(),
        provider_name: "Acme Cloud".to_owned(),
        source: source.to_owned(),
        incident_id: draft.incident_id,
        update_id: draft.update_id,
        revision: draft.revision,
        title: draft.title,
        status: draft.status,
        previous_status: draft.previous_status,
        impact: draft.impact,
        previous_impact: draft.previous_impact,
        components: draft.components,
        message: draft.message,
        url: draft.url,
        started_at: draft.started_at,
        published_at: draft.published_at,
        observed_at: now(),
        scheduled_for: draft.scheduled_for,
        scheduled_until: draft.scheduled_until,
        backfill: draft.backfill,
    }
}

fn of_component(component: &Component) -> Draft {
    let id = statuswatch::event::EventId([7; 16]);
    let status = Status::from(component.status);
    Draft {
        components: vec![component.clone()],
        ..Draft::new(id, Kind::Component, component.name.clone(), status, now())
    }
}

/// Checks the functions that sanitize text, on any text.
pub(crate) fn texts(text: &str) {
    use statuswatch::text::{decode_entities, html_to_text, one_line, plain, safe};
    harmless("plain", &plain(text), true, whole(text.len()));
    harmless("one_line", &one_line(text, 200), false, MAX_NAME);
    harmless("html_to_text", &html_to_text(text), true, whole(text.len()));
    harmless("safe", &safe(text), true, usize::MAX);
    let decoded = decode_entities(text);
    assert!(
        decoded.len() <= text.len().saturating_mul(4) + 64,
        "entities grew {} bytes to {}",
        text.len(),
        decoded.len()
    );
    diagnostic(
        "title of a page",
        &statuswatch::source::support::html_title(text).unwrap_or_default(),
    );
    harmless("prose", &statuswatch::source::support::prose(text), true, whole(text.len()));
    if let Ok(url) = Url::parse(text) {
        harmless("redacted", &statuswatch::redact::redact(&url), false, MAX_NAME);
    }
}

/// Texts are not truncated: one may be as long as its decoded source.
fn whole(bytes: usize) -> usize {
    1024 + bytes.saturating_mul(4)
}

fn diagnostic(what: &str, text: &str) {
    harmless(what, text, true, MAX_DIAGNOSTIC);
}

/// Checks that a text has no control or bidirectional characters and at most `most` bytes.
fn harmless(what: &str, text: &str, lines: bool, most: usize) {
    assert!(
        text.len() <= most,
        "{what}: {} bytes, at most {most}: {:?}",
        text.len(),
        text.chars().take(200).collect::<String>()
    );
    let bad = text.chars().find(|&c| match c {
        '\n' => !lines,
        c if c.is_control() => true,
        c => matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'),
    });
    assert!(
        bad.is_none(),
        "{what} holds {bad:?}: {:?}",
        text.chars().take(300).collect::<String>()
    );
}

/// Runs a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("recognition waits for something"),
    }
}
