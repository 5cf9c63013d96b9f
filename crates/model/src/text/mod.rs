//! Text from feeds: HTML to plain text, and nothing that could harm a terminal.
//!
//! Everything here is pure, takes linear time on any input, and promises that its output holds no
//! character that moves a cursor, hides text or turns its direction. A text is kept whole, for it
//! is compared whole; [`cut`] shortens it where a place has room for less.

mod cut;
mod entities;
mod html;
mod safe;

pub use cut::cut;
pub use entities::decode_entities;
pub use html::html_to_text;
pub use safe::{one_line, plain, safe, safe_colored, safe_json};

/// Bytes of a title or name that are looked at.
const MAX_INPUT: usize = 64 * 1024;

/// The longest start of `text` within `max` bytes that ends on a character boundary.
#[must_use]
pub fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
