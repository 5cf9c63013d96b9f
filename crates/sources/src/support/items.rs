//! [`Items`], which decodes lists item by item.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::lenient;
use crate::{Limits, ParseError};
use statuswatch_model::snapshot::Listing;
use statuswatch_model::text::one_line;

/// A list whose items have not been decoded yet: `incidents: List`.
pub type List = Vec<Box<RawValue>>;

/// Rejected items that are reported individually; further ones are only counted.
const MAX_NAMED: usize = 20;

/// Decodes the lists of one poll and records the rejected items for
/// [`statuswatch_model::snapshot::Snapshot::rejected`].
#[derive(Debug)]
pub struct Items {
    limits: Limits,
    named: Vec<String>,
    count: usize,
    /// Set when a nested list exceeds the limit; [`Items::build`] returns it even if the item was
    /// rejected.
    overflow: Option<ParseError>,
}

impl Items {
    /// Creates a decoder with the limits of the provider.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, named: Vec::new(), count: 0, overflow: None }
    }

    /// Decodes the items of `list` that are a `T`; the others are rejected and recorded. `what` is
    /// the plural noun for messages: "incidents".
    ///
    /// # Errors
    /// Returns an error for more items than the limit, or for a non-empty list without a single
    /// valid item: its format has changed, and an empty result would look like "no incidents".
    pub fn read<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        list: &[Box<RawValue>],
    ) -> Result<Vec<T>, ParseError> {
        let (items, first_error) = self.decode(what, list)?;
        match first_error {
            Some(reason) if items.is_empty() => Err(ParseError::malformed(
                "JSON",
                format!("none of the {what} can be read: {reason}"),
            )),
            _ => Ok(items),
        }
    }

    /// Like [`Items::read`], with a conversion: `build` returns why it rejects an item, and an item
    /// whose `id` is already taken is rejected.
    ///
    /// # Errors
    /// Those of [`Items::read`]; a list whose items are all rejected by `build` is an error, too.
    pub fn build<T: DeserializeOwned, U>(
        &mut self,
        what: &'static str,
        list: &[Box<RawValue>],
        mut build: impl FnMut(&mut Self, T) -> Result<U, String>,
        id: impl Fn(&U) -> &str,
    ) -> Result<Vec<U>, ParseError> {
        let read: Vec<T> = self.read(what, list)?;
        let mut seen = HashSet::new();
        let mut built = Vec::with_capacity(read.len());
        let mut first_error = None;
        for item in read {
            match build(self, item) {
                Ok(item) if seen.insert(id(&item).to_owned()) => built.push(item),
                Ok(item) => self.reject(what, &format!("the id {} is duplicated", id(&item))),
                Err(why) => {
                    self.reject(what, &why);
                    first_error.get_or_insert(why);
                }
            }
        }
        match (self.overflow.take(), first_error) {
            (Some(error), _) => Err(error),
            (None, Some(reason)) if built.is_empty() => Err(ParseError::malformed(
                "JSON",
                format!("none of the {what} can be read: {reason}"),
            )),
            _ => Ok(built),
        }
    }

    /// Like [`Items::read`] for a list nested in an item; all of its items may be rejected.
    ///
    /// # Errors
    /// Returns an error for more items than the limit.
    pub fn nested<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        list: &[Box<RawValue>],
    ) -> Result<Vec<T>, ParseError> {
        Ok(self.decode(what, list)?.0)
    }

    /// Records that something was rejected.
    pub fn reject(&mut self, what: &str, why: &str) {
        self.count += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(format!("{what}: {}", one_line(why, 200)));
        }
    }

    /// Returns the number of rejections so far. A list that lost items no longer proves an absence.
    #[must_use]
    pub fn rejected(&self) -> usize {
        self.count
    }

    /// Returns what an absence from a list means: `whole`, or [`Listing::Unknown`] if there are more
    /// than `before` rejections, the number before the list was read.
    #[must_use]
    pub fn listing(&self, before: usize, whole: Listing) -> Listing {
        if self.count > before { Listing::Unknown } else { whole }
    }

    /// Returns the recorded rejections.
    #[must_use]
    pub fn into_rejected(self) -> Vec<String> {
        let Self { mut named, count, .. } = self;
        if count > named.len() {
            named.push(format!("and {} more", count - named.len()));
        }
        named
    }

    /// Returns an error if a list has more items than the limit.
    pub(super) fn bounded(&mut self, what: &'static str, count: usize) -> Result<(), ParseError> {
        let limit = self.limits.max_items;
        if count <= limit {
            return Ok(());
        }
        let error = ParseError::TooMany { what, count, limit };
        self.overflow = Some(error.clone());
        Err(error)
    }

    fn decode<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        list: &[Box<RawValue>],
    ) -> Result<(Vec<T>, Option<String>), ParseError> {
        self.bounded(what, list.len())?;
        let mut first_error = None;
        let mut items = Vec::with_capacity(list.len());
        for (place, raw) in list.iter().enumerate() {
            match lenient::read(raw.get()) {
                Ok(item) => items.push(item),
                Err(error) => {
                    let why = format!("{error}{}", name_of(raw));
                    self.reject(&format!("{what}[{place}]"), &why);
                    first_error.get_or_insert_with(|| one_line(&why, 200));
                }
            }
        }
        Ok((items, first_error))
    }
}

/// Returns the id or name of an invalid item, as far as it can be read.
fn name_of(raw: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Named {
        id: Option<Box<RawValue>>,
        name: Option<Box<RawValue>>,
    }
    let Ok(named) = lenient::read::<Named>(raw.get()) else {
        return String::new();
    };
    [("id", named.id), ("name", named.name)]
        .into_iter()
        .filter_map(|(what, value)| value.map(|value| format!(", {what} {}", value.get())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::fields::Id;

    #[derive(Debug, Deserialize)]
    struct Item {
        id: Id,
    }

    fn list(text: &str) -> List {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_broken_item_costs_itself_and_is_named() {
        let mut items = Items::new(Limits::default());
        let read: Vec<Item> =
            items.read("incidents", &list(r#"[{"id": 1}, {"name": "x"}, {"id": {}}, 7]"#)).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].id.as_str(), "1");
        assert_eq!(items.rejected(), 3);
        let rejected = items.into_rejected();
        assert!(
            rejected[0].starts_with("incidents[1]: missing field `id`")
                && rejected[0].ends_with("name \"x\""),
            "{rejected:?}"
        );
        assert!(rejected[1].contains("an integer"), "{rejected:?}");
    }

    #[test]
    fn what_is_built_has_to_prove_itself() {
        let even = |_: &mut Items, item: Item| {
            if item.id.0.len() == 2 { Ok(item) } else { Err("odd".to_owned()) }
        };
        let build = |text: &str| {
            let mut items = Items::new(Limits::default());
            let built = items
                .build("incidents", &list(text), even, |item| item.id.as_str())
                .map(|built| built.len());
            (built.map_err(|error| error.to_string()), items.into_rejected())
        };
        let rejected =
            ["incidents: odd", "incidents: the id 10 is duplicated"].map(str::to_owned).to_vec();
        assert_eq!(build(r#"[{"id": 10}, {"id": 1}, {"id": 10}]"#), (Ok(1), rejected));
        assert_eq!(
            build(r#"[{"id": 1}]"#).0,
            Err("malformed JSON: none of the incidents can be read: odd".to_owned())
        );
        let mut items = Items::new(Limits { max_items: 1 });
        let deep = |items: &mut Items, item: Item| {
            let nested = items.nested::<Item>("updates", &list(r#"[{"id": 1}, {"id": 2}]"#));
            nested.map(|_| item).map_err(|error| error.to_string())
        };
        let error = items
            .build("incidents", &list(r#"[{"id": 1}]"#), deep, |item| item.id.as_str())
            .unwrap_err();
        assert_eq!(error, ParseError::TooMany { what: "updates", count: 2, limit: 1 });
    }

    #[test]
    fn a_list_without_one_readable_item_is_another_format() {
        let error =
            Items::new(Limits::default()).read::<Item>("incidents", &list("[{}, {}]")).unwrap_err();
        assert!(error.to_string().contains("none of the incidents can be read"), "{error}");
        assert!(
            Items::new(Limits::default())
                .nested::<Item>("updates", &list("[{}]"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn too_many_items_are_an_error_and_never_a_cut_list() {
        let text = format!("[{}]", ["{\"id\":1}"; 4].join(","));
        let error = Items::new(Limits { max_items: 3 })
            .read::<Item>("components", &list(&text))
            .unwrap_err();
        assert_eq!(error, ParseError::TooMany { what: "components", count: 4, limit: 3 });
    }

    #[test]
    fn a_flood_of_broken_items_is_counted_not_listed() {
        let mut items = Items::new(Limits::default());
        for _ in 0..50 {
            items.reject("x", "y");
        }
        let rejected = items.into_rejected();
        assert_eq!(rejected.len(), 21);
        assert_eq!(rejected[20], "and 30 more");
    }
}
