//! The messages that the supervisor handles.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, Handler, Message, ResponseActFuture, WrapFuture};

use super::actor::Supervisor;
use super::children::{ChildId, Exited};
use super::reload;
use crate::config::Provider;
use crate::dispatch::Setup;
use crate::ledger::{self, Flush};
use crate::poller::{PollNow, Sabotage};
use crate::sink::actor::{Crash, Drain, Reopen};

/// Starts, stops and replaces pollers so that exactly these providers are polled, and delivers to
/// exactly these channels.
#[derive(Debug, Message)]
#[rtype(result = "Result<reload::Changes, ledger::LedgerError>")]
pub struct Reload {
    /// The providers.
    pub providers: Vec<Arc<Provider>>,
    /// What is delivered where.
    pub setup: Arc<Setup>,
}

/// Makes all sinks check their files immediately.
impl Handler<Reopen> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Reopen, _: &mut Self::Context) {
        for running in self.sinks.values().filter_map(|sink| sink.running.as_ref()) {
            if running.address.try_send(message).is_err() {
                tracing::debug!("sink is too busy to check its files");
            }
        }
    }
}

/// Shuts everything down in order.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Ending")]
pub struct Shutdown {
    /// How long the shutdown may take.
    pub within: Duration,
}

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub struct Ending {
    /// Whether every sink has delivered all events.
    pub delivered: bool,
    /// Whether the ledger has written everything.
    pub written: bool,
}

/// Faults that the `chaos` command and tests inject.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum InjectedFault {
    /// A fault in a poller.
    Poller(String, Sabotage),
    /// A panic in a sink.
    Sink(String),
    /// A panic in the dispatcher.
    Dispatcher,
    /// A panic in the ledger actor.
    Ledger,
}

/// Makes the poller of a provider poll as soon as politeness allows it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct PollSoon(pub String);

impl Handler<PollSoon> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: PollSoon, _: &mut Self::Context) {
        let running = self.pollers.get(&message.0).and_then(|child| child.running.as_ref());
        if running.is_none_or(|running| running.address.try_send(PollNow).is_err()) {
            tracing::debug!(provider = message.0, "no poller to poll now");
        }
    }
}

impl Handler<Exited> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Exited, context: &mut Self::Context) {
        if self.stopping {
            return;
        }
        match message.who {
            ChildId::Poller(id) => self.poller_ended(id, message.generation, message.why, context),
            ChildId::Sink(id) => self.sink_ended(id, message.generation, &message.why, context),
            ChildId::Dispatcher => {
                self.dispatcher_ended(message.generation, &message.why, context);
            }
            ChildId::Ledger => self.ledger_ended(&message.why, context),
        }
    }
}

impl Handler<Reload> for Supervisor {
    type Result = ResponseActFuture<Self, Result<reload::Changes, ledger::LedgerError>>;

    fn handle(&mut self, message: Reload, _: &mut Self::Context) -> Self::Result {
        self.options.providers = message.providers;
        self.options.setup = message.setup;
        self.warn_of_overload();
        Box::pin(self.repoll().map(|changes, supervisor, context| {
            if changes.is_ok() {
                supervisor.deliver(context);
            }
            changes
        }))
    }
}

impl Handler<InjectedFault> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: InjectedFault, _: &mut Self::Context) {
        let broken = match &message {
            InjectedFault::Poller(id, sabotage) => {
                let running = self.pollers.get(id).and_then(|child| child.running.as_ref());
                running.is_some_and(|running| running.address.try_send(*sabotage).is_ok())
            }
            InjectedFault::Sink(id) => {
                let running = self.sinks.get(id).and_then(|sink| sink.running.as_ref());
                running.is_some_and(|running| running.address.try_send(Crash).is_ok())
            }
            InjectedFault::Dispatcher => {
                self.dispatcher().is_some_and(|dispatcher| dispatcher.try_send(Crash).is_ok())
            }
            InjectedFault::Ledger => {
                self.ledger.address().is_some_and(|ledger| ledger.try_send(ledger::Crash).is_ok())
            }
        };
        tracing::info!(?message, broken, "sabotage");
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseActFuture<Self, Ending>;

    fn handle(&mut self, message: Shutdown, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        let pollers = self.end_all_pollers();
        let membership = self.options.membership.clone();
        let sinks: Vec<_> = self
            .sinks
            .values()
            .filter_map(|sink| sink.running.as_ref())
            .map(|sink| sink.address.clone())
            .collect();
        let dispatcher = self.dispatcher().cloned();
        let all_run =
            sinks.len() == self.sinks.len() && dispatcher.is_some() == self.dispatcher.is_some();
        let ledger = self.ledger.clone();
        Box::pin(
            async move {
                let drained = async {
                    if membership.is_some() {
                        // What a poller found after its shard was given back would be void.
                        pollers.ended().await;
                    }
                    let written = ledger.ask(Flush).await.is_ok();
                    if let Some(membership) = &membership {
                        // Others may poll while the rest is delivered.
                        membership.drain().await;
                    }
                    let drained =
                        futures::future::join_all(sinks.iter().map(|sink| sink.send(Drain)));
                    let channels = async {
                        match &dispatcher {
                            Some(dispatcher) => dispatcher.send(Drain).await.unwrap_or(false),
                            None => true,
                        }
                    };
                    let (drained, channels) = futures::future::join(drained, channels).await;
                    let delivered = all_run
                        && channels
                        && drained.into_iter().all(|answer| answer.unwrap_or(false));
                    // Flush again to store how far the sinks have come.
                    let written = written && ledger.ask(Flush).await.is_ok();
                    Ending { delivered, written }
                };
                tokio::time::timeout(message.within, drained)
                    .await
                    .unwrap_or(Ending { delivered: false, written: false })
            }
            .into_actor(self),
        )
    }
}
