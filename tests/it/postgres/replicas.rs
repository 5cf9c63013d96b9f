//! Several nodes on one database: numbers, fences, and replicas that are equal row by row.

use std::collections::HashSet;
use std::slice::from_ref;

use statuswatch::event::IncidentStatus;
use statuswatch::ledger::outbox::{NewMessage, OutboxChange, Payload};
use statuswatch::ledger::{AddSink, Control, Flush, Ledger, LedgerError, ROUTER, Unchanged};
use statuswatch::notify::Phase;
use statuswatch::postgres::shard_of;

use super::node::{
    BATCHES, Node, assert_same, at, execute, number, page, position, provider, rows, run_system,
};
use crate::support::postgres::{database, look, take_over};
use crate::support::wait::eventually;

use IncidentStatus::{Investigating, Monitoring, Resolved};

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn two_nodes_number_their_events_without_a_gap() {
    run_system(async {
        let url = database();
        let (one, other) = (Node::start(&url, "one").await, Node::start(&url, "other").await);
        let providers: Vec<_> = (0..6).map(|n| provider(&format!("p{n}"))).collect();
        // The first three belong to one node, the others to the other one.
        let life = one.shared.fence.life().unwrap();
        for provider in &providers[..3] {
            let shard = shard_of(&provider.url);
            let sql = format!("UPDATE statuswatch.shard SET life = {life} WHERE shard = {shard}");
            execute(&url, &sql).await;
        }
        one.watch(&providers[..3]).await;
        other.watch(&providers[3..]).await;
        for round in 0..12 {
            let texts: Vec<String> = (0..=round).map(|n| format!("Text {n}.")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let second: &[&str] = &[["Begun.", "Better.", "Worse."][round % 3]];
            let status = if round % 4 == 3 { Resolved } else { Investigating };
            let page = page(round as i64, &[("a", Monitoring, &texts), ("b", status, second)]);
            let polls = providers.iter().enumerate().map(|(place, provider)| {
                let node = if place < 3 { &one } else { &other };
                node.poll(provider, round as i64, &page)
            });
            futures::future::join_all(polls).await;
        }
        one.follow().await;
        other.follow().await;
        let events = one.events();
        let ids: HashSet<_> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids.len(), events.len(), "each once");
        for provider in &providers {
            let count = events.iter().filter(|event| event.provider == provider.id).count();
            // 12 texts of `a`, and of `b` three texts and five changes of its status.
            assert_eq!(count, 12 + 3 + 5, "{}", provider.id);
        }
        assert_same(one.dir.path(), other.dir.path());
        // A third replica is filled at once, and is the same.
        let third = one.replica().await;
        assert_same(one.dir.path(), third.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn what_another_node_commits_is_applied_whether_or_not_it_was_expected() {
    run_system(async {
        let url = database();
        let (one, other) = (Node::start(&url, "one").await, Node::start(&url, "other").await);
        let (first, second) = (provider("p0"), provider("p3"));
        let life = one.shared.fence.life().unwrap();
        let shard = shard_of(&first.url);
        assert_ne!(shard, shard_of(&second.url));
        let sql = format!("UPDATE statuswatch.shard SET life = {life} WHERE shard = {shard}");
        execute(&url, &sql).await;
        one.watch(from_ref(&first)).await;
        other.watch(from_ref(&second)).await;
        // One alone, both in turns, the other alone: a node that has just written alone expects
        // nothing of others, and one that has not expects something.
        let turns = "111212122221";
        let mut texts = [Vec::new(), Vec::new()];
        for (round, turn) in turns.chars().enumerate() {
            let place = usize::from(turn == '2');
            let (node, provider) = if place == 0 { (&one, &first) } else { (&other, &second) };
            texts[place].push(format!("Text {round}."));
            let listed: Vec<&str> = texts[place].iter().map(String::as_str).collect();
            let page = page(round as i64, &[("a", Investigating, &listed)]);
            node.poll(provider, round as i64, &page).await;
            // What it wrote has the next number, so it had all that was written before.
            let newest = node.events().last().map(|event| (event.seq, event.provider.clone()));
            assert_eq!(newest, Some((round as u64 + 1, provider.id.clone())));
        }
        one.follow().await;
        other.follow().await;
        assert_eq!(one.events().len(), turns.len());
        assert_same(one.dir.path(), other.dir.path());
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_life_that_was_fenced_writes_nothing() {
    run_system(async {
        let url = database();
        let (node, acme) = Node::begun(&url).await;
        let (before, replica) = (number(&url, BATCHES).await, rows(node.dir.path()));
        let more = page(1, &[("a", Investigating, &["Begun.", "More."])]);
        let unchanged = async || {
            let newest = number(&url, BATCHES).await;
            newest == before && rows(node.dir.path()) == replica
        };

        // The shard went to another life.
        execute(&url, "UPDATE statuswatch.shard SET life = 999").await;
        let refused = node.try_poll(&acme, 1, &more).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Away), "{refused}");
        assert!(unchanged().await);

        // The whole life is fenced.
        take_over(&look(&url).await, node.shared.fence.life().unwrap()).await;
        execute(&url, "UPDATE statuswatch.node SET fenced = true").await;
        let refused = node.try_poll(&acme, 1, &more).await.unwrap_err();
        insta::assert_snapshot!(refused, @"the database cannot be written right now: this node does not hold its lease");
        assert!(unchanged().await);

        // There is none.
        let life = node.shared.fence.life().unwrap();
        node.shared.fence.clear();
        assert!(node.try_poll(&acme, 1, &more).await.unwrap_err().may_pass());
        assert!(unchanged().await);

        execute(&url, "UPDATE statuswatch.node SET fenced = false").await;
        node.shared.fence.set(life);
        assert_eq!(node.poll(&acme, 1, &more).await.events, 1);
        assert!(!unchanged().await);
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_take_over_waits_for_an_open_write_and_then_voids_the_life() {
    run_system(async {
        let url = database();
        let node = Node::start(&url, "one").await;
        let acme = provider("acme");
        node.watch(from_ref(&acme)).await;
        let mut client = look(&url).await;
        // A take-over that is under way: the write waits for it, and finds the life fenced.
        let fence = client.transaction().await.unwrap();
        fence.batch_execute("SELECT 1 FROM statuswatch.node FOR UPDATE").await.unwrap();
        fence.batch_execute("UPDATE statuswatch.node SET fenced = true").await.unwrap();
        let write = node.ledger.send(Node::record(
            &acme,
            0,
            &page(0, &[("a", Investigating, &["Begun."])]),
        ));
        let write = tokio::spawn(write);
        eventually("the write waits", async || {
            let waits = number(&url, "SELECT count(*) FROM pg_locks WHERE NOT granted").await;
            (waits > 0).then_some(())
        })
        .await;
        fence.commit().await.unwrap();
        assert!(write.await.unwrap().unwrap().unwrap_err().may_pass());
        assert_eq!(
            number(&url, "SELECT count(*) FROM statuswatch.record WHERE tab = 'event'").await,
            0
        );
    });
}

/// A message for a channel.
fn message(key: &str) -> OutboxChange {
    OutboxChange::Add(Box::new(NewMessage {
        channel: "ops".to_owned(),
        thread: "t".to_owned(),
        payload: Payload::Text("Hello.".to_owned()),
        key: key.to_owned(),
        phase: Phase::Open,
        urgent: false,
        hold: None,
        at: at(0),
    }))
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn what_is_deleted_is_deleted_everywhere_and_its_id_is_not_used_again() {
    run_system(async {
        let url = database();
        let (one, _) = Node::begun(&url).await;
        // The shards and duties are those of the second.
        let two = Node::start(&url, "two").await;
        let router = AddSink { id: ROUTER.to_owned(), nudge: Nobody::start() };
        two.ledger.send(router).await.unwrap().unwrap();
        two.change_outbox(vec![message("m1"), message("m2")]).await;
        let waiting = |node: &Node| rows(node.dir.path())["outbox"].len();
        one.follow().await;
        assert_eq!((waiting(&one), waiting(&two)), (2, 2));
        two.change_outbox(vec![
            OutboxChange::Superseded { id: 1 },
            OutboxChange::Superseded { id: 2 },
        ])
        .await;
        // Added and removed at once: never seen by the others.
        two.change_outbox(vec![message("m3"), OutboxChange::Superseded { id: 3 }]).await;
        one.follow().await;
        assert_eq!(waiting(&one), 0);
        let gone = "SELECT count(*) FROM statuswatch.record WHERE tab = 'outbox' AND body IS NULL";
        assert_eq!(number(&url, gone).await, 2);
        // A message that the first node adds has the next id, and so it has in a new replica.
        take_over(&look(&url).await, one.shared.fence.life().unwrap()).await;
        one.change_outbox(vec![message("m4")]).await;
        assert!(rows(one.dir.path())["outbox"][0].starts_with("4,"), "{:?}", rows(one.dir.path()));
        two.follow().await;
        assert_same(one.dir.path(), two.dir.path());
        execute(&url, "DELETE FROM statuswatch.record WHERE tab = 'outbox'").await;
        let three = one.replica().await;
        three.change_outbox(vec![message("m5")]).await;
        assert!(rows(three.dir.path())["outbox"][0].starts_with("5,"));
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn times_of_unchanged_polls_are_shipped_at_the_end_and_cost_no_commit_before() {
    run_system(async {
        let url = database();
        let (one, acme) = Node::begun(&url).await;
        let ledger = Ledger::default();
        ledger.replace(one.ledger.clone());
        let unchanged = |minute: i64| Unchanged {
            provider: "acme".to_owned(),
            generation: 1,
            at: at(minute),
            next_poll_at: at(minute + 1),
            validators: None,
            full: false,
        };
        ledger.hint(unchanged(1));
        one.ledger.send(Flush).await.unwrap().unwrap();
        let two = one.replica().await;
        let seen = |node: &Node| node.reader().providers().unwrap()[0].last_poll_at;
        assert_eq!(seen(&two), Some(at(1)), "shipped when it was flushed");
        let before = number(&url, BATCHES).await;
        for minute in 2..5 {
            ledger.hint(unchanged(minute));
            // Whatever is asked for next takes the hint along.
            one.ledger.send(statuswatch::ledger::LastRead).await.unwrap().unwrap();
        }
        assert_eq!(number(&url, BATCHES).await, before);
        // A page with something new: the time of the last unchanged poll is gone everywhere.
        one.poll(&acme, 6, &page(6, &[("a", Resolved, &["Begun.", "Over."])])).await;
        two.follow().await;
        assert_eq!((seen(&one), seen(&two)), (Some(at(6)), Some(at(6))));
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn a_provider_that_another_node_has_stays_watched() {
    run_system(async {
        let url = database();
        let (one, other) = (Node::start(&url, "one").await, Node::start(&url, "other").await);
        let (a, b) = (provider("a"), provider("b"));
        let life = one.shared.fence.life().unwrap();
        let shard = shard_of(&"https://a.example/".parse().unwrap());
        execute(&url, &format!("UPDATE statuswatch.shard SET life = {life} WHERE shard = {shard}"))
            .await;
        one.watch(from_ref(&a)).await;
        other.watch(from_ref(&b)).await;
        one.watch(from_ref(&a)).await;
        other.follow().await;
        let watched = |node: &Node| -> Vec<(String, bool)> {
            let rows = node.reader().providers().unwrap();
            rows.into_iter().map(|row| (row.id, row.watched)).collect()
        };
        let both = vec![("a".to_owned(), true), ("b".to_owned(), true)];
        assert_eq!(watched(&other), both);
        // One that its own node no longer has is not.
        other.watch(&[]).await;
        one.follow().await;
        assert_eq!(watched(&one), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(position(one.dir.path()), position(other.dir.path()));
    });
}

/// A sink that ignores what it is told.
struct Nobody;

impl actix::Actor for Nobody {
    type Context = actix::Context<Self>;
}

impl actix::Handler<statuswatch::ledger::Wake> for Nobody {
    type Result = ();

    fn handle(&mut self, _: statuswatch::ledger::Wake, _: &mut Self::Context) {}
}

impl Nobody {
    fn start() -> actix::Recipient<statuswatch::ledger::Wake> {
        actix::Actor::start(Self).recipient()
    }
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn commands_change_what_all_nodes_share_through_their_own_replica() {
    run_system(async {
        let url = database();
        let (one, acme) = Node::begun(&url).await;
        let two = one.replica().await;
        // Next to a running node, on its replica, without a life.
        let (dir, there) = (two.dir.path().to_owned(), url.clone());
        let id = tokio::task::spawn_blocking(move || {
            let mut control = Control::open(&dir, Some(&there)).unwrap();
            assert_eq!(control.provider("acme").unwrap().as_deref(), Some("acme"));
            let first = control.mute("acme", None, Some(at(600)), Some("work"), at(1)).unwrap();
            let other = control.mute("acme", Some("api"), None, None, at(2)).unwrap();
            assert_eq!(control.unmute("acme", Some("api"), at(3)).unwrap(), 1);
            assert_eq!(control.retry(None, Some("ops"), at(3)).unwrap(), 0);
            assert_eq!(other, first + 1);
            first
        });
        let id = id.await.unwrap();
        for node in [&one, &two] {
            node.follow().await;
            let mutes = node.reader().mutes(false).unwrap();
            assert_eq!(mutes.len(), 1);
            assert_eq!((mutes[0].id, mutes[0].reason.as_deref()), (id, Some("work")));
        }
        assert_same(one.dir.path(), two.dir.path());
        // The node goes on where the command was.
        one.poll(&acme, 4, &page(4, &[("a", Resolved, &["Begun.", "Over."])])).await;
        two.follow().await;
        assert_same(one.dir.path(), two.dir.path());
        // A command makes no replica.
        let empty = tempfile::tempdir().unwrap();
        let missing = Control::open(empty.path(), Some(&url)).err().unwrap();
        assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    });
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn the_command_mute_goes_where_the_configuration_says() {
    run_system(async {
        let url = database();
        let (one, _) = Node::begun(&url).await;
        let (two, _) = one.replica().await.stop().await;
        let config = two.path().join("providers.yaml");
        let text = format!(
            "state: \"{url}\"\nstate_dir: {}\nproviders:\n  - id: acme\n    url: https://acme.example/\n",
            two.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let run = |words: &[&str]| {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_statuswatch"))
                .arg("--config")
                .arg(&config)
                .args(words)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            said
        };
        run(&["mute", "acme", "--for", "2h", "--reason", "work"]);
        one.follow().await;
        let mutes = one.reader().mutes(false).unwrap();
        assert_eq!(
            mutes.iter().map(|mute| mute.reason.as_deref()).collect::<Vec<_>>(),
            [Some("work")]
        );
        assert_eq!(run(&["unmute", "acme"]), "Ended one mute of acme.\n");
        one.follow().await;
        assert!(one.reader().mutes(false).unwrap().is_empty());
        // Without the database it is not taken for a ledger of its own.
        let lost = Control::open(two.path(), None).err().unwrap();
        assert!(matches!(lost, LedgerError::Elsewhere { .. }), "{lost}");
    });
}
