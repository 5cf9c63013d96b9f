//! Answers that are someone else's or yesterday's, and how long they are not believed.

use super::messages::Verdict;
use super::store::ProviderState;
use crate::event::Time;
use crate::snapshot::Snapshot;

/// Stale answers in a row after which the page may be believed: it was reset, not replayed.
const STALE_BELIEVED: u32 = 5;

/// Foreign page ids in a row after which the page may be believed: it was made anew, not mixed up.
const TENANT_BELIEVED: u32 = 12;

/// So long they must have lasted, too: edges answered with old pages, and mix-ups lasted, for less
/// than this, which is many polls of an open incident.
const ODD_BELIEVED_MS: i64 = 30 * 60 * 1000;

/// How often a provider has answered oddly in a row. Lives beside the database.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Oddities {
    /// When the first one in a row came.
    since: Option<Time>,
    stale: u32,
    pub(super) foreign: u32,
}

/// Whether the answer is someone else's or yesterday's.
pub(super) fn distrust(
    state: &ProviderState,
    oddities: &mut Oddities,
    snapshot: &Snapshot,
    now: Time,
) -> Option<Verdict> {
    let since = *oddities.since.get_or_insert(now);
    let lately = (now - since).num_milliseconds() < ODD_BELIEVED_MS;
    if let (Some(expected), Some(found)) = (&state.page_id, &snapshot.page.id)
        && expected != found
    {
        oddities.foreign += 1;
        if lately || oddities.foreign < TENANT_BELIEVED {
            return Some(Verdict::WrongTenant { expected: expected.clone(), found: found.clone() });
        }
    } else if snapshot.page.version.is_some() && snapshot.page.version < state.page_version {
        oddities.stale += 1;
        if lately || oddities.stale < STALE_BELIEVED {
            return Some(Verdict::Stale);
        }
    }
    *oddities = Oddities::default();
    None
}
