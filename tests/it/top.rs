//! `top` without a terminal. What it draws is tested next to the code, and `--url` in `server/terminal.rs`.

use crate::commands::{run, watched};

#[test]
fn without_a_terminal_it_names_the_command_that_prints() {
    let dir = watched();
    let (output, out, err) = run(dir.path(), &["top"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""));
    assert!(err.contains("top needs a terminal; use `statuswatch status`"), "{err}");
}

#[test]
fn a_token_does_not_go_where_others_can_read_it() {
    let dir = watched();
    std::fs::write(dir.path().join("token"), "0123456789abcdef").unwrap();
    let refused = |args: &[&str]| {
        let (output, _, err) = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(!err.contains("0123456789abcdef"), "{err}");
        err
    };
    let err = refused(&["top", "--url", "http://ops.example", "--token-file", "token"]);
    assert!(err.contains("the token would be sent unencrypted: use an https address"), "{err}");
    let err = refused(&["top", "--url", "https://ops.example", "--token-file", "absent"]);
    assert!(err.contains("cannot read the token in absent"), "{err}");
    let err = refused(&["top", "--url", "ops.example"]);
    assert!(err.contains("--url must be an address such as https://"), "{err}");
    refused(&["top", "--token-file", "token"]);
}
