//! The pure core of the ledger: compares the stored state of one incident with a snapshot and
//! returns the new events. It depends only on its arguments. The rules come from the contract and
//! from how platforms behave in practice; each is explained where it is applied.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use super::provider_time::plausible;
use super::versions::{Former, Recognized, recognize};
use crate::config::FirstRun;
use crate::event::{
    Draft, Fingerprint, Impact, IncidentKey, Kind, Status, Time, UpdateKey, event_id, format_time,
};
use crate::snapshot::{Basis, Incident, Update, UpdateId};
use crate::text::cut;

/// Maximum size of a message in an event, in bytes. Longer texts are compared in full and truncated
/// for display.
const MAX_MESSAGE: usize = 16 * 1024;

/// The stored state of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemState {
    /// The native id.
    pub native_id: String,
    /// Incident or maintenance.
    pub kind: Kind,
    /// As last seen.
    pub title: String,
    /// As last seen.
    pub status: Status,
    /// As last seen.
    pub impact: Impact,
    /// As last seen.
    pub scheduled_for: Option<Time>,
    /// As last seen.
    pub scheduled_until: Option<Time>,
    /// Digest of all fields: an equal digest means nothing is new.
    pub digest: u128,
    /// The newest time of any of its updates.
    pub newest_at: Option<Time>,
    /// Whether it is listed and not over.
    pub open: bool,
    /// Consecutive successful documents that should have listed it and did not.
    pub missing: u32,
    /// As last reported.
    pub emitted_status: Option<Status>,
    /// As last reported.
    pub emitted_impact: Option<Impact>,
    /// Number of changes emitted that no update announced. Part of their ids, so that each is
    /// distinct.
    pub changes: u32,
    /// The last update seen, if the document shows only the latest one.
    pub latest: Option<Latest>,
}

/// The last update seen of an incident whose document shows only the latest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The `update_id` it was emitted under.
    pub id: String,
    /// Its time.
    pub at: Option<Time>,
    /// Its latest revision.
    pub revision: u32,
}

/// A version of an update that has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenVersion {
    /// The update's key.
    pub update: UpdateKey,
    /// Fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// Its revision number.
    pub revision: u32,
    /// The platform's edit time.
    pub edited_at: Option<Time>,
}

/// Inputs to [`reconcile`] that are not part of the incident itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// When the documents were fetched.
    pub now: Time,
    /// `Some` on the provider's first successful poll: which events to emit.
    pub first_run: Option<FirstRun>,
    /// When the provider was first read. Anything published earlier is backfill.
    pub watched_since: Time,
    /// Whether the list of past incidents is read for the first time: what ended before
    /// `watched_since` is not new.
    pub first_history: bool,
    /// By position, which of the incident's updates were already reported or stored under another
    /// id of the incident. Empty if it has had only one id.
    pub reported: &'a [bool],
    /// Whether the documents are read by a different version of the source than before. A
    /// difference in a known update without a newer edit time is then a parser change, not an edit.
    pub reread: bool,
}

/// The outcome for one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// The state to store. The emitted status and impact are set once events are ordered.
    pub item: ItemState,
    /// Update versions to store.
    pub seen: Vec<SeenVersion>,
    /// New events, oldest first.
    pub drafts: Vec<Draft>,
}

/// Computes a digest of all fields of an incident. Equal digests need no further comparison.
#[must_use]
pub fn digest(incident: &Incident) -> u128 {
    let mut hasher = Xxh3::new();
    let mut put = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    put(incident.kind.as_str().as_bytes());
    put(incident.title.as_bytes());
    put(incident.status.as_str().as_bytes());
    put(incident.impact.as_str().as_bytes());
    put(incident.url.as_deref().unwrap_or_default().as_bytes());
    for time in [incident.started_at, incident.scheduled_for, incident.scheduled_until] {
        put(&time.map_or(i64::MIN, |time| time.timestamp_millis()).to_le_bytes());
    }
    for component in &incident.components {
        put(component.name.as_bytes());
        put(component.status.as_str().as_bytes());
    }
    for update in &incident.updates {
        match &update.id {
            UpdateId::Native(id) => put(id.as_bytes()),
            UpdateId::Timed(time, ordinal) => {
                put(&time.timestamp_millis().to_le_bytes());
                put(&ordinal.to_le_bytes());
            }
            UpdateId::Content => put(b"content"),
            UpdateId::Latest => put(b"latest"),
        }
        put(update.status.as_str().as_bytes());
        put(update.text.as_bytes());
        for time in [update.published_at, update.edited_at] {
            put(&time.map_or(i64::MIN, |time| time.timestamp_millis()).to_le_bytes());
        }
    }
    hasher.digest128()
}

/// Compares an incident with its stored state.
#[must_use]
pub fn reconcile(
    known: Option<&ItemState>,
    seen: &[SeenVersion],
    incident: &Incident,
    context: Context<'_>,
) -> Reconciled {
    let key = IncidentKey::new(context.provider, &incident.id);
    let mut outcome = Reconciled {
        item: remember(known, incident, context.now),
        seen: Vec::new(),
        drafts: Vec::new(),
    };
    for (place, update) in incident.updates.iter().enumerate() {
        if context.reported.get(place) == Some(&true) {
            remember_update(&mut outcome, key, seen, update);
        } else {
            judge_update(&mut outcome, known, key, seen, incident, update, context);
        }
    }
    conclude(&mut outcome, known, key, incident, context);
    keep_end(&mut outcome, known, incident);
    match (known, context.first_run) {
        (_, Some(first_run)) => {
            outcome.drafts = first_run_drafts(outcome.drafts, key, incident, first_run, context);
        }
        (None, None) => {
            if outcome.drafts.is_empty()
                && incident.updates.is_empty()
                && !is_past(incident, context)
            {
                outcome.drafts.push(change(key, incident, "opened", &[], context));
            }
            if context.first_history && incident.status.is_over() {
                outcome.drafts.retain(|draft| !draft.backfill);
            }
        }
        (Some(known), None) => {
            if outcome.drafts.is_empty() {
                let draft = back_from_its_end(&mut outcome.item, known, key, incident, context)
                    .or_else(|| silent_change(&mut outcome.item, known, key, incident, context));
                outcome.drafts.extend(draft);
            }
            keep_impact(&mut outcome, known, incident);
        }
    }
    outcome
}

/// Keeps the last known impact of an incident that is over, because many documents stop stating it
/// then. The digest remains that of the document, and no identity depends on the impact.
fn keep_impact(outcome: &mut Reconciled, known: &ItemState, incident: &Incident) {
    if incident.status.is_over() && incident.impact == Impact::Unknown {
        outcome.item.impact = known.impact;
        outcome.drafts.iter_mut().for_each(|draft| draft.impact = known.impact);
    }
}

/// Adds the end of an incident or the start of a maintenance where no update states it.
///
/// Not every platform gives its updates a status. If the newest update is new, it takes the
/// incident's status; if it is not, or was only edited, the change becomes an event of its own. The
/// update's identity is unchanged, so nothing is emitted twice when the next update follows.
fn conclude(
    outcome: &mut Reconciled,
    known: Option<&ItemState>,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) {
    let changed = known.is_some_and(|known| known.status != incident.status)
        && incident.status != Status::Update;
    let newest = incident.updates.last().map(|update| recognize(key, update).shown);
    let over = incident.status.is_over();
    let ended = over && known.is_some_and(|known| !known.status.is_over());
    let announced = |status: Status| matches!(status, Status::Scheduled | Status::Update);
    let begun =
        incident.status == Status::InProgress && known.is_none_or(|known| announced(known.status));
    let says_so = outcome
        .drafts
        .iter()
        .any(|draft| if over { draft.status.is_over() } else { draft.status == incident.status });
    let Some(last) = outcome.drafts.last_mut() else {
        return;
    };
    let says_nothing = last.status == Status::Update
        || (over && !last.status.is_over())
        || (begun && announced(last.status));
    if last.revision == 1 && last.update_id == newest && (over || changed || begun) {
        if says_nothing {
            last.status = incident.status;
        }
    } else if (ended || (begun && known.is_some())) && !says_so {
        let from = known.map_or("", |known| known.status.as_str());
        let count = outcome.item.changes.to_string();
        outcome.drafts.push(change(
            key,
            incident,
            "status",
            &[from, incident.status.as_str(), &count],
            context,
        ));
        outcome.item.changes += 1;
    }
}

/// Keeps an incident that is over from being reopened: an edit of an old update, or an update added
/// after the end, carries the final status.
fn keep_end(outcome: &mut Reconciled, known: Option<&ItemState>, incident: &Incident) {
    let ended = incident.status.is_over() && known.is_some_and(|known| known.status.is_over());
    let reopening = outcome.drafts.iter_mut().filter(|draft| ended && !draft.status.is_over());
    reopening.for_each(|draft| draft.status = incident.status);
}

/// Whether an incident without updates was already over before the provider was watched, and
/// therefore is not new.
fn is_past(incident: &Incident, context: Context<'_>) -> bool {
    incident.status.is_over() && context.first_history
}

/// Returns the newest time of any of its updates that is not in the future.
fn newest_time(incident: &Incident, now: Time) -> Option<Time> {
    let times = incident.updates.iter().flat_map(|update| [update.published_at, update.edited_at]);
    times.filter_map(|time| plausible(time, now)).max()
}

/// Returns the state to store after this poll.
fn remember(known: Option<&ItemState>, incident: &Incident, now: Time) -> ItemState {
    ItemState {
        native_id: incident.id.clone(),
        kind: incident.kind,
        title: incident.title.clone(),
        status: incident.status,
        impact: incident.impact,
        scheduled_for: incident.scheduled_for,
        scheduled_until: incident.scheduled_until,
        digest: digest(incident),
        newest_at: newest_time(incident, now)
            .max(known.and_then(|known| plausible(known.newest_at, now))),
        open: !incident.status.is_over(),
        missing: 0,
        emitted_status: known.and_then(|known| known.emitted_status),
        emitted_impact: known.and_then(|known| known.emitted_impact),
        changes: known.map_or(0, |known| known.changes),
        latest: known.and_then(|known| known.latest.clone()),
    }
}

/// Stores an update that is already known under another id of its incident, without an event.
fn remember_update(
    outcome: &mut Reconciled,
    key: IncidentKey,
    seen: &[SeenVersion],
    update: &Update,
) {
    let Recognized { key: update_key, shown: id, fingerprint } = recognize(key, update);
    let versions = || seen.iter().chain(&outcome.seen).filter(|seen| seen.update == update_key);
    if versions().any(|seen| seen.fingerprint == fingerprint) {
        return;
    }
    let revision = versions().map(|seen| seen.revision).max().unwrap_or(0) + 1;
    let edited_at = update.edited_at;
    outcome.seen.push(SeenVersion { update: update_key, fingerprint, revision, edited_at });
    if update.id == UpdateId::Latest {
        outcome.item.latest = Some(Latest { id, at: update.published_at, revision: 1 });
    }
}

/// Returns the key and fingerprint of an update as currently listed.
pub(super) fn version(key: IncidentKey, update: &Update) -> (UpdateKey, Fingerprint) {
    let Recognized { key, fingerprint, .. } = recognize(key, update);
    (key, fingerprint)
}

fn judge_update(
    outcome: &mut Reconciled,
    known: Option<&ItemState>,
    key: IncidentKey,
    seen: &[SeenVersion],
    incident: &Incident,
    update: &Update,
    context: Context<'_>,
) {
    let Recognized { key: update_key, shown, fingerprint } = recognize(key, update);
    let versions = || seen.iter().chain(&outcome.seen).filter(|seen| seen.update == update_key);
    if versions().any(|seen| seen.fingerprint == fingerprint) {
        return;
    }
    let edited_at = update.edited_at;
    // A changed title is a real change, not a parser difference.
    let context = Context {
        reread: context.reread && known.is_none_or(|known| known.title == incident.title),
        ..context
    };
    let latest = versions().map(|seen| seen.revision).max();
    let last_edit = versions().filter_map(|seen| plausible(seen.edited_at, context.now)).max();
    if !seen.is_empty() {
        let former = Former::of(key, update, context.reread);
        let known = former.known(seen).map(|seen| seen.revision);
        let dated = last_edit.is_some() && edited_at > last_edit;
        let reread = latest.filter(|_| context.reread && !dated);
        if let Some(revision) = known.or(reread) {
            outcome.seen.push(SeenVersion { update: update_key, fingerprint, revision, edited_at });
            return;
        }
        if let UpdateId::Timed(at, _) = update.id
            && was_moved(key, seen, incident, at, |print| {
                print == fingerprint || former.contains(print)
            })
        {
            let revision = latest.unwrap_or(0) + 1;
            outcome.seen.push(SeenVersion { update: update_key, fingerprint, revision, edited_at });
            return;
        }
    }
    // An edit time in the future must not make every later edit look stale.
    let mut late = versions()
        .any(|seen| edited_at.is_some() && plausible(seen.edited_at, context.now) > edited_at);
    let mut revision = latest.unwrap_or(0) + 1;
    let mut emitted_id = shown;
    if update.id == UpdateId::Latest {
        // The document shows one update per incident: its time distinguishes a new update from an
        // edit.
        let at = update.published_at;
        match &outcome.item.latest {
            Some(last) if at.is_some() && plausible(last.at, context.now) > at => late = true,
            Some(last) if at == last.at || at.is_none() => {
                late |= context.reread;
                revision = last.revision + u32::from(!context.reread);
                emitted_id.clone_from(&last.id);
                outcome.item.latest = Some(Latest { revision, ..last.clone() });
            }
            _ => outcome.item.latest = Some(Latest { id: emitted_id.clone(), at, revision }),
        }
    }
    outcome.seen.push(SeenVersion { update: update_key, fingerprint, revision, edited_at });
    if late {
        // An older text than the stored one comes from a stale replica, or from a parser change.
        // Store it without an event.
        return;
    }
    outcome.drafts.push(Draft {
        revision,
        update_id: Some(emitted_id),
        status: update.status,
        message: Some(cut(&update.text, MAX_MESSAGE).into_owned()).filter(|text| !text.is_empty()),
        published_at: update.published_at.unwrap_or(context.now),
        backfill: update
            .published_at
            .is_some_and(|at| latest_possible(update, at) < context.watched_since),
        id: event_id(update_key, incident.kind, fingerprint),
        ..draft(incident, context)
    });
}

/// Whether an update identified by its time is a known one at a different time or position: the
/// same text was seen at a time at which the document has no update any more, or at another
/// position of the same time that has a different text now.
fn was_moved(
    key: IncidentKey,
    seen: &[SeenVersion],
    incident: &Incident,
    at: Time,
    same_words: impl Fn(Fingerprint) -> bool,
) -> bool {
    let mut same = seen.iter().filter(|seen| same_words(seen.fingerprint)).peekable();
    if same.peek().is_none() {
        return false;
    }
    let listed: HashMap<UpdateKey, (bool, Fingerprint)> = incident
        .updates
        .iter()
        .map(|update| {
            let beside = matches!(update.id, UpdateId::Timed(time, _) if time == at);
            let Recognized { key, fingerprint, .. } = recognize(key, update);
            (key, (beside, fingerprint))
        })
        .collect();
    same.any(|seen| match listed.get(&seen.update) {
        None => true,
        Some((beside, now)) => *beside && !same_words(*now),
    })
}

/// Returns the latest instant the update's time can mean: feeds that give only minutes mean any
/// second within the minute.
fn latest_possible(update: &Update, at: Time) -> Time {
    let minute_only =
        matches!(update.id, UpdateId::Timed(..)) && at.timestamp_millis() % 60_000 == 0;
    if minute_only { at + chrono::Duration::seconds(59) } else { at }
}

/// Returns a draft with the fields that all updates of the incident share.
fn draft(incident: &Incident, context: Context<'_>) -> Draft {
    let id = crate::event::EventId([0; 16]);
    Draft {
        incident_id: Some(incident.id.clone()),
        impact: incident.impact,
        components: incident.components.clone(),
        url: incident.url.clone(),
        started_at: incident.started_at,
        scheduled_for: incident.scheduled_for,
        scheduled_until: incident.scheduled_until,
        ..Draft::new(id, incident.kind, incident.title.clone(), incident.status, context.now)
    }
}

/// Returns an event for a change that no update announced.
fn change(
    key: IncidentKey,
    incident: &Incident,
    what: &str,
    parts: &[&str],
    context: Context<'_>,
) -> Draft {
    let opened = what == "opened";
    let update = UpdateKey::change(key, what, parts);
    let fingerprint = Fingerprint::new(incident.status, what);
    let published_at =
        if opened { incident.started_at.unwrap_or(context.now) } else { context.now };
    Draft {
        id: event_id(update, incident.kind, fingerprint),
        update_id: Some(update.shown(what)),
        published_at,
        backfill: published_at < context.watched_since,
        recurs: !opened,
        ..draft(incident, context)
    }
}

/// Returns an event that reopens an incident whose end was reported because it had left a complete
/// list, and which is listed again.
fn back_from_its_end(
    item: &mut ItemState,
    known: &ItemState,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) -> Option<Draft> {
    let ended = known.emitted_status.filter(|emitted| {
        matches!(emitted, Status::Resolved | Status::Completed)
            && !known.open
            && !known.status.is_over()
            && !incident.status.is_over()
    })?;
    let parts = [ended.as_str(), incident.status.as_str(), &known.changes.to_string()];
    item.changes += 1;
    Some(change(key, incident, "status", &parts, context))
}

/// Returns an event for a status, impact or maintenance window that changed without a new update.
/// Titles and components change often without significance: they are stored and shown with the next
/// event.
fn silent_change(
    item: &mut ItemState,
    known: &ItemState,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) -> Option<Draft> {
    let (newest, before) =
        (newest_time(incident, context.now), plausible(known.newest_at, context.now));
    if let (Some(newest), Some(before)) = (newest, before)
        && newest < before
    {
        // The newest update is missing: it was deleted, or a stale replica answered. Neither is a
        // new event.
        item.status = known.status;
        item.impact = known.impact;
        item.open = known.open;
        return None;
    }
    if context.reread
        && newest <= before
        && known.title == incident.title
        && (known.status == Status::Update
            || known.status.is_over()
            || known.status == incident.status)
    {
        // A newer parser extracts more from the same content: correct the stored state without an
        // event.
        return None;
    }
    let count = known.changes.to_string();
    let window = |item: &ItemState| (item.scheduled_for, item.scheduled_until);
    let moved = window(known) != window(item)
        && known.scheduled_for.is_some()
        && item.scheduled_for.is_some();
    let draft = if known.status != incident.status && incident.status != Status::Update {
        change(
            key,
            incident,
            "status",
            &[known.status.as_str(), incident.status.as_str(), &count],
            context,
        )
    } else if known.impact != incident.impact
        && incident.impact != Impact::Unknown
        && known.impact != Impact::Unknown
    {
        change(
            key,
            incident,
            "impact",
            &[known.impact.as_str(), incident.impact.as_str(), &count],
            context,
        )
    } else if moved && !incident.status.is_over() {
        let times = [incident.scheduled_for, incident.scheduled_until]
            .map(|time| time.map(format_time).unwrap_or_default());
        change(key, incident, "window", &[&times[0], &times[1], &count], context)
    } else {
        return None;
    };
    item.changes += 1;
    Some(draft)
}

/// Selects the events to emit at the provider's first successful poll. The caller applies
/// [`FirstRun::Latest`] across all incidents.
fn first_run_drafts(
    mut drafts: Vec<Draft>,
    key: IncidentKey,
    incident: &Incident,
    first_run: FirstRun,
    context: Context<'_>,
) -> Vec<Draft> {
    for draft in &mut drafts {
        draft.backfill = true;
    }
    match first_run {
        FirstRun::None => Vec::new(),
        FirstRun::All => drafts,
        FirstRun::Latest => drafts.pop().into_iter().collect(),
        FirstRun::Active => {
            // Announced maintenances are shown by `status`; pages list dozens of them. A listed
            // item is open unless its status says it is over; only a feed item without a status is
            // ambiguous, and is treated as past.
            if incident.status.is_over()
                || incident.status == Status::Scheduled
                || incident.basis == Basis::Silent
            {
                return Vec::new();
            }
            let newest = drafts.pop().unwrap_or_else(|| Draft {
                backfill: true,
                ..change(key, incident, "opened", &[], context)
            });
            vec![newest]
        }
    }
}
