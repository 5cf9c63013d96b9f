//! Under a service manager, as the first process of a container, asked to end while it begins, and
//! under the users' own proof.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Provider, Server};

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, within};

async fn acme() -> (Provider, Server, Bench) {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench =
        Bench::new().provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    bench.write();
    (acme, server, bench)
}

/// The program in the bench's directory, run by another one.
fn run_by(by: &str, args: &[&str], bench: &Bench) -> Command {
    let program = bench.command();
    let mut command = Command::new(by);
    command.args(args).arg(program.get_program()).args(["run", "--hosted"]);
    command.current_dir(program.get_current_dir().unwrap()).stdin(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_is_notified_when_it_is_ready_alive_and_stopping() {
    let (_acme, server, bench) = acme().await;
    let address = bench.path("notify");
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let ledger = bench.path("state/ledger.db");
    let heard = std::thread::spawn(move || {
        let mut heard: Vec<(String, Instant, bool)> = Vec::new();
        let mut buffer = [0; 4096];
        while heard.last().is_none_or(|(last, ..)| !last.contains("STOPPING=1")) {
            let length = socket.recv(&mut buffer).expect("it says that it stops");
            heard.push((
                String::from_utf8(buffer[..length].to_vec()).unwrap(),
                Instant::now(),
                ledger.exists(),
            ));
        }
        heard
    });
    let mut command = bench.command();
    command
        .args(["run", "--hosted"])
        .env("NOTIFY_SOCKET", &address)
        .env("WATCHDOG_USEC", "4000000");
    let run = Run::start(&mut command);
    within("polls", server.wait_answered("acme", 20)).await;
    assert_eq!(run.stop().await.code(), Some(0));
    let heard = heard.join().unwrap();
    let ready: Vec<_> = heard.iter().filter(|(what, ..)| what.contains("READY=1")).collect();
    assert!(ready.len() == 1 && ready[0].2, "once, with the ledger open: {heard:?}");
    let fed: Vec<Instant> = heard
        .iter()
        .filter(|(what, ..)| what.contains("WATCHDOG=1"))
        .map(|(_, at, _)| *at)
        .collect();
    assert!(fed.len() >= 2, "{heard:?}");
    // Half of the period is 2 s; it is killed after 4 s. The shortest gap is what it aims at.
    let gap = fed.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(gap < Duration::from_secs(4), "{fed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs process namespaces: see .ci/run"]
async fn as_the_first_process_it_hears_signals_as_ever() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_acme, server, bench) = acme().await;
        let run = Run::start(&mut run_by("unshare", &["-Urpf"], &bench));
        within("polls", server.wait_answered("acme", 5)).await;
        let children = format!("/proc/{0}/task/{0}/children", run.pid());
        let child =
            until("its child", || std::fs::read_to_string(&children).unwrap().trim().parse().ok())
                .await;
        let began = Instant::now();
        kill_process(Pid::from_raw(child).unwrap(), signal).unwrap();
        let ended = run.ended().await;
        assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}

/// From the moment it reads its configuration, which is the first thing it does, a signal ends it
/// in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: see .ci/run"]
async fn asked_to_end_while_it_begins_it_ends_well() {
    let (_acme, server, bench) = acme().await;
    // Reading the configuration, taking the state directory, opening the database: the signal comes
    // in the middle of it.
    for (file, signal) in
        [("providers.yaml", "TERM"), ("state/lock", "INT"), ("state/ledger.db", "TERM")]
    {
        let inject = format!("inject=openat:signal={signal}:when=1");
        let args = [
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-P",
            file,
            "-e",
            "trace=openat",
            "-e",
            "signal=none",
            "-e",
            &inject,
        ];
        let began = Instant::now();
        let ended = Run::start(&mut run_by("strace", &args, &bench)).ended().await;
        let said: Vec<&str> =
            ended.err.lines().filter(|line| !line.starts_with("strace: ")).collect();
        assert_eq!((ended.code(), said), (Some(0), vec![]), "{file}");
        assert!(began.elapsed() < Duration::from_mins(1), "{file}: {:?}", began.elapsed());
    }
    assert!(server.requests().len() < 50, "it went on: {}", server.requests().len());
}

#[test]
fn the_chaos_command_finds_nothing_lost_and_nothing_twice() {
    let bench = Bench::new();
    let (output, out, err) = bench.output(&["chaos", "--duration", "3s", "--seed", "2"]);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("lost 0, twice 0, torn 0"), "{out}{err}");
    let published = out
        .lines()
        .find_map(|line| line.strip_prefix("published ")?.split(',').next()?.parse::<u32>().ok());
    assert!(published > Some(5), "{out}");
    assert!(!out.contains("actors broken 0 times"), "{out}");
}
