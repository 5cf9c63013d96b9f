//! Standard output that is closed, broken or not read: everything else continues.

use std::fs::File;
use std::io::{PipeReader, Read as _};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Posted, Provider, Server};

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, until_true};

/// Exceeds the capacity of a pipe.
const TEXT: usize = 4000;

async fn acme() -> (Provider, Server, Bench, Posted) {
    let acme = provider("acme", &Statuspage);
    let posted = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    let server = alone(&acme).await;
    let bench =
        Bench::new().provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    (acme, server, bench, posted)
}

/// Starts `run` with this as its standard output.
fn start(bench: &Bench, out: impl Into<Stdio>) -> Run {
    bench.write();
    let mut command = bench.command();
    Run::start_with_out(command.args(["run", "--hosted"]), out.into())
}

fn write(acme: &Provider, posted: Posted, count: usize) {
    for n in 0..count {
        acme.update(
            posted.incident,
            IncidentStatus::Identified,
            &format!("Long update {n}: {}", "x".repeat(TEXT)),
        )
        .unwrap();
    }
}

fn console(bench: &Bench) -> Option<serde_json::Value> {
    bench.status()?["sinks"].as_array()?.iter().find(|sink| sink["id"] == "console").cloned()
}

/// Reads until `what` appears, in a separate thread, and continues reading.
fn read_all(mut pipe: PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_nobody_reads_delays_only_itself() {
    let (acme, server, bench, posted) = acme().await;
    let (reader, writer) = std::io::pipe().unwrap();
    let run = start(&bench, writer);
    bench.wait_events(1).await;
    write(&acme, posted, 60);
    bench.wait_events(61).await;
    let behind = until("a console that is behind", || {
        console(&bench).filter(|sink| sink["behind"].as_u64() > Some(20))
    })
    .await;
    assert!(behind["seq"].as_u64() < Some(41), "{behind}");
    let asked = server.requests_of("acme").len();
    until_true("further polls", || server.requests_of("acme").len() > asked + 3).await;
    // Once it is read again, output continues in order and without repetition.
    let text = read_all(reader);
    until_true("the rest", || console(&bench).is_some_and(|sink| sink["behind"] == 0)).await;
    assert_eq!(run.stop().await.code(), Some(0));
    let text = text.join().unwrap();
    assert_eq!(text.matches("] acme - ").count(), 61);
    let places: Vec<_> =
        (0..60).map(|n| text.find(&format!("Long update {n}: ")).unwrap()).collect();
    assert!(places.is_sorted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_nobody_reads_delays_the_end_no_longer_than_allowed_and_a_second_signal_ends_it_at_once()
 {
    for second in [false, true] {
        let (acme, _server, bench, posted) = acme().await;
        let (reader, writer) = std::io::pipe().unwrap();
        let run = start(&bench, writer);
        bench.wait_events(1).await;
        write(&acme, posted, 60);
        bench.wait_events(61).await;
        until_true("a console that is behind", || {
            console(&bench).is_some_and(|sink| sink["behind"].as_u64() > Some(20))
        })
        .await;
        run.signal(Signal::TERM);
        if second {
            // Cannot be distinguished from the first one until that was logged.
            until_true("the end to begin", || bench.diagnostics().contains("stopping")).await;
            run.signal(Signal::TERM);
        }
        let ended = run.ended().await;
        assert_eq!(ended.code(), Some(i32::from(second)), "{}", ended.err);
        drop(reader);
        assert_eq!(bench.events().len(), 61);
        // Nothing is lost for the console either.
        let (reader, writer) = std::io::pipe().unwrap();
        let run = start(&bench, writer);
        let text = read_all(reader);
        until_true("the rest", || console(&bench).is_some_and(|sink| sink["behind"] == 0)).await;
        run.stop().await;
        assert!(text.join().unwrap().contains("Long update 59: "));
        assert_eq!(bench.events().len(), 61);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_console_is_reported_and_costs_the_others_nothing() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let broken = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for out in [full(), broken()] {
        let (acme, _server, bench, posted) = acme().await;
        let run = start(&bench, out);
        bench.wait_events(1).await;
        write(&acme, posted, 3);
        bench.wait_events(4).await;
        until_true("status to say so", || {
            console(&bench).is_some_and(|sink| {
                sink["trouble"].as_str().is_some_and(|why| why.contains("standard output"))
            })
        })
        .await;
        let ended = run.stop().await;
        assert_eq!(ended.code(), Some(0));
        assert_eq!(ended.err.matches("cannot deliver").count(), 1, "{}", ended.err);
        assert!(!ended.err.contains("panic"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_console_is_none() {
    let (_acme, _server, bench, _) = acme().await;
    bench.write();
    let program = bench.command();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" run --hosted >&-"])
        .arg(program.get_program())
        .current_dir(program.get_current_dir().unwrap());
    let run = Run::start(shell.stdin(Stdio::null()));
    bench.wait_events(1).await;
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
    // None of the program's own files was opened in its place and overwritten.
    assert_eq!(bench.events().len(), 1);
    assert!(bench.status().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs script, which makes a terminal: see .ci/run"]
async fn colour_is_for_terminals_of_those_who_want_it() {
    for (wanted, terminal) in [(true, true), (false, true), (true, false)] {
        let (_acme, _server, bench, _) = acme().await;
        bench.write();
        let program = bench.command();
        let line = format!("{} run --once", program.get_program().to_str().unwrap());
        let mut command = if terminal { Command::new("script") } else { Command::new("sh") };
        if terminal {
            command.args(["-qec", &line, "/dev/null"])
        } else {
            command.args(["-c", &line])
        };
        command
            .current_dir(program.get_current_dir().unwrap())
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .stdin(Stdio::null());
        if !wanted {
            command.env("NO_COLOR", "1");
        }
        let ended = Run::start(&mut command).ended().await;
        assert!(ended.out.contains("Incident: Failed requests"), "{ended:?}");
        assert_eq!(ended.out.contains("\u{1b}["), wanted && terminal, "{:?}", ended.out);
    }
}
