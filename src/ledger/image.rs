//! Images of the ledger's rows, as a database that several nodes share holds them.

/// A row of the ledger, or that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its table.
    pub(super) table: String,
    /// Its primary key: one column as it is, several as a JSON list, blobs in hexadecimal.
    pub(super) key: String,
    /// Its columns as a JSON object, those that are NULL left out, blobs in hexadecimal. `None` if
    /// it was deleted.
    pub(super) body: Option<String>,
}

/// Up to which commit a replica has the shared ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Which ledger; empty if none.
    pub(super) identity: String,
    /// The last commit that it contains; 0 if none.
    pub(super) n: i64,
    /// The tag of that commit.
    pub(super) tag: i64,
}

/// What a replica lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tail {
    /// The position from which it was read. It is of no use to a replica at another one.
    pub(super) from: Position,
    /// The images that are newer, with their commit, in its order.
    pub(super) images: Vec<(i64, Image)>,
    /// The position after it.
    pub(super) to: Position,
}

/// Ships the images of a transaction's rows before it is committed, and returns the position after
/// them. After an error the transaction is rolled back.
pub(super) type Ship<'a> = &'a mut dyn FnMut(Vec<Image>) -> super::error::Result<Position>;

/// What a ledger holds, to compare it with its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// Number of rows that nodes share.
    pub(super) rows: u64,
    /// Number of events.
    pub(super) events: u64,
    /// Hash of the lines of all events, in the order of their numbers.
    pub(super) lines: u128,
}
