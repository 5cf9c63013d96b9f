//! `/api/v1/incidents` and `/api/v1/maintenances`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::channels::Notified;
use super::events::raw;
use crate::clock;
use crate::event::{
    Component, Impact, IncidentKey, Kind, StatusEvent, Time, format_time, parse_time,
};
use crate::ledger::{ItemQuery, ItemRow};
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json};
use crate::server::call::Call;
use crate::view::link;

/// Events shown of one incident: the newest.
const TIMELINE: usize = 1000;
/// The default of `to`, after `from`.
const AHEAD: TimeDelta = TimeDelta::days(90);
/// A maintenance that is over was listed at least this long before its window, or later.
const LISTED: TimeDelta = TimeDelta::days(30);

/// An incident or maintenance.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Incident {
    /// Identifies it here and in every other statuswatch: 32 hexadecimal digits.
    pub(in crate::server) key: String,
    /// The provider's id.
    pub(in crate::server) provider: String,
    /// `incident` or `maintenance`.
    pub(in crate::server) kind: Kind,
    /// The platform's id.
    pub(in crate::server) id: String,
    /// Plain text, one line.
    pub(in crate::server) title: String,
    /// Where it stands.
    pub(in crate::server) status: String,
    /// How bad it is.
    pub(in crate::server) impact: Impact,
    /// Whether it is not over.
    pub(in crate::server) open: bool,
    /// When it began.
    pub(in crate::server) started_at: Option<String>,
    /// Maintenance: the window's begin.
    pub(in crate::server) scheduled_for: Option<String>,
    /// Maintenance: the window's end.
    pub(in crate::server) scheduled_until: Option<String>,
    /// What is affected.
    pub(in crate::server) components: Vec<Component>,
    /// The page a person would open.
    pub(in crate::server) url: Option<String>,
}

impl From<&ItemRow> for Incident {
    fn from(row: &ItemRow) -> Self {
        let item = &row.item;
        Self {
            key: row.key.to_string(),
            provider: item.provider.clone(),
            kind: item.kind,
            id: item.incident_id.clone(),
            title: item.title.clone(),
            status: item.status.clone(),
            impact: item.impact,
            open: row.open,
            started_at: item.started_at.map(format_time),
            scheduled_for: item.scheduled_for.map(format_time),
            scheduled_until: item.scheduled_until.map(format_time),
            components: item.components.clone(),
            url: link(item.url.as_deref()).map(str::to_owned),
        }
    }
}

/// A list of incidents or maintenances.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct IncidentList {
    /// By provider and time.
    incidents: Vec<Incident>,
}

/// One with its events.
#[derive(Serialize, JsonSchema)]
pub(in crate::server) struct IncidentDetail {
    /// As in the list.
    incident: Incident,
    /// Its events, oldest first, at most the newest 1000; each as in the event log, byte for byte.
    #[schemars(with = "Vec<StatusEvent>")]
    events: Box<RawValue>,
    /// Which channels accepted a message about them, and when; by `seq` and time.
    notified: Vec<Notified>,
}

/// `GET /api/v1/incidents`.
pub(in crate::server) async fn incidents(app: Arc<App>, call: Call) -> Response<Body> {
    finish(open(&app, &call).await)
}

async fn open(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let wanted = call.wanted()?.providers;
    let state = app.model.state().await?;
    let listed = state.open().iter().filter(|row| {
        row.item.kind == Kind::Incident
            && (wanted.is_empty() || wanted.contains(&row.item.provider))
    });
    Ok(json(&call.headers, &IncidentList { incidents: listed.map(Incident::from).collect() }))
}

/// `GET /api/v1/incidents/{key}`.
pub(in crate::server) async fn incident(app: Arc<App>, call: Call) -> Response<Body> {
    finish(detail(&app, &call).await)
}

async fn detail(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    const NONE: Refusal = Refusal::Missing("there is no incident with this key");
    let key = read_key(call.part("key")).ok_or(NONE)?;
    let read = app.model.read(move |reader| {
        let Some(row) = reader.items(ItemQuery::Key(key))?.into_iter().next() else {
            return Ok(None);
        };
        let events = reader.timeline(&row.item.provider, &row.item.incident_id, TIMELINE)?;
        let seqs: Vec<u64> = events.iter().map(|recorded| recorded.event.seq).collect();
        let notified = reader.deliveries(&seqs)?;
        Ok(Some((row, events, notified)))
    });
    let (row, events, notified) = read.await?.ok_or(NONE)?;
    let detail = IncidentDetail {
        incident: Incident::from(&row),
        events: raw(&events)?,
        notified: notified.into_iter().map(Notified::from).collect(),
    };
    Ok(match serde_json::to_string(&detail) {
        Ok(text) => {
            crate::server::answer::content(&call.headers, crate::server::answer::JSON, text, 0)
        }
        Err(_) => json(&call.headers, &detail.incident),
    })
}

pub(in crate::server) fn read_key(text: &str) -> Option<IncidentKey> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| plain)?;
    Some(IncidentKey(number.to_be_bytes()))
}

/// `GET /api/v1/maintenances`.
pub(in crate::server) async fn maintenances(app: Arc<App>, call: Call) -> Response<Body> {
    finish(planned(&app, &call).await)
}

async fn planned(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let time = |name: &str| match call.parameter(name).map(parse_time) {
        Some(None) => Err(Refusal::Bad(format!("\"{name}\" must be a time: 2026-02-23T10:00:00Z"))),
        Some(time) => Ok(time),
        None => Ok(None),
    };
    let from = time("from")?.unwrap_or_else(clock::now);
    let to = time("to")?.or_else(|| from.checked_add_signed(AHEAD)).unwrap_or(Time::MAX_UTC);
    let (from, to) = (from.min(to), from.max(to));
    let listed = from.checked_sub_signed(LISTED).unwrap_or(Time::UNIX_EPOCH);
    let rows = app.model.read(move |reader| reader.items(ItemQuery::Maintenances(listed))).await?;
    let listed = rows.iter().filter(|row| touches(row, from, to));
    Ok(json(&call.headers, &IncidentList { incidents: listed.map(Incident::from).collect() }))
}

/// Whether its window has a moment between `from` and `to`. Without an end it lasts as long as it
/// is open; without a begin it counts while it is open.
pub(in crate::server) fn touches(row: &ItemRow, from: Time, to: Time) -> bool {
    let begin = row.item.scheduled_for.or(row.item.started_at);
    let end = row.item.scheduled_until.or(if row.open { None } else { begin });
    match begin {
        None => row.open,
        Some(begin) => begin <= to && end.is_none_or(|end| end >= from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_hexadecimal_digits() {
        let key = IncidentKey::new("acme", "1");
        assert_eq!(read_key(&key.to_string()), Some(key));
        for text in ["", "+1", "../../etc/passwd", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(read_key(text), None, "{text}");
        }
        let signed = format!("+{}", "0".repeat(31));
        assert_eq!(read_key(&signed), None);
    }
}
