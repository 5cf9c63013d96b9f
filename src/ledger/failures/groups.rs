//! Groups of providers that fail together, and how messages describe the other providers.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::{Entry, FEWEST_MEMBERS, Failures, Group, NAMED};

/// Counters of a group.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Members {
    pub(super) all: usize,
    pub(super) failing: usize,
    hosts: usize,
    /// When one of them was last read.
    pub(super) read: Option<Instant>,
}

impl Failures {
    /// Describes the other failing providers for an unreachable event. A group is listed once.
    pub(in crate::ledger) fn context(&mut self, id: &str) -> Option<String> {
        let entry = self.entries.get(id)?;
        let groups = self.groups();
        let whole = entry.groups().into_iter().find(|group| {
            groups
                .get(group)
                .is_some_and(|members| members.is_group(*group) && members.failing == members.all)
        });
        let Some(group) = whole else {
            return self.sentence(id);
        };
        let members: Vec<String> = self.members(group).map(|(id, _)| id.to_owned()).collect();
        let all = self.name(group, members.len());
        Some(if self.listed.insert(group) {
            format!("All {all} fail: {}.", names(&members))
        } else {
            format!("All {all} fail.")
        })
    }

    /// Returns ` (the other 141 are read)`, or an empty string.
    pub(super) fn others(&self, id: &str) -> String {
        match self.read_beside(id) {
            (0, _) => String::new(),
            (1, 1) => " (the other one is read)".to_owned(),
            (read, all) if read == all => format!(" (the other {all} are read)"),
            (read, all) => format!(" ({read} of the other {all} are read)"),
        }
    }

    fn sentence(&self, id: &str) -> Option<String> {
        match self.read_beside(id) {
            (0, _) => None,
            (1, 1) => Some("The other provider is read.".to_owned()),
            (read, all) if read == all => Some(format!("The other {all} providers are read.")),
            (read, all) => Some(format!("Of the other {all} providers {read} are read.")),
        }
    }

    /// Returns how many other providers are read, and how many there are.
    fn read_beside(&self, id: &str) -> (usize, usize) {
        let read = self.entries.iter().filter(|(other, entry)| {
            *other != id && entry.failing.is_none() && entry.read.is_some()
        });
        (read.count(), self.entries.len().saturating_sub(1))
    }

    pub(super) fn groups(&self) -> HashMap<Group, Members> {
        let mut groups: HashMap<Group, Members> = HashMap::new();
        let mut hosts = HashSet::new();
        for entry in self.entries.values() {
            for group in entry.groups() {
                let members = groups.entry(group).or_default();
                members.all += 1;
                members.failing += usize::from(entry.failing.is_some());
                members.hosts += usize::from(hosts.insert((group, entry.host)));
                members.read = members.read.max(entry.read);
            }
        }
        groups
    }

    pub(super) fn members(&self, group: Group) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.groups().contains(&group))
            .map(|(id, entry)| (id.as_str(), entry))
    }

    /// Returns, for example, `12 providers read from statuspage`.
    pub(super) fn name(&self, group: Group, count: usize) -> String {
        match group {
            Group::Platform(source) => format!("{count} providers read from {source}"),
            Group::Host(host) => {
                let name = self.hosts.get(&host).map_or("one host", |named| named.name.as_str());
                format!("{count} providers on {name}")
            }
        }
    }
}

impl Entry {
    /// Returns its host, then its platform.
    pub(super) fn groups(&self) -> Vec<Group> {
        std::iter::once(Group::Host(self.host)).chain(self.platform.map(Group::Platform)).collect()
    }
}

impl Members {
    pub(super) fn is_group(&self, group: Group) -> bool {
        self.all >= FEWEST_MEMBERS && (matches!(group, Group::Host(_)) || self.hosts > 1)
    }
}

/// Joins ids: `a, b and 3 more`.
pub(super) fn names(ids: &[String]) -> String {
    let mut text = ids.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = ids.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.extend([" and ", &more.to_string(), " more"]);
    }
    text
}
