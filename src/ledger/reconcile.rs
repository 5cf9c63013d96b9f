//! The pure heart of the ledger: what is known of one incident and what a snapshot says of it in,
//! what is new out. Depends on its arguments alone; the rules are those of the contract and of how
//! platforms really behave, each named where it is applied.

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

/// Bytes of a message in an event. A longer text is compared whole and shown cut.
const MAX_MESSAGE: usize = 16 * 1024;

/// What the ledger remembers of an incident.
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
    /// Of everything seen: equal means nothing is new.
    pub digest: u128,
    /// The newest time any of its updates carried.
    pub newest_at: Option<Time>,
    /// Listed and not over.
    pub open: bool,
    /// Successful documents in a row that should have listed it and did not.
    pub missing: u32,
    /// As last told.
    pub emitted_status: Option<Status>,
    /// As last told.
    pub emitted_impact: Option<Impact>,
    /// Changes told that no update announced: makes their ids different.
    pub changes: u32,
    /// The update last seen, where the document shows the latest alone.
    pub latest: Option<Latest>,
}

/// The update last seen of an incident whose document shows the latest alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The `update_id` it was told under.
    pub id: String,
    /// Its time.
    pub at: Option<Time>,
    /// Its newest revision.
    pub revision: u32,
}

/// One version of an update, seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenVersion {
    /// Of the update.
    pub update: UpdateKey,
    /// What it said.
    pub fingerprint: Fingerprint,
    /// Which version that was.
    pub revision: u32,
    /// When the platform says it was edited.
    pub edited_at: Option<Time>,
}

/// What decides about one incident beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// When the documents were fetched.
    pub now: Time,
    /// `Some`: this is the provider's first good poll, told as the setting says.
    pub first_run: Option<FirstRun>,
    /// When the provider was first read: what was published before is backfill.
    pub watched_since: Time,
    /// The list of past incidents is read for the first time: what ended before `watched_since` is
    /// not news.
    pub first_history: bool,
    /// Which of the incident's updates, by their place, were reported or remembered under another id
    /// of it; none where it has had but one.
    pub reported: &'a [bool],
    /// The documents are read by another version of the source than before: what differs in a known
    /// update, and is not dated as an edit, was read anew and not written anew.
    pub reread: bool,
}

/// What became of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// To be stored; what was told is filled in once events are in order.
    pub item: ItemState,
    /// Versions to be remembered.
    pub seen: Vec<SeenVersion>,
    /// What is new, oldest first.
    pub drafts: Vec<Draft>,
}

/// A digest of everything an incident says: equal digests need no further look.
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

/// Compares one incident with what is known of it.
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

/// Many documents do not say any more how bad an incident was once it is over: then it was as bad
/// as it was last known to be. The digest stays that of the document, and no identity depends on
/// the impact.
fn keep_impact(outcome: &mut Reconciled, known: &ItemState, incident: &Incident) {
    if incident.status.is_over() && incident.impact == Impact::Unknown {
        outcome.item.impact = known.impact;
        outcome.drafts.iter_mut().for_each(|draft| draft.impact = known.impact);
    }
}

/// Not every platform gives its updates a status: that an incident is over, or a maintenance has
/// begun, may stand beside them. Then its newest update, if it is news, says so; if it is not, or
/// was only edited, that is told by itself. The words an update is recognised by stay its own, so that nothing is told again
/// when the next one follows.
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

/// What is told of an incident after its end does not reopen it: an edit of an old update, or one
/// that was added behind the end, carries the end as its status.
fn keep_end(outcome: &mut Reconciled, known: Option<&ItemState>, incident: &Incident) {
    let ended = incident.status.is_over() && known.is_some_and(|known| known.status.is_over());
    let reopening = outcome.drafts.iter_mut().filter(|draft| ended && !draft.status.is_over());
    reopening.for_each(|draft| draft.status = incident.status);
}

/// Whether an incident without any update is over or only announced before we watched: not news.
fn is_past(incident: &Incident, context: Context<'_>) -> bool {
    incident.status.is_over() && context.first_history
}

/// The newest time that any of its updates carries and that is not in the future.
fn newest_time(incident: &Incident, now: Time) -> Option<Time> {
    let times = incident.updates.iter().flat_map(|update| [update.published_at, update.edited_at]);
    times.filter_map(|time| plausible(time, now)).max()
}

/// What will be known of the incident after this poll.
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

/// An update that is known from another id of its incident: not news under this one.
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

/// Key and fingerprint of the version of an update that is listed now.
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
    // Another title is more than another reading.
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
    // A time in the future that was believed once would make every later edit a stale one.
    let mut late = versions()
        .any(|seen| edited_at.is_some() && plausible(seen.edited_at, context.now) > edited_at);
    let mut revision = latest.unwrap_or(0) + 1;
    let mut emitted_id = shown;
    if update.id == UpdateId::Latest {
        // The document shows one update an incident: time tells a new one from an edit of the last.
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
        // An older text than the one known: a stale replica answered; or one that was read anew.
        // Remembered, never told.
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

/// Whether an update that is recognised by its time is a known one under another time or place: the
/// same words were seen at a time at which the document has no update any more, or at another place
/// of the same time at which it has other words now.
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

/// Feeds that give an update's minute alone mean any moment of it.
fn latest_possible(update: &Update, at: Time) -> Time {
    let minute_only =
        matches!(update.id, UpdateId::Timed(..)) && at.timestamp_millis() % 60_000 == 0;
    if minute_only { at + chrono::Duration::seconds(59) } else { at }
}

/// The part of an event that the incident gives to each of its updates.
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

/// An event for a change that no update announced.
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

/// The end was reported because the incident had left a list that is whole; now it is listed again.
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

/// A status, impact or window that changed alone. The title and the components change by the
/// hundred without meaning anything: they are stored and shown with the next event.
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
        // The newest update is missing: deleted, or a stale replica. Neither is news.
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
        // A newer parser understands more of what was there before: put right without an event.
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

/// What is told of an incident at the provider's first good poll. [`FirstRun::Latest`] is settled
/// over all incidents by the caller.
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
            // A maintenance that is only announced is shown by `status`; pages list them by the
            // dozen. What is listed is open unless its status says that it is over: only a feed
            // item that names no status may be anything, and is taken for past.
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
