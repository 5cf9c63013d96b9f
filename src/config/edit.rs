//! Adds a provider to the text of `providers.yaml`, keeping comments, order and indentation.

use super::document::{self, Node, Value};

/// The entry could not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not YAML.
    #[error("the file is not valid: {0}")]
    Invalid(String),
    /// `providers: [a, b]`.
    #[error(
        "\"providers\" is written as [...] in line {0}; write each entry in a line of its own, begun with \"- \", to have entries added"
    )]
    FlowList(usize),
    /// `providers:` is no list, or the file is no mapping.
    #[error("\"providers\" is not a list")]
    NotAList,
    /// What would be written would not read back.
    #[error("the entry does not fit into the file; add it by hand")]
    DoesNotFit,
}

/// Adds `entry` after the last provider of `text`. The entry is a slug, or lines of YAML as
/// [`super::entry_yaml`] writes them.
pub fn add_provider(text: &str, entry: &str) -> Result<String, EditError> {
    let (bom, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let root = read(body)?;
    let newline = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    let (after, indentation, header) = match providers(&root)? {
        Found::Items(first, items) => {
            let line = lines.get(first.at.line - 1).copied().unwrap_or_default();
            if line.chars().nth(first.at.column - 1) == Some('[') {
                return Err(EditError::FlowList(first.at.line));
            }
            (last_line(items.last().unwrap_or(first), &lines), indentation(items, &lines), "")
        }
        Found::Empty(line) => (line, 2, ""),
        Found::Missing => (lines.len(), 2, "providers:"),
    };
    let mut edited = String::with_capacity(text.len() + entry.len() + 64);
    edited.push_str(bom);
    edited.extend(lines.iter().take(after).copied());
    if !edited.is_empty() && edited != bom && !edited.ends_with('\n') {
        edited.push_str(newline);
    }
    if !header.is_empty() {
        edited.push_str(header);
        edited.push_str(newline);
    }
    for (number, line) in entry.trim_end().lines().enumerate() {
        edited.push_str(&" ".repeat(indentation));
        edited.push_str(if number == 0 { "- " } else { "  " });
        edited.push_str(line);
        edited.push_str(newline);
    }
    edited.extend(lines.iter().skip(after).copied());
    if count(&read(edited.trim_start_matches('\u{feff}'))?) == count(&root) + 1 {
        Ok(edited)
    } else {
        Err(EditError::DoesNotFit)
    }
}

enum Found<'n> {
    /// The list, and its items.
    Items(&'n Node, &'n [Node]),
    /// `providers:` with nothing, in this line.
    Empty(usize),
    Missing,
}

fn read(text: &str) -> Result<Node, EditError> {
    document::read(text).map_err(|flaws| {
        let first = flaws.into_iter().next();
        EditError::Invalid(
            first
                .map(|flaw| format!("{} (line {})", flaw.message, flaw.at.line))
                .unwrap_or_default(),
        )
    })
}

fn providers(root: &Node) -> Result<Found<'_>, EditError> {
    let Value::Map(pairs) = &root.value else {
        return if root.is_null() { Ok(Found::Missing) } else { Err(EditError::NotAList) };
    };
    match pairs.iter().find(|(key, _)| key.name == "providers") {
        None => Ok(Found::Missing),
        Some((key, node)) if node.is_null() => Ok(Found::Empty(key.at.line)),
        Some((_, node)) => match &node.value {
            Value::List(items) => Ok(Found::Items(node, items)),
            Value::Scalar(_) | Value::Map(_) => Err(EditError::NotAList),
        },
    }
}

fn count(root: &Node) -> usize {
    match providers(root) {
        Ok(Found::Items(_, items)) => items.len(),
        _ => 0,
    }
}

/// How far the dashes of a list are indented. The dash of an item may stand in a line before the
/// item.
fn indentation(items: &[Node], lines: &[&str]) -> usize {
    let first = items.first().map_or(0, |item| item.at.line);
    let dash = lines.iter().take(first).rev().find(|line| line.trim_start().starts_with('-'));
    dash.map_or(0, |line| line.len() - line.trim_start().len())
}

/// The number of the last line that belongs to `node`.
fn last_line(node: &Node, lines: &[&str]) -> usize {
    let last = match &node.value {
        Value::Scalar(scalar) if scalar.written.is_empty() => node.at.line,
        // The end of a block text is the beginning of the line after it.
        Value::Scalar(_) if node.end.column == 1 && node.end.line > node.at.line => {
            node.end.line - 1
        }
        Value::Scalar(_) => node.end.line,
        Value::List(items) => items
            .last()
            .map_or(node.end.line, |item| last_line(item, lines))
            .max(flow_end(node, lines)),
        Value::Map(pairs) => pairs
            .last()
            .map_or(node.end.line, |(key, value)| last_line(value, lines).max(key.at.line))
            .max(flow_end(node, lines)),
    };
    let blank = |line: &usize| lines.get(*line - 1).is_none_or(|line| line.trim().is_empty());
    (node.at.line..=last).rev().find(|line| !blank(line)).unwrap_or(node.at.line)
}

/// The line of the closing bracket; a block collection ends with its last member instead.
fn flow_end(node: &Node, lines: &[&str]) -> usize {
    let begins = lines.get(node.at.line - 1).and_then(|line| line.chars().nth(node.at.column - 1));
    if matches!(begins, Some('[' | '{')) { node.end.line } else { 0 }
}
