//! The nodes that share a database, as `status` and `check --online` show them.

use std::future::Future;

use super::args::Common;
use super::context;
use super::output::Paint;
use super::table::{Cell, Table};
use crate::clock;
use crate::config::Config;
use crate::nodes::report::{self, Examination};
use crate::nodes::shard_of;
use crate::postgres::{DatabaseUrl, Error};
use crate::view::nodes::NodesView;

/// A larger difference of clocks is worth a warning, in milliseconds.
const CLOCK: i64 = 5000;

/// Returns the database of `--state`, else the one configured, if there is one.
fn database(common: &Common) -> Option<(DatabaseUrl, Option<Config>)> {
    let config = context::read(common).ok().map(|loaded| loaded.config);
    let named = context::database(common).ok().flatten();
    let url = named.or_else(|| config.as_ref()?.state.clone())?;
    Some((url, config))
}

/// Asks the database for its nodes; `None` if none is configured.
pub(super) fn nodes(common: &Common) -> Option<NodesView> {
    let (url, config) = database(common)?;
    let providers = config.map(|config| config.providers).unwrap_or_default();
    let shards: Vec<u16> = providers.iter().map(|provider| shard_of(&provider.url)).collect();
    Some(match wait(report::look(&url)) {
        Ok(report) => NodesView::new(&report, &shards),
        Err(error) => NodesView::failed(format!("{url}: {error}")),
    })
}

/// Renders it for people.
pub(super) fn text(view: &NodesView, color: bool) -> String {
    if let Some(error) = &view.error {
        return format!("The database of the nodes cannot be read: {error}\n");
    }
    if view.nodes.is_empty() {
        return "No node is running.\n".to_owned();
    }
    let mut table = Table::new(&["NODE", "PROVIDERS", "SHARDS", "DUTY", "LEASE", "STATE"]);
    for node in &view.nodes {
        let state = if node.lease < 0.0 {
            Cell::painted("lease has ended", Paint::Red)
        } else if node.draining {
            Cell::painted("stopping", Paint::Yellow)
        } else if node.differs {
            Cell::painted("other configuration", Paint::Yellow)
        } else {
            Cell::painted("ok", Paint::Green)
        };
        table.row([
            node.name.as_str().into(),
            node.providers.to_string().as_str().into(),
            node.shards.to_string().as_str().into(),
            if node.main { "main" } else { "-" }.into(),
            format!("{:.0}s", node.lease.max(0.0)).as_str().into(),
            state,
        ]);
    }
    for node in &view.missing {
        let ago = crate::view::when::span(node.since as u64);
        table.row([
            node.name.as_str().into(),
            "-".into(),
            "-".into(),
            "-".into(),
            "0s".into(),
            Cell::painted(&format!("missing for {ago}"), Paint::Red),
        ]);
    }
    table.render(color)
}

/// Examines the configured database for `check --online`. Returns what to print, and whether the
/// database can be used; `None` if none is configured.
pub(super) fn examine(common: &Common) -> Option<(String, bool)> {
    let (url, _) = database(common)?;
    Some(match wait(report::examine(&url, clock::now)) {
        Ok(found) => (sentences(&url, &found), found.missing.is_none()),
        Err(error) => (format!("{url}: {error}\n"), false),
    })
}

fn sentences(url: &DatabaseUrl, found: &Examination) -> String {
    let mut lines = vec![format!(
        "{url}: PostgreSQL {}, {}",
        found.version,
        if found.prepared { "the schema is there" } else { "the first node creates the schema" }
    )];
    if let Some(missing) = found.missing {
        lines.push(format!("error: its user is not permitted {missing}"));
    }
    lines.push(match (found.standbys, found.synchronous) {
        (0, _) => "no standby is connected: what is recorded is lost with this server".to_owned(),
        (1, 0) => "1 standby, not synchronous: a failover may lose the last events".to_owned(),
        (some, 0) => {
            format!(
                "{some} standbys, none of them synchronous: a failover may lose the last events"
            )
        }
        (some, sync) => format!("{some} standbys, {sync} of them synchronous"),
    });
    if found.deferred {
        lines.push(
            "warning: synchronous_commit is off: a crash of the server loses the last events"
                .to_owned(),
        );
    }
    if found.ahead_ms.abs() >= CLOCK {
        let (seconds, side) =
            (found.ahead_ms.abs() / 1000, if found.ahead_ms > 0 { "ahead of" } else { "behind" });
        lines.push(format!("warning: its clock is {seconds} s {side} ours: correct one of them"));
    }
    lines.join("\n  ") + "\n"
}

fn wait<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::away(error.to_string()))?.block_on(asking)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::report::{MissingReport, NodeReport, Report};

    #[test]
    fn nodes_are_a_table() {
        let nodes = vec![
            NodeReport::example("a", true, "1"),
            NodeReport::example("b", false, "1"),
            NodeReport { lease_ms: -700, ..NodeReport::example("c", false, "1") },
            NodeReport {
                draining: true,
                shards: Vec::new(),
                ..NodeReport::example("d", false, "1")
            },
            NodeReport::example("e", false, "2"),
        ];
        let missing = vec![MissingReport { name: "f".to_owned(), since_ms: 240_000 }];
        let view = NodesView::new(&Report { nodes, missing, free: 1014 }, &[]);
        insta::assert_snapshot!(text(&view, false), @r"
        NODE  PROVIDERS  SHARDS  DUTY  LEASE  STATE
        a     0          2       main  4s     ok
        b     0          2       -     4s     ok
        c     0          2       -     0s     lease has ended
        d     0          0       -     4s     stopping
        e     0          2       -     4s     other configuration
        f     -          -       -     0s     missing for 4m
        ");
    }

    #[test]
    fn what_is_wrong_with_a_database_is_said() {
        let url: DatabaseUrl = "postgres://sw:s3cr3t@db.example/sw".parse().unwrap();
        let good = Examination {
            version: "15.8".to_owned(),
            prepared: true,
            missing: None,
            standbys: 2,
            synchronous: 1,
            deferred: false,
            ahead_ms: 120,
        };
        let bad = Examination {
            prepared: false,
            missing: Some("to create the schema statuswatch"),
            standbys: 1,
            synchronous: 0,
            deferred: true,
            ahead_ms: -7_300,
            ..good.clone()
        };
        let alone = Examination { standbys: 0, synchronous: 0, ..good.clone() };
        let said: String = [good, bad, alone].iter().map(|one| sentences(&url, one)).collect();
        insta::assert_snapshot!(said, @r"
        postgres://sw@db.example:5432/sw: PostgreSQL 15.8, the schema is there
          2 standbys, 1 of them synchronous
        postgres://sw@db.example:5432/sw: PostgreSQL 15.8, the first node creates the schema
          error: its user is not permitted to create the schema statuswatch
          1 standby, not synchronous: a failover may lose the last events
          warning: synchronous_commit is off: a crash of the server loses the last events
          warning: its clock is 7 s behind ours: correct one of them
        postgres://sw@db.example:5432/sw: PostgreSQL 15.8, the schema is there
          no standby is connected: what is recorded is lost with this server
        ");
    }
}
