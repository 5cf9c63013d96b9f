//! What is said to the shared database.
//!
//! A write is two exchanges. The first begins a transaction, checks that this life may write, waits
//! for its turn, and reads what the replica lacks. The second ships images and commits. Each is sent
//! in one piece: the database waits for us no longer than it takes to judge a group. Nothing lives in
//! the connection, not even a prepared statement, so that a pooler of transactions may stand between.
//! The server therefore reads and plans each statement anew, which takes it longer than to execute
//! most of them: there are as few as possible.

mod moves;
mod ship;

use std::collections::BTreeSet;
use std::time::Duration;

use super::tail::{Head, Lack, head_columns, pair, rows_sql, text, unexpected};
use crate::ledger::image::{Image, Position, Tail};
use crate::postgres::{
    BOUNDS, Client, DatabaseUrl, Error, Life, SimpleQueryMessage, SimpleQueryRow, ToSql, Type,
    connect, prepare,
};

/// How long nobody writes after a standby was promoted, in seconds: as long as a lease.
const SETTLE: u8 = 6;

/// Number of images that are passed on at once when all are read.
const CHUNK: usize = 1000;

/// An open connection to a database with our schema.
pub(super) struct Session {
    client: Client,
    /// The timeline of the server's log, until it is known that everybody may write to it.
    unsettled: Option<String>,
    /// Whether a transaction that has its turn is open.
    has_turn: bool,
    /// Whether its transaction could not be ended.
    is_lost: bool,
    /// Whether others had committed something before the last write: the next one expects the same.
    others_write: bool,
}

/// Which rights a write needs.
#[derive(Debug, Clone, Default)]
pub(super) struct Need {
    /// The life it is written under; `None` for a command, which no fence stops.
    pub(super) life: Option<Life>,
    /// The shards of the providers in it.
    pub(super) shards: Shards,
}

/// Shards to check.
#[derive(Debug, Clone)]
pub(super) enum Shards {
    /// These.
    These(BTreeSet<u16>),
    /// All that there are.
    All,
}

impl Default for Shards {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

/// The rights a write has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grant {
    /// Those of the shards asked for that belong to the life.
    pub(super) shards: BTreeSet<u16>,
    /// Whether the life has the duty `main`. A command has it as well.
    pub(super) is_main: bool,
    /// No number at or below it may be given to an event.
    pub(super) floor: u64,
}

/// What was found when a transaction began.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is our turn, and this is all that the replica lacks.
    Turn(Grant, Tail),
    /// The replica lacks more than can be applied while others wait. The transaction has ended.
    Behind(Lack),
    /// The life is fenced or has ended. The transaction has ended.
    Fenced,
}

impl Session {
    /// Connects, and creates the schema if it is not there.
    pub(super) async fn open(url: &DatabaseUrl) -> Result<Self, Error> {
        let client = connect(url, "ledger").await?;
        prepare(&client).await?;
        let unsettled = timeline(&client).await;
        Ok(Self { client, unsettled, has_turn: false, is_lost: false, others_write: false })
    }

    /// Returns whether the connection can be used.
    pub(super) fn is_open(&self) -> bool {
        !self.is_lost && !self.client.is_closed()
    }

    /// Rolls back what is open, or gives up the connection, whose end does the same.
    pub(super) async fn end_transaction(&mut self, limit: Duration) {
        self.has_turn = false;
        let ended = tokio::time::timeout(limit, self.client.batch_execute("ROLLBACK")).await;
        self.is_lost |= !matches!(ended, Ok(Ok(())));
    }

    /// Returns the newest commit; 0 if there is none.
    pub(super) async fn newest(&self) -> Result<(i64, i64), Error> {
        let sql = "SELECT n, tag FROM statuswatch.batch ORDER BY n DESC LIMIT 1";
        let row = self.client.query_typed_opt(sql, &[]).await?;
        Ok(row.map(|row| (row.get(0), row.get(1))).unwrap_or_default())
    }

    /// Reads what a replica lacks, without waiting for anybody.
    pub(super) async fn lack(&self, from: Position) -> Result<Lack, Error> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {BOUNDS} SELECT {}; {} COMMIT",
            head_columns(&from),
            rows_sql(&from)
        );
        let answers = self.ask(&sql).await?;
        let [_, _, _, _, head, rows, ..] = answers.as_slice() else { return Err(unexpected()) };
        let head = head.first().map(Head::read).ok_or_else(unexpected)?;
        Ok(head.lack_of(rows, from))
    }

    /// Makes sure that every node that runs has seen a promotion before anybody writes after it.
    ///
    /// An asynchronous standby may lack the last commits. A node that had seen them raises the floor of
    /// numbers as soon as it is connected; one that had not must not use the same numbers before. So
    /// the first one that would write to a new timeline notes the time, and all wait.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some(timeline) = &self.unsettled else { return Ok(()) };
        let answers = self
            .ask(&format!(
                "BEGIN; {BOUNDS} SELECT 1 FROM statuswatch.turn FOR UPDATE;
                 INSERT INTO statuswatch.meta(key, value) VALUES ('timeline', '{timeline}') ON CONFLICT (key) DO NOTHING;
                 INSERT INTO statuswatch.meta AS promoted(key, value)
                   SELECT 'promoted', '{timeline} ' || extract(epoch FROM clock_timestamp())::bigint
                   FROM statuswatch.meta WHERE key = 'timeline' AND value <> '{timeline}'
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE left(promoted.value, 8) <> '{timeline}';
                 UPDATE statuswatch.meta SET value = '{timeline}'
                   WHERE key = 'timeline' AND value <> '{timeline}' AND EXISTS (
                     SELECT FROM statuswatch.meta AS promoted
                     WHERE promoted.key = 'promoted' AND left(promoted.value, 8) = '{timeline}'
                       AND substr(promoted.value, 10)::bigint + {SETTLE} < extract(epoch FROM clock_timestamp()));
                 SELECT 1 FROM statuswatch.meta WHERE key = 'timeline' AND value = '{timeline}';
                 COMMIT"
            ))
            .await?;
        let [.., settled, _commit] = answers.as_slice() else { return Err(unexpected()) };
        if settled.is_empty() {
            return Err(Error::away(
                "a standby was promoted: nothing is written until all nodes are connected to it",
            ));
        }
        self.unsettled = None;
        Ok(())
    }

    /// Begins a transaction and waits for its turn.
    pub(super) async fn begin(&mut self, need: Need, from: Position) -> Result<Begun, Error> {
        self.settle().await?;
        let life = need.life.unwrap_or(0);
        // What is looked at is a statement of its own, after the one that waits for the turn: its
        // snapshot has everything that was committed before.
        let mut sql = format!(
            "BEGIN; {BOUNDS}
             SELECT 1 FROM statuswatch.node WHERE life = {life} AND NOT fenced FOR KEY SHARE;
             SELECT floor FROM statuswatch.turn FOR UPDATE;
             SELECT {}, (SELECT life FROM statuswatch.duty WHERE id = 'main'),
               (SELECT string_agg(shard::text, ',') FROM statuswatch.shard WHERE life = {life} {});",
            head_columns(&from),
            need.shards.condition()
        );
        // The most expensive statement of all is of use only where others write as well.
        if self.others_write {
            sql += &rows_sql(&from);
        }
        let answers = self.ask(&sql).await?;
        let [_, _, _, _, node, turn, found, rows @ ..] = answers.as_slice() else {
            return Err(unexpected());
        };
        if need.life.is_some() && node.is_empty() {
            self.rollback().await?;
            return Ok(Begun::Fenced);
        }
        let found = found.first().ok_or_else(unexpected)?;
        let main: Option<Life> = found.get(4).and_then(|life| life.parse().ok());
        let shards = found.get(5).unwrap_or_default();
        let grant = Grant {
            shards: shards.split(',').filter_map(|shard| shard.parse().ok()).collect(),
            is_main: need.life.is_none() || main == need.life,
            floor: turn.first().and_then(|row| row.get(0)?.parse().ok()).ok_or_else(moved_away)?,
        };
        let head = Head::read(found);
        let known = head.lack(&from);
        self.others_write = !matches!(known, Some(Lack::Nothing));
        let lack = match (known, rows) {
            (Some(lack), _) => lack,
            (None, [rows, ..]) => head.lack_of(rows, from.clone()),
            // They were not asked for. It is our turn: nobody has written since.
            (None, []) => {
                let answers = self.ask(&rows_sql(&from)).await?;
                head.lack_of(answers.first().ok_or_else(unexpected)?, from.clone())
            }
        };
        let tail = match lack {
            Lack::Nothing => Tail { from: from.clone(), images: Vec::new(), to: from },
            Lack::Tail(tail) => tail,
            lack => {
                self.rollback().await?;
                return Ok(Begun::Behind(lack));
            }
        };
        self.has_turn = true;
        Ok(Begun::Turn(grant, tail))
    }

    /// Ends the transaction without changing anything.
    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.has_turn = false;
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// Raises the floor: events get only numbers above it.
    pub(super) async fn raise_floor(&self, to: u64) -> Result<(), Error> {
        let sql = format!(
            "BEGIN; {BOUNDS} UPDATE statuswatch.turn SET floor = {to} WHERE floor < {to}; COMMIT"
        );
        self.ask(&sql).await.map(|_| ())
    }

    /// Returns the highest number that an event has here; 0 if there is none.
    pub(super) async fn newest_event(&self) -> Result<u64, Error> {
        let sql = "SELECT max(key::bigint) FROM statuswatch.record WHERE tab = 'event'";
        let newest: Option<i64> = self.client.query_typed_one(sql, &[]).await?.get(0);
        Ok(newest.unwrap_or_default().cast_unsigned())
    }

    /// Reads all images of one moment, passes them on in chunks, and returns the position of that
    /// moment.
    pub(super) async fn read_all(
        &self,
        chunks: std::sync::mpsc::SyncSender<Vec<Image>>,
    ) -> Result<Position, Error> {
        let answers = self
            .ask(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                 SELECT value FROM statuswatch.meta WHERE key = 'identity';
                 SELECT n, tag FROM statuswatch.batch ORDER BY n DESC LIMIT 1;",
            )
            .await?;
        let [_, identity, newest] = answers.as_slice() else { return Err(unexpected()) };
        let (n, tag) = newest.first().map(pair).unwrap_or_default();
        let position = Position { identity: text(identity.first(), 0), n, tag };
        self.pass_rows(chunks).await?;
        self.client.batch_execute("COMMIT").await?;
        Ok(position)
    }

    /// Reads all images in the transaction that was begun, and passes them on in chunks.
    pub(super) async fn read_rows(
        &mut self,
        chunks: std::sync::mpsc::SyncSender<Vec<Image>>,
    ) -> Result<(), Error> {
        self.check_turn()?;
        self.pass_rows(chunks).await
    }

    async fn pass_rows(
        &self,
        chunks: std::sync::mpsc::SyncSender<Vec<Image>>,
    ) -> Result<(), Error> {
        let parameters: [(&(dyn ToSql + Sync), Type); 0] = [];
        let sql = "SELECT tab, key, body FROM statuswatch.record WHERE body IS NOT NULL";
        let rows = self.client.query_typed_raw(sql, parameters).await?;
        let mut rows = std::pin::pin!(rows);
        let mut chunk = Vec::new();
        while let Some(row) = futures::StreamExt::next(&mut rows).await {
            let row = row?;
            chunk.push(Image { table: row.get(0), key: row.get(1), body: row.get(2) });
            if chunk.len() >= CHUNK && chunks.send(std::mem::take(&mut chunk)).is_err() {
                return Err(Error::away("the replica could not take it"));
            }
        }
        chunks.send(chunk).ok();
        Ok(())
    }

    /// Forgets deletions and commits that are older than a day. A replica that is older is filled
    /// anew.
    pub(super) async fn forget(&self) -> Result<(), Error> {
        let sql = format!(
            "BEGIN; {BOUNDS} SELECT floor FROM statuswatch.turn FOR UPDATE;
             DELETE FROM statuswatch.record WHERE body IS NULL
               AND n <= (SELECT max(n) FROM statuswatch.batch WHERE at < clock_timestamp() - interval '1 day');
             DELETE FROM statuswatch.batch WHERE at < clock_timestamp() - interval '1 day'
               AND n < (SELECT max(n) FROM statuswatch.batch);
             COMMIT"
        );
        self.ask(&sql).await.map(|_| ())
    }

    /// Returns an error if the transaction that was begun has ended: with its connection, as a rule.
    fn check_turn(&self) -> Result<(), Error> {
        if self.has_turn { Ok(()) } else { Err(Error::away("the connection was lost")) }
    }

    /// Sends statements in one piece and returns the rows of each.
    async fn ask(&self, sql: &str) -> Result<Vec<Vec<SimpleQueryRow>>, Error> {
        let mut answers = vec![Vec::new()];
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::Row(row) => {
                    if let Some(rows) = answers.last_mut() {
                        rows.push(row);
                    }
                }
                SimpleQueryMessage::CommandComplete(_) => answers.push(Vec::new()),
                _ => {}
            }
        }
        answers.pop();
        Ok(answers)
    }
}

impl Shards {
    /// Returns the condition that selects them.
    fn condition(&self) -> String {
        match self {
            Self::All => String::new(),
            // No shard has this number.
            Self::These(shards) => {
                shards
                    .iter()
                    .fold("AND shard IN (-1".to_owned(), |list, shard| format!("{list},{shard}"))
                    + ")"
            }
        }
    }
}

/// Returns the timeline of the server's log, which is another one after each promotion: 8 hexadecimal
/// digits. `None` where the server does not say.
async fn timeline(client: &Client) -> Option<String> {
    let sql = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)";
    let row = client.query_typed_opt(sql, &[]).await.ok()??;
    let timeline: String = row.try_get(0).ok()?;
    let is_one = timeline.len() == 8 && timeline.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(timeline)
}

/// Nobody has a turn any more.
fn moved_away() -> Error {
    Error::Refused { reason: "the ledger was moved out of this database".to_owned() }
}
