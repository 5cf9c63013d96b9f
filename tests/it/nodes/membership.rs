//! Members alone, without a ledger: who holds what, whatever happens to them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use statuswatch::lease::Lease;
use statuswatch::nodes::membership::{JoinError, Membership, Options};
use statuswatch::nodes::share::{Change, Share};
use statuswatch::postgres::{DatabaseUrl, Fence};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::postgres::{Postgres, database};

/// The longest that shares may take to settle: a lease, a look, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A member whose pollers are a set of numbers.
struct Member {
    membership: Membership,
    shares: UnboundedReceiver<Share>,
    lease: Lease,
    fence: Fence,
    polled: BTreeSet<u16>,
    main: bool,
    /// How often others have taken over.
    lost: usize,
}

impl Member {
    async fn join(url: &DatabaseUrl, name: &str) -> Result<Self, JoinError> {
        let (lease, fence) = (Lease::none(), Fence::default());
        let options = Options {
            url: url.clone(),
            name: name.to_owned(),
            config: "the same".to_owned(),
            lease: lease.clone(),
            fence: fence.clone(),
        };
        let (membership, shares) = Membership::join(options).await?;
        let (polled, main, lost) = (BTreeSet::new(), false, 0);
        Ok(Self { membership, shares, lease, fence, polled, main, lost })
    }

    /// Carries out what has been asked for so far.
    fn obey(&mut self) {
        while let Ok(Share { change, done }) = self.shares.try_recv() {
            match change {
                Change::Gained(shards) => self.polled.extend(shards),
                Change::Given(shards) => shards.iter().for_each(|shard| {
                    self.polled.remove(shard);
                }),
                Change::Main(main) => self.main = main,
                Change::Lost => {
                    self.polled.clear();
                    (self.main, self.lost) = (false, self.lost + 1);
                    assert!(!self.lease.is_good() && self.fence.life().is_none());
                }
            }
            done.send(true).ok();
        }
    }
}

/// Lets all members act until `so` is true. At no moment is a shard polled by two.
async fn until(members: &mut [&mut Member], what: &str, so: impl Fn(&[&mut Member]) -> bool) {
    let begun = Instant::now();
    loop {
        for member in members.iter_mut() {
            member.obey();
        }
        let mut all = BTreeSet::new();
        for member in members.iter().filter(|member| member.lease.is_good()) {
            for shard in &member.polled {
                assert!(all.insert(*shard), "shard {shard} is polled by two: {what}");
            }
        }
        assert!(members.iter().filter(|member| member.main).count() <= 1, "{what}");
        if so(members) {
            return;
        }
        let counts: Vec<usize> = members.iter().map(|member| member.polled.len()).collect();
        assert!(begun.elapsed() < PATIENCE, "{what}: never, but {counts:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn held(members: &[&mut Member]) -> Vec<usize> {
    members.iter().map(|member| member.polled.len()).collect()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
async fn postgres_nodes_share_all_shards_and_hand_them_over() {
    let url = database();
    let mut a = Member::join(&url, "a").await.unwrap();
    until(&mut [&mut a], "alone", |all| held(all) == [1024] && all[0].main).await;
    let mut b = Member::join(&url, "b").await.unwrap();
    until(&mut [&mut a, &mut b], "two", |all| held(all) == [512, 512]).await;
    let mut c = Member::join(&url, "c").await.unwrap();
    until(&mut [&mut a, &mut b, &mut c], "three", |all| {
        held(all).iter().sum::<usize>() == 1024 && held(all).iter().all(|n| *n >= 341)
    })
    .await;
    assert!(a.main && !b.main && !c.main, "a duty stays where it is");

    // In order: the others need not wait for the end of a lease.
    let begun = Instant::now();
    a.membership.drain().await;
    a.membership.leave().await;
    assert!(!a.lease.is_good());
    until(&mut [&mut b, &mut c], "one has left", |all| {
        held(all) == [512, 512] && all.iter().any(|member| member.main)
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // Like a process that was killed: nothing renews its lease any more.
    let begun = Instant::now();
    drop(b);
    until(&mut [&mut c], "one was killed", |all| held(all) == [1024] && all[0].main).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(c.lost, 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
async fn postgres_a_name_is_for_one_node_at_a_time() {
    let url = database();
    let first = Member::join(&url, "a").await.unwrap();
    let begun = Instant::now();
    let Err(refused) = Member::join(&url, "a").await else { panic!("two nodes have one name") };
    assert!(matches!(refused, JoinError::NameInUse { .. }), "{refused}");
    assert!(begun.elapsed() > Duration::from_secs(6), "it waited for the lease of the other");
    insta::assert_snapshot!(refused, @r#"a node named "a" is running already: give each node a name of its own with the key "node""#);
    // One that was killed holds its name for the rest of its lease alone.
    drop(first);
    Member::join(&url, "a").await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
async fn postgres_nobody_takes_over_because_the_database_was_away() {
    let server = Postgres::start(None);
    let url = server.database();
    let (mut a, mut b) =
        (Member::join(&url, "a").await.unwrap(), Member::join(&url, "b").await.unwrap());
    until(&mut [&mut a, &mut b], "two", |all| held(all) == [512, 512]).await;
    let (life, other) = (a.fence.life(), b.fence.life());
    server.crash();
    until(&mut [&mut a, &mut b], "no lease", |all| all.iter().all(|one| !one.lease.is_good()))
        .await;
    assert!(a.membership.standing().unreachable_since.is_some());
    assert!(server.resume());
    until(&mut [&mut a, &mut b], "back", |all| all.iter().all(|one| one.lease.is_good())).await;
    // Long enough for a take-over, had anybody thought of one.
    let begun = Instant::now();
    until(&mut [&mut a, &mut b], "calm", |_| begun.elapsed() > Duration::from_secs(3)).await;
    assert_eq!((a.fence.life(), b.fence.life()), (life, other));
    assert_eq!((a.lost, b.lost, a.polled.len(), b.polled.len()), (0, 0, 512, 512));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
async fn postgres_one_that_was_fenced_begins_a_new_life() {
    let url = database();
    let (mut a, mut b) =
        (Member::join(&url, "a").await.unwrap(), Member::join(&url, "b").await.unwrap());
    until(&mut [&mut a, &mut b], "two", |all| held(all) == [512, 512]).await;
    let former = a.fence.life().unwrap();
    // What another node does with one that was frozen for longer than its lease.
    let database = crate::support::postgres::look(&url).await;
    database
        .batch_execute(&format!(
            "UPDATE statuswatch.node SET fenced = true WHERE life = {former};
             UPDATE statuswatch.shard SET life = NULL WHERE life = {former};
             UPDATE statuswatch.duty SET life = NULL WHERE life = {former};"
        ))
        .await
        .unwrap();
    until(&mut [&mut a, &mut b], "taken over", |all| all[0].lost == 1).await;
    until(&mut [&mut a, &mut b], "shared again", |all| held(all) == [512, 512]).await;
    assert!(a.fence.life().unwrap() > former && a.lease.is_good());
}
