//! One request as handlers see it.

use std::str::FromStr;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

use super::answer::Refusal;
use crate::clock;
use crate::event::{Impact, Kind};
use crate::view::filter::{Wanted, parse_impact, parse_since};

/// More parameters are refused.
const MAX_PARAMETERS: usize = 64;
/// Values of a list, such as `provider=a,b`.
const MAX_VALUES: usize = 256;

/// One request.
pub struct Call {
    /// Its headers.
    pub headers: HeaderMap,
    /// The variable parts of the path, decoded: name and value.
    pub(super) path: Vec<(String, String)>,
    /// The query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// The body: empty for GET and HEAD, whatever was sent.
    pub body: Bytes,
    /// Ends the connection at once, see [`super::stream`].
    pub(super) cutoff: Option<super::cutoff::Cutoff>,
}

impl Call {
    pub(super) fn query_of(text: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(text.unwrap_or_default().as_bytes())
                .take(MAX_PARAMETERS + 1)
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(Refusal::Bad(format!("more than {MAX_PARAMETERS} parameters")));
        }
        Ok(pairs)
    }

    /// Returns a variable part of the path; without its suffix where the route has one.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Returns a parameter of the query; the last one where it is repeated.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Refuses a body that is not called JSON.
    pub(super) fn needs_json(&self) -> Result<(), Refusal> {
        let media = self.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        // A form of another page can send text, but not this.
        if !media.eq_ignore_ascii_case(super::answer::JSON) {
            return Err(Refusal::Unsupported("the body must be application/json"));
        }
        Ok(())
    }

    /// Reads the body as JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        self.needs_json()?;
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::Bad(printable(&format!("the body: {error}"))))
    }

    /// Returns a number of the query within `range`, or `default` where it is absent.
    pub(super) fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, Refusal> {
        let Some(text) = self.parameter(name) else {
            return Ok(default);
        };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Refusal::Bad(format!("\"{name}\" must be a whole number from {least} to {most}"))
        })
    }

    /// Returns the values of a list: repeated or separated by commas.
    fn values<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Refusal> {
        let mut values = Vec::new();
        for (_, list) in self.query.iter().filter(|(key, _)| key == name) {
            for value in list.split(',').map(str::trim) {
                if values.len() == MAX_VALUES {
                    return Err(Refusal::Bad(format!(
                        "\"{name}\" has more than {MAX_VALUES} values"
                    )));
                }
                let value = read(value);
                values.push(value.map_err(|reason| Refusal::Bad(format!("\"{name}\": {reason}")))?);
            }
        }
        Ok(values)
    }

    /// Returns the filter in the query, with the same words as `history`: `provider`, `since`,
    /// `kind`, `impact`. Without a provider in its list it is about all of them, as a form sends it;
    /// the others must not be empty.
    pub(super) fn wanted(&self) -> Result<Wanted, Refusal> {
        let since = self.values("since", |text| parse_since(text).map_err(|e| printable(&e)))?;
        let impacts =
            self.values("impact", |text| parse_impact(text).map_err(|e| printable(&e)))?;
        Ok(Wanted {
            providers: self
                .values("provider", |text| Ok(text.to_owned()))?
                .into_iter()
                .filter(|id| !id.is_empty())
                .collect(),
            since: since.last().and_then(|since| since.instant(clock::now())),
            kinds: self.values("kind", |text| {
                Kind::from_str(text).map_err(|e| printable(&e.to_string()))
            })?,
            impacts: Impact::ALL
                .iter()
                .copied()
                .filter(|&impact| impacts.iter().any(|is| is.holds(impact)))
                .collect(),
        })
    }
}

/// Some messages quote the value.
fn printable(message: &str) -> String {
    crate::text::one_line(message, 200)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(query: &str) -> Option<Call> {
        let query = Call::query_of(Some(query)).ok()?;
        let (headers, path) = (HeaderMap::new(), Vec::new());
        Some(Call { headers, path, query, body: Bytes::new(), cutoff: None })
    }

    #[test]
    fn lists_are_repeated_or_separated_and_bounded() {
        let wanted = |query: &str| call(query).unwrap().wanted();
        let both = wanted("provider=a,b&provider=c&impact=major%2B&kind=incident,maintenance");
        let both = both.unwrap();
        assert_eq!(both.providers.len(), 3);
        assert_eq!(both.impacts, [Impact::Major, Impact::Critical]);
        assert_eq!(both.kinds, [Kind::Incident, Kind::Maintenance]);
        assert!(wanted("provider=").unwrap().providers.is_empty());
        for query in ["since=", "kind=", "impact=minor,", "since=soon", "kind=x", "impact=x"] {
            assert!(wanted(query).is_err(), "{query}");
        }
        let many = vec!["a"; MAX_VALUES + 1].join(",");
        assert!(wanted(&format!("provider={many}")).is_err());
        assert!(call(&"a=b&".repeat(MAX_PARAMETERS + 1)).is_none());
    }

    proptest! {
        #[test]
        fn any_query_is_read_within_its_bounds_or_refused(query in ".{0,200}") {
            if let Some(call) = call(&query) {
                prop_assert!(call.query.len() <= MAX_PARAMETERS);
            }
        }

        #[test]
        fn any_value_is_read_or_refused_without_a_control_character(
            name in prop::sample::select(vec!["provider", "since", "kind", "impact", "limit"]),
            value in ".{0,100}",
        ) {
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair(name, &value)
                .finish();
            let call = call(&query).unwrap();
            prop_assert_eq!(call.parameter(name), Some(value.as_str()));
            for refused in [call.wanted().err(), call.number("limit", 1..=1000, 100).err()] {
                if let Some(Refusal::Bad(reason)) = refused {
                    prop_assert!(!reason.contains(char::is_control), "{reason:?}");
                    prop_assert!(reason.len() < 1000);
                }
            }
            if let Ok(number) = call.number("limit", 1..=1000, 100) {
                prop_assert!((1..=1000).contains(&number));
            }
        }
    }
}
