//! incident.io: its imitation of Statuspage's `/api/v2/summary.json`, and its Widget API.
//!
//! Differences from Statuspage: page ids are ULIDs, empty lists are null or missing, incidents have
//! neither link nor components, there is no list of maintenances besides the summary, and the
//! summary shows 25 components that are a different 25 next time. `page.updated_at` was not seen to
//! follow the incidents, so it is no version here. The Widget API at `/api/v1/summary` is read
//! where the configured URL names it.

mod carried;
mod global;
mod payload;
mod widget;

use serde::Deserialize;
use url::Url;

pub(super) use self::global::Global;
use super::support::fields::{self, Id, OrDefault};
use super::support::v2::{self, Overall, Page, Read, Reader};
use super::support::{
    Decode, Lenient, Strict, at, candidates, json, sibling, sniff, strict_then_lenient, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, Impact, Kind};
use statuswatch_model::snapshot::{Coverage, Listing, Snapshot};

const NAME: &str = "incidentio";
const INCIDENTS: &str = "incidents";
const COMPONENTS: &str = "components";

/// The adapter for incident.io.
#[derive(Debug)]
pub(super) struct IncidentIo;

#[derive(Deserialize)]
#[serde(bound = "")]
struct Summary<W: Decode> {
    page: Page,
    status: Overall,
    /// Required, because every summary has it; null is an empty list.
    #[serde(deserialize_with = "fields::or_default")]
    components: W::List<v2::Component>,
    incidents: Option<W::List<v2::Incident<W>>>,
    scheduled_maintenances: OrDefault<W::List<v2::Incident<W>>>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Incidents<W: Decode> {
    page: Page,
    #[serde(deserialize_with = "fields::or_default")]
    incidents: W::List<v2::Incident<W>>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Components<W: Decode> {
    page: Page,
    #[serde(deserialize_with = "fields::or_default")]
    components: W::List<v2::Component>,
}

impl Source for IncidentIo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["incident.io"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v2/summary.json", "api/v1/summary"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if widget::is_widget(document) {
            return Some("the document has the shape of incident.io's Widget API".to_owned());
        }
        let id = sniff::<Summary<Lenient>>(document)?.page.id;
        is_ulid(&id).then(|| format!("the document has the shape of incident.io's summary and the page id \"{id}\", a ULID"))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        if widget::is_widget(&documents.first) {
            return widget::parse(&documents.first, limits);
        }
        strict_then_lenient(
            documents,
            || read::<Strict>(documents, limits),
            || read::<Lenient>(documents, limits),
        )
    }

    /// Both, whenever the summary changed: without a version, an incident that came and went in
    /// between would be missed.
    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        if widget::is_widget(first) {
            return Vec::new();
        }
        [(COMPONENTS, "components.json"), (INCIDENTS, "incidents.json")]
            .into_iter()
            .filter_map(|(role, file)| {
                Some(Detail { role, url: sibling(&first.url, file)?, optional: true })
            })
            .collect()
    }
}

fn read<W: Decode>(documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
    let summary: Summary<W> = json(&documents.first, NAME)?;
    if !is_ulid(&summary.page.id) {
        let reason = format!("the page id \"{}\" is not a ULID", summary.page.id);
        return Err(ParseError::not_this(NAME, reason));
    }
    let mut page = summary.page.to_page();
    let impact = vocabulary::impact(&summary.status.indicator);
    page.impact = Some(impact);

    let mut reader = Reader::new(limits);
    let (components, all_components) =
        components::<W>(&mut reader, &summary.page, summary.components, documents)?;
    let (read, listing) =
        incidents::<W>(&mut reader, &summary.page, summary.incidents, documents, impact)?;
    let before = reader.rejected();
    let maintenances =
        reader.incidents::<W>(Kind::Maintenance, summary.scheduled_maintenances.0)?;
    let coverage = Coverage {
        incidents: listing,
        maintenances: reader.listing(before, Listing::Open),
        all_components,
    };
    let mut united = v2::unite(read, maintenances);
    for read in &mut united {
        let url = page
            .url
            .as_deref()
            .and_then(|url| url_below(url, &format!("incidents/{}", read.incident().id)));
        read.set_url(url);
    }
    Ok(Snapshot {
        page,
        incidents: united.into_iter().map(Read::finish).collect(),
        components,
        coverage,
        rejected: reader.into_rejected(),
        ..Snapshot::default()
    })
}

/// Returns the components, and whether they are complete: only `components.json` lists more than
/// 25.
fn components<W: Decode>(
    reader: &mut Reader,
    page: &Page,
    shown: W::List<v2::Component>,
    documents: &Documents,
) -> Result<(Vec<Component>, bool), ParseError> {
    let Some(document) = documents.detail(COMPONENTS) else {
        return Ok((reader.components::<W>(shown)?, false));
    };
    let detail: Components<W> = json(document, NAME)?;
    detail.page.must_be(&page.id, NAME)?;
    let all = reader.components::<W>(detail.components)?;
    // An empty list next to a non-empty summary is not a full list.
    if all.is_empty() {
        return Ok((reader.components::<W>(shown)?, false));
    }
    Ok((all, reader.rejected() == 0))
}

fn incidents<W: Decode>(
    reader: &mut Reader,
    page: &Page,
    listed: Option<W::List<v2::Incident<W>>>,
    documents: &Documents,
    impact: Impact,
) -> Result<(Vec<Read>, Listing), ParseError> {
    let before = reader.rejected();
    // A missing list means "none open", unless the page reports a problem.
    let said = listed.is_some() || impact == Impact::None;
    let mut read = reader.incidents::<W>(Kind::Incident, listed.unwrap_or_default())?;
    let mut listing = if said { Listing::Open } else { Listing::Unknown };
    if let Some(document) = documents.detail(INCIDENTS) {
        let detail: Incidents<W> = json(document, NAME)?;
        detail.page.must_be(&page.id, NAME)?;
        let more = reader.incidents::<W>(Kind::Incident, detail.incidents)?;
        read = v2::unite(read, more);
        listing = Listing::Recent;
    }
    if reader.rejected() > before {
        listing = Listing::Unknown;
    }
    Ok((read, listing))
}

fn url_below(page: &str, path: &str) -> Option<String> {
    let page = Url::parse(&format!("{}/", page.trim_end_matches('/'))).ok()?;
    at(&page, path).map(|url| url.to_string())
}

/// Returns whether an id is a ULID: 26 characters of Crockford's base 32, upper case.
fn is_ulid(id: &Id) -> bool {
    id.0.len() == 26
        && id.0.bytes().all(|b| {
            b.is_ascii_digit()
                || (b.is_ascii_uppercase() && !matches!(b, b'I' | b'L' | b'O' | b'U'))
        })
}
