//! Replaced entries: incident.io shows only the latest update of an incident.
//!
//! ```text
//! <b>Status: Monitoring</b><br/><br/>A fix is in place.<br/><br/>
//! <b>Affected components</b><ul><li>Mail (Degraded performance)</li></ul>
//! ```

use super::item::Item;
use super::{titles, vocabulary};
use statuswatch_model::event::{Component, IncidentStatus};
use statuswatch_model::snapshot::component;
use statuswatch_model::text::{html_to_text, one_line};

/// Longest list of components that is read.
const MAX_COMPONENTS: usize = 1000;

/// The content of such an entry.
pub(super) struct Latest {
    pub(super) status: IncidentStatus,
    pub(super) text: String,
    pub(super) components: Vec<Component>,
}

/// Parses an entry; returns `None` where it has another form.
pub(super) fn read(item: &Item) -> Option<Latest> {
    let rest = item.body.trim_start().strip_prefix("<b>Status:")?;
    let (label, rest) = rest.split_once("</b>")?;
    let (text, components) = rest.split_once("<b>Affected components</b>").unwrap_or((rest, ""));
    // Paragraphs are separated by empty lines here, which HTML would collapse.
    let text = text.replace("\r\n", "\n").replace("\n\n", "<br><br>");
    let status =
        titles::label(&one_line(&html_to_text(label), 60)).unwrap_or(IncidentStatus::Update);
    Some(Latest { status, text: html_to_text(&text), components: listed(components) })
}

/// Returns the components of `<li>Name (State)</li>`.
fn listed(html: &str) -> Vec<Component> {
    let items = html
        .split("<li>")
        .skip(1)
        .take(MAX_COMPONENTS)
        .filter_map(|item| item.split("</li>").next());
    items
        .filter_map(|item| {
            let line = one_line(&html_to_text(item), 200);
            let (name, state) = line
                .strip_suffix(')')
                .and_then(|line| line.rsplit_once(" ("))
                .unwrap_or((&line, ""));
            (!name.is_empty()).then(|| component(None, name, None, vocabulary::component(state)))
        })
        .collect()
}
