//! Aligned tables. Cells hold untrusted text: control characters are removed.

use super::output::Paint;

/// The gap between two columns.
const GAP: &str = "  ";

/// A table: a heading, and rows of as many cells.
#[derive(Debug, Clone)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A colored cell.
    #[must_use]
    pub fn painted(text: &str, paint: Paint) -> Self {
        Self { text: one_line(text), paint }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text.as_ref(), Paint::Plain)
    }
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Appends a row. Cells beyond the headings are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().take(self.headings.len()).collect());
    }

    /// Whether it has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each ending in a line feed, without trailing blanks.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| width(heading)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        let mut out = String::new();
        let headings: Vec<Cell> =
            self.headings.iter().map(|heading| Cell::painted(heading, Paint::Dim)).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            // Blanks are owed until a cell follows that is not empty: a line has none at its end.
            let mut owed = 0;
            for (index, (cell, column)) in row.iter().zip(&widths).enumerate() {
                if index > 0 {
                    owed += GAP.len();
                }
                let used = width(&cell.text);
                if used > 0 {
                    out.extend(std::iter::repeat_n(' ', owed));
                    out.push_str(&cell.paint.apply(&cell.text, color));
                    owed = 0;
                }
                owed += column.saturating_sub(used);
            }
            out.push('\n');
        }
        out
    }
}

/// Returns `text` on one line, without terminal control sequences.
#[must_use]
pub fn one_line(text: &str) -> String {
    crate::text::one_line(text, usize::MAX)
}

/// Columns a terminal needs: two for the wide East Asian blocks and emoji, one for the rest. Near
/// enough to align by.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x0300..=0x036F | 0xFE00..=0xFE0F => 0,
            0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1FAFF
            | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_end_without_blanks() {
        let mut table = Table::new(&["PROVIDER", "STATUS", "SINCE"]);
        table.row(["acme".into(), Cell::painted("Operational", Paint::Green), "".into()]);
        table.row(["a-longer-name".into(), "Down".into(), "2m ago".into()]);
        table.row(["日本".into(), "Down".into(), "1m ago".into()]);
        let lines = [
            "PROVIDER       STATUS       SINCE",
            "acme           Operational",
            "a-longer-name  Down         2m ago",
            "日本           Down         1m ago",
        ];
        assert_eq!(table.render(false).lines().collect::<Vec<_>>(), lines);
        assert!(table.render(true).contains("\u{1b}[32mOperational\u{1b}[0m"));
    }

    #[test]
    fn nothing_in_a_cell_reaches_the_terminal_as_a_command() {
        let mut table = Table::new(&["TITLE"]);
        table.row(["\u{1b}[2Jforged\nline\u{202e}\u{7}\u{9b}1m".into()]);
        let text = table.render(false);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(
            !text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
    }
}
