//! The incidents of a poll: which of them changed, and which of their events are emitted.

use std::collections::{HashMap, HashSet};

use super::book::{Book, Change};
use super::elsewhere::elsewhere;
use super::error::Result;
use super::filter::suppressed_by;
use super::known::ItemSummary;
use super::messages::Record;
use super::poll::Poll;
use super::provider_time::plausible;
use super::reconcile::{self, Context, Reconciled, reconcile};
use super::rematch::{Listed, Rematch};
use crate::config::FirstRun;
use crate::event::{Draft, IncidentKey, Kind, Time};
use crate::snapshot::{Incident, Listing};

/// The source whose single document is both the current list and the history.
const FEED: &str = "feed";

/// How often a listed item is marked as listed: often enough for retention, rarely enough to cost
/// nothing.
const LISTED_EVERY_MS: i64 = 24 * 3600 * 1000;

/// Maximum number of former ids kept per incident. A page with new ids for each request must not
/// fill the ledger.
const FORMER_IDS: usize = 4;

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

/// Judges the listed incidents, records those that changed and emits their events. Returns the
/// number of events, and whether any incident changed.
pub(super) fn incidents(
    book: &mut dyn Book,
    poll: &Poll<'_>,
    listed: &Listed<'_>,
    rematch: &Rematch,
) -> Result<(usize, bool)> {
    let message = poll.message;
    let mut changed = compare(book, poll, listed, rematch)?;
    if !poll.first_run {
        suppress_resurfaced(book, message, &listed.set, &mut changed)?;
    } else if message.provider.settings.first_run == FirstRun::Latest {
        keep_latest(&mut changed, message.observed_at);
    }
    let events = emit(book, message, &mut changed)?;
    for changed in &changed {
        put(book, changed, message.observed_at)?;
    }
    Ok((events, !changed.is_empty()))
}

/// Returns the incidents that differ from what is known of them.
fn compare<'a>(
    book: &mut dyn Book,
    poll: &Poll<'_>,
    listed: &Listed<'a>,
    rematch: &Rematch,
) -> Result<Vec<Changed<'a>>> {
    let now = poll.message.observed_at;
    let mut changed = Vec::new();
    for (incident, key, summary) in listed.iter() {
        if let Some(summary) = summary
            && is_unchanged(summary, incident)
        {
            if summary.missing > 0 || now.timestamp_millis() - summary.last_listed > LISTED_EVERY_MS
            {
                book.put(Change::Listed { key, at: now })?;
            }
            continue;
        }
        let (mut known, seen) =
            if summary.is_some() { (book.item(key)?, book.seen(key)?) } else { (None, Vec::new()) };
        let matched = rematch.matched.get(&key).copied();
        let retired_at =
            summary.filter(|summary| summary.retired).map(|summary| summary.last_listed);
        let elsewhere = elsewhere(book, key, matched, retired_at, !poll.new_source)?;
        let is_new = known.is_none() && elsewhere.is_none() && !rematch.moved;
        let mut reported = Vec::new();
        if let Some(elsewhere) = &elsewhere {
            reported = elsewhere.reported(key, &seen, incident);
            known = Some(elsewhere.known(known.as_ref(), incident));
        }
        let context = context(poll, incident, rematch, &reported);
        let outcome = reconcile(known.as_ref(), &seen, incident, context);
        let former = elsewhere.map(|elsewhere| elsewhere.former);
        if let Some(former) = former.filter(|former| !listed.set.contains(former)) {
            book.put(Change::Retired(former))?;
        }
        changed.push(Changed { key, incident, outcome, is_new, former });
    }
    Ok(changed)
}

/// Whether an incident is listed exactly as it was, under the same id.
fn is_unchanged(summary: &ItemSummary, incident: &Incident) -> bool {
    !summary.retired
        && summary.digest == reconcile::digest(incident)
        && summary.open != incident.status.is_over()
}

/// Returns what [`reconcile`] needs besides the incident.
fn context<'a>(
    poll: &Poll<'a>,
    incident: &Incident,
    rematch: &Rematch,
    reported: &'a [bool],
) -> Context<'a> {
    let Poll { message, state, .. } = poll;
    let settings = &message.provider.settings;
    let coverage = &message.snapshot.coverage;
    let (listing, history_at) = match incident.kind {
        Kind::Maintenance => (coverage.maintenances, state.recent_maintenances_at),
        _ => (coverage.incidents, state.recent_incidents_at),
    };
    Context {
        provider: &message.provider.id,
        now: message.observed_at,
        first_run: poll.first_run.then_some(settings.first_run),
        watched_since: poll.watched_since,
        // A feed shows its history from the first document on; its window only fills up later.
        // `first_run: all` includes everything. Whatever another platform lists that is older
        // than everything known is history too.
        first_history: settings.first_run != FirstRun::All
            && (listing == Listing::Recent && history_at.is_none() && message.source() != FEED
                || rematch.moved && rematch.is_deeper(incident)),
        reported,
        reread: poll.reread,
    }
}

/// Records an incident that changed, and that it is the one of a former id.
fn put(book: &mut dyn Book, changed: &Changed<'_>, at: Time) -> Result<()> {
    let Changed { key, incident, outcome, former, .. } = changed;
    let key = *key;
    book.put(Change::Item { key, item: &outcome.item, incident, at })?;
    if let Some(former) = *former {
        book.put(Change::United { key, former })?;
        for twin in book.twins(key)?.into_iter().skip(FORMER_IDS) {
            book.put(Change::Forgotten(twin.key))?;
        }
    }
    for seen in &outcome.seen {
        book.put(Change::Seen { key, seen, at })?;
    }
    Ok(())
}

/// Merges incidents that a document lists more than once; their updates are combined under the
/// first occurrence. Returns `None` if there are no duplicates.
pub(super) fn merge_repeated(incidents: &[Incident]) -> Option<Vec<Incident>> {
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
    book: &mut dyn Book,
    message: &Record,
    listed: &HashSet<IncidentKey>,
    changed: &mut [Changed<'_>],
) -> Result<()> {
    let coverage = &message.snapshot.coverage;
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
        let (here, gone): (Vec<_>, Vec<_>) =
            book.newer_items(kind, newest)?.into_iter().partition(|key| listed.contains(key));
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
fn emit(book: &mut dyn Book, message: &Record, changed: &mut [Changed<'_>]) -> Result<usize> {
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
        emitted += usize::from(book.emit(message.event(draft, suppression))?);
        if suppression.is_none() {
            item.emitted_status = Some(status);
            item.emitted_impact = Some(impact);
        }
    }
    Ok(emitted)
}
