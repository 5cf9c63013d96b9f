//! What is told of a provider itself: that it cannot be read, can be again, or has moved.

use rusqlite::params;

use super::messages::Record;
use super::numbering::Numbering;
use super::store::ProviderState;
use crate::config::Provider;
use crate::event::{
    Draft, Fingerprint, Impact, IncidentKey, Kind, Status, Time, UpdateKey, event_id,
};

type Sql<T> = rusqlite::Result<T>;

/// One notice for the operator, with the evidence.
pub(super) fn tell_move(
    numbering: &mut Numbering<'_>,
    message: &Record,
    state: &ProviderState,
    known: usize,
    new: usize,
) -> Sql<bool> {
    let provider = &message.provider;
    let (from, to) = (state.source.as_deref().unwrap_or("unknown"), message.source());
    numbering
        .db
        .prepare_cached("UPDATE provider SET epoch = epoch + 1 WHERE id = ?1")?
        .execute([&provider.id])?;
    let key = IncidentKey::new(&provider.id, "provider");
    let update = UpdateKey::change(key, "moved", &[&(state.epoch + 1).to_string()]);
    let id = event_id(update, Kind::Provider, Fingerprint::new(Status::Reachable, "moved"));
    let title = if from == to {
        format!("{} has new ids for everything", provider.name)
    } else {
        format!("{} has moved from {from} to {to}", provider.name)
    };
    let previous = (state.outages > 0).then_some(Status::Reachable);
    let draft = Draft {
        update_id: Some(format!("moved-{}", state.epoch + 1)),
        previous_status: previous,
        previous_impact: previous.map(|_| Impact::Unknown),
        message: Some(format!(
            "Of {} incidents and maintenances listed {known} are known from before, {new} are not. Nothing told before is told again.",
            known + new
        )),
        url: message.snapshot.page.url.clone(),
        ..Draft::new(id, Kind::Provider, title, Status::Reachable, message.observed_at)
    };
    numbering.store(provider, to, draft, None, message.observed_at)
}

/// Tells that a provider cannot be read any more, or can again.
pub(super) fn reachability(
    numbering: &mut Numbering<'_>,
    provider: &Provider,
    state: &ProviderState,
    reachable: bool,
    why: Option<String>,
    now: Time,
) -> Sql<bool> {
    let key = IncidentKey::new(&provider.id, "provider");
    let outage = if reachable { state.outages } else { state.outages + 1 };
    let status = if reachable { Status::Reachable } else { Status::Unreachable };
    let update = UpdateKey::change(key, status.as_str(), &[&outage.to_string()]);
    let previous = match (reachable, state.outages) {
        (true, _) => Some(Status::Unreachable),
        (false, 0) => None,
        (false, _) => Some(Status::Reachable),
    };
    let id = event_id(update, Kind::Provider, Fingerprint::new(status, ""));
    let title = if reachable {
        format!("{} can be read again", provider.name)
    } else {
        format!("{} cannot be read", provider.name)
    };
    let draft = Draft {
        update_id: Some(format!("{status}-{outage}")),
        previous_status: previous,
        previous_impact: previous.map(|_| Impact::Unknown),
        message: why,
        url: state.page_url.clone().or_else(|| Some(crate::redact::redact(&provider.url))),
        ..Draft::new(id, Kind::Provider, title, status, now)
    };
    numbering
        .db
        .prepare_cached("UPDATE provider SET unreachable = ?2, outages = ?3 WHERE id = ?1")?
        .execute(params![provider.id, !reachable, outage])?;
    numbering.store(provider, state.source.as_deref().unwrap_or("unknown"), draft, None, now)
}
