//! Decides which of two numbers is the day: `10/11/2026` is ambiguous without other dates.

use chrono::NaiveDate;

/// Number of dates kept as evidence, of each kind.
pub(super) const KEPT: usize = 64;

/// The order of day and month in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// 24/10/2026
    DayFirst,
    /// 10/24/2026
    MonthFirst,
}

/// What the dates of a document imply about that order.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// Number of dates that are only valid with the day first.
    pub(super) day_first: usize,
    /// Number of dates that are only valid with the month first.
    pub(super) month_first: usize,
    /// Dates valid in both orders: with the day first and with the month first.
    pub(super) either: Vec<(NaiveDate, NaiveDate)>,
    /// Unambiguous dates.
    pub(super) clear: Vec<NaiveDate>,
}

/// Returns the order that the evidence supports; `None` if inconclusive.
pub(super) fn decide(evidence: &Evidence) -> Option<Order> {
    match (evidence.day_first, evidence.month_first) {
        (0, 0) => by_distance(evidence).or_else(|| by_sequence(&evidence.either)),
        (_, 0) => Some(Order::DayFirst),
        (0, _) => Some(Order::MonthFirst),
        _ => None,
    }
}

/// Compares the distances to unambiguous dates: one order must be at most half as far as the other.
fn by_distance(evidence: &Evidence) -> Option<Order> {
    if evidence.clear.is_empty() {
        return None;
    }
    let nearest = |date: NaiveDate| {
        evidence.clear.iter().map(|clear| (*clear - date).num_days().abs()).min().unwrap_or(0)
    };
    let day_first: i64 = evidence.either.iter().map(|(date, _)| nearest(*date)).sum();
    let month_first: i64 = evidence.either.iter().map(|(_, date)| nearest(*date)).sum();
    if day_first * 2 < month_first {
        Some(Order::DayFirst)
    } else if month_first * 2 < day_first {
        Some(Order::MonthFirst)
    } else {
        None
    }
}

/// Uses the order of the list: three or more distinct dates are monotonic in one order only.
fn by_sequence(either: &[(NaiveDate, NaiveDate)]) -> Option<Order> {
    let mut different = either.to_vec();
    different.dedup();
    if different.len() < 3 {
        return None;
    }
    let sorted = |dates: Vec<NaiveDate>| dates.is_sorted() || dates.iter().rev().is_sorted();
    let day_first = sorted(different.iter().map(|(date, _)| *date).collect());
    let month_first = sorted(different.iter().map(|(_, date)| *date).collect());
    match (day_first, month_first) {
        (true, false) => Some(Order::DayFirst),
        (false, true) => Some(Order::MonthFirst),
        _ => None,
    }
}
