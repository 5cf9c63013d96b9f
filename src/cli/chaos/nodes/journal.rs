//! What the database itself notes of nodes: triggers write down each life and each change of a
//! shard's holder, with the time of the database. A node cannot know of it, and it survives the node.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use super::judge::{Hold, Life, Ms, NodeId, Span};
use crate::postgres::{Client, SimpleQueryMessage, SimpleQueryRow, prepare};

/// Notes that were written by transactions that ended later than others may have lower numbers: so
/// many are read again.
const AGAIN: i64 = 5_000;

/// The end of what has not ended.
const NEVER: Ms = Ms::MAX / 4;

const INSTALL: &str = "
CREATE SCHEMA chaos;
CREATE TABLE chaos.note(
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL, life bigint, name text, shard integer,
  at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
);
CREATE FUNCTION chaos.begun() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO chaos.note(what, life, name) VALUES ('begun', NEW.life, NEW.name); RETURN NULL; END $$;
CREATE FUNCTION chaos.fenced() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO chaos.note(what, life, name) VALUES ('fenced', NEW.life, NEW.name); RETURN NULL; END $$;
CREATE FUNCTION chaos.held() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO chaos.note(what, life, shard) VALUES ('held', NEW.life, NEW.shard); RETURN NULL; END $$;
CREATE TRIGGER begun AFTER INSERT ON statuswatch.node FOR EACH ROW EXECUTE FUNCTION chaos.begun();
CREATE TRIGGER fenced AFTER UPDATE ON statuswatch.node FOR EACH ROW
  WHEN (NEW.fenced AND NOT OLD.fenced) EXECUTE FUNCTION chaos.fenced();
CREATE TRIGGER held AFTER UPDATE ON statuswatch.shard FOR EACH ROW
  WHEN (NEW.life IS DISTINCT FROM OLD.life) EXECUTE FUNCTION chaos.held();
";

/// A note: at this time, this life.
#[derive(Debug, Clone)]
struct Note {
    what: What,
    /// `None` for a shard that nobody holds any more.
    life: Option<i64>,
    at: Ms,
}

/// What was noted.
#[derive(Debug, Clone)]
enum What {
    /// The life began, of the node of this name.
    Begun(String),
    /// It was fenced, or left.
    Fenced,
    /// It holds this shard from now on.
    Held(u16),
}

/// The notes read so far, by number.
#[derive(Debug, Default)]
pub(super) struct Journal(BTreeMap<i64, Note>);

impl Journal {
    /// Creates the schema of the nodes, and what takes notes of it.
    pub(super) async fn install(client: &Client) -> anyhow::Result<()> {
        prepare(client).await?;
        client.batch_execute(INSTALL).await.context("cannot create the journal")
    }

    /// Reads what was noted since the last time.
    pub(super) async fn read(&mut self, client: &Client) -> anyhow::Result<()> {
        let from = self.0.last_key_value().map_or(0, |(n, _)| *n - AGAIN);
        let statement = format!(
            "SELECT n, what, coalesce(life, 0), coalesce(name, ''), coalesce(shard, 0), at FROM chaos.note WHERE n > {from}"
        );
        for row in rows(client, &statement).await? {
            let what = match text(&row, 1).as_str() {
                "begun" => What::Begun(text(&row, 3)),
                "fenced" => What::Fenced,
                _ => What::Held(u16::try_from(number(&row, 4)).unwrap_or(u16::MAX)),
            };
            let life = Some(number(&row, 2)).filter(|life| *life > 0);
            let note = Note { what, life, at: number(&row, 5) };
            self.0.insert(number(&row, 0), note);
        }
        Ok(())
    }

    /// Returns the lives of these nodes.
    pub(super) fn lives(&self, nodes: &[String]) -> Vec<Life> {
        let node = |name: &str| -> Option<NodeId> { nodes.iter().position(|one| one == name) };
        let mut lives: BTreeMap<i64, Life> = BTreeMap::new();
        for note in self.0.values() {
            let Some(life) = note.life else { continue };
            match &note.what {
                What::Begun(name) => {
                    let Some(node) = node(name) else { continue };
                    lives.insert(life, Life { number: life, node, begun: note.at, fenced: None });
                }
                What::Fenced => {
                    if let Some(life) = lives.get_mut(&life) {
                        life.fenced = Some(note.at);
                    }
                }
                What::Held(_) => {}
            }
        }
        lives.into_values().collect()
    }

    /// Returns who held which shard from when to when.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let mut open: HashMap<u16, Hold> = HashMap::new();
        let mut holds = Vec::new();
        for note in self.0.values() {
            let What::Held(shard) = note.what else { continue };
            if let Some(mut hold) = open.remove(&shard) {
                hold.span.to = note.at;
                holds.push(hold);
            }
            if let Some(life) = note.life {
                let span = Span { from: note.at, to: NEVER };
                open.insert(shard, Hold { shard, life, span });
            }
        }
        holds.extend(open.into_values());
        holds
    }
}

/// Returns the rows of a query.
pub(super) async fn rows(client: &Client, statement: &str) -> anyhow::Result<Vec<SimpleQueryRow>> {
    let messages = client.simple_query(statement).await?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

/// Returns a column as text.
pub(super) fn text(row: &SimpleQueryRow, column: usize) -> String {
    row.get(column).unwrap_or_default().to_owned()
}

/// Returns a column as a number.
pub(super) fn number(row: &SimpleQueryRow, column: usize) -> i64 {
    text(row, column).parse().unwrap_or(0)
}
