//! The address of the ledger, the same for everybody while the actor behind it may be replaced.

use std::sync::{Arc, PoisonError, RwLock};

use actix::dev::ToEnvelope;
use actix::{Addr, Handler, Message};

use super::{LedgerActor, LedgerError};

/// Where the ledger is reached; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    address: Arc<RwLock<Option<Addr<LedgerActor>>>>,
}

impl Ledger {
    /// Points the handle at a new actor.
    pub fn replace(&self, address: Addr<LedgerActor>) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// The present actor's address.
    #[must_use]
    pub fn address(&self) -> Option<Addr<LedgerActor>> {
        self.address.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks and waits: what cannot be lost goes this way. Whoever asks keeps its copy until the answer is there.
    pub async fn ask<M, T>(&self, message: M) -> Result<T, LedgerError>
    where
        LedgerActor: Handler<M>,
        M: Message<Result = Result<T, LedgerError>> + Send + 'static,
        T: Send + 'static,
        <LedgerActor as actix::Actor>::Context: ToEnvelope<LedgerActor, M>,
    {
        let Some(address) = self.address() else { return Err(LedgerError::Away) };
        address.send(message).await.unwrap_or(Err(LedgerError::Away))
    }

    /// Tells without waiting; lost if the ledger is away or busy beyond measure.
    pub fn tell<M>(&self, message: M)
    where
        LedgerActor: Handler<M>,
        M: Message<Result = ()> + Send + 'static,
        <LedgerActor as actix::Actor>::Context: ToEnvelope<LedgerActor, M>,
    {
        if let Some(address) = self.address()
            && address.try_send(message).is_err()
        {
            tracing::debug!("the ledger took no notice of a hint");
        }
    }
}
