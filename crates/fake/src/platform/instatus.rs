//! Instatus: a summary of what is open, the components, and a feed with all updates.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{Impact, IncidentStatus, Kind};

use super::v2::fields;
use super::{Document, Documents, feed, html, ids};

pub(super) fn documents(state: &State) -> Documents {
    let open =
        |kind| state.listed(kind, true).map(|one| notice(state, one)).collect::<Vec<Value>>();
    let (incidents, maintenances) = (open(Kind::Incident), open(Kind::Maintenance));
    let overall = match (incidents.is_empty(), maintenances.is_empty()) {
        (false, _) => "HASISSUES",
        (true, false) => "UNDERMAINTENANCE",
        (true, true) => "UP",
    };
    let mut summary =
        fields(json!({"page": {"name": state.name, "url": html::home(state), "status": overall}}));
    // Empty lists are omitted.
    for (key, list) in [("activeIncidents", incidents), ("activeMaintenances", maintenances)] {
        if !list.is_empty() {
            summary.insert(key.to_owned(), list.into());
        }
    }
    let components: Vec<Value> = state
        .components
        .iter()
        .map(|one| {
            let id = ids::cuid(state, "component", one.number);
            json!({"id": id, "name": one.name, "description": "", "status": word(one.status.as_str()), "group": null})
        })
        .collect();
    Documents::from([
        (String::new(), html::page(state, "", &[("application/atom+xml", "history.atom")])),
        ("summary.json".to_owned(), Document::json(&summary.into())),
        ("v2/components.json".to_owned(), Document::json(&json!({"components": components}))),
        ("history.atom".to_owned(), feed::atom_with(state, |incident| link(state, incident))),
    ])
}

fn notice(state: &State, incident: &Incident) -> Value {
    let time =
        |time: statuswatch_model::event::Time| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut value = fields(json!({
        "id": ids::cuid(state, "incident", incident.number),
        "name": incident.title,
        "status": match incident.status {
            IncidentStatus::Scheduled => "NOTSTARTEDYET".to_owned(),
            status => word(status.as_str()),
        },
        "url": link(state, incident),
        "updatedAt": time(incident.changed),
    }));
    if let Some((from, until)) = incident.window {
        // Minutes, as a string.
        value.extend(fields(
            json!({"start": time(from), "duration": (until - from).num_minutes().to_string()}),
        ));
    } else {
        value.extend(fields(
            json!({"started": time(incident.created), "impact": impact(incident.impact)}),
        ));
    }
    value.into()
}

fn link(state: &State, incident: &Incident) -> String {
    format!("{}/incident/{}", html::home(state), ids::cuid(state, "incident", incident.number))
}

/// Returns the platform's word for a status: the model's in capitals, without separators.
fn word(ours: &str) -> String {
    ours.replace('_', "").to_uppercase()
}

fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None | Impact::Unknown => "OPERATIONAL",
        Impact::Minor => "DEGRADEDPERFORMANCE",
        Impact::Major => "PARTIALOUTAGE",
        Impact::Critical => "MAJOROUTAGE",
        Impact::Maintenance => "UNDERMAINTENANCE",
    }
}
