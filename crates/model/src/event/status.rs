//! [`Status`], what an event says about its subject.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::vocabulary::label;
use super::{ComponentStatus, IncidentStatus, ProviderStatus, UnknownWord};

/// The status of an incident, maintenance, component or provider after the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Of an incident or maintenance.
    Incident(IncidentStatus),
    /// Of a component.
    Component(ComponentStatus),
    /// Of a provider.
    Provider(ProviderStatus),
}

/// Number of statuses.
const COUNT: usize = 21;

/// What each of [`Status::ALL`] means, for the schema.
const MEANINGS: [&str; COUNT] = [
    "Incident: under investigation.",
    "Incident: the cause is known.",
    "Incident: a fix is in place and being monitored.",
    "Incident: over.",
    "Incident: over, with a published analysis.",
    "An update that states no recognized status.",
    "The provider removed the incident or maintenance from its page.",
    "Maintenance: announced.",
    "Maintenance: in progress.",
    "Maintenance: done and being verified.",
    "Maintenance: over.",
    "Component: operational.",
    "Component: slow or limited.",
    "Component: down for some.",
    "Component: down.",
    "Component: under maintenance.",
    "Component: not known; never shown as operational.",
    "Provider: could not be read for `stale_after`.",
    "Provider: can be read again.",
    "The provider `statuswatch`, which is this program: its own network is down.",
    "The provider `statuswatch`: its network works again.",
];

/// The words of [`Status::ALL`], for errors.
static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| Status::ALL.iter().map(|status| status.as_str()).collect());

impl Status {
    /// Every status, in the order of the contract.
    pub const ALL: &'static [Self; COUNT] = &[
        Self::Incident(IncidentStatus::Investigating),
        Self::Incident(IncidentStatus::Identified),
        Self::Incident(IncidentStatus::Monitoring),
        Self::Incident(IncidentStatus::Resolved),
        Self::Incident(IncidentStatus::Postmortem),
        Self::Incident(IncidentStatus::Update),
        Self::Incident(IncidentStatus::Withdrawn),
        Self::Incident(IncidentStatus::Scheduled),
        Self::Incident(IncidentStatus::InProgress),
        Self::Incident(IncidentStatus::Verifying),
        Self::Incident(IncidentStatus::Completed),
        Self::Component(ComponentStatus::Operational),
        Self::Component(ComponentStatus::DegradedPerformance),
        Self::Component(ComponentStatus::PartialOutage),
        Self::Component(ComponentStatus::MajorOutage),
        Self::Component(ComponentStatus::UnderMaintenance),
        Self::Component(ComponentStatus::Unknown),
        Self::Provider(ProviderStatus::Unreachable),
        Self::Provider(ProviderStatus::Reachable),
        Self::Provider(ProviderStatus::Offline),
        Self::Provider(ProviderStatus::Online),
    ];

    /// Returns the word as it appears in the event log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incident(status) => status.as_str(),
            Self::Component(status) => status.as_str(),
            Self::Provider(status) => status.as_str(),
        }
    }

    /// Returns the status of an incident or maintenance; `None` for other subjects.
    #[must_use]
    pub const fn incident(self) -> Option<IncidentStatus> {
        match self {
            Self::Incident(status) => Some(status),
            Self::Component(_) | Self::Provider(_) => None,
        }
    }

    /// Returns whether an incident or maintenance with this status is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Incident(status) if status.is_over())
    }

    /// Returns whether nothing is wrong with the subject any more: its incident or maintenance is
    /// over, the component is operational, the provider can be read.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Incident(status) => status.is_over(),
            Self::Component(status) => matches!(status, ComponentStatus::Operational),
            Self::Provider(status) => {
                matches!(status, ProviderStatus::Reachable | ProviderStatus::Online)
            }
        }
    }

    /// Returns the display form: `In progress`, `Degraded performance`.
    #[must_use]
    pub fn label(self) -> String {
        label(self.as_str())
    }
}

/// Converts and compares the status of one kind of subject.
macro_rules! subject {
    ($variant:ident, $status:ty) => {
        impl From<$status> for Status {
            fn from(status: $status) -> Self {
                Self::$variant(status)
            }
        }

        impl PartialEq<$status> for Status {
            fn eq(&self, other: &$status) -> bool {
                matches!(self, Self::$variant(status) if status == other)
            }
        }
    };
}

subject!(Incident, IncidentStatus);
subject!(Component, ComponentStatus);
subject!(Provider, ProviderStatus);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let known = Self::ALL.iter().find(|status| status.as_str() == word);
        known.copied().ok_or_else(|| UnknownWord::new("status", word))
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word)
    }
}

/// Reads the word of a status.
struct Word;

impl de::Visitor<'_> for Word {
    type Value = Status;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the word of a status")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Status, E> {
        word.parse().map_err(|_| E::unknown_variant(word, &WORDS))
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = Self::ALL.iter().zip(MEANINGS).map(|(status, meaning)| {
            json_schema!({"description": meaning, "type": "string", "const": status.as_str()})
        });
        json_schema!({
            "description": "The status of an incident, maintenance, component or provider after the event.",
            "oneOf": words.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_round_trips_as_its_word() {
        for &status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
        }
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        let kinds = IncidentStatus::ALL.iter().map(|status| status.as_str());
        let kinds = kinds.chain(ComponentStatus::ALL.iter().map(|status| status.as_str()));
        let kinds = kinds.chain(ProviderStatus::ALL.iter().map(|status| status.as_str()));
        assert_eq!(words, kinds.collect::<Vec<_>>());
        assert_eq!(Status::from(IncidentStatus::InProgress).label(), "In progress");
        assert!(Status::from(IncidentStatus::Completed).is_over());
        assert!(!Status::from(ComponentStatus::Operational).is_over());
        let unknown = serde_json::from_str::<Status>("\"nope\"").unwrap_err().to_string();
        assert!(unknown.starts_with("unknown variant `nope`, expected one of `investigating`, "));
    }

    #[test]
    fn the_schema_is_that_of_an_enumeration_of_words() {
        /// As the derived one.
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema is used")]
        enum Two {
            /// Incident: under investigation.
            #[schemars(rename = "investigating")]
            Investigating,
            /// Incident: the cause is known.
            #[schemars(rename = "identified")]
            Identified,
        }
        let words = |schema: &Schema| schema.get("oneOf").unwrap().as_array().unwrap().clone();
        let derived = words(&schemars::schema_for!(Two));
        let own = words(&schemars::schema_for!(Status));
        assert_eq!(
            serde_json::to_string(&derived).unwrap(),
            serde_json::to_string(&own[..2]).unwrap()
        );
        assert_eq!(own.len(), COUNT);
    }
}
