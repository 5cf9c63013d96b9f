//! Reading providers once over the network, for commands that ask what is there.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use indicatif::ProgressBar;

use super::table::one_line;
use crate::clock::Anchor;
use crate::config::Provider;
use crate::fetch::{Client, ClientOptions};
use crate::ledger::Ledger;
use crate::poller::PollError;
use crate::poller::PollerContext;
use crate::poller::admission::Admission;
use crate::poller::cycle::{Examined, examine};
use crate::poller::filters::ComparedFilters;
use crate::poller::parse_pool::ParsePool;

/// Providers read at once.
const AT_ONCE: usize = 32;

/// Reads each provider once; `done` is called as each one ends. In the order given.
pub(super) fn all(
    providers: &[Arc<Provider>],
    mut done: impl FnMut(&Provider),
) -> anyhow::Result<Vec<Result<Examined, PollError>>> {
    let client = Client::new(ClientOptions {
        max_hosts: providers.len().max(16) * 2,
        ..ClientOptions::default()
    })?;
    let shared = PollerContext {
        client,
        ledger: Ledger::default(),
        parse_pool: ParsePool::without_markers(2),
        admission: Admission::default(),
        filters: ComparedFilters::default(),
        anchor: Anchor::now(),
        once: false,
        own_page: None,
        metrics: Arc::default(),
        polled: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut results: Vec<(usize, Result<Examined, PollError>)> = runtime.block_on(async {
        let shared = &shared;
        let reading = stream::iter(providers.iter().enumerate())
            .map(|(index, provider)| async move { (index, examine(shared, provider).await) })
            .buffer_unordered(AT_ONCE);
        let mut reading = std::pin::pin!(reading);
        let mut results = Vec::with_capacity(providers.len());
        while let Some((index, result)) = reading.next().await {
            if let Some(provider) = providers.get(index) {
                done(provider);
            }
            results.push((index, result));
        }
        results
    });
    runtime.shutdown_background();
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Reads one address once.
pub(super) fn one(url: &url::Url) -> anyhow::Result<Result<Examined, PollError>> {
    let provider = Arc::new(Provider {
        id: "probe".to_owned(),
        name: url.host_str().unwrap_or("probe").to_owned(),
        url: url.clone(),
        source: None,
        url_written: true,
        settings: crate::config::Settings::default(),
        filter: crate::config::Filter::default(),
        json: None,
    });
    // Shown at a terminal alone: a page may take many guesses.
    let progress =
        ProgressBar::new_spinner().with_message(format!("reading {}", one_line(&provider.name)));
    progress.enable_steady_tick(Duration::from_millis(120));
    let mut results = all(&[provider], |_| {})?;
    progress.finish_and_clear();
    results.pop().ok_or_else(|| anyhow::anyhow!("nothing was read"))
}
