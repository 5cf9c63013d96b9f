//! When the window of a maintenance begins or ends, the same document says something else: it has
//! to be read again then, whatever the server says of it.

use crate::event::{Kind, Time};

/// The first moment after `after` at which the window of one of these begins or ends; each of them
/// is open, and given as kind, begin and end.
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
