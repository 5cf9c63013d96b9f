//! Reads JSON as browsers do: a lone surrogate becomes U+FFFD, and of duplicate keys in one object
//! the last value counts.
//!
//! Providers test their pages in browsers, whose `JSON.parse` accepts both (ECMA-262, 25.5.1);
//! `serde_json` rejects the first and, for a field of a struct, the second. Almost every text needs
//! neither: it is read in one pass, and only if that fails for one of these reasons is it rewritten
//! and read again. Rewriting takes linear time and follows objects to a depth of 128 levels, the
//! limit of `serde_json`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use statuswatch_model::document::Document;

/// Deepest nesting of lists and objects that is rewritten. A text that nests deeper is left
/// unchanged.
const MAX_DEPTH: usize = 128;

/// The replacement for a lone surrogate, as an escape.
const REPLACEMENT: &str = "\\ufffd";

/// Deserializes `text` as a `T`. Sources read JSON only through this function and [`document`].
///
/// # Errors
/// Returns the error of `serde_json`, except for lone surrogates and duplicate keys.
pub fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|error| {
        match rewriting_may_help(&error).then(|| rewritten(text)) {
            Some(Some(rewritten)) => serde_json::from_str(&rewritten),
            _ => Err(error),
        }
    })
}

/// Deserializes the value at the start of `text`, ignoring what follows. Also returns its length in
/// bytes. Returns `None` where `text` does not start with a `T`.
#[must_use]
pub fn first<T: DeserializeOwned>(text: &str) -> Option<(T, usize)> {
    // The end of a value does not depend on what is rewritten in it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let raw = values.next()?.ok()?;
    Some((read(raw.get()).ok()?, values.byte_offset()))
}

/// Deserializes the text of a document as a `T`. The text is rewritten at most once, however many
/// sources read it.
///
/// # Errors
/// See [`read`].
pub fn document<T: DeserializeOwned>(document: &Document) -> serde_json::Result<T> {
    serde_json::from_str(&document.text()).or_else(|error| {
        match rewriting_may_help(&error).then(|| document.repaired(rewritten)) {
            Some(Some(rewritten)) => serde_json::from_str(rewritten),
            _ => Err(error),
        }
    })
}

/// Returns whether rewriting may help: not for truncated text. A value of the wrong type may be a
/// superseded duplicate.
fn rewriting_may_help(error: &serde_json::Error) -> bool {
    !error.is_eof()
}

/// Returns `text` without superseded members and lone surrogates; `None` where it has neither,
/// nests too deep, or is not JSON.
fn rewritten(text: &str) -> Option<String> {
    let superseded = superseded(text)?;
    let mut out = String::with_capacity(text.len());
    let mut lone = false;
    let mut from = 0;
    for range in &superseded {
        lone |= push_replacing_lone_surrogates(&mut out, text.get(from..range.start)?);
        from = range.end;
    }
    lone |= push_replacing_lone_surrogates(&mut out, text.get(from..)?);
    (lone || !superseded.is_empty()).then_some(out)
}

/// Appends `text` with every lone surrogate replaced. Returns whether there was one.
fn push_replacing_lone_surrogates(out: &mut String, text: &str) -> bool {
    let mut lone = false;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let first = surrogate(escape);
        let second = escape.get(6..).and_then(surrogate);
        let length = match (first, second) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(_), _) => {
                lone = true;
                out.push_str(REPLACEMENT);
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // Two bytes: the character after the backslash may be another backslash.
            (None, _) => 2,
        };
        let (kept, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    lone
}

enum Half {
    High,
    Low,
}

/// Returns which half of a surrogate pair the escape at the start of `text` is; `None` for another
/// character.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    match u16::from_str_radix(code, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// An object or list that is not closed yet.
enum Open<'t> {
    List,
    Object(Members<'t>),
}

/// The members of an object so far.
#[derive(Default)]
struct Members<'t> {
    /// From the opening quote of each key to that of the next, in document order.
    places: Vec<Range<usize>>,
    by_key: HashMap<Cow<'t, str>, usize>,
    /// Whether the key of the last member has been read, and a comma not yet.
    within: bool,
}

/// Returns the ranges of all members whose key occurs again later in the same object, in ascending
/// order. Returns `None` where the text is not JSON or nests too deep.
fn superseded(text: &str) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let mut next = at + 1;
        match byte {
            b'"' => {
                next = end_of_string(bytes, at)?;
                if let Some(Open::Object(members)) = open.last_mut()
                    && !members.within
                {
                    members.within = true;
                    if let Some(last) = members.places.last_mut() {
                        last.end = at;
                    }
                    let key = key(text.get(at..next)?)?;
                    let place = members.places.len();
                    members.places.push(at..next);
                    if let Some(former) = members.by_key.insert(key, place) {
                        note(&mut found, members.places.get(former)?.clone());
                    }
                }
            }
            b'{' | b'[' if open.len() == MAX_DEPTH => return None,
            b'{' => open.push(Open::Object(Members::default())),
            b'[' => open.push(Open::List),
            b'}' => matches!(open.pop()?, Open::Object(_)).then_some(())?,
            b']' => matches!(open.pop()?, Open::List).then_some(())?,
            b',' => {
                if let Some(Open::Object(members)) = open.last_mut() {
                    members.within = false;
                }
            }
            _ => {}
        }
        at = next;
    }
    open.is_empty().then(|| apart(found))
}

/// Adds a range, merged with the previous one where they touch: a hostile text may consist of
/// little else.
fn note(found: &mut Vec<Range<usize>>, place: Range<usize>) {
    match found.last_mut() {
        Some(last) if last.end == place.start => last.end = place.end,
        _ => found.push(place),
    }
}

/// Returns the ranges in ascending order, without those nested in others.
fn apart(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| range.start);
    let mut end = 0;
    found.retain(|range| {
        let outside = range.start >= end;
        end = end.max(range.end);
        outside
    });
    found
}

/// Returns the index after the string that starts at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Returns a key with its escapes decoded: `"n\u0061me"` is `name`.
fn key(quoted: &str) -> Option<Cow<'_, str>> {
    if !quoted.contains('\\') {
        return Some(Cow::Borrowed(quoted));
    }
    let mut paired = String::with_capacity(quoted.len());
    push_replacing_lone_surrogates(&mut paired, quoted);
    let plain: String = serde_json::from_str(&paired).ok()?;
    Some(Cow::Owned(format!("\"{plain}\"")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Thing {
        name: String,
        #[serde(default)]
        parts: Vec<Thing>,
    }

    fn name(text: &str) -> String {
        read::<Thing>(text).unwrap().name
    }

    #[test]
    fn half_a_surrogate_pair_is_a_replacement_character() {
        for (text, said) in [
            (r#"{"name": "a\ud83d"}"#, "a\u{fffd}"),
            (r#"{"name": "\uD83D b"}"#, "\u{fffd} b"),
            (r#"{"name": "\ude00\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"name": "\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"name": "\ud83d\n\u0041"}"#, "\u{fffd}\nA"),
            (r#"{"name": "\ud83d\\ud83d\""}"#, "\u{fffd}\\ud83d\""),
        ] {
            assert_eq!(name(text), said, "{text}");
        }
        assert_eq!(read::<String>(r#""\udfff""#).unwrap(), "\u{fffd}");
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        for (text, said) in [
            (r#"{"name": "a", "name": "b"}"#, "b"),
            (r#"{"name": {"name": 1, "x": [",}"]}, "na\u006de": "b"}"#, "b"),
            (r#"{"name": "a" , "x": 1, "x": 2, "name": "b", "x": {}}"#, "b"),
            (r#"{"name":"a\"","name":"\ud800","name":"c\\"}"#, "c\\"),
        ] {
            assert_eq!(name(text), said, "{text}");
        }
        let nested = r#"{"parts": 7, "name": "x", "parts": [{"name": 1, "name": "y"}]}"#;
        let part = Thing { name: "y".to_owned(), parts: Vec::new() };
        assert_eq!(read::<Thing>(nested).unwrap().parts, [part]);
        let raw: Box<RawValue> = read(r#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(raw.get(), r#"{"a": 1, "a": 2}"#, "what is not looked at is left as it is");
    }

    #[test]
    fn what_is_no_json_stays_an_error() {
        for text in [
            "",
            "{",
            r#"{"name": "a", "name": "b""#,
            r#"{"name": "a", "name": }"#,
            r#"{"name": "a" "name": "b"}"#,
            r#"{"name": "a", "name": "b"]"#,
            r#"{"name": "\ud83"}"#,
            r#"{"name": "\ud83g"}"#,
            r#"{"name": "a", "name": 5}"#,
            "{\"name\": \"\\ud83d\u{e9}\\\"}",
        ] {
            assert!(read::<Thing>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_valid_text_is_not_rewritten_and_a_deep_one_is_rejected() {
        assert_eq!(rewritten(r#"{"a": ["\ud83d\ude00"], "b": {"a": 1}}"#), None);
        let deep = |depth: usize| {
            format!("{}{{\"a\": 1, \"a\": 2}}{}", "[".repeat(depth), "]".repeat(depth))
        };
        assert!(rewritten(&deep(MAX_DEPTH - 1)).is_some());
        assert_eq!(rewritten(&deep(MAX_DEPTH)), None);
        assert_eq!(rewritten(&"[".repeat(1 << 20)), None);
    }

    #[test]
    fn equal_keys_by_the_thousand_are_one_place() {
        let text = format!("{{{}\"a\": 1}}", r#""a": 1, "b": 2, "#.repeat(10_000));
        assert_eq!(rewritten(&text).unwrap(), r#"{"b": 2, "a": 1}"#);
        assert_eq!(superseded(&text).unwrap().len(), 1);
    }

    /// Generates members as written, and what is left of them.
    fn object() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::json!(null)),
            any::<i32>().prop_map(|number| serde_json::json!(number)),
            ".{0,6}".prop_map(|text| serde_json::json!(text)),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
                proptest::collection::hash_map("[a-c\"\\\\é]{0,2}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Returns `value` with every member of every object duplicated, the first time with another
    /// value.
    fn twice(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(map) => {
                let key = |key: &String| serde_json::json!(key).to_string();
                let wrong =
                    map.keys().map(|name| format!("{}: [{{\"x\": 1}}, \"}},\"]", key(name)));
                let right =
                    map.iter().map(|(name, value)| format!("{}: {}", key(name), twice(value)));
                format!("{{{}}}", wrong.chain(right).collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Array(list) => {
                format!("[{}]", list.iter().map(twice).collect::<Vec<_>>().join(", "))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn of_duplicate_keys_the_last_counts(value in object()) {
            let text = twice(&value);
            let rewritten = rewritten(&text).unwrap_or(text);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&rewritten).unwrap(), value);
        }

        #[test]
        fn any_text_is_mended_to_itself_or_to_json(text in "[\\[\\]{}:,\"\\\\ud8c0a1 ]{0,60}") {
            if let Some(rewritten) = rewritten(&text) {
                prop_assert!(rewritten.len() <= text.len());
            }
        }
    }
}
