//! What an edit changed, word by word. Pure.

/// Words of either text that are compared; longer texts are shown whole, old and new.
const WORDS: usize = 600;

/// A piece of the two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// In both.
    Same(String),
    /// In the old one alone.
    Removed(String),
    /// In the new one alone.
    Added(String),
}

/// Compares two texts. Joined again, the pieces that are `Same` or `Added` are the new text.
pub(super) fn diff(old: &str, new: &str) -> Vec<Piece> {
    let (before, after) = (words(old), words(new));
    if before.len() > WORDS || after.len() > WORDS {
        return vec![Piece::Removed(old.to_owned()), Piece::Added(new.to_owned())];
    }
    let lengths = lengths(&before, &after);
    let width = after.len() + 1;
    let length =
        |row: usize, column: usize| lengths.get(row * width + column).copied().unwrap_or(0);
    let (mut pieces, mut row, mut column) = (Vec::new(), 0, 0);
    loop {
        match (before.get(row), after.get(column)) {
            (Some(one), Some(other)) if one == other => {
                push(&mut pieces, Piece::Same((*one).to_owned()));
                (row, column) = (row + 1, column + 1);
            }
            (Some(one), other)
                if other.is_none() || length(row + 1, column) >= length(row, column + 1) =>
            {
                push(&mut pieces, Piece::Removed((*one).to_owned()));
                row += 1;
            }
            (_, Some(other)) => {
                push(&mut pieces, Piece::Added((*other).to_owned()));
                column += 1;
            }
            (_, None) => return pieces,
        }
    }
}

/// Words, each with the white space behind it.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let behind = rest.get(end..).unwrap_or_default();
        let space = behind.find(|c: char| !c.is_whitespace()).unwrap_or(behind.len());
        let (word, other) = rest.split_at(end + space);
        words.push(word);
        rest = other;
    }
    words
}

/// For each pair of suffixes the length of their longest common subsequence, row by row.
fn lengths(before: &[&str], after: &[&str]) -> Vec<u16> {
    let width = after.len() + 1;
    let mut table = vec![0_u16; (before.len() + 1) * width];
    for (row, one) in before.iter().enumerate().rev() {
        for (column, other) in after.iter().enumerate().rev() {
            let at =
                |row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
            let value = if one == other {
                at(row + 1, column + 1) + 1
            } else {
                at(row + 1, column).max(at(row, column + 1))
            };
            if let Some(cell) = table.get_mut(row * width + column) {
                *cell = value;
            }
        }
    }
    table
}

fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match (pieces.last_mut(), piece) {
        (Some(Piece::Same(last)), Piece::Same(text))
        | (Some(Piece::Removed(last)), Piece::Removed(text))
        | (Some(Piece::Added(last)), Piece::Added(text)) => last.push_str(&text),
        (_, piece) => pieces.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_edit_is_shown_by_its_words() {
        let pieces = diff("We are looking into it.", "We are still looking into errors.");
        assert_eq!(
            pieces,
            [
                Piece::Same("We are ".to_owned()),
                Piece::Added("still ".to_owned()),
                Piece::Same("looking into ".to_owned()),
                Piece::Removed("it.".to_owned()),
                Piece::Added("errors.".to_owned()),
            ]
        );
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_it(old in "[ab \n]{0,40}", new in "[ab \n]{0,40}") {
            let (mut before, mut after) = (String::new(), String::new());
            for piece in diff(&old, &new) {
                match piece {
                    Piece::Same(text) => {
                        before.push_str(&text);
                        after.push_str(&text);
                    }
                    Piece::Removed(text) => before.push_str(&text),
                    Piece::Added(text) => after.push_str(&text),
                }
            }
            prop_assert_eq!((before, after), (old, new));
        }
    }
}
