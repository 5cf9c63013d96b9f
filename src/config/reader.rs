//! Walks the document tree and collects every diagnostic on the way.

use super::diagnostic::{Diagnostic, Severity, masked};
use super::document::{Key, Node, Place, SyntaxError, Value};
use super::hidden::{self, Hidden};

/// Longer lines are not quoted: they are unreadable, and each diagnostic would hold a copy.
const MAX_LINE: usize = 2000;

/// What a value should have been, and perhaps why it is not.
pub(super) struct DiagnosticBuilder {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl DiagnosticBuilder {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn help(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A mapping whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Section<'n> {
    pairs: &'n [(Key, Node)],
}

impl<'n> Section<'n> {
    /// The value of `key`, unless it is left empty.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.pairs.iter().find(|(known, _)| known.name == key).map(|(_, value)| value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// Sections by what a message calls them, with the keys of each.
pub(super) type Sections = [(&'static str, &'static [&'static str])];

/// The diagnostics found so far, and the text they refer to.
pub(super) struct Reader<'a> {
    file: String,
    lines: Vec<&'a str>,
    /// Where secrets stand in the text.
    pub(super) hidden: Hidden,
    /// All sections of the file, for hints on misplaced keys.
    sections: &'static Sections,
    /// The names a `source` may have.
    pub(super) sources: &'a [&'a str],
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Doubtful catalog addresses. Not errors of the user; shown by `check` only.
    pub(super) doubts: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        file: String,
        text: &'a str,
        sections: &'static Sections,
        sources: &'a [&'a str],
    ) -> Self {
        Self {
            sections,
            file,
            lines: hidden::lines(text).collect(),
            hidden: Hidden::default(),
            sources,
            diagnostics: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// The number of errors so far.
    pub(super) fn errors(&self) -> usize {
        let errors = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        self.diagnostics.iter().filter(errors).count()
    }

    pub(super) fn error(
        &mut self,
        at: Place,
        offending: Option<&str>,
        complaint: DiagnosticBuilder,
    ) {
        self.diagnostics.push(self.diagnostic(Severity::Error, at, offending, complaint));
    }

    pub(super) fn warn(
        &mut self,
        at: Place,
        offending: Option<&str>,
        complaint: DiagnosticBuilder,
    ) {
        self.diagnostics.push(self.diagnostic(Severity::Warning, at, offending, complaint));
    }

    pub(super) fn doubt(
        &mut self,
        at: Place,
        offending: Option<&str>,
        complaint: DiagnosticBuilder,
    ) {
        self.doubts.push(self.diagnostic(Severity::Warning, at, offending, complaint));
    }

    pub(super) fn flaw(&mut self, flaw: SyntaxError) {
        self.error(
            flaw.at,
            flaw.offending.as_deref(),
            DiagnosticBuilder { message: flaw.message, hint: flaw.hint },
        );
    }

    fn diagnostic(
        &self,
        severity: Severity,
        at: Place,
        offending: Option<&str>,
        complaint: DiagnosticBuilder,
    ) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            message: masked(&complaint.message),
            offending: offending.map(|word| {
                let word = word.lines().next().unwrap_or_default();
                if self.hidden.contains(at) {
                    "*".repeat(word.chars().count())
                } else {
                    masked(word)
                }
            }),
            source_line: self
                .lines
                .get(at.line.saturating_sub(1))
                .filter(|line| line.len() <= MAX_LINE)
                .map(|line| masked(&self.hidden.apply(at.line, line))),
            hint: complaint.hint.map(|hint| masked(&hint)),
            severity,
        }
    }

    /// The mapping `node` as the section called `what`. A section that is left empty counts as
    /// absent.
    pub(super) fn section<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&str],
    ) -> Option<Section<'n>> {
        if node.is_null() {
            return None;
        }
        let Value::Map(pairs) = &node.value else {
            let example = known.first().copied().unwrap_or_default();
            let message = format!("{what} must be a mapping, not {}", node.kind());
            self.error(
                node.at,
                None,
                DiagnosticBuilder::new(message)
                    .help(format!("add its keys below, such as \"{example}: ...\"")),
            );
            return None;
        };
        self.keys(pairs, what, known);
        Some(Section { pairs })
    }

    fn keys(&mut self, pairs: &[(Key, Node)], what: &str, known: &[&str]) {
        let mut seen: std::collections::HashMap<&str, Place> = std::collections::HashMap::new();
        for (key, _) in pairs {
            if let Some(first) = seen.insert(&key.name, key.at) {
                let message = format!(
                    "duplicate key \"{}\": already defined in line {}",
                    short(&key.name),
                    first.line
                );
                self.error(
                    key.at,
                    Some(&key.name),
                    DiagnosticBuilder::new(message).help("keep one of the two"),
                );
            } else if !known.contains(&key.name.as_str()) {
                self.unknown_key(key, what, known);
            }
        }
    }

    fn unknown_key(&mut self, key: &Key, what: &str, known: &[&str]) {
        let name = key.name.as_str();
        let elsewhere = || self.sections.iter().find(|(_, keys)| keys.contains(&name));
        // `impact` for `min_impact`.
        let longer = || known.iter().find(|known| known.split('_').any(|part| part == name));
        let hint = if let Some(meant) = nearest(name, known.iter().copied()) {
            format!("did you mean \"{meant}\"?")
        } else if let Some(meant) = longer() {
            format!("did you mean \"{meant}\"?")
        } else if let Some((section, _)) = elsewhere().filter(|_| what == "the file") {
            format!("\"{name}\" belongs to {section}: check its indentation")
        } else {
            format!("expected one of: {}", known.join(", "))
        };
        if !hidden::is_name(&key.name) {
            // It may hold a secret.
            let message = format!("a key in {what} is not a name");
            return self.error(key.at, None, DiagnosticBuilder::new(message).help(hint));
        }
        let message = format!("unknown key \"{}\" in {what}", short(&key.name));
        self.error(key.at, Some(&key.name), DiagnosticBuilder::new(message).help(hint));
    }

    /// The value of `key` as `read` understands it; `expected` says what it should be, with an
    /// article.
    pub(super) fn value<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, DiagnosticBuilder>,
    ) -> Option<T> {
        let node = section.get(key)?;
        self.scalar(node, key, expected, read)
    }

    /// The single value `node`.
    pub(super) fn scalar<T>(
        &mut self,
        node: &Node,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, DiagnosticBuilder>,
    ) -> Option<T> {
        let scalar = match &node.value {
            Value::Scalar(scalar) if !scalar.is_null() => scalar,
            _ => {
                self.error(
                    node.at,
                    None,
                    DiagnosticBuilder::new(format!(
                        "\"{key}\" must be {expected}, not {}",
                        node.kind()
                    )),
                );
                return None;
            }
        };
        match read(scalar.text()?) {
            Ok(value) => Some(value),
            Err(complaint) => {
                // What came out of the environment may be a secret: it is not repeated.
                let filled_in = scalar.text() != Some(scalar.written.as_str());
                let complaint = if filled_in {
                    DiagnosticBuilder::new(format!(
                        "\"{key}\" is not {expected} after variable substitution"
                    ))
                } else {
                    complaint
                };
                self.error(node.at, Some(&scalar.written), complaint);
                None
            }
        }
    }
}

pub(super) fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// The known word that was probably meant by `word`.
pub(crate) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let tolerance = (word.chars().count() / 3).clamp(1, 3);
    known
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word, &candidate.replace('-', "_")), candidate)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The beginning of a word that is quoted in a message.
pub(super) fn short(word: &str) -> &str {
    word.char_indices().nth(64).and_then(|(end, _)| word.get(..end)).unwrap_or(word)
}
