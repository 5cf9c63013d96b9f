//! Checkly's status pages: the payload of the page, or its JSON summary.
//!
//! The payload (`__NUXT_DATA__`) is known from a program that reads it (raycast/extensions,
//! `extensions/is-it-alive/src/adapters/checkly.ts`, July 2026): no capture was found. The summary
//! and its incidents are known from a trimmed answer in the tests of AstroQore/vibe-bar (September
//! 2026), which does not say where it was found; so it is read where the user names its address and
//! never guessed. Severities, statuses and the updates of an incident follow Checkly's
//! documentation. Neither contains a maintenance.
//!
//! A component is a service, and its group is its card. Its status follows the worst severity of
//! what is open there; if something is open that no service shows, the statuses are unknown.

mod devalue;
mod events;
mod summary;
mod wire;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use self::devalue::Carried;
use self::events::{Events, incident};
use self::wire::{Card, Head, Item, Resolved, Service, Unresolved, Uptime};
use super::support::{Items, html, lenient, link, name};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::ComponentStatus;
use statuswatch_model::snapshot::{Coverage, Listing, Page, Snapshot};
use statuswatch_model::text::one_line;

const NAME: &str = "checkly";
const SCRIPT: &str = "__NUXT_DATA__";

/// The adapter for Checkly's status pages.
#[derive(Debug)]
pub(super) struct Checkly;

/// The payload of the page.
struct Data {
    page: Head,
    unresolved: Unresolved,
    uptime: Option<Uptime>,
}

impl Source for Checkly {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".checkly-status-page.com"]
    }

    fn accept(&self) -> &'static str {
        "text/html, application/json;q=0.9"
    }

    /// The page itself, which is requested in any case.
    fn locate(&self, _: &Url) -> Vec<Url> {
        Vec::new()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if document.shape() != Shape::Html {
            return summary::is_summary(document)
                .then(|| "the document has the shape of the summary of a Checkly page".to_owned());
        }
        let page = carried(&document.text()).ok()??.page;
        Some(format!("the HTML carries the data of a Checkly page, \"{}\"", name(&page.name)))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        if documents.first.shape() == Shape::Json {
            return summary::parse(&documents.first, limits);
        }
        let text = html::page(&documents.first, NAME)?;
        let broken = |reason: String| ParseError::Malformed {
            format: "data of the page",
            reason: one_line(&reason, 200),
        };
        let data = carried(&text).map_err(broken)?.ok_or_else(|| html::another(&text))?;
        let mut items = Items::new(limits);
        let build = |items: &mut Items, wire: Item| incident(items, wire);
        let mut incidents =
            items.build("incidents", &data.unresolved.incidents, build, |one| &one.id)?;
        let of_incidents = items.rejected();
        let mut components = Vec::new();
        let mut whole = false;
        if let Some(uptime) = &data.uptime {
            let unsure = !matches!(uptime.partial_error, Value::Null | Value::Bool(false));
            whole = !unsure;
            let mut events = Events::of(&mut incidents);
            for card in items.read::<Card>("cards", &uptime.uptime)? {
                for service in items.read::<Service>("services", &card.services)? {
                    let one = events.of_service(&mut items, service, &card.name)?;
                    components.push(one);
                }
            }
            if unsure || events.open_nowhere() {
                for one in &mut components {
                    if one.status == ComponentStatus::Operational {
                        one.status = ComponentStatus::Unknown;
                    }
                }
            }
            incidents = events.incidents;
        }
        for (what, count) in [("incidents", incidents.len()), ("services", components.len())] {
            if count > limits.max_items {
                return Err(ParseError::TooMany { what, count, limit: limits.max_items });
            }
        }
        let listing = match (of_incidents, items.rejected(), whole) {
            (0, 0, true) => Listing::Recent,
            (0, ..) => Listing::Open,
            _ => Listing::Unknown,
        };
        let domain = (!data.page.custom_domain.is_empty())
            .then(|| format!("https://{}/", data.page.custom_domain));
        Ok(Snapshot {
            page: Page {
                id: Some(data.page.id.0),
                name: (!data.page.name.is_empty()).then_some(data.page.name.0),
                url: domain.and_then(|url| link(&url)).or_else(|| link(&data.page.url)),
                version: None,
                impact: None,
                ..Page::default()
            },
            incidents,
            coverage: Coverage {
                incidents: listing,
                maintenances: Listing::Unknown,
                all_components: whole && items.rejected() == of_incidents,
            },
            components,
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns the payload of the page; `None` for another page.
fn carried(html: &str) -> Result<Option<Data>, String> {
    fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        lenient::read(&value.to_string()).map_err(|error| error.to_string())
    }
    let Some(script) = html::script(html, SCRIPT) else { return Ok(None) };
    let mut carried = Carried::new(script)?;
    let (Some(page), Some(unresolved)) =
        (carried.fetched("status-page-resolver-")?, carried.fetched("unresolved-incidents-")?)
    else {
        return Ok(None);
    };
    let uptime = carried.fetched("uptime-")?.filter(|value| !value.is_null());
    Ok(Some(Data {
        page: read::<Resolved>(&page)?.status_page,
        unresolved: read(&unresolved)?,
        uptime: uptime.as_ref().map(read).transpose()?,
    }))
}
