//! The event log on a full file system.

use super::*;

/// Set in the child process, which has its own small file system.
const SMALL_DISK: &str = "STATUSWATCH_TEST_SMALL_DISK";

/// The name of the test below.
const NAME: &str = "sinks::disk::a_full_disk_delays_and_loses_nothing";

/// A disk that fills up and is freed: no line is missing, repeated or torn.
#[test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
fn a_full_disk_delays_and_loses_nothing() {
    let Some(dir) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=256k none \"${SMALL_DISK}\"");
        let script = format!("{mount} && exec \"$TEST_BINARY\" --ignored --exact {NAME}");
        let output = std::process::Command::new("unshare")
            .args(["-Urm", "sh", "-c", &script])
            .env(SMALL_DISK, dir.path())
            .env("TEST_BINARY", std::env::current_exe().unwrap())
            .output()
            .unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
        return;
    };
    let filler = dir.join("filler");
    let mut ledger = Ledger::new(200);
    let mut sink = json(&dir, Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(5)).unwrap();
    fs::write(&filler, vec![1; 220 << 10]).unwrap();
    assert!(sink.deliver(&ledger.behind(200)).is_err());
    assert!(ledger.open(&mut sink).is_err(), "still full: the torn line cannot be completed");
    fs::remove_file(&filler).unwrap();
    ledger.open(&mut sink).unwrap();
    assert!(ledger.cursor.seq > 5, "what was written is kept");
    ledger.drain(&mut sink);
    let expected: Vec<&str> = ledger.events.iter().map(|r| r.line.as_str()).collect();
    assert_eq!(fs::read_to_string(active(&dir)).unwrap(), expected.join("\n") + "\n");
}
