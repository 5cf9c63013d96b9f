//! Keeps this process a member: renews its lease, and takes, gives back and takes over shards.
//!
//! It runs on a thread of its own, so that nothing the process does delays a renewal. Renewals and
//! everything else have a connection each: what waits for a lock must not delay a renewal either.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::member::{Command, LEAVE, Node};
pub use super::member::{JoinError, Options, Standing};
use super::share::{Pauses, Share};

/// This process as a member. Dropping it ends the thread, and others take over once the lease has
/// ended: see [`Membership::leave`].
#[derive(Debug)]
pub struct Membership {
    commands: mpsc::UnboundedSender<Command>,
    standing: Arc<Mutex<Standing>>,
    pauses: Arc<OnceLock<Arc<dyn Pauses>>>,
    config: Arc<Mutex<String>>,
}

impl Membership {
    /// Registers this process. Returns the changes of its share, which begin with none.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be used, or if the name is still in use after one
    /// lease.
    pub async fn join(
        options: Options,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Share>), JoinError> {
        let (commands, orders) = mpsc::unbounded_channel();
        let (shares, changes) = mpsc::unbounded_channel();
        let (begun, answer) = oneshot::channel();
        let standing =
            Arc::new(Mutex::new(Standing { name: options.name.clone(), ..Standing::default() }));
        let member = Arc::clone(&standing);
        let pauses: Arc<OnceLock<Arc<dyn Pauses>>> = Arc::default();
        let shared = Arc::clone(&pauses);
        let config = Arc::new(Mutex::new(options.config.clone()));
        let declared = Arc::clone(&config);
        std::thread::Builder::new()
            .name("node".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => {
                        let node = Node::new(options, shares, member, shared, declared);
                        runtime.block_on(node.live(begun, orders));
                    }
                    Err(error) => drop(begun.send(Err(JoinError::Thread(error)))),
                }
            })
            .map_err(JoinError::Thread)?;
        answer.await.unwrap_or(Err(JoinError::Ended))?;
        Ok((Self { commands, standing, pauses, config }, changes))
    }

    /// Replaces the digest of the configuration, after a reload.
    pub fn set_config(&self, digest: String) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    /// Shares the pauses that hosts ask for with the other nodes, from now on.
    pub fn share_pauses(&self, pauses: Arc<dyn Pauses>) {
        if self.pauses.set(pauses).is_err() {
            tracing::debug!("pauses are shared already");
        }
    }

    /// Gives all shards back and takes none any more. Call it once all pollers have ended and the
    /// ledger has written what they found.
    pub async fn drain(&self) {
        self.order(Command::Drain).await;
    }

    /// Ends the life, so that the others need not wait for the end of its lease. Takes at most two
    /// seconds.
    pub async fn leave(&self) {
        self.order(Command::Leave).await;
    }

    async fn order(&self, command: fn(oneshot::Sender<()>) -> Command) {
        let (done, answer) = oneshot::channel();
        if self.commands.send(command(done)).is_ok() {
            // One that is not answered has ended by itself.
            drop(timeout(LEAVE, answer).await);
        }
    }

    /// Returns what is known of this node.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
