//! Computes what a new configuration changes. Pure.

use std::sync::Arc;

use crate::config::Provider;

/// Which providers start, stop or change.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Ids of providers to stop.
    pub stop: Vec<String>,
    /// Providers to start.
    pub start: Vec<Arc<Provider>>,
    /// Providers whose poller is replaced by one with the new entry.
    pub change: Vec<Arc<Provider>>,
    /// How many stay the same.
    pub same: usize,
}

/// Compares the running providers with the wanted ones.
#[must_use]
pub fn changes(running: &[Arc<Provider>], wanted: &[Arc<Provider>]) -> Changes {
    let wanted_ids: std::collections::HashSet<&str> =
        wanted.iter().map(|provider| provider.id.as_str()).collect();
    let mut changes = Changes {
        stop: running
            .iter()
            .map(|provider| &provider.id)
            .filter(|id| !wanted_ids.contains(id.as_str()))
            .cloned()
            .collect(),
        ..Changes::default()
    };
    let known: std::collections::HashMap<&str, &Arc<Provider>> =
        running.iter().map(|provider| (provider.id.as_str(), provider)).collect();
    for provider in wanted {
        match known.get(provider.id.as_str()) {
            None => changes.start.push(Arc::clone(provider)),
            Some(before) if ***before != **provider => changes.change.push(Arc::clone(provider)),
            Some(_) => changes.same += 1,
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Filter, Settings};

    fn provider(id: &str, name: &str) -> Arc<Provider> {
        Arc::new(Provider {
            id: id.to_owned(),
            name: name.to_owned(),
            url: "https://status.example/".parse().unwrap(),
            source: None,
            url_written: true,
            settings: Settings::default(),
            filter: Filter::default(),
            json: None,
        })
    }

    #[test]
    fn only_what_differs_is_touched() {
        let running = [provider("a", "A"), provider("b", "B"), provider("c", "C")];
        let wanted = [provider("c", "C"), provider("b", "Bee"), provider("d", "D")];
        let changes = changes(&running, &wanted);
        assert_eq!(changes.stop, ["a"]);
        assert_eq!(changes.start, [provider("d", "D")]);
        assert_eq!(changes.change, [provider("b", "Bee")]);
        assert_eq!(changes.same, 1);
    }
}
