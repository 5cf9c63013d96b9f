//! A component in one poll: the event that its change of state becomes.

use super::component_state::ComponentState;
use super::identify::number;
use super::numbering::NewEvent;
use crate::config::Provider;
use crate::event::{
    Component, ComponentStatus, Draft, Fingerprint, IncidentKey, Kind, Status, Time, UpdateKey,
    event_id,
};

/// The poll in which components were observed.
#[derive(Clone, Copy)]
pub(super) struct Observation<'a> {
    pub(super) provider: &'a Provider,
    pub(super) source: &'a str,
    /// The human-readable page.
    pub(super) page: Option<&'a str>,
    pub(super) now: Time,
}

impl<'a> Observation<'a> {
    /// Returns an event that was observed in this poll.
    pub(super) fn event(self, draft: Draft, suppressed_by: Option<&'a str>) -> NewEvent<'a> {
        NewEvent::of(self.provider, self.source, draft, suppressed_by, self.now)
    }
}

/// Returns the event for a component's change to its current state, first seen at `at`.
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
