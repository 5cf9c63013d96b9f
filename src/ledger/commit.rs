//! One poll's result on its way through reconciliation into the open transaction.
//!
//! Everything here runs inside a savepoint of the actor's transaction: an error takes back all of it.

use std::collections::HashSet;

use rusqlite::{Connection, named_params, params};

use super::filter::withheld;
use super::heal::{self, Healed};
use super::messages::{Checkpoint, Failed, Record, Recorded, Verdict};
use super::reconcile::{self, Context, KnownItem, Outcome, reconcile};
use super::store::{self, EventRow, ProviderState, millis};
use super::suspect;
use crate::config::{FirstRun, Provider};
use crate::event::{Component, Draft, Fingerprint, Impact, IncidentKey, Kind, Status, StatusEvent, Time, UpdateKey, event_id};
use crate::snapshot::{Incident, Listing, Snapshot};
use crate::source::Known;

type Sql<T> = rusqlite::Result<T>;

/// Stale answers in a row after which the page may be believed: it was reset, not replayed.
const STALE_BELIEVED: u32 = 5;

/// Foreign page ids in a row after which the page may be believed: it was made anew, not mixed up.
const TENANT_BELIEVED: u32 = 12;

/// So long they must have lasted, too: edges answered with old pages, and mix-ups lasted, for less than this,
/// which is many polls of an open incident.
const ODD_BELIEVED_MS: i64 = 30 * 60 * 1000;

/// The source whose one document is list and history.
const FEED: &str = "feed";

/// A listed item is marked as such once a day: often enough for retention, seldom enough to cost nothing.
const LISTED_EVERY_MS: i64 = 24 * 3600 * 1000;

/// What lives beside the database: numbers, and how often a provider has answered oddly in a row.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    /// When the first one in a row came.
    since: Option<Time>,
    pub(super) stale: u32,
    pub(super) foreign: u32,
}

/// Numbers events within a transaction.
pub(super) struct Numbering<'a> {
    pub(super) db: &'a Connection,
    /// The newest number given.
    pub(super) seq: u64,
}

impl Numbering<'_> {
    /// Stores the event of `draft` unless it is known. Returns whether it is told.
    pub(super) fn store(&mut self, provider: &Provider, source: &str, draft: Draft, reason: Option<&str>, now: Time) -> Sql<bool> {
        let id = draft.id;
        if store::knows_event(self.db, id)? {
            return Ok(false);
        }
        let seq = if reason.is_some() { 0 } else { self.seq + 1 };
        let event = number(provider, source, draft, seq, now);
        let line = serde_json::to_string(&event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let row =
            EventRow { seq, id, provider: &provider.id, kind: event.kind, impact: event.impact, observed_at: now, line: &line };
        if let Some(reason) = reason {
            store::put_filtered(self.db, &row, reason)?;
            return Ok(false);
        }
        store::put_event(self.db, &row)?;
        self.seq = seq;
        Ok(true)
    }
}

/// The one place where a draft becomes an event.
fn number(provider: &Provider, source: &str, draft: Draft, seq: u64, observed_at: Time) -> StatusEvent {
    StatusEvent {
        seq,
        id: draft.id.to_string(),
        kind: draft.kind,
        provider: provider.id.clone(),
        provider_name: provider.name.clone(),
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
        observed_at,
        scheduled_for: draft.scheduled_for,
        scheduled_until: draft.scheduled_until,
        backfill: draft.backfill,
    }
}

/// An incident with news, waiting for its turn.
struct Changed<'a> {
    key: IncidentKey,
    incident: &'a Incident,
    outcome: Outcome,
    /// Never seen before.
    is_new: bool,
}

/// Records one snapshot.
pub(super) fn record(numbering: &mut Numbering<'_>, oddities: &mut Oddities, message: &Record) -> Sql<Recorded> {
    let db = numbering.db;
    let provider = &message.provider;
    let now = message.observed_at;
    let snapshot = &*message.snapshot;
    let state = store::provider_state(db, &provider.id)?;

    let source = source_of(message);
    let new_source = state.source.as_deref().is_some_and(|former| former != source) && state.baseline_at.is_some();
    if let Some(verdict) = distrust(&state, oddities, snapshot, now).filter(|_| !new_source) {
        let known = known_now(db, &provider.id, &state, None)?;
        return Ok(Recorded { verdict, events: 0, active: is_active(db, &provider.id)?, known, recheck: false });
    }
    let first_run = state.baseline_at.is_none();
    let watched_since = state.baseline_at.unwrap_or(now);
    let mut changed = Vec::new();
    let merged = merge_repeated(&snapshot.incidents);
    let incidents = merged.as_deref().unwrap_or(&snapshot.incidents);
    let listed: HashSet<IncidentKey> = incidents.iter().map(|incident| IncidentKey::new(&provider.id, &incident.id)).collect();
    let mut digests = Vec::with_capacity(incidents.len());
    for incident in incidents {
        let key = IncidentKey::new(&provider.id, &incident.id);
        digests.push((incident, key, store::item_digest(db, &provider.id, key)?));
    }
    let still_listed = digests.iter().filter(|(.., digest)| digest.is_some()).count();
    let mut moved = if first_run { None } else { moved(db, &provider.id, new_source, incidents, &listed, still_listed)? };
    for (incident, key, digest) in digests {
        let (listing, history_at) = match incident.kind {
            Kind::Maintenance => (snapshot.coverage.maintenances, state.recent_maintenances_at),
            _ => (snapshot.coverage.incidents, state.recent_incidents_at),
        };
        if let Some((digest, missing, open, last_listed)) = digest
            && digest == reconcile::digest(incident)
            && open != incident.status.is_over()
        {
            if missing > 0 || now.timestamp_millis() - last_listed > LISTED_EVERY_MS {
                store::touch_item(db, &provider.id, key, now)?;
            }
            continue;
        }
        let alias = moved.as_mut().and_then(|moved| moved.matched.remove(&key));
        let (known, seen) =
            if digest.is_some() { (store::item(db, &provider.id, key)?, store::seen(db, key)?) } else { (None, Vec::new()) };
        let context = Context {
            provider: &provider.id,
            now,
            first_run: first_run.then_some(provider.settings.first_run),
            watched_since,
            // A feed shows its past from the first document on; its window only fills up later.
            first_history: listing == Listing::Recent && history_at.is_none() && source_of(message) != FEED,
            moved_after: moved.as_ref().and(state.last_success_at),
        };
        let mut outcome = reconcile(known.as_ref(), &seen, incident, context);
        if let Some(former) = alias {
            store::retire_item(db, &provider.id, former.key)?;
            outcome.item.told_status = former.item.told_status;
            outcome.item.told_impact = former.item.told_impact;
        }
        changed.push(Changed { key, incident, outcome, is_new: known.is_none() && moved.is_none() });
    }
    if first_run && provider.settings.first_run == FirstRun::Latest {
        keep_latest(&mut changed);
    } else if !first_run {
        forget_slid_in(db, message, &listed, &mut changed)?;
    }
    let mut events = tell(numbering, message, &mut changed)?;
    for Changed { key, incident, outcome, .. } in &changed {
        store::put_item(db, &provider.id, *key, &outcome.item, incident, now)?;
        for seen in &outcome.seen {
            store::put_seen(db, *key, seen, now)?;
        }
    }
    if let Some(moved) = &moved {
        // What is not listed under a new id is out of sight, not over: nothing is told of it.
        for (key, ..) in store::open_items(db, &provider.id)?.into_iter().filter(|(key, ..)| !listed.contains(key)) {
            store::retire_item(db, &provider.id, key)?;
        }
        store::forget_components(db, &provider.id)?;
        let known = incidents.len() - moved.unmatched;
        events += usize::from(tell_move(numbering, message, &state, known, moved.unmatched)?);
    }
    let (withdrawn, recheck) = missing_items(numbering, message, &listed)?;
    events += withdrawn + components(numbering, message, first_run)?;
    if state.unreachable {
        events += usize::from(reachability(numbering, provider, &state, true, None, now)?);
    }
    let verdict = match (first_run, events > 0 || !changed.is_empty()) {
        (true, _) => Verdict::Baseline,
        (false, true) => Verdict::Changed,
        (false, false) => Verdict::Same,
    };
    put_success(db, message, &state, verdict != Verdict::Same)?;
    suspect::count(db, message)?;
    let mut known = known_now(db, &provider.id, &state, snapshot.page.version.filter(|_| message.complete))?;
    if recheck {
        // The details have to be read again, whatever the page's version says.
        known.version = None;
    }
    Ok(Recorded { verdict, events, active: is_active(db, &provider.id)?, known, recheck })
}

/// Whether the page has moved to another platform, and which known incidents those listed are.
fn moved(
    db: &Connection,
    provider: &str,
    new_source: bool,
    incidents: &[Incident],
    listed: &HashSet<IncidentKey>,
    still_listed: usize,
) -> Sql<Option<Healed>> {
    if new_source {
        return heal::heal(db, provider, incidents, listed).map(Some);
    }
    // The window known before is counted only where nearly nothing of this one is known: mostly it is not looked at.
    if still_listed * 5 >= listed.len() {
        return Ok(None);
    }
    let before = store::listed_items(db, provider)?.len();
    if !heal::ids_changed(listed.len(), still_listed, before) {
        return Ok(None);
    }
    let healed = heal::heal(db, provider, incidents, listed)?;
    if healed.matched.len() * 2 >= listed.len().min(before) {
        return Ok(Some(healed));
    }
    // Nothing known is left and nothing resembles it: the window has rolled on while nobody looked.
    tracing::warn!(provider, listed = listed.len(), "nothing listed before is listed any more: updates may have been missed");
    Ok(None)
}

/// One notice for the operator, with the evidence.
fn tell_move(numbering: &mut Numbering<'_>, message: &Record, state: &ProviderState, known: usize, new: usize) -> Sql<bool> {
    let provider = &message.provider;
    let (from, to) = (state.source.as_deref().unwrap_or("unknown"), source_of(message));
    numbering.db.prepare_cached("UPDATE provider SET epoch = epoch + 1 WHERE id = ?1")?.execute([&provider.id])?;
    let key = IncidentKey::new(&provider.id, "provider");
    let update = UpdateKey::change(key, "moved", &[&(state.epoch + 1).to_string()]);
    let draft = Draft {
        id: event_id(update, Kind::Provider, Fingerprint::new(Status::Reachable, "moved")),
        kind: Kind::Provider,
        incident_id: None,
        update_id: Some(format!("moved-{}", state.epoch + 1)),
        revision: 1,
        title: if from == to {
            format!("{} has new ids for everything", provider.name)
        } else {
            format!("{} has moved from {from} to {to}", provider.name)
        },
        status: Status::Reachable,
        impact: Impact::Unknown,
        previous_status: (state.outages > 0).then_some(Status::Reachable),
        previous_impact: (state.outages > 0).then_some(Impact::Unknown),
        components: Vec::new(),
        message: Some(format!(
            "Of {} incidents and maintenances listed {known} are known from before, {new} are not. Nothing told before is told again.",
            known + new
        )),
        url: message.snapshot.page.url.clone(),
        started_at: None,
        published_at: message.observed_at,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    };
    numbering.store(provider, to, draft, None, message.observed_at)
}

/// Whether the answer is someone else's or yesterday's.
fn distrust(state: &ProviderState, oddities: &mut Oddities, snapshot: &Snapshot, now: Time) -> Option<Verdict> {
    let since = *oddities.since.get_or_insert(now);
    let lately = (now - since).num_milliseconds() < ODD_BELIEVED_MS;
    if let (Some(expected), Some(found)) = (&state.page_id, &snapshot.page.id)
        && expected != found
    {
        oddities.foreign += 1;
        if lately || oddities.foreign < TENANT_BELIEVED {
            return Some(Verdict::WrongTenant { expected: expected.clone(), found: found.clone() });
        }
    } else if snapshot.page.version.is_some() && snapshot.page.version < state.page_version {
        oddities.stale += 1;
        if lately || oddities.stale < STALE_BELIEVED {
            return Some(Verdict::Stale);
        }
    }
    *oddities = Oddities::default();
    None
}

/// A document that lists one incident twice: its updates are united under the first.
fn merge_repeated(incidents: &[Incident]) -> Option<Vec<Incident>> {
    let mut ids = HashSet::new();
    if incidents.iter().all(|incident| ids.insert(&incident.id)) {
        return None;
    }
    let mut merged: Vec<Incident> = Vec::with_capacity(incidents.len());
    let mut places = std::collections::HashMap::new();
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

/// First run `latest`: of all incidents the one update published last.
fn keep_latest(changed: &mut [Changed<'_>]) {
    let newest =
        changed.iter().flat_map(|changed| &changed.outcome.news).max_by_key(|draft| draft.published_at).map(|draft| draft.id);
    for changed in changed {
        changed.outcome.news.retain(|draft| Some(draft.id) == newest);
    }
}

/// When one of the newest is taken off a list of fixed length, an older one comes back at its far end. Such are remembered
/// and not told: at most as many as were taken off, all over, all from before we watched, all older than what we knew.
fn forget_slid_in(db: &Connection, message: &Record, listed: &HashSet<IncidentKey>, changed: &mut [Changed<'_>]) -> Sql<()> {
    let (provider, coverage) = (&message.provider.id, &message.snapshot.coverage);
    for (kind, listing) in [(Kind::Incident, coverage.incidents), (Kind::Maintenance, coverage.maintenances)] {
        let is_past = |changed: &Changed<'_>| {
            let Outcome { item, news, .. } = &changed.outcome;
            changed.is_new && item.kind == kind && item.status.is_over() && news.iter().all(|draft| draft.backfill)
        };
        let Some(newest) =
            changed.iter().filter(|changed| is_past(changed)).filter_map(|changed| changed.outcome.item.newest_at).max()
        else {
            continue;
        };
        if listing != Listing::Recent {
            continue;
        }
        let (here, gone): (Vec<_>, Vec<_>) =
            store::newer_items(db, provider, kind, newest)?.into_iter().partition(|key| listed.contains(key));
        let past = changed.iter().filter(|changed| is_past(changed)).count();
        // Every known one that is still listed is newer, or this is no far end.
        let known = listed.len() - changed.iter().filter(|changed| changed.is_new).count();
        let of_others = message.snapshot.incidents.iter().filter(|incident| incident.kind != kind).count();
        if !here.is_empty() && past <= gone.len() && here.len() + of_others >= known {
            changed.iter_mut().filter(|changed| is_past(changed)).for_each(|changed| changed.outcome.news.clear());
        }
    }
    Ok(())
}

/// Brings the news of all incidents into the order of their times, those of one incident in its own order, and stores them.
fn tell(numbering: &mut Numbering<'_>, message: &Record, changed: &mut [Changed<'_>]) -> Sql<usize> {
    let mut order: Vec<(Time, usize, Draft)> = Vec::new();
    for (index, changed) in changed.iter_mut().enumerate() {
        let mut latest = Time::MIN_UTC;
        for draft in changed.outcome.news.drain(..) {
            latest = latest.max(draft.published_at);
            order.push((latest, index, draft));
        }
    }
    order.sort_by_key(|(at, index, _)| (*at, *index));
    let mut told = 0;
    for (_, index, mut draft) in order {
        let Some(Changed { outcome: Outcome { item, .. }, .. }) = changed.get_mut(index) else { continue };
        draft.previous_status = item.told_status;
        draft.previous_impact = item.told_impact;
        let reason = withheld(&message.provider.filter, &draft, item.told_status.is_some());
        let (status, impact) = (draft.status, draft.impact);
        let source = source_of(message);
        if numbering.store(&message.provider, source, draft, reason, message.observed_at)? {
            told += 1;
        }
        if reason.is_none() {
            item.told_status = Some(status);
            item.told_impact = Some(impact);
        }
    }
    Ok(told)
}

fn source_of(message: &Record) -> &str {
    message.checkpoint.binding.as_ref().map_or("unknown", |binding| binding.source.as_str())
}

/// Open items the snapshot does not list. Returns events told and whether something has to be looked at again.
fn missing_items(numbering: &mut Numbering<'_>, message: &Record, listed: &HashSet<IncidentKey>) -> Sql<(usize, bool)> {
    let db = numbering.db;
    let provider = &message.provider;
    let snapshot = &message.snapshot;
    let (mut events, mut recheck) = (0, false);
    for (key, kind, ..) in store::open_items(db, &provider.id)? {
        if listed.contains(&key) {
            continue;
        }
        let Some(item) = store::item(db, &provider.id, key)? else { continue };
        let missing = item.missing + 1;
        if missing < 2 {
            store::miss_item(db, &provider.id, key, missing, true, false)?;
            recheck = true;
            continue;
        }
        let listing = if kind == Kind::Maintenance { snapshot.coverage.maintenances } else { snapshot.coverage.incidents };
        let withdrawn = listing == Listing::Recent && within_window(&item, snapshot) && item.told_status.is_some();
        if withdrawn {
            events += usize::from(withdraw(numbering, message, key, &item)?);
        }
        // Gone for good or only out of sight: either way it is not open any more, and nothing is said about how it ended.
        store::miss_item(db, &provider.id, key, missing, false, withdrawn)?;
    }
    Ok((events, recheck))
}

/// Whether the item is newer than the oldest one listed, so that it would be listed if it still existed.
fn within_window(item: &KnownItem, snapshot: &Snapshot) -> bool {
    let of_kind = snapshot.incidents.iter().filter(|incident| incident.kind == item.kind);
    let newest = |incident: &Incident| {
        let updates = incident.updates.iter().filter_map(|update| update.published_at);
        updates.chain(incident.started_at).chain(incident.scheduled_for).max()
    };
    let oldest = of_kind.filter_map(newest).min();
    matches!((oldest, item.newest_at.max(item.scheduled_for)), (Some(oldest), Some(newest)) if newest > oldest)
}

fn withdraw(numbering: &mut Numbering<'_>, message: &Record, key: IncidentKey, item: &KnownItem) -> Sql<bool> {
    let update = UpdateKey::change(key, "withdrawn", &[&item.changes.to_string()]);
    let short: String = update.to_string().chars().take(12).collect();
    let draft = Draft {
        id: event_id(update, item.kind, Fingerprint::new(Status::Withdrawn, "")),
        kind: item.kind,
        incident_id: Some(item.native_id.clone()),
        update_id: Some(format!("withdrawn-{short}")),
        revision: 1,
        title: item.title.clone(),
        status: Status::Withdrawn,
        impact: item.impact,
        previous_status: item.told_status,
        previous_impact: item.told_impact,
        components: Vec::new(),
        message: None,
        url: message.snapshot.page.url.clone(),
        started_at: None,
        published_at: message.observed_at,
        scheduled_for: item.scheduled_for,
        scheduled_until: item.scheduled_until,
        backfill: false,
    };
    let reason = withheld(&message.provider.filter, &draft, true);
    numbering.store(&message.provider, source_of(message), draft, reason, message.observed_at)
}

/// Compares component states. The first sight of a component is only remembered; a missing one means nothing.
fn components(numbering: &mut Numbering<'_>, message: &Record, first_run: bool) -> Sql<usize> {
    if message.snapshot.components.is_empty() {
        return Ok(0);
    }
    let db = numbering.db;
    let provider = &message.provider;
    let now = message.observed_at;
    let mut known = store::components(db, &provider.id)?;
    let (mut events, mut changed) = (0, false);
    let mut listed = HashSet::with_capacity(message.snapshot.components.len());
    for component in &message.snapshot.components {
        let id = component_id(component);
        if !listed.insert(id.clone()) {
            // Listed twice: the first one counts, or the two would take turns.
            continue;
        }
        let (told, changes) = match known.get(&id) {
            Some(before) if before.status == component.status => continue,
            None => (None, 0),
            Some(before) if first_run => (before.told, before.changes + 1),
            Some(before) => {
                let draft = component_change(message, &id, component, before);
                let reason = withheld(&provider.filter, &draft, before.told.is_some());
                events += usize::from(numbering.store(provider, source_of(message), draft, reason, now)?);
                (if reason.is_none() { Some(component.status.into()) } else { before.told }, before.changes + 1)
            }
        };
        known.insert(id, store::KnownComponent::new(component, told, changes, now));
        changed = true;
    }
    if changed {
        store::put_components(db, &provider.id, known, &listed)?;
    }
    Ok(events)
}

/// The platform's id; where it has none, group and name.
pub(super) fn component_id(component: &Component) -> String {
    component.id.clone().unwrap_or_else(|| {
        component.group.as_ref().map_or_else(|| component.name.clone(), |group| format!("{group}/{}", component.name))
    })
}

fn component_change(message: &Record, id: &str, component: &Component, before: &store::KnownComponent) -> Draft {
    let key = IncidentKey::new(&message.provider.id, &format!("component {id}"));
    let status = Status::from(component.status);
    let update = UpdateKey::change(key, "component", &[before.status.as_str(), status.as_str(), &before.changes.to_string()]);
    let short: String = update.to_string().chars().take(12).collect();
    let told_impact = before.told.and_then(|told| told.as_str().parse::<crate::event::ComponentStatus>().ok());
    Draft {
        id: event_id(update, Kind::Component, Fingerprint::new(status, id)),
        kind: Kind::Component,
        incident_id: None,
        update_id: Some(format!("component-{short}")),
        revision: 1,
        title: component.name.clone(),
        status,
        impact: component.status.impact(),
        previous_status: before.told,
        previous_impact: told_impact.map(crate::event::ComponentStatus::impact),
        components: vec![component.clone()],
        message: None,
        url: message.snapshot.page.url.clone(),
        started_at: None,
        published_at: message.observed_at,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    }
}

/// Tells that a provider cannot be read any more, or can again.
pub(super) fn reachability(
    numbering: &mut Numbering<'_>,
    provider: &Provider,
    state: &ProviderState,
    reachable: bool,
    why: Option<String>,
    now: Time,
) -> Sql<bool> {
    let key = IncidentKey::new(&provider.id, "provider");
    let outage = if reachable { state.outages } else { state.outages + 1 };
    let status = if reachable { Status::Reachable } else { Status::Unreachable };
    let update = UpdateKey::change(key, status.as_str(), &[&outage.to_string()]);
    let previous = match (reachable, state.outages) {
        (true, _) => Some(Status::Unreachable),
        (false, 0) => None,
        (false, _) => Some(Status::Reachable),
    };
    let draft = Draft {
        id: event_id(update, Kind::Provider, Fingerprint::new(status, "")),
        kind: Kind::Provider,
        incident_id: None,
        update_id: Some(format!("{status}-{outage}")),
        revision: 1,
        title: if reachable { format!("{} can be read again", provider.name) } else { format!("{} cannot be read", provider.name) },
        status,
        impact: Impact::Unknown,
        previous_status: previous,
        previous_impact: previous.map(|_| Impact::Unknown),
        components: Vec::new(),
        message: why,
        url: state.page_url.clone().or_else(|| Some(crate::redact::redact(&provider.url))),
        started_at: None,
        published_at: now,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    };
    numbering.db.prepare_cached("UPDATE provider SET unreachable = ?2, outages = ?3 WHERE id = ?1")?.execute(params![
        provider.id,
        !reachable,
        outage
    ])?;
    numbering.store(provider, state.source.as_deref().unwrap_or("unknown"), draft, None, now)
}

fn put_success(db: &Connection, message: &Record, state: &ProviderState, changed: bool) -> Sql<()> {
    let snapshot = &message.snapshot;
    let Checkpoint { binding, validators, body_hash, next_poll_at, retry_until, .. } = &message.checkpoint;
    let now = message.observed_at;
    let first_recent = |listing: Listing, before: Option<Time>| before.or((listing == Listing::Recent).then_some(now));
    db.prepare_cached(
        "UPDATE provider SET source = :source, source_version = :version, document_url = :document, etag = :etag,
           last_modified = :modified, body_hash = :hash, next_poll_at = :next, retry_until = :retry, failures = 0,
           page_id = coalesce(:page_id, page_id), page_name = coalesce(:page_name, page_name), page_url = coalesce(:page_url, page_url),
           page_version = coalesce(:page_version, page_version),
           complete_version = coalesce(:complete_version, complete_version), impact = :impact,
           baseline_at = coalesce(baseline_at, :now), recent_incidents_at = :recent_incidents, recent_maintenances_at = :recent_maintenances,
           last_poll_at = :now, last_success_at = :now, last_change_at = iif(:changed, :now, last_change_at),
           last_outcome = iif(:changed, 'changed', 'same'), last_error = NULL, deaths = 0, quarantined_until = NULL
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": message.provider.id,
        ":source": binding.as_ref().map(|binding| &binding.source),
        ":version": binding.as_ref().map(|binding| binding.version),
        ":document": binding.as_ref().map(|binding| store::document_mark(&binding.document_url, &message.provider.url)),
        ":etag": validators.etag, ":modified": validators.last_modified,
        ":hash": body_hash.map(u128::to_be_bytes),
        ":next": millis(*next_poll_at), ":retry": millis(*retry_until),
        ":page_id": snapshot.page.id, ":page_name": snapshot.page.name, ":page_url": snapshot.page.url,
        ":page_version": millis(snapshot.page.version),
        ":complete_version": millis(snapshot.page.version.filter(|_| message.complete)),
        ":impact": snapshot.impact().as_str(),
        ":recent_incidents": millis(first_recent(snapshot.coverage.incidents, state.recent_incidents_at)),
        ":recent_maintenances": millis(first_recent(snapshot.coverage.maintenances, state.recent_maintenances_at)),
        ":changed": changed, ":now": now.timestamp_millis(),
    })?;
    Ok(())
}

/// Writes down a failed poll. The validators stay unless what was answered could not be read.
pub(super) fn fail(db: &Connection, message: &Failed) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET last_poll_at = :at, last_outcome = :kind, last_error = :reason, next_poll_at = :next, retry_until = :retry,
           failures = :failures, etag = iif(:forget, NULL, etag), last_modified = iif(:forget, NULL, last_modified),
           body_hash = iif(:forget, NULL, body_hash)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": message.provider.id, ":at": message.at.timestamp_millis(), ":kind": message.kind, ":reason": message.reason,
        ":next": message.next_poll_at.timestamp_millis(), ":retry": millis(message.retry_until), ":failures": message.failures,
        ":forget": message.forget_validators,
    })?;
    Ok(())
}

fn known_now(db: &Connection, provider: &str, state: &ProviderState, version: Option<Time>) -> Sql<Known> {
    let open = store::open_items(db, provider)?.into_iter().map(|(_, kind, id, _)| (kind, id)).collect();
    Ok(Known { open, version: version.or(state.complete_version), baseline: true })
}

/// Whether the provider has an open incident or a maintenance under way.
fn is_active(db: &Connection, provider: &str) -> Sql<bool> {
    Ok(store::open_items(db, provider)?.iter().any(|(_, kind, _, status)| keeps_active(*kind, *status)))
}

/// Whether an open item makes its provider be polled more often.
pub(super) fn keeps_active(kind: Kind, status: Status) -> bool {
    match kind {
        Kind::Maintenance => matches!(status, Status::InProgress | Status::Verifying),
        _ => true,
    }
}
