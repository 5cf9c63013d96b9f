//! The statements of membership. Each is sent in one piece, from `BEGIN` to `COMMIT`, so nothing that
//! happens to this process can leave a transaction open. All times are the database's.
//!
//! A condition that no longer holds divides by zero, which undoes the whole piece.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::plan::Shard;
use crate::postgres::{BOUNDS, Life, SCHEMA};

/// How long a lease lasts in the database, from a renewal on.
pub(super) const LEASE: &str = "6 s";

fn piece(statements: &str) -> String {
    format!("BEGIN; {BOUNDS} {statements} COMMIT")
}

/// Quotes a text. A backslash means nothing special in it.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

fn numbers(shards: &BTreeSet<Shard>) -> String {
    let mut list = String::from("'{");
    for (n, shard) in shards.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // A `String` can always be written to.
        _ = write!(list, "{comma}{shard}");
    }
    list + "}'::int[]"
}

/// Holds the row of a life that must not be fenced until the end of the piece.
fn fence(me: Life) -> String {
    format!(
        "SELECT 1/count(*)::int FROM (SELECT 1 FROM statuswatch.node WHERE life = {me} AND NOT fenced FOR KEY SHARE) x;"
    )
}

/// Begins a life. Returns its number, or no row if the name is in use.
pub(super) fn register(name: &str, config: &str) -> String {
    piece(&format!(
        "INSERT INTO statuswatch.node(name, version, config, expires_at)
         VALUES ({}, {SCHEMA}, {}, clock_timestamp() + interval '{LEASE}')
         ON CONFLICT (name) WHERE NOT fenced DO NOTHING RETURNING life;",
        text(name),
        text(config)
    ))
}

/// Returns the life that has a name, and whether its lease has ended.
pub(super) fn holder(name: &str) -> String {
    format!(
        "SELECT life, (expires_at < clock_timestamp())::int FROM statuswatch.node WHERE name = {} AND NOT fenced",
        text(name)
    )
}

/// Renews the lease. Returns no row if the life is fenced.
pub(super) fn renew(me: Life, draining: bool, config: &str) -> String {
    piece(&format!(
        "UPDATE statuswatch.node SET expires_at = clock_timestamp() + interval '{LEASE}', draining = {draining}, config = {}
         WHERE life = {} AND NOT fenced RETURNING 1;",
        text(config),
        me
    ))
}

/// Returns four results: the lives that are not fenced; the number of free shards; the holder of
/// `main`; the shards of `me`.
pub(super) fn look(me: Life) -> String {
    piece(&format!(
        "SELECT life, (expires_at < clock_timestamp())::int, draining::int,
                (SELECT count(*) FROM statuswatch.shard WHERE shard.life = node.life)
         FROM statuswatch.node WHERE NOT fenced ORDER BY life LIMIT 1024;
         SELECT count(*) FROM statuswatch.shard WHERE life IS NULL;
         SELECT life FROM statuswatch.duty WHERE id = 'main';
         SELECT shard FROM statuswatch.shard WHERE life = {me} ORDER BY shard;"
    ))
}

/// Stores pauses that hosts have asked for, in milliseconds from now on.
pub(super) fn put_pauses(pauses: &[(String, Duration)]) -> String {
    let rows: Vec<String> = pauses
        .iter()
        .map(|(host, wait)| {
            let wait = wait.as_millis();
            format!("({}, clock_timestamp() + interval '{wait} ms')", text(host))
        })
        .collect();
    piece(&format!(
        "INSERT INTO statuswatch.host(authority, blocked_until) VALUES {}
         ON CONFLICT (authority) DO UPDATE SET blocked_until = greatest(host.blocked_until, excluded.blocked_until);",
        rows.join(", ")
    ))
}

/// Returns the hosts that have asked for a pause, and how many milliseconds of it are left.
pub(super) fn pauses() -> String {
    "SELECT authority, ceil(extract(epoch FROM blocked_until - clock_timestamp()) * 1000)::bigint
     FROM statuswatch.host WHERE blocked_until > clock_timestamp() ORDER BY blocked_until DESC LIMIT 1024"
        .to_owned()
}

/// Removes what is over for long.
pub(super) fn forget() -> String {
    piece(
        "DELETE FROM statuswatch.host WHERE blocked_until < clock_timestamp() - interval '1 day';",
    )
}

/// Takes everything from a life whose lease has ended. Waits for its open writes; after this none of
/// them passes the fence.
pub(super) fn take_over(dead: Life) -> String {
    piece(&format!(
        "SELECT 1/count(*)::int FROM (SELECT 1 FROM statuswatch.node
           WHERE life = {dead} AND NOT fenced AND expires_at < clock_timestamp() FOR UPDATE) x;
         {} DELETE FROM statuswatch.node WHERE fenced AND expires_at < clock_timestamp() - interval '1 day';",
        end(dead)
    ))
}

/// Marks a life as fenced and frees what it holds.
fn end(life: Life) -> String {
    format!(
        "UPDATE statuswatch.node SET fenced = true WHERE life = {life};
         UPDATE statuswatch.shard SET life = NULL WHERE life = {life};
         UPDATE statuswatch.duty SET life = NULL WHERE life = {life};"
    )
}

/// Claims up to `most` free shards and returns them.
pub(super) fn claim(me: Life, most: usize) -> String {
    piece(&format!(
        "{} UPDATE statuswatch.shard SET life = {}, generation = generation + 1 WHERE shard IN
           (SELECT shard FROM statuswatch.shard WHERE life IS NULL ORDER BY shard LIMIT {most} FOR UPDATE SKIP LOCKED)
         RETURNING shard;",
        fence(me),
        me
    ))
}

/// Takes the duty `main` if nobody has it; returns a row then.
pub(super) fn take_main(me: Life) -> String {
    piece(&format!(
        "{} UPDATE statuswatch.duty SET life = {}, generation = generation + 1
         WHERE id = 'main' AND life IS NULL RETURNING 1;",
        fence(me),
        me
    ))
}

/// Frees shards of `me`.
pub(super) fn give_back(me: Life, shards: &BTreeSet<Shard>) -> String {
    piece(&format!(
        "UPDATE statuswatch.shard SET life = NULL WHERE life = {} AND shard = ANY({});",
        me,
        numbers(shards)
    ))
}

/// Frees all shards of `me`, which gets none any more.
pub(super) fn drain(me: Life) -> String {
    piece(&format!(
        "UPDATE statuswatch.node SET draining = true, expires_at = clock_timestamp() + interval '{LEASE}' WHERE life = {me} AND NOT fenced;
         UPDATE statuswatch.shard SET life = NULL WHERE life = {me};"
    ))
}

/// Ends the life of `me`.
pub(super) fn leave(me: Life) -> String {
    piece(&end(me))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_a_statement() {
        assert_eq!(text("o'brien'; DROP TABLE x"), "'o''brien''; DROP TABLE x'");
    }

    #[test]
    fn pauses_are_rows() {
        let pauses = [("a'.example:443", 30), ("b.example:80", 5)]
            .map(|(host, seconds)| (host.to_owned(), Duration::from_secs(seconds)));
        let statement = put_pauses(&pauses);
        assert!(
            statement.contains("('a''.example:443', clock_timestamp() + interval '30000 ms'), (")
        );
    }

    #[test]
    fn shards_are_an_array() {
        let shards: BTreeSet<Shard> = [3, 7].into();
        assert_eq!(numbers(&shards), "'{3,7}'::int[]");
        assert_eq!(numbers(&BTreeSet::new()), "'{}'::int[]");
    }
}
