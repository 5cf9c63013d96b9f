//! The arguments of tools, checked.

use serde_json::{Map, Value};

use crate::event::IncidentKey;

/// The longest text of an argument in bytes.
const MAX_TEXT: usize = 1_024;

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Arguments<'a> {
    /// Returns an error if there is an argument other than these.
    pub(super) fn only(self, names: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|given| !names.contains(&given.as_str())) {
            None => Ok(()),
            Some(_) if names.is_empty() => Err("this tool has no arguments".to_owned()),
            Some(_) => Err(format!("unknown argument; there are: {}", names.join(", "))),
        }
    }

    /// Returns a text.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text)),
            Some(_) => Err(format!("{name} is a text of at most {MAX_TEXT} bytes")),
        }
    }

    /// Returns a text that must be given.
    pub(super) fn needed(self, name: &str) -> Result<&'a str, String> {
        self.text(name)?.ok_or_else(|| format!("{name} is needed"))
    }

    /// Returns a number of at most `most`.
    pub(super) fn number(self, name: &str, most: u64) -> Result<Option<u64>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| *number <= most) {
                Some(number) => Ok(Some(number)),
                None => Err(format!("{name} is a whole number from 0 to {most}")),
            },
        }
    }

    /// Returns a list of texts, at most `most`.
    pub(super) fn texts(self, name: &str, most: usize) -> Result<Vec<&'a str>, String> {
        let wrong = || format!("{name} is a list of at most {most} texts");
        let list = self.0.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
        let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        let is_right = texts.len() == list.len()
            && list.len() <= most
            && texts.iter().all(|text| text.len() <= MAX_TEXT);
        is_right.then_some(texts).ok_or_else(wrong)
    }

    /// Returns the key of an incident: 32 hexadecimal digits.
    pub(super) fn key(self) -> Result<IncidentKey, String> {
        let text = self.needed("key")?;
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        let number = number.ok_or("key is one from open_incidents: 32 hexadecimal digits")?;
        Ok(IncidentKey(number.to_be_bytes()))
    }
}
