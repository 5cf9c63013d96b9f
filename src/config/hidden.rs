//! Parts of the text of the file that no quoted line shows.

use super::document::{Node, Place};

/// Splits a text into lines as YAML does: a carriage return alone ends a line, too. Places count
/// these lines.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            rest = None;
            return (!text.is_empty()).then_some(text);
        };
        let (line, after) = text.split_at(end);
        rest = Some(after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default());
        Some(line)
    })
}

/// Parts of the text that are never shown.
#[derive(Debug, Default)]
pub(super) struct Hidden(Vec<(Place, Place)>);

impl Hidden {
    /// Returns whether the value at `at` is hidden.
    pub(super) fn contains(&self, at: Place) -> bool {
        self.of_line(at.line).any(|(from, to)| *from <= at && at < *to)
    }

    /// Hides what is secret in a line, character for character. References to variables stay.
    pub(super) fn apply(&self, number: usize, line: &str) -> String {
        let mut characters: Vec<char> = line.chars().collect();
        for (from, to) in self.of_line(number) {
            let begin = if from.line == number { from.column - 1 } else { 0 };
            let end = if to.line == number { to.column - 1 } else { characters.len() };
            let end = match characters.get(end..) {
                // A comment behind a secret may be its predecessor.
                Some(rest) if rest.iter().find(|c| !c.is_whitespace()) == Some(&'#') => {
                    characters.len()
                }
                Some(_) => end,
                None => characters.len(),
            };
            hide(characters.get_mut(begin..end).unwrap_or_default());
        }
        characters.into_iter().collect()
    }

    /// Adds the text from a place up to another.
    pub(super) fn add(&mut self, from: Place, to: Place) {
        self.0.push((from, to));
    }

    /// Sorts the parts by their place: a line is searched for often.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    fn of_line(&self, number: usize) -> impl Iterator<Item = &(Place, Place)> {
        // A value may begin far above, so only what begins below can be skipped.
        let below = self.0.partition_point(|(from, _)| from.line <= number);
        let until = self.0.get(..below).unwrap_or_default();
        until.iter().filter(move |(_, to)| to.line >= number)
    }

    /// Adds a node.
    pub(super) fn hide(&mut self, node: &Node) {
        self.add(node.at, node.end);
    }
}

/// Returns whether a key looks like a name and not like something that slipped into one.
pub(super) fn is_name(key: &str) -> bool {
    key.len() <= 64
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn hide(secret: &mut [char]) {
    let mut index = 0;
    while let Some(rest) = secret.get_mut(index..).filter(|rest| !rest.is_empty()) {
        let shown = reference(rest);
        if shown > 0 {
            index += shown;
            continue;
        }
        if let Some(c) = rest.first_mut()
            && !c.is_whitespace()
            && !matches!(c, '"' | '\'')
        {
            *c = '*';
        }
        index += 1;
    }
}

/// Returns the length of `${NAME}`, or of `${NAME:-` in front of a default, at the beginning of
/// `text`; 0 if there is none.
fn reference(text: &[char]) -> usize {
    let Some(name) = text.strip_prefix(&['$', '{']) else {
        return 0;
    };
    let length = name.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').count();
    match name.get(length..) {
        _ if length == 0 => 0,
        Some(['}', ..]) => length + 3,
        Some([':', '-', ..]) => length + 4,
        _ => 0,
    }
}
