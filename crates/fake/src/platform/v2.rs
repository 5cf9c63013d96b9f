//! The `/api/v2` format that Statuspage defined and others imitate: the common parts of its
//! dialects.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::state::{Component, Incident, State};
use statuswatch_model::event::Time;

use super::MakeId;

/// The dialect of one platform.
pub(super) struct Dialect {
    /// Derives its ids.
    pub(super) id: MakeId,
    /// The precision of its times.
    pub(super) precision: SecondsFormat,
    /// The creation time of all components.
    pub(super) made: &'static str,
    /// The additional fields of each update.
    pub(super) update: Value,
}

impl Dialect {
    /// Formats a time.
    pub(super) fn time(&self, time: Time) -> String {
        time.to_rfc3339_opts(self.precision, true)
    }

    /// Returns the id of the page.
    pub(super) fn page(&self, state: &State) -> String {
        (self.id)(state, "page", 0)
    }

    /// Returns a component at its position.
    pub(super) fn component(
        &self,
        state: &State,
        component: &Component,
        position: u32,
        changed: Time,
    ) -> Map<String, Value> {
        fields(json!({
            "id": (self.id)(state, "component", component.number),
            "name": component.name,
            "status": component.status.as_str(),
            "created_at": self.made,
            "updated_at": self.time(changed),
            "position": position,
            "page_id": self.page(state),
        }))
    }

    /// Returns an incident or maintenance, its updates newest first.
    pub(super) fn incident(&self, state: &State, incident: &Incident) -> Map<String, Value> {
        let id = (self.id)(state, "incident", incident.number);
        let updates: Vec<Value> = incident
            .updates
            .iter()
            .rev()
            .map(|update| {
                let mut value = fields(json!({
                    "id": (self.id)(state, "update", update.number),
                    "status": update.status.as_str(),
                    "body": update.text,
                    "incident_id": id,
                    "created_at": self.time(update.at),
                    "updated_at": self.time(update.changed),
                    "display_at": self.time(update.at),
                }));
                value.extend(fields(self.update.clone()));
                value.into()
            })
            .collect();
        let mut value = fields(json!({
            "id": id,
            "name": incident.title,
            "status": incident.status.as_str(),
            "impact": incident.impact.as_str(),
            "created_at": self.time(incident.created),
            "updated_at": self.time(incident.changed),
            "resolved_at": incident.resolved.map(|time| self.time(time)),
            "started_at": self.time(incident.created),
            "page_id": self.page(state),
            "incident_updates": updates,
        }));
        if let Some((from, until)) = incident.window {
            value.insert("scheduled_for".to_owned(), self.time(from).into());
            value.insert("scheduled_until".to_owned(), self.time(until).into());
        }
        value
    }
}

/// Returns the fields of an object.
pub(super) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
