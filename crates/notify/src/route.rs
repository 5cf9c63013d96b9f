//! Which channels an event goes to: ordered rules, the first match wins unless it says `continue`.

use statuswatch_model::event::{Impact, Kind, Status};

/// The rules in the order of the file. Without rules everything goes to every channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// What an event must look like.
    pub matcher: Matcher,
    /// Ids of channels; empty: nobody, on purpose.
    pub to: Vec<String>,
    /// Whether the rules after a match are looked at as well.
    pub continues: bool,
    /// The line in the file, for explanations.
    pub line: usize,
}

/// What an event must look like. An empty list matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Globs of provider ids.
    pub providers: Vec<String>,
    /// Tags of providers, any of which must be set.
    pub tags: Vec<String>,
    /// Kinds of events.
    pub kinds: Vec<Kind>,
    /// Statuses.
    pub statuses: Vec<Status>,
    /// The least impact, before or after the event, so that an all-clear passes as well.
    pub min_impact: Option<Impact>,
    /// Globs of component names or ids.
    pub components: Vec<String>,
    /// Globs of regions: a component's group, or a part of its name in brackets.
    pub regions: Vec<String>,
    /// A part of the title or message, without regard to case.
    pub text: Option<String>,
}
