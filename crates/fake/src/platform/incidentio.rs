//! incident.io: the part of Statuspage's API it imitates, and its own Atom feed.
//!
//! It differs in error-prone details: empty lists are omitted, incidents have no components, ids
//! are ULIDs, there is no list of past maintenances, and the feed shows only the latest update.

use chrono::SecondsFormat;
use html_escape::encode_text;
use serde_json::{Map, Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::{Impact, Kind};

use super::html::push;
use super::v2::{Dialect, fields};
use super::{Document, Documents, html, ids};

/// Entries of `incidents.json` and of the feed.
const WINDOW: usize = 25;

pub(super) fn documents(state: &State) -> Documents {
    // More precise than the real one: a change within the same second must still change the page.
    let dialect = Dialect {
        id: ids::ulid,
        precision: SecondsFormat::Millis,
        made: "2025-02-25T01:31:15Z",
        update: Value::Null,
    };
    let incident = |one: &Incident| {
        let mut value = dialect.incident(state, one);
        value.insert("shortlink".to_owned(), Value::Null);
        Value::from(value)
    };
    let page = json!({
        "id": dialect.page(state),
        "name": state.name,
        "url": format!("{}/", html::home(state)),
        "updated_at": dialect.time(state.version),
    });
    let status =
        json!({"indicator": state.impact().as_str(), "description": description(state.impact())});
    let rows = state.components.iter().zip(0..);
    let components: Vec<Value> = rows
        .map(|(one, place)| dialect.component(state, one, place, state.version).into())
        .collect();
    // summary.json lists at most 25 components, whatever the page has.
    let first: Vec<&Value> = components.iter().take(25).collect();
    let mut summary = fields(json!({"page": page, "status": status, "components": first}));
    leave_out_empty(&mut summary, "incidents", state.listed(Kind::Incident, true).map(incident));
    leave_out_empty(
        &mut summary,
        "scheduled_maintenances",
        state.listed(Kind::Maintenance, true).map(incident),
    );
    let past: Vec<Value> = state
        .listed(Kind::Incident, false)
        .take(state.window.unwrap_or(WINDOW))
        .map(incident)
        .collect();
    let feeds = [("application/atom+xml", "feed.atom")];
    Documents::from([
        (String::new(), html::page(state, "incident.io", &feeds)),
        ("api/v2/summary.json".to_owned(), Document::json(&summary.into())),
        ("api/v2/status.json".to_owned(), Document::json(&json!({"page": page, "status": status}))),
        (
            "api/v2/components.json".to_owned(),
            Document::json(&json!({"page": page, "components": components})),
        ),
        (
            "api/v2/incidents.json".to_owned(),
            Document::json(&json!({"page": page, "incidents": past})),
        ),
        ("feed.atom".to_owned(), feed(state)),
    ])
}

fn leave_out_empty(
    fields: &mut Map<String, Value>,
    key: &str,
    values: impl Iterator<Item = Value>,
) {
    let values: Vec<Value> = values.collect();
    if !values.is_empty() {
        fields.insert(key.to_owned(), values.into());
    }
}

fn feed(state: &State) -> Document {
    let home = html::home(state);
    let name = encode_text(&state.name);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n    <id>{home}/</id>\n    \
         <title>{name} status</title>\n    <updated>{}</updated>\n    <generator>incident.io</generator>\n    \
         <link rel=\"alternate\" href=\"{home}/\"/>\n    <subtitle>{name} status page updates</subtitle>\n",
        state.version.to_rfc3339_opts(SecondsFormat::Millis, true)
    );
    for incident in state.incidents.iter().rev().take(state.window.unwrap_or(WINDOW)) {
        let Some(latest) = incident.updates.last() else {
            continue;
        };
        let mut text = format!(
            "<b>Status: {}</b><br/><br/>{}",
            latest.status.label(),
            encode_text(&latest.text)
        );
        text.push_str("<br/><br/><b>Affected components</b>\n          <ul>\n");
        for one in state.components_of(incident) {
            push(
                &mut text,
                format_args!(
                    "          <li>{} ({})</li>\n",
                    encode_text(&one.name),
                    one.status.label()
                ),
            );
        }
        text.push_str("          </ul>");
        let text = cdata(&text);
        // The double slash is incident.io's own.
        let link = format!("{home}//incidents/{}", ids::ulid(state, "incident", incident.number));
        push(
            &mut out,
            format_args!(
                "    <entry>\n        <title type=\"html\">{}</title>\n        <id>{link}</id>\n        <link href=\"{link}\"/>\n        \
                 <updated>{}</updated>\n        <summary type=\"html\">{text}</summary>\n        \
                 <content type=\"html\">{text}</content>\n    </entry>\n",
                cdata(&encode_text(&incident.title)),
                latest.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            ),
        );
    }
    out.push_str("</feed>\n");
    Document::new("application/atom+xml; charset=utf-8", out)
}

fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

fn description(impact: Impact) -> &'static str {
    match impact {
        Impact::None | Impact::Unknown => "All Systems Operational",
        Impact::Minor => "Degraded Performance",
        Impact::Major => "Partial System Outage",
        Impact::Critical => "Major System Outage",
        Impact::Maintenance => "Under Maintenance",
    }
}
