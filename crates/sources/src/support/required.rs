//! Finds a key that a type requires, from the type itself.
//!
//! Detection asks every source about every document. Scanning for one key runs at memory speed;
//! deserializing the document for each of some forty types would parse it as many times.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Error};

/// Returns the first field, in declaration order, without which a `T` cannot be deserialized.
/// Returns `None` where `T` is not an object or requires nothing.
pub(super) fn required_key<T: DeserializeOwned>() -> Option<&'static str> {
    let nothing = std::iter::empty::<(&str, &str)>();
    match T::deserialize(MapDeserializer::<_, Missing>::new(nothing)) {
        Err(Missing(key)) => key,
        Ok(_) => None,
    }
}

/// Returns whether `text`, a JSON document, may contain `key`.
///
/// A key written with escapes would be missed; no platform writes its keys that way.
pub(super) fn may_hold(text: &str, key: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), format!("\"{key}\"").as_bytes()).is_some()
}

/// The error of deserializing an empty object: the missing field.
#[derive(Debug)]
struct Missing(Option<&'static str>);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "missing {:?}", self.0)
    }
}

impl std::error::Error for Missing {}

impl Error for Missing {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Some(field))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its fields' names are read")]
    struct Page {
        note: Option<String>,
        #[serde(default)]
        count: u32,
        #[serde(rename = "pageId")]
        id: String,
        url: String,
    }

    #[test]
    fn the_first_demanded_field_is_found() {
        assert_eq!(required_key::<Page>(), Some("pageId"));
        assert_eq!(required_key::<Option<Page>>(), None);
        assert_eq!(required_key::<Vec<Page>>(), None);
        assert_eq!(required_key::<String>(), None);
        assert!(may_hold("{\"pageId\" : 1}", "pageId"));
        assert!(!may_hold("{\"page\" : \"pageId of\"}", "pageId"));
    }
}
