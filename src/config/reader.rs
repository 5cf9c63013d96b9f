//! Reads typed values from the document tree and collects every diagnostic on the way.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Severity, masked};
use super::document::{Key, Node, Place, SyntaxError, Value};
use super::keys;
use super::mask::Hidden;
use super::units::{
    UnitError, parse_duration, parse_fraction, parse_size, render_duration, render_fraction,
    render_size,
};

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

/// The diagnostics found so far, and the text they refer to.
pub(super) struct Reader<'a> {
    file: String,
    lines: Vec<&'a str>,
    /// Where secrets stand in the text.
    pub(super) hidden: Hidden,
    /// The names a `source` may have.
    pub(super) sources: &'a [&'a str],
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Doubtful catalog addresses. Not errors of the user; shown by `check` only.
    pub(super) doubts: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: String, text: &'a str, sources: &'a [&'a str]) -> Self {
        Self {
            file,
            lines: super::mask::lines(text).collect(),
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
        let hint = if let Some(meant) = nearest(&key.name, known.iter().copied()) {
            format!("did you mean \"{meant}\"?")
        } else if let Some((section, _)) =
            keys::SECTIONS.iter().find(|(_, keys)| keys.contains(&key.name.as_str()))
        {
            format!("\"{}\" belongs to {section}: check its indentation", key.name)
        } else {
            format!("expected one of: {}", known.join(", "))
        };
        if !super::mask::is_name(&key.name) {
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
        match read(scalar.text.as_deref()?) {
            Ok(value) => Some(value),
            Err(complaint) => {
                // What came out of the environment may be a secret: it is not repeated.
                let filled_in = scalar.text.as_deref() != Some(scalar.written.as_str());
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

    /// A text that is not empty.
    pub(super) fn text(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        self.value(section, key, "a text", |text| {
            let text = text.trim();
            if text.is_empty() || text.contains('\0') {
                Err(DiagnosticBuilder::new(format!("\"{key}\" is empty")))
            } else {
                Ok(text.to_owned())
            }
        })
    }

    pub(super) fn flag(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        self.value(section, key, "true or false", |text| match text {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => {
                let complaint = DiagnosticBuilder::new(format!("\"{key}\" must be true or false"));
                match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" => Err(complaint.help("write true")),
                    "no" | "off" | "n" | "0" => Err(complaint.help("write false")),
                    _ => Err(complaint),
                }
            }
        })
    }

    pub(super) fn duration(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.value(section, key, "a duration such as 30s", |text| match parse_duration(text) {
            Ok(duration) if range.contains(&duration) => Ok(duration),
            Ok(_) | Err(UnitError::TooLarge) => Err(DiagnosticBuilder::new(out_of_range(
                key,
                &render_duration(*range.start()),
                &render_duration(*range.end()),
            ))),
            Err(error) => Err(DiagnosticBuilder::new(format!(
                "\"{key}\" is not a duration: {error}"
            ))
            .help(format!(
                "write 500ms, 15s, 5m, 1h30m or a number of seconds, from {} to {}",
                render_duration(*range.start()),
                render_duration(*range.end())
            ))),
        })
    }

    pub(super) fn size(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        self.value(section, key, "a size such as 8MiB", |text| read_size(key, text, range))
    }

    pub(super) fn fraction(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &RangeInclusive<f64>,
    ) -> Option<f64> {
        self.value(section, key, "a percentage such as 10%", |text| match parse_fraction(text) {
            Ok(fraction) if range.contains(&fraction) => Ok(fraction),
            Ok(fraction) => {
                let complaint = DiagnosticBuilder::new(out_of_range(
                    key,
                    &render_fraction(*range.start()),
                    &render_fraction(*range.end()),
                ));
                let meant = !text.contains('%') && range.contains(&(fraction / 100.0));
                Err(if meant {
                    complaint.help(format!("did you mean {}%?", text.trim()))
                } else {
                    complaint
                })
            }
            Err(error) => {
                Err(DiagnosticBuilder::new(format!("\"{key}\" is not a percentage: {error}"))
                    .help("write 10% or 0.1, from 0% to 50%"))
            }
        })
    }

    pub(super) fn number(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        self.value(section, key, "a whole number", |text| match text.trim().parse::<i128>() {
            Ok(number) => match u64::try_from(number) {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(DiagnosticBuilder::new(out_of_range(
                    key,
                    &range.start().to_string(),
                    &range.end().to_string(),
                ))),
            },
            Err(_) => Err(DiagnosticBuilder::new(format!(
                "\"{key}\" must be a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        })
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        self.value(section, key, &choice(words), |text| pick(key, text, words))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, section: &Section<'_>, key: &str) -> Option<Vec<String>> {
        self.list(section, key, |text| {
            let text = text.trim();
            if text.is_empty() {
                Err(DiagnosticBuilder::new(format!("\"{key}\" has an empty entry")))
            } else {
                Ok(text.to_owned())
            }
        })
    }

    /// A list of `words`.
    pub(super) fn words<T: Copy>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<Vec<T>> {
        self.list(section, key, |text| pick(key, text, words))
    }

    /// A list of what `read` understands.
    pub(super) fn list<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, DiagnosticBuilder>,
    ) -> Option<Vec<T>> {
        let node = section.get(key)?;
        let Value::List(items) = &node.value else {
            let complaint =
                DiagnosticBuilder::new(format!("\"{key}\" must be a list, not {}", node.kind()));
            let written =
                if let Value::Scalar(scalar) = &node.value { scalar.written.as_str() } else { "" };
            self.error(
                node.at,
                Some(written),
                complaint.help(format!(
                    "write [\"{}\"]",
                    if written.is_empty() { "..." } else { short(written) }
                )),
            );
            return None;
        };
        // One after the other, so that an error in the first does not hide one in the second.
        let values: Vec<Option<T>> = items
            .iter()
            .map(|item| self.scalar(item, key, "a list of single values", &read))
            .collect();
        values.into_iter().collect()
    }
}

/// A size within `range`.
pub(super) fn read_size(
    key: &str,
    text: &str,
    range: &RangeInclusive<u64>,
) -> Result<u64, DiagnosticBuilder> {
    let (least, most) = (render_size(*range.start()), render_size(*range.end()));
    match parse_size(text) {
        Ok(size) if range.contains(&size) => Ok(size),
        Ok(_) | Err(UnitError::TooLarge) => {
            Err(DiagnosticBuilder::new(out_of_range(key, &least, &most)))
        }
        Err(error) => Err(DiagnosticBuilder::new(format!("\"{key}\" is not a size: {error}"))
            .help(format!(
                "write 512KiB, 8MiB, 10MB or a number of bytes, from {least} to {most}"
            ))),
    }
}

fn out_of_range(key: &str, least: &str, most: &str) -> String {
    format!("\"{key}\" is out of range: expected {least} to {most}")
}

fn pick<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, DiagnosticBuilder> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let complaint = DiagnosticBuilder::new(format!("\"{key}\" must be {}", choice(words)));
    let switch = match text.to_ascii_lowercase().as_str() {
        "no" | "false" => "off",
        "yes" | "true" => "on",
        _ => "",
    };
    if words.iter().any(|(word, _)| *word == switch) {
        return Err(complaint.help(format!("write {switch}")));
    }
    Err(match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
        None => complaint,
    })
}

/// `text, json or off`.
fn choice<T>(words: &[(&str, T)]) -> String {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The known word somebody who wrote `word` probably meant.
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
