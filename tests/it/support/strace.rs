//! The real binary under strace, which kills it at a system call or lets the call fail.
//!
//! Counts of `when=` are of one call in one thread. strace's `--seccomp-bpf` is of no use here: it
//! leaves out signals.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::bench::{Bench, Watch};

/// `run` under strace with these options, its standard error kept. strace passes no signal on, so
/// both are a group of their own.
pub(crate) fn start(bench: &Bench, options: &[&str]) -> Watch {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "signal=none"]).args(options);
    command
        .arg(bench.command().get_program())
        .args(["run", "--hosted"])
        .current_dir(bench.dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    Watch(command.spawn().unwrap())
}

/// Sends both a signal.
pub(crate) fn signal(watch: &Watch, signal: Signal) {
    kill_process_group(Pid::from_child(&watch.0), signal).unwrap();
}

/// How it ended, unless it goes on for longer than this: then it is killed.
pub(crate) fn ended(watch: &mut Watch, within: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < within {
        if let Some(status) = watch.0.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(watch, Signal::KILL);
    watch.0.wait().unwrap();
    None
}

/// Asks the program itself, which is strace's child, to end; it may have done so already.
pub(crate) fn stop(watch: &mut Watch, within: Duration) -> ExitStatus {
    let id = watch.0.id();
    let children =
        std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let child =
        children.split_whitespace().next().and_then(|child| Pid::from_raw(child.parse().unwrap()));
    if let Some(child) = child {
        kill_process(child, Signal::TERM).ok();
    }
    watch.end(within)
}
