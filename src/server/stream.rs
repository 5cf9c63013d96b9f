//! `/api/v1/stream`: events as they are recorded, as server-sent events (WHATWG HTML, 9.2).
//!
//! A stream is a cursor: it reads what follows the last event it sent. So it resumes where a client
//! was cut off, and a gap is always announced.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::App;
use super::answer::finish;
use super::answer::{Refusal, problem};
use super::call::Call;
use super::cutoff::Cutoff;
use super::model::ReadError;
use crate::ledger::Span;
use crate::ledger::StoredEvent;

pub(super) const MEDIA: &str = "text/event-stream";

/// How often the newest sequence number is read while a client is connected.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Keeps proxies from closing a quiet stream.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// Events that wait for a client that does not read. It is cut off then, and can resume.
const MAX_WAITING: usize = 256;
/// Events read at once.
const BATCH: usize = 100;
/// After a failed read of the ledger.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// Tells a browser to wait 3 s before it resumes.
const HELLO: &str = "retry: 3000\n\n";
const COMMENT: &str = ":\n\n";

/// Publishes the newest sequence number while there are streams.
pub(super) async fn follow(app: Arc<App>) {
    let mut begun = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if begun && app.newest.receiver_count() == 0 {
            continue;
        }
        match app.model.read(crate::ledger::Reader::newest_seq).await {
            Ok(newest) => {
                if !std::mem::replace(&mut begun, true) {
                    app.exporter.begin(newest).await;
                }
                if newest < *app.newest.borrow() {
                    app.model.replaced(newest);
                }
                app.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
            }
            Err(error) => {
                tracing::debug!(%error, "the streams cannot read the ledger");
                tokio::time::sleep(READ_AGAIN).await;
            }
        }
    }
}

/// `GET /api/v1/stream`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    finish(open(app, call).await)
}

async fn open(app: Arc<App>, call: Call) -> Result<Response<Body>, Refusal> {
    let Ok(place) = Arc::clone(&app.streams).try_acquire_owned() else {
        app.counts.refused("streams");
        return Ok(problem(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open"));
    };
    let last = call.headers.get("last-event-id").filter(|last| !last.is_empty());
    let after = match last {
        // What a browser resumes with goes before the address it was opened with.
        Some(last) => {
            Some(last.to_str().ok().and_then(|last| last.parse().ok()).ok_or_else(|| {
                Refusal::Bad("\"Last-Event-ID\" must be a sequence number".to_owned())
            })?)
        }
        None if call.parameter("after").is_some() => {
            Some(call.number("after", 0..=i64::MAX.unsigned_abs(), 0)?)
        }
        None => None,
    };
    let newest = app.newest.subscribe();
    let span = app.model.read(crate::ledger::Reader::span).await?;
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let stream = Stream {
        cursor: after.filter(|after| span.continues(*after)).unwrap_or(span.newest),
        app,
        sender,
        newest,
        cutoff: call.cutoff,
        _place: place,
    };
    let mut hello = HELLO.to_owned();
    if after.is_some_and(|after| !span.continues(after)) {
        hello.push_str(&reset(span));
    }
    tokio::spawn(stream.run(hello));
    let frames = futures::stream::unfold(receiver, async |mut receiver| {
        let frame: Bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(frame), receiver))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Reports that events are missing: the client must read the present state again. The stream goes on
/// after `seq`.
fn reset(span: Span) -> String {
    let Span { oldest, newest } = span;
    format!("id: {newest}\nevent: reset\ndata: {{\"oldest\":{oldest},\"seq\":{newest}}}\n\n")
}

fn frame(event: &StoredEvent) -> Bytes {
    // The line of the event log has no line feed.
    Bytes::from(format!("id: {}\ndata: {}\n\n", event.event.seq, event.line))
}

struct Stream {
    app: Arc<App>,
    /// The last event that was sent.
    cursor: u64,
    sender: mpsc::Sender<Bytes>,
    newest: watch::Receiver<u64>,
    cutoff: Option<Cutoff>,
    _place: OwnedSemaphorePermit,
}

/// Why a stream ends.
enum End {
    /// The client has left.
    Left,
    /// The client does not read.
    Slow,
}

impl Stream {
    async fn run(mut self, hello: String) {
        if let Err(End::Slow) = self.send_all(hello).await {
            self.app.counts.refused("streams");
            if let Some(cutoff) = &self.cutoff {
                cutoff.cut();
            }
        }
    }

    async fn send_all(&mut self, hello: String) -> Result<(), End> {
        self.sender.send(hello.into()).await.map_err(|_| End::Left)?;
        // What was missed is sent as fast as the client reads it.
        while self.send_batch(false).await? {}
        let mut comment = tokio::time::interval(COMMENT_EVERY);
        comment.reset();
        loop {
            tokio::select! {
                changed = self.newest.changed() => changed.map_err(|_| End::Left)?,
                _ = comment.tick() => {
                    // One is enough if it does not read.
                    drop(self.sender.try_send(Bytes::from_static(COMMENT.as_bytes())));
                }
                () = self.sender.closed() => return Err(End::Left),
            }
            let newest = *self.newest.borrow_and_update();
            if newest < self.cursor {
                self.resume_if_replaced().await?;
            }
            if newest > self.cursor {
                while self.send_batch(true).await? {}
            }
        }
    }

    /// Announces that the ledger was replaced by one with fewer events. The number published may also
    /// just be older than what was read since.
    async fn resume_if_replaced(&mut self) -> Result<(), End> {
        match self.app.model.read(crate::ledger::Reader::span).await {
            Ok(span) if !span.continues(self.cursor) => {
                self.cursor = span.newest;
                self.sender.send(reset(span).into()).await.map_err(|_| End::Left)
            }
            _ => Ok(()),
        }
    }

    /// Sends the next events. Returns whether there may be more.
    async fn send_batch(&mut self, live: bool) -> Result<bool, End> {
        let events = match self.read().await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, "a stream cannot read the ledger");
                tokio::time::sleep(READ_AGAIN).await;
                return if self.sender.is_closed() { Err(End::Left) } else { Ok(true) };
            }
        };
        if let Some(last) = events.last() {
            self.app.model.sent(last.event.seq);
        }
        for event in &events {
            if live {
                self.sender.try_send(frame(event)).map_err(|error| match error {
                    TrySendError::Full(_) => End::Slow,
                    TrySendError::Closed(_) => End::Left,
                })?;
            } else {
                self.sender.send(frame(event)).await.map_err(|_| End::Left)?;
            }
            self.cursor = event.event.seq;
        }
        Ok(!events.is_empty())
    }

    async fn read(&self) -> Result<Vec<StoredEvent>, ReadError> {
        let cursor = self.cursor;
        self.app.model.read(move |reader| reader.after(cursor, BATCH)).await
    }
}
