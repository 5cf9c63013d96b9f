//! The nodes that share a database, as `status`, the HTTP server and agents show them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::nodes::report::{NodeReport, Report};

/// What a database says of its nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct NodesView {
    /// Why the database cannot be read; null if it can.
    pub error: Option<String>,
    /// The nodes, by name.
    pub nodes: Vec<NodeView>,
    /// Nodes that ended without stopping in order within the last hour, and are not back; by name.
    pub missing: Vec<MissingView>,
    /// How many of the 1,024 shards no node holds.
    pub free_shards: usize,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// How many of the configured providers it polls.
    pub providers: usize,
    /// How many of the 1,024 shards it holds.
    pub shards: usize,
    /// Whether it serves channels and the heartbeat.
    pub main: bool,
    /// Whether it is stopping.
    pub draining: bool,
    /// Seconds until others take over unless it renews its lease.
    pub lease: f64,
    /// Whether its configuration differs from that of most nodes.
    pub differs: bool,
}

/// A node that is gone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MissingView {
    /// Its name.
    pub name: String,
    /// Seconds since its lease ended.
    pub since: f64,
}

impl NodesView {
    /// Returns the view of a report. `providers` has the shard of each configured provider.
    #[must_use]
    pub fn new(report: &Report, providers: &[u16]) -> Self {
        let same = |config: &str| report.nodes.iter().filter(|node| node.config == config).count();
        let usual =
            report.nodes.iter().map(|node| node.config.as_str()).max_by_key(|config| same(config));
        let node = |node: &NodeReport| NodeView {
            name: node.name.clone(),
            providers: providers.iter().filter(|shard| node.shards.contains(shard)).count(),
            shards: node.shards.len(),
            main: node.main,
            draining: node.draining,
            lease: node.lease_ms as f64 / 1000.0,
            differs: Some(node.config.as_str()) != usual,
        };
        let missing = report
            .missing
            .iter()
            .map(|one| MissingView { name: one.name.clone(), since: one.since_ms as f64 / 1000.0 });
        Self {
            error: None,
            nodes: report.nodes.iter().map(node).collect(),
            missing: missing.collect(),
            free_shards: report.free,
        }
    }

    /// Returns the view of a database that cannot be read.
    #[must_use]
    pub fn failed(error: String) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Returns what is wrong, a sentence each: the database, nodes that are missing, and what
    /// nobody does.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        if let Some(error) = &self.error {
            return vec![format!("The database of the nodes cannot be read: {error}.")];
        }
        let mut warnings = Vec::new();
        for node in self.nodes.iter().filter(|node| node.lease < 0.0) {
            warnings.push(format!("The lease of the node {} has ended.", node.name));
        }
        for node in &self.missing {
            let minutes = (node.since / 60.0).round();
            warnings.push(format!(
                "The node {} is missing: its lease ended {minutes} min ago.",
                node.name
            ));
        }
        for node in self.nodes.iter().filter(|node| node.differs) {
            warnings.push(format!("The node {} has another configuration.", node.name));
        }
        if !self.nodes.is_empty() && !self.nodes.iter().any(|node| node.main) {
            warnings.push("No node serves the channels.".to_owned());
        }
        if self.free_shards > 0 {
            warnings.push(format!("{} of 1,024 shards are held by no node.", self.free_shards));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::report::MissingReport;

    #[test]
    fn what_is_wrong_with_nodes_is_said() {
        let good = Report {
            nodes: vec![NodeReport::example("a", true, "1"), NodeReport::example("b", false, "1")],
            missing: Vec::new(),
            free: 0,
        };
        assert_eq!(NodesView::new(&good, &[1, 2, 2, 9]).nodes[0].providers, 3);
        assert_eq!(NodesView::new(&good, &[]).warnings(), [""; 0]);
        let bad = Report {
            nodes: vec![
                NodeReport::example("a", false, "1"),
                NodeReport { lease_ms: -700, ..NodeReport::example("b", false, "1") },
                NodeReport::example("c", false, "2"),
            ],
            missing: vec![MissingReport { name: "d".to_owned(), since_ms: 240_000 }],
            free: 7,
        };
        insta::assert_snapshot!(NodesView::new(&bad, &[]).warnings().join("\n"), @r"
        The lease of the node b has ended.
        The node d is missing: its lease ended 4 min ago.
        The node c has another configuration.
        No node serves the channels.
        7 of 1,024 shards are held by no node.
        ");
        let away = NodesView::failed("no answer within 5s".to_owned());
        assert_eq!(
            away.warnings(),
            ["The database of the nodes cannot be read: no answer within 5s."]
        );
    }
}
