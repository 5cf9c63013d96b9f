//! Types and serde helpers for fields that platforms spell in more than one way.
//!
//! A field needs no attribute: `title: Text` may be absent or null, `at: When` may be any time,
//! `id: Id` is required. A value of the wrong type is an error and rejects the item that contains
//! it; see [`super::Items`]. The functions are for fields that may be null but not absent, with
//! `#[serde(deserialize_with = "fields::or_default")]`, or `Name::deserialize`.
//!
//! A type whose fields are all optional needs `#[serde(default)]` if it may be written `[]`, which
//! is how PHP writes an empty object.

use std::fmt;
use std::ops::Deref;

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

/// A field that may be absent or null; both are the default of its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrDefault<T>(pub T);

/// A string that may be absent or null; both are the empty string.
pub type Text = OrDefault<String>;

impl<T> Deref for OrDefault<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for OrDefault<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        or_default(deserializer).map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for OrDefault<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[expect(clippy::into_iter_without_iter, reason = "`iter` is that of the field, by `Deref`")]
impl<'a, T> IntoIterator for &'a OrDefault<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A time as a string in any format of [`moment_of`], or as a number. An absent, null, empty or
/// unreadable one is `None`: an unreadable date must not cost the update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub Option<Time>);

impl Deref for When {
    type Target = Option<Time>;

    fn deref(&self) -> &Option<Time> {
        &self.0
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        moment(deserializer).map(Self)
    }
}

/// An id that may be absent, null or empty; each is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaybeId(pub Option<Id>);

impl Deref for MaybeId {
    type Target = Option<Id>;

    fn deref(&self) -> &Option<Id> {
        &self.0
    }
}

impl<'de> Deserialize<'de> for MaybeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Option::<&RawValue>::deserialize(deserializer)?;
        match raw.map(RawValue::get) {
            None | Some("\"\"") => Ok(Self(None)),
            Some(text) => lenient::read(text).map(Some).map(Self).map_err(de::Error::custom),
        }
    }
}

/// A title or a name as one line, see [`super::name`]. Absent and null are the empty string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(pub String);

impl Deref for Name {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl From<Name> for String {
    fn from(Name(name): Name) -> Self {
        name
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        visit_string(deserializer, "a string", super::name)
            .map(|name| Self(name.unwrap_or_default()))
    }
}

/// Text written by the provider as paragraphs of plain text, see [`super::prose`]. Absent and null
/// are the empty string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prose(pub String);

impl Deref for Prose {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Prose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        visit_string(deserializer, "a string", super::prose)
            .map(|text| Self(text.unwrap_or_default()))
    }
}

/// A JSON:API to-many relationship: the referenced objects are listed elsewhere, under their ids.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct References {
    /// The references, in document order.
    pub data: OrDefault<Vec<Reference>>,
}

impl References {
    /// Returns the ids of the referenced objects.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.data.iter().map(|reference| reference.id.0.clone()).collect()
    }
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

/// Deserializes an optional string through `read`, which borrows it from the document: a page has
/// hundreds of strings. Returns `None` for null.
pub fn visit_string<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: impl FnOnce(&str) -> T,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(StringVisitor(expected, read))
}

/// Reads a string without copying it first; null is `None`.
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

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// Deserializes a time from a string in any format of [`moment_of`], or from a number. An
/// unreadable value becomes `None`.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    let Some(text) = raw.map(RawValue::get) else {
        return Ok(None);
    };
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => return Ok(moment_of(plain)),
        Some(_) => {
            let text = lenient::read::<String>(text).map_err(de::Error::custom)?;
            return Ok(moment_of(&text));
        }
        None => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::parse_time;

    #[derive(Debug, Deserialize)]
    struct Item {
        id: Id,
        name: Text,
        at: When,
        group: MaybeId,
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
        assert_eq!(item(r#"{"id": 1, "group": 7}"#).unwrap().group.0, Some(Id("7".to_owned())));
        assert_eq!(item(r#"{"id": 1, "group": null}"#).unwrap().group.0, None);
        assert_eq!(item(r#"{"id": 1, "group": ""}"#).unwrap().group.0, None);
    }

    #[test]
    fn null_is_the_default_and_a_wrong_type_is_an_error() {
        assert_eq!(item(r#"{"id": 1, "name": null}"#).unwrap().name, "");
        assert_eq!(item(r#"{"id": 1}"#).unwrap().name, "");
        assert!(item(r#"{"id": 1, "name": 5}"#).is_err());
        assert!(item(r#"{"id": 1, "at": {}}"#).is_err());
    }

    #[test]
    fn a_name_is_optional_unless_an_attribute_requires_it() {
        #[derive(Debug, Deserialize)]
        struct Named {
            #[serde(deserialize_with = "Name::deserialize")]
            name: Name,
            note: Name,
            text: Prose,
        }
        let named = |text: &str| serde_json::from_str::<Named>(text);
        let read = named(r#"{"name": " a\n b ", "text": "<p>c</p>"}"#).unwrap();
        assert_eq!((read.name.as_str(), read.text.as_str()), ("a b", "c"));
        let read = named(r#"{"name": null, "text": null}"#).unwrap();
        assert_eq!((read.name.as_str(), read.text.as_str()), ("", ""));
        assert!(
            named(r#"{"name": "a"}"#)
                .is_ok_and(|read| read.text.is_empty() && read.note.is_empty())
        );
        for bad in ["{}", r#"{"name": 1}"#, r#"{"name": []}"#, r#"{"name": "a", "text": 1}"#] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_instants_whatever_the_offset() {
        let at = |text: &str| item(&format!(r#"{{"id": 1, "at": "{text}"}}"#)).unwrap().at.0;
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
        let at = |value: &str| item(&format!(r#"{{"id": 1, "at": {value}}}"#)).unwrap().at.0;
        assert_eq!(at("1772366400"), noon);
        assert_eq!(at("1772366400000"), noon);
        assert_eq!(at(r#""2026-03-01T12\u003a00:00Z""#), noon);
        assert_eq!(at("null"), None);
        assert_eq!(item(r#"{"id": 1}"#).unwrap().at.0, None);
    }
}
