//! Finds filter patterns that match nothing on their provider's page, usually because a name is
//! misspelled or the page has changed.
//!
//! Only a page that lists all of its components allows the comparison. A filter that is newer than
//! the last read is compared with what the ledger knows of the page, so an unchanged page is not
//! requested again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Filter, Provider};
use crate::event::Component;
use crate::snapshot::Snapshot;

/// Number of suggestions for a pattern that matches nothing.
const NEAREST: usize = 3;

/// Names less similar than this are not suggested.
const LIKENESS: f64 = 0.75;

/// A filter pattern that matches nothing on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// `component` or `region`.
    what: &'static str,
    pattern: String,
    /// The most similar names, best first.
    nearest: Vec<String>,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} matches \"{}\"", self.what, self.pattern)?;
        let Some((last, others)) = self.nearest.split_last() else {
            return Ok(());
        };
        f.write_str("; did you mean ")?;
        for (place, name) in others.iter().enumerate() {
            write!(f, "{}\"{name}\"", if place == 0 { "" } else { ", " })?;
        }
        write!(f, "{}\"{last}\"?", if others.is_empty() { "" } else { " or " })
    }
}

/// Returns the patterns of `filter` that match nothing on this page; empty if the page does not
/// list all of its components.
#[must_use]
pub fn unmatched(filter: &Filter, snapshot: &Snapshot) -> Vec<Unmatched> {
    if snapshot.coverage.all_components {
        unmatched_in(filter, &snapshot.components)
    } else {
        Vec::new()
    }
}

/// Returns the patterns of `filter` that match none of these components, which must be all of the
/// page's.
#[must_use]
pub fn unmatched_in(filter: &Filter, components: &[Component]) -> Vec<Unmatched> {
    if components.is_empty() {
        return Vec::new();
    }
    let groups = || components.iter().filter_map(|component| component.group.as_deref());
    let mut found =
        lacking("component", &filter.components, components, Component::matches, || {
            components.iter().map(|component| component.name.as_str()).chain(groups()).collect()
        });
    // Without groups, a region pattern cannot be judged.
    if groups().next().is_some() {
        found.extend(lacking(
            "region",
            &filter.regions,
            components,
            Component::is_in_region,
            || groups().collect(),
        ));
    }
    found
}

fn lacking<'a>(
    what: &'static str,
    patterns: &[String],
    components: &[Component],
    matches: fn(&Component, &[String]) -> bool,
    names: impl Fn() -> Vec<&'a str>,
) -> Vec<Unmatched> {
    let is_lacking = |pattern: &&String| {
        !components.iter().any(|component| matches(component, std::slice::from_ref(pattern)))
    };
    patterns
        .iter()
        .filter(is_lacking)
        .map(|pattern| Unmatched {
            what,
            pattern: pattern.clone(),
            nearest: nearest(pattern, &names()),
        })
        .collect()
}

/// Returns the names most similar to a pattern, best first.
fn nearest(pattern: &str, names: &[&str]) -> Vec<String> {
    let wanted = pattern.to_lowercase().replace(['*', '?'], "");
    if wanted.trim().is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut scored: Vec<(f64, &str)> = names
        .iter()
        .filter(|name| seen.insert(**name))
        .map(|&name| {
            let lower = name.to_lowercase();
            // A substring match is a better hint than overall similarity.
            let within = lower.contains(&wanted) || (!lower.is_empty() && wanted.contains(&lower));
            (if within { 1.0 } else { strsim::jaro_winkler(&wanted, &lower) }, name)
        })
        .filter(|(score, _)| *score > LIKENESS)
        .collect();
    // The sort is stable: equal scores keep the page's order.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(NEAREST).map(|(_, name)| name.to_owned()).collect()
}

/// Which filters have been compared with their pages in this process, and which patterns were
/// reported. Outlives the pollers, so each pattern is reported once per provider and configuration.
#[derive(Debug, Default)]
pub struct ComparedFilters(Mutex<HashMap<String, Entry>>);

/// One provider's filter as it was compared, and the patterns reported.
#[derive(Debug)]
struct Entry {
    provider: Arc<Provider>,
    reported: HashSet<String>,
}

impl ComparedFilters {
    /// Returns whether this filter names something and has not been compared with the page yet.
    #[must_use]
    pub fn is_due(&self, provider: &Provider) -> bool {
        provider.filter.names_something()
            && self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&provider.id).is_none_or(
                |entry| {
                    // The filter has changed: report again.
                    entry.provider.filter != provider.filter
                },
            )
    }

    /// Records the result of a comparison and returns the patterns that have not been reported yet.
    pub fn note(&self, provider: &Arc<Provider>, found: Vec<Unmatched>) -> Vec<Unmatched> {
        let due = self.is_due(provider);
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if due {
            entries.insert(
                provider.id.clone(),
                Entry { provider: Arc::clone(provider), reported: HashSet::new() },
            );
        }
        let Some(entry) = entries.get_mut(&provider.id) else {
            return Vec::new();
        };
        found.into_iter().filter(|one| entry.reported.insert(one.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ComponentStatus;
    use crate::snapshot::{Coverage, component};

    fn page(components: &[(&str, &str, Option<&str>)]) -> Snapshot {
        let listed = components.iter().map(|(id, name, group)| {
            component(
                Some((*id).to_owned()),
                *name,
                group.map(str::to_owned),
                ComponentStatus::Operational,
            )
        });
        Snapshot {
            components: listed.collect(),
            coverage: Coverage { all_components: true, ..Coverage::default() },
            ..Snapshot::default()
        }
    }

    fn reported(components: &[&str], regions: &[&str], page: &Snapshot) -> Vec<String> {
        let owned =
            |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let filter =
            Filter { components: owned(components), regions: owned(regions), ..Filter::default() };
        unmatched(&filter, page).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_ids_groups_and_globs_match_and_typos_get_suggestions() {
        let page = page(&[
            ("a1", "Actions", None),
            ("a2", "API Requests", Some("Core")),
            ("a3", "Pages", None),
            ("a4", "API Keys", None),
        ]);
        assert_eq!(
            reported(&["actions", "A2", "core", "core/api*", "Pag?s", "*"], &[], &page),
            [""; 0]
        );
        assert_eq!(
            reported(&["Acitons", "API", "Quux*", "Git*"], &[], &page),
            [
                "no component matches \"Acitons\"; did you mean \"Actions\"?",
                "no component matches \"API\"; did you mean \"API Requests\" or \"API Keys\"?",
                "no component matches \"Quux*\"",
                "no component matches \"Git*\"",
            ]
        );
        assert_eq!(
            reported(&[], &["Cora", "c*"], &page),
            ["no region matches \"Cora\"; did you mean \"Core\"?"]
        );
    }

    #[test]
    fn incomplete_lists_are_not_compared() {
        let mut some = page(&[("a1", "Actions", None)]);
        assert_eq!(reported(&[], &["eu-*"], &some), [""; 0], "nothing is grouped");
        some.coverage.all_components = false;
        assert_eq!(reported(&["Pages"], &[], &some), [""; 0]);
        assert_eq!(reported(&["Pages"], &[], &page(&[])), [""; 0]);
    }

    #[test]
    fn each_pattern_is_reported_once_per_configuration() {
        let provider = |patterns: &[&str]| {
            Arc::new(Provider {
                id: "acme".to_owned(),
                name: "Acme".to_owned(),
                url: "https://status.acme.example/".parse().unwrap(),
                source: None,
                url_written: true,
                settings: crate::config::Settings::default(),
                filter: Filter {
                    components: patterns.iter().map(|&p| p.to_owned()).collect(),
                    ..Filter::default()
                },
                json: None,
            })
        };
        let compared = ComparedFilters::default();
        let page = page(&[("a1", "Actions", None)]);
        let reported = |provider: &Arc<Provider>| {
            compared.note(provider, unmatched(&provider.filter, &page)).len()
        };
        assert!(!compared.is_due(&provider(&[])));
        let first = provider(&["Pages"]);
        assert!(compared.is_due(&first));
        assert_eq!((reported(&first), reported(&first)), (1, 0));
        assert!(!compared.is_due(&first));
        let second = provider(&["Pages", "Copilot"]);
        assert!(compared.is_due(&second));
        assert_eq!((reported(&second), reported(&second)), (2, 0));
    }
}
