//! Rejected responses: part of a provider's row, cleared by an accepted response.

use rusqlite::{Connection, named_params};

use super::providers::forget_quiet;
use super::{Sql, millis};
use crate::ledger::book::Rejected;

/// Records a rejected response: it is not a success, and nothing else is stored.
pub(super) fn put_rejected(db: &Connection, rejected: &Rejected<'_>) -> Sql<()> {
    let Rejected { message, streak, reason, logged } = rejected;
    let now = message.observed_at;
    db.prepare_cached(
        "UPDATE provider SET last_success_at = coalesce((SELECT quiet.at FROM quiet WHERE provider = :id), last_success_at),
           last_poll_at = :now, last_outcome = 'doubted', last_error = NULL, failures = 0, retry_until = NULL, next_poll_at = :next,
           doubt = :doubt, doubt_since = :since, doubt_stale = :stale, doubt_foreign = :foreign,
           doubt_said_at = iif(:says, :now, doubt_said_at)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": message.provider.id, ":now": now.timestamp_millis(), ":next": millis(message.checkpoint.next_poll_at),
        ":doubt": reason, ":since": millis(streak.since), ":stale": streak.stale, ":foreign": streak.foreign, ":says": logged,
    })?;
    forget_quiet(db, &message.provider.id)
}
