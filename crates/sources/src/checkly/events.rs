//! Incidents, and the daily events of a service, which are the same incidents from another view.

use std::collections::HashMap;

use super::wire::{Day, Item, Service, WireUpdate};
use crate::ParseError;
use crate::support::{Items, Order, RawUpdate, order_updates, vocabulary};
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{Incident, Update, UpdateId, component};

/// The incidents, to which the events of the services are merged.
pub(super) struct Events {
    pub(super) incidents: Vec<Incident>,
    places: HashMap<String, usize>,
}

impl Events {
    /// Starts with the open incidents.
    pub(super) fn of(incidents: &mut Vec<Incident>) -> Self {
        let incidents = std::mem::take(incidents);
        let places = incidents.iter().enumerate().map(|(at, one)| (one.id.clone(), at)).collect();
        Self { incidents, places }
    }

    /// Returns the service as a component; its events are merged into their incidents.
    pub(super) fn of_service(
        &mut self,
        items: &mut Items,
        service: Service,
        group: &str,
    ) -> Result<Component, ParseError> {
        let group = (!group.is_empty()).then(|| group.to_owned());
        let mut own: Vec<usize> = Vec::new();
        for day in items.nested::<Day>("days", &service.days)? {
            for event in items.nested::<Item>("events", &day.events)? {
                let at = match self.places.get(event.id.as_str()) {
                    Some(at) => *at,
                    None => match incident(items, event) {
                        Ok(new) => {
                            let at = self.incidents.len();
                            self.places.insert(new.id.clone(), at);
                            self.incidents.push(new);
                            at
                        }
                        Err(why) => {
                            items.reject("events", &why);
                            continue;
                        }
                    },
                };
                own.push(at);
            }
        }
        own.sort_unstable();
        own.dedup();
        let open = own
            .iter()
            .filter_map(|at| self.incidents.get(*at))
            .filter(|one| !one.status.is_over())
            .map(|one| one.impact)
            .max_by_key(|impact| impact.rank());
        let state = open.map_or(ComponentStatus::Operational, state);
        let one = component(Some(service.id.0), service.name, group, state);
        for at in own {
            if let Some(incident) = self.incidents.get_mut(at) {
                incident.components.push(one.clone());
            }
        }
        Ok(one)
    }

    /// Returns whether something is open that no service shows.
    pub(super) fn open_nowhere(&self) -> bool {
        self.incidents.iter().any(|one| !one.status.is_over() && one.components.is_empty())
    }
}

/// Converts an incident, or the event of a day.
pub(super) fn incident(items: &mut Items, wire: Item) -> Result<Incident, String> {
    let list: Vec<WireUpdate> =
        items.nested("updates", &wire.incident_updates).map_err(|error| error.to_string())?;
    let word =
        if wire.last_update_status.is_empty() { &wire.status } else { &wire.last_update_status };
    let mut incident = Incident::new(Kind::Incident, wire.id.0, wire.name);
    incident.status = vocabulary::status(word);
    incident.impact = impact(&wire.severity);
    incident.started_at = wire.created.or(wire.created_at.0);
    if list.is_empty() {
        incident.updates =
            latest(incident.status, wire.updated_at.0, wire.description.0).into_iter().collect();
    } else {
        let written = list.into_iter().map(|wire| RawUpdate {
            id: wire.id.0.map(|id| id.0),
            ..RawUpdate::new(
                vocabulary::status(&wire.status),
                wire.public_incident_update_date.or(wire.created.0),
                wire.description.0,
            )
        });
        incident.updates = order_updates(written, Order::MostlyNewestFirst);
    }
    Ok(incident)
}

/// Returns the one displayed update, which the next one replaces.
pub(super) fn latest(status: IncidentStatus, at: Option<Time>, text: String) -> Option<Update> {
    (at.is_some() || !text.is_empty()).then_some(Update {
        id: if at.is_some() { UpdateId::Latest } else { UpdateId::Content },
        status,
        stated: status,
        published_at: at,
        edited_at: None,
        text,
    })
}

/// Maps Checkly's severities, which grade alerts; medium is not an outage.
pub(super) fn impact(severity: &str) -> Impact {
    const SEVERITIES: &[(&str, Impact)] = &[
        ("MINOR", Impact::Minor),
        ("MEDIUM", Impact::Minor),
        ("MAJOR", Impact::Major),
        ("CRITICAL", Impact::Critical),
    ];
    vocabulary::lookup(severity, SEVERITIES).unwrap_or(Impact::Unknown)
}

/// Returns the component status that an incident of that impact implies.
pub(super) fn state(impact: Impact) -> ComponentStatus {
    match impact {
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Major => ComponentStatus::PartialOutage,
        Impact::Critical => ComponentStatus::MajorOutage,
        _ => ComponentStatus::Unknown,
    }
}
