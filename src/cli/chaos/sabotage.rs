//! Faults from within: in a process of `chaos`, pollers, sinks and the ledger are killed at random.

use std::path::Path;
use std::time::Duration;

use actix::Addr;

use crate::poller::Sabotage;
use crate::supervisor::{InjectedFault, Supervisor};

/// The message in the diagnostics for each fault.
const MARK: &str = "sabotage";

/// Breaks something every tenth of a second on average.
pub(super) fn begin(supervisor: &Addr<Supervisor>, providers: &[String], seed: u64) {
    let (supervisor, providers) = (supervisor.clone(), providers.to_vec());
    actix::spawn(async move {
        let mut rng = fastrand::Rng::with_seed(seed);
        loop {
            tokio::time::sleep(Duration::from_millis(rng.u64(20..200))).await;
            let provider = rng.choice(&providers).cloned().unwrap_or_default();
            let what = match rng.u32(0..20) {
                0..15 => InjectedFault::Poller(provider, Sabotage::Panic),
                15..18 => InjectedFault::Poller(provider, Sabotage::Stall),
                18 => InjectedFault::Sink("event_log.json".to_owned()),
                _ => InjectedFault::Ledger,
            };
            if supervisor.try_send(what).is_err() {
                return;
            }
        }
    });
}

/// How often something was broken, by the diagnostics.
pub(super) fn count(logs: &Path) -> usize {
    let Ok(files) = std::fs::read_dir(logs) else {
        return 0;
    };
    let logs = files
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|ending| ending == "log"));
    logs.filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .map(|text| text.matches(&format!(": {MARK} ")).count())
        .sum()
}
