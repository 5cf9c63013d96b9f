//! The message that programs get: the event as it stands in the log, with its place in the thread.

use serde_json::{Value, json};
use statuswatch_model::event::{Component, StatusEvent, format_time};
use statuswatch_model::text::one_line;

use super::Form;
use crate::notification::{Content, Notification};
use crate::text::{Unit, fit};

/// Most bytes of an event in full: half of what NATS accepts by default.
const FULL: usize = 512 << 10;
/// What is left of a longer one: characters of a name or title, of the text and of the address, and
/// the number of components.
const TITLE: usize = 300;
const TEXT: usize = 10_000;
const URL: usize = 2_000;
const COMPONENTS: usize = 50;

/// Returns a message for a program: the event in full, or with `"shortened": true` cut to at most
/// 512 KiB, in the plain form always.
pub(super) fn event_json(notification: &Notification<'_>, form: Form) -> Value {
    match notification.content {
        Content::Event(event) => {
            // What is long as text is longer as JSON: most of that need not be written to know it.
            if form == Form::Rich && length(event) <= FULL {
                let message = message(event, notification);
                if message.to_string().len() <= FULL {
                    return message;
                }
            }
            let mut message = self::message(&shortened(event), notification);
            if let Some(fields) = message.as_object_mut() {
                fields.insert("shortened".to_owned(), Value::Bool(true));
            }
            message
        }
        Content::Summary(summary) => json!({
            "type": "summary",
            "timestamp": format_time(notification.now),
            "data": summary,
        }),
        Content::Notice(notice) => json!({
            "type": "notice",
            "timestamp": format_time(notice.at),
            "data": notice,
        }),
    }
}

fn message(event: &StatusEvent, notification: &Notification<'_>) -> Value {
    json!({
        "type": event.kind.as_str(),
        "timestamp": format_time(event.observed_at),
        "thread": notification.thread,
        "phase": notification.phase,
        "data": event,
    })
}

/// Returns the bytes of the texts of an event that may be long.
fn length(event: &StatusEvent) -> usize {
    let components = event.components.iter();
    event.title.len()
        + event.message.as_ref().map_or(0, String::len)
        + components.map(|c| c.name.len() + c.group.as_ref().map_or(0, String::len)).sum::<usize>()
}

fn shortened(event: &StatusEvent) -> StatusEvent {
    // Only the beginning of what may be very long is looked at.
    let name = |text: &str| one_line(&text.chars().take(2 * TITLE).collect::<String>(), TITLE);
    let component = |component: &Component| Component {
        id: component.id.clone(),
        name: name(&component.name),
        group: component.group.as_deref().map(name),
        status: component.status,
    };
    StatusEvent {
        provider_name: name(&event.provider_name),
        title: name(&event.title),
        message: event.message.as_deref().map(|text| fit(text, TEXT, Unit::Chars).into_owned()),
        url: event.url.clone().filter(|url| url.len() <= URL),
        components: event.components.iter().take(COMPONENTS).map(component).collect(),
        ..event.clone()
    }
}
