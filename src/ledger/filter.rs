//! Applies the user's filters: decides which events are emitted and which are only stored, and
//! names the reason.

use crate::config::{Filter, MaintenanceFilter};
use crate::event::{Component, Draft, Impact, Kind, Status};

/// Returns the filter that suppresses the event; `None` if it is emitted.
///
/// Events that cannot be judged are emitted: incidents that name no components, and impacts the
/// provider does not state. Once an event of an incident was emitted (`emitted_before`), all later
/// ones are, so that no incident is left without an end.
#[must_use]
pub fn suppressed_by(filter: &Filter, draft: &Draft, emitted_before: bool) -> Option<&'static str> {
    if draft.kind == Kind::Provider {
        // Unreachable providers always raise an event.
        return None;
    }
    if !filter.kinds.is_empty() && !filter.kinds.contains(&draft.kind) {
        return Some("kinds");
    }
    if draft.kind == Kind::Maintenance {
        match filter.maintenance {
            MaintenanceFilter::On => {}
            MaintenanceFilter::Off => return Some("maintenance"),
            MaintenanceFilter::StartsOnly => {
                return (draft.status != Status::InProgress
                    || draft.previous_status == Some(Status::InProgress))
                .then_some("maintenance");
            }
        }
    }
    if emitted_before && draft.kind != Kind::Component {
        return None;
    }
    if !filter.components.is_empty()
        && !draft.components.is_empty()
        && !draft
            .components
            .iter()
            .any(|component| matches_component(&filter.components, component))
    {
        return Some("components");
    }
    if !filter.regions.is_empty()
        && draft.components.iter().any(|component| component.group.is_some())
        && !draft.components.iter().any(|component| matches_region(&filter.regions, component))
    {
        return Some("regions");
    }
    // A recovering component has impact none: use the worse of its two states.
    let impact = Impact::worst(draft.previous_impact.into_iter().chain([draft.impact]));
    if let Some(least) = filter.min_impact
        && impact != Impact::Unknown
        && impact.rank() < least.rank()
    {
        return Some("min_impact");
    }
    None
}

/// Returns whether a pattern matches the component by id, name, group, or `group/name`.
#[must_use]
pub fn matches_component(patterns: &[String], component: &Component) -> bool {
    let qualified = component.group.as_ref().map(|group| format!("{group}/{}", component.name));
    [Some(&component.name), component.id.as_ref(), component.group.as_ref(), qualified.as_ref()]
        .into_iter()
        .flatten()
        .any(|text| any_glob(patterns, text))
}

/// Returns whether a pattern matches the component's region: its group, or its own name.
#[must_use]
pub fn matches_region(patterns: &[String], component: &Component) -> bool {
    [Some(&component.name), component.group.as_ref()]
        .into_iter()
        .flatten()
        .any(|text| any_glob(patterns, text))
}

fn any_glob(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

/// Matches a glob: `*` is any text, `?` any character; case-insensitive. Backtracks to one position
/// only, so it is linear in practice.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, matches) in [
            ("API*", "api requests", true),
            ("*requests", "API Requests", true),
            ("a?i", "API", true),
            ("*", "", true),
            ("Actions", "Actions", true),
            ("Actions", "GitHub Actions", false),
            ("*a*b*c", "xxaxxbxxcx", false),
            ("eu-*", "eu-west-1", true),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }
}
