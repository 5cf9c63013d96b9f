//! Text cut by the columns it takes, and columns that fit the screen.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// The gap between two columns.
const GAP: u16 = 2;
/// Of one cluster of characters, base and combining marks, at most this many bytes are drawn.
const MAX_CLUSTER: usize = 32;

/// The meaning of a color. Signs and words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// No color.
    Plain,
    /// Secondary.
    Dim,
    /// All is well.
    Good,
    /// Attention.
    Warning,
    /// Something is broken.
    Bad,
    /// Planned.
    Planned,
}

impl Tone {
    /// Returns how it looks.
    pub(super) fn style(self, color: bool) -> Style {
        let style = Style::new();
        match self {
            Self::Dim => style.add_modifier(Modifier::DIM),
            _ if !color => style,
            Self::Plain => style,
            Self::Good => style.fg(Color::Green),
            Self::Warning => style.fg(Color::Yellow),
            Self::Bad => style.fg(Color::Red),
            Self::Planned => style.fg(Color::Cyan),
        }
    }
}

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    /// Text of any origin: on one line, without control characters.
    pub(super) fn new(text: &str, tone: Tone) -> Self {
        // More than any terminal is wide.
        Self { text: crate::text::one_line(text, 1_000), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Tone::Plain)
    }
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// The width to which it is cut before columns are left out; `u16::MAX`: it is never cut.
    pub(super) least: u16,
    /// Columns with a greater rank are left out first where the screen is narrow; 0: never.
    pub(super) rank: u8,
    /// Whether it takes what is left over, so that the others do not move.
    pub(super) fills: bool,
}

impl Column {
    /// A column that is as wide as its widest cell.
    pub(super) const fn new(heading: &'static str, rank: u8) -> Self {
        Self { heading, least: u16::MAX, rank, fills: false }
    }

    /// The same, but cut to `least` where it must be.
    pub(super) const fn shrinks(self, least: u16) -> Self {
        Self { least, ..self }
    }

    /// The same, but as wide as possible.
    pub(super) const fn fills(self) -> Self {
        Self { fills: true, ..self }
    }
}

/// Returns the columns that `text` takes.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

/// Returns as much of `text` as fits into `columns`, with `…` where it was cut.
pub(super) fn fit(text: &str, columns: u16) -> Cow<'_, str> {
    let is_short = text.len() <= usize::from(columns) && text.is_ascii();
    if is_short || (width(text) <= columns && text.len() <= 4 * usize::from(columns)) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut used) = (String::new(), 0);
    for cluster in Span::raw(text).styled_graphemes(Style::new()) {
        let symbol = within(cluster.symbol);
        let wide = width(symbol);
        // The last column is needed for the sign.
        if used + wide >= columns {
            let is_last = width(text) <= columns && used + wide == columns;
            if is_last {
                out.push_str(symbol);
            } else if columns > 0 {
                out.push('…');
            }
            return Cow::Owned(out);
        }
        used += wide;
        out.push_str(symbol);
    }
    Cow::Owned(out)
}

/// Returns a cluster without the combining marks that are too many.
fn within(cluster: &str) -> &str {
    crate::text::head(cluster, MAX_CLUSTER)
}

/// Returns `text` broken into lines of at most `columns`, at spaces where possible.
pub(super) fn wrap(text: &str, columns: u16) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = width(word);
        if used > 0 && used + 1 + wide > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for cluster in Span::raw(word).styled_graphemes(Style::new()) {
            let mut symbol = within(cluster.symbol);
            // Marks that take space make a cluster wider than two columns.
            if width(symbol) > columns {
                symbol = "…";
            }
            let wide = width(symbol);
            if used > 0 && used + wide > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(symbol);
            used += wide;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns the width of each column within `columns`; 0: it is left out.
pub(super) fn widths(table: &[Column], rows: &[Vec<Cell>], columns: u16) -> Vec<u16> {
    let widest = |index: usize, column: &Column| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| width(&cell.text));
        cells.fold(width(column.heading), u16::max)
    };
    let natural: Vec<u16> =
        table.iter().enumerate().map(|(index, column)| widest(index, column)).collect();
    let mut shown = vec![true; table.len()];
    loop {
        let mut widths: Vec<u16> = natural
            .iter()
            .zip(&shown)
            .map(|(wide, shown)| if *shown { *wide } else { 0 })
            .collect();
        let gaps = GAP.saturating_mul(
            u16::try_from(shown.iter().filter(|shown| **shown).count().saturating_sub(1))
                .unwrap_or(u16::MAX),
        );
        let room = u32::from(columns.saturating_sub(gaps));
        let total = |widths: &[u16]| widths.iter().map(|wide| u32::from(*wide)).sum::<u32>();
        // The widest of those that may be cut gives way first.
        while total(&widths) > room {
            let widest =
                table.iter().zip(&mut widths).filter(|(column, wide)| **wide > column.least);
            let Some((_, wide)) = widest.max_by_key(|(_, wide)| **wide) else { break };
            *wide -= 1;
        }
        let used = total(&widths);
        if used <= room {
            let left = u16::try_from(room - used).unwrap_or(0);
            if let Some((_, wide)) = table.iter().zip(&mut widths).find(|(column, _)| column.fills)
            {
                *wide += left;
            }
            return widths;
        }
        let ranked =
            table.iter().zip(&mut shown).filter(|(column, shown)| **shown && column.rank > 0);
        match ranked.max_by_key(|(column, _)| column.rank) {
            Some((_, shown)) => *shown = false,
            None => return widths,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        for (text, columns, cut) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("x", 0, ""),
            ("xy", 1, "…"),
        ] {
            assert_eq!(fit(text, columns), cut, "{text} {columns}");
        }
    }

    #[test]
    fn a_pile_of_combining_marks_is_lowered() {
        let pile = format!("a{}b", "\u{301}".repeat(5_000));
        let cut = fit(&pile, 20);
        assert!(cut.len() < 100 && cut.starts_with('a') && cut.ends_with('b'), "{}", cut.len());
        assert!(wrap(&pile, 20).concat().len() < 100);
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("We are looking into it", 10), ["We are", "looking", "into it"]);
        assert_eq!(wrap("unbreakable 日本語", 5), ["unbre", "akabl", "e", "日本", "語"]);
        assert!(wrap("", 5).is_empty());
        assert_eq!(wrap("a \u{18800}\u{1933}", 2), ["a", "…"]);
    }

    #[test]
    fn narrow_screens_cut_and_then_leave_out() {
        let table = [
            Column::new("A", 0),
            Column::new("TITLE", 0).shrinks(6).fills(),
            Column::new("NOTE", 2),
            Column::new("AGE", 1),
        ];
        let row: Vec<Cell> = ["xx", "a long title", "0123", "41m"].map(Cell::from).to_vec();
        let rows = [row];
        assert_eq!(widths(&table, &rows, 40), [2, 25, 4, 3]);
        assert_eq!(widths(&table, &rows, 25), [2, 10, 4, 3]);
        assert_eq!(widths(&table, &rows, 20), [2, 11, 0, 3]);
        assert_eq!(widths(&table, &rows, 10), [2, 6, 0, 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_place(text in "\\PC{0,40}", columns in 0_u16..30) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
            for line in wrap(&text, columns.max(2)) {
                prop_assert!(width(&line) <= columns.max(2), "{line:?}");
            }
        }
    }
}
