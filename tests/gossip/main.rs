//! What must hold of gossip's values for any input.

use proptest::prelude::*;
use ringcached::cluster::{Card, Cause, Event, Members, Notice, Phase};
use ringcached::item::Version;
use ringcached::ring::NodeId;
use ringcached::wire::gossip::{parcel, swim_header, swim_member};
use ringcached::wire::{card, card_bytes};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(10);

fn sample(node: u64, generation: u64, sequence: u64) -> Card {
    Card {
        node: NodeId(node),
        name: format!("{node}").into(),
        generation,
        sequence,
        client: "h:1".into(),
        peer: "127.0.0.1:1".parse().unwrap(),
        calls: 2,
        admin: None,
        zone: "z".into(),
        weight: 1,
        phase: Phase::Serving,
        flush_floor: Version::ZERO,
        build: "b".into(),
    }
}

fn notice(node: u64, generation: u64, incarnation: u16) -> Notice {
    Notice { node: NodeId(node), generation, incarnation, cause: Cause::NoAnswer }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event =
        (0_u64..3, 0_u64..3, 0_u16..4, 0..4).prop_map(
            |(node, generation, count, kind)| match kind {
                0 => Event::Heard(sample(node, generation, u64::from(count))),
                1 => Event::Alive(notice(node, generation, count)),
                2 => Event::Suspect(notice(node, generation, count)),
                _ => Event::Down(notice(node, generation, count)),
            },
        );
    prop::collection::vec(event, 0..24)
}

proptest! {
    #[test]
    fn any_order_gives_the_same_members(
        (first, second) in events().prop_flat_map(|told| {
            let twice: Vec<Event> = told.iter().chain(&told).cloned().collect();
            (Just(told), Just(twice).prop_shuffle())
        })
    ) {
        let (mut one, mut other) = (Members::new(), Members::new());
        for event in &first {
            one.apply(event, NOW);
        }
        for event in &second {
            other.apply(event, NOW);
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..1400)) {
        let _ = card(&bytes);
        let _ = parcel(&bytes);
        let _ = swim_header(&bytes);
        let _ = swim_member(&bytes);
    }

    #[test]
    fn a_damaged_card_is_in_bounds_or_none(at: usize, byte: u8) {
        let mut bytes = card_bytes(&sample(1, 2, 3)).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = card(&bytes) {
            prop_assert!(read.is_short());
        }
    }
}
