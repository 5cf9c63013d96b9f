//! Changes to a fake page are visible in its documents.

use chrono::{Duration, Utc};
use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::Provider;
use statuswatch::fake::platform::{Statuspage, by_name};

use crate::support::provider::provider;

fn json(provider: &Provider, path: &str) -> Value {
    serde_json::from_slice(&provider.documents()[path].body).unwrap()
}

#[test]
fn updates_are_deleted_and_impacts_change_under_the_same_incident() {
    let provider = provider("northwind", &Statuspage);
    let posted = provider.open_incident("Slow", Impact::Minor, &["Compute"], "Slow.");
    let twice = provider.update(posted.incident, IncidentStatus::Investigating, "Slow.").unwrap();
    provider.delete_update(twice).unwrap();
    assert!(provider.delete_update(twice).is_none(), "it is gone already");
    provider.set_impact(posted.incident, Impact::Critical).unwrap();
    let incident = &json(&provider, "api/v2/summary.json")["incidents"][0];
    assert_eq!(incident["incident_updates"].as_array().unwrap().len(), 1);
    assert_eq!(incident["incident_updates"][0]["id"], provider.update_id(posted.update).unwrap());
    assert_eq!(incident["impact"], "critical");
    assert_eq!(incident["components"][0]["name"], "Compute");
    assert!(incident["updated_at"].as_str() > incident["created_at"].as_str());
    assert!(provider.update(999, IncidentStatus::Resolved, "Nothing.").is_none());
}

#[test]
fn a_maintenance_goes_from_plan_to_history() {
    let provider = provider("northwind", &Statuspage);
    let begin = Utc::now() + Duration::hours(1);
    let maintenance = provider
        .schedule("Disks", (begin, begin + Duration::hours(2)), &["Compute"], "We change disks.")
        .incident;
    let mut seen = Vec::new();
    let look = |provider: &Provider| {
        json(provider, "api/v2/summary.json")["scheduled_maintenances"][0]["status"].clone()
    };
    seen.push(look(&provider));
    provider.start(maintenance, "Begun.").unwrap();
    seen.push(look(&provider));
    provider.verify(maintenance, "Checking.").unwrap();
    seen.push(look(&provider));
    provider.complete(maintenance, "Done.").unwrap();
    seen.push(look(&provider));
    assert_eq!(seen, ["scheduled".into(), "in_progress".into(), "verifying".into(), Value::Null]);
    let past = &json(&provider, "api/v2/scheduled-maintenances.json")["scheduled_maintenances"][0];
    assert_eq!(
        (&past["status"], past["incident_updates"].as_array().unwrap().len()),
        (&"completed".into(), 4)
    );
    assert!(past["scheduled_for"].as_str() < past["scheduled_until"].as_str());
}

#[test]
fn imported_incidents_lie_in_the_past_and_windows_hold_the_newest() {
    let provider = provider("northwind", &Statuspage);
    let open = provider.open_incident("Slow", Impact::Minor, &[], "Slow.");
    provider.import(60);
    let list = |provider: &Provider| {
        json(provider, "api/v2/incidents.json")["incidents"].as_array().unwrap().clone()
    };
    let incidents = list(&provider);
    assert_eq!(incidents.len(), 50);
    assert_eq!(
        incidents[0]["id"],
        provider.incident_id(open.incident),
        "what is open stays the newest"
    );
    assert!(
        incidents.is_sorted_by(
            |newer, older| newer["created_at"].as_str() > older["created_at"].as_str()
        )
    );
    assert!(incidents[1..].iter().all(|incident| incident["status"] == "resolved"));
    assert_eq!(json(&provider, "api/v2/summary.json")["incidents"].as_array().unwrap().len(), 1);
    provider.change(|state, _| state.window = Some(10));
    assert_eq!(list(&provider).len(), 10);
}

#[test]
fn a_held_clock_still_gives_every_change_a_version_of_its_own() {
    let now = Utc::now();
    let provider =
        Provider::new("northwind", "Northwind", &Statuspage, &[], std::sync::Arc::new(move || now));
    let mut versions = vec![provider.state().version];
    for number in 0..5 {
        provider.open_incident("Slow", Impact::Minor, &[], &number.to_string());
        versions.push(provider.state().version);
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert_eq!(by_name("rss").unwrap().source(), "feed");
    assert!(by_name("nothing").is_none());
}
