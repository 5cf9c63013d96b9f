//! Rejected responses: part of a provider's row, cleared by an accepted response.

use rusqlite::{Connection, named_params};

use super::providers::forget_quiet;
use super::{ProviderState, Sql, millis};
use crate::event::Time;
use crate::ledger::anomalies::AnomalyStreak;
use crate::ledger::messages::Record;

/// Clears the columns once a response is accepted.
macro_rules! no_doubt {
    () => {
        "doubt = NULL, doubt_since = NULL, doubt_stale = NULL, doubt_foreign = NULL"
    };
}
pub(super) use no_doubt;

/// Minimum time between two log messages about rejected responses of one provider.
const SAID_EVERY: chrono::Duration = chrono::Duration::hours(1);

/// Records a rejected response: it is not a success, and nothing else is stored. Returns whether to
/// log it.
pub(in crate::ledger) fn put_doubt(
    db: &Connection,
    message: &Record,
    state: &ProviderState,
    streak: AnomalyStreak,
    reason: &str,
) -> Sql<bool> {
    let now = message.observed_at;
    let lately = |said: Time| (now - said).abs() < SAID_EVERY;
    let should_log =
        state.anomaly_streak.since.is_none() && !state.doubt_said_at.is_some_and(lately);
    db.prepare_cached(
        "UPDATE provider SET last_success_at = coalesce((SELECT quiet.at FROM quiet WHERE provider = :id), last_success_at),
           last_poll_at = :now, last_outcome = 'doubted', last_error = NULL, failures = 0, retry_until = NULL, next_poll_at = :next,
           doubt = :doubt, doubt_since = :since, doubt_stale = :stale, doubt_foreign = :foreign,
           doubt_said_at = iif(:says, :now, doubt_said_at)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": message.provider.id, ":now": now.timestamp_millis(), ":next": millis(message.checkpoint.next_poll_at),
        ":doubt": reason, ":since": millis(streak.since), ":stale": streak.stale, ":foreign": streak.foreign, ":says": should_log,
    })?;
    forget_quiet(db, &message.provider.id)?;
    Ok(should_log)
}
