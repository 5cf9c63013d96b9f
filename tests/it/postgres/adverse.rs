//! Three nodes whose connections are cut at random, on a server that crashes, with a take-over in the
//! middle: each text is recorded once, in order, under numbers without a gap, and all replicas are
//! equal.

use std::collections::HashSet;
use std::sync::Arc;

use statuswatch::config::Provider;
use statuswatch::event::IncidentStatus;
use statuswatch::postgres::{DatabaseUrl, shard_of};

use super::node::{Node, assert_same, page, provider, run_system};
use super::proxy::{Next, Proxy};
use crate::support::postgres::{Postgres, begin_life, look};

const ROUNDS: usize = 36;

/// Gives the shards of these providers to a life, in the order in which nodes do that: the former
/// life is fenced first.
async fn give(url: &DatabaseUrl, providers: &[Arc<Provider>], from: Option<i64>, to: i64) {
    let mut client = look(url).await;
    let transaction = client.transaction().await.unwrap();
    if let Some(dead) = from {
        let fence = format!(
            "SELECT 1 FROM statuswatch.node WHERE life = {dead} FOR UPDATE;
             UPDATE statuswatch.node SET fenced = true WHERE life = {dead}"
        );
        transaction.batch_execute(&fence).await.unwrap();
    }
    for provider in providers {
        let shard = shard_of(&provider.url);
        let sql = format!("UPDATE statuswatch.shard SET life = {to} WHERE shard = {shard}");
        transaction.batch_execute(&sql).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn nothing_is_lost_repeated_or_out_of_order() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    run_system(async {
        let server = Postgres::start(None);
        let direct = server.database();
        let providers: Vec<_> = (0..9).map(|n| provider(&format!("p{n}"))).collect();
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for (place, own) in providers.chunks(3).enumerate() {
            let proxy = Proxy::start(server.port);
            let shared = begin_life(&proxy.url(&direct), &format!("n{place}")).await;
            nodes.push((Node::open(tempfile::tempdir().unwrap(), shared).await, own.to_vec()));
            proxies.push(proxy);
        }
        for (node, own) in &nodes {
            give(&direct, own, None, node.shared.fence.life().unwrap()).await;
        }
        for (node, own) in &nodes {
            node.watch(own).await;
        }
        let texts: Vec<String> = (0..ROUNDS).map(|n| format!("Text {n}.")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for round in 0..ROUNDS {
            for proxy in &proxies {
                proxy.set(match random.u8(..10) {
                    0..2 => Next::CutAfter,
                    2..4 => Next::CutBefore,
                    _ => Next::Pass,
                });
            }
            let page =
                page(round as i64, &[("a", IncidentStatus::Investigating, &texts[..=round])]);
            if round == ROUNDS / 2 {
                // The last node is cut off in the middle of a round: the first one takes over.
                let (node, own) = nodes.pop().unwrap();
                let (first, all) = &mut nodes[0];
                let life = |node: &Node| node.shared.fence.life().unwrap();
                let late = own.iter().map(|provider| node.try_poll(provider, round as i64, &page));
                let (late, ()) = futures::join!(
                    futures::future::join_all(late),
                    give(&direct, &own, Some(life(&node)), life(first))
                );
                drop(late);
                all.extend(own.clone());
                first.watch(all).await;
                // What it still has is void.
                for provider in &own {
                    assert!(node.try_poll(provider, round as i64, &page).await.is_err());
                }
                proxies.pop().unwrap().set(Next::Pass);
                drop(node.stop().await);
            }
            let polls = nodes.iter().flat_map(|(node, own)| {
                own.iter().map(|provider| node.poll(provider, round as i64, &page))
            });
            futures::future::join_all(polls).await;
            if round % 12 == 11 {
                server.crash();
                assert!(server.resume());
            }
        }
        for proxy in &proxies {
            proxy.set(Next::Pass);
        }
        let fresh = begin_life(&direct, "fresh").await;
        let fresh = Node::open(tempfile::tempdir().unwrap(), fresh).await;
        for (node, _) in &nodes {
            node.follow().await;
            assert_same(node.dir.path(), fresh.dir.path());
        }
        let events = fresh.events();
        let ids: HashSet<_> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids.len(), events.len(), "each once");
        for provider in &providers {
            let own = events.iter().filter(|event| event.provider == provider.id);
            let told: Vec<_> = own.filter_map(|event| event.message.as_deref()).collect();
            assert_eq!(told, texts, "{}", provider.id);
        }
        assert_eq!(events.len(), providers.len() * ROUNDS);
    });
}
