//! The text block people read, on the console and in the text log.

use super::StatusEvent;

/// Renders the block of the contract, ending in the dashed line and a line feed.
#[must_use]
pub fn render_block(event: &StatusEvent) -> String {
    let _ = event;
    String::new()
}
