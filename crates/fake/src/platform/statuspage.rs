//! Atlassian Statuspage: the v2 API and the two history feeds.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::state::{Component, Incident, State};
use statuswatch_model::event::{Impact, IncidentStatus, Kind};

use super::v2::{Dialect, fields};
use super::{Document, Documents, feed, html, ids};

/// Number of entries in the API's lists; older ones are unavailable.
const WINDOW: usize = 50;

pub(super) fn documents(state: &State) -> Documents {
    let dialect = dialect(&[]);
    let page = json!({
        "id": dialect.page(state),
        "name": state.name,
        "url": html::home(state),
        "time_zone": "Etc/UTC",
        "updated_at": dialect.time(state.version),
    });
    let status =
        json!({"indicator": state.impact().as_str(), "description": description(state.impact())});
    let components: Vec<Value> =
        state.components.iter().zip(1..).map(|(one, place)| component(state, one, place)).collect();
    let list = |kind, open_only, window| -> Vec<Value> {
        state.listed(kind, open_only).take(window).map(|one| incident(state, one)).collect()
    };
    let past = state.window.unwrap_or(WINDOW);
    let open = list(Kind::Incident, true, usize::MAX);
    let planned = list(Kind::Maintenance, true, usize::MAX);
    let mut documents = Documents::new();
    let mut add =
        |path: &str, value: Value| documents.insert(path.to_owned(), Document::json(&value));
    add(
        "api/v2/summary.json",
        json!({"page": page, "components": components, "incidents": open, "scheduled_maintenances": planned, "status": status}),
    );
    add("api/v2/status.json", json!({"page": page, "status": status}));
    add("api/v2/components.json", json!({"page": page, "components": components}));
    add(
        "api/v2/incidents.json",
        json!({"page": page, "incidents": list(Kind::Incident, false, past)}),
    );
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

/// Returns the dialect; `affected` is the list of components in each update.
fn dialect(affected: &[Value]) -> Dialect {
    let affected = if affected.is_empty() { Value::Null } else { affected.into() };
    Dialect {
        id: ids::code,
        precision: SecondsFormat::Millis,
        made: "2024-03-05T09:30:00.000Z",
        update: json!({"affected_components": affected, "deliver_notifications": true, "custom_tweet": null, "tweet_id": null}),
    }
}

fn component(state: &State, component: &Component, position: u32) -> Value {
    let mut value = dialect(&[]).component(state, component, position, component.changed);
    value.extend(fields(json!({
        "description": null,
        "showcase": false,
        "start_date": null,
        "group_id": null,
        "group": false,
        "only_show_if_degraded": false,
    })));
    value.into()
}

fn incident(state: &State, incident: &Incident) -> Value {
    let affected: Vec<Value> = state
        .components_of(incident)
        .map(|one| {
            let code = ids::code(state, "component", one.number);
            json!({"code": code, "name": one.name, "old_status": one.status.as_str(), "new_status": one.status.as_str()})
        })
        .collect();
    let dialect = dialect(&affected);
    let monitoring = incident
        .updates
        .iter()
        .rev()
        .find(|update| update.status == IncidentStatus::Monitoring)
        .map(|update| update.at);
    let components: Vec<Value> = state
        .components_of(incident)
        .zip(1..)
        .map(|(one, place)| component(state, one, place))
        .collect();
    let mut value = dialect.incident(state, incident);
    value.extend(fields(json!({
        "monitoring_at": monitoring.map(|time| dialect.time(time)),
        "shortlink": format!("{}/incidents/{}", html::home(state), ids::code(state, "incident", incident.number)),
        "components": components,
        "reminder_intervals": null,
    })));
    value.into()
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
