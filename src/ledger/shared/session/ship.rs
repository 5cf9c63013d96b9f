//! The second exchange of a write: what it has changed, and its commit.

use super::Session;
use crate::ledger::image::{Image, Position};
use crate::postgres::{Error, Life, ToSql, Type};

impl Session {
    /// Ships images, commits the transaction and returns the position after it. After an error it is
    /// unknown whether it was committed.
    pub(in crate::ledger::shared) async fn ship(
        &mut self,
        images: Vec<Image>,
        life: Option<Life>,
        after: Position,
    ) -> Result<Position, Error> {
        if !std::mem::take(&mut self.has_turn) {
            // The connection in which the transaction was begun is gone, and the transaction with it.
            return Err(Error::away("the connection was lost"));
        }
        let to = Position { n: after.n + 1, tag: fastrand::i64(..), ..after };
        let (put, gone): (Vec<&Image>, Vec<&Image>) =
            images.iter().partition(|image| image.body.is_some());
        let column = |images: &[&'_ Image], part: fn(&Image) -> &str| -> Vec<String> {
            images.iter().map(|image| part(image).to_owned()).collect()
        };
        let tables = column(&put, |image| &image.table);
        let keys = column(&put, |image| &image.key);
        let bodies = column(&put, |image| image.body.as_deref().unwrap_or_default());
        let put_parameters: [(&(dyn ToSql + Sync), Type); 6] = [
            (&tables, Type::TEXT_ARRAY),
            (&keys, Type::TEXT_ARRAY),
            (&bodies, Type::TEXT_ARRAY),
            (&to.n, Type::INT8),
            (&to.tag, Type::INT8),
            (&life, Type::INT8),
        ];
        let put = self.client.execute_typed(
            "WITH put AS (
               INSERT INTO statuswatch.record AS r(tab, key, n, body)
               SELECT tab, key, $4, body FROM unnest($1, $2, $3) AS new(tab, key, body)
               ON CONFLICT (tab, key) DO UPDATE SET n = excluded.n, body = excluded.body)
             INSERT INTO statuswatch.batch(n, tag, life) VALUES ($4, $5, $6)",
            &put_parameters,
        );
        let gone_tables = column(&gone, |image| &image.table);
        let gone_keys = column(&gone, |image| &image.key);
        let gone_parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&gone_tables, Type::TEXT_ARRAY), (&gone_keys, Type::TEXT_ARRAY), (&to.n, Type::INT8)];
        // Most writes delete nothing. What was never shipped need not be deleted.
        let gone = async {
            if gone_keys.is_empty() {
                return Ok(0);
            }
            let sql = "UPDATE statuswatch.record SET n = $3, body = NULL FROM unnest($1, $2) AS gone(tab, key)
                 WHERE record.tab = gone.tab AND record.key = gone.key AND record.body IS NOT NULL";
            self.client.execute_typed(sql, &gone_parameters).await
        };
        let commit = self.client.batch_execute("COMMIT");
        // All are sent before the first is answered. After an error of one of them `COMMIT` rolls
        // back, and does not call that an error: every answer counts.
        let (put, gone, commit) = futures::join!(put, gone, commit);
        put?;
        gone?;
        commit?;
        Ok(to)
    }
}
