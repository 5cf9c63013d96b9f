//! The Widget API: open incidents and maintenances, each with its latest update only.

use serde::Deserialize;

use crate::support::fields::{Id, MaybeId, OrDefault, Text, When};
use crate::support::{Items, List, json, link, name, prose, sniff, vocabulary};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    self, Basis, Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId,
};

#[derive(Debug, Deserialize)]
struct Widget {
    page_title: String,
    page_url: String,
    ongoing_incidents: List,
    in_progress_maintenances: List,
    scheduled_maintenances: List,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: Id,
    name: Text,
    status: Text,
    url: Text,
    current_worst_impact: Text,
    last_update_at: When,
    last_update_message: Text,
    started_at: When,
    starts_at: When,
    scheduled_end_at: When,
    ends_at: When,
    affected_components: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    id: MaybeId,
    name: String,
    group_name: Text,
    current_status: Text,
}

/// Returns whether a document has the signature of the Widget API.
pub(super) fn is_widget(document: &Document) -> bool {
    sniff::<Widget>(document).is_some()
}

/// Parses a document of the Widget API.
pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let widget: Widget = json(document, super::NAME)?;
    let mut items = Items::new(limits);
    let ongoing = read(
        &mut items,
        "ongoing_incidents",
        &widget.ongoing_incidents,
        Kind::Incident,
        IncidentStatus::Update,
    )?;
    let of_incidents = items.rejected();
    let running = read(
        &mut items,
        "in_progress_maintenances",
        &widget.in_progress_maintenances,
        Kind::Maintenance,
        IncidentStatus::InProgress,
    )?;
    let planned = read(
        &mut items,
        "scheduled_maintenances",
        &widget.scheduled_maintenances,
        Kind::Maintenance,
        IncidentStatus::Scheduled,
    )?;
    let of_maintenances = items.rejected() - of_incidents;
    let listing = |rejected: usize| {
        if rejected == 0 { Listing::Open } else { Listing::Unknown }
    };
    // The widget expresses "operational" only by empty lists.
    let impact =
        (ongoing.is_empty() && running.is_empty() && items.rejected() == 0).then_some(Impact::None);
    let name = name(&widget.page_title);
    Ok(Snapshot {
        page: Page {
            id: None,
            name: (!name.is_empty()).then_some(name),
            url: link(&widget.page_url),
            version: None,
            impact,
            ..Page::default()
        },
        incidents: ongoing.into_iter().chain(running).chain(planned).collect(),
        components: Vec::new(),
        coverage: Coverage {
            incidents: listing(of_incidents),
            maintenances: listing(of_maintenances),
            all_components: false,
        },
        rejected: items.into_rejected(),
        ..Snapshot::default()
    })
}

fn read(
    items: &mut Items,
    what: &'static str,
    list: &List,
    kind: Kind,
    default: IncidentStatus,
) -> Result<Vec<Incident>, ParseError> {
    let read: Vec<Item> = items.read(what, list)?;
    read.into_iter().map(|item| incident(items, item, kind, default)).collect()
}

fn incident(
    items: &mut Items,
    item: Item,
    kind: Kind,
    default: IncidentStatus,
) -> Result<Incident, ParseError> {
    let affected: Vec<Affected> = items.nested("affected_components", &item.affected_components)?;
    let components = affected.into_iter().map(|component| {
        let group = name(&component.group_name);
        snapshot::component(
            component.id.0.map(|id| id.0),
            name(&component.name),
            (!group.is_empty()).then_some(group),
            vocabulary::component(&component.current_status),
        )
    });
    let status = match vocabulary::status(&item.status) {
        IncidentStatus::Update => default,
        status => status,
    };
    let maintenance = kind == Kind::Maintenance;
    let text = prose(&item.last_update_message);
    let updates = (!text.is_empty() || item.last_update_at.is_some()).then_some(Update {
        id: UpdateId::Latest,
        status,
        stated: status,
        published_at: item.last_update_at.0,
        edited_at: None,
        text,
    });
    let new = Incident::new(kind, item.id.0, name(&item.name));
    let listed_alone = vocabulary::status(&item.status) == IncidentStatus::Update;
    Ok(Incident {
        status,
        basis: if maintenance && listed_alone { Basis::Begin } else { Basis::Stated },
        impact: if maintenance {
            Impact::Maintenance
        } else {
            vocabulary::impact(&item.current_worst_impact)
        },
        url: link(&item.url),
        started_at: item.started_at.0,
        scheduled_for: item.starts_at.or(item.started_at.0).filter(|_| maintenance),
        scheduled_until: item.ends_at.or(item.scheduled_end_at.0).filter(|_| maintenance),
        components: components.collect(),
        updates: updates.into_iter().collect(),
        ..new
    })
}
