//! What answers made to harm cost in memory: the most that the real binary had while it met them.
//!
//! `STATUSWATCH_POLLS=50 cargo test --test it memory:: -- --ignored --nocapture` meets each of them
//! so many times.

use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Fault, Provider, Server};

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::within;

const SUMMARY: &str = "api/v2/summary.json";

/// A line of `/proc/<pid>/status`, in KiB.
fn kib(run: &Run, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Begins to look anew for the most there is.
fn forget_the_most(run: &Run) {
    std::fs::write(format!("/proc/{}/clear_refs", run.pid()), "5").unwrap();
}

/// How often the harm is met, and how many items are too many: ten times as many where time is no
/// matter.
fn effort() -> (usize, usize) {
    std::env::var("STATUSWATCH_POLLS").map_or((3, 20_000), |text| (text.parse().unwrap(), 200_000))
}

/// Waits for so many further answers, whatever became of them.
async fn polled(server: &Server, count: usize) {
    for _ in 0..count {
        let before = server.requests_of("acme").len();
        within("a poll", server.wait_answered("acme", before + 1)).await;
    }
}

/// What meeting some harm cost, in KiB.
struct Cost {
    /// The most beyond what there was before.
    most: u64,
    /// The most beyond the most that the harm in small cost.
    beyond_small: u64,
}

/// Meets `harm`, in small first: what the code itself needs to be read in is then there.
async fn cost(
    more: &str,
    small: impl FnOnce(&Provider),
    harm: impl FnOnce(&Provider),
    says: &str,
) -> Cost {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let mut bench = Bench::new().default("backoff", "{initial: 100ms, max: 200ms}");
    bench.add(
        "acme",
        &format!("{}{SUMMARY}", server.url("acme")),
        &format!(", source: statuspage{more}"),
    );
    let run = bench.start(&["run", "--hosted"]);
    polled(&server, 2).await;
    small(&acme);
    forget_the_most(&run);
    polled(&server, 2).await;
    let (before, small) = (kib(&run, "VmRSS"), kib(&run, "VmHWM"));
    forget_the_most(&run);
    harm(&acme);
    polled(&server, effort().0).await;
    let most = kib(&run, "VmHWM");
    let error =
        bench.status_of("acme").unwrap()["last_error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains(says), "{says}: {error}");
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    Cost { most: most.saturating_sub(before), beyond_small: most.saturating_sub(small) }
}

fn fault(fault: Fault) -> impl FnOnce(&Provider) {
    move |provider| {
        provider.clear_faults();
        provider.fault(fault);
    }
}

/// As many incidents as no page has, each as short as can be.
fn too_many(count: usize) -> impl FnOnce(&Provider) {
    move |provider| {
        let page = provider.documents()[SUMMARY].body.clone();
        let mut page: serde_json::Value = serde_json::from_slice(&page).unwrap();
        page["incidents"] = (0..count).map(|_| serde_json::json!({"id": "1"})).collect();
        provider.set_document(SUMMARY, "application/json", page.to_string());
        // Each poll brings all of it, and nobody has to compress it.
        provider.behave(|behaviour| (behaviour.not_modified, behaviour.gzip) = (false, false));
    }
}

fn header(bytes: usize) -> impl FnOnce(&Provider) {
    move |provider| {
        provider
            .behave(|behaviour| behaviour.headers = vec![("X-Long".to_owned(), vec![b'x'; bytes])]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs /proc/self/clear_refs, which measures memory: see .ci/run"]
async fn answers_made_to_harm_cost_little_memory() {
    let (polls, count) = effort();
    let (bomb, long, many, items) = tokio::join!(
        cost(
            ", max_body: 1MiB",
            fault(Fault::GzipBomb(2 << 20)),
            fault(Fault::GzipBomb(1 << 30)),
            "larger"
        ),
        cost("", header(500 << 10), header(1 << 20), "header"),
        cost("", fault(Fault::ManyHeaders(200)), fault(Fault::ManyHeaders(10_000)), "header"),
        cost("", too_many(count), |_| {}, "too many incidents"),
    );
    println!(
        "at most {} KiB more for a gzip body of 1 GiB, {} for a header of 1 MiB, {} for 10,000 headers, {} more in later polls of \
         {count} items than in the first, {polls} polls each",
        bomb.most, long.most, many.most, items.beyond_small
    );
    assert!(bomb.most < 4 << 10, "{} KiB: more than four times the limit of 1 MiB", bomb.most);
    assert!(long.most < 8 << 10 && many.most < 8 << 10, "{} and {} KiB", long.most, many.most);
    // Allocators differ by some MB; with all polls a body that stays would be seen at once, it has
    // 2.8 MB.
    assert!(
        items.beyond_small < 16 << 10,
        "{} KiB: each poll of too many items leaves something",
        items.beyond_small
    );
}
