//! Which channels an event goes to: ordered rules, the first match wins unless it says `continue`.
//!
//! Notices about this program match the rules that name them alone; without one there is a default.
//!
//! A channel that was notified of a thread gets the rest of it up to its end, whatever the rules say
//! by then: the impact may have fallen, or the rules may have changed.

mod matcher;

use std::fmt;

use statuswatch_model::event::StatusEvent;

use crate::channel::Audience;
use crate::hold::is_end;

pub use matcher::Matcher;

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

/// Which channels an event goes to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The channels in the order of the configuration.
    pub to: Vec<Chosen>,
    /// Pagers that a rule names but that have nothing to end: they were not notified of the thread.
    pub without_page: Vec<String>,
    /// What became of each rule, in the order of the file.
    pub trace: Vec<Trial>,
}

/// A channel that gets the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its id.
    pub channel: String,
    /// Why it gets the event.
    pub reason: Reason,
}

/// Why a channel gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A rule says so: its number from 1 and its line in the file.
    Rule {
        /// Its number, from 1.
        number: usize,
        /// Its line in the file.
        line: usize,
    },
    /// It was notified of this thread, which has not ended.
    Sticky,
    /// There are no rules.
    NoRoutes,
    /// No rule names another channel for the notice.
    Default,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { number, line } => write!(f, "rule {number} (line {line})"),
            Self::Sticky => f.write_str("it was notified of an earlier update"),
            Self::NoRoutes => f.write_str("there are no routes"),
            Self::Default => f.write_str("by default"),
        }
    }
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its number, from 1.
    pub number: usize,
    /// Its line in the file.
    pub line: usize,
    /// Whether it matched.
    pub outcome: Outcome,
}

/// Whether a rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It matched.
    Matched {
        /// Its channels; empty: nobody, on purpose.
        to: Vec<String>,
        /// Whether the rules after it were looked at as well.
        continues: bool,
    },
    /// It did not match: the first key that did not, and why.
    Mismatch {
        /// The key as written in the file.
        key: &'static str,
        /// Why, in one line: `the impact is minor, below major`.
        why: String,
    },
    /// A rule before it matched.
    NotReached,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} (line {}): ", self.number, self.line)?;
        match &self.outcome {
            Outcome::Matched { to, continues } => {
                match to.as_slice() {
                    [] => f.write_str("matches: nobody, on purpose")?,
                    to => write!(f, "matches: {}", to.join(", "))?,
                }
                f.write_str(if *continues { ", and continues" } else { "" })
            }
            Outcome::Mismatch { key, why } => write!(f, "does not match ({key}): {why}"),
            Outcome::NotReached => f.write_str("not reached"),
        }
    }
}

/// Why nobody gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nobody {
    /// No rule matched: probably a mistake, to be counted and shown.
    NoMatch,
    /// A rule says so.
    OnPurpose,
    /// It ends what no pager was notified of.
    NothingToEnd,
    /// There are no channels.
    NoChannels,
}

impl Decision {
    /// Returns why nobody gets the event; `None` if somebody does.
    #[must_use]
    pub fn nobody(&self) -> Option<Nobody> {
        if !self.to.is_empty() {
            return None;
        }
        if !self.without_page.is_empty() {
            return Some(Nobody::NothingToEnd);
        }
        Some(match self.trace.as_slice() {
            [] => Nobody::NoChannels,
            _ if self.is_silenced() => Nobody::OnPurpose,
            _ => Nobody::NoMatch,
        })
    }

    /// Returns whether rules match, and all of them say that nobody is notified.
    fn is_silenced(&self) -> bool {
        let mut matched = self.trace.iter().filter_map(|trial| match &trial.outcome {
            Outcome::Matched { to, .. } => Some(to.is_empty()),
            _ => None,
        });
        matched.next().is_some_and(|first| first && matched.all(|is_empty| is_empty))
    }
}

impl Routes {
    /// Decides which of `channels`, ids and who reads them, an event goes to.
    ///
    /// `tags` are those of the event's provider. `notified` returns whether a channel was sent an
    /// event of this thread and not its end, or holds one.
    #[must_use]
    pub fn decide(
        &self,
        event: &StatusEvent,
        tags: &[String],
        channels: &[(String, Audience)],
        notified: &dyn Fn(&str) -> bool,
    ) -> Decision {
        let trace = self.trace(|matcher| matcher.mismatch(event, tags));
        let mut decision = Decision { to: Vec::new(), without_page: Vec::new(), trace };
        for (channel, audience) in channels {
            let is_notified = notified(channel);
            let reason = if self.rules.is_empty() {
                Some(Reason::NoRoutes)
            } else {
                decision.rule_for(channel).or_else(|| is_notified.then_some(Reason::Sticky))
            };
            let Some(reason) = reason else { continue };
            if *audience == Audience::Pager && is_end(event) && !is_notified {
                decision.without_page.push(channel.clone());
            } else {
                decision.to.push(Chosen { channel: channel.clone(), reason });
            }
        }
        decision
    }

    /// Decides which of `channels` a notice with this title goes to: those of the rules that match
    /// it, and if they name none but `about`, the channel that it is about, to `defaults`.
    #[must_use]
    pub fn decide_notice(
        &self,
        title: &str,
        about: Option<&str>,
        channels: &[(String, Audience)],
        defaults: &[String],
    ) -> Decision {
        let trace = self.trace(|matcher| matcher.mismatch_notice(title));
        let mut decision = Decision { to: Vec::new(), without_page: Vec::new(), trace };
        for (channel, _) in channels.iter().filter(|(channel, _)| about != Some(channel)) {
            if let Some(reason) = decision.rule_for(channel) {
                decision.to.push(Chosen { channel: channel.clone(), reason });
            }
        }
        if decision.to.is_empty() && !decision.is_silenced() {
            let chosen = |id: &String| Chosen { channel: id.clone(), reason: Reason::Default };
            decision.to = defaults.iter().map(chosen).collect();
        }
        decision
    }

    fn trace(&self, mismatch: impl Fn(&Matcher) -> Option<(&'static str, String)>) -> Vec<Trial> {
        let mut is_decided = false;
        let trial = |(at, rule): (usize, &Rule)| {
            let outcome = if is_decided {
                Outcome::NotReached
            } else if let Some((key, why)) = mismatch(&rule.matcher) {
                Outcome::Mismatch { key, why }
            } else {
                is_decided = !rule.continues;
                Outcome::Matched { to: rule.to.clone(), continues: rule.continues }
            };
            Trial { number: at + 1, line: rule.line, outcome }
        };
        self.rules.iter().enumerate().map(trial).collect()
    }
}

impl Decision {
    fn rule_for(&self, channel: &str) -> Option<Reason> {
        self.trace.iter().find_map(|trial| match &trial.outcome {
            Outcome::Matched { to, .. } if to.iter().any(|id| id == channel) => {
                Some(Reason::Rule { number: trial.number, line: trial.line })
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
