//! Reads requests and writes answers, one per line.

use std::io::{self, BufRead, Write};

use super::call::Context;
use super::rpc;
use crate::text::safe_json;

/// The longest request in bytes. A longer one is skipped and answered with an error.
pub(super) const MAX_LINE: usize = 256 * 1024;

/// Answers requests until the input ends.
///
/// # Errors
/// Standard input or output fails.
pub fn serve(mut input: impl BufRead, mut output: impl Write, context: &Context) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let answer = match read(&mut input, &mut line)? {
            Line::End => return Ok(()),
            Line::TooLong => Some(rpc::too_long(MAX_LINE)),
            Line::Complete => rpc::answer(&line, context),
        };
        if let Some(answer) = answer {
            // No character from a provider may control a terminal.
            output.write_all(safe_json(&answer.to_string()).as_bytes())?;
            output.write_all(b"\n")?;
            output.flush()?;
        }
    }
}

enum Line {
    Complete,
    TooLong,
    End,
}

/// Reads one line into `line`, without its line feed, and never more than [`MAX_LINE`] of it.
fn read(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut is_long = false;
    loop {
        let part = match input.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if part.is_empty() {
            // A last line without a line feed counts.
            return Ok(match (is_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Complete,
            });
        }
        let end = memchr::memchr(b'\n', part);
        let (text, used) = match end.and_then(|end| part.split_at_checked(end)) {
            Some((text, _)) => (text, text.len() + 1),
            None => (part, part.len()),
        };
        is_long |= line.len() + text.len() > MAX_LINE;
        if !is_long {
            line.extend_from_slice(text);
        }
        let is_end = end.is_some();
        input.consume(used);
        if is_end {
            return Ok(if is_long { Line::TooLong } else { Line::Complete });
        }
    }
}
