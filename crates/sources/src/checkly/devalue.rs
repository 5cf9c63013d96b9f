//! Decodes the payload of a Nuxt page: one list of values, in which the members of lists and
//! objects are indexes of other values (the devalue format).

use serde_json::{Map, Value};

use crate::support::lenient;

/// Maximum depth of a value.
const MAX_DEPTH: usize = 32;
/// A value may be referenced several times; in total, at most this many times the length of the
/// list is read.
const MAX_FACTOR: usize = 16;

/// The list, and how many values may still be read.
pub(super) struct Carried {
    list: Vec<Value>,
    left: usize,
}

impl Carried {
    /// Parses the list in a script.
    pub(super) fn new(script: &str) -> Result<Self, String> {
        let list: Vec<Value> = lenient::read(script).map_err(|error| error.to_string())?;
        Ok(Self { list, left: script.len().saturating_mul(MAX_FACTOR) })
    }

    /// Returns the data fetched for the page under a key that starts with `prefix`.
    pub(super) fn fetched(&mut self, prefix: &str) -> Result<Option<Value>, String> {
        let data = match self.list.first() {
            Some(Value::Object(root)) => root.get("data").and_then(place),
            _ => None,
        };
        let Some(mut at) = data else { return Ok(None) };
        // The object with the keys is wrapped once or twice.
        for _ in 0..MAX_DEPTH {
            match self.list.get(at) {
                Some(Value::Array(wrapped)) => match wrapped.as_slice() {
                    [Value::String(_), inner] => match place(inner) {
                        Some(inner) => at = inner,
                        None => return Ok(None),
                    },
                    _ => return Ok(None),
                },
                Some(Value::Object(keys)) => {
                    let key = keys.iter().find(|(key, _)| key.starts_with(prefix));
                    let found = key.and_then(|(_, value)| place(value));
                    return found.map(|at| self.value(at, MAX_DEPTH)).transpose();
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn value(&mut self, at: usize, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("a value is nested too deep or in itself".to_owned());
        };
        let value = self.list.get(at).cloned().unwrap_or(Value::Null);
        let weight = match &value {
            Value::String(text) => text.len() + 1,
            Value::Array(list) => list.len() + 1,
            Value::Object(object) => object.keys().map(String::len).sum::<usize>() + 1,
            _ => 1,
        };
        self.left = self.left.checked_sub(weight).ok_or("the same values stand too often in it")?;
        match value {
            Value::Object(object) => {
                let mut out = Map::new();
                for (key, inner) in object {
                    out.insert(key, self.member(&inner, depth)?);
                }
                Ok(Value::Object(out))
            }
            Value::Array(list) => match list.as_slice() {
                [Value::String(tag), inner] => match tag.as_str() {
                    "ShallowReactive" | "Reactive" | "ShallowRef" | "Ref" => {
                        self.member(inner, depth)
                    }
                    "Date" => Ok(inner.clone()),
                    _ => Ok(Value::Null),
                },
                [Value::String(_), ..] => Ok(Value::Null),
                list => list.iter().map(|inner| self.member(inner, depth)).collect(),
            },
            plain => Ok(plain),
        }
    }

    /// Negative indexes stand for values that JSON lacks, such as undefined.
    fn member(&mut self, inner: &Value, depth: usize) -> Result<Value, String> {
        place(inner).map_or(Ok(Value::Null), |at| self.value(at, depth))
    }
}

fn place(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|at| usize::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Value>, String> {
        Carried::new(text)?.fetched("page-")
    }

    #[test]
    fn members_are_places_and_wrappers_are_looked_through() {
        let text = r#"[{"data": 1}, ["ShallowReactive", 2], {"other": -1, "page-acme": 3},
            {"a": 4, "b": 5, "c": -1, "d": 7, "e": 8}, "x", [4, 6], true, ["Date", "2026-03-01T10:00:00.000Z"], ["Set", 4]]"#;
        let expected = serde_json::json!({"a": "x", "b": ["x", true], "c": null,
            "d": "2026-03-01T10:00:00.000Z", "e": null});
        assert_eq!(read(text), Ok(Some(expected)));
    }

    #[test]
    fn what_is_not_there_is_none_and_what_stands_in_itself_an_error() {
        assert_eq!(read("[]"), Ok(None));
        assert_eq!(read(r#"[{"data": 1}, ["Ref", 1]]"#), Ok(None));
        assert!(read("{}").is_err());
        assert!(read(r#"[{"data": 1}, {"page-a": 2}, [2]]"#).unwrap_err().contains("in itself"));
        let doubled: Vec<String> = (3..30).map(|at| format!("[{at}, {at}]")).collect();
        let expanding = format!(r#"[{{"data": 1}}, {{"page-a": 2}}, {}, "x"]"#, doubled.join(", "));
        assert!(read(&expanding).unwrap_err().contains("too often"));
    }
}
