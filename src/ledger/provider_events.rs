//! Events about a provider itself: it cannot be read, it can be read again, or its page has moved.

use super::book::{Book, Change};
use super::error::Result;
use super::known::ProviderState;
use super::messages::Record;
use super::numbering::NewEvent;
use super::store::Store;
use crate::config::Provider;
use crate::event::{
    Draft, Fingerprint, Impact, IncidentKey, Kind, ProviderStatus, Time, UpdateKey, event_id,
};

/// A page that changes its ids again within this time is flapping, which is reported once.
const FLAP_WINDOW: chrono::Duration = chrono::Duration::hours(24);

/// Describes a page whose ids keep changing; `None` if they do not.
pub(super) fn flapping(silent_moves: Option<u32>) -> Option<String> {
    silent_moves.filter(|moves| *moves > 1).map(|moves| {
        format!("its ids keep changing back and forth ({moves} times since this was last reported)")
    })
}

/// Clears the flapping state of pages whose ids have been stable for [`FLAP_WINDOW`].
pub(super) fn forget_flapping(store: &mut dyn Store, now: Time) -> Result<()> {
    store.forget_moves(now.checked_sub_signed(FLAP_WINDOW).unwrap_or(Time::MIN_UTC))
}

/// Emits an event when all ids of a page have changed, with the evidence. A flapping page is
/// reported once until it has been stable for a day.
pub(super) fn emit_move(
    book: &mut dyn Book,
    message: &Record,
    state: &ProviderState,
    known: usize,
    new: usize,
) -> Result<bool> {
    let provider = &message.provider;
    let (from, to) = (state.source.as_deref().unwrap_or("unknown"), message.source());
    let now = message.observed_at;
    let lately = state.moved_at.is_some_and(|moved| (now - moved).abs() < FLAP_WINDOW);
    let mut between: Vec<&str> =
        state.moved_between.split(' ').filter(|name| lately && !name.is_empty()).collect();
    let is_flapping = between.contains(&to);
    for name in [from, to] {
        if !between.contains(&name) {
            between.push(name);
        }
    }
    book.put(Change::Moved { at: now, between: between.join(" "), reported: !is_flapping })?;
    if is_flapping {
        return Ok(false);
    }
    let key = IncidentKey::new(&provider.id, "provider");
    let update = UpdateKey::change(key, "moved", &[&(state.epoch + 1).to_string()]);
    let id = event_id(update, Kind::Provider, Fingerprint::new(ProviderStatus::Reachable, "moved"));
    let title = if from == to {
        format!("{} has changed the ids of all its incidents", provider.name)
    } else {
        format!("{} has moved from {from} to {to}", provider.name)
    };
    let previous = (state.outages > 0).then_some(ProviderStatus::Reachable);
    let draft = Draft {
        update_id: Some(format!("moved-{}", state.epoch + 1)),
        previous_status: previous.map(Into::into),
        previous_impact: previous.map(|_| Impact::Unknown),
        message: Some(format!(
            "Of {} listed incidents and maintenances, {known} are already known and {new} are not. Nothing is reported twice.",
            known + new
        )),
        url: message.snapshot.page.url.clone(),
        ..Draft::new(id, Kind::Provider, title, ProviderStatus::Reachable, now)
    };
    book.emit(NewEvent::of(provider, to, draft, None, now))
}

/// Emits an event when a provider becomes unreachable or reachable again.
pub(super) fn reachability(
    book: &mut dyn Book,
    provider: &Provider,
    state: &ProviderState,
    reachable: bool,
    why: Option<String>,
    now: Time,
) -> Result<bool> {
    let key = IncidentKey::new(&provider.id, "provider");
    let outage = if reachable { state.outages } else { state.outages + 1 };
    let status = if reachable { ProviderStatus::Reachable } else { ProviderStatus::Unreachable };
    let update = UpdateKey::change(key, status.as_str(), &[&outage.to_string()]);
    let previous = match (reachable, state.outages) {
        (true, _) => Some(ProviderStatus::Unreachable),
        (false, 0) => None,
        (false, _) => Some(ProviderStatus::Reachable),
    };
    let id = event_id(update, Kind::Provider, Fingerprint::new(status, ""));
    let title = if reachable {
        format!("{} can be read again", provider.name)
    } else {
        format!("{} cannot be read", provider.name)
    };
    let draft = Draft {
        update_id: Some(format!("{status}-{outage}")),
        previous_status: previous.map(Into::into),
        previous_impact: previous.map(|_| Impact::Unknown),
        message: why,
        url: state.page_url.clone().or_else(|| Some(crate::redact::redact(&provider.url))),
        ..Draft::new(id, Kind::Provider, title, status, now)
    };
    book.put(Change::Reachable { reachable, outages: outage })?;
    let source = state.source.as_deref().unwrap_or("unknown");
    book.emit(NewEvent::of(provider, source, draft, None, now))
}
