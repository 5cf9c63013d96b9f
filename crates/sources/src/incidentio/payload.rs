//! Decodes the payload of a Next.js page: text chunks in its scripts, which together are rows of
//! React's wire format, `<number>:<JSON>`.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::lenient;

/// The call that contains each chunk.
const PUSH: &str = "self.__next_f.push(";
/// Maximum number of malformed candidates before the search ends: each may have to be read to the
/// end of the page.
const MAX_BROKEN: usize = 8;

/// Returns the concatenated chunks.
pub(super) fn of_page(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    let mut broken = 0;
    while let Some((_, after)) = rest.split_once(PUSH) {
        rest = after;
        match lenient::first::<Vec<Value>>(after) {
            Some((piece, end)) => {
                rest = after.get(end..).unwrap_or_default();
                // 1 precedes text; other numbers precede other data.
                if let [Value::Number(number), Value::String(text)] = piece.as_slice()
                    && number.as_u64() == Some(1)
                {
                    out.push_str(text);
                }
            }
            None => broken += 1,
        }
        if broken > MAX_BROKEN {
            break;
        }
    }
    out
}

/// Returns the first value under `key` that `wanted` accepts, as plain JSON: a reference to a text
/// is replaced by the text, any other reference by null.
pub(super) fn find(payload: &str, key: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    // Within a string, the quote after the key would be preceded by a backslash.
    let marker = format!("\"{key}\":");
    let mut rest = payload;
    let mut broken = 0;
    while let Some((_, after)) = rest.split_once(&marker) {
        rest = after;
        if !after.starts_with(['{', '[']) {
            continue;
        }
        match lenient::first::<Value>(after) {
            Some((mut value, _)) if wanted(&value) => {
                // Limits the expansion of a text that has many references.
                Texts { rows: texts(payload), left: payload.len() }.settle(&mut value);
                return Some(value);
            }
            Some((_, end)) => rest = after.get(end..).unwrap_or_default(),
            None => broken += 1,
        }
        if broken > MAX_BROKEN {
            break;
        }
    }
    None
}

/// The rows that contain long texts, by number, and how many bytes of them may still be used.
struct Texts<'p> {
    rows: HashMap<&'p str, &'p str>,
    left: usize,
}

impl Texts<'_> {
    /// Resolves references; a dollar sign before a text has a meaning in this format.
    fn settle(&mut self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|one| self.settle(one)),
            Value::Object(object) => object.values_mut().for_each(|one| self.settle(one)),
            Value::String(text) => {
                let Some(meant) = text.strip_prefix('$') else { return };
                *value = if meant.starts_with('$') {
                    Value::from(meant)
                } else if let Some(row) = self.rows.get(meant) {
                    let fits = self.left.checked_sub(row.len());
                    self.left = fits.unwrap_or(0);
                    fits.map_or(Value::Null, |_| Value::from(*row))
                } else {
                    meant.strip_prefix('D').map_or(Value::Null, Value::from)
                };
            }
            _ => {}
        }
    }
}

/// Finds the long texts. Each is in a row of its own, after its length in bytes in hexadecimal:
/// `1f:T4a,`; no line feed ends it. Every other row ends with one.
fn texts(payload: &str) -> HashMap<&str, &str> {
    let mut rows = HashMap::new();
    let mut rest = payload;
    while let Some((number, row)) = rest.split_once(':') {
        let text = row.strip_prefix('T').and_then(|row| {
            let (length, text) =
                row.split_at_checked(row.bytes().take(9).position(|b| b == b',')?)?;
            let length = usize::from_str_radix(length, 16).ok()?;
            text.get(1..)?.split_at_checked(length)
        });
        if let Some((text, after)) = text {
            rows.insert(number.trim_start(), text);
            rest = after;
        } else {
            rest = row.split_once('\n').map_or("", |(_, after)| after);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_put_together_and_other_scripts_left_out() {
        let html = r#"<script>(self.__next_f=self.__next_f||[]).push([0])</script>
            <script>self.__next_f.push([1,"4:{\"summary\":{\"id\":"])</script><script>x.push([1,"no"])</script>
            <script>self.__next_f.push([2,null])</script><script>self.__next_f.push([1,"7}}\n"])</script>"#;
        assert_eq!(of_page(html), "4:{\"summary\":{\"id\":7}}\n");
        assert_eq!(of_page("self.__next_f.push("), "");
    }

    #[test]
    fn a_value_is_found_by_its_key_and_signature_and_never_within_a_text() {
        let payload = r#"1:{"text":"\"data\":{\"id\":1}","data":{"id":2},"b":{"data":{"id":3}}}"#;
        let third = |value: &Value| value["id"] == 3;
        assert_eq!(find(payload, "data", third).unwrap()["id"], 3);
        assert_eq!(find(payload, "data", |_| true).unwrap()["id"], 2);
        assert_eq!(find(payload, "none", |_| true), None);
    }

    #[test]
    fn texts_that_begin_with_a_dollar_sign_have_a_meaning() {
        let payload = "1f:T6,Slow!\n4:{\"a\":{\"b\":\"$undefined\",\"c\":\"$$5\",\"d\":\"$1f\",\"e\":\"$4:a:b\",\
             \"f\":\"$D2026-03-01T10:00:00.000Z\"}}\n";
        let settled = find(payload, "a", |_| true).unwrap();
        let expected = serde_json::json!({"b": null, "c": "$5", "d": "Slow!\n", "e": null,
            "f": "2026-03-01T10:00:00.000Z"});
        assert_eq!(settled, expected);
    }

    #[test]
    fn what_is_broken_again_and_again_is_given_up() {
        assert_eq!(find(&"\"a\":{".repeat(100_000), "a", |_| true), None);
        assert_eq!(of_page(&PUSH.repeat(100_000)), "");
    }
}
