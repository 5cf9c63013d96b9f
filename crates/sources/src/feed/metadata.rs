//! Status metadata of feed items: categories, status elements, end times. Collected in the pass
//! before the parser, which panics on some of them.

use super::titles;
use crate::dates;
use statuswatch_model::event::{IncidentStatus, Kind, Time};
use statuswatch_model::text::{decode_entities, one_line};

/// Maximum number of labels kept for one item.
const KEPT: usize = 8;

/// Longest label, in characters.
const LONGEST: usize = 100;

/// How much text of an element is examined, in characters.
const MAX_TEXT: usize = 400;

/// The metadata of one item, in addition to its title and text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ItemMetadata {
    /// Categories and status words, as plain text.
    labels: Vec<String>,
    /// When it ended, or is to end.
    pub(crate) ended: Option<Time>,
}

/// The meaning of an element in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A category or a status word.
    Label,
    /// The end time.
    End,
}

impl Field {
    /// Returns the meaning of the element with this local name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "category" | "status" | "state" | "incidentstatus" | "incident_status" => {
                Some(Self::Label)
            }
            "enddate" | "end_date" | "endtime" | "end_time" | "resolvedat" | "resolved_at"
            | "resolveddate" => Some(Self::End),
            _ => None,
        }
    }
}

/// Collects the metadata of all items in the one pass over a document.
#[derive(Debug, Default)]
pub(super) struct Reader {
    metadata: Vec<ItemMetadata>,
    /// The current element: its meaning, its depth, and its text so far.
    open: Option<(Field, usize, String)>,
}

impl Reader {
    /// Starts an item.
    pub(super) fn item(&mut self) {
        self.metadata.push(ItemMetadata::default());
    }

    /// Starts an element in an item, at `depth`. Atom puts the value in an attribute.
    pub(super) fn begin(&mut self, name: &str, attributes: &str, empty: bool, depth: usize) {
        let Some(field) = Field::of(name).filter(|_| self.open.is_none()) else {
            return;
        };
        let term = attributes
            .split_once("term=")
            .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
            .filter(|_| field == Field::Label);
        match (term, self.metadata.last_mut()) {
            (Some(term), Some(metadata)) => metadata.add(field, &decode_entities(term)),
            _ if !empty => self.open = Some((field, depth, String::new())),
            _ => {}
        }
    }

    /// Adds text; `references` is false for CDATA.
    pub(super) fn text(&mut self, text: &str, references: bool) {
        if let Some((_, _, so_far)) = &mut self.open
            && so_far.len() < MAX_TEXT
        {
            let start: String = text.chars().take(MAX_TEXT).collect();
            so_far.push_str(&if references { decode_entities(&start) } else { start.into() });
        }
    }

    /// Ends the element at `depth`.
    pub(super) fn end(&mut self, depth: usize) {
        let ended = self.open.take_if(|(_, at, _)| *at == depth);
        if let (Some((field, _, text)), Some(metadata)) = (ended, self.metadata.last_mut()) {
            metadata.add(field, &text);
        }
    }

    /// Returns the metadata of each item, in document order.
    pub(super) fn into_metadata(self) -> Vec<ItemMetadata> {
        self.metadata
    }
}

impl ItemMetadata {
    /// Records the value of an element.
    pub(super) fn add(&mut self, field: Field, text: &str) {
        let text = one_line(text, LONGEST);
        match field {
            Field::Label if self.labels.len() < KEPT && !text.is_empty() => self.labels.push(text),
            Field::Label => {}
            Field::End => self.ended = self.ended.or_else(|| dates::read(&text)),
        }
    }

    /// Returns the status that a label names; an end takes precedence.
    fn status(&self) -> Option<IncidentStatus> {
        let mut named = self.labels.iter().filter_map(|label| titles::label(label));
        let first = named.next()?;
        Some(named.find(|status| status.is_over()).filter(|_| !first.is_over()).unwrap_or(first))
    }

    /// Returns the status of an item whose title and text state `written`. `by` is the newest time
    /// in the document: an end after it is announced, not reached.
    pub(super) fn judge(
        &self,
        written: Option<IncidentStatus>,
        by: Option<Time>,
    ) -> Option<IncidentStatus> {
        let named = self.status();
        let stated = match (written, named) {
            (Some(written), Some(named)) if named.is_over() && !written.is_over() => Some(named),
            (written, named) => written.or(named),
        };
        let over = self.ended.is_some_and(|ended| by.is_some_and(|by| ended <= by));
        match stated {
            Some(status) if status.is_over() => Some(status),
            Some(status) if over && super::vocabulary::kind(status) == Some(Kind::Maintenance) => {
                Some(IncidentStatus::Completed)
            }
            _ if over => Some(IncidentStatus::Resolved),
            stated => stated,
        }
    }
}
