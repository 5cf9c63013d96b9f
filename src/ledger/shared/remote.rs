//! The connection to the shared database, on a thread of its own: whoever uses it blocks, and need
//! not be within a runtime, nor be outside of one.

use std::pin::Pin;
use std::sync::mpsc as blocking;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::session::Session;
use crate::backoff::ExponentialBackoff;
use crate::postgres::{DatabaseUrl, Error};

/// Delays between attempts to connect: the first is made at once.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// How long a broken transaction may take to be rolled back before its connection is given up.
const ROLLBACK: Duration = Duration::from_secs(1);

/// What is done with a session; it says whether the session can be used further.
type Work = Box<
    dyn for<'s> FnOnce(Result<&'s mut Session, Error>) -> Pin<Box<dyn Future<Output = ()> + 's>>
        + Send,
>;

/// Work to do.
struct Request {
    work: Work,
    /// How long it waits for a connection.
    patience: Duration,
}

/// The connection. It is opened again whenever it is lost.
pub(super) struct Remote {
    requests: UnboundedSender<Request>,
}

/// An answer to wait for.
pub(super) struct Pending<T>(blocking::Receiver<Result<T, Error>>);

impl<T> Pending<T> {
    /// Waits for the answer.
    pub(super) fn wait(self) -> Result<T, Error> {
        self.0.recv().unwrap_or_else(|_| Err(Error::away("its thread has ended")))
    }
}

impl Remote {
    /// Starts the thread, which connects.
    pub(super) fn open(url: DatabaseUrl) -> Result<Self, Error> {
        let (requests, receiver) = unbounded_channel();
        let failed = |error: std::io::Error| Error::away(format!("no thread for it: {error}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || runtime.block_on(serve(&url, receiver)))
            .map_err(failed)?;
        Ok(Self { requests })
    }

    /// Runs `task` within `limit` and returns its answer. Where there is no connection, waits for
    /// one for `patience`. After an error the open transaction is rolled back.
    pub(super) fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        limit: Duration,
        task: impl for<'s> FnOnce(
            &'s mut Session,
        ) -> Pin<Box<dyn Future<Output = Result<T, Error>> + 's>>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        self.start(patience, limit, task).wait()
    }

    /// Runs `task` as [`Remote::call`] does, and returns at once.
    pub(super) fn start<T: Send + 'static>(
        &self,
        patience: Duration,
        limit: Duration,
        task: impl for<'s> FnOnce(
            &'s mut Session,
        ) -> Pin<Box<dyn Future<Output = Result<T, Error>> + 's>>
        + Send
        + 'static,
    ) -> Pending<T> {
        let (sender, receiver) = blocking::sync_channel(1);
        let work: Work = Box::new(move |session| {
            Box::pin(async move {
                let answer = match session {
                    Ok(session) => {
                        let answer = timeout(limit, task(session)).await.unwrap_or_else(|_| {
                            Err(Error::away(format!("no answer within {limit:?}")))
                        });
                        if answer.is_err() {
                            session.end_transaction(ROLLBACK).await;
                        }
                        answer
                    }
                    Err(error) => Err(error),
                };
                // Whoever asked may have ended.
                sender.send(answer).ok();
            })
        });
        // If the thread has ended, dropping the request answers it.
        self.requests.send(Request { work, patience }).ok();
        Pending(receiver)
    }
}

/// Connects, does what is asked for, and connects again once the connection is lost. Ends when
/// nobody can ask any more.
async fn serve(url: &DatabaseUrl, mut requests: UnboundedReceiver<Request>) {
    let backoff = ExponentialBackoff::new(FIRST_DELAY, LONGEST_DELAY);
    let mut rng = fastrand::Rng::new();
    let mut failures = 0;
    let mut delay = Duration::ZERO;
    let mut last = Error::away("it is being connected to");
    let mut held: Option<Request> = None;
    loop {
        let (connected, request) = {
            let connecting = async {
                tokio::time::sleep(delay).await;
                Session::open(url).await
            };
            let mut connecting = std::pin::pin!(connecting);
            loop {
                let request = if let Some(request) = held.take() {
                    request
                } else {
                    tokio::select! {
                        connected = &mut connecting => break (connected, None),
                        request = requests.recv() => match request {
                            Some(request) => request,
                            None => return,
                        },
                    }
                };
                match timeout(request.patience, &mut connecting).await {
                    Ok(connected) => break (connected, Some(request)),
                    Err(_) => (request.work)(Err(last.clone())).await,
                }
            }
        };
        match connected {
            Ok(mut session) => {
                (failures, delay) = (0, Duration::ZERO);
                if let Some(request) = request {
                    (request.work)(Ok(&mut session)).await;
                }
                last = Error::away("the connection was lost");
                while session.is_open() {
                    let Some(request) = requests.recv().await else { return };
                    if session.is_open() {
                        (request.work)(Ok(&mut session)).await;
                    } else {
                        // Nothing of it was sent: it waits for the next connection.
                        held = Some(request);
                    }
                }
            }
            Err(error) => {
                delay = backoff.delay(failures, &mut rng);
                failures += 1;
                last = error.clone();
                if let Some(request) = request {
                    (request.work)(Err(error)).await;
                }
            }
        }
    }
}
