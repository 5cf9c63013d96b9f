//! A stable handle to the ledger's actor, which may be replaced.

use std::sync::{Arc, PoisonError, RwLock};

use actix::dev::ToEnvelope;
use actix::{Addr, Handler, Message};

use super::messages::{Attach, Hints, Unchanged};
use super::{LedgerActor, LedgerError, Network};

/// A handle to the ledger. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    address: Arc<RwLock<Option<Addr<LedgerActor>>>>,
    hints: Hints,
    network: Network,
}

impl Ledger {
    /// Points the handle at a new actor.
    pub fn replace(&self, address: Addr<LedgerActor>) {
        if address.try_send(self.hints.clone()).is_err() {
            tracing::warn!("cannot connect unchanged polls to the ledger");
        }
        if address.try_send(Attach(self.network.clone())).is_err() {
            tracing::warn!("cannot connect the network state to the ledger");
        }
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Returns the network view that pollers update.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the current actor's address.
    #[must_use]
    pub fn address(&self) -> Option<Addr<LedgerActor>> {
        self.address.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a message and waits for the reply, for data that must not be lost. The caller keeps
    /// its copy until the reply arrives.
    pub async fn ask<M, T>(&self, message: M) -> Result<T, LedgerError>
    where
        LedgerActor: Handler<M>,
        M: Message<Result = Result<T, LedgerError>> + Send + 'static,
        T: Send + 'static,
        <LedgerActor as actix::Actor>::Context: ToEnvelope<LedgerActor, M>,
    {
        let Some(address) = self.address() else {
            return Err(LedgerError::Away);
        };
        address.send(message).await.unwrap_or(Err(LedgerError::Away))
    }

    /// Records an unchanged poll, which the ledger picks up within a second.
    pub fn hint(&self, unchanged: Unchanged) {
        let mut hints = self.hints.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = unchanged.provider.clone();
        let unchanged = unchanged.keeping(hints.get(&id));
        hints.insert(id, unchanged);
    }

    /// Sends a message without waiting. It is lost if the ledger is restarting or overloaded.
    pub fn notify<M>(&self, message: M)
    where
        LedgerActor: Handler<M>,
        M: Message<Result = ()> + Send + 'static,
        <LedgerActor as actix::Actor>::Context: ToEnvelope<LedgerActor, M>,
    {
        if let Some(address) = self.address()
            && address.try_send(message).is_err()
        {
            tracing::debug!("the ledger dropped a hint");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix::Actor;

    use super::super::{Flush, LedgerOptions, Reader, Watch};
    use super::*;
    use crate::config::{Filter, Provider, Settings};

    #[test]
    fn hints_are_written_with_whatever_comes_next() {
        actix::System::new().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (fatal, _keep) = tokio::sync::mpsc::unbounded_channel();
            let options = LedgerOptions {
                state_dir: dir.path().to_owned(),
                shared: None,
                keep: Duration::from_hours(24),
                fatal,
                metrics: Arc::default(),
                lease: crate::lease::Lease::always(),
            };
            let ledger = Ledger::default();
            ledger.replace(LedgerActor::open(options).unwrap().start());
            let provider = Arc::new(Provider {
                id: "acme".to_owned(),
                name: "Acme".to_owned(),
                url: "https://status.acme.example/".parse().unwrap(),
                source: None,
                url_written: true,
                settings: Settings::default(),
                filter: Filter::default(),
                json: None,
            });
            ledger
                .ask(Watch {
                    providers: vec![provider],
                    died: Vec::new(),
                    real_intervals: std::collections::HashMap::new(),
                    shards: None,
                })
                .await
                .unwrap();
            let at = crate::event::parse_time("2026-03-01T12:00:00Z").unwrap();
            let hint = |provider: &str, at| Unchanged {
                provider: provider.to_owned(),
                generation: 1,
                at,
                next_poll_at: at,
                validators: None,
                full: false,
            };
            ledger.hint(hint("acme", at));
            ledger.hint(hint("acme", at + chrono::Duration::minutes(1)));
            ledger.hint(hint("unknown", at));
            ledger.ask(Flush).await.unwrap();
            let rows = Reader::open(dir.path()).unwrap().providers().unwrap();
            let [row] = rows.as_slice() else { panic!("{rows:?}") };
            assert_eq!(row.last_outcome.as_deref(), Some("unchanged"));
            assert_eq!(row.last_poll_at, Some(at + chrono::Duration::minutes(1)));
        });
    }
}
