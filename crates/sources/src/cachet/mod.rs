//! Cachet: the incidents with their updates, the components and the schedules of its API.
//!
//! Version 2 answers below `/api/v1/` ([`v2`]), version 3 below `/api/` ([`v3`]). Based on Cachet's
//! documentation and source, not on a capture. Times have no zone; they are in that of the
//! installation and taken as UTC. The message an incident was opened with has no status of its own:
//! the document shows that of the newest update.

mod v2;
mod v3;

use std::collections::HashMap;

use url::Url;

use super::support::{
    Items, Order, RawUpdate, candidates, link, name, oldest_first, order_updates, prose, sibling,
    vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot};

const NAME: &str = "cachet";
const COMPONENTS: &str = "components";
const SCHEDULES: &str = "schedules";
/// The updates of one incident, where the list does not contain them.
const UPDATES: &str = "updates";
/// Maximum number of incidents whose updates are requested one by one.
const MAX_ASKED: usize = 5;
/// Without these version 2 lists the oldest incidents.
const NEWEST: &str = "sort=id&order=desc&per_page=50";

/// The adapter for Cachet.
#[derive(Debug)]
pub(super) struct Cachet;

/// An incident or a schedule.
#[derive(Debug)]
struct Notice {
    id: String,
    name: String,
    message: String,
    /// The present status.
    status: IncidentStatus,
    kind: Kind,
    link: String,
    opened_at: Option<Time>,
    edited_at: Option<Time>,
    window: (Option<Time>, Option<Time>),
    components: Vec<String>,
    updates: Vec<RawUpdate>,
    /// Whether the list contained its updates, even if there are none.
    complete: bool,
}

impl Source for Cachet {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["cachethq"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let old = format!("api/v1/incidents?{NEWEST}");
        candidates(page, &[&old, "api/incidents?include=updates,components&per_page=50"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        // Both versions use this name, so other documents need not be parsed.
        let version = if !document.url.path().trim_end_matches('/').ends_with("/incidents") {
            return None;
        } else if v3::is_one(document) {
            3
        } else if v2::is_one(document) {
            2
        } else {
            return None;
        };
        Some(format!("the incidents are listed as Cachet {version} does"))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let is_new = v3::is_one(&documents.first);
        let mut items = Items::new(limits);
        let mut notices = if is_new {
            v3::incidents(&documents.first, &mut items)?
        } else {
            v2::incidents(documents, &mut items)?
        };
        let whole = items.rejected() == 0;
        let mut snapshot = Snapshot::default();
        if let Some(document) = documents.detail(COMPONENTS) {
            let before = items.rejected();
            snapshot.components = if is_new {
                v3::components(document, &mut items)?
            } else {
                v2::components(document, &mut items)?
            };
            snapshot.coverage.all_components = items.rejected() == before;
        }
        let mut planned = Listing::Unknown;
        if let Some(document) = documents.detail(SCHEDULES) {
            let before = items.rejected();
            let listed = if is_new {
                v3::schedules(document, &mut items)?
            } else {
                v2::schedules(document, &mut items)?
            };
            planned = items.listing(before, Listing::Recent);
            notices.extend(listed);
        }
        let by_id =
            snapshot.components.iter().filter_map(|one| Some((one.id.as_deref()?, one))).collect();
        snapshot.incidents = notices.into_iter().map(|notice| incident(notice, &by_id)).collect();
        let listing = if whole { Listing::Recent } else { Listing::Unknown };
        snapshot.coverage =
            Coverage { incidents: listing, maintenances: planned, ..snapshot.coverage };
        let mut home = documents.first.url.clone();
        home.set_query(None);
        home.set_path(
            home.path().split("api/").next().map(str::to_owned).unwrap_or_default().as_str(),
        );
        snapshot.page = Page { url: link(home.as_str()), ..Page::default() };
        snapshot.rejected = items.into_rejected();
        Ok(snapshot)
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if v3::is_one(first) {
            return wanted(
                &first.url,
                &[
                    (COMPONENTS, "components?per_page=500"),
                    (SCHEDULES, "schedules?include=updates,components&per_page=50"),
                ],
            );
        }
        let schedules = format!("schedules?{NEWEST}");
        let mut details =
            wanted(&first.url, &[(COMPONENTS, "components?per_page=500"), (SCHEDULES, &schedules)]);
        if !v2::has_updates(first) {
            // The last update of an incident that was open until now is still to be reported.
            let was_open = |id: &String| known.open.iter().any(|(_, open)| open == id);
            let asked = snapshot
                .incidents
                .iter()
                .filter(|one| !one.status.is_over() || was_open(&one.id))
                .take(MAX_ASKED);
            for incident in asked {
                details.extend(wanted(
                    &first.url,
                    &[(UPDATES, &format!("incidents/{}/updates?per_page=100", incident.id))],
                ));
            }
        }
        details
    }

    /// An update that does not change its incident's status is invisible in a list without updates.
    fn is_sidecar(&self, role: &str, snapshot: &Snapshot) -> bool {
        role != UPDATES || snapshot.open().any(|one| one.kind == Kind::Incident)
    }
}

fn wanted(first: &Url, files: &[(&'static str, &str)]) -> Vec<Detail> {
    files
        .iter()
        .filter_map(|(role, file)| {
            Some(Detail { role, url: sibling(first, file)?, optional: true })
        })
        .collect()
}

/// Returns an incident with the present status of its components.
fn incident(notice: Notice, all: &HashMap<&str, &Component>) -> Incident {
    let kind = notice.kind;
    let mut incident = Incident::new(kind, notice.id, name(&notice.name));
    incident.status = notice.status;
    incident.url = link(&notice.link);
    incident.components =
        notice.components.iter().filter_map(|id| all.get(id.as_str()).copied().cloned()).collect();
    if kind == Kind::Maintenance {
        (incident.scheduled_for, incident.scheduled_until) = notice.window;
    } else {
        incident.started_at = notice.opened_at;
        let worst = incident
            .components
            .iter()
            .map(|one| one.status.impact())
            .max_by_key(|impact| impact.rank());
        incident.impact = worst
            .filter(|impact| *impact != Impact::None && !notice.status.is_over())
            .unwrap_or(Impact::Unknown);
    }
    let mut written = oldest_first(notice.updates, Order::MostlyNewestFirst, |update| update.at);
    let text = prose(&notice.message);
    if !text.is_empty() {
        let status = if kind == Kind::Maintenance {
            IncidentStatus::Scheduled
        } else {
            IncidentStatus::Investigating
        };
        let opening = RawUpdate {
            id: Some("opening".to_owned()),
            ..RawUpdate::new(status, notice.opened_at, text)
        };
        // If there are updates, the time of the last change belongs to them.
        written.insert(
            0,
            RawUpdate { edited_at: notice.edited_at.filter(|_| written.is_empty()), ..opening },
        );
    }
    incident.updates = order_updates(written, Order::OldestFirst);
    incident
}

/// Maps the incident statuses: scheduled, investigating, identified, watching, fixed.
fn status(code: &str) -> IncidentStatus {
    const CODES: &[(&str, IncidentStatus)] = &[
        ("0", IncidentStatus::Scheduled),
        ("1", IncidentStatus::Investigating),
        ("2", IncidentStatus::Identified),
        ("3", IncidentStatus::Monitoring),
        ("4", IncidentStatus::Resolved),
    ];
    vocabulary::lookup(code, CODES).unwrap_or(IncidentStatus::Update)
}

/// Maps the schedule statuses: upcoming, in progress, complete.
fn plan(code: &str) -> IncidentStatus {
    const CODES: &[(&str, IncidentStatus)] = &[
        ("0", IncidentStatus::Scheduled),
        ("1", IncidentStatus::InProgress),
        ("2", IncidentStatus::Completed),
    ];
    vocabulary::lookup(code, CODES).unwrap_or(IncidentStatus::Update)
}

/// Maps the component statuses: operational, performance issues, partial outage, major outage.
fn state(code: &str) -> ComponentStatus {
    const CODES: &[(&str, ComponentStatus)] = &[
        ("1", ComponentStatus::Operational),
        ("2", ComponentStatus::DegradedPerformance),
        ("3", ComponentStatus::PartialOutage),
        ("4", ComponentStatus::MajorOutage),
    ];
    vocabulary::lookup(code, CODES).unwrap_or(ComponentStatus::Unknown)
}
