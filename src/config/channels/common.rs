//! The keys that every channel has.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use statuswatch_notify::{Audience, Digest, Policy, Sources, Spec, Templates};

use super::super::document::{Node, Value as NodeValue};
use super::super::reader::set;
use super::super::reader::{DiagnosticBuilder, Reader, Section};
use super::super::words::URGENT;
use super::model::{Template, TemplateText};

/// The keys of every channel.
pub(in super::super) const KEYS: &[&str] = &[
    "kind",
    "enabled",
    "digest",
    "settle",
    "storm",
    "cap",
    "edits",
    "fallback",
    "retry_for",
    "template",
];
/// `digest`.
pub(in super::super) const DIGEST: &[&str] = &["every", "immediate"];
/// `template`.
pub(in super::super) const TEMPLATE: &[&str] = &["title", "body", "json"];

/// A digest is summed up for at most a day.
const EVERY: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);
const SETTLE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);
const EDITS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);
const RETRY_FOR: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(30 * 24);
const STORM: RangeInclusive<u64> = 1..=1000;
const CAP: RangeInclusive<u64> = 1..=3600;
/// Characters of a template.
const MAX_TEMPLATE: usize = 16 << 10;

/// Reads how a channel is served, without its fallback: that is another channel.
pub(super) fn policy(reader: &mut Reader<'_>, section: &Section<'_>, spec: &Spec) -> Policy {
    let mut policy = Policy::new(spec.audience);
    if let Some(node) = section.get("digest") {
        policy.digest = digest(reader, node);
    }
    set(&mut policy.settle, reader.duration(section, "settle", &SETTLE));
    count(reader, section, "storm", &STORM, &mut policy.storm);
    count(reader, section, "cap", &CAP, &mut policy.cap);
    set(&mut policy.edits, reader.duration(section, "edits", &EDITS));
    set(&mut policy.retry_for, reader.duration(section, "retry_for", &RETRY_FOR));
    refuse(reader, section, spec, &policy);
    policy
}

/// Refuses what would hold back messages of a program, or sum up those of a pager.
fn refuse(reader: &mut Reader<'_>, section: &Section<'_>, spec: &Spec, policy: &Policy) {
    let held = [
        ("digest", policy.digest.is_some(), true),
        ("storm", policy.storm.is_some(), true),
        ("cap", policy.cap.is_some(), true),
        ("settle", !policy.settle.is_zero(), false),
        ("edits", !policy.edits.is_zero(), false),
    ];
    for (key, is_set, is_summary) in held {
        let why = match spec.audience {
            Audience::Machine => "a program gets every event as it is",
            Audience::Pager if is_summary => "a summary can neither raise nor end an alert",
            Audience::Pager | Audience::Chat => continue,
        };
        if let Some(node) = section.get(key).filter(|_| is_set) {
            let message = format!("{} cannot have \"{key}\": {why}", spec.name);
            let complaint = DiagnosticBuilder::new(message);
            reader.error(node.at, None, complaint.help(format!("remove \"{key}\"")));
        }
    }
}

fn digest(reader: &mut Reader<'_>, node: &Node) -> Option<Digest> {
    let section = reader.section(node, "\"digest\"", DIGEST)?;
    if !section.has("every") {
        let complaint = DiagnosticBuilder::new("\"digest\" has no \"every\"");
        reader.error(node.at, None, complaint.help("add how often it is sent: \"every: 15m\""));
    }
    let every = reader.duration(&section, "every", &EVERY);
    let immediate = reader.word(&section, "immediate", URGENT);
    Some(Digest { every: every?, immediate })
}

/// Sets `slot` to a number, or to `None` for `off`.
fn count(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    range: &RangeInclusive<u64>,
    slot: &mut Option<u32>,
) {
    let expected = format!("a whole number from {} to {}, or off", range.start(), range.end());
    let value = reader.value(section, key, &expected, |text| match text.trim() {
        "off" => Ok(None),
        text => match text.parse::<u32>() {
            Ok(number) if range.contains(&u64::from(number)) => Ok(Some(number)),
            _ => {
                let complaint = DiagnosticBuilder::new(format!("\"{key}\" must be {expected}"));
                Err(if matches!(text, "0" | "no" | "false" | "none" | "Off" | "OFF") {
                    complaint.help("write off")
                } else {
                    complaint
                })
            }
        },
    });
    set(slot, value);
}

/// Reads the templates, as they are written.
pub(super) fn template(reader: &mut Reader<'_>, section: &Section<'_>) -> Template {
    let Some(inner) =
        section.get("template").and_then(|node| reader.section(node, "\"template\"", TEMPLATE))
    else {
        return Template::default();
    };
    let mut read = |key: &str| {
        let line = inner.get(key)?.at.line;
        let source = reader.value(&inner, key, "a text", |text| {
            if text.trim().is_empty() {
                Err(DiagnosticBuilder::new(format!("\"{key}\" is empty"))
                    .help("leave it out to have the built-in text"))
            } else if text.chars().nth(MAX_TEMPLATE).is_some() {
                Err(DiagnosticBuilder::new(format!(
                    "\"{key}\" is longer than {MAX_TEMPLATE} characters"
                )))
            } else {
                Ok(text.to_owned())
            }
        })?;
        Some(TemplateText { source, line })
    };
    Template { title: read("title"), body: read("body"), json: read("json") }
}

/// Compiles and tries the templates; `None` if there are none or one is wrong.
pub(super) fn compile(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    template: &Template,
) -> Option<Arc<Templates>> {
    template.texts().next()?;
    let source = |text: &'_ Option<TemplateText>| text.as_ref().map(|text| text.source.clone());
    let (title, body, json) =
        (source(&template.title), source(&template.body), source(&template.json));
    let sources = Sources { title: title.as_deref(), body: body.as_deref(), json: json.as_deref() };
    match Templates::compile(sources) {
        Ok(templates) => Some(Arc::new(templates)),
        Err(error) => {
            let node = section.get("template")?;
            let at = match &node.value {
                NodeValue::Map(pairs) => pairs
                    .iter()
                    .find(|(key, _)| key.name == error.slot().as_str())
                    .map_or(node.at, |(_, value)| value.at),
                NodeValue::Scalar(_) | NodeValue::List(_) => node.at,
            };
            let complaint = DiagnosticBuilder::new(error.to_string());
            reader.error(
                at,
                None,
                complaint.help("the page on templates of the documentation lists all names"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use statuswatch_notify::{Channel, values};

    use super::super::super::document;
    use super::*;

    fn nothing(_: &values::Values) -> Result<Box<dyn Channel>, values::ValueError> {
        Err(values::ValueError::new("not built"))
    }

    /// The keys that a channel of an audience may not have.
    fn refused(audience: Audience, text: &str) -> Vec<usize> {
        let spec = Spec { kind: "fake", name: "Fake", audience, keys: &[], build: nothing };
        let node = document::read(text).unwrap();
        let mut reader = Reader::new("x".to_owned(), text, &[], &[]);
        let section = reader.section(&node, "x", KEYS).unwrap();
        policy(&mut reader, &section, &spec);
        let message = "Fake cannot have ";
        let found = reader.diagnostics.iter().filter(|found| found.message.starts_with(message));
        found.map(|found| found.line).collect()
    }

    #[test]
    fn programs_are_sent_everything_and_pagers_no_summary() {
        let all = "digest: {every: 1m}\nstorm: 3\ncap: 3\nsettle: 1m\nedits: 1m\n";
        assert_eq!(refused(Audience::Machine, all), [1, 2, 3, 4, 5]);
        assert_eq!(refused(Audience::Pager, all), [1, 2, 3]);
        assert_eq!(refused(Audience::Chat, all), [0; 0]);
        // What changes nothing is no mistake.
        let nothing = "storm: off\ncap: off\nsettle: 0s\nedits: 0\nretry_for: 2h\n";
        assert_eq!(refused(Audience::Machine, nothing), [0; 0]);
    }
}
