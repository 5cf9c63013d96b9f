//! The text of `providers.yaml` as a tree in which everything knows its place.
//!
//! Two parsers look at it. The first (saphyr) gives places, and refuses what could blow up the
//! second: deep nesting, anchors and aliases. The second (`serde_yaml`) has the last word on what
//! is YAML, and writes entries. Of a large file, it has it while the tree is already being checked.

use std::panic::resume_unwind;
use std::thread;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde::Serialize;

use super::interpolate::escape;

/// Deeper documents are refused: nothing in the format needs more than six levels.
const MAX_DEPTH: usize = 64;

/// From this many bytes on, the second parser runs on a thread of its own: some 500 providers.
const LARGE: usize = 64 << 10;

/// A place in the text, both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) end: Place,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A text, number, word or nothing.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    /// As it stands in the file, without quotes.
    pub(super) written: String,
    /// What its variables make of it.
    pub(super) filled: Filled,
    plain: bool,
}

/// What the variables in a scalar make of it.
#[derive(Debug, Clone)]
pub(super) enum Filled {
    /// There are none: most scalars are not kept twice.
    AsWritten,
    /// This text.
    With(String),
    /// Nothing: that failed and was reported.
    Failed,
}

/// A key and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) at: Place,
}

/// Something that is wrong with the document itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: Place,
    pub(super) offending: Option<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Scalar {
    /// Its text, with its variables filled in; `None` where that failed and was reported.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.filled {
            Filled::AsWritten => Some(&self.written),
            Filled::With(text) => Some(text),
            Filled::Failed => None,
        }
    }

    /// Whether it is YAML's nothing.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.written.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    /// Whether it is YAML's nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Calls `visit` for every scalar that is a value.
    pub(super) fn each_scalar(&mut self, visit: &mut dyn FnMut(&mut Scalar, Place)) {
        match &mut self.value {
            Value::Scalar(scalar) => visit(scalar, self.at),
            Value::List(items) => items.iter_mut().for_each(|item| item.each_scalar(visit)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| value.each_scalar(visit)),
        }
    }
}

/// Reads `text` as one YAML document.
pub(super) fn read(text: &str) -> Result<Node, Vec<SyntaxError>> {
    read_with(text, |root| root)
}

/// Reads `text` as one YAML document and makes something of it. What was made is dropped if it
/// turns out that `text` is no YAML.
pub(super) fn read_with<T>(
    text: &str,
    make: impl FnOnce(Node) -> T,
) -> Result<T, Vec<SyntaxError>> {
    let root = tree(text)?;
    let judged = |flaw: Option<SyntaxError>| match flaw {
        Some(flaw) => Err(vec![with_advice(flaw, text)]),
        None => Ok(()),
    };
    thread::scope(|scope| {
        let beside = || thread::Builder::new().spawn_scoped(scope, move || syntax_error(text)).ok();
        // Without a thread it takes longer.
        let Some(second) = (text.len() >= LARGE).then(beside).flatten() else {
            return judged(syntax_error(text)).map(|()| make(root));
        };
        let made = make(root);
        let flaw = second.join().unwrap_or_else(|panic| resume_unwind(panic));
        judged(flaw).map(|()| made)
    })
}

/// Reads `text` with the first parser.
fn tree(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let mut builder = Builder::default();
    let outcome = builder.build(text);
    let mut flaws = builder.flaws;
    match outcome {
        Ok(()) => {}
        Err(Stop::Refused(flaw)) => {
            flaws.push(flaw);
            return Err(flaws);
        }
        Err(Stop::Syntax(flaw)) => {
            // Nothing an alias could multiply may reach the second parser, nor deep nesting: it
            // takes time squared.
            let second =
                if flaws.is_empty() && is_shallow(text) { syntax_error(text) } else { None };
            flaws.push(second.unwrap_or(flaw));
            return Err(flaws.into_iter().map(|flaw| with_advice(flaw, text)).collect());
        }
    }
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let nothing = Scalar { written: String::new(), filled: Filled::AsWritten, plain: true };
    let start = Place { line: 1, column: 1 };
    Ok(builder.root.unwrap_or(Node { at: start, end: start, value: Value::Scalar(nothing) }))
}

/// Whether `text`, which nobody could read to its end, is surely no nesting bomb.
fn is_shallow(text: &str) -> bool {
    let openings = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    openings < 1000
        && text.lines().all(|line| line.matches(['-', '?', ':']).count() < 1000)
        && !text.contains(['&', '*'])
}

/// What `serde_yaml` has against `text`.
fn syntax_error(text: &str) -> Option<SyntaxError> {
    let error = serde_yaml::from_str::<serde::de::IgnoredAny>(text).err()?;
    let at = error
        .location()
        .map_or(Place { line: 1, column: 1 }, |at| Place { line: at.line(), column: at.column() });
    let message = error.to_string();
    // The place stands in front of the message already.
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    Some(SyntaxError {
        at,
        offending: None,
        message: format!("not valid YAML: {message}"),
        hint: None,
    })
}

/// Adds what people usually did who see this message.
fn with_advice(mut flaw: SyntaxError, text: &str) -> SyntaxError {
    let line = text.lines().nth(flaw.at.line.saturating_sub(1)).unwrap_or_default();
    let indentation: &str = line.split(|c: char| !c.is_whitespace()).next().unwrap_or_default();
    let advice = if indentation.contains('\t') {
        "YAML is indented with spaces, this line has a tab"
    } else if flaw.message.contains("mapping values are not allowed") {
        "a value with \": \" in it needs quotes; or is this line indented differently from its neighbours?"
    } else if flaw.message.contains("end of stream") {
        "a quote or a bracket further up is not closed"
    } else if flaw.message.contains("flow") || flaw.message.contains("',' or") {
        "a \"[\" or \"{\" is not closed"
    } else if flaw.message.contains("cannot start any token") {
        "a value that begins with this character needs quotes"
    } else if flaw.message.contains("expected") {
        "is this line indented like its neighbours?"
    } else {
        return flaw;
    };
    flaw.hint = flaw.hint.or_else(|| Some(advice.to_owned()));
    flaw
}

enum Stop {
    /// Not to be parsed any further, by anybody.
    Refused(SyntaxError),
    /// Not YAML.
    Syntax(SyntaxError),
}

enum Open {
    List { at: Place, items: Vec<Node> },
    Map { at: Place, pairs: Vec<(Key, Node)>, key: Option<Key> },
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    stack: Vec<Open>,
    flaws: Vec<SyntaxError>,
}

impl Builder {
    fn build(&mut self, text: &str) -> Result<(), Stop> {
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let message = format!("not valid YAML: {}", error.info());
                Stop::Syntax(SyntaxError {
                    at: (*error.marker()).into(),
                    offending: None,
                    message,
                    hint: None,
                })
            })?;
            let (at, end) = (span.start.into(), span.end.into());
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Stop::Refused(SyntaxError {
                            at,
                            offending: Some("---".to_owned()),
                            message: "a second YAML document begins here".to_owned(),
                            hint: Some(
                                "put everything into one document and remove the \"---\""
                                    .to_owned(),
                            ),
                        }));
                    }
                }
                Event::Alias(_) => {
                    self.refuse(at, "aliases (*name) are not supported", "write the value out");
                    let nothing =
                        Scalar { written: String::new(), filled: Filled::Failed, plain: false };
                    self.add(Node { at, end, value: Value::Scalar(nothing) });
                }
                Event::Scalar(value, style, anchor, tag) => {
                    self.refuse_extras(at, anchor, tag.is_some());
                    let scalar = Scalar {
                        written: value.into_owned(),
                        filled: Filled::AsWritten,
                        plain: style == ScalarStyle::Plain,
                    };
                    self.add(Node { at, end, value: Value::Scalar(scalar) });
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse_extras(at, anchor, tag.is_some());
                    self.open(Open::List { at, items: Vec::new() })?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse_extras(at, anchor, tag.is_some());
                    self.open(Open::Map { at, pairs: Vec::new(), key: None })?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(end),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn refuse(&mut self, at: Place, message: &str, hint: &str) {
        // Many of a kind say no more than the first ones.
        if self.flaws.len() < 20 {
            self.flaws.push(SyntaxError {
                at,
                offending: None,
                message: message.to_owned(),
                hint: Some(hint.to_owned()),
            });
        }
    }

    fn refuse_extras(&mut self, at: Place, anchor: usize, tag: bool) {
        if anchor != 0 {
            self.refuse(
                at,
                "anchors (&name) are not supported",
                "put common values under \"defaults\"",
            );
        }
        if tag {
            self.refuse(
                at,
                "tags (!name) are not supported",
                "remove it; to have a text, use quotes",
            );
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Stop> {
        let at = match &open {
            Open::List { at, .. } | Open::Map { at, .. } => *at,
        };
        self.stack.push(open);
        if self.stack.len() > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Stop::Refused(SyntaxError { at, offending: None, message, hint: None }));
        }
        Ok(())
    }

    fn close(&mut self, end: Place) {
        match self.stack.pop() {
            Some(Open::List { at, items }) => self.add(Node { at, end, value: Value::List(items) }),
            Some(Open::Map { at, pairs, .. }) => {
                self.add(Node { at, end, value: Value::Map(pairs) });
            }
            None => {}
        }
    }

    fn add(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { pairs, key, .. }) => {
                if let Some(key) = key.take() {
                    pairs.push((key, node));
                    return;
                }
                let at = node.at;
                let name = if let Value::Scalar(scalar) = node.value {
                    Some(scalar.written)
                } else {
                    None
                };
                *key = Some(Key { name: name.clone().unwrap_or_default(), at });
                if name.is_none() {
                    self.refuse(
                        at,
                        "a list or a mapping cannot be a key",
                        "is a quote missing round the text?",
                    );
                }
            }
        }
    }
}

/// An entry for `providers:` that names its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewEntry<'a> {
    /// Its id.
    pub id: &'a str,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Its address.
    pub url: &'a str,
    /// The source that reads it; `None`: to be recognised at each start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
}

/// An entry could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("the entry cannot be written as YAML")]
pub struct EntryError(#[source] serde_yaml::Error);

/// Writes an entry as it stands behind the `- ` of a list item, each line ended.
pub fn entry_yaml(entry: &NewEntry<'_>) -> Result<String, EntryError> {
    let (name, url) = (entry.name.map(escape), escape(entry.url));
    let escaped = NewEntry { name: name.as_deref(), url: &url, ..entry.clone() };
    serde_yaml::to_string(&escaped).map_err(EntryError)
}
