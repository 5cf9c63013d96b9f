//! Puts a whole notification into one text, for services whose messages are one text.

use super::{Layout, Unit, fit_escaped, length};

/// Longest title, in the service's unit.
const TITLE: usize = 250;

/// How a service marks up a text. Every function gets plain text and returns markup.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Shows text as it is.
    pub escape: fn(&str) -> String,
    /// Shows text as it is, emphasized; gets one line.
    pub strong: fn(&str) -> String,
    /// Shows a link to an address.
    pub link: fn(&str) -> String,
    /// Separates lines.
    pub newline: &'static str,
}

impl Style {
    /// Plain text, shown as it is.
    pub const PLAIN: Self =
        Self { escape: str::to_owned, strong: str::to_owned, link: str::to_owned, newline: "\n" };

    /// Returns title, text and link, each on a line of its own, in at most `max` units. The text is
    /// cut first; a link that would take more than a third is left out.
    #[must_use]
    pub fn whole(&self, layout: &Layout, max: usize, unit: Unit) -> String {
        let title = format!("{} {}", layout.sign(), layout.title);
        let mut lines = vec![fit_escaped(&title, TITLE.min(max / 2), unit, self.strong)];
        let link = layout.url.as_deref().map(self.link).filter(|l| length(l, unit) <= max / 3);
        let separators = 2 * length(self.newline, unit);
        let used: usize = lines.iter().chain(&link).map(|line| length(line, unit)).sum();
        let room = max.saturating_sub(used + separators);
        lines.push(fit_escaped(&layout.text(), room, unit, |text| self.lines(text)));
        lines.extend(link);
        lines.retain(|line| !line.is_empty());
        lines.join(self.newline)
    }

    /// Returns text of several lines as markup.
    #[must_use]
    pub fn lines(&self, text: &str) -> String {
        (self.escape)(text).replace('\n', self.newline)
    }

    /// Returns [`Layout::short`] as markup.
    #[must_use]
    pub fn short(&self, layout: &Layout) -> String {
        self.lines(&layout.short())
    }
}
