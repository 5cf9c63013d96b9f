//! What the database says of the nodes and of itself, for commands that show it.

use std::time::Duration;

use tokio::time::timeout;

use super::plan::Shard;
use crate::event::Time;
use crate::postgres::{
    Client, DatabaseUrl, Error, Life, SimpleQueryMessage, SimpleQueryRow, connect,
};

/// How long a command waits for the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// The nodes that share a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Those that are not fenced, by name.
    pub nodes: Vec<NodeReport>,
    /// Those that ended without stopping in order within the last hour, and are not back; by name.
    pub missing: Vec<MissingReport>,
    /// How many shards nobody holds.
    pub free: usize,
}

/// A node that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingReport {
    /// Its name.
    pub name: String,
    /// Milliseconds since its lease ended.
    pub since_ms: i64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its life.
    pub life: Life,
    /// Milliseconds until its lease ends unless it is renewed; negative if it has ended.
    pub lease_ms: i64,
    /// Whether it is stopping.
    pub draining: bool,
    /// Whether it serves channels and the heartbeat.
    pub main: bool,
    /// A digest of its configuration.
    pub config: String,
    /// The shards it holds.
    pub shards: Vec<Shard>,
}

#[cfg(test)]
impl NodeReport {
    /// A node that renews its lease and holds two shards.
    pub(crate) fn example(name: &str, main: bool, config: &str) -> Self {
        Self {
            name: name.to_owned(),
            life: 1,
            lease_ms: 4200,
            draining: false,
            main,
            config: config.to_owned(),
            shards: vec![1, 2],
        }
    }
}

/// Whether a database can be used, and how safe what is written to it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The version of the server.
    pub version: String,
    /// Whether the schema `statuswatch` is there.
    pub prepared: bool,
    /// What the user must be permitted to do, and is not.
    pub missing: Option<&'static str>,
    /// How many standbys are connected.
    pub standbys: i64,
    /// How many of them confirm each commit.
    pub synchronous: i64,
    /// Whether a commit is acknowledged before it is on disk.
    pub deferred: bool,
    /// How far the server's clock is ahead of ours, in milliseconds.
    pub ahead_ms: i64,
}

/// Asks the database for its nodes, for at most five seconds.
///
/// # Errors
///
/// Returns an error if it cannot be reached, or has no schema of ours.
pub async fn look(url: &DatabaseUrl) -> Result<Report, Error> {
    let asking = async {
        let client = connect(url, "status").await?;
        let rows = rows(
            &client,
            "SELECT name, life, ceil(extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint, draining,
                    EXISTS (SELECT 1 FROM statuswatch.duty WHERE id = 'main' AND duty.life = node.life), coalesce(config, ''),
                    (SELECT string_agg(shard::text, ',') FROM statuswatch.shard WHERE shard.life = node.life)
             FROM statuswatch.node WHERE NOT fenced ORDER BY name LIMIT 1024",
        )
        .await?;
        let nodes: Vec<NodeReport> = rows.iter().map(node).collect();
        let gone = self::rows(
            &client,
            // One that stops in order is draining before its life ends.
            "SELECT name, floor(extract(epoch FROM clock_timestamp() - expires_at) * 1000)::bigint
             FROM statuswatch.node gone WHERE fenced AND NOT draining
               AND expires_at > clock_timestamp() - interval '1 hour'
               AND NOT EXISTS (SELECT 1 FROM statuswatch.node WHERE node.name = gone.name AND node.life > gone.life)
             ORDER BY name LIMIT 64",
        )
        .await?;
        let missing = gone.iter().map(|row| MissingReport {
            name: crate::text::one_line(&text(Some(row), 0), 64),
            since_ms: number(Some(row), 1).max(0),
        });
        let missing = missing.collect();
        let held: usize = nodes.iter().map(|node| node.shards.len()).sum();
        let free = usize::from(crate::postgres::SHARDS).saturating_sub(held);
        Ok(Report { nodes, missing, free })
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent()))
}

/// Examines a database without changing anything, for at most five seconds. `now` is read right
/// before the server's clock is.
///
/// # Errors
///
/// Returns an error if it cannot be reached, does not let us in, or is too old.
pub async fn examine(url: &DatabaseUrl, now: impl Fn() -> Time) -> Result<Examination, Error> {
    let asking = async {
        let client = connect(url, "check").await?;
        let first = rows(
            &client,
            "SELECT current_setting('server_version'), to_regnamespace('statuswatch') IS NOT NULL,
                    has_database_privilege(current_database(), 'CREATE'), current_setting('synchronous_commit') = 'off',
                    (SELECT count(*) FROM pg_stat_replication),
                    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))",
        )
        .await?;
        let row = first.first();
        let prepared = flag(row, 1);
        let missing = if prepared {
            let may = rows(
                &client,
                "SELECT has_schema_privilege('statuswatch', 'USAGE') AND coalesce(bool_and(
                   has_table_privilege(format('statuswatch.%I', tablename), privilege)), true)
                 FROM pg_tables, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) privilege
                 WHERE schemaname = 'statuswatch'",
            )
            .await?;
            (!flag(may.first(), 0)).then_some("to use the tables of the schema statuswatch")
        } else {
            (!flag(row, 2)).then_some("to create the schema statuswatch (CREATE on the database)")
        };
        let ours = now();
        let clock =
            rows(&client, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").await?;
        let theirs = number(clock.first(), 0);
        Ok(Examination {
            version: crate::text::one_line(&text(row, 0), 40),
            prepared,
            missing,
            standbys: number(row, 4),
            synchronous: number(row, 5),
            deferred: flag(row, 3),
            ahead_ms: theirs - ours.timestamp_millis(),
        })
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> Error {
    Error::away(format!("no answer within {PATIENCE:?}"))
}

async fn rows(client: &Client, statement: &str) -> Result<Vec<SimpleQueryRow>, Error> {
    let messages = client.simple_query(statement).await?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

fn text(row: Option<&SimpleQueryRow>, column: usize) -> String {
    row.and_then(|row| row.get(column)).unwrap_or_default().to_owned()
}

fn number(row: Option<&SimpleQueryRow>, column: usize) -> i64 {
    text(row, column).parse().unwrap_or(0)
}

fn flag(row: Option<&SimpleQueryRow>, column: usize) -> bool {
    text(row, column) == "t"
}

fn node(row: &SimpleQueryRow) -> NodeReport {
    let row = Some(row);
    NodeReport {
        name: crate::text::one_line(&text(row, 0), 64),
        life: number(row, 1),
        lease_ms: number(row, 2),
        draining: flag(row, 3),
        main: flag(row, 4),
        config: crate::text::one_line(&text(row, 5), 64),
        shards: text(row, 6).split(',').filter_map(|shard| shard.parse().ok()).collect(),
    }
}
