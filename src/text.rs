//! Text from feeds: HTML to plain text, and nothing that could harm a terminal.
