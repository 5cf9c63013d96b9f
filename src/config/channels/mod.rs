//! `channels`: where notifications are sent.
//!
//! The kinds and their own keys come from [`CHANNELS`]; nothing here knows a kind by name.

mod common;
mod model;
mod schema;
mod secrets;
mod values;

use std::sync::Arc;

use statuswatch_notify::channel::by_kind;
use statuswatch_notify::values::{Value, ValueError, Values};
use statuswatch_notify::{Audience, CHANNELS, Channel, Policy, Spec};

use self::model::Fingerprinter;
use super::document::{Key, Node, Place, Value as NodeValue};
use super::id::{ID_RULE, is_id};
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, short};

pub(super) use common::{DIGEST, KEYS, TEMPLATE};
pub use model::{ChannelConfig, Fingerprint, Template, TemplateText};
pub(super) use schema::Channel as ChannelSchema;
pub(super) use secrets::file_key;

/// More channels are a mistake: each has its own queue and connections.
const MAX_CHANNELS: usize = 1000;

/// Resolves environment variables.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The channels of the file, those with mistakes included, so that a reference to one of them is
/// no further mistake.
#[derive(Default)]
pub(super) struct Channels(Vec<Entry>);

/// One channel of the file.
pub(super) struct Entry {
    pub(super) id: String,
    /// Where its id stands.
    pub(super) at: Place,
    /// `None`: its kind is not known.
    pub(super) audience: Option<Audience>,
    pub(super) enabled: bool,
    /// The id of another channel, and where that stands.
    fallback: Option<(String, Place)>,
    /// `None`: it has mistakes.
    config: Option<ChannelConfig>,
}

impl Channels {
    /// Returns enabled channels without a kind, for tests.
    #[cfg(test)]
    pub(super) fn of(channels: &[(&str, Audience)]) -> Self {
        let entry = |(id, audience): &(&str, Audience)| Entry {
            id: (*id).to_owned(),
            at: Place::default(),
            audience: Some(*audience),
            enabled: true,
            fallback: None,
            config: None,
        };
        Self(channels.iter().map(entry).collect())
    }

    /// Returns the channel `id`.
    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.id == id)
    }

    /// Returns every channel, in the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// Returns whether another channel falls back on `id`.
    pub(super) fn is_fallback(&self, id: &str) -> bool {
        let mut fallbacks = self.0.iter().filter_map(|entry| entry.fallback.as_ref());
        fallbacks.any(|(fallback, _)| fallback == id)
    }

    /// Returns the id of a channel that was written.
    pub(super) fn known(&self, id: &str) -> Result<String, DiagnosticBuilder> {
        let id = id.trim();
        if self.get(id).is_some() {
            return Ok(id.to_owned());
        }
        let complaint = DiagnosticBuilder::new(format!("unknown channel \"{}\"", short(id)));
        let ids: Vec<&str> = self.0.iter().map(|entry| entry.id.as_str()).collect();
        Err(match nearest(id, ids.iter().copied()) {
            Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
            None if ids.is_empty() => complaint.help("add it under \"channels\""),
            None => complaint.help(format!("expected one of: {}", ids.join(", "))),
        })
    }

    /// Returns the enabled channels.
    pub(super) fn into_enabled(self) -> Vec<Arc<ChannelConfig>> {
        let enabled = self.0.into_iter().filter(|entry| entry.enabled);
        enabled.filter_map(|entry| entry.config.map(Arc::new)).collect()
    }
}

/// Reads every channel.
pub(super) fn read(reader: &mut Reader<'_>, node: Option<&Node>, env: Env<'_>) -> Channels {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Channels::default();
    };
    let NodeValue::Map(pairs) = &node.value else {
        let message = format!("\"channels\" must be a mapping, not {}", node.kind());
        let hint = "write the id of each channel and below it its keys, such as \"kind: ...\"";
        reader.error(node.at, None, DiagnosticBuilder::new(message).help(hint));
        return Channels::default();
    };
    if pairs.len() > MAX_CHANNELS {
        let message = format!("more than {MAX_CHANNELS} channels");
        reader.error(node.at, None, DiagnosticBuilder::new(message));
        return Channels::default();
    }
    // Every name is allowed, except twice.
    let names: Vec<&str> = pairs.iter().map(|(key, _)| key.name.as_str()).collect();
    reader.section(node, "\"channels\"", &names);
    let mut channels = Channels::default();
    for (key, section) in pairs {
        if !is_id(&key.name) {
            let message = format!("\"{}\" is not a valid id", short(&key.name));
            reader.error(key.at, Some(&key.name), DiagnosticBuilder::new(message).help(ID_RULE));
        }
        let entry = entry(reader, key, section, env);
        channels.0.push(entry);
    }
    fallbacks(reader, &mut channels);
    channels
}

fn entry(reader: &mut Reader<'_>, key: &Key, node: &Node, env: Env<'_>) -> Entry {
    let id = key.name.clone();
    let mut entry =
        Entry { id, at: key.at, audience: None, enabled: true, fallback: None, config: None };
    let kind = kind_of(node);
    let spec = kind.and_then(by_kind);
    let what = format!("\"{}\"", short(&key.name));
    let before = reader.errors();
    let known = known(spec);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let Some(section) = reader.section(node, &what, &known) else {
        if node.is_null() {
            missing_kind(reader, key);
        }
        return entry;
    };
    entry.enabled = reader.flag(&section, "enabled").unwrap_or(true);
    if let Some(node) = section.get("fallback") {
        entry.fallback = reader.text(&section, "fallback").map(|id| (id, node.at));
    }
    if !section.has("kind") {
        missing_kind(reader, key);
    }
    reader.value(&section, "kind", "the kind of a channel", known_kind);
    let Some(spec) = spec else {
        return entry;
    };
    entry.audience = Some(spec.audience);
    let policy = common::policy(reader, &section, spec);
    let template = common::template(reader, &section);
    let templates = common::compile(reader, &section, &template);
    let values = values::read(reader, &section, spec, env);
    for missing in
        spec.keys.iter().filter(|wanted| wanted.required && !values::is_given(&section, wanted))
    {
        let message = format!("{what} has no \"{}\"", missing.name);
        let hint = if missing.shape.is_secret() {
            let name = missing.name;
            format!("add {name}: \"${{VAR}}\" or {}: PATH", file_key(name))
        } else {
            format!("add \"{}: ...\"", missing.name)
        };
        reader.error(key.at, Some(&key.name), DiagnosticBuilder::new(message).help(hint));
    }
    // A variable that is not set has been reported before.
    let is_complete = spec
        .keys
        .iter()
        .all(|key| values.get(key.name).is_some() || !values::is_given(&section, key));
    if reader.errors() > before || !is_complete {
        return entry;
    }
    match spec.channel(&values) {
        Ok(channel) => {
            if !channel.takes_json() {
                refuse_json(reader, &section, spec);
            }
            let config = configured(&entry.id, spec, channel, &values, policy, &template);
            entry.config = Some(ChannelConfig { templates, ..config });
        }
        Err(error) => refused(reader, key, &section, &values, &error),
    }
    entry
}

fn configured(
    id: &str,
    spec: &'static Spec,
    channel: Box<dyn Channel>,
    values: &Values,
    policy: Policy,
    template: &Template,
) -> ChannelConfig {
    let mut hash = Fingerprinter::default();
    hash.part(id);
    hash.part(spec.kind);
    for key in spec.keys {
        if let Some(value) = values.get(key.name) {
            hash.value(key.name, value);
        }
    }
    hash.policy(&policy);
    hash.template(template);
    ChannelConfig {
        id: id.to_owned(),
        kind: spec.kind,
        channel: channel.into(),
        policy,
        templates: None,
        fingerprint: hash.finish(),
    }
}

/// The `kind` that a section names, whether or not it is one.
pub(super) fn kind_of(node: &Node) -> Option<&str> {
    let NodeValue::Map(pairs) = &node.value else {
        return None;
    };
    match &pairs.iter().find(|(key, _)| key.name == "kind")?.1.value {
        NodeValue::Scalar(scalar) => scalar.text(),
        NodeValue::List(_) | NodeValue::Map(_) => None,
    }
}

/// The keys that a channel of a kind may have; of an unknown kind, those of all kinds, so that only
/// the kind is a mistake.
fn known(spec: Option<&'static Spec>) -> Vec<String> {
    let specs = spec.map_or(CHANNELS, std::slice::from_ref);
    let own = specs.iter().flat_map(|spec| spec.keys.iter());
    let file_keys = own.clone().filter(|key| key.shape.is_secret()).map(|key| file_key(key.name));
    let common = KEYS.iter().copied();
    common.chain(own.map(|key| key.name)).map(str::to_owned).chain(file_keys).collect()
}

fn missing_kind(reader: &mut Reader<'_>, key: &Key) {
    let message = format!("\"{}\" has no \"kind\"", short(&key.name));
    let hint = format!("add \"kind: ...\", one of: {}", kinds().join(", "));
    reader.error(key.at, Some(&key.name), DiagnosticBuilder::new(message).help(hint));
}

fn known_kind(kind: &str) -> Result<(), DiagnosticBuilder> {
    if by_kind(kind).is_some() {
        return Ok(());
    }
    let complaint = DiagnosticBuilder::new(format!("unknown kind \"{}\"", short(kind)));
    Err(match nearest(kind, kinds().into_iter()) {
        Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
        None => complaint.help(format!("expected one of: {}", kinds().join(", "))),
    })
}

fn kinds() -> Vec<&'static str> {
    CHANNELS.iter().map(|spec| spec.kind).collect()
}

fn refuse_json(reader: &mut Reader<'_>, section: &Section<'_>, spec: &Spec) {
    let json = section.get("template").and_then(|template| match &template.value {
        NodeValue::Map(pairs) => pairs.iter().find(|(key, _)| key.name == "json"),
        NodeValue::Scalar(_) | NodeValue::List(_) => None,
    });
    if let Some((key, _)) = json {
        let message = format!("{} has no use for \"json\"", spec.name);
        let complaint = DiagnosticBuilder::new(message).help("write \"title\" or \"body\"");
        reader.error(key.at, Some("json"), complaint);
    }
}

/// Reports what a kind says about values that have the right shape each.
fn refused(
    reader: &mut Reader<'_>,
    id: &Key,
    section: &Section<'_>,
    values: &Values,
    error: &ValueError,
) {
    let message = without_secrets(&error.message, values);
    let key = error.key.unwrap_or_default();
    let node = section.get(key).or_else(|| section.get(&file_key(key)));
    let message = if key.is_empty() {
        format!("\"{}\": {message}", id.name)
    } else if message.starts_with(&format!("\"{key}\"")) {
        message
    } else {
        format!("\"{key}\": {message}")
    };
    let at = node.map_or(id.at, |node| node.at);
    reader.error(at, None, DiagnosticBuilder::new(message));
}

/// Messages of a kind hold no secrets; should one do, it is removed.
fn without_secrets(message: &str, values: &Values) -> String {
    let mut message = message.to_owned();
    for (_, value) in values.iter() {
        let secrets: Vec<&str> = match value {
            Value::Secret(secret) => vec![secret.expose()],
            Value::Url(url) => vec![url.expose().as_str()],
            Value::Map(map) => map.iter().map(|(_, value)| value.as_str()).collect(),
            _ => Vec::new(),
        };
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            message = message.replace(secret, "***");
        }
    }
    message
}

/// Checks each fallback, and takes it into the policy.
fn fallbacks(reader: &mut Reader<'_>, channels: &mut Channels) {
    let mut reported = std::collections::HashSet::new();
    for index in 0..channels.0.len() {
        let Some(entry) = channels.0.get(index) else { continue };
        let Some((fallback, at)) = entry.fallback.clone() else { continue };
        let (id, enabled) = (entry.id.clone(), entry.enabled);
        let target = match channels.known(&fallback) {
            Ok(target) => target,
            Err(complaint) => {
                reader.error(at, None, complaint);
                continue;
            }
        };
        if let Some(cycle) = cycle(channels, &id) {
            // One report for all that are part of it.
            if !cycle.iter().any(|id| reported.contains(id)) {
                let path = cycle.iter().chain(cycle.first()).cloned().collect::<Vec<_>>();
                let message = format!("\"fallback\" leads back: {}", path.join(" -> "));
                let hint = "a fallback must end at a channel without one";
                reader.error(at, None, DiagnosticBuilder::new(message).help(hint));
            }
            reported.extend(cycle);
            continue;
        }
        let is_enabled = channels.get(&target).is_some_and(|entry| entry.enabled);
        if !is_enabled && enabled {
            let message = format!("\"fallback\" has no effect: \"{target}\" is not enabled");
            reader.warn(at, None, DiagnosticBuilder::new(message));
        }
        if let Some(Entry { config: Some(config), .. }) = channels.0.get_mut(index)
            && is_enabled
        {
            config.set_fallback(target);
        }
    }
}

/// Returns the channels from `id` back to itself, if following fallbacks leads there.
fn cycle(channels: &Channels, id: &str) -> Option<Vec<String>> {
    let mut path = vec![id.to_owned()];
    let mut at = id;
    while path.len() <= channels.0.len() {
        let (next, _) = channels.get(at)?.fallback.as_ref()?;
        if next == id {
            return Some(path);
        }
        path.push(next.clone());
        at = next;
    }
    None
}
