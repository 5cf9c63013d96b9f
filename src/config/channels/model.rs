//! A configured channel.

use std::fmt;
use std::sync::Arc;

use statuswatch_notify::values::Value;
use statuswatch_notify::{Channel, Policy, Templates};
use xxhash_rust::xxh3::Xxh3;

/// A channel: a place that notifications are sent to. Two are equal if their fingerprints are.
///
/// Its `Debug` shows neither the channel's values nor its templates.
#[derive(Clone)]
pub struct ChannelConfig {
    /// `[a-z0-9][a-z0-9_-]{0,63}`, unique among channels.
    pub id: String,
    /// `kind` in the file, as in [`statuswatch_notify::CHANNELS`].
    pub kind: &'static str,
    /// Renders messages and judges answers; holds the credentials.
    pub channel: Arc<dyn Channel>,
    /// What is held back, and what happens when the channel fails. Its fallback is an enabled
    /// channel.
    pub policy: Policy,
    /// Texts in place of the built-in ones.
    pub templates: Option<Arc<Templates>>,
    /// Changes with everything that the file says about the channel, its secrets included.
    pub fingerprint: Fingerprint,
}

impl ChannelConfig {
    /// Sets the fallback, which is known only after all channels have been read.
    pub(super) fn set_fallback(&mut self, id: String) {
        let mut hash = Fingerprinter::default();
        hash.part(&self.fingerprint.0.to_string());
        hash.part(&id);
        self.fingerprint = hash.finish();
        self.policy.fallback = Some(id);
    }
}

impl PartialEq for ChannelConfig {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl fmt::Debug for ChannelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelConfig")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// The templates of a channel, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// In place of the title.
    pub title: Option<TemplateText>,
    /// In place of the body.
    pub body: Option<TemplateText>,
    /// In place of the whole JSON document that is sent; only if the channel
    /// [takes JSON](Channel::takes_json).
    pub json: Option<TemplateText>,
}

impl Template {
    /// Returns each text that is given, with its key.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &TemplateText)> {
        let all = [("title", &self.title), ("body", &self.body), ("json", &self.json)];
        all.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)))
    }
}

/// The source of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    /// The source, with its variables filled in.
    pub source: String,
    /// The line in the file on which the value stands, from 1.
    pub line: usize,
}

/// A 128-bit hash of everything that the file says about a channel.
///
/// It is for comparisons within one process: a short secret could be guessed from it, so it is
/// neither stored nor shown. Its `Debug` prints `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Computes a [`Fingerprint`]. Each part is preceded by its length, so that no two sequences of
/// parts are the same bytes.
#[derive(Default)]
pub(super) struct Fingerprinter(Xxh3);

impl Fingerprinter {
    /// Adds one part.
    pub(super) fn part(&mut self, part: &str) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part.as_bytes());
    }

    /// Adds the value of a key.
    pub(super) fn value(&mut self, key: &str, value: &Value) {
        self.part(key);
        match value {
            Value::Text(text) => self.part(text),
            Value::Secret(secret) => self.part(secret.expose()),
            Value::Url(url) => self.part(url.expose().as_str()),
            Value::List(list) => {
                self.part(&list.len().to_string());
                for item in list {
                    self.part(item);
                }
            }
            Value::Flag(flag) => self.part(if *flag { "true" } else { "false" }),
            Value::Integer(number) => self.part(&number.to_string()),
            Value::Duration(duration) => self.part(&duration.as_nanos().to_string()),
            Value::Map(map) => {
                self.part(&map.len().to_string());
                for (name, value) in map {
                    self.part(name);
                    self.part(value);
                }
            }
        }
    }

    /// Adds the policy. Its `Debug` shows every field and no secret.
    pub(super) fn policy(&mut self, policy: &Policy) {
        self.part(&format!("{policy:?}"));
    }

    /// Adds the templates. Where they stand in the file does not matter.
    pub(super) fn template(&mut self, template: &Template) {
        for (key, text) in template.texts() {
            self.part(key);
            self.part(&text.source);
        }
    }

    /// Returns the fingerprint of all parts.
    pub(super) fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.digest128())
    }
}
