//! `routes`: which channels an event goes to.

use std::collections::HashSet;

use schemars::JsonSchema;
use statuswatch_notify::{Matcher, Routes, Rule};

use super::channels::Channels;
use super::document::{Node, Value};
use super::model::Provider;
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, short};
use super::settings::tag;
use super::shape::{MinImpact, shape};
use super::words::MIN_IMPACT;
use crate::event::{Kind, Status};

/// A route.
pub(super) const KEYS: &[&str] = &["match", "to", "continue"];
/// `match` of a route.
pub(super) const MATCH: &[&str] =
    &["providers", "tags", "kinds", "status", "min_impact", "components", "regions", "text"];

/// More rules are a mistake: each event is compared with every one.
const MAX_ROUTES: usize = 1000;
/// The word in `kinds` for messages about statuswatch itself.
const NOTICE: &str = "notice";
/// The id of the provider of events about the local network.
const OWN_ID: &str = "statuswatch";

shape! {
    /// A rule: the channels of the events that match. Rules are tried in order; the first that
    /// matches wins.
    pub(super) Route {
        /// What an event must look like. Default: every event matches.
        #[schemars(rename = "match")]
        matcher: Match,
        /// Ids of channels; an empty list sends to nobody. Required.
        to: Vec<String>,
        /// Whether the rules after a match are tried as well. Default false.
        #[schemars(rename = "continue")]
        continues: bool,
    }
}

shape! {
    /// What an event must look like. Every key that is given must match.
    Match {
        /// Ids of providers; `*` and `?` are wildcards.
        providers: Vec<String>,
        /// Tags of providers; one of them must be set.
        tags: Vec<String>,
        /// Kinds of events, and `notice` for messages about statuswatch itself.
        kinds: Vec<RouteKind>,
        /// Statuses.
        status: Vec<Status>,
        /// Minimum impact before or after the event, so that the end of an incident matches as well.
        min_impact: MinImpact,
        /// Names or ids of components; `*` and `?` are wildcards.
        components: Vec<String>,
        /// Regions; `*` and `?` are wildcards.
        regions: Vec<String>,
        /// A part of the title or message, in any case.
        text: String,
    }
}

/// What a rule can be about.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum RouteKind {
    Event(Kind),
    Notice(Notice),
}

/// A message about statuswatch itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum Notice {
    Notice,
}

/// Reads the rules, in the order of the file.
pub(super) fn read<'p>(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    channels: &Channels,
    providers: impl Iterator<Item = &'p Provider>,
) -> Routes {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Routes::default();
    };
    let Value::List(items) = &node.value else {
        let message = format!("\"routes\" must be a list, not {}", node.kind());
        let complaint = DiagnosticBuilder::new(message);
        reader.error(node.at, None, complaint.help("start each rule with \"- \""));
        return Routes::default();
    };
    if items.len() > MAX_ROUTES {
        let message = format!("more than {MAX_ROUTES} routes");
        reader.error(node.at, None, DiagnosticBuilder::new(message));
        return Routes::default();
    }
    let known = Known::new(providers);
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let Some(rule) = rule(reader, item, channels, &known) else { continue };
        let covers = |earlier: &&Rule| {
            !earlier.continues
                && (earlier.matcher == rule.matcher
                    // Notices match the rules that name them alone.
                    || (earlier.matcher == Matcher::default() && !rule.matcher.notices))
        };
        if let Some(earlier) = rules.iter().find(covers) {
            let message =
                format!("this rule is never reached: line {} matches first", earlier.line);
            let hint = "move it up, or add \"continue: true\" to the other rule";
            reader.warn(item.at, None, DiagnosticBuilder::new(message).help(hint));
        }
        rules.push(rule);
    }
    let named: HashSet<&String> = rules.iter().flat_map(|rule| &rule.to).collect();
    for channel in channels.iter().filter(|channel| channel.enabled) {
        // A mistake in a rule may be the reason.
        let is_used =
            rules.is_empty() || named.contains(&channel.id) || channels.is_fallback(&channel.id);
        if !is_used && rules.len() == items.len() {
            let message = format!("no route leads to the channel \"{}\"", channel.id);
            let complaint = DiagnosticBuilder::new(message);
            let hint = "add a rule with its id in \"to\", or set \"enabled: false\"";
            reader.warn(channel.at, Some(&channel.id), complaint.help(hint));
        }
    }
    for rule in &mut rules {
        rule.to.retain(|id| channels.get(id).is_some_and(|channel| channel.enabled));
    }
    Routes { rules }
}

/// What rules can refer to.
struct Known<'p> {
    ids: HashSet<&'p str>,
    tags: HashSet<&'p str>,
}

impl<'p> Known<'p> {
    fn new(providers: impl Iterator<Item = &'p Provider>) -> Self {
        let mut known = Self { ids: HashSet::from([OWN_ID]), tags: HashSet::new() };
        for provider in providers {
            known.ids.insert(&provider.id);
            known.tags.extend(provider.settings.tags.iter().map(String::as_str));
        }
        known
    }
}

fn rule(
    reader: &mut Reader<'_>,
    node: &Node,
    channels: &Channels,
    known: &Known<'_>,
) -> Option<Rule> {
    if node.is_null() {
        let complaint = DiagnosticBuilder::new("an entry of \"routes\" is empty");
        reader.error(node.at, None, complaint.help("write \"to: [...]\", or remove it"));
        return None;
    }
    let section = reader.section(node, "a route", KEYS)?;
    let before = reader.errors();
    let matcher = section
        .get("match")
        .and_then(|node| reader.section(node, "\"match\"", MATCH))
        .map(|inner| matcher(reader, &inner, known))
        .unwrap_or_default();
    let mut to = reader.list(&section, "to", |id| channels.known(id)).unwrap_or_default();
    if !section.has("to") {
        let complaint = DiagnosticBuilder::new("a route has no \"to\"");
        let hint = "add the ids of channels: \"to: [...]\"; \"to: []\" sends to nobody";
        reader.error(node.at, None, complaint.help(hint));
    }
    let mut seen = HashSet::new();
    to.retain(|id| seen.insert(id.clone()));
    let continues = reader.flag(&section, "continue").unwrap_or(false);
    (reader.errors() == before).then_some(Rule { matcher, to, continues, line: node.at.line })
}

fn matcher(reader: &mut Reader<'_>, section: &Section<'_>, known: &Known<'_>) -> Matcher {
    let kinds = Kind::ALL.iter().map(|kind| (kind.as_str(), Some(*kind)));
    let kinds: Vec<(&str, Option<Kind>)> = kinds.chain([(NOTICE, None)]).collect();
    let kinds = reader.words(section, "kinds", &kinds).unwrap_or_default();
    let statuses: Vec<(&str, Status)> =
        Status::ALL.iter().map(|status| (status.as_str(), *status)).collect();
    let matcher = Matcher {
        providers: reader.texts(section, "providers").unwrap_or_default(),
        tags: reader.list(section, "tags", tag).unwrap_or_default(),
        notices: kinds.contains(&None),
        kinds: kinds.into_iter().flatten().collect(),
        statuses: reader.words(section, "status", &statuses).unwrap_or_default(),
        min_impact: reader.word(section, "min_impact", MIN_IMPACT),
        components: reader.texts(section, "components").unwrap_or_default(),
        regions: reader.texts(section, "regions").unwrap_or_default(),
        text: reader.text(section, "text"),
    };
    let is_glob = |id: &str| id.contains(['*', '?']);
    unmatched(reader, section, "providers", &matcher.providers, &known.ids, is_glob);
    unmatched(reader, section, "tags", &matcher.tags, &known.tags, |_| false);
    matcher
}

/// Warns of values that no provider has.
fn unmatched(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    written: &[String],
    known: &HashSet<&str>,
    is_glob: impl Fn(&str) -> bool,
) {
    let Some(Node { value: Value::List(items), .. }) = section.get(key) else {
        return;
    };
    for (item, value) in items.iter().zip(written) {
        if known.contains(value.as_str()) || is_glob(value) {
            continue;
        }
        let what = if key == "tags" { "tag" } else { "id" };
        let message = format!("no enabled provider has the {what} \"{}\"", short(value));
        let mut complaint = DiagnosticBuilder::new(message);
        if let Some(meant) = nearest(value, known.iter().copied()) {
            complaint = complaint.help(format!("did you mean \"{meant}\"?"));
        }
        reader.warn(item.at, Some(value), complaint);
    }
}
