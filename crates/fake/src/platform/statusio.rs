//! Status.io: the answer of its API, which lists only what is open.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{Impact, IncidentStatus, Kind, Time};

use super::{Document, Documents, html, ids};

/// The path of the API, with the id of the page.
pub(super) const PATH: &str = "1.0/status/5a0000000000000000000001";

pub(super) fn documents(state: &State) -> Documents {
    let components: Vec<Value> = state
        .components
        .iter()
        .map(|one| {
            let id = ids::hex(state, "component", one.number);
            let code = code(one.status.impact());
            let container = json!({"id": ids::hex(state, "container", 0), "name": "Everywhere", "status_code": code});
            json!({"id": id, "name": one.name, "status_code": code, "updated": time(one.changed), "containers": [container]})
        })
        .collect();
    let list = |kind, begun: bool| -> Vec<Value> {
        let open = state.listed(kind, true);
        open.filter(|one| (one.status != IncidentStatus::Scheduled) == begun)
            .map(|one| notice(state, one))
            .collect()
    };
    let answer = json!({"result": {
        "status_overall": {"updated": time(state.version), "status_code": code(state.impact())},
        "status": components,
        "incidents": list(Kind::Incident, true),
        "maintenance": {"active": list(Kind::Maintenance, true), "upcoming": list(Kind::Maintenance, false)},
    }});
    Documents::from([
        (String::new(), html::page(state, "", &[])),
        (PATH.to_owned(), Document::json(&answer)),
    ])
}

fn notice(state: &State, incident: &Incident) -> Value {
    let messages: Vec<Value> = incident
        .updates
        .iter()
        .rev()
        .map(|update| {
            json!({
                "_id": ids::hex(state, "update", update.number),
                "state": stage(update.status),
                "status": code(incident.impact),
                "details": update.text,
                "datetime": time(update.at),
            })
        })
        .collect();
    let affected: Vec<Value> = state
        .components_of(incident)
        .map(|one| json!({"_id": ids::hex(state, "component", one.number), "name": one.name}))
        .collect();
    json!({
        "_id": ids::hex(state, "incident", incident.number),
        "name": incident.title,
        "datetime_open": time(incident.created),
        "datetime_planned_start": incident.window.map(|(from, _)| time(from)),
        "datetime_planned_end": incident.window.map(|(_, until)| time(until)),
        "messages": messages,
        "components_affected": affected,
        "containers_affected": [],
    })
}

fn stage(status: IncidentStatus) -> u32 {
    match status {
        IncidentStatus::Identified => 200,
        IncidentStatus::Monitoring => 300,
        IncidentStatus::Resolved => 400,
        _ => 100,
    }
}

fn code(impact: Impact) -> u32 {
    match impact {
        Impact::None | Impact::Unknown => 100,
        Impact::Maintenance => 200,
        Impact::Minor => 300,
        Impact::Major => 400,
        Impact::Critical => 500,
    }
}

fn time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
