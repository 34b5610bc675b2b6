//! The bytes of a card: a byte that says how they are to be read, then the rest.

use crate::cluster::{Card, Phase};
use crate::item::Version;
use crate::limits::{ADDRESS_BYTES_MAX, NODE_NAME_BYTES_MAX, WEIGHT_MAX, ZONE_NAME_BYTES_MAX};
use crate::ring::NodeId;
use bincode::{BorrowDecode, Decode, Encode, config};
use std::net::SocketAddr;

/// How the bytes after the first are to be read.
const FORMAT: u8 = 1;

/// Bytes of a card, at most: its four texts, two addresses, five numbers, and the
/// lengths and tags between them.
pub const CARD_BYTES_MAX: usize =
    2 * NODE_NAME_BYTES_MAX + ZONE_NAME_BYTES_MAX + ADDRESS_BYTES_MAX + 128;

/// Why bytes are no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardError {
    /// Written by a program that writes other cards than this one reads.
    OtherFormat,
    /// They end too early, go on for too long, or mean nothing.
    Malformed,
    /// A text is longer, or a number larger, than any card may have it.
    TooLarge,
}

/// A card as it travels.
#[derive(Encode, BorrowDecode)]
struct Plain<'a> {
    node: u64,
    name: &'a str,
    generation: u64,
    sequence: u64,
    client: &'a str,
    peer: SocketAddr,
    calls: u16,
    admin: Option<SocketAddr>,
    zone: &'a str,
    weight: u32,
    phase: Stage,
    flush_floor: u64,
    build: &'a str,
}

#[derive(Encode, Decode)]
enum Stage {
    Joining,
    Warm,
    Serving,
    Leaving,
}

/// The bytes of a card.
///
/// # Errors
/// Refuses a card that [`card`] would refuse.
pub fn card_bytes(card: &Card) -> Result<Vec<u8>, CardError> {
    if !is_in_bounds(card) {
        return Err(CardError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(CARD_BYTES_MAX);
    bytes.push(FORMAT);
    bincode::encode_into_std_write(Plain::from(card), &mut bytes, config::standard())
        .map_err(|_| CardError::Malformed)?;
    Ok(bytes)
}

/// The card that these bytes are.
///
/// # Errors
/// Refuses what is not exactly one card within the limits.
pub fn card(bytes: &[u8]) -> Result<Card, CardError> {
    if bytes.len() > CARD_BYTES_MAX {
        return Err(CardError::TooLarge);
    }
    let (&format, rest) = bytes.split_first().ok_or(CardError::Malformed)?;
    if format != FORMAT {
        return Err(CardError::OtherFormat);
    }
    let limits = config::standard().with_limit::<CARD_BYTES_MAX>();
    let (plain, read): (Plain<'_>, usize) =
        bincode::borrow_decode_from_slice(rest, limits).map_err(|_| CardError::Malformed)?;
    if read != rest.len() {
        return Err(CardError::Malformed);
    }
    let card = Card::from(plain);
    if is_in_bounds(&card) { Ok(card) } else { Err(CardError::TooLarge) }
}

fn is_in_bounds(card: &Card) -> bool {
    card.is_short() && card.weight <= WEIGHT_MAX
}

impl<'a> From<&'a Card> for Plain<'a> {
    fn from(card: &'a Card) -> Self {
        Self {
            node: card.node.0,
            name: &card.name,
            generation: card.generation,
            sequence: card.sequence,
            client: &card.client,
            peer: card.peer,
            calls: card.calls,
            admin: card.admin,
            zone: &card.zone,
            weight: card.weight,
            phase: match card.phase {
                Phase::Joining => Stage::Joining,
                Phase::Warm => Stage::Warm,
                Phase::Serving => Stage::Serving,
                Phase::Leaving => Stage::Leaving,
            },
            flush_floor: card.flush_floor.0,
            build: &card.build,
        }
    }
}

impl From<Plain<'_>> for Card {
    fn from(plain: Plain<'_>) -> Self {
        Self {
            node: NodeId(plain.node),
            name: plain.name.into(),
            generation: plain.generation,
            sequence: plain.sequence,
            client: plain.client.into(),
            peer: plain.peer,
            calls: plain.calls,
            admin: plain.admin,
            zone: plain.zone.into(),
            weight: plain.weight,
            phase: match plain.phase {
                Stage::Joining => Phase::Joining,
                Stage::Warm => Phase::Warm,
                Stage::Serving => Phase::Serving,
                Stage::Leaving => Phase::Leaving,
            },
            flush_floor: Version(plain.flush_floor),
            build: plain.build.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Card {
        Card {
            node: NodeId(0x0102_0304_0506_0708),
            name: "a".into(),
            generation: 7,
            sequence: 300,
            client: "h:1".into(),
            peer: "127.0.0.1:7946".parse().unwrap(),
            calls: 7947,
            admin: Some("[::1]:80".parse().unwrap()),
            zone: "z".into(),
            weight: 2,
            phase: Phase::Serving,
            flush_floor: Version(9),
            build: "b".into(),
        }
    }

    #[test]
    fn bytes_stay_as_they_are() {
        let golden = [
            &[1][..],                            // format
            &[253, 8, 7, 6, 5, 4, 3, 2, 1],      // node
            &[1, b'a', 7, 251, 44, 1],           // name, generation, sequence
            &[3, b'h', b':', b'1'],              // client
            &[0, 127, 0, 0, 1, 251, 0x0a, 0x1f], // peer
            &[251, 0x0b, 0x1f],                  // calls
            &[1, 1],                             // admin, and it is of IPv6
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 80],
            &[1, b'z', 2, 2, 9, 1, b'b'], // zone, weight, phase, floor, build
        ]
        .concat();
        assert_eq!(card_bytes(&sample()).unwrap(), golden);
        assert_eq!(card(&golden).unwrap(), sample());
    }

    #[test]
    fn the_largest_card_fits() {
        let longest = Card {
            node: NodeId(u64::MAX),
            name: "n".repeat(NODE_NAME_BYTES_MAX).into(),
            generation: u64::MAX,
            sequence: u64::MAX,
            client: "c".repeat(ADDRESS_BYTES_MAX).into(),
            peer: "[ffff::ffff]:65535".parse().unwrap(),
            calls: u16::MAX,
            admin: Some("[ffff::ffff]:65535".parse().unwrap()),
            zone: "z".repeat(ZONE_NAME_BYTES_MAX).into(),
            weight: WEIGHT_MAX,
            phase: Phase::Leaving,
            flush_floor: Version(u64::MAX),
            build: "b".repeat(NODE_NAME_BYTES_MAX).into(),
        };
        let bytes = card_bytes(&longest).unwrap();
        assert!(bytes.len() <= CARD_BYTES_MAX);
        assert_eq!(card(&bytes).unwrap(), longest);
    }

    #[test]
    fn too_long_texts_are_refused_both_ways() {
        for text in 0..4 {
            let mut long = sample();
            let field = match text {
                0 => &mut long.name,
                1 => &mut long.zone,
                2 => &mut long.client,
                _ => &mut long.build,
            };
            *field = "x".repeat(ADDRESS_BYTES_MAX + 1).into();
            assert_eq!(card_bytes(&long), Err(CardError::TooLarge));
            let mut bytes = vec![FORMAT];
            bytes.extend(bincode::encode_to_vec(Plain::from(&long), config::standard()).unwrap());
            assert_eq!(card(&bytes), Err(CardError::TooLarge));
        }
    }

    #[test]
    fn a_weight_beyond_any_is_refused() {
        let heavy = Card { weight: WEIGHT_MAX + 1, ..sample() };
        assert_eq!(card_bytes(&heavy), Err(CardError::TooLarge));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = card_bytes(&sample()).unwrap();
        bytes.push(0);
        assert_eq!(card(&bytes), Err(CardError::Malformed));
    }

    #[test]
    fn every_shorter_card_is_refused() {
        let bytes = card_bytes(&sample()).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(card(&bytes[..length]), Err(CardError::Malformed));
        }
    }

    #[test]
    fn another_format_is_told_apart() {
        let mut bytes = card_bytes(&sample()).unwrap();
        bytes[0] = 2;
        assert_eq!(card(&bytes), Err(CardError::OtherFormat));
    }
}
