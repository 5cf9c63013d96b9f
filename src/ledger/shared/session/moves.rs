//! Moving a whole ledger into the database or out of it, while nobody writes.

use xxhash_rust::xxh3::Xxh3Default;

use super::{Session, text};
use crate::ledger::image::{Content, Image};
use crate::postgres::{Error, ToSql, Type};

impl Session {
    /// Begins to upload a ledger whose newest event has this number. Returns whether the database is
    /// empty, or its ledger was moved away.
    pub(in crate::ledger::shared) async fn begin_upload(
        &mut self,
        newest: u64,
    ) -> Result<bool, Error> {
        self.begin_move().await?;
        let sql = "SELECT NOT EXISTS(SELECT FROM statuswatch.batch)
                     OR EXISTS(SELECT FROM statuswatch.meta WHERE key = 'moved')";
        if !self.client.query_typed_one(sql, &[]).await?.get::<_, bool>(0) {
            return Ok(false);
        }
        let sql = format!(
            "DELETE FROM statuswatch.record; DELETE FROM statuswatch.batch;
             DELETE FROM statuswatch.meta WHERE key = 'moved';
             UPDATE statuswatch.meta SET value = gen_random_uuid()::text WHERE key = 'identity';
             INSERT INTO statuswatch.turn(one, floor) VALUES (true, {newest})
               ON CONFLICT (one) DO UPDATE SET floor = greatest(turn.floor, excluded.floor);
             INSERT INTO statuswatch.batch(n, tag) VALUES (1, {tag})",
            tag = fastrand::i64(..)
        );
        self.client.batch_execute(&sql).await?;
        Ok(true)
    }

    /// Uploads images, as part of the first commit.
    pub(in crate::ledger::shared) async fn upload(
        &mut self,
        images: Vec<Image>,
    ) -> Result<(), Error> {
        self.check_turn()?;
        let column = |part: fn(&Image) -> &str| -> Vec<String> {
            images.iter().map(|image| part(image).to_owned()).collect()
        };
        let tables = column(|image| &image.table);
        let keys = column(|image| &image.key);
        let bodies = column(|image| image.body.as_deref().unwrap_or_default());
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&tables, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY), (&bodies, Type::TEXT_ARRAY)];
        let sql = "INSERT INTO statuswatch.record(tab, key, n, body)
                   SELECT tab, key, 1, body FROM unnest($1, $2, $3) AS new(tab, key, body)";
        self.client.execute_typed(sql, &parameters).await?;
        Ok(())
    }

    /// Begins to download the ledger, while nobody writes to it.
    pub(in crate::ledger::shared) async fn begin_download(&mut self) -> Result<(), Error> {
        self.begin_move().await
    }

    /// Returns what the ledger holds.
    pub(in crate::ledger::shared) async fn content(&mut self) -> Result<Content, Error> {
        self.check_turn()?;
        let sql = "SELECT count(*) FROM statuswatch.record
                   WHERE body IS NOT NULL AND tab <> 'sqlite_sequence'";
        let rows: i64 = self.client.query_typed_one(sql, &[]).await?.get(0);
        let parameters: [(&(dyn ToSql + Sync), Type); 0] = [];
        let sql = "SELECT body::json ->> 'line' FROM statuswatch.record
                   WHERE tab = 'event' AND body IS NOT NULL ORDER BY key::bigint";
        let lines = self.client.query_typed_raw(sql, parameters).await?;
        let mut lines = std::pin::pin!(lines);
        let (mut hash, mut events) = (Xxh3Default::new(), 0);
        while let Some(line) = futures::StreamExt::next(&mut lines).await {
            hash.update(line?.get::<_, Option<&str>>(0).unwrap_or_default().as_bytes());
            hash.update(b"\n");
            events += 1;
        }
        Ok(Content { rows: rows.cast_unsigned(), events, lines: hash.digest128() })
    }

    /// Commits what was uploaded.
    pub(in crate::ledger::shared) async fn commit(&mut self) -> Result<(), Error> {
        self.check_turn()?;
        self.has_turn = false;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// Marks the ledger as moved, and commits: nobody has a turn any more.
    pub(in crate::ledger::shared) async fn mark_moved(&mut self, to: String) -> Result<(), Error> {
        self.check_turn()?;
        self.has_turn = false;
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&to, Type::TEXT)];
        let sql = "INSERT INTO statuswatch.meta(key, value) VALUES ('moved', $1)";
        self.client.execute_typed(sql, &parameters).await?;
        Ok(self.client.batch_execute("DELETE FROM statuswatch.turn; COMMIT").await?)
    }

    /// Begins a transaction in which a ledger is moved: no node may run, and none can write.
    async fn begin_move(&mut self) -> Result<(), Error> {
        let sql = "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10min';
             SET LOCAL idle_in_transaction_session_timeout = '10min';
             SELECT 1 FROM statuswatch.turn FOR UPDATE;
             SELECT name FROM statuswatch.node WHERE NOT fenced AND expires_at > clock_timestamp();";
        let answers = self.ask(sql).await?;
        match answers.last().and_then(|nodes| nodes.first()) {
            None => {
                self.has_turn = true;
                Ok(())
            }
            Some(node) => {
                let name = crate::text::one_line(&text(Some(node), 0), 64);
                let reason = format!("the node {name} is running: stop all nodes first");
                Err(Error::Refused { reason })
            }
        }
    }

    /// Returns where the ledger was moved to, if it was.
    pub(in crate::ledger::shared) async fn moved(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT value FROM statuswatch.meta WHERE key = 'moved'";
        Ok(self.client.query_typed_opt(sql, &[]).await?.map(|row| row.get(0)))
    }
}
