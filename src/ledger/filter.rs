//! Applies the user's filters: decides which events are emitted and which are only stored, and
//! names the reason.

use crate::config::{Filter, MaintenanceFilter};
use crate::event::{Draft, Impact, IncidentStatus, Kind};

/// Returns the filter that suppresses the event; `None` if it is emitted.
///
/// Events that cannot be judged are emitted: incidents that name no components, and impacts the
/// provider does not state. Once an event of an incident was emitted (`emitted_before`), all later
/// ones are, so that no incident is left without an end.
#[must_use]
pub fn suppressed_by(filter: &Filter, draft: &Draft, emitted_before: bool) -> Option<&'static str> {
    if draft.kind == Kind::Provider {
        // Unreachable providers always raise an event.
        return None;
    }
    if !filter.kinds.is_empty() && !filter.kinds.contains(&draft.kind) {
        return Some("kinds");
    }
    if draft.kind == Kind::Maintenance {
        match filter.maintenance {
            MaintenanceFilter::On => {}
            MaintenanceFilter::Off => return Some("maintenance"),
            MaintenanceFilter::StartsOnly => {
                return (draft.status != IncidentStatus::InProgress
                    || draft.previous_status == Some(IncidentStatus::InProgress.into()))
                .then_some("maintenance");
            }
        }
    }
    if emitted_before && draft.kind != Kind::Component {
        return None;
    }
    if !filter.components.is_empty()
        && !draft.components.is_empty()
        && !draft.components.iter().any(|component| component.matches(&filter.components))
    {
        return Some("components");
    }
    if !filter.regions.is_empty()
        && draft.components.iter().any(|component| component.group.is_some())
        && !draft.components.iter().any(|component| component.is_in_region(&filter.regions))
    {
        return Some("regions");
    }
    // A recovering component has impact none: use the worse of its two states.
    let impact = Impact::worst(draft.previous_impact.into_iter().chain([draft.impact]));
    if let Some(least) = filter.min_impact
        && impact != Impact::Unknown
        && impact.rank() < least.rank()
    {
        return Some("min_impact");
    }
    None
}
