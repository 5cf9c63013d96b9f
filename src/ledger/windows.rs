//! When a maintenance window begins or ends, the same document means something else and must be
//! read again, even if the server reports it as unchanged.

use crate::event::{Kind, Time};

/// Returns the first time after `after` at which one of these open windows begins or ends; each is
/// given as kind, start and end.
pub(super) fn next(
    open: impl IntoIterator<Item = (Kind, Option<Time>, Option<Time>)>,
    after: Time,
) -> Option<Time> {
    open.into_iter()
        .filter(|(kind, ..)| *kind == Kind::Maintenance)
        .flat_map(|(_, begin, end)| [begin, end])
        .flatten()
        .filter(|at| *at > after)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_edge_of_a_window_of_a_maintenance_counts() {
        let at = |second| Time::from_timestamp(second, 0);
        let open = [
            (Kind::Incident, at(3), None),
            (Kind::Maintenance, at(5), at(9)),
            (Kind::Maintenance, at(7), None),
            (Kind::Maintenance, None, None),
        ];
        for (after, expected) in [(0, at(5)), (5, at(7)), (7, at(9)), (9, None)] {
            assert_eq!(next(open, at(after).unwrap()), expected, "{after}");
        }
    }
}
