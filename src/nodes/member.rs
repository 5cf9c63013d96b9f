//! The member on its thread: one life after the other, each with its renewals, looks and changes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::link::Link;
use super::plan::{Census, NodeState, Shard, plan};
use super::share::{Change, Pauses, Share};
use super::sql;
use crate::clock;
use crate::event::Time;
use crate::lease::{Lease, Moment};
use crate::postgres::{DatabaseUrl, Error as DatabaseError, Fence, Life, SHARDS};

/// From one renewal of the lease to the next.
const RENEW: Duration = Duration::from_secs(2);
/// How long a lease is good on this machine after its renewal was sent. The database counts
/// [`sql::LEASE`] from the moment it arrives: later, and longer.
const GOOD_FOR: Duration = Duration::from_millis(5400);
/// From one look at the other nodes to the next.
const LOOK: Duration = Duration::from_millis(750);
/// A connection that does not answer for so long is replaced.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait before another attempt after an error.
const AGAIN: Duration = Duration::from_millis(250);
/// After being cut off, how long a node takes nobody over: the others may have been cut off, too, and
/// all must be able to renew first.
const CALM: Duration = Duration::from_secs(6);
/// How long a name that is in use is waited for: one lease, and what it takes to see its end.
const NAME: Duration = Duration::from_millis(7500);
/// How long a change of shares may take. One that takes longer is repeated.
const CHANGE: Duration = Duration::from_secs(10);
/// From one removal of what is over for long to the next.
const TIDY: Duration = Duration::from_hours(1);
/// How long leaving may take. Whatever is not given back by then is taken over.
pub(super) const LEAVE: Duration = Duration::from_secs(2);

/// What a member needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database that the nodes share.
    pub url: DatabaseUrl,
    /// The name of this node. One at a time may have it.
    pub name: String,
    /// A digest of its configuration, so that differences show.
    pub config: String,
    /// Renewed and revoked here, checked wherever something is done.
    pub lease: Lease,
    /// Under which life the ledger writes.
    pub fence: Fence,
}

/// Why this process is no member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another process has the name.
    #[error(
        "a node named \"{name}\" is running already: give each node a name of its own with the key \"node\""
    )]
    NameInUse {
        /// The name.
        name: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// No thread.
    #[error("cannot start the thread of the node")]
    Thread(#[source] std::io::Error),
    /// The thread has ended.
    #[error("the thread of the node has ended")]
    Ended,
}

/// What is known of this node, for whoever shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its life; `None` between two of them.
    pub life: Option<Life>,
    /// How many shards it holds.
    pub shards: usize,
    /// Whether it has the duty `main`.
    pub main: bool,
    /// Since when the database does not answer.
    pub unreachable_since: Option<Time>,
}

/// What the member is asked for.
#[derive(Debug)]
pub(super) enum Command {
    Drain(oneshot::Sender<()>),
    Leave(oneshot::Sender<()>),
}

/// Why a life has ended.
enum End {
    /// Others have fenced it.
    Fenced,
    /// This process was asked to leave.
    Left,
}

/// The member on its thread.
pub(super) struct Node {
    options: Options,
    shares: mpsc::UnboundedSender<Share>,
    standing: Arc<Mutex<Standing>>,
    /// Renewals alone.
    renewing: Link,
    /// Everything else.
    link: Link,
    /// What is held and not being given back.
    held: RefCell<BTreeSet<Shard>>,
    /// What is being given back.
    giving: RefCell<BTreeSet<Shard>>,
    main: Cell<bool>,
    draining: Cell<bool>,
    /// Nobody is taken over before this moment.
    calm_until: Cell<Moment>,
    failing: Cell<bool>,
    pauses: Arc<OnceLock<Arc<dyn Pauses>>>,
    /// The digest of the configuration.
    config: Arc<Mutex<String>>,
    /// Until when each host has asked for a pause, as far as it is kept here.
    kept: RefCell<HashMap<String, Moment>>,
    /// When the database was last tidied.
    tidied: Cell<Option<Moment>>,
}

impl Node {
    pub(super) fn new(
        options: Options,
        shares: mpsc::UnboundedSender<Share>,
        standing: Arc<Mutex<Standing>>,
        pauses: Arc<OnceLock<Arc<dyn Pauses>>>,
        config: Arc<Mutex<String>>,
    ) -> Self {
        Self {
            renewing: Link::new(options.url.clone(), "lease"),
            link: Link::new(options.url.clone(), "node"),
            options,
            shares,
            standing,
            held: RefCell::default(),
            giving: RefCell::default(),
            main: Cell::new(false),
            draining: Cell::new(false),
            calm_until: Cell::new(Moment::now()),
            failing: Cell::new(false),
            pauses,
            config,
            kept: RefCell::default(),
            tidied: Cell::new(None),
        }
    }

    /// Lives one life after the other until it is asked to leave.
    pub(super) async fn live(
        self,
        begun: oneshot::Sender<Result<(), JoinError>>,
        mut orders: mpsc::UnboundedReceiver<Command>,
    ) {
        let first = async {
            self.link.prepare().await?;
            self.register(true).await
        };
        let mut life = match first.await {
            Ok(life) => life,
            Err(error) => return drop(begun.send(Err(error))),
        };
        if begun.send(Ok(())).is_err() {
            // Nobody waits for it any more.
            return self.last(&sql::leave(life)).await;
        }
        loop {
            match Box::pin(self.one_life(life, &mut orders)).await {
                End::Left => return,
                End::Fenced => {}
            }
            self.lost().await;
            let again = async {
                loop {
                    match self.register(false).await {
                        Ok(life) => return life,
                        Err(error @ JoinError::NameInUse { .. }) => {
                            tracing::error!(%error, "this node cannot join again yet");
                        }
                        Err(error) => {
                            tracing::debug!(%error, "cannot begin a new life yet");
                            sleep(AGAIN).await;
                        }
                    }
                }
            };
            life = tokio::select! {
                life = again => life,
                // Nothing is left to give back.
                _ = orders.recv() => return,
            };
            tracing::warn!(life = life, "this node begins again under a new life");
        }
    }

    /// Others have taken over: everything ends here before a new life begins.
    async fn lost(&self) {
        self.options.lease.revoke();
        self.options.fence.clear();
        tracing::error!(
            node = self.options.name,
            "other nodes have taken over: this one was stopped or cut off for longer than its lease; results in memory are void"
        );
        self.held.borrow_mut().clear();
        self.giving.borrow_mut().clear();
        self.main.set(false);
        self.show(|standing| {
            (standing.life, standing.shards, standing.main) = (None, 0, false);
        });
        // A new life must not begin while something of the former one is under way.
        while !self.change(Change::Lost).await && !self.shares.is_closed() {}
    }

    /// Has a change carried out. Returns whether it was, in time.
    async fn change(&self, change: Change) -> bool {
        let (done, answer) = oneshot::channel();
        if self.shares.send(Share { change, done }).is_err() {
            return false;
        }
        matches!(timeout(CHANGE, answer).await, Ok(Ok(true)))
    }

    fn config(&self) -> String {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Begins a life. `first`: an error ends the process, and a name in use is waited for.
    async fn register(&self, first: bool) -> Result<Life, JoinError> {
        let name = &self.options.name;
        let begun = Moment::now();
        let mut noted = false;
        loop {
            let sent = Moment::now();
            let statement = sql::register(name, &self.config());
            let answer = self.link.ask(&statement, PATIENCE).await?;
            if let Some(life) = answer.number(0) {
                self.options.fence.set(life);
                self.options.lease.renew(sent.after(GOOD_FOR));
                // The database may have come back just now.
                self.calm_until.set(Moment::now().after(CALM));
                self.show(|standing| standing.life = Some(life));
                tracing::info!(node = name, life = life, "this node has joined");
                return Ok(life);
            }
            let holder = self.link.ask(&sql::holder(name), PATIENCE).await?;
            if let [life, 1] = holder.row(0).as_slice() {
                // Left over by a process that was killed.
                self.take_over(*life).await?;
                continue;
            }
            if Moment::now().since(begun) > NAME {
                return Err(JoinError::NameInUse { name: name.clone() });
            }
            if first && !std::mem::replace(&mut noted, true) {
                tracing::warn!(
                    node = name,
                    "the name is in use: waiting for the end of the lease of whoever had it"
                );
            }
            sleep(AGAIN).await;
        }
    }

    async fn one_life(&self, me: Life, orders: &mut mpsc::UnboundedReceiver<Command>) -> End {
        let mut renewals = pin!(self.renewals(me));
        let mut looks = pin!(self.looks(me));
        loop {
            let command = tokio::select! {
                () = &mut renewals => return End::Fenced,
                // It ends with the other.
                () = &mut looks, if !self.draining.get() => return End::Fenced,
                command = orders.recv() => command,
            };
            match command {
                Some(Command::Drain(done)) => {
                    self.draining.set(true);
                    self.held.borrow_mut().clear();
                    self.show(|standing| standing.shards = 0);
                    self.last(&sql::drain(me)).await;
                    answer(done);
                }
                Some(Command::Leave(done)) => {
                    self.options.lease.revoke();
                    self.options.fence.clear();
                    self.last(&sql::leave(me)).await;
                    answer(done);
                    return End::Left;
                }
                None => return End::Left,
            }
        }
    }

    /// Sends one of the last pieces; if it does not arrive, others take over in the end.
    async fn last(&self, statement: &str) {
        if let Err(error) = self.link.ask(statement, LEAVE).await {
            tracing::warn!(%error, "cannot give back what this node holds: others wait for the end of its lease");
        }
    }

    /// Renews the lease until the life is fenced.
    async fn renewals(&self, me: Life) {
        loop {
            let sent = Moment::now();
            let statement = sql::renew(me, self.draining.get(), &self.config());
            let wait = match self.renewing.ask(&statement, PATIENCE).await {
                Ok(answer) if answer.rows(0) == 0 => return,
                Ok(_) => {
                    self.reached();
                    if self.options.lease.renew(sent.after(GOOD_FOR)) {
                        self.calm_until.set(Moment::now().after(CALM));
                        tracing::warn!("the database answers again, and nobody has taken over");
                    }
                    RENEW.saturating_sub(Moment::now().since(sent))
                }
                Err(error) => {
                    self.failed(&error);
                    AGAIN
                }
            };
            sleep(wait).await;
        }
    }

    fn failed(&self, error: &DatabaseError) {
        if !self.failing.replace(true) {
            tracing::error!(%error, "cannot renew the lease of this node");
            self.show(|standing| standing.unreachable_since = Some(clock::now()));
        }
    }

    fn reached(&self) {
        if self.failing.replace(false) {
            self.show(|standing| standing.unreachable_since = None);
        }
    }

    /// Looks at the other nodes and acts on it. Never ends by itself.
    async fn looks(&self, me: Life) {
        loop {
            // Whoever has no lease decides nothing.
            if self.options.lease.is_good()
                && let Err(error) = self.look(me).await
            {
                tracing::debug!(%error, "cannot look at the other nodes");
            }
            sleep(LOOK).await;
        }
    }

    async fn look(&self, me: Life) -> Result<(), DatabaseError> {
        let (census, mine) = self.census(me).await?;
        self.settle(&mine, census.main == Some(me)).await;
        let may_fence = Moment::now() >= self.calm_until.get();
        let plan = plan(&census, me, &self.held.borrow(), may_fence);
        for dead in plan.fence {
            self.take_over(dead).await?;
        }
        if plan.claim > 0 {
            let answer = self.link.try_ask(&sql::claim(me, plan.claim), PATIENCE).await?;
            let claimed = answer.map(|answer| shards(&answer.column(1))).unwrap_or_default();
            self.gain(claimed).await;
        }
        if plan.take_main
            && let Some(answer) = self.link.try_ask(&sql::take_main(me), PATIENCE).await?
            && answer.rows(1) == 1
        {
            self.set_main(true).await;
        }
        for shard in plan.give_back {
            self.held.borrow_mut().remove(&shard);
            self.giving.borrow_mut().insert(shard);
        }
        self.give_back(me).await?;
        self.show(|standing| standing.shards = self.held.borrow().len());
        self.share_pauses().await?;
        let due = |at: Moment| Moment::now().since(at) > TIDY;
        if self.main.get() && self.tidied.get().is_none_or(due) {
            self.tidied.set(Some(Moment::now()));
            self.link.ask(&sql::forget(), PATIENCE).await?;
        }
        Ok(())
    }

    /// Tells the others which hosts have asked for a pause, and keeps what they were asked for.
    async fn share_pauses(&self) -> Result<(), DatabaseError> {
        let Some(pauses) = self.pauses.get() else { return Ok(()) };
        let asked = pauses.asked();
        if !asked.is_empty() {
            self.link.ask(&sql::put_pauses(&asked), PATIENCE).await?;
        }
        let now = Moment::now();
        let answer = self.link.ask(&sql::pauses(), PATIENCE).await?;
        let mut kept = self.kept.borrow_mut();
        kept.retain(|_, until| *until > now);
        for row in answer.texts(0) {
            let [host, left] = row.as_slice() else { continue };
            let wait = Duration::from_millis(left.parse().unwrap_or(0));
            let until = now.after(wait);
            // The same pause is a little different at each look.
            if kept.get(host).is_none_or(|known| until.since(*known) > Duration::from_secs(1)) {
                kept.insert(host.clone(), until);
                pauses.keep(host, wait);
            }
        }
        Ok(())
    }

    async fn census(&self, me: Life) -> Result<(Census, BTreeSet<Shard>), DatabaseError> {
        let answer = self.link.ask(&sql::look(me), PATIENCE).await?;
        let state = |row: Vec<i64>| match row.as_slice() {
            [life, expired, draining, shards] => Some(NodeState {
                life: *life,
                expired: *expired == 1,
                draining: *draining == 1,
                shards: usize::try_from(*shards).unwrap_or(0),
            }),
            _ => None,
        };
        let census = Census {
            nodes: answer.all(0).into_iter().filter_map(state).collect(),
            free: answer.number(1).and_then(|free| usize::try_from(free).ok()).unwrap_or(0),
            main: answer.number(2),
        };
        Ok((census, shards(&answer.column(3)).into_iter().collect()))
    }

    /// Makes what is done here agree with what the database says: an answer may have been lost, or
    /// the end of the database's own log.
    async fn settle(&self, mine: &BTreeSet<Shard>, main: bool) {
        let lost: Vec<Shard> = self.held.borrow().difference(mine).copied().collect();
        self.giving.borrow_mut().retain(|shard| mine.contains(shard));
        if !lost.is_empty() {
            tracing::warn!(
                shards = lost.len(),
                "the database does not know that these shards are ours"
            );
            self.held.borrow_mut().retain(|shard| mine.contains(shard));
            self.change(Change::Given(lost)).await;
        }
        let known = |shard: &&Shard| {
            !self.held.borrow().contains(shard) && !self.giving.borrow().contains(shard)
        };
        let gained: Vec<Shard> = mine.iter().filter(known).copied().collect();
        self.gain(gained).await;
        if main != self.main.get() {
            self.set_main(main).await;
        }
    }

    async fn gain(&self, shards: Vec<Shard>) {
        if shards.is_empty() {
            return;
        }
        tracing::info!(shards = shards.len(), "this node takes over shards");
        self.held.borrow_mut().extend(&shards);
        self.change(Change::Gained(shards)).await;
    }

    async fn set_main(&self, main: bool) {
        tracing::info!(main, "the duty of this node to deliver to channels has changed");
        self.main.set(main);
        self.show(|standing| standing.main = main);
        self.change(Change::Main(main)).await;
    }

    /// Frees what is being given back once nothing of it is under way any more; otherwise it is
    /// tried again at the next look.
    async fn give_back(&self, me: Life) -> Result<(), DatabaseError> {
        let giving = self.giving.borrow().clone();
        if giving.is_empty() {
            return Ok(());
        }
        tracing::info!(shards = giving.len(), "this node gives shards back");
        if self.change(Change::Given(giving.iter().copied().collect())).await {
            self.link.ask(&sql::give_back(me, &giving), PATIENCE).await?;
            self.giving.borrow_mut().clear();
        }
        Ok(())
    }

    /// Takes everything from a life whose lease has ended, unless it was renewed or another node was
    /// first.
    async fn take_over(&self, dead: Life) -> Result<(), DatabaseError> {
        if self.link.try_ask(&sql::take_over(dead), PATIENCE).await?.is_some() {
            tracing::warn!(life = dead, "the lease of a node has ended: its shards are taken over");
        }
        Ok(())
    }
}

/// Answers whoever waits for it, if anybody still does.
fn answer(done: oneshot::Sender<()>) {
    if done.send(()).is_err() {
        tracing::debug!("nothing waits for this node any more");
    }
}

fn shards(numbers: &[i64]) -> Vec<Shard> {
    let known = |number: &i64| Shard::try_from(*number).ok().filter(|shard| *shard < SHARDS);
    numbers.iter().filter_map(known).collect()
}
