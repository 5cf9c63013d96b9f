//! Compares component states with the stored ones and emits the changes.

use std::collections::HashSet;

use xxhash_rust::xxh3::Xxh3;

use super::book::{Book, Change};
use super::component_state::{self, ComponentState};
use super::error::Result;
use super::filter::suppressed_by;
use super::identify::identify;
use super::messages::Record;
use super::min_duration::{self, Decision};
use super::observation::{Observation, change_of};
use crate::event::{Component, Time};

/// Compares component states and returns the number of events emitted.
///
/// A component seen for the first time is only stored; a missing one has no meaning. `compared` is
/// the digest of the last list that was compared. If `moved`, all ids of the page may have changed,
/// so unlisted components are absent.
pub(super) fn components(
    book: &mut dyn Book,
    message: &Record,
    first_run: bool,
    compared: Option<u128>,
    moved: bool,
) -> Result<usize> {
    let snapshot = &message.snapshot;
    if snapshot.components.is_empty() {
        return Ok(0);
    }
    let provider = &message.provider;
    let now = message.observed_at;
    let digest = digest(&snapshot.components);
    if compared == Some(digest) {
        // The common case: skip reading the long list of stored components.
        return Ok(0);
    }
    let mut known = book.components()?;
    let min = provider.settings.min_duration;
    let page = message.snapshot.page.url.as_deref();
    let observation = Observation { provider, source: message.source(), page, now };
    let mut events = 0;
    let mut listed = HashSet::with_capacity(snapshot.components.len());
    for (key, component) in identify(&known, &snapshot.components) {
        listed.insert(key.clone());
        let (emitted, changes) = match known.get_mut(&key) {
            Some(before) if before.status == component.status => {
                before.id = component.id.clone().or(before.id.take());
                before.name.clone_from(&component.name);
                before.group.clone_from(&component.group);
                before.absent = false;
                if before.held.as_ref().is_some_and(|held| min_duration::is_over(held, min, now)) {
                    events += min_duration::report(book, observation, &key, before)?;
                }
                continue;
            }
            None => (None, 0),
            Some(before) if first_run => (before.emitted, before.changes + 1),
            Some(before) => {
                let decision = min_duration::decide(before, component, min, now);
                let changes = before.changes + 1;
                match decision {
                    Decision::Report => {}
                    Decision::Back => {
                        min_duration::record_back(book, observation, &key, component, before)?;
                        let new = seen_again(component, before, changes, now);
                        known.insert(key, new);
                        continue;
                    }
                    Decision::Hold(held) => {
                        min_duration::record_passed(book, observation, &key, before)?;
                        let new = seen_again(component, before, changes, now);
                        known.insert(key, ComponentState { held: Some(held), ..new });
                        continue;
                    }
                }
                min_duration::record_passed(book, observation, &key, before)?;
                let draft = change_of(observation, &key, component, before, now);
                let suppression = suppressed_by(&provider.filter, &draft, before.emitted.is_some());
                events += usize::from(book.emit(observation.event(draft, suppression))?);
                (
                    if suppression.is_none() {
                        Some(component.status.into())
                    } else {
                        before.emitted
                    },
                    changes,
                )
            }
        };
        let mut fresh = ComponentState::new(component, emitted, changes, now);
        if fresh.id.is_none() {
            fresh.id = known.get_mut(&key).and_then(|before| before.id.take());
        }
        known.insert(key, fresh);
    }
    if snapshot.coverage.all_components || moved {
        for (_, component) in known.iter_mut().filter(|(key, _)| !listed.contains(*key)) {
            component.absent = true;
        }
    }
    min_duration::forget_unlisted(&mut known, &listed);
    component_state::bound(&mut known, &listed);
    book.put(Change::Components(known, Some(digest)))?;
    Ok(events)
}

/// Computes a digest of the compared fields: which components exist, and in which state.
fn digest(components: &[Component]) -> u128 {
    let mut hasher = Xxh3::new();
    for Component { id, name, group, status } in components {
        for part in [id.as_deref(), Some(name), group.as_deref(), Some(status.as_str())] {
            hasher.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            hasher.update(part.unwrap_or_default().as_bytes());
        }
    }
    hasher.digest128()
}

/// Returns the stored state of a component whose new status is not reported, or not yet.
fn seen_again(
    component: &Component,
    before: &ComponentState,
    changes: u32,
    now: Time,
) -> ComponentState {
    let mut new = ComponentState::new(component, before.emitted, changes, now);
    new.id = new.id.or_else(|| before.id.clone());
    new
}
