//! The supervisor's part in what several nodes share: pollers run for the shards held here alone, the
//! dispatcher with the duty `main` alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::time::{Instant, sleep};

use super::actor::{Supervisor, TICK};
use super::children::Held;
use super::reload::{self, Changes};
use crate::config::Provider;
use crate::dispatch::actor::Dispatcher;
use crate::ledger::{ForgetRouting, LedgerError, Loaded, Release, Void};
use crate::nodes::plan::Shard;
use crate::nodes::shard_of;
use crate::nodes::share::{Change, Share};
use crate::poller::Poller;

/// How long actors that were ended may take to stop. Each is at most in the middle of a short step.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// How often to check whether they have.
const STOPPED_EVERY: Duration = Duration::from_millis(5);

/// A change of what this process does.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reshare(pub Share);

/// Actors that were told to end.
#[derive(Default)]
pub(super) struct Ending {
    pollers: Vec<Addr<Poller>>,
    dispatcher: Option<Addr<Dispatcher>>,
}

impl Ending {
    /// Waits for their end. Returns whether all have ended.
    pub(super) async fn ended(self) -> bool {
        let begun = Instant::now();
        let any = || {
            self.pollers.iter().any(Addr::connected)
                || self.dispatcher.as_ref().is_some_and(Addr::connected)
        };
        while any() {
            if begun.elapsed() > STOPPED_WITHIN {
                return false;
            }
            sleep(STOPPED_EVERY).await;
        }
        true
    }
}

impl Supervisor {
    /// Returns the configured providers that are polled here.
    pub(super) fn wanted(&self) -> Vec<Arc<Provider>> {
        let is_held = |provider: &&Arc<Provider>| match &self.held {
            None => true,
            Some(held) => held.shards.contains(&shard_of(&provider.url)),
        };
        self.options.providers.iter().filter(is_held).cloned().collect()
    }

    /// Returns whether channels are served here.
    pub(super) fn serves_channels(&self) -> bool {
        self.held.as_ref().is_none_or(|held| held.main)
    }

    /// Declares what is polled here to the ledger, then starts, stops and replaces pollers.
    pub(super) fn repoll(
        &self,
    ) -> impl actix::ActorFuture<Self, Output = Result<Changes, LedgerError>> + use<> {
        let providers = self.wanted();
        self.watch(Vec::new()).into_actor(self).map(move |answer, supervisor, context| {
            let ids = providers.iter().map(|provider| provider.id.clone());
            let loaded: HashMap<String, Loaded> = ids.zip(answer?).collect();
            // What was given back in the meantime is not started any more.
            let still: HashSet<String> =
                supervisor.wanted().iter().map(|provider| provider.id.clone()).collect();
            let mut providers = providers;
            providers.retain(|provider| still.contains(&provider.id));
            let running: Vec<_> =
                supervisor.pollers.values().map(|child| Arc::clone(&child.provider)).collect();
            let changes = reload::changes(&running, &providers);
            supervisor.apply(&changes, &loaded, context);
            Ok(changes)
        })
    }

    /// Starts the pollers of shards that were gained.
    fn gain(&mut self, shards: Vec<Shard>, context: &mut Context<Self>) {
        if let Some(held) = &mut self.held {
            held.shards.extend(shards);
        }
        self.start_gained(context);
    }

    fn start_gained(&mut self, context: &mut Context<Self>) {
        context.spawn(self.repoll().map(|answer, _, context: &mut Context<Self>| match answer {
            Ok(changes) => {
                tracing::debug!(started = changes.start.len(), "polling what was gained");
            }
            Err(error) => {
                tracing::debug!(%error, "cannot begin with what was gained yet");
                context.run_later(TICK, Self::start_gained);
            }
        }));
    }

    /// Ends all pollers.
    pub(super) fn end_all_pollers(&mut self) -> Ending {
        let ids: Vec<String> = self.pollers.keys().cloned().collect();
        self.end_pollers(&ids)
    }

    /// Ends the pollers of these providers.
    fn end_pollers(&mut self, ids: &[String]) -> Ending {
        let running = ids.iter().filter_map(|id| self.pollers.remove(id)?.running);
        let pollers = running.map(|running| {
            running.abort.abort();
            running.address
        });
        Ending { pollers: pollers.collect(), dispatcher: None }
    }

    fn end_dispatcher(&mut self) -> Option<Addr<Dispatcher>> {
        let running = self.dispatcher.take()?.running?;
        running.abort.abort();
        Some(running.address)
    }

    fn give(&mut self, shards: &[Shard], done: Done, context: &mut Context<Self>) {
        if let Some(held) = &mut self.held {
            held.shards.retain(|shard| !shards.contains(shard));
        }
        let is_given = |provider: &&Arc<Provider>| shards.contains(&shard_of(&provider.url));
        let providers = self.pollers.values().map(|child| &child.provider);
        let ids: Vec<String> =
            providers.filter(is_given).map(|provider| provider.id.clone()).collect();
        let ending = self.end_pollers(&ids);
        let ledger = self.ledger.clone();
        context.spawn(
            async move {
                let written = ending.ended().await
                    && (ids.is_empty() || ledger.ask(Release { providers: ids }).await.is_ok());
                done.answer(written);
            }
            .into_actor(self),
        );
    }

    /// Others have taken over everything.
    fn lose(&mut self, done: Done, context: &mut Context<Self>) {
        self.held = Some(Held::default());
        let ending = Ending { dispatcher: self.end_dispatcher(), ..self.end_all_pollers() };
        let ledger = self.ledger.clone();
        context.spawn(
            async move {
                let ended = ending.ended().await;
                // One that is being restarted has lost its results already.
                let void = matches!(ledger.ask(Void).await, Ok(()) | Err(LedgerError::Away));
                done.answer(ended && void);
            }
            .into_actor(self),
        );
    }

    fn set_main(&mut self, main: bool, done: Done, context: &mut Context<Self>) {
        if let Some(held) = &mut self.held {
            held.main = main;
        }
        if main {
            if self.options.setup.channels.is_empty() {
                // Channels that are configured later are sent what happens from then on.
                self.ledger.notify(ForgetRouting);
            }
            self.deliver(context);
            return done.answer(true);
        }
        let ending = Ending { dispatcher: self.end_dispatcher(), ..Ending::default() };
        context.spawn(async move { done.answer(ending.ended().await) }.into_actor(self));
    }
}

/// Answers whether a change was carried out.
struct Done(tokio::sync::oneshot::Sender<bool>);

impl Done {
    fn answer(self, done: bool) {
        if self.0.send(done).is_err() {
            tracing::debug!("nothing waits for a change of shares any more");
        }
    }
}

impl Handler<Reshare> for Supervisor {
    type Result = ();

    fn handle(&mut self, Reshare(share): Reshare, context: &mut Self::Context) {
        let done = Done(share.done);
        if self.stopping && share.change != Change::Lost {
            return done.answer(false);
        }
        match share.change {
            Change::Gained(shards) => {
                self.gain(shards, context);
                done.answer(true);
            }
            Change::Given(shards) => self.give(&shards, done, context),
            Change::Main(main) => self.set_main(main, done, context),
            Change::Lost => self.lose(done, context),
        }
    }
}
