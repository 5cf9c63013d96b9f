//! Two ways to read the lists of a document: in one pass, or item by item.
//!
//! Nearly every document is flawless. Decoding it straight into its types looks at each byte once
//! and copies nothing twice, but one broken item would cost all of it. So a source is written once
//! for both ways, and [`quickly`] takes the slow one only where the quick one has failed, for
//! whatever reason: that one then says what is wrong, and keeps the rest.

use serde::de::DeserializeOwned;

use super::{Items, List};
use crate::{Documents, ParseError};

/// Larger documents are read item by item: until a list is known to be too long it has to be held.
const LARGEST: usize = 1 << 20;

/// How lists are read.
pub trait Decode {
    /// A list as this way holds it between the document and [`Decode::read`].
    type List<T: DeserializeOwned>: DeserializeOwned + Default;

    /// The items of a list, as [`Items::read`] has them.
    ///
    /// # Errors
    /// See [`Items::read`].
    fn read<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Self::List<T>,
    ) -> Result<Vec<T>, ParseError>;

    /// The items of a list inside an item, as [`Items::nested`] has them.
    ///
    /// # Errors
    /// See [`Items::nested`].
    fn nested<T: DeserializeOwned>(
        items: &mut Items,
        what: &'static str,
        list: Self::List<T>,
    ) -> Result<Vec<T>, ParseError>;
}

/// All at once: one item that cannot be read costs the document.
#[derive(Debug)]
pub struct Strict;

/// One broken item costs itself alone, and is named.
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

/// What `one_pass` makes of the documents; where it fails, or they are large, what `item_by_item`
/// does.
///
/// # Errors
/// Those of the slow way.
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
    fn the_slow_way_is_taken_where_the_quick_one_fails_or_the_document_is_large() {
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
