//! `/feed/json`: every report and maintenance of the page with all updates.
//!
//! Maintenances have only a window, and a source has no clock: a maintenance is scheduled until the
//! feed's own `updatedAt` is past its start, and over when that is past its end.

use std::collections::HashMap;

use serde::Deserialize;

use super::{NAME, unique};
use crate::support::fields::{Id, OrDefault, Text, When};
use crate::support::{
    Items, List, Order, RawUpdate, bases, json, name, order_updates, prose, sniff, vocabulary,
};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{self, Basis, Coverage, Incident, Listing, Page, Snapshot};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feed {
    title: String,
    status: String,
    updated_at: Moment,
    monitors: List,
    page_components: List,
    maintenances: List,
    status_reports: List,
}

/// A required time.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Moment(Time);

impl TryFrom<String> for Moment {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        statuswatch_model::event::parse_time(&text).map(Self).ok_or("not a time")
    }
}

#[derive(Debug, Deserialize)]
struct Monitor {
    id: Id,
    name: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct PageComponent {
    id: Id,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    id: Id,
    title: String,
    status: String,
    status_report_updates: List,
    page_components: OrDefault<Vec<Id>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct Update {
    status: Text,
    message: Text,
    date: When,
    updated_at: When,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Maintenance {
    id: Id,
    name: String,
    from: Moment,
    to: Moment,
    message: Text,
    #[serde(rename = "maintenanceUpdates")]
    updates: OrDefault<List>,
    page_components: OrDefault<Vec<Id>>,
}

pub(super) fn is_feed(document: &Document) -> bool {
    sniff::<Feed>(document).is_some()
}

pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let feed: Feed = json(document, NAME)?;
    let mut items = Items::new(limits);
    let monitors: Vec<Monitor> = items.read("monitors", &feed.monitors)?;
    let all_components = items.rejected() == 0;
    let named: Vec<PageComponent> = items.read("pageComponents", &feed.page_components)?;
    let names: HashMap<Id, String> =
        named.into_iter().map(|row| (row.id, name(&row.name))).collect();
    let lost = items.rejected();
    let mut incidents = reports(&mut items, &feed.status_reports, &names)?;
    incidents.extend(maintenances(&mut items, &feed.maintenances, &names, feed.updated_at.0)?);
    let listing = items.listing(lost, Listing::Recent);
    let title = name(&feed.title);
    Ok(Snapshot {
        page: Page {
            name: (!title.is_empty()).then_some(title),
            url: bases(&document.url).into_iter().next_back().map(|url| url.to_string()),
            impact: Some(state(&feed.status).impact()),
            ..Page::default()
        },
        incidents,
        components: monitors
            .into_iter()
            .map(|monitor| {
                snapshot::component(
                    Some(monitor.id.0),
                    name(&monitor.name),
                    None,
                    state(&monitor.status),
                )
            })
            .collect(),
        coverage: Coverage { incidents: listing, maintenances: listing, all_components },
        rejected: items.into_rejected(),
        ..Snapshot::default()
    })
}

fn affected(ids: &[Id], names: &HashMap<Id, String>) -> Vec<Component> {
    let known = ids.iter().filter_map(|id| Some((id, names.get(id)?)));
    known
        .map(|(id, name)| {
            snapshot::component(Some(id.0.clone()), name.clone(), None, ComponentStatus::Unknown)
        })
        .collect()
}

fn written(
    items: &mut Items,
    list: &List,
    word: impl Fn(&Update) -> IncidentStatus,
) -> Result<Vec<RawUpdate>, ParseError> {
    let updates: Vec<Update> = items.nested("updates", list)?;
    let read = updates.into_iter().map(|update| RawUpdate {
        edited_at: update.updated_at.0,
        ..RawUpdate::new(word(&update), update.date.0, prose(&update.message))
    });
    Ok(read.collect())
}

fn reports(
    items: &mut Items,
    list: &List,
    names: &HashMap<Id, String>,
) -> Result<Vec<Incident>, ParseError> {
    let read: Vec<Report> = items.read("statusReports", list)?;
    read.into_iter()
        .map(|report| {
            let updates = order_updates(
                written(items, &report.status_report_updates, |update| {
                    vocabulary::status(&update.status)
                })?,
                Order::NewestFirst,
            );
            Ok(Incident {
                status: vocabulary::status(&report.status),
                impact: Impact::Unknown,
                started_at: updates.first().and_then(|update| update.published_at),
                components: affected(&report.page_components, names),
                updates,
                ..Incident::new(Kind::Incident, report.id.0, name(&report.title))
            })
        })
        .collect()
}

fn maintenances(
    items: &mut Items,
    list: &List,
    names: &HashMap<Id, String>,
    now: Time,
) -> Result<Vec<Incident>, ParseError> {
    let read: Vec<Maintenance> = items.read("maintenances", list)?;
    read.into_iter()
        .map(|wire| {
            let (from, to) = (wire.from.0, wire.to.0);
            let standing = |at: Time| match () {
                () if at < from => IncidentStatus::Scheduled,
                () if at < to => IncidentStatus::InProgress,
                () => IncidentStatus::Completed,
            };
            // A text about a maintenance states no status, but its time relative to the window
            // implies one.
            let word = |update: &Update| update.date.map_or(IncidentStatus::Update, standing);
            let mut list = written(items, &wire.updates, word)?;
            for update in &mut list {
                update.stated = IncidentStatus::Update;
            }
            if list.is_empty() && !wire.message.trim().is_empty() {
                list.push(RawUpdate {
                    id: Some("message".to_owned()),
                    ..RawUpdate::new(IncidentStatus::Scheduled, None, prose(&wire.message))
                });
            }
            Ok(Incident {
                status: standing(now),
                basis: Basis::Window,
                scheduled_for: Some(from),
                scheduled_until: Some(to),
                components: affected(&wire.page_components, names),
                updates: order_updates(list, Order::NewestFirst),
                ..Incident::new(
                    Kind::Maintenance,
                    unique(Kind::Maintenance, &wire.id),
                    name(&wire.name),
                )
            })
        })
        .collect()
}

fn state(word: &str) -> ComponentStatus {
    vocabulary::lookup(
        word,
        &[
            ("success", ComponentStatus::Operational),
            ("degraded", ComponentStatus::DegradedPerformance),
            ("error", ComponentStatus::MajorOutage),
            ("info", ComponentStatus::UnderMaintenance),
        ],
    )
    .unwrap_or_else(|| vocabulary::component(word))
}
