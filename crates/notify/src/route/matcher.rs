//! What an event must look like for a rule.

use statuswatch_model::event::{Component, Impact, Kind, Status, StatusEvent};
use statuswatch_model::text::{any_glob, one_line};

use crate::hold::{impact_of, reaches};

/// What an event must look like. An empty list matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Globs of provider ids.
    pub providers: Vec<String>,
    /// Tags of providers, any of which must be set.
    pub tags: Vec<String>,
    /// Kinds of events.
    pub kinds: Vec<Kind>,
    /// Whether `kinds` names `notice`: only then do notices match, and without kinds of events no
    /// event does.
    pub notices: bool,
    /// Statuses.
    pub statuses: Vec<Status>,
    /// The least impact, before or after the event, so that an all-clear passes as well. An unknown
    /// impact is below all others; a page that cannot be read counts as major.
    pub min_impact: Option<Impact>,
    /// Globs of component names or ids.
    pub components: Vec<String>,
    /// Globs of regions: a component's group, or a part of its name in brackets.
    pub regions: Vec<String>,
    /// A part of the title or message, without regard to case.
    pub text: Option<String>,
}

impl Matcher {
    /// Returns whether an event of a provider with these tags matches.
    #[must_use]
    pub fn matches(&self, event: &StatusEvent, tags: &[String]) -> bool {
        self.mismatch(event, tags).is_none()
    }

    /// Returns the first key that does not match and why; `None` if all do.
    pub(super) fn mismatch(
        &self,
        event: &StatusEvent,
        tags: &[String],
    ) -> Option<(&'static str, String)> {
        if !self.providers.is_empty() && !any_glob(&self.providers, &event.provider) {
            return Some(("providers", format!("the provider is {}", event.provider)));
        }
        if !self.tags.is_empty() && !tags.iter().any(|tag| self.tags.contains(tag)) {
            return Some((
                "tags",
                match tags {
                    [] => "the provider has no tags".to_owned(),
                    tags => format!("the provider has the tags {}", tags.join(", ")),
                },
            ));
        }
        let by_kind = self.notices || !self.kinds.is_empty();
        if by_kind && !self.kinds.contains(&event.kind) {
            return Some(("kinds", format!("the kind is {}", event.kind)));
        }
        if !self.statuses.is_empty() && !self.statuses.contains(&event.status) {
            return Some(("status", format!("the status is {}", event.status)));
        }
        let impact = impact_of(event);
        if let Some(least) = self.min_impact.filter(|least| !reaches(impact, *least)) {
            return Some(("min_impact", format!("the impact is {impact}, below {least}")));
        }
        let named = || match event.components.as_slice() {
            [] => "the event names no component".to_owned(),
            [one] => format!("the component is {}", one_line(&one.name, 80)),
            all => {
                let names: Vec<String> =
                    all.iter().take(NAMED).map(|one| one_line(&one.name, 80)).collect();
                let more = if all.len() > NAMED { ", …" } else { "" };
                format!("the components are {}{more}", names.join(", "))
            }
        };
        let any = |matches: &dyn Fn(&Component) -> bool| event.components.iter().any(matches);
        if !self.components.is_empty() && !any(&|one| one.matches(&self.components)) {
            return Some(("components", named()));
        }
        if !self.regions.is_empty() && !any(&|one| is_in_region(one, &self.regions)) {
            return Some(("regions", named()));
        }
        if let Some(text) = &self.text {
            let text = text.to_lowercase();
            let holds = |part: &str| part.to_lowercase().contains(&text);
            if !holds(&event.title) && !event.message.as_deref().is_some_and(holds) {
                return Some(("text", "neither title nor message contains it".to_owned()));
            }
        }
        None
    }

    /// Like [`Self::mismatch`], for a notice: it is about this program, has at least the impact
    /// `major`, since it is about a failure or its end, and no tag, status and component.
    pub(super) fn mismatch_notice(&self, title: &str) -> Option<(&'static str, String)> {
        if !self.notices {
            return Some(("kinds", "it is a notice, which the rule does not name".to_owned()));
        }
        if !self.providers.is_empty() && !any_glob(&self.providers, OURSELVES) {
            return Some(("providers", format!("the provider is {OURSELVES}")));
        }
        if let Some(least) = self.min_impact.filter(|least| !reaches(Impact::Major, *least)) {
            return Some(("min_impact", format!("the impact is {}, below {least}", Impact::Major)));
        }
        for (key, is_given) in [
            ("tags", !self.tags.is_empty()),
            ("status", !self.statuses.is_empty()),
            ("components", !self.components.is_empty()),
            ("regions", !self.regions.is_empty()),
        ] {
            if is_given {
                return Some((key, "a notice has none".to_owned()));
            }
        }
        let lower = title.to_lowercase();
        if self.text.as_ref().is_some_and(|text| !lower.contains(&text.to_lowercase())) {
            return Some(("text", "the title does not contain it".to_owned()));
        }
        None
    }
}

/// The provider of what is about this program.
const OURSELVES: &str = "statuswatch";

/// Most components named in an explanation.
const NAMED: usize = 5;

/// Returns whether a glob matches a region: the component's group, its name, or a part of its name
/// in brackets, as in `EC2 (us-east-1)`.
fn is_in_region(component: &Component, globs: &[String]) -> bool {
    let mut bracketed = component.name.split(['(', '[']).skip(1);
    component.is_in_region(globs)
        || bracketed.any(|part| {
            part.split([')', ']']).next().is_some_and(|region| any_glob(globs, region.trim()))
        })
}
