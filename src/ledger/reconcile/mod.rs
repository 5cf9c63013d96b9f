//! The pure core of the ledger: compares the stored state of one incident with a snapshot and
//! returns the new events. It depends only on its arguments. The rules come from the contract and
//! from how platforms behave in practice; each is explained where it is applied.
//!
//! * `state` is what is stored of an incident.
//! * `updates` judges each listed update.
//! * `changes` finds changes that no update states.

mod changes;
mod state;
mod updates;

pub use state::{ItemState, Latest, SeenVersion, digest};
pub(super) use updates::version;

use changes::{back_from_its_end, change, conclude, keep_end, keep_impact, silent_change};
use state::remember;
use updates::{judge_update, remember_update};

use crate::config::FirstRun;
use crate::event::{Draft, IncidentKey, IncidentStatus, Time};
use crate::snapshot::{Basis, Incident};

/// Inputs to [`reconcile`] that are not part of the incident itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// When the documents were fetched.
    pub now: Time,
    /// `Some` on the provider's first successful poll: which events to emit.
    pub first_run: Option<FirstRun>,
    /// When the provider was first read. Anything published earlier is backfill.
    pub watched_since: Time,
    /// Whether the list of past incidents is read for the first time: what ended before
    /// `watched_since` is not new.
    pub first_history: bool,
    /// By position, which of the incident's updates were already reported or stored under another
    /// id of the incident. Empty if it has had only one id.
    pub reported: &'a [bool],
    /// Whether the documents are read by a different version of the source than before. A
    /// difference in a known update without a newer edit time is then a parser change, not an edit.
    pub reread: bool,
}

/// The outcome for one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// The state to store. The emitted status and impact are set once events are ordered.
    pub item: ItemState,
    /// Update versions to store.
    pub seen: Vec<SeenVersion>,
    /// New events, oldest first.
    pub drafts: Vec<Draft>,
}

/// Compares an incident with its stored state.
#[must_use]
pub fn reconcile(
    known: Option<&ItemState>,
    seen: &[SeenVersion],
    incident: &Incident,
    context: Context<'_>,
) -> Reconciled {
    let key = IncidentKey::new(context.provider, &incident.id);
    let mut outcome = Reconciled {
        item: remember(known, incident, context.now),
        seen: Vec::new(),
        drafts: Vec::new(),
    };
    for (place, update) in incident.updates.iter().enumerate() {
        if context.reported.get(place) == Some(&true) {
            remember_update(&mut outcome, key, seen, update);
        } else {
            judge_update(&mut outcome, known, key, seen, incident, update, context);
        }
    }
    conclude(&mut outcome, known, key, incident, context);
    keep_end(&mut outcome, known, incident);
    match (known, context.first_run) {
        (_, Some(first_run)) => {
            outcome.drafts = first_run_drafts(outcome.drafts, key, incident, first_run, context);
        }
        (None, None) => {
            if outcome.drafts.is_empty()
                && incident.updates.is_empty()
                && !is_past(incident, context)
            {
                outcome.drafts.push(change(key, incident, "opened", &[], context));
            }
            if context.first_history && incident.status.is_over() {
                outcome.drafts.retain(|draft| !draft.backfill);
            }
        }
        (Some(known), None) => {
            if outcome.drafts.is_empty() {
                let draft = back_from_its_end(&mut outcome.item, known, key, incident, context)
                    .or_else(|| silent_change(&mut outcome.item, known, key, incident, context));
                outcome.drafts.extend(draft);
            }
            keep_impact(&mut outcome, known, incident);
        }
    }
    outcome
}

/// Whether an incident without updates was already over before the provider was watched, and
/// therefore is not new.
fn is_past(incident: &Incident, context: Context<'_>) -> bool {
    incident.status.is_over() && context.first_history
}

/// Selects the events to emit at the provider's first successful poll. The caller applies
/// [`FirstRun::Latest`] across all incidents.
fn first_run_drafts(
    mut drafts: Vec<Draft>,
    key: IncidentKey,
    incident: &Incident,
    first_run: FirstRun,
    context: Context<'_>,
) -> Vec<Draft> {
    for draft in &mut drafts {
        draft.backfill = true;
    }
    match first_run {
        FirstRun::None => Vec::new(),
        FirstRun::All => drafts,
        FirstRun::Latest => drafts.pop().into_iter().collect(),
        FirstRun::Active => {
            // Announced maintenances are shown by `status`; pages list dozens of them. A listed
            // item is open unless its status says it is over; only a feed item without a status is
            // ambiguous, and is treated as past.
            if incident.status.is_over()
                || incident.status == IncidentStatus::Scheduled
                || incident.basis == Basis::Silent
            {
                return Vec::new();
            }
            let newest = drafts.pop().unwrap_or_else(|| Draft {
                backfill: true,
                ..change(key, incident, "opened", &[], context)
            });
            vec![newest]
        }
    }
}
