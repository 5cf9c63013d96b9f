//! Connections, replicas and databases that are lost: nothing is lost with them that was recorded,
//! and nothing is recorded twice.

use std::collections::HashSet;
use std::slice::from_ref;

use statuswatch::event::IncidentStatus;

use super::node::{
    BATCHES, Node, assert_same, execute, number, page, position, provider, rows, run_system,
};
use super::proxy::{Next, Proxy};
use crate::support::postgres::{Postgres, begin_life, database, look};
use crate::support::wait::{eventually, until_true};

use IncidentStatus::{Investigating, Resolved};

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_commit_without_an_answer_is_neither_lost_nor_repeated() {
    run_system(async {
        let server = Postgres::start(None);
        let proxy = Proxy::start(server.port);
        let direct = server.database();
        let shared = begin_life(&proxy.url(&direct), "one").await;
        let node = Node::open(tempfile::tempdir().unwrap(), shared).await;
        let acme = provider("acme");
        node.watch(from_ref(&acme)).await;
        let mut texts = vec!["Begun."];
        for (minute, next) in
            [Next::CutAfter, Next::CutBefore, Next::Pass, Next::CutAfter].into_iter().enumerate()
        {
            let minute = minute as i64;
            texts.push(["One.", "Two.", "Three.", "Four."][minute as usize]);
            let page = page(minute, &[("a", Investigating, &texts)]);
            let (before, replica) = (number(&direct, BATCHES).await, position(node.dir.path()));
            proxy.set(next);
            let answer = node.try_poll(&acme, minute, &page).await;
            assert!(proxy.is_done());
            assert_eq!(answer.is_ok(), next == Next::Pass, "{next:?}: {answer:?}");
            let committed = i64::from(next != Next::CutBefore);
            assert_eq!(number(&direct, BATCHES).await, before + committed, "{next:?}");
            if next != Next::Pass {
                assert_eq!(position(node.dir.path()), replica, "{next:?}: never ahead");
            }
            node.poll(&acme, minute, &page).await;
        }
        let events = node.events();
        let told: Vec<_> = events.iter().filter_map(|event| event.message.as_deref()).collect();
        assert_eq!(told, texts);
        let third = node.replica().await;
        assert_same(node.dir.path(), third.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_database_that_crashes_is_written_to_again_when_it_is_back() {
    run_system(async {
        let server = Postgres::start(None);
        let node = Node::start(&server.database(), "one").await;
        let acme = provider("acme");
        node.watch(from_ref(&acme)).await;
        node.poll(&acme, 0, &page(0, &[("a", Investigating, &["Begun."])])).await;
        server.crash();
        let more = page(1, &[("a", Investigating, &["Begun.", "More."])]);
        let before = rows(node.dir.path());
        for _ in 0..3 {
            let away = node.try_poll(&acme, 1, &more).await.unwrap_err();
            assert!(away.may_pass(), "{away}");
        }
        assert_eq!(rows(node.dir.path()), before, "what is known can still be read");
        // A node that starts meanwhile shows what it knew.
        let (dir, shared) = node.stop().await;
        let node = Node::open(dir, shared).await;
        assert_eq!(node.events().len(), 1);
        assert!(server.resume());
        node.watch(from_ref(&acme)).await;
        assert_eq!(node.poll(&acme, 1, &more).await.events, 1);
        assert_eq!(node.events().len(), 2);
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_replica_that_is_lost_damaged_or_too_old_is_filled_anew() {
    run_system(async {
        let url = database();
        let (one, acme) = Node::begun(&url).await;
        let (damaged, shared) = one.replica().await.stop().await;
        let (old, _) = Node::open(tempfile::tempdir().unwrap(), shared.clone()).await.stop().await;
        let known = position(old.path());
        one.poll(&acme, 1, &page(1, &[("a", Resolved, &["Begun.", "Over."])])).await;

        // What is older than a day is forgotten by the node that has the duty, within its first
        // seconds.
        execute(&url, "UPDATE statuswatch.batch SET at = at - interval '2 days'").await;
        let (dir, shared) = one.stop().await;
        let one = Node::open(dir, shared).await;
        eventually("old commits are forgotten", async || {
            let oldest = number(&url, "SELECT min(n) FROM statuswatch.batch").await;
            (oldest > known).then_some(())
        })
        .await;
        let old = Node::open(old, one.shared.clone()).await;
        assert_same(one.dir.path(), old.dir.path());

        let file = damaged.path().join("ledger.db");
        std::fs::write(&file, b"this was a database, as far as anybody knows ".repeat(200))
            .unwrap();
        let repaired = Node::open(damaged, one.shared.clone()).await;
        assert_same(one.dir.path(), repaired.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_database_that_was_restored_uses_no_number_twice() {
    run_system(async {
        let url = database();
        let (node, acme) = Node::begun(&url).await;
        let client = look(&url).await;
        client
            .batch_execute(
                "CREATE SCHEMA saved; CREATE TABLE saved.record AS TABLE statuswatch.record;
                 CREATE TABLE saved.batch AS TABLE statuswatch.batch",
            )
            .await
            .unwrap();
        let pages = page(2, &[("a", Investigating, &["Begun.", "One.", "Two."])]);
        node.poll(&acme, 2, &pages).await;
        let before = node.events();
        assert_eq!(before.len(), 3);

        let mut client = client;
        let restore = client.transaction().await.unwrap();
        restore
            .batch_execute(
                "TRUNCATE statuswatch.record, statuswatch.batch;
                 INSERT INTO statuswatch.record SELECT * FROM saved.record;
                 INSERT INTO statuswatch.batch SELECT * FROM saved.batch",
            )
            .await
            .unwrap();
        restore.commit().await.unwrap();
        until_true("the replica is that of the restored database", || {
            rows(node.dir.path())["event"].len() == 1
        })
        .await;
        // The page still shows what was lost: it is recorded again, under the same ids.
        assert_eq!(node.poll(&acme, 3, &pages).await.events, 2);
        let events = node.reader().after(0, 100).unwrap();
        let numbers: Vec<u64> = events.iter().map(|stored| stored.event.seq).collect();
        assert_eq!(numbers, [1, 4, 5], "2 and 3 were used");
        let ids = |events: Vec<statuswatch::event::StatusEvent>| -> HashSet<String> {
            events.into_iter().map(|event| event.id).collect()
        };
        assert_eq!(ids(events.into_iter().map(|stored| stored.event).collect()), ids(before));
        let other = node.replica().await;
        assert_same(node.dir.path(), other.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_result_that_the_database_does_not_take_does_not_stop_the_others() {
    run_system(async {
        let url = database();
        let node = Node::start(&url, "one").await;
        let providers: Vec<_> = (0..20).map(|n| provider(&format!("p{n}"))).collect();
        node.watch(&providers).await;
        let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
              $$BEGIN RAISE EXCEPTION USING ERRCODE = '22000', MESSAGE = 'not this'; END$$;
            CREATE TRIGGER refuse BEFORE INSERT ON statuswatch.record FOR EACH ROW
              WHEN (NEW.tab = 'item' AND NEW.key LIKE '%\"p7\"%') EXECUTE FUNCTION refuse();";
        look(&url).await.batch_execute(refuse).await.unwrap();
        let page = page(0, &[("a", Investigating, &["Begun."])]);
        let polls = providers.iter().map(|provider| node.try_poll(provider, 0, &page));
        let answers = futures::future::join_all(polls).await;
        for (provider, answer) in providers.iter().zip(&answers) {
            match answer {
                Ok(recorded) => assert_eq!(recorded.events, 1),
                Err(error) => assert!(error.may_pass() && provider.id == "p7", "{error}"),
            }
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
        assert_eq!(node.events().len(), 19);
        look(&url).await.batch_execute("DROP TRIGGER refuse ON statuswatch.record").await.unwrap();
        assert_eq!(node.poll(&providers[7], 0, &page).await.events, 1);
        assert_eq!(node.events().len(), 20);
        let other = node.replica().await;
        assert_same(node.dir.path(), other.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_connection_that_is_ended_between_writes_is_opened_again() {
    run_system(async {
        let url = database();
        let node = Node::start(&url, "one").await;
        let acme = provider("acme");
        node.watch(from_ref(&acme)).await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'statuswatch ledger'";
        let mut texts = Vec::new();
        for minute in 0..5 {
            texts.push(["a", "b", "c", "d", "e"][minute]);
            assert!(number(&url, end).await >= 1);
            let page = page(minute as i64, &[("a", Investigating, &texts)]);
            node.poll(&acme, minute as i64, &page).await;
        }
        assert_eq!(node.events().len(), 5);
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn after_a_promotion_nobody_writes_before_others_have_kept_their_numbers() {
    const TIMELINE: &str =
        "SELECT count(*) FROM statuswatch.meta WHERE key = 'timeline' AND value <> '0000000F'";
    run_system(async {
        let url = database();
        let (node, acme) = Node::begun(&url).await;
        assert_eq!(number(&url, TIMELINE).await, 1, "noted by the first write");
        // As if the log of this server had been another one until now.
        execute(&url, "UPDATE statuswatch.meta SET value = '0000000F' WHERE key = 'timeline'")
            .await;
        let (dir, shared) = node.stop().await;
        let node = Node::open(dir, shared).await;
        let page = page(1, &[("a", Investigating, &["Begun.", "More."])]);
        assert!(node.try_watch(from_ref(&acme)).await.is_err());
        assert_eq!(number(&url, TIMELINE).await, 0);
        // What another node has seen, which this server never had.
        let raised = "UPDATE statuswatch.turn SET floor = 41";
        execute(&url, raised).await;
        // Instead of waiting for six seconds.
        let since =
            "UPDATE statuswatch.meta SET value = left(value, 9) || '1' WHERE key = 'promoted'";
        execute(&url, since).await;
        node.watch(from_ref(&acme)).await;
        node.poll(&acme, 1, &page).await;
        assert_eq!(number(&url, TIMELINE).await, 1);
        let newest = "SELECT max(key::bigint) FROM statuswatch.record WHERE tab = 'event'";
        assert_eq!(number(&url, newest).await, 42);
    });
}
