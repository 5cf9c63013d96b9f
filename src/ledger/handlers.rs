//! Message handlers of the ledger's actor.

use std::time::Instant;

use actix::{Handler, ResponseFuture};
use tokio::sync::oneshot;

use super::LedgerError;
use super::actor::LedgerActor;
use super::job::Job;
use super::messages::{
    AddSink, Attach, Crash, Delivered, Failed, Flush, ForgetRouting, Hints, LastRead, Loaded,
    Record, Recorded, Release, Restarted, Resume, SinkHealth, Void, Watch,
};
use super::outbox::ChangeOutbox;
use super::watched::Watched;
use crate::clock;
use crate::ledger::delivery::Cursor;

impl Handler<Watch> for LedgerActor {
    type Result = Result<Vec<Loaded>, LedgerError>;

    fn handle(&mut self, message: Watch, _: &mut Self::Context) -> Self::Result {
        self.flush();
        // At startup the caller ends the process on an error. A reload continues, but not after a
        // failed sync.
        self.watch(&message).inspect_err(|error| {
            if !error.may_pass() {
                self.report_error(error);
            }
        })
    }
}

impl Handler<Resume> for LedgerActor {
    type Result = Result<Loaded, LedgerError>;

    fn handle(&mut self, message: Resume, _: &mut Self::Context) -> Self::Result {
        self.admit(&message.provider.id, message.generation)?;
        self.flush();
        self.store.load(&message.provider)
    }
}

impl Handler<Release> for LedgerActor {
    type Result = Result<(), LedgerError>;

    fn handle(&mut self, message: Release, _: &mut Self::Context) -> Self::Result {
        self.flush();
        if let Err(error) = self.store.hand_over() {
            // Whoever takes over polls at once, and not when it is due.
            tracing::debug!(%error, "cannot ship the times of the last polls");
        }
        for provider in &message.providers {
            self.watched.remove(provider);
            self.touched.remove(provider);
        }
        if self.failing {
            let reason = "what was found last could not be written".to_owned();
            return Err(LedgerError::Busy { reason });
        }
        Ok(())
    }
}

impl Handler<Void> for LedgerActor {
    type Result = Result<(), LedgerError>;

    fn handle(&mut self, _: Void, _: &mut Self::Context) -> Self::Result {
        self.take_hints();
        self.watched.clear();
        self.touched.clear();
        for job in std::mem::take(&mut self.jobs) {
            job.refuse("another node has taken over");
        }
        Ok(())
    }
}

impl Handler<ForgetRouting> for LedgerActor {
    type Result = ();

    fn handle(&mut self, _: ForgetRouting, _: &mut Self::Context) {
        if let Err(error) = self.forget_routing() {
            self.report_error(&error);
        }
    }
}

impl Handler<Record> for LedgerActor {
    type Result = ResponseFuture<Result<Recorded, LedgerError>>;

    fn handle(&mut self, message: Record, context: &mut Self::Context) -> Self::Result {
        if let Err(refused) = self.admit(&message.provider.id, message.generation) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Record(Box::new(message), sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<Failed> for LedgerActor {
    type Result = ResponseFuture<Result<(), LedgerError>>;

    fn handle(&mut self, message: Failed, context: &mut Self::Context) -> Self::Result {
        if let Err(refused) = self.admit(&message.provider.id, message.generation) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        self.take_hints();
        let (sender, receiver) = oneshot::channel();
        self.touched.remove(&message.provider.id);
        self.enqueue(Job::Failed(Box::new(message), sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<Hints> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: Hints, _: &mut Self::Context) {
        self.hints = message;
    }
}

impl Handler<Attach> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Attach(network): Attach, _: &mut Self::Context) {
        match self.store.network() {
            Ok(own) => network.restore(own.offline_since.is_some()),
            // The next transaction reports whatever is wrong with the database.
            Err(error) => tracing::debug!(%error, "cannot read the network state"),
        }
        self.network = network;
    }
}

impl Handler<LastRead> for LedgerActor {
    type Result = Result<Option<Instant>, LedgerError>;

    fn handle(&mut self, _: LastRead, _: &mut Self::Context) -> Self::Result {
        self.take_hints();
        let fresh = |watched: &Watched| {
            watched.read.filter(|read| read.elapsed() < watched.provider.settings.stale_after)
        };
        Ok(self.watched.values().filter_map(fresh).max())
    }
}

impl Handler<Restarted> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: Restarted, context: &mut Self::Context) {
        self.enqueue(Job::Restarted(message), context);
    }
}

impl Handler<AddSink> for LedgerActor {
    type Result = Result<Cursor, LedgerError>;

    fn handle(&mut self, message: AddSink, _: &mut Self::Context) -> Self::Result {
        // This is a separate transaction: after a failed sync the process ends here, too, instead
        // of syncing again.
        let added = self.store.add_sink(&message.id, clock::now());
        let cursor = added.inspect_err(|error| self.report_error(error))?;
        self.sinks.insert(message.id, message.nudge);
        Ok(cursor)
    }
}

impl Handler<Delivered> for LedgerActor {
    type Result = ResponseFuture<Result<(), LedgerError>>;

    fn handle(&mut self, message: Delivered, context: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Delivered(message, sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<ChangeOutbox> for LedgerActor {
    type Result = ResponseFuture<Result<(), LedgerError>>;

    fn handle(&mut self, message: ChangeOutbox, context: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Outbox(message.0, sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<SinkHealth> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: SinkHealth, context: &mut Self::Context) {
        self.enqueue(Job::SinkHealth(message), context);
    }
}

impl Handler<Flush> for LedgerActor {
    type Result = Result<(), LedgerError>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        self.take_hints();
        self.evaluate_network(true);
        self.flush();
        self.store.complete();
        if self.failing {
            Err(LedgerError::Busy { reason: "it could not be written before shutdown".to_owned() })
        } else {
            Ok(())
        }
    }
}

impl Handler<Crash> for LedgerActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("asked to");
    }
}
