//! A job for the ledger's next transaction, and its outcome.

use tokio::sync::oneshot;

use super::error::{LedgerError, Result};
use super::messages::{Delivered, Failed, Record, Recorded, Restarted, SinkHealth};
use super::numbering::OURSELVES;
use super::offline::NetworkChange;
use super::outbox::OutboxChange;
use super::post_commit::PostCommit;
use crate::event::Time;

/// Why results are refused after an error that ended the transaction.
pub(super) const ROLLED_BACK: &str = "the transaction was rolled back";

/// A job for the next transaction, with the channel for its reply.
pub(super) enum Job {
    Record(Box<Record>, oneshot::Sender<Result<Recorded>>),
    Failed(Box<Failed>, oneshot::Sender<Result<()>>),
    Delivered(Delivered, oneshot::Sender<Result<()>>),
    Outbox(Vec<OutboxChange>, oneshot::Sender<Result<()>>),
    Restarted(Restarted),
    SinkHealth(SinkHealth),
    Reachable(String),
    /// With a description of the other failing providers.
    Unreachable(String, Option<String>),
    Network(NetworkChange),
    /// An unchanged poll at this time confirms that held-back component changes have lasted.
    Settle(String, Time),
}

/// The outcome of a job.
pub(super) enum Done {
    Record(Result<Recorded>, PostCommit),
    Unit(Result<()>),
    Reach(String, bool),
    Network,
    Settled(String, Option<Time>),
    None,
    /// It failed, and no reply is expected.
    Dropped,
    /// It was not judged: its provider is another node's now, or the database does not take it.
    Refused,
    /// It panicked, with this message.
    Panicked(String),
}

impl Done {
    /// Whether the job's writes are kept.
    pub(super) const fn is_kept(&self) -> bool {
        match self {
            Self::Record(result, _) => result.is_ok(),
            Self::Unit(result) => result.is_ok(),
            Self::Reach(..) | Self::Network | Self::Settled(..) | Self::None | Self::Refused => {
                true
            }
            Self::Dropped | Self::Panicked(_) => false,
        }
    }

    /// Why they are not, if that is known.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Record(Err(error), _) | Self::Unit(Err(error)) => Some(error.reason()),
            _ => None,
        }
    }

    /// Logs the panic of a job that will not be judged again.
    pub(super) fn log_panic(&self) {
        if let Self::Panicked(panic) = self {
            tracing::error!(panic, "cannot record a result");
        }
    }

    pub(super) fn unanswered(result: Result<()>) -> Self {
        result.map_or(Self::Dropped, |()| Self::None)
    }
}

impl Job {
    /// Returns the provider whose book the job is judged with: for sinks, the outbox and the
    /// network, the program itself.
    pub(super) fn provider(&self) -> &str {
        match self {
            Self::Record(message, _) => &message.provider.id,
            Self::Failed(message, _) => &message.provider.id,
            Self::Restarted(message) => &message.provider,
            Self::Reachable(id) | Self::Unreachable(id, _) | Self::Settle(id, _) => id,
            Self::Delivered(..) | Self::Outbox(..) | Self::SinkHealth(_) | Self::Network(_) => {
                OURSELVES
            }
        }
    }

    /// Replies with an error when nothing could be written.
    pub(super) fn refuse(self, why: &str) {
        let busy = LedgerError::Busy { reason: why.to_owned() };
        match self {
            Self::Record(_, sender) => drop(sender.send(Err(busy))),
            Self::Failed(_, sender) | Self::Delivered(_, sender) | Self::Outbox(_, sender) => {
                drop(sender.send(Err(busy)));
            }
            _ => {}
        }
    }
}
