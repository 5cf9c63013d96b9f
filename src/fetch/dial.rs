//! New connections: a connect timeout per request, and whether a new connection was needed.
//!
//! The HTTP library has one connect timeout per client, but each provider has its own. The limit is
//! passed along as a task-local, which the layer around the connector reads.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static DIAL: Dial;
}

/// What is known about the connection of one hop.
struct Dial {
    limit: Duration,
    dialled: Cell<bool>,
}

/// Runs a request; if it needs a new connection, that must be established within `limit`. Also
/// returns whether a new connection was started.
pub(super) async fn within<F: Future>(limit: Duration, request: F) -> (F::Output, bool) {
    let mut request = pin!(DIAL.scope(Dial { limit, dialled: Cell::new(false) }, request));
    let outcome = request.as_mut().await;
    let dialled = request.take_value().is_some_and(|dial| dial.dialled.get());
    (outcome, dialled)
}

/// Name lookup, connection or handshake took too long.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect within {0:?}")]
pub(super) struct DialTimeout(pub(super) Duration);

/// Applies the limit to every new connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitLayer;

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner }
    }
}

/// A connector that obeys the limit of its request.
#[derive(Debug, Clone)]
pub(super) struct Limited<S> {
    inner: S,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, R> Service<R> for Limited<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let limit = DIAL.try_with(|dial| {
            dial.dialled.set(true);
            dial.limit
        });
        let connecting = self.inner.call(request);
        Box::pin(async move {
            // Outside of a request there is no connect timeout; the request's own deadline applies.
            let Ok(limit) = limit else {
                return connecting.await;
            };
            tokio::time::timeout(limit, connecting)
                .await
                .unwrap_or_else(|_| Err(Box::new(DialTimeout(limit))))
        })
    }
}
