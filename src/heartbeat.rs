//! The heartbeat (a dead man's switch): calls a user-supplied URL while polling works. The service
//! behind that URL raises an alarm when the calls stop, whether the process, the machine or the
//! network failed.
//!
//! A call is made only if a provider was read since the previous call and its data is still fresh;
//! a process that merely runs sends no heartbeat. The heartbeat runs in its own task, so an
//! unresponsive service delays nothing else.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Heartbeat;
use crate::fetch::Client;
use crate::ledger::{LastRead, Ledger};

/// How often to check whether a provider has been read since the last call.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Longest time a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends heartbeats until the future is dropped. `last_read` is given when a provider was last read
/// by this process and returns when one was read at all; `None`: there is nothing to call for.
pub async fn send_heartbeats(
    heartbeat: Heartbeat,
    client: Client,
    ledger: Ledger,
    last_read: impl Fn(Option<Instant>) -> Option<Instant>,
) {
    // The path acts as a secret that prevents others from sending our heartbeat, so only the host
    // is logged.
    let host = heartbeat.url.host_str().unwrap_or_default().to_owned();
    let mut last: Option<Instant> = None;
    let mut failing = false;
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        if last.is_some_and(|last| last.elapsed() + CHECK_EVERY / 2 < heartbeat.every) {
            continue;
        }
        let read = ledger.ask(LastRead).await.ok().flatten().map(Instant::from_std);
        let read = last_read(read);
        if read.is_none() || read < last {
            continue;
        }
        last = Some(Instant::now());
        match client.call(&heartbeat.url, heartbeat.every.min(CALL_TIMEOUT)).await {
            Ok(()) if std::mem::take(&mut failing) => {
                tracing::warn!(host, "heartbeat calls succeed again");
            }
            Ok(()) => tracing::debug!(host, "beat"),
            Err(failure) if std::mem::replace(&mut failing, true) => {
                tracing::debug!(host, reason = failure.message, "the heartbeat call still fails");
            }
            Err(failure) => {
                tracing::warn!(host, reason = failure.message, "the heartbeat call failed");
            }
        }
    }
}
