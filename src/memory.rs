//! Gives memory back to the system once documents have been read.
//!
//! The first round of polls reads every page in full, and so does a storm. What that takes is free
//! afterwards, but scattered between blocks that stay: two thirds of the memory of a process with
//! 1,000 providers.

use std::time::Duration;

/// How often to look whether documents have been read since. In between, memory is used again.
const EVERY: Duration = Duration::from_secs(10);

/// Gives memory back for as long as the future runs. `read` says how many documents have been read
/// so far: where none has, as with pages that stay the same, there is nothing to give back.
pub async fn give_back(read: impl Fn() -> u64) {
    let mut returned_at = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        let now = read();
        if std::mem::replace(&mut returned_at, now) != now {
            // Takes milliseconds: not on a thread that polls.
            let returned = tokio::task::spawn_blocking(statuswatch_heap::give_back).await;
            tracing::trace!(?returned, documents = now, "gave free memory back");
        }
    }
}
