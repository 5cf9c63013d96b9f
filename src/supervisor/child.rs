//! Runs one actor so that its end is always noticed.
//!
//! actix discards a panic: the task ends silently. So the context's future is driven here, its
//! panic is caught before it is dropped, and a note that sends itself on drop informs the
//! supervisor, even if the whole thread dies.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::dev::channel;
use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context};
use futures::FutureExt;
use futures::future::{AbortHandle, Abortable};

use crate::ledger::panic_text;

/// Mailbox capacity of an actor.
const MAILBOX: usize = 64;

/// Reports on drop how an actor ended, whatever happens to its thread.
struct ExitNote<F: FnOnce(String)> {
    send: Option<F>,
    why: Option<String>,
}

impl<F: FnOnce(String)> Drop for ExitNote<F> {
    fn drop(&mut self) {
        if let Some(send) = self.send.take() {
            send(self.why.take().unwrap_or_else(|| "stopped".to_owned()));
        }
    }
}

/// Builds an actor on `arbiter` and runs it there. `exited` is called once, with the cause, when
/// the actor ends other than through the returned handle.
pub(super) fn spawn<A, B, E>(arbiter: &ArbiterHandle, build: B, exited: E) -> (Addr<A>, AbortHandle)
where
    A: Actor<Context = Context<A>>,
    B: FnOnce() -> Result<A, String> + Send + 'static,
    E: FnOnce(String) + Send + 'static,
{
    let (sender, receiver) = channel::channel(MAILBOX);
    let address = Addr::new(sender);
    let (abort, registration) = AbortHandle::new_pair();
    let note = ExitNote { send: Some(exited), why: Some("the thread ended".to_owned()) };
    let job = move || {
        // Captured as a whole, not field by field: its drop is what matters.
        let mut note = note;
        // The factory may panic too.
        let actor = match catch_unwind(AssertUnwindSafe(build)) {
            Ok(Ok(actor)) => actor,
            Ok(Err(why)) => {
                note.why = Some(why);
                return;
            }
            Err(panic) => {
                note.why = Some(format!("panic: {}", panic_text(&*panic)));
                return;
            }
        };
        actix::spawn(async move {
            let mut note = note;
            let mut running = Box::pin(Context::with_receiver(receiver).into_future(actor));
            // Caught before the future is dropped: dropping it during unwinding would run the
            // actor's code again.
            let ended =
                Abortable::new(AssertUnwindSafe(&mut running).catch_unwind(), registration).await;
            match ended {
                Err(_) => note.send = None,
                Ok(Ok(())) => note.why = Some("stopped".to_owned()),
                Ok(Err(panic)) => note.why = Some(format!("panic: {}", panic_text(&*panic))),
            }
            if catch_unwind(AssertUnwindSafe(move || drop(running))).is_err() {
                tracing::error!("an actor panicked again while it was dropped");
            }
        });
    };
    // Only an arbiter that has ended refuses; the note in the job then reports the exit on drop.
    if !arbiter.spawn_fn(job) {
        tracing::error!("an arbiter has ended");
    }
    (address, abort)
}

/// Spawns an actor future at the end of a method chain.
pub(super) trait SpawnOn<A: Actor<Context = Context<A>>> {
    fn spawn(self, context: &mut Context<A>);
}

impl<A: Actor<Context = Context<A>>, F: actix::ActorFuture<A, Output = ()> + 'static> SpawnOn<A>
    for F
{
    fn spawn(self, context: &mut Context<A>) {
        context.spawn(self);
    }
}
