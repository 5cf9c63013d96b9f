//! The actor that drives a sink: reads the ledger behind the sink's cursor, delivers, and tells how
//! far it got.
//!
//! It lives on a thread of its own, because sinks block: on a disk, or on whoever does not read our
//! standard output.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
};

use super::{Cursor, Recorded, Sink, SinkError};
use crate::backoff::ExponentialBackoff;
use crate::ledger::{AddSink, Delivered, Ledger, Reader, SinkHealth, Wake};

/// Events handed to a sink at once.
const BATCH: usize = 1000;

/// How often the place of delivery is looked at, and events are looked for although no nudge came.
const TEND: Duration = Duration::from_secs(1);

/// Looks at the place of delivery at once: it may have been moved (SIGHUP, SIGUSR1).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Reopen;

/// The ledger was restarted: its new actor has to know us.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Reconnect;

/// Delivers everything there is. Answers whether that succeeded.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Drain;

/// Panics: what the chaos command and the tests do to it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Crash;

/// Delivers from the ledger to one sink.
pub struct SinkActor {
    sink: Box<dyn Sink>,
    ledger: Ledger,
    state_dir: PathBuf,
    reader: Option<Reader>,
    /// As the ledger stores it; `None`: not asked yet.
    cursor: Option<Cursor>,
    open: bool,
    connecting: bool,
    failures: u32,
    not_before: Option<Instant>,
    down: bool,
}

impl SinkActor {
    /// An actor for `sink`; `state_dir` is where the ledger is read.
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

    /// Delivers what there is, a batch; comes back by itself for the next.
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
                self.tell_cursor(context);
                context.notify(Wake);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Opens if need be and delivers one batch. Answers how many events.
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
        let events: Vec<Recorded> = reader.after(cursor.seq, BATCH).map_err(ledger_error)?;
        if events.is_empty() {
            return Ok(0);
        }
        let delivered = self.sink.deliver(&events)?;
        let count = delivered.seq.saturating_sub(cursor.seq) as usize;
        self.cursor = Some(delivered);
        self.failures = 0;
        if std::mem::take(&mut self.down) {
            tracing::warn!(sink = self.sink.id(), "delivers again");
        }
        Ok(count)
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
                "cannot deliver: events are kept and delivered once it works again"
            );
            self.ledger.notify(SinkHealth { id: self.sink.id().to_owned(), trouble: Some(reason) });
        }
    }

    fn tell_cursor(&self, context: &mut Context<Self>) {
        let Some(cursor) = self.cursor.clone() else {
            return;
        };
        let (ledger, id) = (self.ledger.clone(), self.sink.id().to_owned());
        context.spawn(
            async move {
                // If it is not stored, the file itself proves at the next start how far it was
                // written.
                if let Err(error) = ledger.ask(Delivered { id, cursor }).await {
                    tracing::debug!(%error, "a cursor could not be stored");
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
                    self.tell_cursor(context);
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

/// An error and what caused it, in one line.
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
        context.run_interval(TEND, |actor, context| actor.maintain(false, context));
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

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.not_before = None;
        let delivered = loop {
            match self.step() {
                Ok(0) => break self.cursor.is_some(),
                Ok(_) => {}
                Err(error) => {
                    self.failed(&error);
                    break false;
                }
            }
        };
        let (ledger, id, cursor) =
            (self.ledger.clone(), self.sink.id().to_owned(), self.cursor.clone());
        Box::pin(
            async move {
                if let Some(cursor) = cursor
                    && let Err(error) = ledger.ask(Delivered { id, cursor }).await
                {
                    tracing::debug!(%error, "a cursor could not be stored");
                }
                delivered
            }
            .into_actor(self),
        )
    }
}

impl Handler<Crash> for SinkActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("asked to");
    }
}
