//! Synthetic providers, events and snapshots.

use std::sync::Arc;
use std::time::Duration;

use statuswatch::config::{Filter, Provider, Settings};
use statuswatch::event::{Impact, IncidentStatus, Kind, StatusEvent, Time};
use statuswatch::sink::StoredEvent;
use statuswatch::snapshot::{Incident, Page, Snapshot, Update, UpdateId};

const TEXT: &str = "We are seeing elevated error rates for a part of requests in the European regions and are looking into it.";

/// Returns a provider at `url`.
pub(crate) fn provider(id: String, url: &str) -> Arc<Provider> {
    Arc::new(Provider {
        name: id.clone(),
        id,
        url: url.parse().unwrap(),
        source: Some("statuspage".to_owned()),
        url_written: true,
        settings: Settings { interval: Duration::from_mins(1), ..Settings::default() },
        filter: Filter::default(),
        json: None,
    })
}

/// Returns a page with one open incident that has `updates` updates.
pub(crate) fn snapshot(updates: usize, now: Time) -> Snapshot {
    let mut incident = Incident::new(Kind::Incident, "incident-1", "Elevated error rates");
    incident.status = IncidentStatus::Investigating;
    incident.impact = Impact::Minor;
    incident.updates = (0..updates)
        .map(|n| Update {
            id: UpdateId::Native(format!("update-{n}")),
            status: IncidentStatus::Investigating,
            stated: IncidentStatus::Investigating,
            published_at: Some(now + chrono::Duration::milliseconds(n as i64)),
            edited_at: None,
            text: format!("{TEXT} Part {n}."),
        })
        .collect();
    Snapshot { page: Page::default(), incidents: vec![incident], ..Snapshot::default() }
}

/// Returns an event as it would be recorded.
pub(crate) fn event(seq: u64, provider: &str, at: Time) -> StoredEvent {
    let event = StatusEvent {
        seq,
        id: format!("{seq:032x}"),
        kind: Kind::Incident,
        provider: provider.to_owned(),
        provider_name: provider.to_owned(),
        source: "statuspage".to_owned(),
        incident_id: Some(format!("incident-{}", seq / 4)),
        update_id: Some(format!("update-{seq}")),
        revision: 1,
        title: "Elevated error rates".to_owned(),
        status: IncidentStatus::Investigating.into(),
        previous_status: None,
        impact: Impact::Minor,
        previous_impact: None,
        components: Vec::new(),
        message: Some(TEXT.to_owned()),
        url: Some("https://status.bench.example/incidents/1".to_owned()),
        started_at: Some(at),
        published_at: at,
        observed_at: at,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    };
    let line = serde_json::to_string(&event).unwrap();
    StoredEvent { event, line }
}
