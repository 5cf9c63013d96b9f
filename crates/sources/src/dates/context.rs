//! The context for parsing dates in a document: the zone of local times, the order of day and
//! month, and a count of unreadable dates.
//!
//! Dates are parsed deep inside deserialization, which cannot pass parameters down. The context is
//! therefore thread-local while [`within`] runs, and a document is read on one thread. Without a
//! context, local times are UTC and nothing is counted.

use std::cell::RefCell;

use chrono::NaiveDate;

use super::order::{Evidence, KEPT, Order, decide};
use statuswatch_model::snapshot::UnreadTimes;
use statuswatch_model::text::one_line;
use statuswatch_model::zone::Zone;

/// Longest excerpt of a date in a report, in characters.
const EXCERPT: usize = 60;

/// Number of distinct examples that are kept.
const EXAMPLES: usize = 3;

#[derive(Default)]
struct Context {
    /// The zone configured for the provider.
    zone: Zone,
    /// The zone stated by the page.
    page_zone: Option<Zone>,
    order: Option<Order>,
    evidence: Evidence,
    unread: UnreadTimes,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Restores the previous context on drop, also after a panic.
struct Restore(Option<Context>);

impl Drop for Restore {
    fn drop(&mut self) {
        let former = self.0.take();
        CONTEXT.with(|context| context.replace(former));
    }
}

/// Runs `read` with local times in `zone`, and once more if the first pass shows the order of day
/// and month for dates parsed before it was known. Also returns the unreadable times.
pub(crate) fn within<T>(zone: Zone, read: impl Fn() -> T) -> (T, UnreadTimes) {
    let (value, first) = once(zone, None, &read);
    if first.evidence.either.is_empty() {
        return (value, first.unread);
    }
    let Some(order) = decide(&first.evidence) else {
        return (value, first.unread);
    };
    let (value, second) = once(zone, Some(order), &read);
    (value, second.unread)
}

fn once<T>(zone: Zone, order: Option<Order>, read: &impl Fn() -> T) -> (T, Context) {
    let context = Context { zone, order, ..Context::default() };
    let _restore = Restore(CONTEXT.with(|current| current.replace(Some(context))));
    let value = read();
    (value, CONTEXT.with(RefCell::take).unwrap_or_default())
}

/// Runs `what` with the context, if there is one.
fn with<T>(what: impl FnOnce(&mut Context) -> T) -> Option<T> {
    CONTEXT.with(|context| context.borrow_mut().as_mut().map(what))
}

/// Returns the zone of local times: as stated by the page, else as configured, else UTC.
pub(super) fn zone() -> Zone {
    with(|context| context.page_zone.unwrap_or(context.zone)).unwrap_or_default()
}

/// Sets the zone stated by the page, a name or an offset; anything else is ignored.
pub(crate) fn page_zone(name: &str) {
    if name.len() <= EXCERPT
        && let Some(zone) = Zone::named(name)
    {
        with(|context| context.page_zone = Some(zone));
    }
}

/// Records an unambiguous date.
pub(super) fn clear(date: NaiveDate) {
    with(|context| keep(&mut context.evidence.clear, date));
}

/// Returns day and month from two numbers; `None` where they are neither, or ambiguous.
pub(super) fn day_and_month(first: u32, second: u32, year: Option<i32>) -> Option<(u32, u32)> {
    let year = year?;
    let day_first = NaiveDate::from_ymd_opt(year, second, first);
    let month_first = NaiveDate::from_ymd_opt(year, first, second);
    match (day_first, month_first) {
        (Some(_), None) => {
            with(|context| context.evidence.day_first += 1);
            Some((first, second))
        }
        (None, Some(_)) => {
            with(|context| context.evidence.month_first += 1);
            Some((second, first))
        }
        (Some(day_first), Some(month_first)) => {
            let order = with(|context| {
                keep(&mut context.evidence.either, (day_first, month_first));
                context.order
            });
            order.flatten().map(|order| match order {
                Order::DayFirst => (first, second),
                Order::MonthFirst => (second, first),
            })
        }
        (None, None) => None,
    }
}

fn keep<T>(list: &mut Vec<T>, item: T) {
    if list.len() < KEPT {
        list.push(item);
    }
}

/// Records a text in place of a time that cannot be read.
pub(crate) fn unread(text: &str) {
    with(|context| {
        context.unread.count += 1;
        let start: String = text.chars().take(4 * EXCERPT).collect();
        let example = one_line(&start, EXCERPT);
        let examples = &mut context.unread.examples;
        if examples.len() < EXAMPLES && !examples.contains(&example) {
            examples.push(example);
        }
    });
}
