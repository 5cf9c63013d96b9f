//! Programs.

use std::fs;
use std::path::Path;

use statuswatch::notify::{ExecAnswer, ExecRequest};

use super::*;
use crate::support::wait::until_true;

fn program(argv: &[&str]) -> ExecRequest {
    ExecRequest {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: vec![("STATUSWATCH_TYPE".to_owned(), "incident".to_owned())],
        stdin: "{\"a\":1}".to_owned(),
        timeout: ENOUGH,
    }
}

fn script(text: &str) -> ExecRequest {
    program(&["/bin/sh", "-c", text])
}

async fn run(request: ExecRequest) -> ExecAnswer {
    match transport().send(Request::Exec(request), ENOUGH).await.unwrap() {
        Answer::Exec(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Returns whether a process runs; one that has ended may wait for its parent.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_program_gets_the_event_and_nothing_of_ours() {
    let answer = run(program(&["/usr/bin/env"])).await;
    assert_eq!((answer.code, answer.output.as_str()), (Some(0), "STATUSWATCH_TYPE=incident\n"));
    let answer = run(program(&["/bin/cat"])).await;
    assert_eq!(answer.output, "{\"a\":1}");
    // No shell reads its arguments.
    let answer = run(program(&["/bin/echo", "$(id)", "; id"])).await;
    assert_eq!(answer.output, "$(id) ; id\n");
}

#[tokio::test]
async fn the_exit_status_comes_back() {
    for code in [0, 1, 75] {
        let answer = run(script(&format!("echo out; echo err >&2; exit {code}"))).await;
        assert_eq!((answer.code, answer.output.as_str()), (Some(code), "out\nerr\n"));
    }
    assert_eq!(run(script("kill -9 $$")).await.code, None);
    // It need not read what it gets.
    let mut request = program(&["/bin/true"]);
    request.stdin = "x".repeat(1 << 20);
    assert_eq!(run(request).await.code, Some(0));
}

#[tokio::test]
async fn a_program_that_is_not_there_was_not_started() {
    let request = program(&["/nowhere/notify"]);
    let error = transport().send(Request::Exec(request), ENOUGH).await.unwrap_err();
    insta::assert_snapshot!(
        error,
        @"not sent: the program cannot be started: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn only_the_end_of_the_output_is_kept() {
    let answer = run(script("head -c 1000000 /dev/zero | tr '\\0' x; echo end")).await;
    assert_eq!(answer.output.len(), 64 << 10);
    assert!(answer.output.ends_with("xend\n"));
}

#[tokio::test]
async fn what_it_started_ends_with_it() {
    // It ends by itself.
    let answer = run(script("sleep 1000 & echo $!")).await;
    assert_eq!(answer.code, Some(0));
    let pid = answer.output.trim().to_owned();
    until_true("the end of a background process", || !runs(&pid)).await;
    // It exceeds its time.
    let mut request = script("sleep 1000 & echo $! $$; wait");
    request.timeout = SHORT;
    let answer = run(request).await;
    assert_eq!(answer.code, None);
    let pids: Vec<&str> = answer.output.split_whitespace().collect();
    assert_eq!(pids.len(), 2);
    until_true("the end of the group", || !pids.iter().any(|pid| runs(pid))).await;
    // Nobody waits for it any more.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let request = script(&format!("sleep 1000 & echo $! $$ > {}; wait", file.display()));
    let sending = tokio::spawn(async move {
        let transport = transport();
        transport.send(Request::Exec(request), ENOUGH).await
    });
    let written = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'));
    until_true("the start of the program", || written(&file)).await;
    sending.abort();
    let pids = fs::read_to_string(&file).unwrap();
    until_true("the end of the group", || !pids.split_whitespace().any(runs)).await;
}

#[tokio::test]
async fn a_process_that_leaves_the_group_delays_nothing() {
    // It keeps the pipe open.
    let begun = std::time::Instant::now();
    let answer = run(script("setsid sleep 30 & echo $!")).await;
    assert_eq!(answer.code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(25));
    let pid: i32 = answer.output.trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
}
