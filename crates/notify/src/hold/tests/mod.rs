//! Events for tests, and the tests of several files.

mod model;
mod place;
mod promises;
mod quiet;
mod release;

use chrono::TimeDelta;
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, Status, StatusEvent,
    Time, parse_time,
};

use super::thread_of;
use crate::channel::{Audience, corpus};
use crate::policy::Policy;

/// Parses a time of a test.
fn time(text: &str) -> Time {
    parse_time(text).unwrap_or_else(|| panic!("{text}"))
}

/// Tuesday, 3 March 2026, 10:02 UTC.
fn start() -> Time {
    time("2026-03-03T10:02:00Z")
}

fn minutes(number: i64) -> TimeDelta {
    TimeDelta::minutes(number)
}

/// The policy of a chat without anything that holds messages.
fn chat() -> Policy {
    Policy { storm: None, edits: std::time::Duration::ZERO, ..Policy::new(Audience::Chat) }
}

/// An update of an incident; `before` is the status and impact of the update before it.
fn incident(
    seq: u64,
    at: Time,
    (status, impact): (Status, Impact),
    before: Option<(Status, Impact)>,
) -> StatusEvent {
    StatusEvent {
        seq,
        id: format!("{seq:032x}"),
        status,
        impact,
        previous_status: before.map(|(status, _)| status),
        previous_impact: before.map(|(_, impact)| impact),
        published_at: at,
        observed_at: at,
        started_at: None,
        ..corpus::incident()
    }
}

/// A change of a component's state.
fn component(
    seq: u64,
    at: Time,
    status: ComponentStatus,
    before: Option<ComponentStatus>,
) -> StatusEvent {
    StatusEvent {
        kind: Kind::Component,
        incident_id: None,
        title: "API".into(),
        components: vec![Component {
            id: Some("c1".into()),
            name: "API".into(),
            group: None,
            status,
        }],
        ..incident(
            seq,
            at,
            (status.into(), status.impact()),
            before.map(|before| (before.into(), before.impact())),
        )
    }
}

/// A provider becomes unreachable or reachable.
fn provider(seq: u64, at: Time, status: Status, before: Option<Status>) -> StatusEvent {
    StatusEvent {
        kind: Kind::Provider,
        incident_id: None,
        title: "Acme Cloud cannot be read".into(),
        components: Vec::new(),
        ..incident(
            seq,
            at,
            (status, Impact::Unknown),
            before.map(|before| (before, Impact::Unknown)),
        )
    }
}

#[test]
fn threads_are_those_of_incidents_components_and_providers() {
    let at = start();
    let new = || incident(1, at, (IncidentStatus::Investigating.into(), Impact::Major), None);
    let key = statuswatch_model::event::IncidentKey::new("acme", "01ABC").to_string();
    assert_eq!(thread_of(&new()), key);
    let part = |id: Option<&str>, group: Option<&str>| {
        let mut event = component(1, at, ComponentStatus::MajorOutage, None);
        event.components[0].id = id.map(str::to_owned);
        event.components[0].group = group.map(str::to_owned);
        event
    };
    let renamed = {
        let mut event = part(Some("c1"), None);
        event.components[0].name = "Interface".into();
        event
    };
    assert_eq!(thread_of(&part(Some("c1"), None)), thread_of(&renamed));
    let all = [
        new(),
        StatusEvent { provider: "other".into(), ..new() },
        StatusEvent { incident_id: Some("02".into()), ..new() },
        part(Some("c1"), None),
        part(None, None),
        part(None, Some("EU")),
        provider(1, at, ProviderStatus::Unreachable.into(), None),
        StatusEvent {
            provider: "statuswatch".into(),
            ..provider(1, at, ProviderStatus::Offline.into(), None)
        },
    ];
    let threads: std::collections::HashSet<String> = all.iter().map(thread_of).collect();
    assert_eq!(threads.len(), all.len());
    for thread in threads {
        assert!(thread.len() == 32 && thread.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let reachable =
        provider(2, at, ProviderStatus::Reachable.into(), Some(ProviderStatus::Unreachable.into()));
    assert_eq!(thread_of(&reachable), thread_of(&all[6]));
}
