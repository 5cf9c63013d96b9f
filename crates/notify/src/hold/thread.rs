//! What an event belongs to, and its place in that.

use statuswatch_model::event::{
    ComponentStatus, Impact, IncidentKey, Kind, ProviderStatus, Status, StatusEvent,
};

use crate::notification::{Phase, hash};

/// The provider of events about this program.
const OURSELVES: &str = "statuswatch";

/// Returns the thread of an event, 32 hexadecimal digits: the same for all events about one
/// incident, maintenance, component or provider.
#[must_use]
pub fn thread_of(event: &StatusEvent) -> String {
    let provider = event.provider.as_str();
    match event.kind {
        Kind::Incident | Kind::Maintenance => {
            // Every one has an id; without one, its title keeps two of them apart.
            let id = event.incident_id.as_deref().unwrap_or(&event.title);
            IncidentKey::new(provider, id).to_string()
        }
        Kind::Component => {
            let component = event.components.first();
            if let Some(id) = component.and_then(|component| component.id.as_deref()) {
                return hash(&["thread", "component", provider, "id", id]);
            }
            let group = component.and_then(|component| component.group.as_deref());
            let name = component.map_or(event.title.as_str(), |one| one.name.as_str());
            hash(&["thread", "component", provider, "name", group.unwrap_or_default(), name])
        }
        Kind::Provider if is_about_ourselves(event) => hash(&["thread", "network"]),
        Kind::Provider => hash(&["thread", "provider", provider, "reachability"]),
    }
}

/// Returns whether the event is about the network of this program.
#[must_use]
pub(super) fn is_about_ourselves(event: &StatusEvent) -> bool {
    event.kind == Kind::Provider
        && (event.provider == OURSELVES
            || matches!(
                event.status,
                Status::Provider(ProviderStatus::Offline | ProviderStatus::Online)
            ))
}

/// Returns whether a status ends a thread: resolved, completed, withdrawn, postmortem, operational,
/// reachable, online.
#[must_use]
pub const fn ends(status: Status) -> bool {
    status.is_end()
}

/// Returns whether the thread has ended with this event.
#[must_use]
pub const fn is_end(event: &StatusEvent) -> bool {
    ends(event.status)
}

/// Returns the place of an event in its thread, for a channel that was `notified` of the thread
/// before or not.
#[must_use]
pub const fn phase_of(event: &StatusEvent, notified: bool) -> Phase {
    if is_end(event) {
        Phase::End
    } else if notified {
        Phase::Update
    } else {
        Phase::Open
    }
}

/// Returns whether the thread opens with this event: for a storm, of which announced maintenances
/// are no part.
#[must_use]
pub fn opens(event: &StatusEvent) -> bool {
    event.kind != Kind::Maintenance
        && event.status != ComponentStatus::UnderMaintenance
        && event.revision == 1
        && !is_end(event)
        && event.previous_status.is_none_or(ends)
}

/// Returns whether the event changes the state of a component, or makes a provider reachable or
/// unreachable: what can flap. A written update is none, nor is a page that has moved.
#[must_use]
pub fn is_state_change(event: &StatusEvent) -> bool {
    match event.kind {
        Kind::Component => event.previous_status != Some(event.status),
        Kind::Provider => match event.status {
            Status::Provider(ProviderStatus::Unreachable) => true,
            Status::Provider(ProviderStatus::Reachable) => {
                event.previous_status.is_some_and(|before| before == ProviderStatus::Unreachable)
            }
            _ => false,
        },
        Kind::Incident | Kind::Maintenance => false,
    }
}

/// Returns the worse of the impacts before and after an event, so that an all-clear counts as much
/// as what it ends. A page that cannot be read counts as major: it hides an impact of any size.
#[must_use]
pub fn impact_of(event: &StatusEvent) -> Impact {
    let hides = |status| {
        matches!(status, Status::Provider(ProviderStatus::Unreachable | ProviderStatus::Offline))
    };
    if event.kind == Kind::Provider {
        let hidden = hides(event.status) || event.previous_status.is_some_and(hides);
        return if hidden { Impact::Major } else { event.impact };
    }
    match event.previous_impact {
        Some(before) if before.rank() > event.impact.rank() => before,
        _ => event.impact,
    }
}

/// Returns whether an impact is known to be at least `least`.
#[must_use]
pub const fn reaches(impact: Impact, least: Impact) -> bool {
    impact.rank() >= least.rank()
}
