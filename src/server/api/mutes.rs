//! `/api/v1/mutes`: what is not notified of for a time. The only handlers that change the ledger:
//! through a connection of their own, one short transaction at a time, as the commands do.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::config::parse_duration;
use crate::event::{Time, format_time, parse_time};
use crate::ledger::outbox::MuteRow;
use crate::ledger::{Control, LedgerError};
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json, json_now};
use crate::server::call::Call;
use crate::server::model::ReadError;
use crate::text::one_line;

/// Characters of a reason.
const MAX_REASON: usize = 200;
/// Characters of a component.
const MAX_COMPONENT: usize = 200;
/// Mutes shown, the newest.
const MAX_MUTES: usize = 1000;
/// A longer mute is a filter, which belongs in the configuration.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// A mute.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Mute {
    /// Its id.
    id: i64,
    /// The provider's id.
    provider: String,
    /// Components by name, id or group, as a pattern such as `API*`; null: the whole provider.
    component: Option<String>,
    /// Until when; null: until nothing of it is open.
    until: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Since when.
    created_at: String,
    /// When it ended; null while it is in effect.
    ended_at: Option<String>,
}

impl From<MuteRow> for Mute {
    fn from(row: MuteRow) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            component: row.component,
            until: row.until.map(format_time),
            reason: row.reason,
            created_at: format_time(row.created_at),
            ended_at: row.ended_at.map(format_time),
        }
    }
}

/// Mutes.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct MuteList {
    /// Oldest first, at most the newest 1000.
    mutes: Vec<Mute>,
}

/// A mute to set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"properties": {"for": {"type": "null"}}},
    {"properties": {"until": {"type": "null"}}},
]))]
pub(in crate::server) struct NewMute {
    /// The provider's id.
    pub(in crate::server) provider: String,
    /// Only components with this name, id or group; a pattern such as `API*`.
    #[schemars(length(min = 1, max = 200))]
    pub(in crate::server) component: Option<String>,
    /// How long, such as `2h`, at most 366 days. Without `for` and `until`: until nothing of it is
    /// open.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = "^[1-9][0-9]?(s|m|h|d)$"))]
    pub(in crate::server) duration: Option<String>,
    /// Until when: a UTC time, RFC 3339, in the future. Not together with `for`.
    #[schemars(extend("format" = "date-time"))]
    pub(in crate::server) until: Option<String>,
    /// Why, on one line.
    #[schemars(length(max = 200))]
    pub(in crate::server) reason: Option<String>,
}

/// What came of ending mutes.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Unmuted {
    /// How many mutes were in effect and have ended.
    ended: usize,
}

/// `GET /api/v1/mutes`.
pub(in crate::server) async fn mutes(app: Arc<App>, call: Call) -> Response<Body> {
    finish(listed(&app, &call).await)
}

async fn listed(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let all = match call.parameter("all") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::Bad("\"all\" must be true or false".to_owned())),
    };
    let rows = app.model.read(move |reader| reader.mutes(all)).await?;
    let older = rows.len().saturating_sub(MAX_MUTES);
    let mutes = rows.into_iter().skip(older).map(Mute::from).collect();
    Ok(json(&call.headers, &MuteList { mutes }))
}

/// `POST /api/v1/mutes`.
pub(in crate::server) async fn mute(app: Arc<App>, call: Call) -> Response<Body> {
    finish(set(&app, &call).await)
}

async fn set(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let row = apply(app, call.json()?).await?;
    Ok(json_now(StatusCode::CREATED, &Mute::from(row)))
}

/// Sets a mute, wherever it was asked for.
pub(in crate::server) async fn apply(app: &App, new: NewMute) -> Result<MuteRow, Refusal> {
    // What is asked about something that is not there is answered by that.
    let state = app.model.state().await?;
    if !state.providers().iter().any(|row| row.id == new.provider) {
        return Err(Refusal::Missing("there is no such provider"));
    }
    let now = clock::now();
    let until = end(&new, now)?;
    let too_long =
        |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.chars().count() > most);
    if too_long(&new.component, MAX_COMPONENT) || new.component.as_deref() == Some("") {
        return Err(Refusal::Bad(format!(
            "\"component\" must have 1 to {MAX_COMPONENT} characters"
        )));
    }
    if too_long(&new.reason, MAX_REASON) {
        return Err(Refusal::Bad(format!("\"reason\" has more than {MAX_REASON} characters")));
    }
    let reason = new.reason.map(|reason| one_line(&reason, MAX_REASON));
    let reason = reason.filter(|reason| !reason.is_empty());
    let (provider, component) = (new.provider, new.component);
    let written = write(app, move |control| {
        let Some(provider) = control.provider(&provider)? else { return Ok(None) };
        let (component, reason) = (component.as_deref(), reason.as_deref());
        let id = control.mute(&provider, component, until, reason, now)?;
        Ok(Some(MuteRow {
            id,
            provider,
            component: component.map(str::to_owned),
            until,
            reason: reason.map(str::to_owned),
            created_at: now,
            ended_at: None,
        }))
    });
    let row = written.await?.ok_or(Refusal::Missing("there is no such provider"))?;
    tracing::info!(provider = row.provider, "a mute was set over HTTP");
    Ok(row)
}

/// When a mute ends.
fn end(new: &NewMute, now: Time) -> Result<Option<Time>, Refusal> {
    let bad = |text: &str| Err(Refusal::Bad(text.to_owned()));
    let until = match (&new.duration, &new.until) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return bad("\"for\" and \"until\" exclude each other"),
        (Some(duration), None) => parse_duration(duration)
            .ok()
            .and_then(|duration| TimeDelta::from_std(duration).ok())
            .and_then(|duration| now.checked_add_signed(duration)),
        (None, Some(until)) => parse_time(until),
    };
    match until {
        Some(until) if until > now && until - now <= LONGEST => Ok(Some(until)),
        Some(_) => bad("a mute must end in the future, within 366 days"),
        None => bad("write \"for\" as 90s, 2h or 7d, \"until\" as 2026-02-23T10:00:00Z"),
    }
}

/// `DELETE /api/v1/mutes`.
pub(in crate::server) async fn unmute(app: Arc<App>, call: Call) -> Response<Body> {
    finish(ended(&app, &call).await)
}

async fn ended(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let Some(provider) = call.parameter("provider").map(str::to_owned) else {
        return Err(Refusal::Bad("\"provider\" is missing".to_owned()));
    };
    let component = call.parameter("component").map(str::to_owned);
    let ended = lift(app, provider, component).await?;
    Ok(json_now(StatusCode::OK, &Unmuted { ended }))
}

/// Ends mutes, wherever it was asked for. Returns how many.
pub(in crate::server) async fn lift(
    app: &App,
    provider: String,
    component: Option<String>,
) -> Result<usize, Refusal> {
    let now = clock::now();
    let written = write(app, move |control| {
        let Some(provider) = control.provider(&provider)? else { return Ok(None) };
        control.unmute(&provider, component.as_deref(), now).map(Some)
    });
    written.await?.ok_or(Refusal::Missing("there is no such provider"))
}

/// Changes the ledger on a thread that may block.
async fn write<T: Send + 'static>(
    app: &App,
    change: impl FnOnce(&mut Control) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Refusal> {
    // A client that leaves does not stop a change that has begun, but the next one waits for it:
    // a ledger has one writer, and its actor must not wait for many of ours.
    let turn = Arc::clone(&app.writing).lock_owned().await;
    let (state_dir, database) = (app.model.state_dir().to_owned(), app.database.clone());
    let task = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        change(&mut Control::open(&state_dir, database.as_ref())?)
    });
    let changed = task.await.map_err(|_| ReadError::Ended)?;
    changed.map_err(|error| {
        tracing::warn!(%error, "the HTTP server cannot change the ledger");
        Refusal::Busy("the ledger cannot be changed at present")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(duration: Option<&str>, until: Option<&str>) -> Result<Option<String>, ()> {
        let new = NewMute {
            provider: "acme".to_owned(),
            component: None,
            duration: duration.map(str::to_owned),
            until: until.map(str::to_owned),
            reason: None,
        };
        let now = parse_time("2026-02-23T12:00:00Z").unwrap();
        end(&new, now).map(|end| end.map(format_time)).map_err(drop)
    }

    #[test]
    fn a_mute_ends_in_the_future_or_with_what_it_mutes() {
        assert_eq!(until(None, None), Ok(None));
        assert_eq!(until(Some("2h"), None), Ok(Some("2026-02-23T14:00:00Z".to_owned())));
        let later = "2026-02-23T13:00:00Z";
        assert_eq!(until(None, Some(later)), Ok(Some(later.to_owned())));
        for (duration, time) in [
            (Some("2h"), Some(later)),
            (Some("soon"), None),
            (Some("400d"), None),
            (Some("99999999999999d"), None),
            (None, Some("2026-02-23T12:00:00Z")),
            (None, Some("2028-02-23T12:00:00Z")),
            (None, Some("tomorrow")),
        ] {
            assert_eq!(until(duration, time), Err(()), "{duration:?} {time:?}");
        }
    }
}
