//! incident.io: the part of Statuspage's API it imitates, and its own Atom feed.
//!
//! It differs where it hurts: empty lists are left out, incidents have no components, ids are
//! ULIDs, there is no list of past maintenances, and the feed shows the latest update alone.

use chrono::SecondsFormat;
use html_escape::encode_text;
use serde_json::{Map, Value, json};

use crate::event::{Impact, Kind, Time};
use crate::world::state::{Component, Incident, State};

use super::html::push;
use super::{Document, Documents, Platform, html, ids};

/// incident.io.
#[derive(Debug, Clone, Copy)]
pub struct IncidentIo;

/// Entries of `incidents.json` and of the feed.
const WINDOW: usize = 25;

impl Platform for IncidentIo {
    fn name(&self) -> &'static str {
        "incidentio"
    }

    fn source(&self) -> &'static str {
        "incidentio"
    }

    fn documents(&self, state: &State) -> Documents {
        let page = json!({
            "id": ids::ulid(state, "page", 0),
            "name": state.name,
            "url": format!("{}/", html::home(state)),
            "updated_at": seconds(state.version),
        });
        let status = json!({"indicator": state.impact().as_str(), "description": description(state.impact())});
        let components: Vec<Value> = state.components.iter().zip(0..).map(|(one, place)| component(state, one, place)).collect();
        // summary.json lists 25 components at most, whatever the page has.
        let first: Vec<&Value> = components.iter().take(25).collect();
        let mut summary = json!({"page": page, "status": status, "components": first});
        if let Value::Object(fields) = &mut summary {
            leave_out_empty(fields, "incidents", state.listed(Kind::Incident, true).map(|one| incident(state, one)));
            leave_out_empty(
                fields,
                "scheduled_maintenances",
                state.listed(Kind::Maintenance, true).map(|one| incident(state, one)),
            );
        }
        let past: Vec<Value> =
            state.listed(Kind::Incident, false).take(state.window.unwrap_or(WINDOW)).map(|one| incident(state, one)).collect();
        let feeds = [("application/atom+xml", "feed.atom")];
        Documents::from([
            (String::new(), html::page(state, "incident.io", &feeds)),
            ("api/v2/summary.json".to_owned(), Document::json(&summary)),
            ("api/v2/status.json".to_owned(), Document::json(&json!({"page": page, "status": status}))),
            ("api/v2/components.json".to_owned(), Document::json(&json!({"page": page, "components": components}))),
            ("api/v2/incidents.json".to_owned(), Document::json(&json!({"page": page, "incidents": past}))),
            ("feed.atom".to_owned(), feed(state)),
        ])
    }

    fn incident_id(&self, state: &State, incident: u64) -> String {
        ids::ulid(state, "incident", incident)
    }

    fn update_id(&self, state: &State, update: u64) -> Option<String> {
        Some(ids::ulid(state, "update", update))
    }

    fn shows_maintenances(&self) -> bool {
        false
    }
}

fn leave_out_empty(fields: &mut Map<String, Value>, key: &str, values: impl Iterator<Item = Value>) {
    let values: Vec<Value> = values.collect();
    if !values.is_empty() {
        fields.insert(key.to_owned(), values.into());
    }
}

fn component(state: &State, component: &Component, position: u32) -> Value {
    json!({
        "id": ids::ulid(state, "component", component.number),
        "name": component.name,
        "status": component.status.as_str(),
        "created_at": "2025-02-25T01:31:15Z",
        "updated_at": seconds(state.version),
        "position": position,
        "page_id": ids::ulid(state, "page", 0),
    })
}

fn incident(state: &State, incident: &Incident) -> Value {
    let id = ids::ulid(state, "incident", incident.number);
    let updates: Vec<Value> = incident
        .updates
        .iter()
        .rev()
        .map(|update| {
            json!({
                "id": ids::ulid(state, "update", update.number),
                "status": update.status.as_str(),
                "body": update.text,
                "incident_id": id,
                "created_at": seconds(update.at),
                "updated_at": seconds(update.changed),
                "display_at": seconds(update.at),
            })
        })
        .collect();
    let mut value = json!({
        "id": id,
        "name": incident.title,
        "status": incident.status.as_str(),
        "impact": incident.impact.as_str(),
        "created_at": seconds(incident.created),
        "updated_at": seconds(incident.changed),
        "resolved_at": incident.resolved.map(seconds),
        "started_at": seconds(incident.created),
        "page_id": ids::ulid(state, "page", 0),
        "shortlink": null,
        "incident_updates": updates,
    });
    if let (Some((from, until)), Value::Object(fields)) = (incident.window, &mut value) {
        fields.insert("scheduled_for".to_owned(), seconds(from).into());
        fields.insert("scheduled_until".to_owned(), seconds(until).into());
    }
    value
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
        let Some(latest) = incident.updates.last() else { continue };
        let mut text = format!("<b>Status: {}</b><br/><br/>{}", latest.status.label(), encode_text(&latest.text));
        text.push_str("<br/><br/><b>Affected components</b>\n          <ul>\n");
        for one in state.components_of(incident) {
            push(&mut text, format_args!("          <li>{} ({})</li>\n", encode_text(&one.name), one.status.label()));
        }
        text.push_str("          </ul>");
        let text = cdata(&text);
        // The doubled slash is incident.io's own.
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

fn seconds(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
