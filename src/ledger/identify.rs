//! Maps listed components to known ones. Pure.
//!
//! A known id decides. The rest are matched by name and group, because pages rebuild their ids,
//! list some components without one, or assign ids later. Components of the same name and group are
//! distinguished by their position; if their states swapped places, the order changed, not the
//! components. Each component keeps the key it was first given.

use std::collections::{HashMap, HashSet};

use super::component_state::{Components, key_of_name, ordinal};
use crate::event::Component;

/// A component's name and group, without its id.
type Name<'a> = (&'a str, Option<&'a str>);

fn name_of(component: &Component) -> Name<'_> {
    (&component.name, component.group.as_deref())
}

/// Returns the listed components, each with its known or new key. Keys are unique: if an id is
/// listed twice, the worse state counts.
pub(super) fn identify<'a>(
    known: &Components,
    listed: &'a [Component],
) -> Vec<(String, &'a Component)> {
    let listed = once_each(listed);
    let mut keys: Vec<Option<String>> = vec![None; listed.len()];
    let mut taken: HashSet<&str> = HashSet::new();
    let mut by_id: HashMap<&str, &str> = HashMap::new();
    for (key, component) in known {
        if let Some(id) = &component.id
            && (!component.absent || !by_id.contains_key(id.as_str()))
        {
            by_id.insert(id, key);
        }
    }
    for (key, component) in keys.iter_mut().zip(&listed) {
        if let Some(found) = component.id.as_deref().and_then(|id| by_id.get(id)) {
            taken.insert(found);
            *key = Some((*found).to_owned());
        }
    }

    let mut left: HashMap<Name<'_>, Vec<usize>> = HashMap::new();
    for (place, component) in listed.iter().enumerate() {
        if keys.get(place).is_some_and(Option::is_none) {
            left.entry(name_of(component)).or_default().push(place);
        }
    }
    let mut candidates: HashMap<Name<'_>, Vec<&str>> = HashMap::new();
    if !left.is_empty() {
        for (key, component) in known {
            let name = (component.name.as_str(), component.group.as_deref());
            if left.contains_key(&name) && !taken.contains(key.as_str()) {
                candidates.entry(name).or_default().push(key);
            }
        }
    }
    for (name, found) in &mut candidates {
        let places = left.get(name).map(Vec::as_slice).unwrap_or_default();
        for (place, key) in pair(known, &listed, places, found) {
            if let Some(slot) = keys.get_mut(place) {
                *slot = Some(key.to_owned());
            }
        }
    }

    let mut used: HashSet<String> = keys.iter().flatten().cloned().collect();
    let named = listed.into_iter().zip(keys).map(|(component, key)| {
        let key = key.unwrap_or_else(|| unused(known, &used, component));
        used.insert(key.clone());
        (key, component)
    });
    named.collect()
}

/// Returns the key of a single component.
pub(super) fn one(known: &Components, component: &Component) -> String {
    let own = component
        .id
        .clone()
        .unwrap_or_else(|| key_of_name(&component.name, component.group.as_deref()));
    if known.contains_key(&own) {
        return own;
    }
    identify(known, std::slice::from_ref(component)).pop().map_or(own, |(key, _)| key)
}

/// Removes repeated ids: keeps the first position and the worse state.
fn once_each(listed: &[Component]) -> Vec<&Component> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut once: Vec<&Component> = Vec::with_capacity(listed.len());
    for component in listed {
        let place = component.id.as_deref().and_then(|id| places.get(id));
        if let Some(first) = place.and_then(|place| once.get_mut(*place)) {
            if component.status.impact().rank() > first.status.impact().rank() {
                *first = component;
            }
            continue;
        }
        if let Some(id) = component.id.as_deref() {
            places.insert(id, once.len());
        }
        once.push(component);
    }
    once
}

/// Pairs the `places` of one name and group with the known keys of the same: first by the same
/// position and state, then by state, then in order. Absent components are considered only if there
/// are too few others, most recent first.
fn pair<'k>(
    known: &'k Components,
    listed: &[&Component],
    places: &[usize],
    found: &mut Vec<&'k str>,
) -> Vec<(usize, &'k str)> {
    found.sort_by_key(|key| {
        let component = known.get(*key);
        let gone = component.is_some_and(|component| component.absent);
        let since = component.filter(|_| gone).map_or(0, |component| component.since);
        (gone, std::cmp::Reverse(since), key.len(), *key)
    });
    let present = found
        .iter()
        .filter(|key| known.get(**key).is_some_and(|component| !component.absent))
        .count();
    found.truncate(present.max(places.len()));

    let alike = |place: usize, key: &str| {
        listed.get(place).map(|component| component.status)
            == known.get(key).map(|component| component.status)
    };
    let mut pairs: Vec<(usize, &'k str)> = Vec::new();
    let mut open: Vec<Option<usize>> = places.iter().copied().map(Some).collect();
    let mut free: Vec<Option<&'k str>> = found.iter().copied().map(Some).collect();
    for (place, key) in open.iter_mut().zip(&mut free) {
        if let (Some(one), Some(other)) = (*place, *key)
            && alike(one, other)
        {
            pairs.push((one, other));
            (*place, *key) = (None, None);
        }
    }
    for same_state in [true, false] {
        for place in &mut open {
            let Some(one) = *place else { continue };
            let fitting =
                free.iter_mut().find(|key| key.is_some_and(|key| !same_state || alike(one, key)));
            if let Some(other) = fitting.and_then(Option::take) {
                pairs.push((one, other));
                *place = None;
            }
        }
    }
    pairs
}

/// Returns a key for a new component: its id, or its group and name, or the first free numbered
/// variant.
fn unused(known: &Components, used: &HashSet<String>, component: &Component) -> String {
    let free = |key: &str| !known.contains_key(key) && !used.contains(key);
    let (name, group) = name_of(component);
    let base = component.id.clone().unwrap_or_else(|| key_of_name(name, group));
    if free(&base) {
        return base;
    }
    // Every taken key is known or listed: among that many plus one, one is free.
    (2..=known.len() + used.len() + 2)
        .map(|n| format!("{base}#{n}"))
        .find(|key| free(key))
        .unwrap_or(base)
}

/// Returns the number displayed with the name of a component without an id, if there are several of
/// its name and group: 2 and up.
pub(super) fn number(key: &str, component: &Component) -> Option<u32> {
    let (name, group) = name_of(component);
    ordinal(key, name, group).filter(|number| component.id.is_none() && *number > 1)
}
