//! Ends a connection from within one of its requests.

use std::sync::Arc;

use tokio::sync::Notify;

/// Ends a connection at once, from within a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cutoff(Arc<Notify>);

impl Cutoff {
    pub(super) fn cut(&self) {
        self.0.notify_one();
    }

    /// Waits until the connection is to be ended.
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }
}
