//! Filters that name what the page does not have.

use rustix::process::Signal;
use statuswatch::fake::Request;
use statuswatch::fake::platform::Statuspage;

use super::{acme, is_conditional, polls};
use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};

/// The sentences about filters on standard error.
fn reported(err: &str) -> Vec<&str> {
    let lines = err.lines().filter(|line| line.contains("check the provider's filter"));
    lines.map(|line| line.split_once("] ").unwrap().1).collect()
}

#[tokio::test]
async fn an_unmatched_name_is_reported_once_for_each_configuration() {
    let provider = provider("acme", &Statuspage);
    let server = alone(&provider).await;
    let filter = ", components: [compute, Objekt storage, \"Data*\"], regions: [\"eu-*\"]";
    let mut bench = Bench::new().provider("acme", &server.url("acme"), filter);
    let run = bench.start(&["run"]);
    polls(&server, "acme", 3).await;
    let slips = [
        "warning: acme: check the provider's filter: no component matches \"Objekt storage\"; did you mean \"Object storage\"?",
        "warning: acme: check the provider's filter: no component matches \"Data*\"",
    ];
    run.wait_err("\"Data*\"").await;
    // Whatever changes on the page, it is not reported again.
    provider
        .set_component("Compute", statuswatch::event::ComponentStatus::DegradedPerformance)
        .unwrap();
    bench.wait_events(1).await;
    assert_eq!(reported(&run.err()), slips);

    // Another filter is another configuration. It is compared with what is known: nobody is asked
    // for it.
    bench.remove("acme");
    bench.add("acme", &server.url("acme"), ", components: [Compute, Objects]");
    bench.write();
    let before = server.requests_of("acme").len();
    run.signal(Signal::HUP);
    run.wait_err("\"Objects\"").await;
    let since = server.requests_of("acme").split_off(before);
    let whole =
        |request: &&Request| request.path.ends_with("summary.json") && !is_conditional(request);
    assert_eq!(since.iter().filter(whole).count(), 0);
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    let again = "warning: acme: check the provider's filter: no component matches \"Objects\"; did you mean \"Object storage\"?";
    assert_eq!(reported(&ended.err), [slips[0], slips[1], again]);
    let diagnostics =
        std::fs::read_dir(bench.path("diagnostics")).unwrap().next().unwrap().unwrap().path();
    let diagnostics = std::fs::read_to_string(diagnostics).unwrap();
    assert_eq!(diagnostics.matches("check the provider's filter").count(), 3, "{diagnostics}");
}

/// At the next start the page is as it was: it is compared all the same.
#[tokio::test]
async fn a_restart_compares_an_unchanged_page() {
    let (_acme, server, mut bench) = acme().await;
    let ended = bench.start(&["run", "--once"]).ended().await;
    assert_eq!((ended.code(), reported(&ended.err)), (Some(0), vec![]));
    bench.remove("acme");
    bench.add("acme", &server.url("acme"), ", components: [Computer]");
    let ended = bench.start(&["run", "--once"]).ended().await;
    let slip = "no component matches \"Computer\"; did you mean \"Compute\"?";
    assert_eq!(
        (ended.code(), reported(&ended.err)),
        (Some(0), vec![&*format!("warning: acme: check the provider's filter: {slip}")])
    );
    let ended = bench.start(&["check", "--online"]).ended().await;
    assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains(slip), "{}", ended.out);
}
