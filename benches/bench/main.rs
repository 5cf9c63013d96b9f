//! Measures what statuswatch costs. One binary with one subcommand per question:
//!
//! ```text
//! cargo bench -- parse                 bytes to events, each source, 50 KB and 200 KB
//! cargo bench -- ledger [DATABASE]     events recorded per second, in a file or a PostgreSQL database
//! cargo bench -- deliver               messages to a webhook: rate, delay, memory of a backlog
//! cargo bench -- log                   events written to the event log and synced per second
//! cargo bench -- poll                  an unchanged and a changed poll next to a bare fetch loop
//! cargo bench -- scale 1000 [SECONDS] [plain]
//!                                      the release binary against 1,000 fake providers over TLS
//! cargo bench -- nodes DATABASE N SECONDS NODES
//!                                      several nodes that share N fake providers
//! cargo bench -- soak 100 60           100 providers at fifty times the pace for 60 minutes
//! cargo bench -- replay                10,000 answers of a recording replayed
//! cargo bench -- views                 `history` over 1,000,000 events, `status` with 10,000 providers
//! cargo bench -- surfaces              dashboard, metrics, API, streams and `top` of such a ledger
//! ```
//!
//! Everything is local and synthetic. Costs are CPU time wherever possible, and comparisons
//! alternate within one run, so that other load affects both sides equally.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::duration_suboptimal_units,
    clippy::panic,
    clippy::struct_field_names,
    clippy::unchecked_time_subtraction,
    clippy::zombie_processes,
    reason = "a benchmark that cannot go on should fail where it stands, and has a table to print"
)]

mod bare;
mod deliver;
mod documents;
#[path = "../../tests/it/sources/fixtures.rs"]
#[expect(dead_code, reason = "the tests take more from it")]
mod fixtures;
mod grow;
mod ledger;
mod log;
mod measure;
mod nodes;
mod parse;
mod poll;
mod replay;
mod scale;
mod server;
mod soak;
mod surfaces;
mod views;
mod watched;

fn main() {
    // cargo bench passes `--bench` to every benchmark.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["parse"] => parse::run(),
        ["ledger"] => ledger::run(),
        ["ledger", url] => ledger::run_shared(url),
        ["deliver"] => deliver::run(),
        ["log"] => log::run(),
        ["poll", rest @ ..] => poll::run(rest.first().copied()),
        ["replay"] => replay::run(),
        ["views"] => views::run(),
        ["surfaces"] => surfaces::run(),
        ["scale", count, rest @ ..] => {
            let count = count.parse().expect("scale takes a number of providers");
            scale::run(
                count,
                rest.first().map_or(60, |seconds| seconds.parse().expect("an interval in seconds")),
                rest.get(1) != Some(&"plain"),
            );
        }
        ["nodes", url, count, seconds, nodes] => nodes::run(
            url,
            count.parse().expect("a number of providers"),
            seconds.parse().expect("an interval in seconds"),
            nodes.parse().expect("a number of nodes"),
        ),
        ["soak", count, minutes] => {
            soak::run(
                count.parse().expect("a number of providers"),
                minutes.parse().expect("minutes"),
            );
        }
        ["server", rest @ ..] => server::run(rest),
        ["bare", rest @ ..] => bare::run(rest),
        [] => {
            parse::run();
            ledger::run();
            log::run();
            poll::run(None);
        }
        _ => eprintln!(
            "parse, ledger, deliver, log, poll, replay, scale N [SECONDS] [plain], nodes, views, surfaces"
        ),
    }
}
