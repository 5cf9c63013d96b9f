//! The line of progress on a terminal, and the writes that must not run into it.
//!
//! The line stands at the bottom, on standard error. Whatever else writes to the terminal does so
//! through [`around`], which removes the line first and writes it again behind the text.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The line shown at the moment; empty: none.
static LINE: Mutex<String> = Mutex::new(String::new());

/// Returns to the first column and erases the line.
const ERASE: &str = "\r\u{1b}[2K";

/// Shows `line` in place of the former one.
pub fn show(line: &str) {
    let mut shown = lock();
    line.clone_into(&mut shown);
    draw(&format!("{ERASE}{line}"));
}

/// Removes the line.
pub fn clear() {
    let mut shown = lock();
    if !shown.is_empty() {
        shown.clear();
        draw(ERASE);
    }
}

/// Runs `write`, which writes whole lines to the terminal, with the line out of its way.
pub fn around<T>(write: impl FnOnce() -> T) -> T {
    let shown = lock();
    if shown.is_empty() {
        // A slow reader delays only the writer.
        drop(shown);
        return write();
    }
    draw(ERASE);
    let result = write();
    draw(&shown);
    result
}

/// Standard error, written to around the line.
#[derive(Debug)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        around(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn draw(text: &str) {
    let mut err = io::stderr().lock();
    // A terminal that has gone shows no progress.
    let _gone = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn lock() -> MutexGuard<'static, String> {
    // No code under this lock can leave it half changed.
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}
