//! Whether a database is a ledger of its own: neither moved away nor the replica of a shared one.

use rusqlite::{Connection, OptionalExtension, params};

use super::Sql;

/// The key in `meta` of where a ledger was moved to.
const MOVED: &str = "moved";

/// The key in `meta` of which shared ledger a replica is of.
pub(super) const IDENTITY: &str = "replica.identity";

/// Returns what the database is, if it is no ledger of its own.
pub(super) fn elsewhere(db: &Connection) -> Sql<Option<String>> {
    let mut statement = db.prepare("SELECT value FROM meta WHERE key = ?1")?;
    let moved: Option<String> = statement.query_row([MOVED], |row| row.get(0)).optional()?;
    if let Some(to) = moved {
        return Ok(Some(format!("was moved to {}", crate::text::one_line(&to, 200))));
    }
    let is_replica = statement.exists([IDENTITY])?;
    Ok(is_replica.then(|| "is the replica of a ledger that several nodes share".to_owned()))
}

/// Marks a ledger as moved.
pub(super) fn put_moved(db: &Connection, to: &str) -> Sql<()> {
    db.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)", params![MOVED, to])?;
    Ok(())
}
