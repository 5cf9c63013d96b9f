//! The page: rows of incidents, distinguished by their class names.

use std::collections::HashMap;

use super::{NAME, nature, status};
use crate::support::{Order, RawUpdate, bases, fields, html, html_title, name, order_updates};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, IncidentStatus, Kind};
use statuswatch_model::snapshot::{self, Basis, Incident, Page, Snapshot, Update};
use statuswatch_model::text::html_to_text;

/// Present in every page of the platform.
const MAKER: &str = "content=\"Status Page by StatusCast\"";
/// Encloses a list of incidents; a page without one has no information about them.
const LIST: &str = "widget-incidentlist";
/// Starts an incident: its type and its status follow.
const ROW: &str = "incident-body incident-type-";
/// What follows the last row of a list.
const ENDS: [&str; 3] =
    ["incident-list-group-wrapper", "class=\"widget ", "class='row widget-row'"];
/// Starts a text of an incident.
const UPDATE: &str = "row incident-update-body\"";
/// Maximum number of components of one incident.
const MAX_COMPONENTS: usize = 500;

/// Returns whether a page belongs to the platform and lists incidents.
pub(super) fn is_page(text: &str) -> bool {
    text.contains(MAKER) && text.contains(LIST)
}

pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let text = html::page(document, NAME)?;
    if !text.contains(MAKER) {
        return Err(html::another(&text));
    }
    if !text.contains(LIST) {
        return Err(ParseError::not_this(NAME, "the page has no list of incidents"));
    }
    let rows: Vec<&str> = text.split(ROW).skip(1).collect();
    if rows.len() > limits.max_items {
        return Err(ParseError::TooMany {
            what: "incidents",
            count: rows.len(),
            limit: limits.max_items,
        });
    }
    let home = bases(&document.url).into_iter().next();
    let mut snapshot = Snapshot {
        page: Page {
            name: html_title(&text).and_then(|title| page_name(&title)),
            url: home.as_ref().map(ToString::to_string),
            ..Page::default()
        },
        ..Snapshot::default()
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        let end = ENDS.iter().filter_map(|end| row.find(end)).min();
        let row = end.and_then(|end| row.get(..end)).unwrap_or(row);
        let Some(incident) = incident(row, home.as_ref()) else {
            snapshot.rejected.push(format!("incidents[{place}]: no link that names it"));
            continue;
        };
        // The same incident may be in several lists; the one with the most updates wins.
        match places.get(&incident.id).and_then(|&place| snapshot.incidents.get_mut(place)) {
            Some(known) if incident.updates.len() > known.updates.len() => *known = incident,
            Some(_) => {}
            None => {
                places.insert(incident.id.clone(), snapshot.incidents.len());
                snapshot.incidents.push(incident);
            }
        }
    }
    if snapshot.incidents.is_empty()
        && let Some(reason) = snapshot.rejected.first()
    {
        return Err(ParseError::malformed(
            "HTML",
            format!("none of the incidents can be read: {reason}"),
        ));
    }
    Ok(snapshot)
}

/// Returns the name of the page: "Acme" for "Status Page for Acme | Service Status powered by
/// StatusCast".
fn page_name(title: &str) -> Option<String> {
    let name = title.split('|').next()?.trim();
    let name = name.strip_prefix("Status Page for ").unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

fn incident(row: &str, home: Option<&url::Url>) -> Option<Incident> {
    let (kind_word, rest) = row.split_once(' ')?;
    let status_word = rest.strip_prefix("incident-status-")?.split(['"', '\'', ' ']).next()?;
    let (kind, impact) = nature(kind_word);
    let (before, _) = row.split_once("incident-partial-title-url")?;
    let (tag, _) = html::start_tag(row.get(before.rfind('<')?..)?)?;
    let href = html::attribute(tag, "href")?;
    let (_, id) = href.rsplit_once("/incident/")?;
    let id: String = id.chars().take_while(char::is_ascii_alphanumeric).collect();
    if id.is_empty() || id.len() > 64 {
        return None;
    }
    let (head, stories) =
        row.split_once(UPDATE).map_or((row, None), |(head, rest)| (head, Some(rest)));
    let title =
        inner(head, "class=\"incident-title\"", "</h2>").map(html_to_text).unwrap_or_default();
    let started_at =
        inner(head, "aria-label=\"Incident Date\"", "</div>").and_then(fields::moment_of);
    let components =
        head.split("aria-label=\"Component Name\"").skip(1).take(MAX_COMPONENTS).filter_map(
            |rest| {
                let named = name(&html_to_text(rest.split_once('>')?.1.split_once("</")?.0));
                (!named.is_empty())
                    .then(|| snapshot::component(None, named, None, ComponentStatus::Unknown))
            },
        );
    let window = kind == Kind::Maintenance;
    let new = Incident::new(kind, id, name(&title));
    let stated = status(status_word, kind);
    let open = if window { new.status } else { IncidentStatus::Investigating };
    Some(Incident {
        status: stated.unwrap_or(open),
        basis: if window && stated.is_none() { Basis::Begin } else { Basis::Stated },
        impact,
        url: home
            .and_then(|home| home.join(&format!("/incident/{}", new.id)).ok())
            .map(|url| url.to_string()),
        started_at,
        scheduled_for: started_at.filter(|_| window),
        components: components.collect(),
        updates: stories.map(|stories| updates(stories, kind)).unwrap_or_default(),
        ..new
    })
}

fn updates(stories: &str, kind: Kind) -> Vec<Update> {
    let read = stories.split(UPDATE).map(|story| {
        let at = inner(story, "incident-update-when\"", "</div>").and_then(fields::moment_of);
        let word =
            inner(story, "aria-label=\"Incident Post Status\"", "</span>").unwrap_or_default();
        let body = story
            .split_once("aria-label=\"Incident Post Content\"")
            .and_then(|(_, rest)| rest.split_once('>'));
        let body = body.map(|(_, body)| body).unwrap_or_default();
        // The word in brackets is not part of the text.
        let body = match body.split_once("aria-label=\"Incident Post Status\"") {
            Some((_, rest)) => rest.split_once("</span>").map_or("", |(_, text)| text),
            None => body,
        };
        let word = word.trim().trim_matches(['[', ']']);
        RawUpdate::new(
            status(word, kind).unwrap_or(IncidentStatus::Update),
            at,
            html_to_text(whole_tags(body)),
        )
    });
    order_updates(read, Order::NewestFirst)
}

/// Returns `body` without a truncated tag at its end.
fn whole_tags(body: &str) -> &str {
    match body.rfind('<') {
        Some(at) if !body.get(at..).is_some_and(|tag| tag.contains('>')) => {
            body.get(..at).unwrap_or_default()
        }
        _ => body,
    }
}

/// Returns the text between the tag that contains `marker` and `end`.
fn inner<'t>(text: &'t str, marker: &str, end: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(marker)?;
    let (_, content) = after.split_once('>')?;
    Some(content.split_once(end)?.0.trim())
}
