//! Component states compared with those seen before.

use std::collections::HashSet;

use xxhash_rust::xxh3::Xxh3;

use super::filter::suppressed_by;
use super::identify::{identify, number};
use super::messages::Record;
use super::min_duration::{self, Decision};
use super::numbering::Numbering;
use super::store::{self, ComponentState};
use crate::config::Provider;
use crate::event::{
    Component, ComponentStatus, Draft, Fingerprint, IncidentKey, Kind, Status, Time, UpdateKey,
    event_id,
};

type Sql<T> = rusqlite::Result<T>;

/// Where and when components were seen.
#[derive(Clone, Copy)]
pub(super) struct Observation<'a> {
    pub(super) provider: &'a Provider,
    pub(super) source: &'a str,
    /// The page for people.
    pub(super) page: Option<&'a str>,
    pub(super) now: Time,
}

/// Compares component states. The first sight of a component is only remembered; a missing one
/// means nothing. `compared` is the digest of the list those known were last compared with; `moved`:
/// all ids of the page may have changed, so what is not listed is not there any more.
pub(super) fn components(
    numbering: &mut Numbering<'_>,
    message: &Record,
    first_run: bool,
    compared: Option<u128>,
    moved: bool,
) -> Sql<usize> {
    let snapshot = &message.snapshot;
    if snapshot.components.is_empty() {
        return Ok(0);
    }
    let db = numbering.db;
    let provider = &message.provider;
    let now = message.observed_at;
    let digest = digest(&snapshot.components);
    if compared == Some(digest) {
        // As nearly always: the long list of those known is not even read.
        return Ok(0);
    }
    let mut known = store::components(db, &provider.id)?;
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
                    events += min_duration::report(numbering, observation, &key, before)?;
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
                        min_duration::record_back(numbering, observation, &key, component, before)?;
                        let new = seen_again(component, before, changes, now);
                        known.insert(key, new);
                        continue;
                    }
                    Decision::Hold(held) => {
                        min_duration::record_passed(numbering, observation, &key, before)?;
                        let new = seen_again(component, before, changes, now);
                        known.insert(key, ComponentState { held: Some(held), ..new });
                        continue;
                    }
                }
                min_duration::record_passed(numbering, observation, &key, before)?;
                let draft = change_of(observation, &key, component, before, now);
                let suppression = suppressed_by(&provider.filter, &draft, before.emitted.is_some());
                events += usize::from(numbering.store(
                    provider,
                    message.source(),
                    draft,
                    suppression,
                    now,
                )?);
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
    store::put_components(db, &provider.id, known, &listed, Some(digest))?;
    Ok(events)
}

/// Of what is compared: which components there are, in which state.
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

/// A component in a new state that is not reported, or not yet.
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

/// The change of a component to the state it is in, seen first at `at`.
pub(super) fn change_of(
    observation: Observation<'_>,
    key: &str,
    component: &Component,
    before: &ComponentState,
    at: Time,
) -> Draft {
    let subject = IncidentKey::new(&observation.provider.id, &format!("component {key}"));
    let status = Status::from(component.status);
    let update = UpdateKey::change(
        subject,
        "component",
        &[before.status.as_str(), status.as_str(), &before.changes.to_string()],
    );
    let emitted_impact =
        before.emitted.and_then(|emitted| emitted.as_str().parse::<ComponentStatus>().ok());
    let id = event_id(update, Kind::Component, Fingerprint::new(status, key));
    let mut shown = component.clone();
    let mut title = component.name.clone();
    if let Some(number) = number(key, component) {
        title = format!("{title} #{number}");
        shown.id = Some(key.to_owned());
    }
    Draft {
        update_id: Some(update.shown("component")),
        impact: component.status.impact(),
        previous_status: before.emitted,
        previous_impact: emitted_impact.map(ComponentStatus::impact),
        components: vec![shown],
        url: observation.page.map(str::to_owned),
        ..Draft::new(id, Kind::Component, title, status, at)
    }
}
