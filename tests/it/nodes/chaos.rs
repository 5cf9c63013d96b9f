//! The command that breaks nodes at random, for a few rounds.

use serde_json::Value;

use crate::support::binary::Bench;

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_nodes_that_are_broken_at_random_lose_nothing() {
    let bench = Bench::new();
    let words = "chaos nodes --rounds 10 --duration 1m --providers 60 --seed 7 --json";
    let output = bench.command_with_faults().args(words.split(' ')).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    let rounds = summary["rounds"].as_object().unwrap().values().filter_map(Value::as_u64);
    assert!(rounds.sum::<u64>() >= 3, "{out}");
    assert_eq!(summary["verdict"]["violations"], serde_json::json!({}), "{out}");
    let figures = &summary["verdict"]["figures"];
    assert!(figures["events"].as_u64() > Some(20), "{out}");
    assert!(figures["requests"].as_u64() > Some(200), "{out}");
}

#[test]
fn only_what_can_be_broken_is_accepted() {
    let bench = Bench::new();
    let (output, out, err) = bench.output(&["chaos", "nodes", "--only", "moon"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""));
    insta::assert_snapshot!(err, @r#"statuswatch: nothing that can be broken here is named "moon", but kill, freeze, stop, database, hold, cut, promote-sync, promote-async, member"#);
}
