//! Entries that grow: Statuspage and those who write like it keep one entry for an incident and all
//! its updates within.
//!
//! ```text
//! <p><small>Mar <var data-var='date'> 3</var>, <var data-var='time'>21:09</var> UTC</small><br>
//!    <strong>Monitoring</strong> - A fix is in place.</p>            newest first, no year, no seconds
//! ```

use chrono::TimeDelta;

use super::read::Item;
use super::titles;
use crate::dates::Parts;
use statuswatch_model::event::{Status, Time};
use statuswatch_model::snapshot::{Update, UpdateId};
use statuswatch_model::text::{html_to_text, one_line};

/// How much later than the update above it an older one may claim to be: times can be set by hand.
const DISORDER: TimeDelta = TimeDelta::days(11);

/// One update as the entry shows it.
struct Block<'a> {
    written: Parts,
    label: String,
    body: &'a str,
}

/// The updates within an entry, oldest first; empty where it is not written like that.
pub(crate) fn updates(item: &Item) -> Vec<Update> {
    let mut blocks = blocks(&item.body);
    let times = times(&blocks, item.published.or(item.updated));
    let mut dated: Vec<(Option<Time>, Block<'_>)> =
        times.into_iter().zip(blocks.drain(..)).collect();
    // Newest first is the rule; whoever writes the other way round is read so.
    let steps =
        dated.iter().zip(dated.iter().skip(1)).filter(|((above, _), (below, _))| above != below);
    let (up, down): (Vec<_>, Vec<_>) = steps.partition(|((above, _), (below, _))| above < below);
    if up.len() <= down.len() {
        dated.reverse();
    }
    let mut updates: Vec<Update> = Vec::with_capacity(dated.len());
    let mut former = Status::Update;
    let mut places: std::collections::HashMap<Time, u32> = std::collections::HashMap::new();
    for (time, block) in dated {
        // "Update" names no status: the former one still holds, whichever that is.
        let stated = titles::label(&block.label);
        let status = stated.unwrap_or(former);
        former = status;
        let id = time.map_or(UpdateId::Content, |time| {
            // Counted from the oldest, so that a newer one in the same minute moves nobody.
            let place = places.entry(time).or_insert(0);
            *place += 1;
            UpdateId::Timed(time, *place - 1)
        });
        updates.push(Update {
            id,
            status,
            stated: stated.unwrap_or(Status::Update),
            published_at: time,
            edited_at: None,
            text: text(block.body),
        });
    }
    updates
}

/// Whether a text is written in this way, without taking it apart.
pub(super) fn is_growing(item: &Item) -> bool {
    !blocks(&item.body).is_empty()
}

/// The window that a maintenance announces above its updates.
pub(super) fn window(item: &Item) -> (Option<Time>, Option<Time>) {
    const MARK: &str = "THIS IS A SCHEDULED EVENT";
    let Some((_, rest)) = item.body.split_once(MARK) else {
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
    // "Mar 3, 21:00 - 23:00 UTC": what one side leaves out stands on the other.
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

/// The instants of the blocks in the order of the document: each in the year that its neighbour
/// above, or for the first one the entry's own date, asks for.
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

/// The blocks in the order of the document.
fn blocks(html: &str) -> Vec<Block<'_>> {
    let lower = html.to_ascii_lowercase();
    // Lower-casing ASCII moves no byte, so places in one are places in the other.
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

/// The header at `at`: where its text begins, its date and its label. `None` if it is small print
/// of another kind.
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

/// Where `needle` stands behind `from`, if within `window` bytes: looking on to the end would take
/// quadratic time.
fn find_within(text: &str, from: usize, window: usize, needle: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes().get(from..)?;
    memchr::memmem::find(bytes.get(..window).unwrap_or(bytes), needle)
}
