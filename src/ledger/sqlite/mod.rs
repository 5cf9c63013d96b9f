//! The ledger in SQLite: the only place with SQL. It reads and writes rows, and makes no decisions.
//! Times are milliseconds since 1970, UTC.
//!
//! * [`SqliteStore`](store::SqliteStore) is the database as the ledger's actor uses it: one
//!   transaction per group of results, with a savepoint each if one of them fails.
//! * [`Reader`](read::Reader) gives sinks and other processes read access while `run` is writing.
//! * [`Replica`](replica::Replica) is one of several nodes' databases: what a transaction changes is
//!   shipped to all before it is committed.
//! * `migrate` creates, examines and upgrades the file.

mod book;
mod components;
mod declared;
mod doubt;
mod error;
mod events;
mod import;
mod items;
mod load;
mod migrate;
mod network;
mod outbox;
mod outbox_control;
mod outbox_copy;
mod outbox_read;
mod place;
mod providers;
mod prune;
mod read;
mod read_items;
mod replica;
mod scratch;
mod sinks;
mod store;
mod twins;
mod update_times;
mod upkeep;
mod wal;

use rusqlite::{Row, RowIndex};

pub use migrate::{DATABASE, open_writer};
pub use outbox::ROUTER;
pub(super) use outbox_control::ControlChange;
pub use outbox_copy::OutboxCopy;
pub use read::Reader;
pub use read_items::{ItemQuery, ItemRow, LastEvent, Span};
pub(super) use replica::{Export, Replica, is_local_sink};
pub(super) use scratch::ScratchStore;
pub(super) use store::SqliteStore;

use crate::event::Time;

type Sql<T> = rusqlite::Result<T>;

/// Returns the version of the SQLite library in use.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

fn millis(time: Option<Time>) -> Option<i64> {
    time.map(|time| time.timestamp_millis())
}

fn time(millis: Option<i64>) -> Option<Time> {
    millis.and_then(Time::from_timestamp_millis)
}

fn blob<const N: usize>(row: &Row<'_>, column: impl RowIndex) -> Sql<[u8; N]> {
    row.get::<_, [u8; N]>(column)
}

/// Parses a vocabulary word from the database; an unknown one is reported as damage.
fn word<T: std::str::FromStr<Err = crate::event::UnknownWord>>(
    row: &Row<'_>,
    column: impl RowIndex,
) -> Sql<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: crate::event::UnknownWord| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn optional_word<T: std::str::FromStr<Err = crate::event::UnknownWord>>(
    row: &Row<'_>,
    column: usize,
) -> Sql<Option<T>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        Ok(None)
    } else {
        word(row, column).map(Some)
    }
}

/// What tests of decisions need of a database.
#[cfg(test)]
pub(super) mod testing {
    pub(in crate::ledger) use rusqlite::Connection;

    pub(in crate::ledger) use super::declared::declare;
    pub(in crate::ledger) use super::migrate::open_scratch;
    use super::{book, events};
    use crate::ledger::book::Book;

    /// Judges something with the book of a provider, outside a transaction.
    pub(in crate::ledger) fn judge<T>(
        db: &Connection,
        provider: &str,
        judge: impl FnOnce(&mut dyn Book) -> T,
    ) -> T {
        let mut numbering = book::Numbering::after(events::newest_seq(db).unwrap());
        judge(&mut book::SqliteBook::new(db, provider, &mut numbering))
    }
}
