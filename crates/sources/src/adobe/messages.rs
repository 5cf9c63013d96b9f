//! The texts of Adobe's events: in the event itself, or by token in `messages.<language>`.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::fields::Text;
use crate::support::{lenient, prose};
use statuswatch_model::event::{Time, format_time};

/// Maximum size, in bytes, that the tokens of one document may expand to. Every entry may reference
/// the same long text, so the size of the document is no limit.
const MOST_NAMED: usize = 16 << 20;

/// Texts by token, not decoded yet.
#[derive(Debug, Default)]
pub(super) struct Messages {
    by_language: BTreeMap<String, BTreeMap<String, Box<RawValue>>>,
    named: Cell<usize>,
}

/// One text: HTML, plain, or both.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct Message {
    html_message: Text,
    text_message: Text,
}

impl Messages {
    /// Reads the `messages` of an event list; there are none where they have another shape.
    pub(super) fn new(raw: Option<&RawValue>) -> Self {
        let by_language = raw.and_then(|raw| lenient::read(raw.get()).ok()).unwrap_or_default();
        Self { by_language, named: Cell::new(0) }
    }

    /// Returns whether the limit was exceeded, in which case texts are missing.
    pub(super) fn is_exhausted(&self) -> bool {
        self.named.get() > MOST_NAMED
    }

    /// Returns the text of a token as paragraphs, in English if available; empty for an unknown
    /// token.
    pub(super) fn text(&self, token: &str) -> String {
        let Some(raw) = in_english(&self.by_language).and_then(|texts| texts.get(token)) else {
            return String::new();
        };
        self.named.set(self.named.get().saturating_add(raw.get().len()));
        if self.is_exhausted() {
            return String::new();
        }
        let message = lenient::read::<Message>(raw.get()).map(|message| {
            [message.html_message, message.text_message]
                .into_iter()
                .find(|text| !text.trim().is_empty())
        });
        match message {
            Ok(text) => text.map(|text| prose(&text)).unwrap_or_default(),
            Err(_) => {
                lenient::read::<String>(raw.get()).map(|text| prose(&text)).unwrap_or_default()
            }
        }
    }
}

/// Returns a text, or the English one of several.
pub(super) fn written(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw.map(RawValue::get) else {
        return String::new();
    };
    if let Ok(text) = lenient::read::<String>(raw) {
        return prose(&text);
    }
    let texts: BTreeMap<String, String> = lenient::read(raw).unwrap_or_default();
    in_english(&texts).map(|text| prose(text)).unwrap_or_default()
}

fn in_english<T>(by_language: &BTreeMap<String, T>) -> Option<&T> {
    let english = by_language.iter().find(|(language, _)| language.starts_with("en"));
    english.or_else(|| by_language.iter().next()).map(|(_, value)| value)
}

/// Fills the placeholders `{startDateTime}` and `{endDateTime}` of `text`.
pub(super) fn with_window(text: &str, from: Option<Time>, until: Option<Time>) -> String {
    let mut text = text.to_owned();
    for (place, time) in [("{startDateTime}", from), ("{endDateTime}", until)] {
        if let Some(time) = time {
            text = text.replace(place, &format_time(time));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Messages {
        Messages::new(Some(&RawValue::from_string(text.to_owned()).unwrap()))
    }

    #[test]
    fn a_token_names_the_english_text_with_markup_before_the_plain_one() {
        let all = messages(
            r#"{"de": {"t": {"textMessage": "Rot"}}, "en_US": {"t": {"textMessage": "Red", "htmlMessage": "<b>Red</b>."},
            "p": {"textMessage": "Plain", "htmlMessage": " "}, "s": "Short", "n": 7}}"#,
        );
        for (token, text) in [("t", "Red."), ("p", "Plain"), ("s", "Short"), ("n", ""), ("x", "")] {
            assert_eq!(all.text(token), text, "{token}");
        }
        assert_eq!(messages("[]").text("t"), "");
    }

    #[test]
    fn a_long_text_that_many_name_is_bounded() {
        let long = format!(r#"{{"en": {{"t": "{}"}}}}"#, "a".repeat(1 << 20));
        let all = messages(&long);
        let named: usize = (0..100).map(|_| all.text("t").len()).sum();
        assert!(all.is_exhausted() && named <= MOST_NAMED, "{named}");
    }
}
