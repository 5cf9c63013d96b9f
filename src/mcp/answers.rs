//! The answers of the tools. What a provider wrote stands in `provider_text` and nowhere else.

use std::cmp::Reverse;

use chrono::TimeDelta;
use serde_json::{Value, json};
use statuswatch_notify::hold::thread_of;

use super::call::{Answer, Call};
use crate::event::{Component, Impact, Kind, Status, StatusEvent, Time, format_time};
use crate::gate::{Gate, MAX_NEEDS, ask, parse_needs};
use crate::ledger::outbox::ChannelHealth;
use crate::ledger::{ItemQuery, ItemRow, LedgerError, ProviderRow, Query, StateLock};
use crate::text::{cut, one_line, plain};
use crate::view::filter::{parse_impact, parse_since};
use crate::view::link;
use crate::view::status::{Freshness, freshness, provider as provider_view, severity};

/// The longest title, name or reason in characters.
const TITLE: usize = 300;
/// The longest message in bytes.
const MESSAGE: usize = 2_000;
/// Updates of one incident.
const UPDATES: usize = 50;
/// Components of one item or provider.
const COMPONENTS: usize = 100;
/// Providers that are not fresh.
const BLIND: usize = 50;

fn read<T>(found: Result<T, LedgerError>) -> Result<T, String> {
    found.map_err(|error| one_line(&error.to_string(), TITLE))
}

fn time(at: Option<Time>) -> Value {
    at.map_or(Value::Null, |at| format_time(at).into())
}

fn title(text: &str) -> Value {
    one_line(text, TITLE).into()
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, title)
}

/// A link that a browser may follow, if it is not too long.
fn url(url: Option<&str>) -> Value {
    link(url).filter(|url| url.len() <= 1_000).map_or(Value::Null, Into::into)
}

/// A status word that the program knows.
fn known(status: &str) -> &'static str {
    status.parse::<Status>().map_or("unknown", Status::as_str)
}

fn names(components: &[Component]) -> Vec<Value> {
    components.iter().take(COMPONENTS).map(|component| title(&component.name)).collect()
}

fn item(row: &ItemRow) -> Value {
    let item = &row.item;
    json!({
        "key": row.key.to_string(),
        "kind": item.kind,
        "provider": item.provider,
        "open": row.open,
        "status": known(&item.status),
        "impact": item.impact,
        "started_at": time(item.started_at),
        "scheduled_for": time(item.scheduled_for),
        "scheduled_until": time(item.scheduled_until),
        "first_seen": time(row.first_seen),
        "provider_text": {
            "title": title(&item.title),
            "components": names(&item.components),
            "url": url(item.url.as_deref()),
        },
    })
}

fn event(event: &StatusEvent) -> Value {
    let message = event.message.as_deref().map(plain);
    json!({
        "seq": event.seq,
        "kind": event.kind,
        "provider": event.provider,
        "status": event.status,
        "previous_status": event.previous_status,
        "impact": event.impact,
        "revision": event.revision,
        "published_at": format_time(event.published_at),
        "observed_at": format_time(event.observed_at),
        "provider_text": {
            "title": title(&event.title),
            "message": message.as_deref().map(|message| cut(message, MESSAGE)),
            "components": names(&event.components),
            "url": url(event.url.as_deref()),
        },
    })
}

/// Returns the providers that are watched.
fn watched(call: &Call<'_>) -> Result<Vec<ProviderRow>, String> {
    let mut rows = read(call.reader.providers())?;
    rows.retain(|row| row.watched);
    Ok(rows)
}

/// Returns a provider that is watched.
fn provider(call: &Call<'_>, id: &str) -> Result<ProviderRow, String> {
    let mut rows = watched(call)?;
    let found = rows.iter().position(|row| row.id == id);
    if let Some(found) = found {
        return Ok(rows.swap_remove(found));
    }
    let nearest = crate::config::nearest(id, rows.iter().map(|row| row.id.as_str()));
    let hint = nearest.map(|id| format!("; did you mean {id}?")).unwrap_or_default();
    Err(format!("no provider with this id is watched{hint}"))
}

pub(super) fn open_incidents(call: &Call<'_>) -> Answer {
    let limit = call.limit()?;
    let wanted = call.arguments.text("provider")?;
    if let Some(id) = wanted {
        provider(call, id)?;
    }
    let rows = watched(call)?;
    let mut items = read(call.reader.items(ItemQuery::Open))?;
    items.retain(|row| {
        row.item.kind == Kind::Incident
            && wanted.is_none_or(|id| row.item.provider == id)
            && rows.iter().any(|provider| provider.id == row.item.provider)
    });
    items.sort_by_key(|row| (Reverse(severity(row.item.impact)), Reverse(row.item.started_at)));
    let is_blind = |row: &&ProviderRow| freshness(row, call.now) != Freshness::Fresh;
    let blind = rows.iter().filter(|row| wanted.is_none_or(|id| row.id == id)).filter(is_blind);
    Ok(json!({
        "at": format_time(call.now),
        "total": items.len(),
        "providers_not_fresh": blind.count(),
        "incidents": items.iter().take(limit).map(item).collect::<Vec<_>>(),
    }))
}

pub(super) fn provider_status(call: &Call<'_>) -> Answer {
    let row = provider(call, call.arguments.needed("provider")?)?;
    let mut items = read(call.reader.items(ItemQuery::Open))?;
    items.retain(|item| item.item.provider == row.id);
    let mine: Vec<_> = items.iter().map(|row| &row.item).collect();
    let view = provider_view(&row, &mine, call.now);
    let components = read(call.reader.components(&row.id))?;
    let listed = components.iter().take(COMPONENTS).map(|component| {
        json!({
            "status": component.status,
            "provider_text": {
                "name": title(&component.name),
                "group": optional(component.group.as_deref()),
            },
        })
    });
    Ok(json!({
        "at": format_time(call.now),
        "provider": view.id,
        "name": view.name,
        "source": view.source,
        "status": view.status,
        "last_known_status": view.last_known_status,
        "freshness": view.freshness,
        "last_success": view.last_success,
        "next_poll": view.next_poll,
        "failures": view.failures,
        "open": items.iter().take(UPDATES).map(item).collect::<Vec<_>>(),
        "components_total": components.len(),
        "components": listed.collect::<Vec<_>>(),
        "provider_text": {
            "last_error": optional(view.last_error.as_deref()),
            "doubt": optional(view.doubt.as_deref()),
            "suspect": optional(view.suspect.as_deref()),
            "url": url(row.page_url.as_deref()),
        },
    }))
}

pub(super) fn incident(call: &Call<'_>) -> Answer {
    let found = read(call.reader.items(ItemQuery::Key(call.arguments.key()?)))?;
    let row = found.first().ok_or("no incident has this key")?;
    let of_row = &row.item;
    let updates = read(call.reader.timeline(&of_row.provider, &of_row.incident_id, UPDATES))?;
    let seqs: Vec<u64> = updates.iter().map(|update| update.event.seq).collect();
    let deliveries = read(call.reader.deliveries(&seqs))?;
    let update = |recorded: &crate::ledger::StoredEvent| {
        let mut shown = event(&recorded.event);
        let mine = deliveries.iter().filter(|delivery| delivery.seq == recorded.event.seq);
        let notified = mine
            .map(|delivery| json!({ "channel": delivery.channel, "at": format_time(delivery.at) }));
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("notified".to_owned(), notified.collect());
        }
        shown
    };
    Ok(json!({
        "at": format_time(call.now),
        "incident": item(row),
        "updates": updates.iter().map(update).collect::<Vec<_>>(),
    }))
}

pub(super) fn changes_since(call: &Call<'_>) -> Answer {
    let seq = call.arguments.number("seq", i64::MAX.unsigned_abs())?.ok_or("seq is needed")?;
    let span = read(call.reader.span())?;
    let events = read(call.reader.after(seq, call.limit()?.max(1)))?;
    let next = events.last().map_or(seq, |last| last.event.seq);
    Ok(json!({
        "at": format_time(call.now),
        "events": events.iter().map(|recorded| event(&recorded.event)).collect::<Vec<_>>(),
        "next_seq": next,
        "newest_seq": span.newest,
        "more": next < span.newest,
        "gap": !span.continues(seq),
    }))
}

pub(super) fn history(call: &Call<'_>) -> Answer {
    let mut query = Query { limit: Some(call.limit()?), ..Query::default() };
    if let Some(id) = call.arguments.text("provider")? {
        query.providers = vec![id.to_owned()];
    }
    if let Some(since) = call.arguments.text("since")? {
        query.since = parse_since(since)?.instant(call.now);
    }
    if let Some(impact) = call.arguments.text("impact")? {
        let wanted = parse_impact(impact)?;
        query.impacts = Impact::ALL.iter().copied().filter(|one| wanted.holds(*one)).collect();
    }
    let events = read(call.reader.events(&query))?;
    Ok(json!({
        "at": format_time(call.now),
        "events": events.iter().map(|recorded| event(&recorded.event)).collect::<Vec<_>>(),
    }))
}

pub(super) fn upcoming_maintenance(call: &Call<'_>) -> Answer {
    let limit = call.limit()?;
    let days = call.arguments.number("days", 365)?.unwrap_or(7);
    let until = call.now + TimeDelta::days(days.cast_signed());
    let rows = watched(call)?;
    let mut items = read(call.reader.items(ItemQuery::Open))?;
    items.retain(|row| {
        row.item.kind == Kind::Maintenance
            && row.item.scheduled_for.is_none_or(|from| from <= until)
            && rows.iter().any(|provider| provider.id == row.item.provider)
    });
    items.sort_by_key(|row| row.item.scheduled_for);
    Ok(json!({
        "at": format_time(call.now),
        "until": format_time(until),
        "total": items.len(),
        "maintenances": items.iter().take(limit).map(item).collect::<Vec<_>>(),
    }))
}

pub(super) fn gate(call: &Call<'_>) -> Answer {
    let needs = call.arguments.texts("needs", MAX_NEEDS)?;
    let min_impact = match call.arguments.text("min_impact")? {
        None => Impact::Major,
        Some(word) => word
            .parse()
            .ok()
            .filter(|impact: &Impact| impact.rank() >= Impact::Maintenance.rank())
            .ok_or("min_impact is maintenance, minor, major or critical")?,
    };
    let needs = parse_needs(needs).map_err(|error| error.to_string())?;
    let gate = Gate { needs, min_impact, max_age: None, on_unknown: None };
    let answer = match read(ask(call.reader, &gate, call.now))? {
        Ok(answer) => answer,
        // The candidates are names of components.
        Err(error) => {
            let error = one_line(&error.to_string(), 2 * TITLE);
            return Ok(json!({ "verdict": null, "provider_text": { "error": error } }));
        }
    };
    let need = |need: &crate::gate::NeedAnswer| {
        let items = need.items.iter().take(UPDATES).map(|item| {
            json!({
                "kind": item.kind,
                "status": known(&item.status),
                "impact": item.impact,
                "provider_text": { "title": title(&item.title), "url": url(item.url.as_deref()) },
            })
        });
        json!({
            "need": need.need,
            "verdict": need.verdict,
            "provider": need.provider,
            "impact": need.impact,
            "last_success": need.last_success,
            "items": items.collect::<Vec<_>>(),
            "provider_text": { "reason": title(&need.reason), "url": url(need.url.as_deref()) },
        })
    };
    Ok(json!({
        "at": answer.at,
        "verdict": answer.verdict,
        "min_impact": answer.min_impact,
        "needs": answer.needs.iter().map(need).collect::<Vec<_>>(),
        "provider_text": { "reason": title(&answer.reason) },
    }))
}

pub(super) fn watch_health(call: &Call<'_>) -> Answer {
    let rows = watched(call)?;
    let network = read(call.reader.network())?;
    let with =
        |wanted: Freshness| rows.iter().filter(|row| freshness(row, call.now) == wanted).count();
    let counts: serde_json::Map<String, Value> =
        Freshness::ALL.iter().map(|one| (one.word().to_owned(), with(*one).into())).collect();
    let blind = rows.iter().filter(|row| freshness(row, call.now) != Freshness::Fresh);
    let blind = blind.take(BLIND).map(|row| {
        json!({
            "provider": row.id,
            "freshness": freshness(row, call.now),
            "last_success": time(row.last_success_at),
            "failures": row.failures,
            "provider_text": { "last_error": optional(row.last_error.as_deref()) },
        })
    });
    let sinks = read(call.reader.sinks())?;
    let channels = read(call.reader.channels(call.now))?;
    let channels = channels.iter().filter(|row| row.state.health != ChannelHealth::Removed);
    let channels = channels.take(COMPONENTS).map(|row| {
        json!({
            "channel": row.state.id,
            "health": row.state.health.as_str(),
            "waiting": row.waiting,
            "dead_letters": row.dead,
            "provider_text": { "last_error": optional(row.state.last_error.as_deref()) },
        })
    });
    let offline = network.offline_since;
    Ok(json!({
        "at": format_time(call.now),
        "running": StateLock::is_held(&call.context.state_dir),
        "healthy": with(Freshness::Fresh) > 0 && offline.is_none(),
        "offline_since": time(offline),
        "providers": counts,
        "not_fresh": blind.collect::<Vec<_>>(),
        "sinks": sinks.iter().map(|sink| json!({
            "sink": sink.id,
            "waiting": sink.behind,
            "error": optional(sink.failure.as_deref()),
        })).collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
        "newest_seq": read(call.reader.newest_seq())?,
        "nodes": (call.context.nodes)(),
    }))
}

pub(super) fn explain_route(call: &Call<'_>) -> Answer {
    let seq = call.arguments.number("seq", i64::MAX.unsigned_abs())?.ok_or("seq is needed")?;
    let routing = call.context.routing.as_ref();
    let routing = routing.ok_or("the configuration cannot be read: see `statuswatch check`")?;
    let found = read(call.reader.event(seq))?.ok_or("no event has this sequence number")?;
    let thread = thread_of(&found.event);
    let mut involved = Vec::new();
    for (channel, _) in &routing.channels {
        let known = read(call.reader.notified(channel, &thread))?;
        // As when it was routed: what was sent later, or about what had ended, does not count.
        if known.is_some_and(|known| known.first_seq < seq && known.ended_at.is_none()) {
            involved.push(channel.as_str());
        }
    }
    let tags = routing.tags.get(&found.event.provider).map_or(&[][..], Vec::as_slice);
    let is_involved = |id: &str| involved.contains(&id);
    let decision = routing.routes.decide(&found.event, tags, &routing.channels, &is_involved);
    let to = decision
        .to
        .iter()
        .map(|chosen| json!({ "channel": chosen.channel, "reason": chosen.reason.to_string() }));
    let trace = decision.trace.iter().take(COMPONENTS);
    let trace: Vec<Value> = trace.map(|trial| title(&trial.to_string())).collect();
    let nobody = decision.nobody().map(|why| match why {
        statuswatch_notify::Nobody::NoMatch => "no rule matches",
        statuswatch_notify::Nobody::OnPurpose => "a rule says nobody",
        statuswatch_notify::Nobody::NothingToEnd => "no pager was notified of what this ends",
        statuswatch_notify::Nobody::NoChannels => "there are no routes",
    });
    Ok(json!({
        "at": format_time(call.now),
        "event": event(&found.event),
        "to": to.collect::<Vec<_>>(),
        "nobody": nobody,
        "pagers_with_nothing_to_end": decision.without_page,
        // Reasons quote the event.
        "provider_text": { "trace": trace },
    }))
}
