//! openstatus: `/feed/json` with the whole history, or `/api/status/summary.json` with what is
//! open.
//!
//! The summary looks like Statuspage's without an id of the page, of components and of updates. So
//! that both documents give an update the same identity, it is its time in either. What has left
//! the summary is looked up in the feed.

mod feed;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, bases, candidates, json, link, name, order_updates, prose,
    sniff, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{IncidentStatus, Kind};
use statuswatch_model::snapshot::{self, Basis, Coverage, Incident, Listing, Page, Snapshot};

const NAME: &str = "openstatus";
const FEED: &str = "feed";

/// The adapter for openstatus.
#[derive(Debug)]
pub(super) struct OpenStatus;

#[derive(Debug, Deserialize)]
struct Summary {
    page: WirePage,
    status: Overall,
    components: List,
    incidents: List,
    scheduled_maintenances: List,
}

#[derive(Debug, Deserialize)]
struct WirePage {
    /// Other platforms of this shape have one.
    #[serde(default)]
    id: Option<Id>,
    name: String,
    url: String,
}

#[derive(Debug, Deserialize)]
struct Overall {
    indicator: String,
}

#[derive(Debug, Deserialize)]
struct Component {
    name: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    name: String,
    status: String,
    scheduled_for: When,
    scheduled_until: When,
    incident_updates: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    status: Text,
    body: Text,
    created_at: When,
}

impl Source for OpenStatus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".openstatus.dev"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["/api/status/summary.json"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["feed/json", "api/status/summary.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if feed::is_feed(document) {
            return Some("the document has the shape of openstatus's /feed/json".to_owned());
        }
        let summary: Summary = sniff(document)?;
        summary.page.id.is_none().then(|| {
            "the document has the shape of openstatus's summary: Statuspage's without a page id"
                .to_owned()
        })
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        if feed::is_feed(first) {
            return feed::parse(first, limits);
        }
        let summary: Summary = json(first, NAME)?;
        if summary.page.id.is_some() {
            return Err(ParseError::not_this(NAME, "the page has an id"));
        }
        let mut items = Items::new(limits);
        let components: Vec<Component> = items.read("components", &summary.components)?;
        let all_components = items.rejected() == 0;
        let mut incidents = read(&mut items, Kind::Incident, &summary.incidents)?;
        incidents.extend(read(&mut items, Kind::Maintenance, &summary.scheduled_maintenances)?);
        let mut listing = items.listing(0, Listing::Open);
        let mut rejected = items.into_rejected();
        if let Some(document) = documents.detail(FEED) {
            let history = feed::parse(document, limits)?;
            let mut past = history.incidents;
            past.retain(|past| {
                !incidents.iter().any(|open| open.kind == past.kind && open.id == past.id)
            });
            // The summary is the newer of the two: what it does not list is not open.
            past.retain(|past| past.status.is_over());
            incidents.extend(past);
            rejected.extend(history.rejected);
            listing = if listing == Listing::Open { Listing::Recent } else { listing };
        }
        let title = name(&summary.page.name);
        Ok(Snapshot {
            page: Page {
                name: (!title.is_empty()).then_some(title),
                url: link(&summary.page.url),
                impact: Some(vocabulary::impact(&summary.status.indicator)),
                ..Page::default()
            },
            incidents,
            components: components
                .into_iter()
                .map(|row| {
                    snapshot::component(
                        None,
                        name(&row.name),
                        None,
                        vocabulary::component(&row.status),
                    )
                })
                .collect(),
            coverage: Coverage { incidents: listing, maintenances: listing, all_components },
            rejected,
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        let listed = |kind: Kind, id: &str| {
            snapshot.incidents.iter().any(|incident| incident.kind == kind && incident.id == id)
        };
        if feed::is_feed(first) || known.open.iter().all(|(kind, id)| listed(*kind, id)) {
            return Vec::new();
        }
        let home = bases(&first.url).into_iter().next();
        let url = home.and_then(|home| super::support::at(&home, "feed/json"));
        url.map(|url| Detail { role: FEED, url, optional: true }).into_iter().collect()
    }
}

/// Returns an id that is unique across kinds: this platform numbers incidents and maintenances
/// separately.
fn unique(kind: Kind, id: &Id) -> String {
    if kind == Kind::Maintenance { format!("maintenance-{id}") } else { id.0.clone() }
}

fn read(items: &mut Items, kind: Kind, list: &List) -> Result<Vec<Incident>, ParseError> {
    let what = if kind == Kind::Maintenance { "scheduled_maintenances" } else { "incidents" };
    let read: Vec<Wire> = items.read(what, list)?;
    read.into_iter()
        .map(|wire| {
            let updates: Vec<Update> = items.nested("incident_updates", &wire.incident_updates)?;
            let written = updates.into_iter().map(|update| {
                RawUpdate::new(
                    vocabulary::status(&update.status),
                    update.created_at.0,
                    prose(&update.body),
                )
            });
            let updates = order_updates(written, Order::NewestFirst);
            let window = kind == Kind::Maintenance;
            let new = Incident::new(kind, unique(kind, &wire.id), name(&wire.name));
            Ok(Incident {
                status: match vocabulary::status(&wire.status) {
                    IncidentStatus::Update if window => new.status,
                    status => status,
                },
                basis: if window && vocabulary::status(&wire.status) == IncidentStatus::Update {
                    Basis::Begin
                } else {
                    Basis::Stated
                },
                started_at: updates.first().and_then(|update| update.published_at),
                scheduled_for: wire.scheduled_for.filter(|_| window),
                scheduled_until: wire.scheduled_until.filter(|_| window),
                updates,
                ..new
            })
        })
        .collect()
}
