//! Text from feeds: HTML to plain text, and nothing that could harm a terminal.
//!
//! Everything here is pure, takes linear time on any input, and promises that its output holds no
//! character that moves a cursor, hides text or turns its direction.

mod entities;
mod html;
mod safe;

pub use entities::decode_entities;
pub use html::html_to_text;
pub use safe::{one_line, plain, safe, safe_colored, safe_json};

/// Bytes of one text that are looked at; a status update is a thousandth of that.
const MAX_INPUT: usize = 64 * 1024;

/// Bytes of one text that are kept, the mark included.
const MAX_OUTPUT: usize = 16 * 1024;

/// Stands where a text was cut.
const CUT: char = '…';

/// The longest start of `text` within `max` bytes that ends on a character boundary.
fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Cuts `text` to [`MAX_OUTPUT`]; `lost` says that something is missing already.
fn finish(mut text: String, lost: bool) -> String {
    let end = text.trim_end().len();
    text.truncate(end);
    if text.len() > MAX_OUTPUT || lost {
        let end = head(&text, MAX_OUTPUT - CUT.len_utf8()).trim_end().len();
        text.truncate(end);
        text.push(CUT);
    }
    text
}
