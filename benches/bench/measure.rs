//! CPU time, memory and other figures of a process, as counted by the kernel.

use std::path::Path;
use std::time::{Duration, Instant};

/// Returns the CPU time of this process so far, over all threads.
pub(crate) fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the wall and CPU time of `work`.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (wall, before) = (Instant::now(), cpu());
    let value = work();
    (value, wall.elapsed(), cpu() - before)
}

/// Returns the median.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the value below which the given `share` of all values lies.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// A measurement of another process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    pub(crate) cpu: Duration,
    pub(crate) rss_mb: f64,
    pub(crate) peak_mb: f64,
    pub(crate) threads: u64,
    pub(crate) descriptors: usize,
    pub(crate) written: u64,
    pub(crate) voluntary: u64,
}

impl Look {
    /// Measures the process with this id.
    pub(crate) fn at(pid: u32) -> Self {
        let root = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_default();
        let (status, stat, io) = (read("status"), read("stat"), read("io"));
        let field = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        // After the name in parentheses, user and system time are the 12th and 13th field, in
        // hundredths of a second.
        let times: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .skip(11)
            .take(2)
            .flat_map(str::parse)
            .collect();
        let switches =
            std::fs::read_dir(root.join("task")).into_iter().flatten().flatten().map(|task| {
                field(
                    &std::fs::read_to_string(task.path().join("status")).unwrap_or_default(),
                    "voluntary_ctxt_switches",
                )
            });
        Self {
            cpu: Duration::from_millis(times.iter().sum::<u64>() * 10),
            rss_mb: field(&status, "VmRSS") as f64 / 1024.0,
            peak_mb: field(&status, "VmHWM") as f64 / 1024.0,
            threads: field(&status, "Threads"),
            descriptors: std::fs::read_dir(root.join("fd")).map_or(0, Iterator::count),
            written: field(&io, "write_bytes"),
            voluntary: switches.sum(),
        }
    }
}
