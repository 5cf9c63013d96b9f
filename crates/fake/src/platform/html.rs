//! The HTML page, and the HTML of updates in feeds.

use std::fmt::Write as _;

use html_escape::{encode_double_quoted_attribute, encode_text};

use crate::state::{Incident, State};
use statuswatch_model::event::IncidentStatus;

use super::Document;

/// Returns the public URL such a page would have.
pub(super) fn home(state: &State) -> String {
    format!("https://status.{}.example", state.tenant)
}

/// Returns the HTML page, which links to its feeds given as (media type, path).
pub(super) fn page(state: &State, generator: &str, feeds: &[(&str, &str)]) -> Document {
    let name = encode_text(&state.name);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{name} Status</title>\n"
    );
    if !generator.is_empty() {
        push(
            &mut out,
            format_args!(
                "<meta name=\"generator\" content=\"{}\">\n",
                encode_double_quoted_attribute(generator)
            ),
        );
    }
    for (kind, path) in feeds {
        push(
            &mut out,
            format_args!(
                "<link rel=\"alternate\" type=\"{kind}\" href=\"{path}\" title=\"{name} Status\">\n"
            ),
        );
    }
    push(&mut out, format_args!("</head>\n<body>\n<h1>{name} Status</h1>\n<ul>\n"));
    for component in &state.components {
        push(
            &mut out,
            format_args!(
                "<li>{}: {}</li>\n",
                encode_text(&component.name),
                component.status.label()
            ),
        );
    }
    out.push_str("</ul>\n</body>\n</html>\n");
    Document::new("text/html; charset=utf-8", out)
}

/// Returns all updates of an incident, newest first, as in Statuspage's feeds: no year, no seconds.
pub(super) fn updates(incident: &Incident) -> String {
    let mut before: Option<IncidentStatus> = None;
    let mut paragraphs = Vec::with_capacity(incident.updates.len());
    for update in &incident.updates {
        // Statuspage states a status once; further updates in the same status are labeled "Update".
        let label = if before == Some(update.status) {
            IncidentStatus::Update.label()
        } else {
            update.status.label()
        };
        before = Some(update.status);
        let time = update
            .at
            .format("%b <var data-var='date'>%e</var>, <var data-var='time'>%H:%M</var> UTC");
        let text = encode_text(&update.text).replace('\n', "<br />");
        paragraphs
            .push(format!("<p><small>{time}</small><br><strong>{label}</strong> - {text}</p>"));
    }
    paragraphs.reverse();
    paragraphs.concat()
}

/// Appends to a string; writing to a string cannot fail.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a string takes everything");
}
