//! Components as last seen and reported: one list per provider, stored as JSON.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::event::{Component, ComponentStatus, Status, Time};

/// Maximum number of unlisted components kept per provider.
const UNLISTED: usize = 2000;

/// A change that has not been reported yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct Held {
    /// The former state.
    pub(in crate::ledger) from: ComponentStatus,
    /// When the former state was left, in milliseconds.
    pub(in crate::ledger) since: i64,
}

/// A component as last seen and reported, under the key the ledger gave it first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ComponentState {
    /// The page's last id of it; `None` if it has none. Stored only if it is not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// Its name as last listed.
    pub(super) name: String,
    /// Its group as last listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    /// Its state as last listed.
    pub(super) status: ComponentStatus,
    /// Its state as last reported.
    #[serde(default, rename = "told", skip_serializing_if = "Option::is_none")]
    pub(super) emitted: Option<Status>,
    /// Number of changes of its state, part of their ids.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) changes: u32,
    /// When its status last changed, in milliseconds.
    pub(super) since: i64,
    /// Whether the page no longer lists it.
    #[serde(default, rename = "gone", skip_serializing_if = "is_false")]
    pub(super) absent: bool,
    /// The last change, if it has not been reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Held>,
}

/// Omits default values, to keep the list short.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Omits default values.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ComponentState {
    /// A component in the state that is listed now.
    pub(super) fn new(
        component: &Component,
        emitted: Option<Status>,
        changes: u32,
        now: Time,
    ) -> Self {
        let Component { id, name, group, status } = component;
        Self {
            id: id.clone(),
            name: name.clone(),
            group: group.clone(),
            status: *status,
            emitted,
            changes,
            since: now.timestamp_millis(),
            absent: false,
            held: None,
        }
    }

    /// Returns when it was first seen in this state.
    pub(super) fn seen(&self) -> Time {
        Time::from_timestamp_millis(self.since).unwrap_or_default()
    }

    /// Converts it for display: with the page's id, or the key if it has none.
    pub(super) fn shown(self, key: String) -> Component {
        let Self { id, name, group, status, .. } = self;
        Component { id: Some(id.unwrap_or(key)), name, group, status }
    }
}

/// Returns the key of a component without an id; further ones of the same name and group get the
/// suffixes `#2`, `#3`, …
pub(super) fn key_of_name(name: &str, group: Option<&str>) -> String {
    group.map_or_else(|| name.to_owned(), |group| format!("{group}/{name}"))
}

/// Returns the position of a key among the components of its name and group; `None` if the key
/// comes from an id.
pub(super) fn ordinal(key: &str, name: &str, group: Option<&str>) -> Option<u32> {
    let rest = key.strip_prefix(key_of_name(name, group).as_str())?;
    if rest.is_empty() { Some(1) } else { rest.strip_prefix('#')?.parse().ok() }
}

/// A provider's components by key.
pub(super) type Components = BTreeMap<String, ComponentState>;

/// Returns since when the oldest unreported change has been held back.
pub(super) fn held_since(known: &Components) -> Option<Time> {
    let held = known.values().filter_map(|component| Some(component.held.as_ref()?.since));
    held.min().and_then(Time::from_timestamp_millis)
}

/// Bounds the number of unlisted components: a page with new names at each poll must not fill the
/// ledger. Of those not `listed` (keys), the ones that changed last are kept.
pub(super) fn bound(known: &mut Components, listed: &HashSet<String>) {
    let mut unlisted: Vec<(i64, String)> = known
        .iter()
        .filter(|(id, _)| !listed.contains(*id))
        .map(|(id, component)| (component.since, id.clone()))
        .collect();
    if let Some(excess) = unlisted.len().checked_sub(UNLISTED) {
        unlisted.sort();
        for (_, id) in unlisted.into_iter().take(excess) {
            known.remove(&id);
        }
    }
}

/// Serializes a list for storage: an id that is the key is left out.
pub(super) fn to_json(mut known: Components) -> serde_json::Result<String> {
    for (key, component) in &mut known {
        let named = ordinal(key, &component.name, component.group.as_deref()).is_some();
        if component.id.as_ref() == Some(key) && !named {
            component.id = None;
        }
    }
    serde_json::to_string(&known)
}

/// Parses a stored list.
pub(super) fn from_json(list: &str) -> serde_json::Result<Components> {
    let mut known: Components = serde_json::from_str(list)?;
    for (key, component) in &mut known {
        let named = ordinal(key, &component.name, component.group.as_deref()).is_some();
        if component.id.is_none() && !named {
            component.id = Some(key.clone());
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::component;

    #[test]
    fn unlisted_components_are_remembered_up_to_a_bound() {
        let at = |n: i64| Time::from_timestamp_millis(n).unwrap();
        let shown =
            component(Some("shown".to_owned()), "Shown", None, ComponentStatus::Operational);
        let mut known = Components::new();
        known.insert(
            "shown".to_owned(),
            ComponentState::new(&shown, Some(ComponentStatus::Operational.into()), 3, at(0)),
        );
        for n in 1..=UNLISTED + 2 {
            known.insert(format!("gone-{n}"), ComponentState::new(&shown, None, 0, at(n as i64)));
        }
        bound(&mut known, &HashSet::from(["shown".to_owned()]));
        let mut known = from_json(&to_json(known).unwrap()).unwrap();
        assert_eq!(known.len(), UNLISTED + 1);
        assert!(
            !known.contains_key("gone-2") && known.contains_key("gone-3"),
            "the oldest go first"
        );
        let shown = known.remove("shown").unwrap();
        assert_eq!(
            (shown.id.as_deref(), shown.emitted, shown.changes, shown.status),
            (
                Some("shown"),
                Some(ComponentStatus::Operational.into()),
                3,
                ComponentStatus::Operational
            )
        );
    }
}
