//! A Google dashboard: a plain list of incidents, newest first, including ended ones.

use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{Impact, Kind, Time};

use super::{Document, Documents, html, ids};

/// The path of the list.
pub(super) const PATH: &str = "incidents.json";

/// Incidents listed.
const WINDOW: usize = 50;

pub(super) fn documents(state: &State) -> Documents {
    let shown = state.listed(Kind::Incident, false).take(state.window.unwrap_or(WINDOW));
    let mut list: Vec<Value> = shown.map(|one| incident(state, one)).collect();
    if list.is_empty() {
        // The history is never empty; this entry has no updates.
        list.push(json!({
            "id": ids::mixed(state, "incident", 0), "number": "1", "begin": "2025-01-01T00:00:00+00:00",
            "end": "2025-01-01T01:00:00+00:00", "external_desc": "Slow start of the year", "updates": [], "service_key": "none",
        }));
    }
    Documents::from([
        (String::new(), html::page(state, "", &[])),
        (PATH.to_owned(), Document::json(&list.into())),
    ])
}

fn incident(state: &State, incident: &Incident) -> Value {
    let id = ids::mixed(state, "incident", incident.number);
    let updates: Vec<Value> = incident
        .updates
        .iter()
        .rev()
        .map(|update| {
            let status = if update.status.is_over() { "AVAILABLE" } else { status(incident.impact) };
            json!({"created": time(update.at), "modified": time(update.changed), "when": time(update.at), "text": update.text, "status": status})
        })
        .collect();
    let products: Vec<Value> = state
        .components_of(incident)
        .map(|one| json!({"title": one.name, "current_title": one.name, "id": ids::mixed(state, "component", one.number)}))
        .collect();
    json!({
        "id": id,
        "number": ids::decimal(state, "incident", incident.number),
        "begin": time(incident.created),
        "created": time(incident.created),
        "end": incident.resolved.map(time),
        "modified": time(incident.changed),
        "external_desc": incident.title,
        "most_recent_update": updates.first(),
        "updates": updates,
        "status_impact": status(incident.impact),
        "severity": if incident.impact == Impact::Critical { "high" } else { "medium" },
        "service_key": "zall",
        "service_name": "Multiple Products",
        "affected_products": products,
        "currently_affected_locations": [],
        "previously_affected_locations": [],
        "uri": format!("incidents/{id}"),
    })
}

fn status(impact: Impact) -> &'static str {
    match impact {
        Impact::None | Impact::Unknown | Impact::Maintenance => "SERVICE_INFORMATION",
        Impact::Minor => "SERVICE_DISRUPTION",
        Impact::Major | Impact::Critical => "SERVICE_OUTAGE",
    }
}

/// More precise than the real one, which has no two updates within a second.
fn time(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, false)
}
