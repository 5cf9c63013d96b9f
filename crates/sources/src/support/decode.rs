//! Two strategies for decoding the lists of a document: in one pass, or item by item.
//!
//! Almost every document is well-formed. Decoding it straight into its types visits each byte once
//! and copies nothing, but one invalid item would fail the whole document. A source is therefore
//! written once, generic over [`Decode`], and [`strict_then_lenient`] decodes leniently only when
//! strict decoding fails for any reason. The lenient pass then reports the error and keeps the
//! valid items.

use serde::de::DeserializeOwned;

use super::{Items, List};
use crate::{Documents, ParseError};

/// Documents above this size, in bytes, are decoded item by item: in one pass, a list that exceeds
/// the limit would have to be held in memory before it is rejected.
const LARGEST: usize = 1 << 20;

/// A strategy for decoding lists.
pub trait Decode {
    /// The list as this strategy holds it between deserialization and [`Decode::read`].
    type List<T: DeserializeOwned>: DeserializeOwned + Default;

    /// Returns the items of a list; see [`Items::read`].
    ///
    /// # Errors
    /// See [`Items::read`].
    fn read<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Self::List<T>,
    ) -> Result<Vec<T>, ParseError>;

    /// Returns the items of a list nested in an item; see [`Items::nested`].
    ///
    /// # Errors
    /// See [`Items::nested`].
    fn nested<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Self::List<T>,
    ) -> Result<Vec<T>, ParseError>;
}

/// Decodes in one pass: one invalid item fails the document.
#[derive(Debug)]
pub struct Strict;

/// Decodes item by item: an invalid item is rejected and reported, the others are kept.
#[derive(Debug)]
pub struct Lenient;

impl Decode for Strict {
    type List<T: DeserializeOwned> = Vec<T>;

    fn read<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Vec<T>,
    ) -> Result<Vec<T>, ParseError> {
        items.bounded(what, list.len())?;
        Ok(list)
    }

    fn nested<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Vec<T>,
    ) -> Result<Vec<T>, ParseError> {
        Self::read(items, what, list)
    }
}

impl Decode for Lenient {
    type List<T: DeserializeOwned> = List;

    fn read<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: List,
    ) -> Result<Vec<T>, ParseError> {
        items.read(what, &list)
    }

    fn nested<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: List,
    ) -> Result<Vec<T>, ParseError> {
        items.nested(what, &list)
    }
}

/// Returns the result of `one_pass`, or of `item_by_item` where `one_pass` fails or a document is
/// larger than 1 MiB.
///
/// # Errors
/// Returns the error of `item_by_item`.
pub fn strict_then_lenient<T>(
    documents: &Documents,
    one_pass: impl FnOnce() -> Result<T, ParseError>,
    item_by_item: impl FnOnce() -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let mut all = std::iter::once(&documents.first)
        .chain(documents.details.iter().map(|(_, document)| document));
    if all.all(|document| document.body.len() <= LARGEST)
        && let Ok(read) = one_pass()
    {
        return Ok(read);
    }
    item_by_item()
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::document::Document;

    #[test]
    fn lenient_decoding_is_used_where_strict_decoding_fails_or_the_document_is_large() {
        let error = || ParseError::Empty;
        let documents = |size: usize| {
            Documents::only(Document::new(
                url::Url::parse("http://a.example/").unwrap(),
                None,
                vec![b' '; size],
            ))
        };
        assert_eq!(strict_then_lenient(&documents(9), || Ok(1), || Ok(2)), Ok(1));
        assert_eq!(strict_then_lenient(&documents(9), || Err(error()), || Ok(2)), Ok(2));
        assert_eq!(strict_then_lenient(&documents(LARGEST + 1), || Ok(1), || Ok(2)), Ok(2));
        assert_eq!(
            strict_then_lenient::<()>(
                &documents(9),
                || Err(ParseError::Html { title: None }),
                || Err(error())
            ),
            Err(error())
        );
    }
}
