//! `top` without a terminal. What it draws is tested next to the code.

use crate::commands::{run, watched};

#[test]
fn without_a_terminal_it_names_the_command_that_prints() {
    let dir = watched();
    let (output, out, err) = run(dir.path(), &["top"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""));
    assert!(err.contains("top needs a terminal; use `statuswatch status`"), "{err}");
}
