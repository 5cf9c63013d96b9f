//! Text from status pages: converts HTML to plain text that is safe to print on a terminal.
//!
//! Every function is pure and runs in linear time on any input. No output contains a character that
//! moves the cursor, hides text or changes its direction. Texts are kept in full, because they are
//! compared in full; [`cut`] truncates them for display.

mod cut;
mod entities;
mod glob;
mod html;
mod safe;

pub use cut::cut;
pub use entities::decode_entities;
pub use glob::{any_glob, glob};
pub use html::html_to_text;
pub use safe::{one_line, plain, safe, safe_colored, safe_json};

/// Maximum number of bytes of a title or name that are examined.
const MAX_INPUT: usize = 64 * 1024;

/// Returns the longest prefix of `text` within `max` bytes that ends at a character boundary.
#[must_use]
pub fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
