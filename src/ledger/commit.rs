//! Judges one poll result: whether it is accepted, what is new in it, and what is recorded of it.
//!
//! Everything here happens within one transaction and may happen twice: an error rolls back all of
//! it. It depends only on the result and the book.

use super::absence::missing_items;
use super::anomalies::{self, Anomaly, detect_anomaly};
use super::book::{Book, Change, Rejected, Success};
use super::changed::{incidents, merge_repeated};
use super::components::components;
use super::error::Result;
use super::known::Open;
use super::messages::{Record, Recorded, Verdict};
use super::min_duration;
use super::poll::Poll;
use super::post_commit::{PostCommit, Warning};
use super::provider_events::{emit_move, reachability};
use super::provider_time::plausible;
use super::rematch::{self, Listed, Rematch};
use super::staleness;
use super::vanished;
use super::windows;
use crate::event::{IncidentStatus, Kind, Time};
use crate::snapshot::Listing;
use crate::source::PriorItems;

/// Records one snapshot.
pub(super) fn record(
    book: &mut dyn Book,
    post_commit: &mut PostCommit,
    message: &Record,
) -> Result<Recorded> {
    let message = &*message.settled();
    let state = &book.state()?;
    let poll = &Poll::of(message, state);
    if let Some(anomaly) = anomaly(book, poll)? {
        return reject(book, post_commit, poll, anomaly);
    }
    let snapshot = &*message.snapshot;
    let merged = merge_repeated(&snapshot.incidents);
    let listed = merged.as_deref().unwrap_or(&snapshot.incidents);
    let listed = &Listed::of(book, &message.provider.id, listed)?;
    let rematch = if poll.first_run {
        Rematch::default()
    } else {
        rematch::changed_ids(book, listed, poll.new_source)?
    };
    post_commit.warnings.extend(rematch.rolled_on.map(|listed| Warning::RolledOn { listed }));
    let (mut events, changed) = incidents(book, poll, listed, &rematch)?;
    if rematch.moved {
        events += record_move(book, poll, listed, &rematch)?;
    }
    let mut open = book.open_items()?;
    let (ended, mut recheck) = missing_items(book, message, &listed.set, &mut open)?;
    events += ended;
    if let Some(before) = vanished::known_before(book, message)? {
        let (gone, again) = vanished::vanished(book, message, state, &before)?;
        events += gone;
        recheck |= again;
    }
    events += record_components(book, post_commit, poll, rematch.moved)?;
    if state.unreachable {
        let now = message.observed_at;
        events += usize::from(reachability(book, &message.provider, state, true, None, now)?);
    }
    let verdict = match (poll.first_run, events > 0 || changed) {
        (true, _) => Verdict::Baseline,
        (false, true) => Verdict::Changed,
        (false, false) => Verdict::Same,
    };
    book.put(Change::Success(success(poll, verdict != Verdict::Same)))?;
    post_commit.warnings.extend(staleness::count(book, message, state.usual)?);
    if poll.first_run {
        post_commit.warnings.extend(staleness::first_look(book, message)?);
    }
    let version = plausible(snapshot.page.version, message.observed_at);
    let mut recorded = Recorded {
        events,
        recheck,
        ..recorded(poll, verdict, open, version.filter(|_| message.complete))
    };
    if recheck {
        // Force the details to be read again, whatever version the page reports.
        recorded.known.version = None;
    }
    Ok(recorded)
}

/// Returns why the result is rejected; `None` if it is accepted.
fn anomaly(book: &mut dyn Book, poll: &Poll<'_>) -> Result<Option<Anomaly>> {
    let Poll { message, state, .. } = poll;
    let found = detect_anomaly(state, &message.snapshot, message.observed_at);
    let Some(anomaly) = found.filter(|_| !poll.new_source) else {
        return Ok(None);
    };
    // A recreated page has a new id but the incidents it had before.
    let anew = anomaly.streak.foreign >= rematch::ANEW_AFTER
        && rematch::is_known_page(book, &message.provider.id, &message.snapshot.incidents)?;
    Ok(Some(anomaly).filter(|_| !anew))
}

/// Records a rejected result.
fn reject(
    book: &mut dyn Book,
    post_commit: &mut PostCommit,
    poll: &Poll<'_>,
    anomaly: Anomaly,
) -> Result<Recorded> {
    let Anomaly { streak, verdict, reason } = anomaly;
    let message = poll.message;
    let logged = anomalies::is_logged(poll.state, message.observed_at);
    book.put(Change::Rejected(Rejected { message, streak, reason: &reason, logged }))?;
    post_commit.anomaly = Some(reason.clone());
    // The poller reports a wrong-tenant response itself: it counts as a failed poll.
    post_commit
        .warnings
        .extend((logged && verdict == Verdict::Stale).then_some(Warning::Anomaly(reason)));
    let open = book.open_items()?;
    Ok(recorded(poll, verdict, open, None))
}

/// Records that all ids of the page have changed. Returns the number of events emitted.
fn record_move(
    book: &mut dyn Book,
    poll: &Poll<'_>,
    listed: &Listed<'_>,
    rematch: &Rematch,
) -> Result<usize> {
    // Items not listed under a new id are out of sight, not over: no event is emitted for them.
    for open in book.open_items()?.iter().filter(|open| !listed.set.contains(&open.key)) {
        book.put(Change::Retired(open.key))?;
    }
    let known = listed.incidents.len() - rematch.unmatched;
    emit_move(book, poll.message, poll.state, known, rematch.unmatched).map(usize::from)
}

/// Compares the components, if the list or what is held back can be news. Returns the number of
/// events emitted.
fn record_components(
    book: &mut dyn Book,
    post_commit: &mut PostCommit,
    poll: &Poll<'_>,
    moved: bool,
) -> Result<usize> {
    let Poll { message, state, first_run, .. } = poll;
    let min = message.provider.settings.min_duration;
    let due = min_duration::is_due(post_commit.held_since, min, message.observed_at);
    let compared = state.components_digest.filter(|_| !due);
    let events = components(book, message, *first_run, compared, moved)?;
    if !min.is_zero() || post_commit.held_since.is_some() {
        post_commit.held_since = book.held_since()?;
    }
    Ok(events)
}

/// Returns what an accepted result changes in its provider's state.
fn success<'a>(poll: &Poll<'a>, changed: bool) -> Success<'a> {
    let Poll { message, state, .. } = poll;
    let snapshot = &message.snapshot;
    let now = message.observed_at;
    let lists_past =
        |kind: Kind| snapshot.incidents.iter().any(|one| one.kind == kind && one.status.is_over());
    let first_recent = |listing: Listing, before: Option<Time>| {
        before.or((listing == Listing::Recent).then_some(now))
    };
    let page_version = plausible(snapshot.page.version, now);
    Success {
        message,
        changed,
        impact: staleness::impact(snapshot, state.usual, now),
        page_version,
        complete_version: page_version.filter(|_| message.complete),
        recent_incidents_at: first_recent(snapshot.coverage.incidents, state.recent_incidents_at),
        recent_maintenances_at: first_recent(
            snapshot.coverage.maintenances,
            state.recent_maintenances_at,
        ),
        lists_past_incidents: lists_past(Kind::Incident),
        lists_past_maintenances: lists_past(Kind::Maintenance),
        was_quiet: state.quiet,
    }
}

/// Returns the reply to a result without events, with what the next poll starts from.
fn recorded(poll: &Poll<'_>, verdict: Verdict, open: Vec<Open>, version: Option<Time>) -> Recorded {
    let windows = open.iter().map(|open| (open.kind, open.window.0, open.window.1));
    let window_at = windows::next(windows, poll.message.observed_at);
    let active = open.iter().any(|open| keeps_active(open.kind, open.status));
    let open = open.into_iter().map(|open| (open.kind, open.native_id)).collect();
    let version = version.or(poll.state.complete_version);
    let known = PriorItems { open, version, baseline: true };
    Recorded { verdict, events: 0, known, active, window_at, recheck: false }
}

/// Whether an open item raises its provider's poll frequency.
pub(super) fn keeps_active(kind: Kind, status: IncidentStatus) -> bool {
    match kind {
        Kind::Maintenance => {
            matches!(status, IncidentStatus::InProgress | IncidentStatus::Verifying)
        }
        _ => true,
    }
}
