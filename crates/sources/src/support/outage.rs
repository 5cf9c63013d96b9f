//! Incidents derived from the heartbeats of an up/down monitor, which has no written incidents.

use super::{Order, RawUpdate, name, order_updates};
use statuswatch_model::event::{Component, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::Incident;

const DOWN: &str =
    "The monitor reports that this is down. (Made from the monitor's state; nobody wrote this.)";
const UP: &str = "The monitor reports that this is up again. (Made from the monitor's state; nobody wrote this.)";

/// One check of a monitor.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was performed.
    pub at: Option<Time>,
    /// The result; `None` where it is neither up nor down for certain.
    pub up: Option<bool>,
}

/// Returns the outages among `heartbeats`, oldest first, as one incident of the monitor `id`;
/// `None` where there are none.
///
/// All outages of a monitor share one incident, with an update for the start and end of each. The
/// window of heartbeats slides, so an id derived from the start of an outage would change once that
/// start has left the window.
#[must_use]
pub fn outage(id: &str, component: &Component, heartbeats: &[Sample]) -> Option<Incident> {
    let mut updates = Vec::new();
    let mut former = None;
    let mut began = None;
    for sample in heartbeats {
        match (former, sample.up) {
            // Down in the first heartbeat: the start is unknown, so it is a state and not an
            // update.
            (Some(true), Some(false)) => {
                began = sample.at;
                updates.push(update(sample.at, IncidentStatus::Investigating, DOWN));
            }
            (Some(false), Some(true)) => {
                updates.push(update(sample.at, IncidentStatus::Resolved, UP));
            }
            _ => {}
        }
        former = sample.up.or(former);
    }
    let is_down = former == Some(false);
    if !is_down && updates.is_empty() {
        return None;
    }
    let mut incident =
        Incident::new(Kind::Incident, id, name(&format!("{} is down", component.name)));
    incident.status =
        if is_down { IncidentStatus::Investigating } else { IncidentStatus::Resolved };
    incident.impact = Impact::Major;
    incident.started_at = began;
    incident.components = vec![component.clone()];
    incident.updates = order_updates(updates, Order::OldestFirst);
    Some(incident)
}

fn update(at: Option<Time>, status: IncidentStatus, text: &str) -> RawUpdate {
    RawUpdate::new(status, at, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::ComponentStatus;
    use statuswatch_model::snapshot::component;

    fn outages(
        beats: &[(i64, Option<bool>)],
    ) -> Option<(IncidentStatus, Vec<(IncidentStatus, i64)>)> {
        let heartbeats: Vec<Sample> = beats
            .iter()
            .map(|(at, up)| Sample { at: Time::from_timestamp(*at, 0), up: *up })
            .collect();
        let incident =
            outage("m", &component(None, "API", None, ComponentStatus::Unknown), &heartbeats)?;
        let updates = incident
            .updates
            .iter()
            .map(|update| (update.status, update.published_at.unwrap().timestamp()));
        Some((incident.status, updates.collect()))
    }

    #[test]
    fn every_outage_in_the_window_is_reported_and_an_older_one_is_a_state() {
        let (up, down) = (Some(true), Some(false));
        assert_eq!(outages(&[(1, up), (2, None), (3, up)]), None);
        assert_eq!(outages(&[]), None);
        assert_eq!(
            outages(&[(1, up), (2, down), (3, down)]),
            Some((IncidentStatus::Investigating, vec![(IncidentStatus::Investigating, 2)]))
        );
        assert_eq!(
            outages(&[(2, down), (3, None)]),
            Some((IncidentStatus::Investigating, vec![])),
            "a pending heartbeat ends no outage"
        );
        let ends = vec![
            (IncidentStatus::Resolved, 3),
            (IncidentStatus::Investigating, 4),
            (IncidentStatus::Resolved, 5),
        ];
        assert_eq!(
            outages(&[(2, down), (3, up), (4, down), (5, up)]),
            Some((IncidentStatus::Resolved, ends))
        );
    }
}
