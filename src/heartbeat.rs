//! The dead-man beat: an address of the user's is called while watching works. Whoever stands
//! behind it raises an alarm when the calls stop, whatever the reason: a dead process, a dead
//! machine, a network without an exit.
//!
//! A call says that a provider was read since the one before and is still fresh; a program that
//! merely runs does not beat. It has a task of its own: a service that does not answer delays
//! nobody.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Heartbeat;
use crate::fetch::Client;
use crate::ledger::{LastRead, Ledger};

/// How often it is looked whether a provider has been read since the last call.
const LOOK: Duration = Duration::from_secs(1);

/// A call may take so long at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Beats until it is dropped.
pub async fn keep_beating(beat: Heartbeat, client: Client, ledger: Ledger) {
    // The path is what keeps others from beating in our place: only the host is named.
    let host = beat.url.host_str().unwrap_or_default().to_owned();
    let mut last: Option<Instant> = None;
    let mut failing = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if last.is_some_and(|last| last.elapsed() + LOOK / 2 < beat.every) {
            continue;
        }
        let read = ledger.ask(LastRead).await.ok().flatten().map(Instant::from_std);
        if read.is_none() || read < last {
            continue;
        }
        last = Some(Instant::now());
        match client.call(&beat.url, beat.every.min(PATIENCE)).await {
            Ok(()) if std::mem::take(&mut failing) => {
                tracing::warn!(host, "the beat is heard again");
            }
            Ok(()) => tracing::debug!(host, "beat"),
            Err(failure) if std::mem::replace(&mut failing, true) => {
                tracing::debug!(host, reason = failure.message, "the beat is still not heard");
            }
            Err(failure) => tracing::warn!(host, reason = failure.message, "the beat is not heard"),
        }
    }
}
