//! Growing entries: Statuspage and feeds modeled on it keep one entry per incident, with all
//! updates in it.
//!
//! ```text
//! <p><small>Mar <var data-var='date'> 3</var>, <var data-var='time'>21:09</var> UTC</small><br>
//!    <strong>Monitoring</strong> - A fix is in place.</p>            newest first, no year, no seconds
//! ```

use chrono::TimeDelta;

use super::item::Item;
use super::titles;
use crate::dates::Parts;
use statuswatch_model::event::{IncidentStatus, Time};
use statuswatch_model::snapshot::{Update, UpdateId};
use statuswatch_model::text::{html_to_text, one_line};

/// How much later than the update above it an older one may be dated: times can be set by hand.
const DISORDER: TimeDelta = TimeDelta::days(11);

/// One update as it is in the entry.
struct Block<'a> {
    written: Parts,
    label: String,
    body: &'a str,
}

/// Returns the updates in an entry, oldest first; empty where the entry has another form.
pub(crate) fn updates(item: &Item) -> Vec<Update> {
    let mut blocks = blocks(&item.body);
    let times = times(&blocks, item.published.or(item.updated));
    let mut dated: Vec<(Option<Time>, Block<'_>)> =
        times.into_iter().zip(blocks.drain(..)).collect();
    // Newest first is the rule, but the reverse order is detected, too.
    let steps =
        dated.iter().zip(dated.iter().skip(1)).filter(|((above, _), (below, _))| above != below);
    let (up, down): (Vec<_>, Vec<_>) = steps.partition(|((above, _), (below, _))| above < below);
    if up.len() <= down.len() {
        dated.reverse();
    }
    let mut updates: Vec<Update> = Vec::with_capacity(dated.len());
    let mut former = IncidentStatus::Update;
    let mut places: std::collections::HashMap<Time, u32> = std::collections::HashMap::new();
    for (time, block) in dated {
        // "Update" states no status: the previous one still holds, whichever it is.
        let stated = titles::label(&block.label);
        let status = stated.unwrap_or(former);
        former = status;
        let id = time.map_or(UpdateId::Content, |time| {
            // Counted from the oldest, so that a newer update in the same minute does not change
            // the identity of the others.
            let place = places.entry(time).or_insert(0);
            *place += 1;
            UpdateId::Timed(time, *place - 1)
        });
        updates.push(Update {
            id,
            status,
            stated: stated.unwrap_or(IncidentStatus::Update),
            published_at: time,
            edited_at: None,
            text: text(block.body),
        });
    }
    updates
}

/// Returns whether an entry has this form, without parsing it.
pub(super) fn is_growing(item: &Item) -> bool {
    !blocks(&item.body).is_empty()
}

/// Returns the window that a maintenance announces above its updates.
pub(super) fn window(item: &Item) -> (Option<Time>, Option<Time>) {
    const MARKER: &str = "THIS IS A SCHEDULED EVENT";
    let Some((_, rest)) = item.body.split_once(MARKER) else {
        return (None, None);
    };
    let rest = rest.split("</").next().unwrap_or_default();
    let text = one_line(&html_to_text(rest), 120);
    let Some((from, until)) = text.split_once(" - ") else {
        return (None, None);
    };
    let (Some(mut from), Some(mut until)) = (Parts::read(from), Parts::read(until)) else {
        return (None, None);
    };
    // "Mar 3, 21:00 - 23:00 UTC": each side may omit what the other states.
    from.inherit_zone(until);
    until.inherit_date(from);
    let near = item.published.or(item.updated);
    let from = near.and_then(|near| from.near(near));
    (from, from.and_then(|from| until.near(from)))
}

fn text(body: &str) -> String {
    let text = html_to_text(body);
    text.trim_start_matches(['-', '–', '—']).trim_start().to_owned()
}

/// Returns the times of the blocks in document order. Each is in the year that is closest to its
/// neighbor above; the first, to the entry's own date.
fn times(blocks: &[Block<'_>], entry: Option<Time>) -> Vec<Option<Time>> {
    let mut above: Option<Time> = None;
    let mut times = Vec::with_capacity(blocks.len());
    for block in blocks {
        let time = match (above, entry) {
            (Some(above), _) => block.written.before(above + DISORDER),
            (None, Some(entry)) => block.written.near(entry),
            (None, None) => block.written.year.and_then(|year| block.written.in_year(year)),
        };
        above = time.or(above);
        times.push(time);
    }
    times
}

/// Returns the blocks in document order.
fn blocks(html: &str) -> Vec<Block<'_>> {
    let lower = html.to_ascii_lowercase();
    // ASCII lower-casing preserves byte offsets.
    let heads: Vec<(usize, usize, Parts, String)> =
        memchr::memmem::find_iter(lower.as_bytes(), b"<small>")
            .filter_map(|at| header(html, &lower, at))
            .collect();
    let ends = heads.iter().skip(1).map(|(at, ..)| *at).chain(std::iter::once(html.len()));
    heads
        .iter()
        .zip(ends)
        .filter_map(|((_, start, written, label), end)| {
            Some(Block { written: *written, label: label.clone(), body: html.get(*start..end)? })
        })
        .collect()
}

/// Returns the header at `at`: the offset of its text, its date and its label. Returns `None` for
/// other small print.
fn header(html: &str, lower: &str, at: usize) -> Option<(usize, usize, Parts, String)> {
    let from = at + "<small>".len();
    let date_end = from + find_within(lower, from, 400, b"</small>")?;
    let written = Parts::read(&one_line(&html_to_text(html.get(from..date_end)?), 60))?;
    (written.month.is_some() && written.day.is_some() && written.hour.is_some()).then_some(())?;
    let mut start = date_end + "</small>".len();
    let between = lower.get(start..)?;
    let mut rest = between.trim_start();
    while let Some(after) = ["<br>", "<br/>", "<br />"].iter().find_map(|br| rest.strip_prefix(br))
    {
        rest = after.trim_start();
    }
    rest = rest.strip_prefix("<strong>")?;
    start += between.len() - rest.len();
    let label_len = find_within(lower, start, 80, b"</strong>")?;
    let label = one_line(&html_to_text(html.get(start..start + label_len)?), 60);
    Some((at, start + label_len + "</strong>".len(), written, label))
}

/// Returns the offset of `needle` after `from`, if within `window` bytes: searching to the end
/// would take quadratic time.
fn find_within(text: &str, from: usize, window: usize, needle: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes().get(from..)?;
    memchr::memmem::find(bytes.get(..window).unwrap_or(bytes), needle)
}
