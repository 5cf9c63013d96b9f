//! The actor that drives a sink: reads events after the sink's cursor from the ledger, delivers
//! them and reports its progress.
//!
//! It runs on its own thread because sinks block, on a disk or on a reader of standard output that
//! falls behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
};

use super::{Cursor, Sink, SinkError, StoredEvent};
use crate::backoff::ExponentialBackoff;
use crate::ledger::{AddSink, Delivered, Ledger, Reader, SinkHealth, Wake};

/// Maximum number of events handed to a sink at once.
const BATCH: usize = 1000;

/// How often the sink is maintained and events are looked for, even without a wake-up.
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);

/// Checks the sink's files at once, as they may have been moved (SIGHUP, SIGUSR1).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Reopen;

/// The ledger was restarted: registers with its new actor.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Reconnect;

/// Delivers all pending events. Returns whether that succeeded.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Drain;

/// Makes the actor panic, for the `chaos` command and tests.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Crash;

/// Delivers events from the ledger to one sink.
pub struct SinkActor {
    sink: Box<dyn Sink>,
    ledger: Ledger,
    state_dir: PathBuf,
    reader: Option<Reader>,
    /// The cursor as the ledger stores it; `None` until it is loaded.
    cursor: Option<Cursor>,
    open: bool,
    connecting: bool,
    failures: u32,
    not_before: Option<Instant>,
    down: bool,
}

impl SinkActor {
    /// Creates an actor for `sink`; `state_dir` is where the ledger is read.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>, ledger: Ledger, state_dir: PathBuf) -> Self {
        Self {
            sink,
            ledger,
            state_dir,
            reader: None,
            cursor: None,
            open: false,
            connecting: false,
            failures: 0,
            not_before: None,
            down: false,
        }
    }

    fn connect(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let ask = AddSink { id: self.sink.id().to_owned(), nudge: context.address().recipient() };
        let ledger = self.ledger.clone();
        context.spawn(async move { ledger.ask(ask).await }.into_actor(self).map(|answer, actor, context| {
            actor.connecting = false;
            match answer {
                // Our own cursor is never behind the stored one.
                Ok(cursor) => {
                    actor.cursor.get_or_insert(cursor);
                    actor.pump(context);
                }
                Err(error) => tracing::debug!(sink = actor.sink.id(), %error, "the ledger does not answer yet"),
            }
        }));
    }

    /// Delivers one batch of pending events and schedules itself for the next.
    fn pump(&mut self, context: &mut Context<Self>) {
        if self.cursor.is_none() {
            return self.connect(context);
        }
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        match self.step() {
            Ok(0) => {}
            Ok(_) => {
                self.report_cursor(context);
                context.notify(Wake);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Opens the sink if necessary and delivers one batch. Returns the number of events.
    fn step(&mut self) -> Result<usize, SinkError> {
        let Some(mut cursor) = self.cursor.clone() else {
            return Ok(0);
        };
        let reader = match &self.reader {
            Some(reader) => reader,
            None => self.reader.insert(Reader::open(&self.state_dir).map_err(ledger_error)?),
        };
        if !self.open {
            cursor = self
                .sink
                .open(&cursor, &mut |seq| reader.after(seq, BATCH).map_err(ledger_error))?;
            self.open = true;
            self.cursor = Some(cursor.clone());
        }
        let events: Vec<StoredEvent> = reader.after(cursor.seq, BATCH).map_err(ledger_error)?;
        if events.is_empty() {
            return Ok(0);
        }
        let delivered = self.sink.deliver(&events)?;
        let count = delivered.seq.saturating_sub(cursor.seq) as usize;
        self.cursor = Some(delivered);
        self.failures = 0;
        if std::mem::take(&mut self.down) {
            tracing::warn!(sink = self.sink.id(), "can deliver again");
        }
        Ok(count)
    }

    /// Delivers all pending events. Returns whether that succeeded.
    fn deliver_all(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(0) => return self.cursor.is_some(),
                Ok(_) => {}
                Err(error) => {
                    self.failed(&error);
                    return false;
                }
            }
        }
    }

    fn failed(&mut self, error: &SinkError) {
        self.open = false;
        let delay = ExponentialBackoff::new(Duration::from_millis(200), Duration::from_secs(10))
            .delay(self.failures, &mut fastrand::Rng::new());
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(Instant::now() + delay);
        if !std::mem::replace(&mut self.down, true) {
            let reason = with_causes(error);
            tracing::warn!(
                sink = self.sink.id(),
                reason,
                "cannot deliver; events are kept and delivered later"
            );
            self.ledger.notify(SinkHealth { id: self.sink.id().to_owned(), failure: Some(reason) });
        }
    }

    fn report_cursor(&self, context: &mut Context<Self>) {
        let Some(cursor) = self.cursor.clone() else {
            return;
        };
        let (ledger, id) = (self.ledger.clone(), self.sink.id().to_owned());
        context.spawn(
            async move {
                // If the cursor is not stored, the file itself proves at the next start how far it
                // was written.
                if let Err(error) = ledger.ask(Delivered { id, cursor }).await {
                    tracing::debug!(%error, "cannot store a cursor");
                }
            }
            .into_actor(self),
        );
    }

    fn maintain(&mut self, reopen: bool, context: &mut Context<Self>) {
        if self.open {
            match self.sink.maintain(reopen) {
                Ok(None) => {}
                Ok(Some(cursor)) => {
                    self.cursor = Some(cursor);
                    self.report_cursor(context);
                }
                Err(error) => self.failed(&error),
            }
        }
        self.pump(context);
    }
}

fn ledger_error(error: crate::ledger::LedgerError) -> SinkError {
    SinkError::Ledger(error.into_text())
}

/// Formats an error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Actor for SinkActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(MAINTAIN_EVERY, |actor, context| actor.maintain(false, context));
        self.pump(context);
    }
}

impl Handler<Wake> for SinkActor {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        self.pump(context);
    }
}

impl Handler<Reopen> for SinkActor {
    type Result = ();

    fn handle(&mut self, _: Reopen, context: &mut Self::Context) {
        self.not_before = None;
        self.maintain(true, context);
    }
}

impl Handler<Reconnect> for SinkActor {
    type Result = ();

    fn handle(&mut self, _: Reconnect, context: &mut Self::Context) {
        self.connect(context);
    }
}

impl Handler<Drain> for SinkActor {
    type Result = ResponseActFuture<Self, bool>;

    fn handle(&mut self, _: Drain, context: &mut Self::Context) -> Self::Result {
        self.not_before = None;
        let (ledger, id) = (self.ledger.clone(), self.sink.id().to_owned());
        let ask = self
            .cursor
            .is_none()
            .then(|| AddSink { id: id.clone(), nudge: context.address().recipient() });
        let asked = ledger.clone();
        // A run that ends right after its start may not have the cursor yet.
        let cursor = async move {
            match ask {
                Some(ask) => asked.ask(ask).await.map(Some),
                None => Ok(None),
            }
        };
        Box::pin(cursor.into_actor(self).then(move |answer, actor, _| {
            match answer {
                Ok(Some(cursor)) => _ = actor.cursor.get_or_insert(cursor),
                Ok(None) => {}
                Err(error) => tracing::debug!(sink = id, %error, "the ledger does not answer"),
            }
            let delivered = actor.deliver_all();
            let cursor = actor.cursor.clone();
            async move {
                if let Some(cursor) = cursor
                    && let Err(error) = ledger.ask(Delivered { id, cursor }).await
                {
                    tracing::debug!(%error, "cannot store a cursor");
                }
                delivered
            }
            .into_actor(actor)
        }))
    }
}

impl Handler<Crash> for SinkActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("asked to");
    }
}
