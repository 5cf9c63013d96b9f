//! What a replica lacks: read in the transaction that has its turn, or without waiting for anybody.

use crate::ledger::image::{Image, Position, Tail};
use crate::postgres::{Error, SimpleQueryRow};

/// Number of images after which a tail is read in parts.
const PART: usize = 2000;

/// What a replica lacks.
#[derive(Debug)]
pub(super) enum Lack {
    /// Nothing.
    Nothing,
    /// These images, and nothing else.
    Tail(Tail),
    /// These images, and more.
    Part(Tail),
    /// It has to be filled anew.
    All(Refill),
}

/// Why a replica has to be filled anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refill {
    /// It is empty, or of another ledger.
    New,
    /// It is so old that what was deleted since is no longer known.
    Old,
    /// It has commits that the database does not have: that was restored, or a standby was promoted
    /// before it had everything.
    Restored,
}

/// Where the database is, and whether it knows the position of a replica.
#[derive(Debug)]
pub(super) struct Head {
    identity: String,
    /// The newest commit; 0 if there is none.
    newest: (i64, i64),
    /// The tag that the last commit of the replica has there.
    tag: Option<i64>,
}

/// Returns the columns of the row that [`Head::read`] reads: of one statement, as the server reads and
/// plans each anew.
pub(super) fn head_columns(from: &Position) -> String {
    format!(
        "(SELECT value FROM statuswatch.meta WHERE key = 'identity'),
         (SELECT n FROM statuswatch.batch ORDER BY n DESC LIMIT 1),
         (SELECT tag FROM statuswatch.batch ORDER BY n DESC LIMIT 1),
         (SELECT tag FROM statuswatch.batch WHERE n = {})",
        from.n
    )
}

/// Returns the statement that reads the images which a replica lacks: those of one part, in the order
/// of their commits.
pub(super) fn rows_sql(from: &Position) -> String {
    let n = from.n;
    format!(
        "SELECT r.n, b.tag, r.tab, r.key, r.body FROM statuswatch.record r LEFT JOIN statuswatch.batch b ON b.n = r.n
         WHERE r.n > {n} AND r.n <= coalesce(
           (SELECT n FROM statuswatch.record WHERE n > {n} ORDER BY n OFFSET {PART} LIMIT 1), {max})
         ORDER BY r.n;",
        max = i64::MAX
    )
}

impl Head {
    /// Reads the columns of [`head_columns`].
    pub(super) fn read(row: &SimpleQueryRow) -> Self {
        let number = |place| row.get(place).and_then(|text| text.parse().ok());
        let newest = (number(1).unwrap_or_default(), number(2).unwrap_or_default());
        Self { identity: text(Some(row), 0), newest, tag: number(3) }
    }

    /// Returns what a replica at `from` lacks, if that is known without the images.
    pub(super) fn lack(&self, from: &Position) -> Option<Lack> {
        if self.identity != from.identity {
            return Some(Lack::All(Refill::New));
        }
        match self.tag {
            _ if from.n == 0 => {}
            Some(tag) if tag == from.tag => {}
            None if self.newest.0 > from.n => return Some(Lack::All(Refill::Old)),
            _ => return Some(Lack::All(Refill::Restored)),
        }
        (self.newest.0 == from.n).then_some(Lack::Nothing)
    }

    /// Returns what a replica at `from` lacks, given the images that [`rows_sql`] has read in the same
    /// transaction.
    pub(super) fn lack_of(self, rows: &[SimpleQueryRow], from: Position) -> Lack {
        if let Some(lack) = self.lack(&from) {
            return lack;
        }
        let Self { identity, newest, .. } = self;
        let images: Vec<(i64, Image)> = rows
            .iter()
            .map(|row| {
                let body = row.get(4).map(str::to_owned);
                (pair(row).0, Image { table: text(Some(row), 2), key: text(Some(row), 3), body })
            })
            .collect();
        let complete = Position { identity: identity.clone(), n: newest.0, tag: newest.1 };
        if images.len() <= PART {
            return Lack::Tail(Tail { from, images, to: complete });
        }
        let last = rows.last().map(pair).unwrap_or_default();
        if last.0 == newest.0 {
            return Lack::Part(Tail { from, images, to: complete });
        }
        if from.n == 0 || rows.last().is_none_or(|row| row.get(1).is_none()) {
            // Its commits are no longer known: all is read at once.
            return Lack::All(Refill::New);
        }
        Lack::Part(Tail { from, images, to: Position { identity, n: last.0, tag: last.1 } })
    }
}

/// Returns a number and a tag.
pub(super) fn pair(row: &SimpleQueryRow) -> (i64, i64) {
    let number = |place| row.get(place).and_then(|text| text.parse().ok()).unwrap_or_default();
    (number(0), number(1))
}

/// Returns a column as text.
pub(super) fn text(row: Option<&SimpleQueryRow>, column: usize) -> String {
    row.and_then(|row| row.get(column)).unwrap_or_default().to_owned()
}

/// The answers were not those of our statements.
pub(super) fn unexpected() -> Error {
    Error::Defect {
        state: String::new(),
        reason: "the answers were not those that were asked for".to_owned(),
    }
}
