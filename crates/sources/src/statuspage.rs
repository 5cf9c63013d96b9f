//! Atlassian Statuspage: `/api/v2/summary.json`, and its history when something may have ended.
//!
//! The summary lists open incidents only and never shows how one ended: `incidents.json` and
//! `scheduled-maintenances.json` do, for the newest 50 each. An `incidents.json` can be polled by
//! itself.
//!
//! Observed over years of polls: ids of updates are stable, an edit always changes `updated_at`,
//! and no incident changes without a change of `page.updated_at`.

use std::collections::HashSet;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, Text};
use super::support::v2::{self, Overall, Page, Read, Reader};
use super::support::{
    Decode, Lenient, Strict, candidates, json, sibling, sniff, strict_then_lenient, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Impact, Kind, Time};
use statuswatch_model::snapshot::{Coverage, Listing, Snapshot};

const NAME: &str = "statuspage";
const INCIDENTS: &str = "incidents";
const MAINTENANCES: &str = "maintenances";
const INCIDENTS_FILE: &str = "incidents.json";
const MAINTENANCES_FILE: &str = "scheduled-maintenances.json";

/// The adapter for Atlassian Statuspage.
#[derive(Debug)]
pub(super) struct Statuspage;

#[derive(Deserialize)]
#[serde(bound = "")]
struct Summary<W: Decode> {
    page: Page,
    status: Overall,
    components: W::List<v2::Component>,
    incidents: W::List<v2::Incident<W>>,
    scheduled_maintenances: W::List<v2::Incident<W>>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Incidents<W: Decode> {
    page: Page,
    incidents: W::List<v2::Incident<W>>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Maintenances<W: Decode> {
    page: Page,
    scheduled_maintenances: W::List<v2::Incident<W>>,
}

/// The part of a summary that decides which histories are needed.
#[derive(Debug, Deserialize)]
struct Prefetch {
    page: Page,
    incidents: Vec<Glimpse>,
    scheduled_maintenances: Vec<Glimpse>,
}

#[derive(Debug, Deserialize)]
struct Glimpse {
    id: Id,
    impact: Text,
}

impl Source for Statuspage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".statuspage.io", ".metastatuspage.com", ".status.atlassian.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["dka575ofm4ao0.cloudfront.net", "statuspage-production", "powered by statuspage"]
    }

    fn refusal(&self, page: &Url, title: &str) -> Option<String> {
        if title.ends_with("- Page Inactive") {
            return Some(format!("the owner has deactivated the page (\"{title}\")"));
        }
        let its_own = page
            .host_str()
            .is_some_and(|host| host == "atlassian.com" || host.ends_with(".atlassian.com"));
        (title == "Statuspage | Atlassian" && !its_own).then(|| {
            "this Statuspage address is unclaimed: it shows Statuspage's own advertisement"
                .to_owned()
        })
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v2/summary.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let id = if is_incidents_file(&document.url) {
            sniff::<Incidents<Lenient>>(document)?.page.id
        } else {
            sniff::<Summary<Lenient>>(document)?.page.id
        };
        is_page_id(&id)
            .then(|| format!("the document has the shape of Statuspage and its page id \"{id}\""))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        strict_then_lenient(
            documents,
            || read::<Strict>(documents, limits),
            || read::<Lenient>(documents, limits),
        )
    }

    fn prefetch(&self, first: &Document, known: &PriorItems) -> Option<Vec<Detail>> {
        if is_incidents_file(&first.url) {
            return None;
        }
        let glance: Prefetch =
            sniff(first).filter(|glance: &Prefetch| is_page_id(&glance.page.id))?;
        let maintenance = |item: &Glimpse| vocabulary::impact(&item.impact) == Impact::Maintenance;
        let maintained =
            !glance.scheduled_maintenances.is_empty() || glance.incidents.iter().any(maintenance);
        let listed: Vec<&str> = glance
            .incidents
            .iter()
            .chain(&glance.scheduled_maintenances)
            .map(|item| item.id.as_str())
            .collect();
        let wanted = wanted(&first.url, known, glance.page.updated_at.0, maintained, &listed);
        (!wanted.is_empty()).then_some(wanted)
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if is_incidents_file(&first.url) {
            return Vec::new();
        }
        let maintained =
            snapshot.incidents.iter().any(|incident| incident.kind == Kind::Maintenance);
        let listed: Vec<&str> =
            snapshot.incidents.iter().map(|incident| incident.id.as_str()).collect();
        wanted(&first.url, known, snapshot.page.version, maintained, &listed)
    }
}

fn read<W: Decode>(documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
    if is_incidents_file(&documents.first.url) {
        return read_incidents_alone::<W>(&documents.first, limits);
    }
    let summary: Summary<W> = json(&documents.first, NAME)?;
    check_page_id(&summary.page.id)?;
    let mut reader = Reader::new(limits);
    let components = reader.components::<W>(summary.components)?;
    let all_components = reader.rejected() == 0;

    let mut incidents =
        Part::read::<W>(&mut reader, Kind::Incident, summary.incidents, Listing::Open)?;
    if let Some(document) = documents.detail(INCIDENTS) {
        let detail: Incidents<W> = json(document, NAME)?;
        incidents.add::<W>(&mut reader, &summary.page, &detail.page, detail.incidents)?;
    }
    let mut maintenances = Part::read::<W>(
        &mut reader,
        Kind::Maintenance,
        summary.scheduled_maintenances,
        Listing::Open,
    )?;
    if let Some(document) = documents.detail(MAINTENANCES) {
        let detail: Maintenances<W> = json(document, NAME)?;
        maintenances.add::<W>(
            &mut reader,
            &summary.page,
            &detail.page,
            detail.scheduled_maintenances,
        )?;
    }

    // A maintenance may be listed among the incidents, and be the rejected item.
    if incidents.listing == Listing::Unknown {
        maintenances.listing = Listing::Unknown;
    }

    let mut page = summary.page.to_page();
    page.version = summary.page.updated_at.0;
    page.impact = Some(vocabulary::impact(&summary.status.indicator));
    Ok(Snapshot {
        page,
        coverage: Coverage {
            incidents: incidents.listing,
            maintenances: maintenances.listing,
            all_components,
        },
        incidents: v2::unite(incidents.read, maintenances.read)
            .into_iter()
            .map(Read::finish)
            .collect(),
        components,
        rejected: reader.into_rejected(),
        ..Snapshot::default()
    })
}

/// Returns the required histories: none where nothing has changed since they were last read and
/// nothing has disappeared.
fn wanted(
    first: &Url,
    known: &PriorItems,
    version: Option<Time>,
    maintained: bool,
    listed: &[&str],
) -> Vec<Detail> {
    let vanished = known.open.iter().any(|(_, id)| !listed.contains(&id.as_str()));
    if known.baseline && known.version == version && !vanished {
        return Vec::new();
    }
    let mut wanted = vec![(INCIDENTS, INCIDENTS_FILE)];
    if !known.baseline
        || maintained
        || known.open.iter().any(|(kind, _)| *kind == Kind::Maintenance)
    {
        wanted.push((MAINTENANCES, MAINTENANCES_FILE));
    }
    wanted
        .into_iter()
        .filter_map(|(role, file)| {
            Some(Detail { role, url: sibling(first, file)?, optional: true })
        })
        .collect()
}

/// Incidents or maintenances, with the coverage of their documents.
struct Part {
    kind: Kind,
    read: Vec<Read>,
    listing: Listing,
}

impl Part {
    fn read<W: Decode>(
        reader: &mut Reader,
        kind: Kind,
        list: W::List<v2::Incident<W>>,
        listing: Listing,
    ) -> Result<Self, ParseError> {
        let before = reader.rejected();
        let read = reader.incidents::<W>(kind, list)?;
        // A list that lost an item does not prove an absence.
        let listing = if reader.rejected() > before { Listing::Unknown } else { listing };
        Ok(Self { kind, read, listing })
    }

    /// Merges the history. A history older than the summary does not cover the time between the
    /// two, and what it calls open while the summary does not list it is over by now; the next
    /// history shows how.
    fn add<W: Decode>(
        &mut self,
        reader: &mut Reader,
        page: &Page,
        detail: &Page,
        list: W::List<v2::Incident<W>>,
    ) -> Result<(), ParseError> {
        detail.must_be(&page.id, NAME)?;
        let mut more = Self::read::<W>(reader, self.kind, list, Listing::Recent)?;
        let read = std::mem::take(&mut self.read);
        let older = detail.updated_at.0 < page.updated_at.0;
        if older {
            let listed: HashSet<&str> =
                read.iter().map(|read| read.incident().id.as_str()).collect();
            more.read.retain(|read| {
                read.incident().status.is_over() || listed.contains(read.incident().id.as_str())
            });
        }
        self.read = v2::unite(read, more.read);
        if more.listing == Listing::Unknown || self.listing == Listing::Unknown {
            self.listing = Listing::Unknown;
        } else if !older {
            self.listing = Listing::Recent;
        }
        Ok(())
    }
}

fn read_incidents_alone<W: Decode>(
    first: &Document,
    limits: Limits,
) -> Result<Snapshot, ParseError> {
    let document: Incidents<W> = json(first, NAME)?;
    check_page_id(&document.page.id)?;
    let mut reader = Reader::new(limits);
    let incidents =
        Part::read::<W>(&mut reader, Kind::Incident, document.incidents, Listing::Recent)?;
    let mut page = document.page.to_page();
    page.version = document.page.updated_at.0;
    Ok(Snapshot {
        page,
        coverage: Coverage {
            incidents: incidents.listing,
            maintenances: Listing::Unknown,
            all_components: false,
        },
        incidents: incidents.read.into_iter().map(Read::finish).collect(),
        components: Vec::new(),
        rejected: reader.into_rejected(),
        ..Snapshot::default()
    })
}

fn is_incidents_file(url: &Url) -> bool {
    url.path().ends_with(INCIDENTS_FILE)
}

/// Returns whether an id is twelve lower-case letters and digits: other platforms that answer at
/// these paths have other ids.
fn is_page_id(id: &Id) -> bool {
    id.0.len() == 12 && id.0.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn check_page_id(id: &Id) -> Result<(), ParseError> {
    if is_page_id(id) {
        return Ok(());
    }
    let reason = format!("the page id \"{id}\" is not twelve lower-case letters and digits");
    Err(ParseError::not_this(NAME, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(file: &str, body: &'static str) -> Document {
        Document::new(
            Url::parse("https://status.acme.example/api/v2/").unwrap().join(file).unwrap(),
            None,
            body,
        )
    }

    #[test]
    fn flawless_documents_are_read_in_one_pass_and_others_are_not() {
        let summary = include_str!("../../../tests/fixtures/statuspage/outage/07-summary.json");
        let history = include_str!("../../../tests/fixtures/statuspage/outage/07-incidents.json");
        let mut documents = Documents::only(document("summary.json", summary));
        documents.details.push((INCIDENTS, document("incidents.json", history)));
        let at_once = read::<Strict>(&documents, Limits::default()).unwrap();
        assert!(!at_once.incidents.is_empty() && !at_once.components.is_empty());
        assert_eq!(at_once, read::<Lenient>(&documents, Limits::default()).unwrap());
        let odd = include_str!("../../../tests/fixtures/statuspage/odd/01-summary.json");
        let odd = Documents::only(document("summary.json", odd));
        assert!(read::<Strict>(&odd, Limits::default()).is_err());
        assert!(!Statuspage.parse(&odd, Limits::default()).unwrap().rejected.is_empty());
    }
}
