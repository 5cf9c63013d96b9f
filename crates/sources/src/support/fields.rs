//! Types and serde helpers for fields that platforms spell in more than one way.
//!
//! Use the types directly (`id: Id`) and the functions with `#[serde(default, deserialize_with =
//! "fields::or_default")]`. A value of the wrong type is an error and rejects the item that
//! contains it; see [`super::Items`].

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::lenient;
use crate::dates;
use statuswatch_model::event::Time;

/// Longest id accepted, in bytes.
const MAX_ID: usize = 512;

/// An id: a string, or an integer kept as its digits so that it is never rounded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub String);

impl Id {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let id = match quoted {
            Some(plain) if !plain.contains('\\') => plain.trim().to_owned(),
            Some(_) => lenient::read::<String>(text).map_err(de::Error::custom)?.trim().to_owned(),
            None if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => text.to_owned(),
            None => return Err(de::Error::custom("an id must be a string or an integer")),
        };
        // Ids are printed on terminals, so control and bidirectional characters are rejected.
        let printable = id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            || (!id.contains('\n') && statuswatch_model::text::safe(&id) == id);
        if id.is_empty() || id.len() > MAX_ID || !printable {
            return Err(de::Error::custom("an id is empty, too long or unprintable"));
        }
        Ok(Self(id))
    }
}

/// A JSON:API to-many relationship: the referenced objects are listed elsewhere, under their ids.
#[derive(Debug, Default, Deserialize)]
pub struct References {
    /// The references, in document order.
    #[serde(default, deserialize_with = "or_default")]
    pub data: Vec<Reference>,
}

/// One of [`References`].
#[derive(Debug, Deserialize)]
pub struct Reference {
    /// The id of the referenced object.
    pub id: Id,
}

/// Deserializes `null` as the default; with `#[serde(default)]`, a missing field too.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Deserializes a time from a string in any format of [`moment_of`]. Null, empty and unreadable
/// strings become `None`: an unreadable date must not cost the update.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    visit_string(deserializer, "a time or null", moment_of).map(Option::flatten)
}

/// Deserializes a title or a name, see [`super::name`]; null becomes an empty string.
pub fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    visit_string(deserializer, "a string", super::name).map(Option::unwrap_or_default)
}

/// Deserializes text written by the provider, see [`super::prose`]; null becomes an empty string.
pub fn prose<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    visit_string(deserializer, "a string", super::prose).map(Option::unwrap_or_default)
}

/// Deserializes an optional string through `read`, which borrows it from the document: a page has
/// hundreds of strings. Returns `None` for null.
pub fn visit_string<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: impl FnOnce(&str) -> T,
) -> Result<Option<T>, D::Error> {
    struct StringVisitor<F>(&'static str, F);

    impl<'de, T, F: FnOnce(&str) -> T> de::Visitor<'de> for StringVisitor<F> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some((self.1)(text)))
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_str(self)
        }
    }
    deserializer.deserialize_option(StringVisitor(expected, read))
}

/// Deserializes a time from a string in any format of [`moment_of`], or from a number. An
/// unreadable value becomes `None`.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    let Some(text) = raw.map(RawValue::get) else {
        return Ok(None);
    };
    if text.starts_with('"') {
        let text = lenient::read::<String>(text).map_err(de::Error::custom)?;
        return Ok(moment_of(&text));
    }
    if text.starts_with(['{', '[']) || matches!(text, "true" | "false") {
        return Err(de::Error::custom("a time must be a string or a number"));
    }
    Ok(moment_of(text))
}

/// Parses a time in any format that programs and people write; see `dates`. A time without a zone
/// is in the zone of the page, else in that configured for the provider, else UTC. A time that
/// cannot be read is counted in [`statuswatch_model::snapshot::Snapshot::unread_times`].
#[must_use]
pub fn moment_of(text: &str) -> Option<Time> {
    dates::read(text)
}

/// Sets the zone of the times that follow in this document, as stated by the page. Unknown names,
/// null and other values are ignored.
pub fn page_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    if let Some(name) = raw.and_then(|raw| lenient::read::<String>(raw.get()).ok()) {
        dates::page_zone(&name);
    }
    Ok(())
}

/// Deserializes an optional id; null and the empty string become `None`.
pub fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    match raw.map(RawValue::get) {
        None | Some("\"\"") => Ok(None),
        Some(text) => lenient::read(text).map(Some).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::parse_time;

    #[derive(Debug, Deserialize)]
    struct Item {
        id: Id,
        #[serde(default, deserialize_with = "or_default")]
        name: String,
        #[serde(default, deserialize_with = "time")]
        at: Option<Time>,
        #[serde(default, deserialize_with = "optional_id")]
        group: Option<Id>,
    }

    fn item(text: &str) -> Result<Item, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn ids_are_strings_or_integers_and_never_rounded() {
        assert_eq!(
            item(r#"{"id": 123456789012345678901234567890}"#).unwrap().id.as_str(),
            "123456789012345678901234567890"
        );
        assert_eq!(item(r#"{"id": " ab\u0063 "}"#).unwrap().id.as_str(), "abc");
        for bad in [
            r#"{"id": 1.5}"#,
            r#"{"id": 1e3}"#,
            r#"{"id": ""}"#,
            r#"{"id": null}"#,
            r#"{"id": {}}"#,
            r#"{"id": "a\u0007"}"#,
            "{\"id\": \"a\u{202e}\"}",
            "{}",
        ] {
            assert!(item(bad).is_err(), "{bad}");
        }
        assert_eq!(item(r#"{"id": 1, "group": 7}"#).unwrap().group, Some(Id("7".to_owned())));
        assert_eq!(item(r#"{"id": 1, "group": null}"#).unwrap().group, None);
    }

    #[test]
    fn null_is_the_default_and_a_wrong_type_is_an_error() {
        assert_eq!(item(r#"{"id": 1, "name": null}"#).unwrap().name, "");
        assert!(item(r#"{"id": 1, "name": 5}"#).is_err());
        assert!(item(r#"{"id": 1, "at": {}}"#).is_err());
    }

    #[test]
    fn times_are_instants_whatever_the_offset() {
        let at = |text: &str| item(&format!(r#"{{"id": 1, "at": "{text}"}}"#)).unwrap().at;
        assert_eq!(at("2026-03-08T01:30:00.000-08:00"), at("2026-03-08T09:30:00Z"));
        assert!(at("2026-03-08T09:30:00Z").is_some());
        assert_eq!(
            at("2016-12-31T23:59:60Z"),
            at("2016-12-31T23:59:59Z"),
            "a leap second is reported as the second before it"
        );
        assert_eq!(at("yesterday"), None);
        assert_eq!(at(""), None);
    }

    #[test]
    fn times_are_read_in_the_formats_that_programs_write() {
        let noon = parse_time("2026-03-01T12:00:00Z");
        for text in [
            "2026-03-01T12:00:00Z",
            "2026-03-01 12:00:00",
            "2026-03-01 12:00:00.000",
            "2026-03-01T12:00:00",
            "2026-03-01 12:00",
            "2026-03-01 12:00:00 UTC",
            "2026-03-01 12:00:00 +0000 UTC",
            "2026-03-01 13:00:00 +0100 CET",
            "2026-03-01 13:00:00 CET",
        ] {
            assert_eq!(moment_of(text), noon, "{text}");
        }
        for text in ["", "<no value>", "2026-13-01 12:00:00", "0"] {
            assert_eq!(moment_of(text), None, "{text}");
        }
        #[derive(Debug, Deserialize)]
        struct At {
            #[serde(default, deserialize_with = "moment")]
            at: Option<Time>,
        }
        let at = |text: &str| serde_json::from_str::<At>(text).map(|read| read.at);
        assert_eq!(at(r#"{"at": 1772366400}"#).unwrap(), noon);
        assert_eq!(at(r#"{"at": 1772366400000}"#).unwrap(), noon);
        assert_eq!(at(r#"{"at": null}"#).unwrap(), None);
        assert_eq!(at("{}").unwrap(), None);
        assert!(at(r#"{"at": {}}"#).is_err());
    }
}
