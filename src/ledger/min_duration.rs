//! Implements `min_duration`: a component state is reported once it has lasted, and only recorded
//! if the component returns to its former state sooner. Judges with the
//! book alone.
//!
//! The time counts from when the former state was left: a component that keeps changing is reported
//! too, in its state at that time. Any successful poll, including an unchanged one, shows that a
//! state lasts; an unreachable provider shows nothing.

use std::collections::HashSet;
use std::time::Duration;

use super::book::{Book, Change};
use super::component_state::{self, ComponentState, Components, Held};
use super::error::Result;
use super::filter::suppressed_by;
use super::observation::{Observation, change_of};
use crate::config::Provider;
use crate::event::{Component, Time};

/// The reason a change is not reported, as shown by `history --all`.
const REASON: &str = "min_duration";

/// What to do with a change of state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Report it immediately.
    Report,
    /// Hold it back until it has lasted.
    Hold(Held),
    /// The former state returned in time: report nothing.
    Back,
}

/// Decides what to do with a component whose state changed.
pub(super) fn decide(
    before: &ComponentState,
    component: &Component,
    min: Duration,
    now: Time,
) -> Decision {
    match &before.held {
        Some(held) if held.from == component.status => Decision::Back,
        Some(held) if is_over(held, min, now) => Decision::Report,
        Some(held) => Decision::Hold(held.clone()),
        None if min.is_zero() => Decision::Report,
        None => Decision::Hold(Held { from: before.status, since: now.timestamp_millis() }),
    }
}

/// Returns whether a change has been held back for long enough.
pub(super) fn is_over(held: &Held, min: Duration, now: Time) -> bool {
    is_due(Time::from_timestamp_millis(held.since), min, now)
}

/// Returns whether the oldest held-back change is due at a successful poll at `now`.
pub(super) fn is_due(since: Option<Time>, min: Duration, now: Time) -> bool {
    since.is_some_and(|since| {
        now.signed_duration_since(since).to_std().is_ok_and(|lasted| lasted >= min)
    })
}

/// Returns the held-back change of a component in the form of an event.
fn held_change(before: &ComponentState, held: &Held) -> (Component, ComponentState) {
    let component = Component {
        id: before.id.clone(),
        name: before.name.clone(),
        group: before.group.clone(),
        status: before.status,
    };
    // It was counted when it was observed.
    let changes = before.changes.saturating_sub(1);
    let former = ComponentState { status: held.from, changes, held: None, ..before.clone() };
    (component, former)
}

/// Records a held-back change that did not last.
pub(super) fn record_passed(
    book: &mut dyn Book,
    observation: Observation<'_>,
    id: &str,
    before: &ComponentState,
) -> Result<()> {
    let Some(held) = &before.held else { return Ok(()) };
    let (component, former) = held_change(before, held);
    let draft = change_of(observation, id, &component, &former, before.seen());
    book.emit(observation.event(draft, Some(REASON)))?;
    Ok(())
}

/// Records that the former state returned in time.
pub(super) fn record_back(
    book: &mut dyn Book,
    observation: Observation<'_>,
    id: &str,
    component: &Component,
    before: &ComponentState,
) -> Result<()> {
    record_passed(book, observation, id, before)?;
    let draft = change_of(observation, id, component, before, observation.now);
    book.emit(observation.event(draft, Some(REASON)))?;
    Ok(())
}

/// Reports a held-back change that has lasted. Returns the number of events emitted. `published_at`
/// is when the state was first seen, `observed_at` is now.
pub(super) fn report(
    book: &mut dyn Book,
    observation: Observation<'_>,
    id: &str,
    known: &mut ComponentState,
) -> Result<usize> {
    let Some(held) = known.held.take() else { return Ok(0) };
    let (component, former) = held_change(known, &held);
    let draft = change_of(observation, id, &component, &former, known.seen());
    let suppression = suppressed_by(&observation.provider.filter, &draft, known.emitted.is_some());
    let emitted = book.emit(observation.event(draft, suppression))?;
    if suppression.is_none() {
        known.emitted = Some(component.status.into());
    }
    Ok(usize::from(emitted))
}

/// Discards held-back changes of unlisted components: they were not seen to last.
pub(super) fn forget_unlisted(known: &mut Components, listed: &HashSet<String>) {
    for (_, component) in known.iter_mut().filter(|(id, _)| !listed.contains(*id)) {
        if let Some(held) = component.held.take() {
            component.status = held.from;
        }
    }
}

/// Reports changes that have lasted by an unchanged poll at `now`. Returns since when the oldest
/// remaining change has been held back.
pub(super) fn settle(book: &mut dyn Book, provider: &Provider, now: Time) -> Result<Option<Time>> {
    let state = book.state()?;
    let mut known = book.components()?;
    let source = state.source.as_deref().unwrap_or("unknown");
    let observation = Observation { provider, source, page: state.page_url.as_deref(), now };
    let mut settled = false;
    for (id, component) in &mut known {
        let over = |held: &Held| is_over(held, provider.settings.min_duration, now);
        if component.held.as_ref().is_some_and(over) {
            report(book, observation, id, component)?;
            settled = true;
        }
    }
    let since = component_state::held_since(&known);
    if settled {
        // The list keeps its length, so it needs no bound.
        book.put(Change::Components(known, state.components_digest))?;
    }
    Ok(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ComponentStatus;
    use crate::event::parse_time;
    use crate::snapshot::component;

    fn at(second: i64) -> Time {
        parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::seconds(second)
    }

    fn seen(status: ComponentStatus) -> Component {
        component(Some("api".to_owned()), "API", None, status)
    }

    #[test]
    fn a_state_has_to_last_from_when_the_former_one_was_left() {
        use ComponentStatus::{DegradedPerformance, MajorOutage, Operational};
        let min = Duration::from_mins(1);
        let before = ComponentState::new(&seen(Operational), None, 0, at(0));
        let decided =
            |before: &ComponentState, to, second| decide(before, &seen(to), min, at(second));
        let no_min = decide(&before, &seen(MajorOutage), Duration::ZERO, at(10));
        assert_eq!(no_min, Decision::Report);
        let Decision::Hold(held) = decided(&before, DegradedPerformance, 10) else { panic!() };
        let holding = ComponentState {
            status: DegradedPerformance,
            held: Some(held.clone()),
            ..before.clone()
        };
        assert_eq!(decided(&holding, Operational, 50), Decision::Back);
        assert_eq!(decided(&holding, MajorOutage, 50), Decision::Hold(held.clone()));
        assert_eq!(decided(&holding, MajorOutage, 70), Decision::Report);
        assert_eq!(decided(&holding, Operational, 500), Decision::Back, "not seen to last");
        assert!(!is_over(&held, min, at(69)) && is_over(&held, min, at(70)));
        assert!(!is_over(&held, min, at(0)), "the clock was set back");
    }
}
