//! Finds the secrets in the text of the file, so that no quoted line shows one.
//!
//! Of a channel, everything is hidden but the values of keys that are known to be harmless: a
//! secret under a misspelled key is a secret too.

use std::collections::HashSet;
use std::sync::LazyLock;

use statuswatch_notify::CHANNELS;
use statuswatch_notify::channel::by_kind;
use statuswatch_notify::values::{Key, Shape};

use super::channels::{self, file_key, kind_of};
use super::document::{Node, Place, Value};
use super::hidden::{Hidden, is_name, lines};
use super::keys;
use super::sections::SECTIONS;

/// The key at the top whose value holds the password of a database.
const DATABASE: &str = "state";

impl Hidden {
    /// Finds the secrets of a document.
    pub(super) fn of_document(root: &Node) -> Self {
        let mut hidden = Self::default();
        if let Value::Map(pairs) = &root.value {
            for (key, value) in pairs {
                let is_section = keys::TOP.contains(&key.name.as_str());
                let is_misplaced =
                    SECTIONS.iter().any(|(_, keys)| keys.contains(&key.name.as_str()));
                if key.name == "channels" {
                    hidden.channels(value);
                } else if key.name == DATABASE {
                    hidden.hide(value);
                } else if !is_section && !is_misplaced {
                    // It may be a part of a channel that is indented wrongly.
                    hidden.hide(value);
                } else {
                    hidden.named(&key.name, value);
                }
            }
        }
        hidden.sort();
        hidden
    }

    /// Finds whatever may be a secret in a text that is not valid YAML, by its lines: in `channels`
    /// everything but the values of harmless keys, elsewhere the rest of a line from the name of a
    /// secret on.
    pub(super) fn of_text(text: &str) -> Self {
        let mut hidden = Self::default();
        let mut is_channel = false;
        for (index, line) in lines(text).enumerate() {
            let number = index + 1;
            let body = line.trim_start_matches([' ', '\t', '-', '{', ',']);
            let key = body.split(':').next().unwrap_or_default().trim_matches(['"', '\'', ' ']);
            // Only a section ends another: whatever else is not indented may be a slip.
            if !line.starts_with(char::is_whitespace) && keys::TOP.contains(&key) {
                is_channel = key == "channels";
            }
            let rest = body.split_once(':').map(|(_, rest)| rest);
            let from = match rest {
                Some(rest) if key == DATABASE && !line.starts_with(char::is_whitespace) => {
                    line.chars().count() - rest.chars().count()
                }
                Some(rest) if is_channel && is_harmless(key) && !rest.contains([':', '{']) => {
                    continue;
                }
                Some(rest) if is_channel && is_name(key) => {
                    line.chars().count() - rest.chars().count()
                }
                // What stands before the colon may be a secret that slipped onto a line of its own.
                _ if is_channel => 0,
                _ => match SECRET_NAMES.iter().filter_map(|name| behind(line, name)).min() {
                    Some(from) => from,
                    None => continue,
                },
            };
            let end = Place { line: number + 1, column: 1 };
            hidden.add(Place { line: number, column: from + 1 }, end);
        }
        hidden
    }

    fn channels(&mut self, node: &Node) {
        match &node.value {
            Value::Map(pairs) => pairs.iter().for_each(|(_, section)| self.channel(section)),
            Value::List(items) => items.iter().for_each(|item| self.channel(item)),
            Value::Scalar(_) => self.hide(node),
        }
    }

    fn channel(&mut self, section: &Node) {
        let Value::Map(pairs) = &section.value else {
            self.hide(section);
            return;
        };
        let spec = kind_of(section).and_then(by_kind);
        let own =
            |name: &str| spec.is_some_and(|spec| spec.keys.iter().any(|key| shows(key, name)));
        for (key, value) in pairs {
            if !is_name(&key.name) {
                // A secret can become a part of a key by a slip of punctuation.
                let end = Place { line: value.end.line.max(key.at.line) + 1, column: 1 };
                self.add(key.at, end);
                continue;
            }
            match (key.name.as_str(), &value.value) {
                ("digest" | "template", Value::Map(inner)) => {
                    for (key, value) in inner {
                        if !is_common(&key.name) {
                            self.hide(value);
                        }
                    }
                }
                (name, Value::Scalar(_) | Value::List(_)) if is_common(name) || own(name) => {}
                _ => self.hide(value),
            }
        }
    }

    /// Finds secrets that stand in the wrong section.
    fn named(&mut self, name: &str, node: &Node) {
        if SECRET_NAMES.contains(name) {
            self.hide(node);
            return;
        }
        match &node.value {
            Value::Map(pairs) => pairs.iter().for_each(|(key, value)| self.named(&key.name, value)),
            Value::List(items) => items.iter().for_each(|item| self.named("", item)),
            Value::Scalar(_) => {}
        }
    }
}

fn is_common(name: &str) -> bool {
    [channels::KEYS, channels::DIGEST, channels::TEMPLATE].iter().any(|keys| keys.contains(&name))
}

/// Returns whether `name` is a form of `key` whose value may be shown.
fn shows(key: &Key, name: &str) -> bool {
    if key.shape.is_secret() {
        // The path of a file is none.
        name == file_key(key.name)
    } else {
        // Header fields are a mapping, and often keys.
        key.name == name && key.shape != Shape::Map
    }
}

/// Returns whether the values of a key may be shown whatever the kind.
fn is_harmless(name: &str) -> bool {
    let mut keys = CHANNELS.iter().flat_map(|spec| spec.keys);
    let is_secret = keys.clone().any(|key| key.name == name && !shows(key, name));
    !is_secret && (is_common(name) || keys.any(|key| shows(key, name)))
}

/// The names of secrets that mean nothing else in other sections.
static SECRET_NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let keys = CHANNELS.iter().flat_map(|spec| spec.keys);
    keys.filter(|key| key.shape.is_secret())
        .map(|key| key.name)
        .filter(|name| !SECTIONS.iter().any(|(_, keys)| keys.contains(name)))
        .collect()
});

/// Returns the number of characters up to and including the colon behind the key `name`.
fn behind(line: &str, name: &str) -> Option<usize> {
    let mut matches = line.match_indices(name);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    matches.find_map(|(at, _)| {
        let (before, found) = line.split_at_checked(at)?;
        let rest = found.strip_prefix(name)?.trim_start_matches(['"', '\'', ' ']);
        let rest = rest.strip_prefix(':').filter(|_| !before.ends_with(is_part))?;
        Some(line.chars().count() - rest.chars().count())
    })
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    fn shown(text: &str) -> String {
        let hidden = Hidden::of_document(&document::read(text).unwrap());
        let lines = text.lines().enumerate();
        lines.map(|(index, line)| hidden.apply(index + 1, line) + "\n").collect()
    }

    #[test]
    fn what_may_be_secret_is_hidden() {
        let text = "\
state: postgres://sw:hunter2@db.example/sw
token: hunter2
tokn: hunter2
interval: 5s
channels:
  a: {kind: slack, token: hunter2, channel: C1, tokn: [hunter2, hunter2]}
  b:
    kind: slack
    token: \"hunter2 hunter2\"   # was hunter2
    channel: C1   # ours
    webhook_url: ${URL}/${REST:-hunter2}
    token_file: /run/slack
    digest: {every: 1m, token: hunter2}
  c:
    kind: slack
    token: >-
      hunter2
      hunter2
    thread: none
  d:
    kind: slack
    token: hunter2
      hunter2
    edits: 1m
  e: hunter2
  f: {kind: nothing, secret: hunter2, enabled: true}
providers:
  - {id: a, url: 'https://a.example', token: hunter2}
";
        insta::assert_snapshot!(shown(text), @r#"
        state: ***********************************
        token: *******
        tokn: *******
        interval: 5s
        channels:
          a: {kind: slack, token: *******, channel: C1, tokn: ********* ********}
          b:
            kind: slack
            token: "******* *******"   * *** *******
            channel: C1   # ours
            webhook_url: ${URL}*${REST:-********
            token_file: /run/slack
            digest: {every: 1m, token: *******}
          c:
            kind: slack
            token: >-
              *******
              *******
            thread: none
          d:
            kind: slack
            token: *******
              *******
            edits: 1m
          e: *******
          f: {kind: nothing, secret: *******, enabled: true}
        providers:
          - {id: a, url: 'https://a.example', token: *******}
        "#);
    }

    #[test]
    fn what_may_be_secret_is_hidden_in_a_text_that_is_not_yaml() {
        let text = "\
providers: [
state: postgres://sw:hunter2@db.example/sw
channels:
  a: {kind: slack, token: hunter2, channel: C1}
  b:
    kind: slack
    token: \"hunter2
      hunter2
    channel: C1
    - hunter2
é: hunter2
    token: hunter2
defaults:
  interval: 5s
  token: hunter2
providers:
  - {id: token, \"webhook_url\": hunter2
  - {id: my-token: x, interval: 5s
";
        let hidden = Hidden::of_text(text);
        let lines = text.lines().enumerate();
        let shown: String =
            lines.map(|(index, line)| hidden.apply(index + 1, line) + "\n").collect();
        insta::assert_snapshot!(shown, @r#"
        providers: [
        state: ***********************************
        channels:
          a: ****** ****** ****** ******** ******** ***
          b:
            kind: slack
            token: "*******
              *******
            channel: C1
            * *******
        ** *******
            token: *******
        defaults:
          interval: 5s
          token: *******
        providers:
          - {id: token, "webhook_url": *******
          - {id: my-token: x, interval: 5s
        "#);
    }
}
