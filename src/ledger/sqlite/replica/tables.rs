//! The replicated tables: their columns, and how a row becomes an image and back.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};
use serde_json::{Map, Value as Json};

use crate::ledger::error::{LedgerError, Result};

/// The replicated tables. Images of one commit are applied in this order. All tables but `network`
/// and those of SQLite; of `sink` only rows that all nodes share, of `meta` all but those of the
/// replica.
pub(super) const TABLES: [&str; 15] = [
    "meta",
    "provider",
    "quiet",
    "item",
    "seen",
    "component",
    "event",
    "filtered",
    "outbox",
    "notified",
    "delivery",
    "dead_letter",
    "mute",
    "channel",
    "sink",
];

/// The table of SQLite in which the highest ids ever used are. It has no primary key.
pub(super) const SEQUENCES: &str = "sqlite_sequence";

/// Tables whose ids are never used again.
pub(super) const NUMBERED: [&str; 3] = ["outbox", "dead_letter", "mute"];

/// Which rows of a table are shared, where not all are, for `NEW` or `OLD`.
pub(super) fn shared_rows(table: &str, row: &str) -> String {
    match table {
        "sink" => format!("{row}id <> 'console' AND {row}id NOT GLOB 'event_log.*'"),
        "meta" => format!("{row}key NOT GLOB 'replica.*'"),
        _ => "1".to_owned(),
    }
}

/// A column of a table.
#[derive(Debug)]
struct Column {
    name: String,
    is_blob: bool,
    /// What stands for NULL, which the column does not allow: the row is of an older version.
    default: Option<String>,
}

/// A replicated table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: Vec<Column>,
    /// Positions of the primary key's columns, in its order.
    key: Vec<usize>,
    select: String,
    upsert: String,
    pub(super) delete: String,
}

impl Table {
    /// Reads the table's columns.
    pub(super) fn read(db: &Connection, name: &'static str) -> rusqlite::Result<Self> {
        let mut statement = db.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1) ORDER BY cid")?;
        let mut keys: Vec<(i64, usize)> = Vec::new();
        let mut columns = Vec::new();
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let place: i64 = row.get(4)?;
            if place > 0 {
                keys.push((place, columns.len()));
            }
            let default: Option<String> = row.get(3)?;
            columns.push(Column {
                name: row.get(0)?,
                is_blob: row.get_ref(1)?.as_str().unwrap_or_default() == "BLOB",
                default: default.filter(|_| row.get(2) == Ok(true)),
            });
        }
        keys.sort_unstable();
        let key: Vec<usize> = keys.into_iter().map(|(_, column)| column).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let found: Vec<String> = key
            .iter()
            .filter_map(|column| names.get(*column))
            .enumerate()
            .map(|(place, name)| format!("\"{name}\" = ?{}", place + 1))
            .collect();
        let found = found.join(" AND ");
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let values: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| match &column.default {
                Some(default) => format!("coalesce(?{}, {default})", place + 1),
                None => format!("?{}", place + 1),
            })
            .collect();
        let select = format!("SELECT {list} FROM main.{name} WHERE {found}");
        let values = values.join(", ");
        let upsert = format!("INSERT OR REPLACE INTO main.{name}({list}) VALUES({values})");
        let delete = format!("DELETE FROM main.{name} WHERE {found}");
        Ok(Self { name, columns, key, select, upsert, delete })
    }

    /// Returns the SQL of the primary key of `NEW` or `OLD` as the key of an image.
    pub(super) fn key_of(&self, row: &str) -> String {
        let part = |column: &usize| {
            let column = self.columns.get(*column);
            let name = column.map(|column| column.name.as_str()).unwrap_or_default();
            if column.is_some_and(|column| column.is_blob) {
                format!("hex({row}.\"{name}\")")
            } else {
                format!("{row}.\"{name}\"")
            }
        };
        match self.key.as_slice() {
            [only] => format!("CAST({} AS TEXT)", part(only)),
            several => {
                format!("json_array({})", several.iter().map(part).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Returns the SQL of whether `OLD` and `NEW` differ.
    pub(super) fn differs(&self) -> String {
        let differs = |column: &Column| format!("OLD.\"{0}\" IS NOT NEW.\"{0}\"", column.name);
        self.columns.iter().map(differs).collect::<Vec<_>>().join(" OR ")
    }

    /// Returns the values of a key.
    pub(super) fn key_values(&self, key: &str) -> Result<Vec<Value>> {
        let parts = match self.key.as_slice() {
            [_] => vec![Json::String(key.to_owned())],
            several => serde_json::from_str::<Vec<Json>>(key)
                .ok()
                .filter(|parts| parts.len() == several.len())
                .ok_or_else(|| damaged(self.name, "a key"))?,
        };
        let value = |(column, part): (&usize, Json)| {
            let column = self.columns.get(*column).ok_or_else(|| damaged(self.name, "a key"))?;
            self.value(column, &part)
        };
        self.key.iter().zip(parts).map(value).collect()
    }

    /// Returns the row with this key as the body of an image; `None` if there is none.
    pub(super) fn body(&self, db: &Connection, key: &str) -> Result<Option<String>> {
        let mut statement = db.prepare_cached(&self.select)?;
        let mut rows = statement.query(params_from_iter(self.key_values(key)?))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(self.json(row, 0)?))
    }

    /// Returns the SQL of all shared rows: the key of the image, and the columns.
    pub(super) fn select_all(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("r.\"{}\"", column.name)).collect();
        let (key, shared) = (self.key_of("r"), shared_rows(self.name, "r."));
        format!("SELECT {key}, {} FROM main.{} r WHERE {shared}", columns.join(", "), self.name)
    }

    /// Returns the columns of a row, from this one on, as the body of an image.
    pub(super) fn json(&self, row: &Row<'_>, first: usize) -> Result<String> {
        let mut body = Map::with_capacity(self.columns.len());
        for (place, column) in self.columns.iter().enumerate() {
            let value = match row.get_ref(first + place)? {
                ValueRef::Null => continue,
                ValueRef::Integer(number) => Json::from(number),
                ValueRef::Real(number) => Json::from(number),
                ValueRef::Text(text) => Json::String(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Json::String(hex(bytes)),
            };
            body.insert(column.name.clone(), value);
        }
        Ok(Json::Object(body).to_string())
    }

    /// Writes the row of an image. Columns that this version does not know are left out.
    pub(super) fn put(&self, db: &Connection, body: &str) -> Result<()> {
        let mut body: Map<String, Json> =
            serde_json::from_str(body).map_err(|_| damaged(self.name, "a row"))?;
        let mut statement = db.prepare_cached(&self.upsert)?;
        for (place, column) in self.columns.iter().enumerate() {
            let value = body.remove(&column.name).unwrap_or_default();
            statement.raw_bind_parameter(place + 1, Owned(self.value(column, &value)?))?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    /// Returns a value of an image as SQLite has it.
    fn value(&self, column: &Column, value: &Json) -> Result<Value> {
        let wrong = || damaged(self.name, &column.name);
        Ok(match value {
            Json::Null => Value::Null,
            Json::String(text) if column.is_blob => Value::Blob(unhex(text).ok_or_else(wrong)?),
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Integer(number),
                None => Value::Real(number.as_f64().ok_or_else(wrong)?),
            },
            Json::Bool(_) | Json::Array(_) | Json::Object(_) => return Err(wrong()),
        })
    }
}

/// A value to bind.
struct Owned(Value);

impl ToSql for Owned {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

/// An image that cannot be one of ours.
pub(super) fn damaged(table: &str, what: &str) -> LedgerError {
    LedgerError::Failed {
        reason: format!(
            "the shared database has an image of \"{table}\" that cannot be read: {what}"
        ),
    }
}

/// Writes bytes in hexadecimal, as SQLite does.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02X}").ok();
        text
    })
}

/// Reads hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len() / 2)
        .map(|place| {
            let pair = text.get(place * 2..place * 2 + 2)?;
            pair.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}
