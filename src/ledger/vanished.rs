//! Detects components and regions that a filter names and the page no longer lists: a user who
//! watches only such a component would receive nothing. One event reports it, and again only after
//! it was back.
//!
//! Only a page that lists all its components can lose one, and only one it listed before: a name
//! that was never listed is misspelled, which is a warning and not an event. A missing component is
//! confirmed by a second read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::book::{Book, Change};
use super::component_state::ComponentState;
use super::error::Result;
use super::known::ProviderState;
use super::messages::Record;
use crate::config::Filter;
use crate::event::{
    Component, Draft, Fingerprint, Impact, IncidentKey, Kind, ProviderStatus, UpdateKey, event_id,
};

/// Consecutive documents without it after which it is absent.
const LOOKS: u32 = 2;

/// Names of a filter that the page does not list, stored with the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vanished {
    /// Number of reported disappearances, part of their ids.
    reported: u32,
    /// Consecutive documents without it, by `component Actions` or `region eu-*`.
    missing: BTreeMap<String, u32>,
}

/// The result of checking a filter's names against one document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The state to store.
    vanished: Vanished,
    /// Confirmed as absent: `component Actions`.
    newly_absent: Vec<String>,
    /// Something is missing for the first time: the page must be read again unconditionally.
    recheck: bool,
}

/// A name of a filter: its kind, its pattern, and the function that matches a component.
type Name<'a> = (&'static str, &'a String, fn(&Component, &[String]) -> bool);

fn names(filter: &Filter) -> impl Iterator<Item = Name<'_>> {
    let component = |pattern| ("component", pattern, Component::matches as fn(&_, &_) -> _);
    let region = |pattern| ("region", pattern, Component::is_in_region as fn(&_, &_) -> _);
    filter.components.iter().map(component).chain(filter.regions.iter().map(region))
}

/// Compares a complete component list with the known components.
pub(super) fn compare(
    filter: &Filter,
    mut vanished: Vanished,
    listed: &[Component],
    known: &[Component],
) -> Found {
    let (mut newly_absent, mut recheck) = (Vec::new(), false);
    let mut missing = BTreeMap::new();
    for (what, pattern, matches) in names(filter) {
        let is_in = |components: &[Component]| {
            components.iter().any(|component| matches(component, std::slice::from_ref(pattern)))
        };
        if is_in(listed) || !is_in(known) {
            continue;
        }
        let name = format!("{what} \"{pattern}\"");
        let looks = vanished.missing.get(&name).map_or(1, |looks| looks.saturating_add(1));
        if looks == LOOKS {
            newly_absent.push(name.clone());
        }
        recheck |= looks < LOOKS;
        missing.insert(name, looks.min(LOOKS + 1));
    }
    vanished.missing = missing;
    Found { vanished, newly_absent, recheck }
}

/// Checks the filter's names against this document. `before` are the components known before it.
/// Returns the number of events emitted, and whether the page must be read again unconditionally.
pub(super) fn vanished(
    book: &mut dyn Book,
    message: &Record,
    state: &ProviderState,
    before: &[Component],
) -> Result<(usize, bool)> {
    let provider = &message.provider;
    let former = book.vanished()?;
    let Found { mut vanished, newly_absent, recheck } =
        compare(&provider.filter, former.clone(), &message.snapshot.components, before);
    let mut events = 0;
    for name in newly_absent {
        vanished.reported = vanished.reported.saturating_add(1);
        let count = vanished.reported.to_string();
        // The counter distinguishes it from any event of this database, the time from any event of
        // a lost database.
        let at = message.observed_at.timestamp_millis().to_string();
        let key = IncidentKey::new(&provider.id, "provider");
        let update = UpdateKey::change(key, "vanished", &[&name, &count, &at]);
        let id = event_id(
            update,
            Kind::Provider,
            Fingerprint::new(ProviderStatus::Reachable, "vanished"),
        );
        let previous = (state.outages > 0).then_some(ProviderStatus::Reachable);
        let draft = Draft {
            update_id: Some(update.shown("vanished")),
            previous_status: previous.map(Into::into),
            previous_impact: previous.map(|_| Impact::Unknown),
            message: Some(format!(
                "This provider's filter names the {name}, which its page listed before and no longer lists: no events will be reported for it. Please check providers.yaml."
            )),
            url: message.snapshot.page.url.clone(),
            ..Draft::new(
                id,
                Kind::Provider,
                format!("{} no longer lists the {name}", provider.name),
                ProviderStatus::Reachable,
                message.observed_at,
            )
        };
        events += usize::from(book.emit(message.event(draft, None))?);
    }
    if vanished != former {
        book.put(Change::Vanished(&vanished))?;
    }
    Ok((events, recheck))
}

/// Returns the known components of a provider if its filter names some and this page lists all of
/// them.
pub(super) fn known_before(
    book: &mut dyn Book,
    message: &Record,
) -> Result<Option<Vec<Component>>> {
    let Record { provider, snapshot, .. } = message;
    if !provider.filter.names_something()
        || !snapshot.coverage.all_components
        || snapshot.components.is_empty()
    {
        return Ok(None);
    }
    let known = book.components()?.into_iter();
    let component = |(key, known): (String, ComponentState)| known.shown(key);
    Ok(Some(known.map(component).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ComponentStatus;
    use crate::snapshot::component;

    fn listed(names: &[&str]) -> Vec<Component> {
        let one = |name: &&str| {
            let group = Some("Core".to_owned());
            component(Some((*name).to_owned()), *name, group, ComponentStatus::Operational)
        };
        names.iter().map(one).collect()
    }

    #[test]
    fn a_listed_component_is_absent_after_two_polls_and_reported_once() {
        let filter = Filter {
            components: vec!["Act*".to_owned(), "Acitons".to_owned(), "Pages".to_owned()],
            regions: vec!["eu".to_owned()],
            ..Filter::default()
        };
        let known = listed(&["Actions", "Pages", "Web"]);
        let look = |before: Vanished, names: &[&str]| {
            let found = compare(&filter, before, &listed(names), &known);
            (found.vanished, found.newly_absent, found.recheck)
        };
        let (kept, newly_absent, recheck) = look(Vanished::default(), &["Actions", "Pages"]);
        assert_eq!((&kept, newly_absent.len(), recheck), (&Vanished::default(), 0, false));
        let (kept, newly_absent, recheck) = look(kept, &["Pages"]);
        assert_eq!((newly_absent.len(), recheck), (0, true), "once may be an accident");
        let (kept, newly_absent, recheck) = look(kept, &["Pages"]);
        assert_eq!(
            (newly_absent.as_slice(), recheck),
            (["component \"Act*\"".to_owned()].as_slice(), false)
        );
        let (kept, newly_absent, recheck) = look(kept, &["Pages"]);
        assert_eq!((newly_absent.len(), recheck), (0, false), "said already");
        let (kept, ..) = look(kept, &["Actions", "Pages"]);
        let (kept, ..) = look(kept, &["Pages"]);
        let (_, newly_absent, _) = look(kept, &["Pages"]);
        assert_eq!(newly_absent.len(), 1, "it was back");
    }
}
