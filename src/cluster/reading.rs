//! Which owners of a key answer a read, where it need not be the primary.

use crate::ring::NodeId;
use std::fmt;
use std::time::Duration;

/// Who answers the reads of a node's clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The primary, and other owners where it does not.
    #[default]
    Primary,
    /// The owner that is nearest.
    Nearest,
    /// More than half of the owners that are live: the newest of what they have.
    Quorum,
}

impl fmt::Display for ReadFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Nearest => "nearest",
            Self::Quorum => "quorum",
        })
    }
}

/// An owner of a key that has all, as the node that was asked sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// Which.
    pub node: NodeId,
    /// It is the node that was asked.
    pub is_here: bool,
    /// It stands in the same zone.
    pub is_in_zone: bool,
    /// It leaves calls without an answer.
    pub is_silent: bool,
    /// How long a packet and its answer take.
    pub round_trip: Duration,
}

/// So many of these owners, the nearest first: this node itself, then those of its own
/// zone, and among equals the one that answers soonest; where all is equal, the first.
/// Whoever leaves calls without an answer is passed over, so there may be fewer.
#[must_use]
pub fn nearest(owners: impl IntoIterator<Item = Near>, count: usize) -> Vec<NodeId> {
    let mut owners: Vec<Near> = owners.into_iter().filter(|owner| !owner.is_silent).collect();
    // Stable: equals stay in the order of the ring.
    owners.sort_by_key(|owner| (!owner.is_here, !owner.is_in_zone, owner.round_trip));
    owners.into_iter().take(count).map(|owner| owner.node).collect()
}

/// How many of so many are more than half.
#[must_use]
pub fn majority(of: usize) -> usize {
    of / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn far(node: u64, round_trip_us: u64) -> Near {
        Near {
            node: NodeId(node),
            is_here: false,
            is_in_zone: false,
            is_silent: false,
            round_trip: Duration::from_micros(round_trip_us),
        }
    }

    const fn in_zone(node: u64, round_trip_us: u64) -> Near {
        Near { is_in_zone: true, ..far(node, round_trip_us) }
    }

    const fn here(node: u64) -> Near {
        Near { is_here: true, ..in_zone(node, 0) }
    }

    const fn silent(near: Near) -> Near {
        Near { is_silent: true, ..near }
    }

    #[test]
    fn the_nearest_come_first() {
        let cases: [(&str, &[Near], &[u64]); 9] = [
            ("nobody", &[], &[]),
            ("own copy before all", &[in_zone(1, 1), here(2), far(3, 0)], &[2, 1, 3]),
            ("own zone before what is faster", &[far(1, 5), in_zone(2, 900)], &[2, 1]),
            ("the faster of one zone", &[in_zone(1, 300), in_zone(2, 200)], &[2, 1]),
            ("the faster of other zones", &[far(1, 300), far(2, 200)], &[2, 1]),
            ("the first where all is equal", &[far(2, 7), far(1, 7), far(3, 7)], &[2, 1, 3]),
            ("not who is silent", &[silent(in_zone(1, 1)), far(2, 9)], &[2]),
            ("nobody, where all are silent", &[silent(far(1, 1)), silent(in_zone(2, 1))], &[]),
            (
                "all together",
                &[far(1, 1), silent(here(2)), in_zone(3, 50), in_zone(4, 40)],
                &[4, 3, 1],
            ),
        ];
        for (what, owners, expected) in cases {
            let expected: Vec<NodeId> = expected.iter().map(|&node| NodeId(node)).collect();
            for count in 0..=owners.len() {
                let some = &expected[..count.min(expected.len())];
                assert_eq!(nearest(owners.iter().copied(), count), some, "{what}, {count}");
            }
        }
    }

    #[test]
    fn two_majorities_have_one_in_common() {
        for of in 1..=usize::from(crate::limits::COPIES_MAX) {
            assert!(2 * majority(of) > of && majority(of) <= of, "of {of}");
        }
    }
}
