//! Judges the listed updates of an incident: new, revised, or known in another form.

use std::collections::HashMap;

use super::changes::draft;
use super::state::{ItemState, Latest, SeenVersion};
use super::{Context, Reconciled};
use crate::event::{Draft, Fingerprint, IncidentKey, Time, UpdateKey, event_id};
use crate::ledger::provider_time::plausible;
use crate::ledger::versions::{Former, Recognized, recognize};
use crate::snapshot::{Incident, Update, UpdateId};
use crate::text::cut;

/// Maximum size of a message in an event, in bytes. Longer texts are compared in full and truncated
/// for display.
const MAX_MESSAGE: usize = 16 * 1024;

/// Stores an update that is already known under another id of its incident, without an event.
pub(super) fn remember_update(
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
pub(in crate::ledger) fn version(key: IncidentKey, update: &Update) -> (UpdateKey, Fingerprint) {
    let Recognized { key, fingerprint, .. } = recognize(key, update);
    (key, fingerprint)
}

/// Adds the version and the event of an update, unless both are known.
pub(super) fn judge_update(
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
        status: update.status.into(),
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
            let same_time = matches!(update.id, UpdateId::Timed(time, _) if time == at);
            let Recognized { key, fingerprint, .. } = recognize(key, update);
            (key, (same_time, fingerprint))
        })
        .collect();
    same.any(|seen| match listed.get(&seen.update) {
        None => true,
        Some((same_time, now)) => *same_time && !same_words(*now),
    })
}

/// Returns the latest instant the update's time can mean: feeds that give only minutes mean any
/// second within the minute.
fn latest_possible(update: &Update, at: Time) -> Time {
    let minute_only =
        matches!(update.id, UpdateId::Timed(..)) && at.timestamp_millis() % 60_000 == 0;
    if minute_only { at + chrono::Duration::seconds(59) } else { at }
}
