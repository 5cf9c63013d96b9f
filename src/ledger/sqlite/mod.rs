//! The writer's SQL: reads and writes rows, makes no decisions. Times are milliseconds since 1970,
//! UTC.

mod components;
mod doubt;
mod events;
pub(super) mod import;
mod items;
pub(super) mod load;
pub(super) mod migrate;
pub(super) mod outbox;
pub(super) mod outbox_control;
mod outbox_read;
mod providers;
mod prune;
pub(super) mod read;
mod twins;
pub(super) mod wal;

use rusqlite::{Row, RowIndex};

pub(super) use components::{
    ComponentState, Components, all_held_since, components, held_since, key_of_name, ordinal,
    provider_held_since, put_components,
};
pub(super) use doubt::put_doubt;
pub(super) use events::{
    EventRow, add_sink, count_dropped, is_known_event, newest_seq, put_cursor, put_event,
    put_filtered, put_imported, was_imported,
};
pub(super) use items::{
    ItemSummary, Open, item, item_summaries, listed_items, miss_item, newer_items, open_items,
    put_item, put_seen, recent_items, retire_item, seen, touch_item,
};
pub(super) use outbox::{change_outbox, forget_routing, prune_outbox};
pub(super) use providers::{
    Declared, ProviderState, Usual, bound_wait, checkpoint, count_death, fail, provider_state,
    put_restart, put_success, touch_provider, watch_provider,
};
pub(super) use prune::prune;

pub(super) use twins::{twins, unite};

use crate::event::Time;

type Sql<T> = rusqlite::Result<T>;

pub(super) fn millis(time: Option<Time>) -> Option<i64> {
    time.map(|time| time.timestamp_millis())
}

pub(super) fn time(millis: Option<i64>) -> Option<Time> {
    millis.and_then(Time::from_timestamp_millis)
}

fn blob<const N: usize>(row: &Row<'_>, column: impl RowIndex) -> Sql<[u8; N]> {
    row.get::<_, [u8; N]>(column)
}

/// Parses a vocabulary word from the database; an unknown one is reported as damage.
pub(super) fn word<T: std::str::FromStr<Err = crate::event::UnknownWord>>(
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
