//! Applies one poll result: runs reconciliation and writes the outcome to the open transaction.
//!
//! Everything here runs inside the actor's transaction and may run twice: an error rolls back all
//! of it.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::absence::missing_items;
use super::anomalies::{Anomaly, detect_anomaly};
use super::components::components;
use super::elsewhere::elsewhere;
use super::filter::suppressed_by;
use super::messages::{Record, Recorded, Verdict};
use super::min_duration;
use super::numbering::Numbering;
use super::provider_events::{emit_move, reachability};
use super::provider_time::plausible;
use super::reconcile::{self, Context, Reconciled, reconcile};
use super::rematch;
use super::sqlite::{self, ItemSummary, Open, ProviderState};
use super::staleness::{self, Warning};
use super::vanished;
use super::windows;
use crate::config::FirstRun;
use crate::event::{Draft, IncidentKey, Kind, Status, Time};
use crate::snapshot::{Incident, Listing};
use crate::source::Known;

type Sql<T> = rusqlite::Result<T>;

/// The source whose single document is both the current list and the history.
const FEED: &str = "feed";

/// How often a listed item is marked as listed: often enough for retention, rarely enough to cost
/// nothing.
const LISTED_EVERY_MS: i64 = 24 * 3600 * 1000;

/// An incident that changed, before its events are ordered and stored.
struct Changed<'a> {
    key: IncidentKey,
    incident: &'a Incident,
    outcome: Reconciled,
    /// Whether the incident was never seen before.
    is_new: bool,
    /// The key it was last listed under, if that was a different one.
    former: Option<IncidentKey>,
}

/// Side effects of a result, applied once the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct PostCommit {
    /// Why the response was rejected.
    pub(super) anomaly: Option<String>,
    pub(super) warnings: Vec<Warning>,
    /// Since when the oldest unreported component change has been held back.
    pub(super) held_since: Option<Time>,
}

/// Records one snapshot.
pub(super) fn record(
    numbering: &mut Numbering<'_>,
    post_commit: &mut PostCommit,
    message: &Record,
) -> Sql<Recorded> {
    let message = &*message.settled();
    let db = numbering.db;
    let provider = &message.provider;
    let now = message.observed_at;
    let snapshot = &*message.snapshot;
    let state = sqlite::provider_state(db, &provider.id)?;

    let source = message.source();
    let new_source = state.source.as_deref().is_some_and(|former| former != source)
        && state.baseline_at.is_some();
    let anomaly = detect_anomaly(&state, snapshot, now).filter(|_| !new_source);
    // A recreated page has a new id but the incidents it had before.
    let anew =
        anomaly.as_ref().is_some_and(|anomaly| anomaly.streak.foreign >= rematch::ANEW_AFTER)
            && rematch::is_known_page(db, &provider.id, &snapshot.incidents)?;
    if let Some(Anomaly { streak, verdict, reason }) = anomaly.filter(|_| !anew) {
        let should_log = sqlite::put_doubt(db, message, &state, streak, &reason)?;
        post_commit.anomaly = Some(reason.clone());
        // The poller reports a wrong-tenant response itself: it counts as a failed poll.
        post_commit
            .warnings
            .extend((should_log && verdict == Verdict::Stale).then_some(Warning::Anomaly(reason)));
        let open = sqlite::open_items(db, &provider.id)?;
        let window_at = window_at(&open, now);
        let (known, active) = known_now(open, &state, None);
        return Ok(Recorded { verdict, events: 0, known, active, window_at, recheck: false });
    }
    let version = message.checkpoint.binding.as_ref().map(|binding| binding.version);
    let reread = !new_source && state.source_version.is_some() && state.source_version != version;
    let first_run = state.baseline_at.is_none();
    let watched_since = state.baseline_at.unwrap_or(now);
    let mut changed = Vec::new();
    let merged = merge_repeated(&snapshot.incidents);
    let incidents = merged.as_deref().unwrap_or(&snapshot.incidents);
    let keys: Vec<_> =
        incidents.iter().map(|incident| IncidentKey::new(&provider.id, &incident.id)).collect();
    let summaries = sqlite::item_summaries(db, &provider.id, keys.iter().copied())?;
    let listed: HashSet<IncidentKey> = keys.iter().copied().collect();
    let back = summaries.iter().flatten().filter(|summary| summary.retired).count();
    let still = summaries.iter().flatten().count() - back;
    let ids = rematch::Known { listed: listed.len(), still, back };
    let rematched = if first_run {
        rematch::Rematch::default()
    } else {
        let warnings = &mut post_commit.warnings;
        rematch::changed_ids(db, &provider.id, new_source, incidents, &listed, ids, warnings)?
    };
    for ((incident, key), summary) in incidents.iter().zip(keys).zip(summaries) {
        let (listing, history_at) = match incident.kind {
            Kind::Maintenance => (snapshot.coverage.maintenances, state.recent_maintenances_at),
            _ => (snapshot.coverage.incidents, state.recent_incidents_at),
        };
        if let Some(ItemSummary { digest, missing, open, last_listed, retired: false }) = &summary
            && *digest == reconcile::digest(incident)
            && *open != incident.status.is_over()
        {
            if *missing > 0 || now.timestamp_millis() - last_listed > LISTED_EVERY_MS {
                sqlite::touch_item(db, &provider.id, key, now)?;
            }
            continue;
        }
        let (mut known, seen) = if summary.is_some() {
            (sqlite::item(db, &provider.id, key)?, sqlite::seen(db, key)?)
        } else {
            (None, Vec::new())
        };
        let matched = rematched.matched.get(&key).copied();
        let retired_at =
            summary.filter(|summary| summary.retired).map(|summary| summary.last_listed);
        let elsewhere = elsewhere(db, &provider.id, key, matched, retired_at, !new_source)?;
        let is_new = known.is_none() && elsewhere.is_none() && !rematched.moved;
        let mut reported = Vec::new();
        if let Some(elsewhere) = &elsewhere {
            reported = elsewhere.reported(key, &seen, incident);
            known = Some(elsewhere.known(known.as_ref(), incident));
        }
        let context = Context {
            provider: &provider.id,
            now,
            first_run: first_run.then_some(provider.settings.first_run),
            watched_since,
            // A feed shows its history from the first document on; its window only fills up later.
            // `first_run: all` includes everything. Whatever another platform lists that is older
            // than everything known is history too.
            first_history: provider.settings.first_run != FirstRun::All
                && (listing == Listing::Recent && history_at.is_none() && message.source() != FEED
                    || rematched.moved && rematched.is_deeper(incident)),
            reported: &reported,
            reread,
        };
        let outcome = reconcile(known.as_ref(), &seen, incident, context);
        let former = elsewhere.map(|elsewhere| elsewhere.former);
        if let Some(former) = former.filter(|former| !listed.contains(former)) {
            sqlite::retire_item(db, &provider.id, former)?;
        }
        changed.push(Changed { key, incident, outcome, is_new, former });
    }
    if first_run && provider.settings.first_run == FirstRun::Latest {
        keep_latest(&mut changed, now);
    } else if !first_run {
        suppress_resurfaced(db, message, &listed, &mut changed)?;
    }
    let mut events = emit(numbering, message, &mut changed)?;
    for Changed { key, incident, outcome, former, .. } in &changed {
        sqlite::put_item(db, &provider.id, *key, &outcome.item, incident, now)?;
        if let Some(former) = former {
            sqlite::unite(db, &provider.id, *key, *former)?;
        }
        for seen in &outcome.seen {
            sqlite::put_seen(db, *key, seen, now)?;
        }
    }
    if rematched.moved {
        // Items not listed under a new id are out of sight, not over: no event is emitted for them.
        for open in
            sqlite::open_items(db, &provider.id)?.iter().filter(|open| !listed.contains(&open.key))
        {
            sqlite::retire_item(db, &provider.id, open.key)?;
        }
        let known = incidents.len() - rematched.unmatched;
        events += usize::from(emit_move(numbering, message, &state, known, rematched.unmatched)?);
    }
    let mut open = sqlite::open_items(db, &provider.id)?;
    let (withdrawn, mut recheck) = missing_items(numbering, message, &listed, &mut open)?;
    if let Some(before) = vanished::known_before(db, message)? {
        let (gone, again) = vanished::vanished(numbering, message, &state, &before)?;
        events += gone;
        recheck |= again;
    }
    let min = provider.settings.min_duration;
    let due = min_duration::is_due(post_commit.held_since, min, now);
    let compared = state.components_digest.filter(|_| !due);
    events += withdrawn + components(numbering, message, first_run, compared, rematched.moved)?;
    if !min.is_zero() || post_commit.held_since.is_some() {
        post_commit.held_since = sqlite::provider_held_since(db, &provider.id)?;
    }
    if state.unreachable {
        events += usize::from(reachability(numbering, provider, &state, true, None, now)?);
    }
    let verdict = match (first_run, events > 0 || !changed.is_empty()) {
        (true, _) => Verdict::Baseline,
        (false, true) => Verdict::Changed,
        (false, false) => Verdict::Same,
    };
    let impact = staleness::impact(snapshot, state.usual, now);
    sqlite::put_success(db, message, &state, verdict != Verdict::Same, impact)?;
    post_commit.warnings.extend(staleness::count(db, message, state.usual)?);
    let window_at = window_at(&open, now);
    if first_run {
        post_commit.warnings.extend(staleness::first_look(db, message)?);
    }
    let (mut known, active) =
        known_now(open, &state, plausible(snapshot.page.version, now).filter(|_| message.complete));
    if recheck {
        // Force the details to be read again, whatever version the page reports.
        known.version = None;
    }
    Ok(Recorded { verdict, events, known, active, window_at, recheck })
}

/// Merges incidents that a document lists more than once; their updates are combined under the
/// first occurrence. Returns `None` if there are no duplicates.
fn merge_repeated(incidents: &[Incident]) -> Option<Vec<Incident>> {
    let mut ids = HashSet::new();
    if incidents.iter().all(|incident| ids.insert(&incident.id)) {
        return None;
    }
    let mut merged: Vec<Incident> = Vec::with_capacity(incidents.len());
    let mut places = HashMap::new();
    for incident in incidents {
        let place = places.get(&incident.id).copied();
        if let Some(first) = place.and_then(|place: usize| merged.get_mut(place)) {
            for update in &incident.updates {
                if !first.updates.contains(update) {
                    first.updates.push(update.clone());
                }
            }
            first.updates.sort_by_key(|update| update.published_at);
        } else {
            places.insert(incident.id.clone(), merged.len());
            merged.push(incident.clone());
        }
    }
    Some(merged)
}

/// Keeps only the most recently published update of all incidents (`first_run: latest`). Times in
/// the future do not count.
fn keep_latest(changed: &mut [Changed<'_>], now: Time) {
    let newest = changed
        .iter()
        .flat_map(|changed| &changed.outcome.drafts)
        .max_by_key(|draft| plausible(Some(draft.published_at), now))
        .map(|draft| draft.id);
    for changed in changed {
        changed.outcome.drafts.retain(|draft| Some(draft.id) == newest);
    }
}

/// Suppresses old items that reappear at the end of a fixed-length list after newer ones were
/// removed from it. They are stored without events if there are at most as many of them as were
/// removed, all are over, all predate our first poll, and all are older than what was known. A feed
/// item may not state its status: its position alone shows that it is past.
fn suppress_resurfaced(
    db: &Connection,
    message: &Record,
    listed: &HashSet<IncidentKey>,
    changed: &mut [Changed<'_>],
) -> Sql<()> {
    let (provider, coverage) = (&message.provider.id, &message.snapshot.coverage);
    let is_feed = message.source() == FEED;
    for (kind, listing) in
        [(Kind::Incident, coverage.incidents), (Kind::Maintenance, coverage.maintenances)]
    {
        let is_past = |changed: &Changed<'_>| {
            let Reconciled { item, drafts, .. } = &changed.outcome;
            changed.is_new
                && item.kind == kind
                && (is_feed || item.status.is_over())
                && drafts.iter().all(|draft| draft.backfill)
        };
        let Some(newest) = changed
            .iter()
            .filter(|changed| is_past(changed))
            .filter_map(|changed| changed.outcome.item.newest_at)
            .max()
        else {
            continue;
        };
        if !is_feed && listing != Listing::Recent {
            continue;
        }
        let (here, gone): (Vec<_>, Vec<_>) = sqlite::newer_items(db, provider, kind, newest)?
            .into_iter()
            .partition(|key| listed.contains(key));
        let past = changed.iter().filter(|changed| is_past(changed)).count();
        // Every known item that is still listed is newer; otherwise this is not the end of the
        // list.
        let known = listed.len() - changed.iter().filter(|changed| changed.is_new).count();
        let of_others =
            message.snapshot.incidents.iter().filter(|incident| incident.kind != kind).count();
        if !here.is_empty() && past <= gone.len() && here.len() + of_others >= known {
            changed
                .iter_mut()
                .filter(|changed| is_past(changed))
                .for_each(|changed| changed.outcome.drafts.clear());
        }
    }
    Ok(())
}

/// Stores the new events of all incidents, ordered by time; events of one incident keep their
/// order. Returns the number emitted.
fn emit(
    numbering: &mut Numbering<'_>,
    message: &Record,
    changed: &mut [Changed<'_>],
) -> Sql<usize> {
    let mut order: Vec<(Time, usize, Draft)> = Vec::new();
    for (index, changed) in changed.iter_mut().enumerate() {
        let mut latest = Time::MIN_UTC;
        for draft in changed.outcome.drafts.drain(..) {
            latest = latest.max(draft.published_at);
            order.push((latest, index, draft));
        }
    }
    order.sort_by_key(|(at, index, _)| (*at, *index));
    let mut emitted = 0;
    for (_, index, mut draft) in order {
        let Some(Changed { outcome: Reconciled { item, .. }, .. }) = changed.get_mut(index) else {
            continue;
        };
        draft.previous_status = item.emitted_status;
        draft.previous_impact = item.emitted_impact;
        let suppression =
            suppressed_by(&message.provider.filter, &draft, item.emitted_status.is_some());
        let (status, impact) = (draft.status, draft.impact);
        let source = message.source();
        if numbering.store(&message.provider, source, draft, suppression, message.observed_at)? {
            emitted += 1;
        }
        if suppression.is_none() {
            item.emitted_status = Some(status);
            item.emitted_impact = Some(impact);
        }
    }
    Ok(emitted)
}

/// Returns when the next maintenance window begins or ends.
fn window_at(open: &[Open], after: Time) -> Option<Time> {
    windows::next(open.iter().map(|open| (open.kind, open.window.0, open.window.1)), after)
}

/// Returns what the next poll starts from, and whether an incident is open or a maintenance is in
/// progress.
fn known_now(open: Vec<Open>, state: &ProviderState, version: Option<Time>) -> (Known, bool) {
    let active = open.iter().any(|open| keeps_active(open.kind, open.status));
    let open = open.into_iter().map(|open| (open.kind, open.native_id)).collect();
    (Known { open, version: version.or(state.complete_version), baseline: true }, active)
}

/// Whether an open item raises its provider's poll frequency.
pub(super) fn keeps_active(kind: Kind, status: Status) -> bool {
    match kind {
        Kind::Maintenance => matches!(status, Status::InProgress | Status::Verifying),
        _ => true,
    }
}
