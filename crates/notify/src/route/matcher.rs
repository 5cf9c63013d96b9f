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
        if !self.kinds.is_empty() && !self.kinds.contains(&event.kind) {
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
}

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
