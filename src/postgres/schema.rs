//! The schema `statuswatch`: what nodes share.
//!
//! `record` holds an image of each row of the ledger, in the order of the commits, from which every
//! node keeps a replica. The rest says which node does what. All tables are logged.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;

/// The version of the schema that this program creates and expects.
pub const SCHEMA: i64 = 1;

/// What bounds a transaction: how long it may wait for this program, for a lock, and for a statement. A
/// process that is frozen or cut off in the middle delays the others for no longer.
pub const BOUNDS: &str = "SET LOCAL idle_in_transaction_session_timeout = '2s';
    SET LOCAL lock_timeout = '1500ms'; SET LOCAL statement_timeout = '5s';";

/// Held while the schema is created, so that two nodes that start do not meet: a number that no
/// other program uses by chance.
const LOCK: i64 = 0x7377_6368_6e6f_6465;

/// Version 1.
const CREATE: &str = "
CREATE SCHEMA IF NOT EXISTS statuswatch;
-- `schema`: its version; `least`: the oldest version of a program that may use it; `identity`: which
-- ledger this is; `timeline`: that of the server's log to which everybody may write; `promoted`: another
-- one that was found, and when.
CREATE TABLE statuswatch.meta(key text PRIMARY KEY, value text NOT NULL);
-- Locked by whoever commits, so that numbers have no gap. Never a number at or below the floor.
CREATE TABLE statuswatch.turn(one boolean PRIMARY KEY CHECK (one), floor bigint NOT NULL);
-- A commit. The tag tells it from one with the same number in a database that was restored.
CREATE TABLE statuswatch.batch(
  n bigint PRIMARY KEY, tag bigint NOT NULL, life bigint, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX batch_at ON statuswatch.batch(at);
-- The image of a row as JSON, with blobs in hexadecimal, and the last commit that changed it. Without
-- a body it was deleted.
CREATE TABLE statuswatch.record(tab text NOT NULL, key text NOT NULL, n bigint NOT NULL, body text, PRIMARY KEY(tab, key));
CREATE INDEX record_n ON statuswatch.record(n);
CREATE INDEX record_deleted ON statuswatch.record(n) WHERE body IS NULL;
-- A node from its start to its end.
CREATE TABLE statuswatch.node(
  life bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, version integer, config text,
  expires_at timestamptz NOT NULL, draining boolean NOT NULL DEFAULT false, fenced boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX node_name ON statuswatch.node(name) WHERE NOT fenced;
CREATE TABLE statuswatch.shard(shard integer PRIMARY KEY, life bigint, generation bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
CREATE INDEX shard_life ON statuswatch.shard(life);
-- What one node does for all: `main` delivers to channels and webhooks, and removes old rows.
CREATE TABLE statuswatch.duty(id text PRIMARY KEY, life bigint, generation bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
-- Hosts that asked not to be polled for a while.
CREATE TABLE statuswatch.host(authority text PRIMARY KEY, blocked_until timestamptz NOT NULL);
INSERT INTO statuswatch.meta(key, value) VALUES ('schema', '1'), ('least', '1'), ('identity', gen_random_uuid()::text);
INSERT INTO statuswatch.turn(one, floor) VALUES (true, 0);
INSERT INTO statuswatch.shard(shard) SELECT generate_series(0, 1023);
INSERT INTO statuswatch.duty(id) VALUES ('main');
";

/// Creates the schema, or checks that this program may use it. Returns the identity of the ledger
/// in it, which differs from that of any other.
///
/// # Errors
///
/// Returns an error if it cannot be created, or a newer program no longer lets this one use it.
pub async fn prepare(client: &Client) -> Result<String, Error> {
    if let Some(identity) = check(client).await? {
        return Ok(identity);
    }
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '4s'; SET LOCAL idle_in_transaction_session_timeout = '4s';
         SELECT pg_advisory_xact_lock({LOCK})"
    );
    client.batch_execute(&begin).await?;
    let made = create(client).await;
    client.batch_execute(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    made?;
    check(client).await?.ok_or_else(|| Error::Defect {
        state: String::new(),
        reason: "the schema that was created is not there".to_owned(),
    })
}

/// Creates it, unless another node was first.
async fn create(client: &Client) -> Result<(), Error> {
    if !is_there(client).await? {
        client.batch_execute(CREATE).await?;
    }
    Ok(())
}

/// Returns whether the schema is there. It is looked for in a table: by name, the server looks in a
/// cache that does not see what was created since the transaction began.
async fn is_there(client: &Client) -> Result<bool, Error> {
    let sql = "SELECT EXISTS(SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'statuswatch' AND c.relname = 'meta')";
    Ok(client.query_typed(sql, &[]).await?.first().is_some_and(|row| row.get(0)))
}

/// Returns the identity of the ledger in the schema, if it is there.
async fn check(client: &Client) -> Result<Option<String>, Error> {
    if !is_there(client).await? {
        return Ok(None);
    }
    let names = ["schema", "least", "identity"].as_slice();
    let rows = client
        .query_typed(
            "SELECT key, value FROM statuswatch.meta WHERE key = ANY($1)",
            &[(&names, Type::TEXT_ARRAY)],
        )
        .await?;
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == name);
        row.map(|row| row.get::<_, String>(1)).unwrap_or_default()
    };
    let number = |name: &str| value(name).parse().unwrap_or(i64::MAX);
    if number("least") > SCHEMA {
        return Err(Error::Newer { found: number("schema"), known: SCHEMA });
    }
    Ok(Some(value("identity")))
}
