//! Slack: what is open, and the history.

use chrono::{FixedOffset, SecondsFormat};
use html_escape::encode_text;
use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{Impact, IncidentStatus, Kind, Time};

use super::{Document, Documents, html, ids};

/// The path of the list of what is open.
pub(super) const CURRENT: &str = "api/v2.0.0/current";

/// The path of the history.
const HISTORY: &str = "api/v2.0.0/history";

/// Number of incidents in the history.
const WINDOW: usize = 37;

pub(super) fn documents(state: &State) -> Documents {
    let newest = || state.incidents.iter().rev();
    let open: Vec<Value> =
        newest().filter(|one| !one.status.is_over()).map(|one| incident(state, one)).collect();
    let mut history: Vec<Value> =
        newest().take(state.window.unwrap_or(WINDOW)).map(|one| incident(state, one)).collect();
    if history.is_empty() {
        // The history is never empty; this entry has no updates.
        history.push(json!({
            "id": 1, "title": "Slow start of the year", "type": "notice", "status": "resolved", "url": html::home(state),
            "date_created": "2025-01-01T00:00:00-07:00", "date_updated": "2025-01-01T01:00:00-07:00", "services": [], "notes": [],
        }));
    }
    let current = json!({
        "status": if open.is_empty() { "ok" } else { "active" },
        "date_created": time(state.version),
        "date_updated": time(state.version),
        "active_incidents": open,
    });
    Documents::from([
        (String::new(), html::page(state, "", &[])),
        (CURRENT.to_owned(), Document::json(&current)),
        (HISTORY.to_owned(), Document::json(&history.into())),
    ])
}

fn incident(state: &State, incident: &Incident) -> Value {
    let id = ids::decimal(state, "incident", incident.number);
    let notes = incident.updates.iter().rev();
    let notes: Vec<Value> = notes
        .map(|update| json!({"date_created": time(update.at), "body": format!("<p>{}</p>", encode_text(&update.text))}))
        .collect();
    json!({
        "id": id.parse::<u64>().ok(),
        "date_created": time(incident.created),
        "date_updated": time(incident.changed),
        "title": incident.title,
        "type": class(incident),
        "status": match incident.status {
            IncidentStatus::Resolved | IncidentStatus::Completed | IncidentStatus::Postmortem => "resolved",
            IncidentStatus::Scheduled => "scheduled",
            IncidentStatus::Withdrawn => "cancelled",
            _ => "active",
        },
        "url": format!("{}/{id}", html::home(state)),
        "services": incident.components,
        "notes": notes,
    })
}

fn class(incident: &Incident) -> &'static str {
    match (incident.kind, incident.impact) {
        (Kind::Maintenance, _) => "maintenance",
        (_, Impact::Major | Impact::Critical) => "outage",
        (_, Impact::Minor) => "incident",
        _ => "notice",
    }
}

/// In the platform's zone, and more precise than the real one, which rarely has two notes within a
/// second.
fn time(time: Time) -> String {
    let zone = FixedOffset::west_opt(7 * 3600);
    zone.map_or_else(String::new, |zone| {
        time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false)
    })
}
