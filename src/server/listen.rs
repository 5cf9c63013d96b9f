//! The accept loop: a thread of its own, and bounds on everything a stranger can hold.
//!
//! `axum::serve` has no limit and no timeout, so the loop is ours.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tower_service::Service as _;

use super::answer::{problem, secure};
use super::cutoff::Cutoff;
pub use super::guard::MAX_BODY;
use super::slow::Impatient;
use super::{App, Parts, asked, guard, router, stream};

/// Open connections.
pub const MAX_CONNECTIONS: usize = 256;
/// Bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;
/// From the connection, or the last answer, to the end of the next request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// From the head of a request to that of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Without progress of a write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes the system holds for a client that does not read.
const SEND_BUFFER: usize = 256 << 10;
/// How long answers may take once the program ends.
const STOP_WITHIN: Duration = Duration::from_millis(300);
/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The token cannot be read.
    #[error("cannot read the token of the HTTP server from {0}")]
    Token(String),
    /// The state directory cannot be written.
    #[error("cannot write the id of the HTTP server")]
    PageId(#[source] std::io::Error),
    /// There is no thread for it.
    #[error("cannot start the HTTP server")]
    Thread(#[source] std::io::Error),
}

/// A socket that listens, before anything is served.
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens at `address`.
    ///
    /// # Errors
    /// The address is in use or is none of this machine.
    pub fn listen(address: SocketAddr) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Listen { address, source };
        // Without waiting for the connections of an earlier run to be forgotten (`SO_REUSEADDR`).
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        // Connections inherit the buffer.
        SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Returns the address with its port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own until the handle is dropped.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn serve(self, parts: Parts) -> Result<Handle, ServerError> {
        let app = App::new(parts);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(super::model::READERS + 2)
            .build()
            .map_err(ServerError::Thread)?;
        let (stop, stopped) = watch::channel(false);
        let (ended_sender, ended) = oneshot::channel();
        let address = self.address;
        std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    match TcpListener::from_std(self.listener) {
                        Ok(listener) => accept(listener, app, stopped).await,
                        Err(error) => tracing::error!(%error, "the HTTP server has ended"),
                    }
                });
                // A read that hangs on a disk does not hold up the end.
                runtime.shutdown_background();
                drop(ended_sender);
            })
            .map_err(ServerError::Thread)?;
        Ok(Handle { address, stop, ended: Some(ended) })
    }
}

/// A running server; dropping it ends it.
pub struct Handle {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Handle {
    /// Returns the address with its port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, and waits a moment for the answers under way.
    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(ended) = self.ended.take() {
            // Either way nothing depends on it.
            drop(tokio::time::timeout(STOP_WITHIN * 2, ended).await);
        }
    }
}

async fn accept(listener: TcpListener, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let router = router::router(&app);
    let followed = tokio::spawn(stream::follow(Arc::clone(&app)));
    let asking = tokio::spawn(asked::follow(Arc::clone(&app)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let serving = serve(stream, Arc::clone(&app), router.clone(), stopped.clone(), place);
            tokio::spawn(serving);
        } else {
            app.counts.refused("connections");
            refuse(&stream);
        }
    }
    followed.abort();
    asking.abort();
    drop(listener);
    // Those under way end in order, up to a limit.
    let all = places.acquire_many(MAX_CONNECTIONS as u32);
    drop(tokio::time::timeout(STOP_WITHIN, all).await);
}

/// Says so and closes; a client that does not read at once is not waited for.
fn refuse(stream: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    drop(stream.try_write(FULL));
}

async fn serve(
    stream: TcpStream,
    app: Arc<App>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot send small answers at once");
    }
    let cutoff = Cutoff::default();
    let ours = cutoff.clone();
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ours.clone());
        let (app, router) = (Arc::clone(&app), router.clone());
        async move { Ok::<_, Infallible>(answer(&app, router, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Impatient::new(stream, WRITE_TIMEOUT)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::trace!(%error, "an HTTP connection broke");
            }
            return;
        }
        () = cutoff.wait() => return,
        _ = stopped.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(tokio::time::timeout(STOP_WITHIN, connection).await);
}

async fn answer(app: &App, mut router: Router, request: Request<Body>) -> Response<Body> {
    let mut response = match guard::check(app, &request) {
        Err((status, reason)) => {
            app.counts.refused("requests");
            problem(status, reason)
        }
        Ok(()) => match tokio::time::timeout(REQUEST_TIMEOUT, router.call(request)).await {
            Ok(Ok(response)) => response,
            Err(_) => {
                app.counts.refused("timeouts");
                problem(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long")
            }
        },
    };
    secure(&mut response);
    response
}
