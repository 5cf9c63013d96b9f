//! Better Stack: one JSON:API document of page, resources, reports and their updates.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{ComponentStatus, Impact, Kind, Time};

use super::{Document, Documents, html, ids};

/// Reports listed.
const WINDOW: usize = 50;

pub(super) fn documents(state: &State) -> Documents {
    let section = ids::decimal(state, "section", 0);
    let mut included =
        vec![item(&section, "status_page_section", &json!({"name": "Services", "position": 0}))];
    for one in &state.components {
        let attributes = json!({
            "status_page_section_id": section,
            "public_name": one.name,
            "explanation": "",
            "availability": 0.9999,
            "status": resource(one.status),
            "status_history": [{"day": state.version.format("%Y-%m-%d").to_string(), "status": resource(one.status), "downtime_duration": 0}],
        });
        included.push(item(
            &ids::decimal(state, "component", one.number),
            "status_page_resource",
            &attributes,
        ));
    }
    for incident in state.incidents.iter().rev().take(state.window.unwrap_or(WINDOW)) {
        report(state, incident, &mut included);
    }
    let page = json!({
        "id": ids::decimal(state, "page", 0),
        "type": "status_page",
        "attributes": {
            "company_name": state.name,
            "timezone": "UTC",
            "subdomain": state.tenant,
            "custom_domain": html::home(state).trim_start_matches("https://"),
            "announcement": null,
            "aggregate_state": word(state.impact()),
            "updated_at": time(state.version),
        },
    });
    let index = Document::json(&json!({"data": page, "included": included}));
    Documents::from([(String::new(), html::page(state, "", &[])), ("index.json".to_owned(), index)])
}

/// Appends a report after its updates. Each update lists the affected resources.
fn report(state: &State, incident: &Incident, included: &mut Vec<Value>) {
    let over = incident.status.is_over();
    let affected = |over: bool| -> Vec<Value> {
        let state_of = if over { "resolved" } else { word(incident.impact) };
        let of_it = state.components_of(incident);
        of_it
            .map(|one| json!({"status_page_resource_id": ids::decimal(state, "component", one.number), "status": state_of}))
            .collect()
    };
    let mut links = Vec::with_capacity(incident.updates.len());
    for update in &incident.updates {
        let id = ids::decimal(state, "update", update.number);
        links.push(json!({"id": id, "type": "status_update"}));
        let attributes = json!({
            "message": update.text,
            "published_at": time(update.at),
            "published_at_timezone": "UTC",
            "notify_subscribers": true,
            "affected_resources": affected(update.status.is_over()),
        });
        included.push(item(&id, "status_update", &attributes));
    }
    let attributes = json!({
        "title": incident.title,
        "report_type": if incident.kind == Kind::Maintenance { "maintenance" } else { "manual" },
        "starts_at": time(incident.window.map_or(incident.created, |(from, _)| from)),
        // For incidents it stays null, even when they are over.
        "ends_at": incident.window.map(|(_, until)| time(until)),
        "affected_resources": affected(over),
        "aggregate_state": if over { "resolved" } else { word(incident.impact) },
    });
    let mut value =
        item(&ids::decimal(state, "incident", incident.number), "status_report", &attributes);
    if let Value::Object(fields) = &mut value {
        fields.insert("relationships".to_owned(), json!({"status_updates": {"data": links}}));
    }
    included.push(value);
}

fn item(id: &str, kind: &str, attributes: &Value) -> Value {
    json!({"id": id, "type": kind, "attributes": attributes})
}

fn word(impact: Impact) -> &'static str {
    match impact {
        Impact::None | Impact::Unknown => "operational",
        Impact::Minor => "degraded",
        Impact::Major | Impact::Critical => "downtime",
        Impact::Maintenance => "maintenance",
    }
}

fn resource(status: ComponentStatus) -> &'static str {
    match status {
        ComponentStatus::Unknown => "not_monitored",
        status => word(status.impact()),
    }
}

fn time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
