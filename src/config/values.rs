//! Typed values of a section: texts, flags, durations, sizes, numbers, words and lists.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Value;
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, short};
use super::units::{
    UnitError, parse_duration, parse_fraction, parse_size, render_duration, render_fraction,
    render_size,
};

impl Reader<'_> {
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
        // What it should be takes time to say, and most sections do not have the key.
        let node = section.get(key)?;
        self.scalar(node, key, &choice(words), |text| pick(key, text, words))
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
