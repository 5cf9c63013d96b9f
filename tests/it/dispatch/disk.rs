//! A disk that is full while messages wait, in a file system of its own.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{hook, judge, wait_for_all};
use crate::support::bench::{Bench, Watch};
use crate::support::receiver::{Receiver, Reply};

/// Starts `run` with its database on a disk of 8 MB. The event log is elsewhere: what it holds was
/// recorded.
fn start(bench: &Bench) -> (Watch, PathBuf) {
    let mut command = Command::new("unshare");
    command
        .args([
            "-Urm",
            "sh",
            "-c",
            r#"mount -t tmpfs -o size=8m none disk && exec "$0" run --hosted"#,
        ])
        .arg(bench.command().get_program())
        .current_dir(bench.dir.path());
    let watch = Watch(
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
    );
    let root = Path::new("/proc").join(watch.0.id().to_string()).join("root");
    let disk = root.join(bench.path("disk").strip_prefix("/").unwrap());
    (watch, disk)
}

/// Fills the disk to its last byte.
fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while filler.write(&vec![b'x'; size]).is_ok_and(|written| written > 0) {}
    }
}

#[test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
fn a_full_disk_with_a_full_outbox_loses_nothing_and_repeats_only_the_same() {
    let receiver = Receiver::start();
    let bench = Bench::new(2, &format!("state_dir: disk/state\n{}", hook(&receiver)));
    fs::create_dir(bench.path("disk")).unwrap();
    receiver.always("/hook", Reply::status(503));
    let (mut watch, disk) = start(&bench);
    bench.publish(1, 40);
    bench.wait_until_reported();
    bench.wait_until("an attempt", || !receiver.at("/hook").is_empty());

    // Each failure doubles the delay of the channel: few rounds, and one failure in each.
    for round in 0..2 {
        fill(&disk);
        // The receiver works again, and nothing can be stored: neither that a message was accepted nor
        // that another is about to be sent.
        receiver.script("/hook", [Reply::Lost]);
        receiver.always("/hook", Reply::ok(""));
        let asked = bench.requests();
        bench.publish(10 + round, 10);
        bench.wait_until("polls on a full disk", || bench.requests() > asked + 30);
        assert!(bench.missing().is_some(), "round {round}: the disk is full");
        assert!(bench.diagnostics().contains("full"), "{}", bench.last_words());
        fs::remove_file(disk.join("filler")).unwrap();
        bench.wait_until_reported();
    }
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    let repeated = judge(&bench, &receiver);
    println!("{} events, {repeated} repeated", bench.lines().len());
}
