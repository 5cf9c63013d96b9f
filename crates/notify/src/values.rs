//! The keys of a channel in `providers.yaml` and their values.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use url::Url;

/// Describes one key of a channel. Configuration, schema and documentation follow from it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether it must be given.
    pub required: bool,
    /// One sentence for the documentation and the schema.
    pub doc: &'static str,
}

impl Key {
    /// Describes a key that must be given.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, doc }
    }

    /// Describes a key that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, doc }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One line of text.
    Text,
    /// A secret. It can also be given as `NAME_file: PATH`.
    Secret,
    /// An `http` or `https` address.
    Url,
    /// An `http` or `https` address that is a secret in itself. It can also be given as `NAME_file: PATH`.
    SecretUrl,
    /// A list of texts.
    List,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A duration such as `30s`.
    Duration {
        /// The shortest, in seconds.
        min: u64,
        /// The longest, in seconds.
        max: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A mapping of names to texts.
    Map,
}

impl Shape {
    /// Returns whether the value may not be shown, and can be given as a file.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretUrl)
    }
}

/// A value that is never shown: its `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value, to be sent and for nothing else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One value, checked against the shape of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// For [`Shape::Text`] and [`Shape::Word`].
    Text(String),
    /// For [`Shape::Secret`].
    Secret(Secret<String>),
    /// For [`Shape::Url`] and [`Shape::SecretUrl`].
    Url(Secret<Url>),
    /// For [`Shape::List`].
    List(Vec<String>),
    /// For [`Shape::Flag`].
    Flag(bool),
    /// For [`Shape::Integer`].
    Integer(u64),
    /// For [`Shape::Duration`].
    Duration(Duration),
    /// For [`Shape::Map`].
    Map(Vec<(String, String)>),
}

/// The values of one channel. Required keys are present: its builder has checked that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values(BTreeMap<&'static str, Value>);

/// What is wrong with the values of a channel beyond the shape of each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// The key at fault, if there is one.
    pub key: Option<&'static str>,
    /// What is wrong, and what to write instead; without secrets.
    pub message: String,
}

impl ValueError {
    /// Creates an error about `key`.
    #[must_use]
    pub fn at(key: &'static str, message: impl Into<String>) -> Self {
        Self { key: Some(key), message: message.into() }
    }

    /// Creates an error about the channel as a whole.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { key: None, message: message.into() }
    }
}

impl Values {
    /// Sets a value.
    pub fn set(&mut self, key: &'static str, value: Value) {
        self.0.insert(key, value);
    }

    /// Like [`Self::set`], for tests and examples.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.set(key, value);
        self
    }

    /// Like [`Self::with`], for a text.
    #[must_use]
    pub fn with_text(self, key: &'static str, value: &str) -> Self {
        self.with(key, Value::Text(value.to_owned()))
    }

    /// Like [`Self::with`], for a secret.
    #[must_use]
    pub fn with_secret(self, key: &'static str, value: &str) -> Self {
        self.with(key, Value::Secret(Secret::new(value.to_owned())))
    }

    /// Like [`Self::with`], for an address.
    ///
    /// # Errors
    ///
    /// Returns an error if `value` is no address.
    pub fn with_url(self, key: &'static str, value: &str) -> Result<Self, ValueError> {
        let url = Url::parse(value).map_err(|error| ValueError::at(key, error.to_string()))?;
        Ok(self.with(key, Value::Url(Secret::new(url))))
    }

    /// Returns a value of any shape.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Returns every value with its key, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Returns whether a key is given.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns a text or word.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns a secret.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&Secret<String>> {
        match self.0.get(key) {
            Some(Value::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    /// Returns an address.
    #[must_use]
    pub fn url(&self, key: &str) -> Option<&Url> {
        match self.0.get(key) {
            Some(Value::Url(url)) => Some(url.expose()),
            _ => None,
        }
    }

    /// Returns a list; empty if it is not given.
    #[must_use]
    pub fn list(&self, key: &str) -> &[String] {
        match self.0.get(key) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// Returns a flag; false if it is not given.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Value::Flag(true)))
    }

    /// Returns a whole number.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns a duration.
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.0.get(key) {
            Some(Value::Duration(duration)) => Some(*duration),
            _ => None,
        }
    }

    /// Returns a mapping; empty if it is not given.
    #[must_use]
    pub fn map(&self, key: &str) -> &[(String, String)] {
        match self.0.get(key) {
            Some(Value::Map(map)) => map,
            _ => &[],
        }
    }

    /// Returns an address that must be given.
    ///
    /// # Errors
    ///
    /// Returns an error that names the key.
    pub fn need_url(&self, key: &'static str) -> Result<&Url, ValueError> {
        self.url(key).ok_or_else(|| ValueError::at(key, format!("\"{key}\" is missing")))
    }

    /// Returns an address, or the official one if it is not given.
    ///
    /// # Errors
    ///
    /// Returns an error that names the key if `official` is no address.
    pub fn url_or(&self, key: &'static str, official: &str) -> Result<Url, ValueError> {
        match self.url(key) {
            Some(url) => Ok(url.clone()),
            None => Url::parse(official).map_err(|error| ValueError::at(key, error.to_string())),
        }
    }

    /// Returns a secret that must be given.
    ///
    /// # Errors
    ///
    /// Returns an error that names the key.
    pub fn need_secret(&self, key: &'static str) -> Result<&Secret<String>, ValueError> {
        self.secret(key).ok_or_else(|| ValueError::at(key, format!("\"{key}\" is missing")))
    }

    /// Returns a text that must be given.
    ///
    /// # Errors
    ///
    /// Returns an error that names the key.
    pub fn need_text(&self, key: &'static str) -> Result<&str, ValueError> {
        self.text(key).ok_or_else(|| ValueError::at(key, format!("\"{key}\" is missing")))
    }
}
