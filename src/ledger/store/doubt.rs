//! Answers that were not believed: part of a provider's row, ended by whatever is believed.

use rusqlite::{Connection, named_params};

use super::providers::forget_quiet;
use super::{ProviderState, Sql, millis};
use crate::event::Time;
use crate::ledger::anomalies::AnomalyStreak;
use crate::ledger::messages::Record;

/// What a row says once an answer is believed.
macro_rules! no_doubt {
    () => {
        "doubt = NULL, doubt_since = NULL, doubt_stale = NULL, doubt_foreign = NULL"
    };
}
pub(super) use no_doubt;

/// The log says of one provider no more often than this that it is not believed.
const SAID_EVERY: chrono::Duration = chrono::Duration::hours(1);

/// Writes down an answer that is not believed: nothing is taken from it, and it is not a success.
/// Answers whether the log has to say so.
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
