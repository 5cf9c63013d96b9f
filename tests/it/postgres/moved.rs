//! `ledger move`, both ways, through the program.

use std::path::Path;
use std::process::Command;
use std::slice::from_ref;

use statuswatch::event::IncidentStatus;
use statuswatch::ledger::{LedgerError, MoveError, Place, move_ledger};
use statuswatch::postgres::DatabaseUrl;

use super::node::{Node, page, provider, rows, run_system};
use crate::support::postgres::{begin_life, database, look};

use IncidentStatus::Investigating;

/// Runs `ledger move` and returns its exit status and what it printed, without what differs.
fn run(from: &str, to: &str, names: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_statuswatch"))
        .args(["ledger", "move", from, to])
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    for (name, shown) in names {
        text = text.replace(name, shown);
    }
    (output.status.code().unwrap(), text)
}

/// What is the same wherever the ledger is.
fn content(dir: &Path) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut content = rows(dir);
    content.get_mut("meta").unwrap().retain(|row| !row.contains("'moved'"));
    content
}

async fn end_nodes(url: &DatabaseUrl) {
    look(url).await.batch_execute("UPDATE statuswatch.node SET fenced = true").await.unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_ledger_moves_into_a_database_and_back() {
    run_system(async {
        let alone = Node::alone().await;
        let acme = provider("acme");
        alone.watch(from_ref(&acme)).await;
        let texts = ["Begun.", "More \u{1f7e0} \\ \"quoted\".", "Still."];
        for minute in 0..3 {
            let page = page(minute, &[("a", Investigating, &texts[..=minute as usize])]);
            alone.poll(&acme, minute, &page).await;
        }
        let (own, _) = alone.stop().await;
        let before = content(own.path());
        let url = database();
        let (dir, there) = (own.path().to_str().unwrap(), url.to_string());
        let there = there.as_str();
        let port = there.split(':').nth(2).unwrap();
        let names = [(dir, "DIR"), (port, "PORT/test")];

        let (status, said) = run(dir, there, &names);
        insta::assert_snapshot!(said, @"Moved 3 events and 5 other rows from DIR to postgres://postgres@127.0.0.1:PORT/test. Both were compared.");
        assert_eq!(status, 0);
        // What was moved is not used again.
        let (status, said) = run(dir, there, &names);
        insta::assert_snapshot!(said, @"statuswatch: the database DIR/ledger.db was moved to postgres://postgres@127.0.0.1:PORT/test: name that in the configuration (`state:`), or begin with an empty state directory");
        assert_eq!(status, 1);
        let again = tokio::task::spawn_blocking({
            let (from, to) = (Place::Directory(dir.into()), Place::Database(url.clone()));
            move || move_ledger(&from, &to)
        });
        let again = again.await.unwrap().unwrap_err();
        assert!(matches!(again, MoveError::Ledger(LedgerError::Elsewhere { .. })), "{again}");

        // A node goes on where the ledger ended, with the former directory as its replica.
        let node = Node::open(own, begin_life(&url, "one").await).await;
        assert_eq!(content(node.dir.path()), before);
        node.watch(from_ref(&acme)).await;
        let over = page(5, &[("a", Investigating, &["Begun.", texts[1], "Still.", "Over."])]);
        assert_eq!(node.poll(&acme, 5, &over).await.events, 1);
        assert_eq!(node.events().len(), 4);
        let (replica, _) = node.stop().await;
        let after = content(replica.path());

        // Not while a node is running, and not over another ledger.
        let target = tempfile::tempdir().unwrap();
        let to = target.path().to_str().unwrap();
        let names =
            [(to, "DIR"), (replica.path().to_str().unwrap(), "REPLICA"), (port, "PORT/test")];
        let (status, said) = run(there, to, &names);
        insta::assert_snapshot!(said, @"statuswatch: the database refuses: the node one is running: stop all nodes first");
        assert_eq!(status, 1);
        end_nodes(&url).await;
        let (status, said) = run(there, replica.path().to_str().unwrap(), &names);
        insta::assert_snapshot!(said, @"statuswatch: there is a ledger at REPLICA already: move to an empty place");
        assert_eq!(status, 1);

        let (status, said) = run(there, to, &names);
        insta::assert_snapshot!(said, @"Moved 4 events and 6 other rows from postgres://postgres@127.0.0.1:PORT/test to DIR. Both were compared.");
        assert_eq!(status, 0);
        assert_eq!(content(target.path()), after);
        // The database is left: no node can use it, and it takes a ledger again.
        let shared = begin_life(&url, "two").await;
        let gone = tokio::task::spawn_blocking(move || {
            let options = Node::options(tempfile::tempdir().unwrap().path(), Some(shared));
            statuswatch::ledger::LedgerActor::open(options).err().unwrap().to_string()
        });
        insta::assert_snapshot!(gone.await.unwrap().replace(to, "DIR"), @"the database refuses: the ledger was moved out of this database, to DIR");
        end_nodes(&url).await;
        let (status, said) = run(to, there, &names);
        assert_eq!(status, 0, "{said}");
        let node = Node::open(tempfile::tempdir().unwrap(), begin_life(&url, "three").await).await;
        assert_eq!(content(node.dir.path()), after);
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn what_cannot_be_moved_is_refused() {
    let url = database().to_string();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    for (from, to, status) in
        [(dir, dir, 2), (&url, &url, 2), (dir, &url, 1), (dir, "mysql://u:s3cr3t@h/d", 2)]
    {
        let (ended, said) = run(from, to, &[]);
        assert_eq!(ended, status, "{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}
