//! The words of Adobe's events: in the event itself, or by a token in `messages.<language>`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Time, format_time};
use crate::source::shared::{fields, lenient, prose};

/// Texts by language and token, not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Messages(BTreeMap<String, BTreeMap<String, Box<RawValue>>>);

/// One text: with markup, plain, or both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default, deserialize_with = "fields::or_default")]
    html_message: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    text_message: String,
}

impl Messages {
    /// Of the `messages` of an event list; there are none where they have another shape.
    pub(super) fn new(raw: Option<&RawValue>) -> Self {
        Self(raw.and_then(|raw| lenient::read(raw.get()).ok()).unwrap_or_default())
    }

    /// The text of a token as paragraphs, in English where it is written in English; empty where
    /// the token names none.
    pub(super) fn text(&self, token: &str) -> String {
        let Some(raw) = in_english(&self.0).and_then(|texts| texts.get(token)) else {
            return String::new();
        };
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

/// A text, or the English one of several.
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

/// `text` with the window in the places kept for it: `{startDateTime}` and `{endDateTime}`.
pub(super) fn with_window(text: &str, from: Option<Time>, until: Option<Time>) -> String {
    let mut text = text.to_owned();
    for (place, time) in [("{startDateTime}", from), ("{endDateTime}", until)] {
        if let Some(time) = time {
            text = text.replace(place, &format_time(time));
        }
    }
    text
}
