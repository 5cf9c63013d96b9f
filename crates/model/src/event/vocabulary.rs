//! The contract's vocabulary as types: kinds, impacts, and the statuses of each kind of subject.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not in the contract's vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{word}\"")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

impl UnknownWord {
    /// Creates the error for the beginning of `word`.
    pub(super) fn new(what: &'static str, word: &str) -> Self {
        Self { what, word: word.chars().take(64).collect() }
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal: $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it appears in the event log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord::new($what, word)),
                }
            }
        }
    };
}

words! {
    /// What an event is about.
    Kind, "kind":
    /// An unplanned incident of the provider.
    Incident = "incident",
    /// A planned maintenance.
    Maintenance = "maintenance",
    /// A change of a component's state.
    Component = "component",
    /// The provider itself: whether it can be read.
    Provider = "provider",
}

words! {
    /// The status of an incident or maintenance.
    ///
    /// One type for both, as pages use the words of one for the other: a maintenance may be
    /// `resolved`.
    IncidentStatus, "status of an incident":
    /// Incident: under investigation.
    Investigating = "investigating",
    /// Incident: the cause is known.
    Identified = "identified",
    /// Incident: a fix is in place and being monitored.
    Monitoring = "monitoring",
    /// Incident: over.
    Resolved = "resolved",
    /// Incident: over, with a published analysis.
    Postmortem = "postmortem",
    /// An update that states no recognized status.
    Update = "update",
    /// The provider removed the incident or maintenance from its page.
    Withdrawn = "withdrawn",
    /// Maintenance: announced.
    Scheduled = "scheduled",
    /// Maintenance: in progress.
    InProgress = "in_progress",
    /// Maintenance: done and being verified.
    Verifying = "verifying",
    /// Maintenance: over.
    Completed = "completed",
}

impl IncidentStatus {
    /// Returns whether an incident or maintenance with this status is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Postmortem | Self::Completed | Self::Withdrawn)
    }

    /// Returns the display form: `In progress`.
    #[must_use]
    pub fn label(self) -> String {
        label(self.as_str())
    }
}

words! {
    /// Whether a provider can be read.
    ProviderStatus, "status of a provider":
    /// Provider: could not be read for `stale_after`.
    Unreachable = "unreachable",
    /// Provider: can be read again.
    Reachable = "reachable",
    /// The provider `statuswatch`, which is this program: its own network is down.
    Offline = "offline",
    /// The provider `statuswatch`: its network works again.
    Online = "online",
}

words! {
    /// The severity of an incident.
    Impact, "impact":
    /// Nothing is affected.
    None = "none",
    /// Minor inconvenience.
    Minor = "minor",
    /// An important function is down.
    Major = "major",
    /// Almost nothing works.
    Critical = "critical",
    /// Planned maintenance.
    Maintenance = "maintenance",
    /// The provider does not say.
    Unknown = "unknown",
}

impl Impact {
    /// Returns a number for comparisons: unknown ranks below none, maintenance between none and
    /// minor.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::None => 1,
            Self::Maintenance => 2,
            Self::Minor => 3,
            Self::Major => 4,
            Self::Critical => 5,
        }
    }

    /// Returns the worst of several impacts. The result is [`Impact::None`] only if every one is:
    /// an unknown one among others that are fine makes the result unknown, and so does an empty
    /// list.
    #[must_use]
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        let (mut worst, mut doubtful) = (Self::Unknown, false);
        for impact in all {
            doubtful |= impact == Self::Unknown;
            if impact.rank() > worst.rank() {
                worst = impact;
            }
        }
        if worst == Self::None && doubtful { Self::Unknown } else { worst }
    }
}

words! {
    /// The state of one component.
    ComponentStatus, "component status":
    /// Works.
    Operational = "operational",
    /// Slow or limited.
    DegradedPerformance = "degraded_performance",
    /// Down for some.
    PartialOutage = "partial_outage",
    /// Down.
    MajorOutage = "major_outage",
    /// Under maintenance.
    UnderMaintenance = "under_maintenance",
    /// Not known; never shown as operational.
    Unknown = "unknown",
}

impl ComponentStatus {
    /// Returns the display form: `Degraded performance`.
    #[must_use]
    pub fn label(self) -> String {
        label(self.as_str())
    }

    /// Returns the impact of a component in this state.
    #[must_use]
    pub const fn impact(self) -> Impact {
        match self {
            Self::Operational => Impact::None,
            Self::DegradedPerformance => Impact::Minor,
            Self::PartialOutage => Impact::Major,
            Self::MajorOutage => Impact::Critical,
            Self::UnderMaintenance => Impact::Maintenance,
            Self::Unknown => Impact::Unknown,
        }
    }

    /// Returns the worst of several states of one component, ranked as by [`Impact::worst`]; `None`
    /// for an empty list.
    #[must_use]
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|one, other| {
            let worst = Impact::worst([one.impact(), other.impact()]);
            if one.impact() == worst { one } else { other }
        })
    }
}

/// `in_progress` → `In progress`.
pub(super) fn label(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.map(|c| if c == '_' { ' ' } else { c })).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_round_trips() {
        for &status in IncidentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!("nope".parse::<Impact>().unwrap_err().to_string(), "unknown impact \"nope\"");
    }
    #[test]
    fn unknown_outranks_none_but_hides_nothing_worse() {
        use Impact::{Critical, Maintenance, Minor, None as Well, Unknown};
        for (all, worst) in [
            (&[][..], Unknown),
            (&[Well, Well], Well),
            (&[Well, Unknown], Unknown),
            (&[Unknown, Well, Well], Unknown),
            (&[Unknown, Maintenance, Well], Maintenance),
            (&[Minor, Critical, Unknown], Critical),
        ] {
            assert_eq!(Impact::worst(all.iter().copied()), worst, "{all:?}");
        }
        let [up, unknown, down] = [
            ComponentStatus::Operational,
            ComponentStatus::Unknown,
            ComponentStatus::PartialOutage,
        ];
        assert_eq!(ComponentStatus::worst([]), Option::None);
        assert_eq!(ComponentStatus::worst([up, unknown]), Some(unknown));
        assert_eq!(ComponentStatus::worst([unknown, up, up]), Some(unknown));
        assert_eq!(ComponentStatus::worst([unknown, down, up]), Some(down));
    }
}
