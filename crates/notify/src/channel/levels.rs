//! What channels for pagers and programs share: the severities in a service's words, the address of
//! its API, and facts about an event under fixed names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use statuswatch_model::event::{Component, StatusEvent, Time, format_time};
use statuswatch_model::text::one_line;
use url::Url;

use crate::notification::{Content, Notification, Severity};
use crate::text::{Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// The key that overrides a service's words.
pub(super) const SEVERITY: Key = Key::optional(
    "severity",
    Shape::Map,
    "What \"critical\", \"major\", \"minor\" and \"info\" are called at the service, if not as above.",
);

/// The names of the levels, worst first, as in the key `severity`.
const NAMES: [&str; 4] = ["critical", "major", "minor", "info"];

/// The four severities in a service's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Levels([String; 4]);

impl Levels {
    /// Reads the key `severity` over `defaults`, worst first. Each word must be one of `allowed`.
    pub(super) fn read(
        values: &Values,
        defaults: [&str; 4],
        allowed: &[&str],
    ) -> Result<Self, ValueError> {
        let mut words = defaults.map(str::to_owned);
        for (name, word) in values.map("severity") {
            let Some(place) = words.iter_mut().zip(NAMES).find(|(_, known)| known == name) else {
                let message = format!("\"{name}\" is not one of {}", NAMES.join(", "));
                return Err(ValueError::at("severity", message));
            };
            if !allowed.contains(&word.as_str()) {
                let message = format!("\"{word}\" is not one of {}", allowed.join(", "));
                return Err(ValueError::at("severity", message));
            }
            word.clone_into(place.0);
        }
        Ok(Self(words))
    }

    /// Reads the key `severity` over our own names; any word of one line is allowed.
    pub(super) fn free(values: &Values) -> Result<Self, ValueError> {
        let words: Vec<&str> = values.map("severity").iter().map(|(_, word)| &**word).collect();
        if words.iter().any(|word| word.is_empty() || one_line(word, 50) != *word) {
            return Err(ValueError::at("severity", "give words of one line"));
        }
        let allowed = [words.as_slice(), NAMES.as_slice()].concat();
        Self::read(values, NAMES, &allowed)
    }

    /// Returns the service's word.
    pub(super) fn word(&self, severity: Severity) -> &str {
        let [critical, major, minor, info] = &self.0;
        match severity {
            Severity::Critical => critical,
            Severity::Major => major,
            Severity::Minor => minor,
            Severity::Info => info,
        }
    }
}

/// Returns how bad it is for somebody who is paged: a summary has no end that would close what it
/// opened, so it never wakes anybody.
pub(super) fn severity(notification: &Notification<'_>) -> Severity {
    match notification.content {
        Content::Summary(_) => Severity::Info,
        Content::Event(_) | Content::Notice(_) => notification.severity(),
    }
}

/// Returns whether a pager has nothing to learn from it: a summary of what is over, which no alert
/// stands for.
pub(super) fn is_idle(notification: &Notification<'_>) -> bool {
    matches!(notification.content, Content::Summary(_)) && notification.is_over()
}

/// Sets a value of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Returns the address under `key`, or the service's own.
pub(super) fn address(
    values: &Values,
    key: &'static str,
    default: &str,
) -> Result<Url, ValueError> {
    match values.url(key) {
        Some(url) => Ok(url.clone()),
        None => Url::parse(default).map_err(|error| ValueError::at(key, error.to_string())),
    }
}

/// Returns the value of `authorization` from the keys `token`, or `username` and `password`.
pub(super) fn authorization(values: &Values) -> Result<Option<Secret<String>>, ValueError> {
    match (values.secret("token"), values.text("username"), values.secret("password")) {
        (Some(token), None, None) => Ok(Some(Secret::new(format!("Bearer {}", token.expose())))),
        (None, Some(username), Some(password)) => {
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            Ok(Some(Secret::new(format!("Basic {pair}"))))
        }
        (None, None, None) => Ok(None),
        _ => Err(ValueError::new("give \"token\", or \"username\" and \"password\", or none")),
    }
}

/// Returns `base` with further path segments, each percent-encoded.
pub(super) fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Returns what a notification is about as a flat object of texts, each at most `most` characters:
/// for services that show or match such facts. Empty for a summary or notice.
pub(super) fn details(notification: &Notification<'_>, most: usize) -> Map<String, Value> {
    let mut details = Map::new();
    let Content::Event(event) = notification.content else {
        return details;
    };
    let mut set = |name: &str, value: String| {
        if !value.is_empty() {
            details.insert(name.to_owned(), Value::String(one_line(&value, most)));
        }
    };
    set("provider", event.provider.clone());
    set("provider_name", event.provider_name.clone());
    set("kind", event.kind.to_string());
    set("status", event.status.to_string());
    set("impact", event.impact.to_string());
    set("incident_id", event.incident_id.clone().unwrap_or_default());
    set("event_id", event.id.clone());
    set("components", components(event, most));
    set("published_at", format_time(event.published_at));
    details
}

/// Returns the names of the components, separated by commas, in at most `most` characters.
pub(super) fn components(event: &StatusEvent, most: usize) -> String {
    let mut listed = String::new();
    for component in &event.components {
        let name = one_line(&component.name, 80);
        if name.is_empty() {
            continue;
        }
        if !listed.is_empty() {
            listed.push_str(", ");
        }
        listed.push_str(&name);
        // Four bytes are the longest character.
        if listed.len() > most * 4 {
            break;
        }
    }
    fit(&listed, most, Unit::Chars).into_owned()
}

/// Returns the event as JSON in at most `most` bytes, at least 32 KiB: a longer one loses the end of
/// its message, then components and the ends of names.
pub(super) fn bounded_event(event: &StatusEvent, most: usize) -> Value {
    let whole = json!(event);
    if whole.to_string().len() <= most {
        return whole;
    }
    let cut = |text: &str, max: usize| fit(text, max, Unit::Bytes).into_owned();
    let short = StatusEvent {
        provider_name: cut(&event.provider_name, 500),
        title: cut(&event.title, 1_000),
        // JSON escapes a character of one byte to two at most: control characters were removed.
        message: event.message.as_deref().map(|message| cut(message, most / 8)),
        components: event
            .components
            .iter()
            .take(20)
            .map(|component| Component {
                id: component.id.as_deref().map(|id| cut(id, 100)),
                name: cut(&component.name, 100),
                group: component.group.as_deref().map(|group| cut(group, 100)),
                status: component.status,
            })
            .collect(),
        url: event.url.clone().filter(|url| url.len() <= 2_000),
        ..event.clone()
    };
    json!(short)
}

/// Returns when what a notification is about began, and when it was published.
pub(super) fn times(notification: &Notification<'_>) -> (Time, Time) {
    match notification.content {
        Content::Event(event) => {
            (event.started_at.unwrap_or(event.published_at), event.published_at)
        }
        Content::Summary(_) => (notification.now, notification.now),
        Content::Notice(notice) => (notice.at, notice.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{events, incident};
    use crate::values::Value as Given;

    fn levels(pairs: &[(&str, &str)]) -> Result<Levels, ValueError> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let values = Values::default().with("severity", Given::Map(pairs));
        Levels::read(&values, ["P1", "P2", "P3", "P5"], &["P1", "P2", "P3", "P4", "P5"])
    }

    #[test]
    fn words_can_be_overridden_and_are_checked() {
        let read = levels(&[("minor", "P4")]).unwrap();
        assert_eq!(read.word(Severity::Minor), "P4");
        assert_eq!(read.word(Severity::Critical), "P1");
        let error = levels(&[("high", "P1")]).unwrap_err();
        assert_eq!(error.to_string(), "\"high\" is not one of critical, major, minor, info");
        let error = levels(&[("minor", "P9")]).unwrap_err();
        assert_eq!(error.to_string(), "\"P9\" is not one of P1, P2, P3, P4, P5");
    }

    #[test]
    fn credentials_are_complete_or_absent() {
        let basic = Values::default().with_text("username", "Aladdin");
        assert!(authorization(&basic).is_err());
        let basic = basic.with_secret("password", "open sesame");
        let value = authorization(&basic).unwrap().unwrap();
        // From RFC 7617.
        assert_eq!(value.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(authorization(&basic.with_secret("token", "t")).is_err());
        assert_eq!(authorization(&Values::default()), Ok(None));
    }

    #[test]
    fn segments_cannot_leave_their_place() {
        let base = Url::parse("https://api.example/v2/").unwrap();
        assert_eq!(
            join(&base, &["a/b", "..?x#y"]).as_str(),
            "https://api.example/v2/a%2Fb/..%3Fx%23y"
        );
        let base = Url::parse("http://127.0.0.1:1/base").unwrap();
        assert_eq!(join(&base, &["alerts"]).as_str(), "http://127.0.0.1:1/base/alerts");
    }

    #[test]
    fn a_long_event_is_cut_and_still_an_event() {
        assert_eq!(bounded_event(&incident(), 32_768), json!(incident()));
        for event in events() {
            let cut = bounded_event(&event, 32_768);
            assert!(cut.to_string().len() <= 32_768, "{}", cut.to_string().len());
            let read: StatusEvent = serde_json::from_value(cut).unwrap();
            assert_eq!(read.id, event.id);
        }
    }
}
