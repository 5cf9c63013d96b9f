//! Component states compared with those seen before.

use std::collections::HashSet;

use xxhash_rust::xxh3::Xxh3;

use super::filter::withheld;
use super::messages::Record;
use super::numbering::Numbering;
use super::store::{self, KnownComponent};
use crate::event::{
    Component, ComponentStatus, Draft, Fingerprint, IncidentKey, Kind, Status, UpdateKey, event_id,
};

type Sql<T> = rusqlite::Result<T>;

/// Compares component states. The first sight of a component is only remembered; a missing one
/// means nothing. `compared` is the digest of the list those known were last compared with.
pub(super) fn components(
    numbering: &mut Numbering<'_>,
    message: &Record,
    first_run: bool,
    compared: Option<u128>,
) -> Sql<usize> {
    if message.snapshot.components.is_empty() {
        return Ok(0);
    }
    let db = numbering.db;
    let provider = &message.provider;
    let now = message.observed_at;
    let digest = digest(&message.snapshot.components);
    if compared == Some(digest) {
        // As nearly always: the long list of those known is not even read.
        return Ok(0);
    }
    let mut known = store::components(db, &provider.id)?;
    let mut events = 0;
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
                events +=
                    usize::from(numbering.store(provider, message.source(), draft, reason, now)?);
                (
                    if reason.is_none() { Some(component.status.into()) } else { before.told },
                    before.changes + 1,
                )
            }
        };
        known.insert(id, KnownComponent::new(component, told, changes, now));
    }
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

/// The platform's id; where it has none, group and name.
pub(super) fn component_id(component: &Component) -> String {
    component.id.clone().unwrap_or_else(|| {
        component
            .group
            .as_ref()
            .map_or_else(|| component.name.clone(), |group| format!("{group}/{}", component.name))
    })
}

fn component_change(
    message: &Record,
    id: &str,
    component: &Component,
    before: &KnownComponent,
) -> Draft {
    let key = IncidentKey::new(&message.provider.id, &format!("component {id}"));
    let status = Status::from(component.status);
    let update = UpdateKey::change(
        key,
        "component",
        &[before.status.as_str(), status.as_str(), &before.changes.to_string()],
    );
    let told_impact = before.told.and_then(|told| told.as_str().parse::<ComponentStatus>().ok());
    let id = event_id(update, Kind::Component, Fingerprint::new(status, id));
    Draft {
        update_id: Some(update.shown("component")),
        impact: component.status.impact(),
        previous_status: before.told,
        previous_impact: told_impact.map(ComponentStatus::impact),
        components: vec![component.clone()],
        url: message.snapshot.page.url.clone(),
        ..Draft::new(id, Kind::Component, component.name.clone(), status, message.observed_at)
    }
}
