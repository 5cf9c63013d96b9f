//! What `replay` prints. Pure.

use std::fmt::Write as _;

use serde_json::json;

use crate::event::{StatusEvent, render_block, render_block_colored};
use crate::ledger::StoredEvent;
use crate::replay::{Compared, Difference, Summary};
use crate::view::when;

/// Addresses that are not in the recording are named up to this number.
const NAMED: usize = 10;

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Blocks for people.
    Text {
        /// In color.
        color: bool,
    },
    /// One JSON object a line.
    Json,
}

/// An event as the console or the event log has it.
#[must_use]
pub fn event(recorded: &StoredEvent, style: Style) -> String {
    match style {
        Style::Text { color } => block(&recorded.event, color),
        Style::Json => format!("{}\n", recorded.line),
    }
}

fn block(event: &StatusEvent, color: bool) -> String {
    if color { render_block_colored(event) } else { render_block(event) }
}

/// The differences from what was reported then.
#[must_use]
pub fn differences(compared: &Compared, style: Style) -> String {
    compared
        .differences
        .iter()
        .map(|difference| match style {
            Style::Text { color } => text(difference, color),
            Style::Json => format!("{}\n", object(difference)),
        })
        .collect()
}

fn text(difference: &Difference, color: bool) -> String {
    match difference {
        Difference::Missing(event) => format!("MISSING\n{}", block(event, color)),
        Difference::Extra(event) => format!("EXTRA\n{}", block(event, color)),
        Difference::Different { then, now, fields } => {
            let mut out = format!("DIFFERENT in {}\n", fields.join(", "));
            let value = |event: &StatusEvent| serde_json::to_value(event).unwrap_or_default();
            let (before, after) = (value(then), value(now));
            for field in fields {
                let of = |value: &serde_json::Value| {
                    value.get(field).map(ToString::to_string).unwrap_or_default()
                };
                // Writing to a String cannot fail.
                writeln!(out, "  {field}: {} -> {}", of(&before), of(&after)).ok();
            }
            out.push_str(&block(now, color));
            out
        }
    }
}

fn object(difference: &Difference) -> serde_json::Value {
    match difference {
        Difference::Missing(event) => json!({"difference": "missing", "history": event}),
        Difference::Extra(event) => json!({"difference": "extra", "replay": event}),
        Difference::Different { then, now, fields } => {
            json!({"difference": "different", "fields": fields, "history": then, "replay": now})
        }
    }
}

/// The comparison in one line.
#[must_use]
pub fn verdict(compared: &Compared) -> String {
    let count = |which: fn(&Difference) -> bool| {
        compared.differences.iter().filter(|difference| which(difference)).count()
    };
    let mut line = if compared.differences.is_empty() {
        format!("No difference: {} events are the same.", compared.same)
    } else {
        format!(
            "{} missing, {} extra, {} different, {} the same.",
            count(|difference| matches!(difference, Difference::Missing(_))),
            count(|difference| matches!(difference, Difference::Extra(_))),
            count(|difference| matches!(difference, Difference::Different { .. })),
            compared.same
        )
    };
    if compared.before > 0 {
        write!(line, " {} were reported before the recording began.", compared.before).ok();
    }
    line
}

/// What was replayed, in one line, and what was not found.
#[must_use]
pub fn summary(summary: &Summary, missing: &[String]) -> String {
    let Summary { providers, answers, polls, failed, begin, end } = summary;
    let mut out = format!(
        "Replayed {answers} answers in {polls} polls ({failed} failed) of {} providers",
        providers.len()
    );
    if let (Some(begin), Some(end)) = (begin, end) {
        write!(out, ", {} to {} UTC", when::stamp(*begin), when::stamp(*end)).ok();
    }
    out.push('.');
    if !missing.is_empty() {
        write!(out, "\nNot in the recording, and answered as not found:").ok();
        for address in missing.iter().take(NAMED) {
            write!(out, "\n  {address}").ok();
        }
        if missing.len() > NAMED {
            write!(out, "\n  and {} more", missing.len() - NAMED).ok();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    #[test]
    fn a_summary_names_what_is_not_there() {
        let figures = Summary {
            providers: vec!["acme".to_owned()],
            answers: 3,
            polls: 2,
            failed: 1,
            begin: parse_time("2026-03-01T12:00:00Z"),
            end: parse_time("2026-03-01T13:00:00Z"),
        };
        let missing: Vec<String> =
            (0..12).map(|n| format!("acme: https://a.example/{n}")).collect();
        let text = summary(&figures, &missing);
        assert!(text.starts_with("Replayed 3 answers in 2 polls (1 failed) of 1 providers, 2026-03-01 12:00:00 to 2026-03-01 13:00:00 UTC.\n"), "{text}");
        assert!(text.ends_with("and 2 more"), "{text}");
    }
}
