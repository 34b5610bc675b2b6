//! The bytes of rings: a byte that says how they are to be read, then the rest.

use crate::cluster::{Acting, Founded, Rings, Step};
use crate::limits::{NODES_MAX, WEIGHT_MAX};
use crate::ring::{Node, NodeId, ZoneId};
use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

/// How the bytes after the first are to be read.
const FORMAT: u8 = 1;

/// Bytes of a node on a ring, and of one that takes part: two ids and some numbers.
const NODE_BYTES_MAX: usize = 24;

/// Bytes of rings, at most: three lists of nodes, and some numbers.
const RINGS_BYTES_MAX: usize = 3 * NODES_MAX * NODE_BYTES_MAX + 128;

const CODEC: Configuration<LittleEndian, Fixint, Limit<RINGS_BYTES_MAX>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit::<RINGS_BYTES_MAX>();

/// Bytes that are no rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRings;

#[derive(Encode, Decode)]
struct Head {
    founded: u64,
    founder: u64,
    number: u64,
    turn: u64,
    by: u64,
    step: Stage,
    old: u32,
    new: u32,
    acting: u32,
}

#[derive(Encode, Decode)]
enum Stage {
    Settled,
    Write,
    Fill,
    HandOver,
    Follow,
}

#[derive(Encode, Decode)]
struct Seat {
    node: u64,
    zone: u64,
    weight: u32,
}

#[derive(Encode, Decode)]
struct Part {
    node: u64,
    generation: u64,
    is_whole: bool,
}

/// The bytes of rings.
#[must_use]
pub fn rings_bytes(rings: &Rings) -> Vec<u8> {
    let head = Head {
        founded: rings.founded.generation,
        founder: rings.founded.by.0,
        number: rings.number,
        turn: rings.turn,
        by: rings.by.0,
        step: match rings.step {
            Step::Settled => Stage::Settled,
            Step::Write => Stage::Write,
            Step::Fill => Stage::Fill,
            Step::HandOver => Stage::HandOver,
            Step::Follow => Stage::Follow,
        },
        old: rings.old.len() as u32,
        new: rings.new.len() as u32,
        acting: rings.acting.len() as u32,
    };
    let mut bytes = vec![FORMAT];
    append(&mut bytes, &head);
    for node in rings.old.iter().chain(&rings.new) {
        append(&mut bytes, &Seat { node: node.id.0, zone: node.zone.0, weight: node.weight });
    }
    for &Acting { node, generation, is_whole } in &rings.acting {
        append(&mut bytes, &Part { node: node.0, generation, is_whole });
    }
    bytes
}

/// The rings that these bytes are.
///
/// # Errors
/// Refuses what is not exactly one value of [`rings_bytes`] within the limits.
pub fn rings(bytes: &[u8]) -> Result<Rings, NoRings> {
    let rest = match bytes.split_first() {
        Some((&FORMAT, rest)) if rest.len() <= RINGS_BYTES_MAX => rest,
        _ => return Err(NoRings),
    };
    let mut rest = rest;
    let head: Head = take(&mut rest)?;
    // So many bytes have to follow: memory is taken for nothing that is only claimed.
    if [head.old, head.new, head.acting].iter().any(|&count| count as usize > NODES_MAX) {
        return Err(NoRings);
    }
    let mut nodes = |count: u32| -> Result<Box<[Node]>, NoRings> {
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..count {
            let seat: Seat = take(&mut rest)?;
            let id = NodeId(seat.node);
            let ascends = nodes.last().is_none_or(|last| last.id < id);
            if !ascends || !(1..=WEIGHT_MAX).contains(&seat.weight) {
                return Err(NoRings);
            }
            nodes.push(Node { id, zone: ZoneId(seat.zone), weight: seat.weight });
        }
        Ok(nodes.into())
    };
    let (old, new) = (nodes(head.old)?, nodes(head.new)?);
    let mut acting = Vec::new();
    for _ in 0..head.acting {
        let Part { node, generation, is_whole } = take(&mut rest)?;
        acting.push(Acting { node: NodeId(node), generation, is_whole });
    }
    if !rest.is_empty() || old.is_empty() || new.is_empty() {
        return Err(NoRings);
    }
    let step = match head.step {
        Stage::Settled => Step::Settled,
        Stage::Write => Step::Write,
        Stage::Fill => Step::Fill,
        Stage::HandOver => Step::HandOver,
        Stage::Follow => Step::Follow,
    };
    Ok(Rings {
        founded: Founded { generation: head.founded, by: NodeId(head.founder) },
        number: head.number,
        turn: head.turn,
        by: NodeId(head.by),
        step,
        old,
        new,
        acting: acting.into(),
    })
}

/// Memory takes whatever is written to it, so there is nothing that fails.
fn append(bytes: &mut Vec<u8>, value: &impl Encode) {
    let written = bincode::encode_into_std_write(value, bytes, CODEC);
    debug_assert!(written.is_ok(), "{written:?}");
}

fn take<T: Decode<()>>(rest: &mut &[u8]) -> Result<T, NoRings> {
    let (value, used) = bincode::decode_from_slice(rest, CODEC).map_err(|_| NoRings)?;
    *rest = &rest[used..];
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, weight: u32) -> Node {
        Node { id: NodeId(id), zone: ZoneId(9), weight }
    }

    fn sample() -> Rings {
        Rings {
            founded: Founded { generation: 300, by: NodeId(1) },
            number: 7,
            turn: 2,
            by: NodeId(2),
            step: Step::HandOver,
            old: [node(1, 1), node(2, 5)].into(),
            new: [node(1, 1), node(2, 5), node(3, 1)].into(),
            acting: [Acting { node: NodeId(1), generation: 4, is_whole: true }].into(),
        }
    }

    #[test]
    fn all_steps_come_back_as_they_were() {
        for step in [Step::Settled, Step::Write, Step::Fill, Step::HandOver, Step::Follow] {
            let rings = Rings { step, ..sample() };
            assert_eq!(super::rings(&rings_bytes(&rings)), Ok(rings));
        }
    }

    #[test]
    fn bytes_stay_as_they_are() {
        let rings = Rings {
            acting: [].into(),
            old: [node(1, 1)].into(),
            new: [node(1, 1)].into(),
            ..sample()
        };
        let seat = [&[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0][..], &[1, 0, 0, 0]].concat();
        let golden = [
            &[1, 44, 1, 0, 0, 0, 0, 0, 0][..], // format, founded
            &[1, 0, 0, 0, 0, 0, 0, 0],         // founder
            &[7, 0, 0, 0, 0, 0, 0, 0],         // number
            &[2, 0, 0, 0, 0, 0, 0, 0],         // turn
            &[2, 0, 0, 0, 0, 0, 0, 0],         // by
            &[3, 0, 0, 0],                     // step
            &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            &seat,
            &seat,
        ]
        .concat();
        assert_eq!(rings_bytes(&rings), golden);
    }

    #[test]
    fn what_is_no_rings_is_refused() {
        let bytes = rings_bytes(&sample());
        for length in 0..bytes.len() {
            assert_eq!(rings(&bytes[..length]), Err(NoRings), "{length} bytes");
        }
        let more = [&bytes[..], &[0]].concat();
        let other = [&[2], &bytes[1..]].concat();
        let claims = {
            let mut claims = bytes.clone();
            claims[45..49].fill(255);
            claims
        };
        for bytes in [more, other, claims] {
            assert_eq!(rings(&bytes), Err(NoRings));
        }
        let refused = [
            Rings { new: [].into(), ..sample() },
            Rings { old: [node(2, 1), node(1, 1)].into(), ..sample() },
            Rings { old: [node(2, 1), node(2, 1)].into(), ..sample() },
            Rings { old: [node(1, WEIGHT_MAX + 1)].into(), ..sample() },
            Rings { old: [node(1, 0)].into(), ..sample() },
        ];
        for rings in refused {
            assert_eq!(super::rings(&rings_bytes(&rings)), Err(NoRings));
        }
    }
}
