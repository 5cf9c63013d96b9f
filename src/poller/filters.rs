//! Filters that match nothing on their provider's page: most likely a name was misspelt, or the
//! page has changed.
//!
//! Only a page that lists all of its components can tell. A filter that is new since the page was
//! last read is compared with what the ledger knows of it: nobody is asked for a page that has not
//! changed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Filter, Provider};
use crate::event::Component;
use crate::ledger::filter::{matches_component, matches_region};
use crate::snapshot::Snapshot;

/// Names offered for one that matches nothing.
const NEAREST: usize = 3;

/// Names less alike than this are not meant.
const LIKENESS: f64 = 0.75;

/// A pattern of a filter that matches nothing on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// `component` or `region`.
    what: &'static str,
    pattern: String,
    /// The names most like it, best first.
    nearest: Vec<String>,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} matches \"{}\"", self.what, self.pattern)?;
        let Some((last, others)) = self.nearest.split_last() else {
            return Ok(());
        };
        f.write_str("; is ")?;
        for (place, name) in others.iter().enumerate() {
            write!(f, "{}\"{name}\"", if place == 0 { "" } else { ", " })?;
        }
        write!(f, "{}\"{last}\" meant?", if others.is_empty() { "" } else { " or " })
    }
}

/// The patterns of `filter` that match nothing on this page; none where it does not list all it
/// has.
#[must_use]
pub fn unmatched(filter: &Filter, snapshot: &Snapshot) -> Vec<Unmatched> {
    if snapshot.coverage.all_components {
        unmatched_in(filter, &snapshot.components)
    } else {
        Vec::new()
    }
}

/// The patterns of `filter` that match none of these, which are all there are.
#[must_use]
pub fn unmatched_in(filter: &Filter, components: &[Component]) -> Vec<Unmatched> {
    if components.is_empty() {
        return Vec::new();
    }
    let groups = || components.iter().filter_map(|component| component.group.as_deref());
    let mut found = lacking("component", &filter.components, components, matches_component, || {
        components.iter().map(|component| component.name.as_str()).chain(groups()).collect()
    });
    // Where nothing is grouped, regions decide nothing.
    if groups().next().is_some() {
        found.extend(lacking("region", &filter.regions, components, matches_region, || {
            groups().collect()
        }));
    }
    found
}

fn lacking<'a>(
    what: &'static str,
    patterns: &[String],
    components: &[Component],
    matches: fn(&[String], &Component) -> bool,
    names: impl Fn() -> Vec<&'a str>,
) -> Vec<Unmatched> {
    let is_lacking = |pattern: &&String| {
        !components.iter().any(|component| matches(std::slice::from_ref(pattern), component))
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

/// The names most like a pattern, best first.
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
            // Part of a name is a better hint than likeness as a whole.
            let within = lower.contains(&wanted) || (!lower.is_empty() && wanted.contains(&lower));
            (if within { 1.0 } else { strsim::jaro_winkler(&wanted, &lower) }, name)
        })
        .filter(|(score, _)| *score > LIKENESS)
        .collect();
    // The sort is stable: of equals, the page's own order.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(NEAREST).map(|(_, name)| name.to_owned()).collect()
}

/// Which filters have been compared with their pages in this process, and what was told of them. It
/// outlives pollers: each pattern is told once for each provider and configuration.
#[derive(Debug, Default)]
pub struct Compared(Mutex<HashMap<String, Entry>>);

/// One provider's filter, as it was compared, and the patterns told.
#[derive(Debug)]
struct Entry {
    provider: Arc<Provider>,
    told: HashSet<String>,
}

impl Compared {
    /// Whether this filter, if it names anything, has still to be compared with the page.
    #[must_use]
    pub fn is_due(&self, provider: &Provider) -> bool {
        provider.filter.names_something()
            && self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&provider.id).is_none_or(
                |entry| {
                    // Another configuration: to be told again.
                    entry.provider.filter != provider.filter
                },
            )
    }

    /// Notes what the comparison with the page came to; answers what has not been told yet.
    pub fn note(&self, provider: &Arc<Provider>, found: Vec<Unmatched>) -> Vec<Unmatched> {
        let due = self.is_due(provider);
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if due {
            entries.insert(
                provider.id.clone(),
                Entry { provider: Arc::clone(provider), told: HashSet::new() },
            );
        }
        let Some(entry) = entries.get_mut(&provider.id) else {
            return Vec::new();
        };
        found.into_iter().filter(|one| entry.told.insert(one.to_string())).collect()
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

    fn told(components: &[&str], regions: &[&str], page: &Snapshot) -> Vec<String> {
        let owned =
            |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let filter =
            Filter { components: owned(components), regions: owned(regions), ..Filter::default() };
        unmatched(&filter, page).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_ids_groups_and_globs_match_and_slips_are_told_with_what_is_meant() {
        let page = page(&[
            ("a1", "Actions", None),
            ("a2", "API Requests", Some("Core")),
            ("a3", "Pages", None),
            ("a4", "API Keys", None),
        ]);
        assert_eq!(
            told(&["actions", "A2", "core", "core/api*", "Pag?s", "*"], &[], &page),
            [""; 0]
        );
        assert_eq!(
            told(&["Acitons", "API", "Quux*", "Git*"], &[], &page),
            [
                "no component matches \"Acitons\"; is \"Actions\" meant?",
                "no component matches \"API\"; is \"API Requests\" or \"API Keys\" meant?",
                "no component matches \"Quux*\"",
                "no component matches \"Git*\"",
            ]
        );
        assert_eq!(
            told(&[], &["Cora", "c*"], &page),
            ["no region matches \"Cora\"; is \"Core\" meant?"]
        );
    }

    #[test]
    fn a_list_that_is_not_whole_says_nothing() {
        let mut some = page(&[("a1", "Actions", None)]);
        assert_eq!(told(&[], &["eu-*"], &some), [""; 0], "nothing is grouped");
        some.coverage.all_components = false;
        assert_eq!(told(&["Pages"], &[], &some), [""; 0]);
        assert_eq!(told(&["Pages"], &[], &page(&[])), [""; 0]);
    }

    #[test]
    fn each_pattern_is_told_once_for_each_configuration() {
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
        let compared = Compared::default();
        let page = page(&[("a1", "Actions", None)]);
        let told = |provider: &Arc<Provider>| {
            compared.note(provider, unmatched(&provider.filter, &page)).len()
        };
        assert!(!compared.is_due(&provider(&[])));
        let first = provider(&["Pages"]);
        assert!(compared.is_due(&first));
        assert_eq!((told(&first), told(&first)), (1, 0));
        assert!(!compared.is_due(&first));
        let second = provider(&["Pages", "Copilot"]);
        assert!(compared.is_due(&second));
        assert_eq!((told(&second), told(&second)), (2, 0));
    }
}
