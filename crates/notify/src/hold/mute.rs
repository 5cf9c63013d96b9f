//! Mutes: what a person does not want to hear about for a time.

use serde::{Deserialize, Serialize};
use statuswatch_model::event::{Kind, StatusEvent, Time};

/// A mute. It is stored in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Its number in the ledger.
    pub id: i64,
    /// The id of a provider.
    pub provider: String,
    /// A glob of the name, id or group of components; `None`: everything of the provider.
    pub component: Option<String>,
    /// When it ends; `None`: when nothing that it covers is open.
    pub until: Option<Time>,
    /// Why, as entered by the user; may be empty.
    pub reason: String,
    /// When it was set.
    pub created_at: Time,
}

/// How long an event is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Muted {
    /// Until this time, exclusive.
    Until(Time),
    /// Until nothing that the mute covers is open.
    UntilResolved,
}

impl Mute {
    /// Returns whether it covers an event, whatever the time.
    ///
    /// The mute of a component covers changes of its state, and incidents that name it and no other
    /// component.
    #[must_use]
    pub fn covers(&self, event: &StatusEvent) -> bool {
        if self.provider != event.provider {
            return false;
        }
        let Some(component) = &self.component else { return true };
        let globs = std::slice::from_ref(component);
        event.kind != Kind::Provider
            && !event.components.is_empty()
            && event.components.iter().all(|component| component.matches(globs))
    }

    /// Returns whether it is over; `open` is whether anything that it covers is.
    #[must_use]
    pub fn is_over(&self, now: Time, open: bool) -> bool {
        self.until.map_or(!open, |until| until <= now)
    }
}

/// Returns how long an event is muted, by the mute that lasts longest; `None` if none of `mutes`,
/// of which none that ends when nothing is open may be over, covers it.
#[must_use]
pub fn muted(mutes: &[Mute], event: &StatusEvent, now: Time) -> Option<Muted> {
    let covering = mutes.iter().filter(|mute| !mute.is_over(now, true) && mute.covers(event));
    covering.map(|mute| mute.until.map_or(Muted::UntilResolved, Muted::Until)).max()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use statuswatch_model::event::{Component, ComponentStatus};

    use super::*;
    use crate::channel::corpus;

    fn mute(component: Option<&str>, until: Option<Time>) -> Mute {
        Mute {
            id: 1,
            provider: "acme".into(),
            component: component.map(str::to_owned),
            until,
            reason: "we are moving away".into(),
            created_at: corpus::at(),
        }
    }

    fn naming(components: &[&str]) -> StatusEvent {
        let component = |name: &&str| Component {
            id: None,
            name: (*name).into(),
            group: Some("EU".into()),
            status: ComponentStatus::PartialOutage,
        };
        StatusEvent { components: components.iter().map(component).collect(), ..corpus::incident() }
    }

    #[test]
    fn a_mute_covers_a_provider_or_what_concerns_one_component_alone() {
        let provider = StatusEvent { kind: Kind::Provider, ..naming(&["API"]) };
        let other = StatusEvent { provider: "acme2".into(), ..naming(&["API"]) };
        for (component, event, covered) in [
            (None, naming(&[]), true),
            (None, provider.clone(), true),
            (None, other, false),
            (Some("api"), naming(&["API"]), true),
            (Some("EU/*"), naming(&["API", "Web"]), true),
            (Some("api"), naming(&["API", "Web"]), false),
            (Some("api"), naming(&[]), false),
            (Some("api"), provider, false),
        ] {
            assert_eq!(mute(component, None).covers(&event), covered, "{component:?} {event:?}");
        }
    }

    #[test]
    fn a_mute_ends_at_its_time_or_when_nothing_is_open() {
        let now = corpus::at();
        let in_minutes = |minutes| Some(now + TimeDelta::minutes(minutes));
        for (until, open, over) in [
            (in_minutes(1), false, false),
            (in_minutes(0), true, true),
            (None, true, false),
            (None, false, true),
        ] {
            assert_eq!(mute(None, until).is_over(now, open), over);
        }
        let (event, all) = (naming(&["API"]), |untils: &[Option<Time>]| {
            untils.iter().map(|until| mute(None, *until)).collect::<Vec<_>>()
        });
        let until = |minutes| in_minutes(minutes).map(Muted::Until);
        assert_eq!(muted(&all(&[in_minutes(-1)]), &event, now), None);
        assert_eq!(muted(&all(&[in_minutes(1), in_minutes(9)]), &event, now), until(9));
        assert_eq!(muted(&all(&[in_minutes(1), None]), &event, now), Some(Muted::UntilResolved));
    }
}
