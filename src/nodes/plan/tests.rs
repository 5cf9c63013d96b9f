use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Rounds in which every live node looks and acts once, after which all is settled.
const ROUNDS: usize = 5;

/// The database's tables, which refuse what no longer holds as the real ones do.
#[derive(Debug, Default)]
struct Tables {
    nodes: BTreeMap<Life, Row>,
    free: BTreeSet<Shard>,
    main: Option<Life>,
    lives: i64,
}

#[derive(Debug, Default)]
struct Row {
    held: BTreeSet<Shard>,
    expired: bool,
    draining: bool,
    /// It does nothing any more; others cannot see this.
    dead: bool,
}

impl Tables {
    fn new() -> Self {
        Self { free: (0..SHARDS).collect(), ..Self::default() }
    }

    fn join(&mut self) {
        self.lives += 1;
        self.nodes.insert(self.lives, Row::default());
    }

    fn nth(&self, n: usize) -> Option<Life> {
        self.nodes.keys().nth(n.checked_rem(self.nodes.len())?).copied()
    }

    fn census(&self) -> Census {
        let state = |(life, row): (&Life, &Row)| NodeState {
            life: *life,
            expired: row.expired,
            draining: row.draining,
            shards: row.held.len(),
        };
        let nodes = self.nodes.iter().map(state).collect();
        Census { nodes, free: self.free.len(), main: self.main }
    }

    /// A life acts on what it has seen.
    fn act(&mut self, me: Life, seen: &Census, may_fence: bool) -> Plan {
        let Some(row) = self.nodes.get(&me).filter(|row| !row.dead) else {
            return Plan::default();
        };
        let plan = plan(seen, me, &row.held, may_fence);
        for life in &plan.fence {
            if self.nodes.get(life).is_some_and(|row| row.expired) {
                self.free.extend(self.nodes.remove(life).unwrap().held);
                self.main = self.main.filter(|main| main != life);
            }
        }
        let claimed: Vec<Shard> = self.free.iter().take(plan.claim).copied().collect();
        let row = self.nodes.get_mut(&me).unwrap();
        for shard in claimed {
            self.free.remove(&shard);
            row.held.insert(shard);
        }
        for shard in &plan.give_back {
            assert!(row.held.remove(shard), "only what it holds");
            self.free.insert(*shard);
        }
        if plan.take_main {
            self.main = self.main.or(Some(me));
        }
        if row.draining && row.held.is_empty() {
            self.nodes.remove(&me);
            self.main = self.main.filter(|main| *main != me);
        }
        plan
    }

    /// Every node looks and acts once, in order. Returns whether anything was done.
    fn round(&mut self) -> bool {
        let lives: Vec<Life> = self.nodes.keys().copied().collect();
        let mut any = false;
        for life in lives {
            let seen = self.census();
            any |= self.act(life, &seen, true) != Plan::default();
        }
        any
    }

    fn check(&self) {
        let mut all: Vec<Shard> = self.free.iter().copied().collect();
        all.extend(self.nodes.values().flat_map(|row| row.held.iter().copied()));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..SHARDS), "each shard is in one place");
        assert!(self.main.is_none_or(|main| self.nodes.contains_key(&main)));
    }

    fn settled(&self) {
        self.check();
        let count = self.nodes.len();
        let shards = usize::from(SHARDS);
        let (least, most) = (shards / count, shards.div_ceil(count));
        assert!(self.free.is_empty(), "{} shards are nobody's", self.free.len());
        assert!(self.main.is_some(), "nobody has the duty");
        for (life, row) in &self.nodes {
            assert!(!row.dead && !row.draining, "{life:?} is gone");
            assert!((least..=most).contains(&row.held.len()), "{life:?}: {}", row.held.len());
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join,
    Kill(usize),
    Stop(usize),
    /// Its lease ends although it lives: it is frozen, or cut off.
    Expire(usize),
    Renew(usize),
    /// It looks, and acts on it later.
    Look(usize),
    Act(usize, bool),
    Round,
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..40usize;
    prop_oneof![
        3 => Just(Step::Join),
        1 => node.clone().prop_map(Step::Kill),
        1 => node.clone().prop_map(Step::Stop),
        2 => node.clone().prop_map(Step::Expire),
        2 => node.clone().prop_map(Step::Renew),
        4 => node.clone().prop_map(Step::Look),
        4 => (node, any::<bool>()).prop_map(|(node, may_fence)| Step::Act(node, may_fence)),
        1 => Just(Step::Round),
    ]
}

proptest! {
    #[test]
    fn every_shard_ends_with_one_live_node(
        nodes in 0..40usize,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut tables = Tables::new();
        (0..nodes).for_each(|_| tables.join());
        let mut seen: BTreeMap<Life, Census> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Join => tables.join(),
                Step::Round => { tables.round(); }
                Step::Kill(n) | Step::Stop(n) | Step::Expire(n) | Step::Renew(n) | Step::Look(n) | Step::Act(n, _) => {
                    let Some(life) = tables.nth(n) else { continue };
                    let census = tables.census();
                    let row = tables.nodes.get_mut(&life).unwrap();
                    match step {
                        Step::Kill(_) => (row.dead, row.expired) = (true, true),
                        Step::Stop(_) => row.draining = !row.dead,
                        Step::Expire(_) => row.expired = true,
                        Step::Renew(_) => row.expired = row.dead,
                        Step::Look(_) => { seen.insert(life, census); }
                        Step::Act(_, may_fence) => {
                            let census = seen.get(&life).cloned().unwrap_or(census);
                            tables.act(life, &census, may_fence);
                        }
                        Step::Join | Step::Round => {}
                    }
                }
            }
            tables.check();
        }
        // Leases that were only late are renewed, and those of the dead are not.
        for row in tables.nodes.values_mut() {
            row.expired = row.dead;
        }
        if tables.nodes.values().all(|row| row.dead || row.draining) {
            tables.join();
        }
        for _ in 0..ROUNDS {
            tables.round();
            tables.check();
        }
        tables.settled();
        prop_assert!(!tables.round(), "and nothing moves any more");
    }
}

fn live(shards: &[usize]) -> Census {
    let node = |(n, &shards): (usize, &usize)| NodeState {
        life: n as i64,
        expired: false,
        draining: false,
        shards,
    };
    let taken: usize = shards.iter().sum();
    Census {
        nodes: shards.iter().enumerate().map(node).collect(),
        free: usize::from(SHARDS) - taken,
        main: Some(0),
    }
}

fn first(count: u16) -> BTreeSet<Shard> {
    (0..count).collect()
}

#[test]
fn the_first_node_takes_all() {
    let census = Census { main: None, ..live(&[0]) };
    let all = plan(&census, 0, &BTreeSet::new(), true);
    assert_eq!((all.claim, all.take_main), (1024, true));
}

#[test]
fn one_that_joins_gets_its_share_from_the_others() {
    let two = live(&[512, 512, 0]);
    assert_eq!(plan(&two, 0, &first(512), true).give_back.len(), 171);
    assert_eq!(plan(&two, 2, &BTreeSet::new(), true).claim, 0, "nothing is free yet");
    assert_eq!(plan(&live(&[341, 341, 0]), 2, &BTreeSet::new(), true).claim, 342);
    let settled = live(&[341, 341, 342]);
    assert_eq!(plan(&settled, 0, &first(341), true), Plan::default());
}

#[test]
fn one_that_was_cut_off_fences_nobody() {
    let mut census = live(&[512, 512]);
    census.nodes[1].expired = true;
    assert_eq!(plan(&census, 0, &first(512), true).fence, [1]);
    assert!(plan(&census, 0, &first(512), false).fence.is_empty());
}

#[test]
fn one_whose_lease_has_ended_only_waits() {
    let mut census = live(&[512, 512]);
    census.nodes[0].expired = true;
    census.nodes[1].expired = true;
    assert_eq!(plan(&census, 0, &first(512), true), Plan::default());
    assert_eq!(plan(&census, 7, &first(512), true), Plan::default(), "or is not there");
}
