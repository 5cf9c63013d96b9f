//! The nodes that share a database: what it says of them, shared by all requests within seconds. No
//! request waits for a database that does not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{App, LookAtNodes};
use crate::event::format_time;
use crate::nodes::membership::{Membership, Standing};
use crate::view::nodes::NodesView;

/// The database is asked again after this time: a lease lasts 6 s.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// The longest that a request waits for it. Later ones are shown what it says then.
const PATIENCE: Duration = Duration::from_millis(500);

/// The nodes, as this one sees them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct NodesAnswer {
    /// The name of this one.
    pub(super) this: String,
    /// Since when the database has not answered this node; null while it does.
    pub(super) unreachable_since: Option<String>,
    /// What the database said within the last seconds.
    #[serde(flatten)]
    pub(super) view: NodesView,
}

/// Asks the database.
pub(crate) struct Nodes {
    membership: Arc<Membership>,
    look: LookAtNodes,
    /// When it was asked last, and what it said; nothing before the first answer.
    seen: Arc<watch::Sender<Seen>>,
}

#[derive(Default)]
struct Seen {
    asked: Option<Instant>,
    view: Option<NodesView>,
}

impl Nodes {
    pub(super) fn new(membership: Arc<Membership>, look: LookAtNodes) -> Self {
        Self { membership, look, seen: Arc::default() }
    }

    /// Returns what this process knows of itself.
    pub(super) fn standing(&self) -> Standing {
        self.membership.standing()
    }

    /// Returns what the database said last.
    async fn view(&self) -> NodesView {
        let mut seen = self.seen.subscribe();
        let mut is_due = false;
        self.seen.send_if_modified(|seen| {
            is_due = seen.asked.is_none_or(|asked| asked.elapsed() >= FRESH_FOR);
            if is_due {
                seen.asked = Some(Instant::now());
            }
            false
        });
        if is_due {
            let (looking, seen) = ((self.look)(), Arc::clone(&self.seen));
            // Not a part of the request: the next one finds the answer, however long it takes.
            tokio::spawn(async move {
                let view = Some(looking.await);
                seen.send_modify(|seen| *seen = Seen { asked: Some(Instant::now()), view });
            });
        }
        if is_due || seen.borrow().view.is_none() {
            // An answer that is late, or none: what was said before.
            drop(timeout(PATIENCE, seen.changed()).await);
        }
        let seen = seen.borrow();
        seen.view.clone().unwrap_or_else(|| NodesView::failed("no answer yet".to_owned()))
    }
}

/// Returns the nodes; `None` where this process is alone.
pub(super) async fn answer(app: &App) -> Option<NodesAnswer> {
    let nodes = app.nodes.as_ref()?;
    let view = nodes.view().await;
    let standing = nodes.standing();
    Some(NodesAnswer {
        this: standing.name,
        unreachable_since: standing.unreachable_since.map(format_time),
        view,
    })
}

impl NodesAnswer {
    /// Returns the nodes in a sentence, as long as the database answers:
    /// `3 nodes share the providers; this one, a, polls 340 of 1,024 shards.`
    pub(super) fn sentence(&self) -> Option<String> {
        let count = self.view.nodes.len();
        let own = self.view.nodes.iter().find(|node| node.name == self.this)?;
        let main = self.view.nodes.iter().find(|node| node.main);
        let main = main.map_or_else(String::new, |main| {
            let who = if main.name == self.this { "it" } else { main.name.as_str() };
            format!("; {who} serves the channels")
        });
        let share = if count == 1 {
            "1 node polls the providers: this one".to_owned()
        } else {
            format!("{count} nodes share the providers: this one")
        };
        Some(format!("{share}, {}, holds {} of 1,024 shards{main}.", self.this, own.shards))
    }

    /// Returns what is wrong, a sentence each.
    pub(super) fn warnings(&self) -> Vec<String> {
        let away = self.unreachable_since.as_ref().map(|since| {
            format!("The database of the nodes has not answered since {since}: nothing is polled or recorded.")
        });
        // Its own reason says less.
        if let Some(away) = away {
            return vec![away];
        }
        self.view.warnings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::nodes::NodeView;

    fn node(name: &str, main: bool) -> NodeView {
        NodeView {
            name: name.to_owned(),
            providers: 1,
            shards: 512,
            main,
            draining: false,
            lease: 4.2,
            differs: false,
        }
    }

    #[test]
    fn nodes_are_a_sentence_and_what_is_wrong_another() {
        let view =
            NodesView { nodes: vec![node("a", true), node("b", false)], ..NodesView::default() };
        let mut answer =
            NodesAnswer { this: "b".to_owned(), unreachable_since: None, view: view.clone() };
        assert_eq!(
            answer.sentence().unwrap(),
            "2 nodes share the providers: this one, b, holds 512 of 1,024 shards; a serves the channels."
        );
        assert_eq!(answer.warnings(), [""; 0]);
        answer.view.nodes.pop();
        answer.this = "a".to_owned();
        assert_eq!(
            answer.sentence().unwrap(),
            "1 node polls the providers: this one, a, holds 512 of 1,024 shards; it serves the channels."
        );
        answer.unreachable_since = Some("2026-02-23T12:00:00Z".to_owned());
        answer.view = NodesView::failed("connection refused".to_owned());
        assert_eq!(answer.sentence(), None);
        assert_eq!(
            answer.warnings(),
            [
                "The database of the nodes has not answered since 2026-02-23T12:00:00Z: nothing is polled or recorded."
            ]
        );
    }
}
