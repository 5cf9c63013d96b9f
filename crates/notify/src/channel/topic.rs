//! Subjects and topics with the names of what a message is about.

use crate::notification::{Content, Notification, Phase};

/// A subject or topic, checked once, in which `{provider}`, `{kind}`, `{status}`, `{impact}`,
/// `{phase}` and `{thread}` stand for those of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(&'static str),
}

/// The names that may stand in braces.
const NAMES: &[&str] = &["provider", "kind", "status", "impact", "phase", "thread"];

impl Topic {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or_else(|| "a \"{\" has no \"}\"".to_owned())?;
            let name = NAMES
                .iter()
                .find(|known| **known == name)
                .ok_or_else(|| format!("\"{{{name}}}\" is none of {{{}}}", NAMES.join("}, {")))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Name(name));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Returns whether a name stands in it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Name(known) if *known == name))
    }

    /// Fills in the names. What is neither a letter or digit of ASCII nor `-` or `_` becomes `_`, so
    /// that no name adds a level or a wildcard.
    pub(super) fn of(&self, notification: &Notification<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => word(&value(name, notification)),
        });
        parts.collect()
    }

    /// Fills in `x` for every name, to check the rest.
    pub(super) fn example(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Name(_) => "x",
        });
        parts.collect()
    }
}

/// Returns the value of a name. A summary or notice is about no single provider: `_`.
fn value(name: &str, notification: &Notification<'_>) -> String {
    let event = match notification.content {
        Content::Event(event) => Some(event),
        Content::Summary(_) | Content::Notice(_) => None,
    };
    let of_event = match name {
        "thread" => return notification.thread.to_owned(),
        "phase" => return phase(notification.phase).to_owned(),
        "kind" => return kind(notification).to_owned(),
        "provider" => event.map(|event| event.provider.clone()),
        "status" => event.map(|event| event.status.to_string()),
        "impact" => event.map(|event| event.impact.to_string()),
        _ => None,
    };
    of_event.unwrap_or_default()
}

/// Returns what a message is about: the kind of an event, `summary` or `notice`.
pub(super) fn kind(notification: &Notification<'_>) -> &'static str {
    match notification.content {
        Content::Event(event) => event.kind.as_str(),
        Content::Summary(_) => "summary",
        Content::Notice(_) => "notice",
    }
}

/// Returns the word for a phase.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "open",
        Phase::Update => "update",
        Phase::End => "end",
    }
}

fn word(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let word: String = text.chars().take(100).map(safe).collect();
    if word.is_empty() { "_".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{incident, notification};

    #[test]
    fn names_are_filled_in_and_add_no_level() {
        let mut event = incident();
        event.provider = "a.b/c*>#+ \r\n\u{202e}é".into();
        let topic = Topic::parse("s.{provider}.{kind}.{phase}.{thread}").unwrap();
        assert_eq!(
            topic.of(&notification(&event, Phase::Open, None)),
            "s.a_b_c_________.incident.open.fedcba9876543210fedcba9876543210"
        );
        event.provider.clear();
        let topic = Topic::parse("{provider}").unwrap();
        assert_eq!(topic.of(&notification(&event, Phase::Open, None)), "_");
        assert!(Topic::parse("{providers}").unwrap_err().contains("{provider}, {kind}"));
        assert!(Topic::parse("{provider").is_err());
    }
}
