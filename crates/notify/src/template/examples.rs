//! Notifications that templates are tried with: every kind, with all fields and with the fewest.

use std::time::Duration;

use serde_json::{Value, json};
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, Status, StatusEvent,
    Time,
};

use super::context::Context;
use crate::notification::{
    Content, Custom, Entry, Notice, Notification, Phase, Summary, SummaryReason,
};

/// Passes every example to `check` until one fails.
pub(super) fn each<E>(mut check: impl FnMut(&Notification<'_>) -> Result<(), E>) -> Result<(), E> {
    for kind in Kind::ALL.iter().copied() {
        for event in [full(kind), sparse(kind)] {
            for phase in [Phase::Open, Phase::Update, Phase::End] {
                check(&notification(Content::Event(&event), phase))?;
            }
        }
    }
    check(&notification(Content::Summary(&summary()), Phase::Open))?;
    for over in [false, true] {
        check(&notification(Content::Notice(&notice(over)), Phase::Open))?;
    }
    Ok(())
}

/// Returns an object of all names, with the names below them.
pub(super) fn names() -> Value {
    let event = full(Kind::Incident);
    let mut names = json!(Context::new(&notification(Content::Event(&event), Phase::Open)));
    if let Some(names) = names.as_object_mut() {
        names.insert("summary".to_owned(), json!(summary()));
        names.insert("notice".to_owned(), json!(notice(false)));
    }
    names
}

fn notification(content: Content<'_>, phase: Phase) -> Notification<'_> {
    let first = phase == Phase::Open;
    Notification {
        delivery_id: "0123456789abcdef0123456789abcdef",
        thread: "fedcba9876543210fedcba9876543210",
        content,
        phase,
        // Both with and without.
        late: (!first).then_some(Duration::from_hours(3)),
        skipped: if first { 0 } else { 2 },
        open_since: None,
        reference: None,
        custom: Custom::default(),
        now: at(),
    }
}

fn at() -> Time {
    // Monday, 23 February 2026.
    Time::from_timestamp(1_771_842_049, 0).unwrap_or_default()
}

/// Returns an event with a value in every field.
fn full(kind: Kind) -> StatusEvent {
    let (status, previous, impact) = match kind {
        Kind::Incident => (
            Status::from(IncidentStatus::Identified),
            Status::from(IncidentStatus::Investigating),
            Impact::Major,
        ),
        Kind::Maintenance => (
            IncidentStatus::InProgress.into(),
            IncidentStatus::Scheduled.into(),
            Impact::Maintenance,
        ),
        Kind::Component => (
            ComponentStatus::MajorOutage.into(),
            ComponentStatus::Operational.into(),
            Impact::Critical,
        ),
        Kind::Provider => {
            (ProviderStatus::Unreachable.into(), ProviderStatus::Reachable.into(), Impact::Unknown)
        }
    };
    StatusEvent {
        seq: 7,
        id: "4f12b0b9b16baa24b5bccae7d7efec9b".to_owned(),
        kind,
        provider: "acme".to_owned(),
        provider_name: "Acme Cloud".to_owned(),
        source: "statuspage".to_owned(),
        incident_id: Some("01ABC".to_owned()),
        update_id: Some("u1".to_owned()),
        revision: 1,
        title: "High errors with \"parcel\" labels".to_owned(),
        status,
        previous_status: Some(previous),
        impact,
        previous_impact: Some(Impact::Minor),
        components: vec![Component {
            id: Some("c1".to_owned()),
            name: "Labels".to_owned(),
            group: Some("EU".to_owned()),
            status: ComponentStatus::PartialOutage,
        }],
        message: Some("We have found the cause.\n\nA fix is being rolled out.".to_owned()),
        url: Some("https://status.acme.example/incidents/01ABC".to_owned()),
        started_at: Some(at()),
        published_at: at(),
        observed_at: at(),
        scheduled_for: Some(at()),
        scheduled_until: Some(at()),
        backfill: false,
    }
}

/// Returns an event in which every value that can be absent is.
fn sparse(kind: Kind) -> StatusEvent {
    StatusEvent {
        incident_id: None,
        update_id: None,
        previous_status: None,
        previous_impact: None,
        components: Vec::new(),
        message: None,
        url: None,
        started_at: None,
        scheduled_for: None,
        scheduled_until: None,
        ..full(kind)
    }
}

fn summary() -> Summary {
    Summary {
        reason: SummaryReason::QuietHours,
        intro: "Quiet hours ended at 07:00 (Europe/Berlin).".to_owned(),
        entries: vec![Entry {
            provider: "Acme Cloud".to_owned(),
            title: "High errors with \"parcel\" labels".to_owned(),
            kind: Kind::Incident,
            first: IncidentStatus::Investigating.into(),
            last: IncidentStatus::Identified.into(),
            impact: Impact::Major,
            updates: 3,
            open: true,
            at: at(),
            url: None,
        }],
        omitted: 1,
        omitted_open: 0,
    }
}

fn notice(over: bool) -> Notice {
    Notice {
        title: "The channel \"ops\" does not work".to_owned(),
        message: "The service refuses the credentials.".to_owned(),
        impact: Impact::Major,
        over,
        at: at(),
    }
}
