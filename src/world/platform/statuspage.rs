//! Atlassian Statuspage: the v2 API and the two history feeds.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::event::{Impact, Kind, Status, Time};
use crate::world::state::{Component, Incident, State};

use super::{Document, Documents, Platform, feed, html, ids};

/// Statuspage.
#[derive(Debug, Clone, Copy)]
pub struct Statuspage;

/// Entries of the API's lists; older ones cannot be had.
const WINDOW: usize = 50;

impl Platform for Statuspage {
    fn name(&self) -> &'static str {
        "statuspage"
    }

    fn source(&self) -> &'static str {
        "statuspage"
    }

    fn documents(&self, state: &State) -> Documents {
        let page = page(state);
        let status = json!({"indicator": state.impact().as_str(), "description": description(state.impact())});
        let components: Vec<Value> = state.components.iter().zip(1..).map(|(one, place)| component(state, one, place)).collect();
        let list = |kind, open_only, window| -> Vec<Value> {
            state.listed(kind, open_only).take(window).map(|one| incident(state, one)).collect()
        };
        let past = state.window.unwrap_or(WINDOW);
        let open = list(Kind::Incident, true, usize::MAX);
        let planned = list(Kind::Maintenance, true, usize::MAX);
        let mut documents = Documents::new();
        let mut add = |path: &str, value: Value| documents.insert(path.to_owned(), Document::json(&value));
        add(
            "api/v2/summary.json",
            json!({"page": page, "components": components, "incidents": open, "scheduled_maintenances": planned, "status": status}),
        );
        add("api/v2/status.json", json!({"page": page, "status": status}));
        add("api/v2/components.json", json!({"page": page, "components": components}));
        add("api/v2/incidents.json", json!({"page": page, "incidents": list(Kind::Incident, false, past)}));
        add("api/v2/incidents/unresolved.json", json!({"page": page, "incidents": open}));
        add(
            "api/v2/scheduled-maintenances.json",
            json!({"page": page, "scheduled_maintenances": list(Kind::Maintenance, false, past)}),
        );
        let feeds = [("application/atom+xml", "history.atom"), ("application/rss+xml", "history.rss")];
        documents.insert(String::new(), html::page(state, "", &feeds));
        documents.insert("history.atom".to_owned(), feed::atom(state));
        documents.insert("history.rss".to_owned(), feed::rss(state));
        documents
    }

    fn incident_id(&self, state: &State, incident: u64) -> String {
        ids::code(state, "incident", incident)
    }

    fn update_id(&self, state: &State, update: u64) -> Option<String> {
        Some(ids::code(state, "update", update))
    }
}

fn page(state: &State) -> Value {
    json!({
        "id": ids::code(state, "page", 0),
        "name": state.name,
        "url": html::home(state),
        "time_zone": "Etc/UTC",
        "updated_at": millis(state.version),
    })
}

fn component(state: &State, component: &Component, position: u32) -> Value {
    json!({
        "id": ids::code(state, "component", component.number),
        "name": component.name,
        "status": component.status.as_str(),
        "created_at": "2024-03-05T09:30:00.000Z",
        "updated_at": millis(component.changed),
        "position": position,
        "description": null,
        "showcase": false,
        "start_date": null,
        "group_id": null,
        "page_id": ids::code(state, "page", 0),
        "group": false,
        "only_show_if_degraded": false,
    })
}

fn incident(state: &State, incident: &Incident) -> Value {
    let id = ids::code(state, "incident", incident.number);
    let affected: Vec<Value> = state
        .components_of(incident)
        .map(|one| {
            let code = ids::code(state, "component", one.number);
            json!({"code": code, "name": one.name, "old_status": one.status.as_str(), "new_status": one.status.as_str()})
        })
        .collect();
    // The list is newest first.
    let updates: Vec<Value> = incident
        .updates
        .iter()
        .rev()
        .map(|update| {
            json!({
                "id": ids::code(state, "update", update.number),
                "status": update.status.as_str(),
                "body": update.text,
                "incident_id": id,
                "created_at": millis(update.at),
                "updated_at": millis(update.changed),
                "display_at": millis(update.at),
                "affected_components": if affected.is_empty() { Value::Null } else { Value::from(affected.clone()) },
                "deliver_notifications": true,
                "custom_tweet": null,
                "tweet_id": null,
            })
        })
        .collect();
    let monitoring = incident.updates.iter().rev().find(|update| update.status == Status::Monitoring).map(|update| update.at);
    let components: Vec<Value> = state.components_of(incident).zip(1..).map(|(one, place)| component(state, one, place)).collect();
    let mut value = json!({
        "id": id,
        "name": incident.title,
        "status": incident.status.as_str(),
        "created_at": millis(incident.created),
        "updated_at": millis(incident.changed),
        "monitoring_at": monitoring.map(millis),
        "resolved_at": incident.resolved.map(millis),
        "impact": incident.impact.as_str(),
        "shortlink": format!("{}/incidents/{id}", html::home(state)),
        "started_at": millis(incident.created),
        "page_id": ids::code(state, "page", 0),
        "incident_updates": updates,
        "components": components,
        "reminder_intervals": null,
    });
    if let (Some((from, until)), Value::Object(fields)) = (incident.window, &mut value) {
        fields.insert("scheduled_for".to_owned(), millis(from).into());
        fields.insert("scheduled_until".to_owned(), millis(until).into());
    }
    value
}

fn description(impact: Impact) -> &'static str {
    match impact {
        Impact::None | Impact::Unknown => "All Systems Operational",
        Impact::Minor => "Minor Service Outage",
        Impact::Major => "Partial System Outage",
        Impact::Critical => "Major Service Outage",
        Impact::Maintenance => "Service Under Maintenance",
    }
}

fn millis(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
