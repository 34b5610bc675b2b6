//! Small and large clusters.

use crate::clusters::{patterned, plain, ring};
use ringcached::ring::{Balance, Layout, Load, Node};

fn peaks(layout: &Layout, nodes: &[Node]) -> (f64, f64) {
    let loads = ring(layout, nodes).loads();
    let peak = |ratio: fn(&Load) -> f64| Balance::of(loads.iter().map(ratio)).max;
    (peak(Load::primaries_ratio), peak(Load::copies_ratio))
}

#[test]
fn one_node_owns_everything() {
    let ring = ring(&Layout { copies: 3, ..Layout::default() }, &plain(7..8));
    assert_eq!(ring.copies(), 1);
    assert!(ring.slots().all(|owners| owners.iter().eq([0])));
}

#[test]
fn few_nodes_hold_every_copy() {
    let ring = ring(&Layout { copies: 4, ..Layout::default() }, &plain(0..3));
    assert!(ring.slots().all(|owners| (0..3).all(|node| owners.contains(node))));
    assert!(ring.slots().all(|owners| !owners.contains(u16::MAX)));
}

#[test]
fn ten_thousand_nodes_make_a_ring() {
    let layout = Layout { slot_bits: 20, vnodes: 128, copies: 3, ..Layout::default() };
    let ring = ring(&layout, &plain(0..10_000));
    assert_eq!(ring.nodes().len(), 10_000);
    let fullest = ring.loads().iter().map(|load| load.copies).max();
    // A fair share is 314.6 slots; five per cent more is 330.3.
    assert_eq!(fullest, Some(330));
}

#[test]
fn equal_nodes_stay_below_the_bound() {
    let layout = Layout { copies: 3, ..Layout::default() };
    for nodes in [3, 4, 5, 10, 30, 100] {
        let (primaries, copies) = peaks(&layout, &plain(0..nodes));
        assert!(primaries <= 1.05, "{nodes} nodes: {primaries}");
        assert!(copies <= 1.05, "{nodes} nodes: {copies}");
    }
}

#[test]
fn unequal_nodes_stay_below_the_bound() {
    let zones: [&[u64]; 4] =
        [&[0], &[0, 1, 2], &[0, 0, 0, 0, 1, 1, 1, 2, 2, 2], &[0, 0, 0, 0, 0, 0, 1, 1, 1, 2]];
    for zones in zones {
        for copies in 1..=4 {
            for count in [10, 23, 60] {
                let layout = Layout { copies, ..Layout::default() };
                let (primaries, all) = peaks(&layout, &patterned(count, zones, &[1, 2, 4]));
                assert!(primaries <= 1.05, "{count} nodes in {zones:?}: {primaries}");
                assert!(all <= 1.05, "{copies} copies, {count} nodes in {zones:?}: {all}");
            }
        }
    }
}

#[test]
fn slots_grow_with_the_cluster() {
    let bits = [1, 128, 129, 400, 401, 65_535].map(Layout::slot_bits_for);
    assert_eq!(bits, [16, 16, 18, 18, 20, 20]);
}

#[test]
fn bytes_are_those_of_the_cells() {
    let bytes = |slot_bits, copies| {
        ring(&Layout { slot_bits, copies, ..Layout::default() }, &plain(0..10)).bytes()
    };
    assert!((4 << 16..(4 << 16) + 1000).contains(&bytes(16, 3)), "{}", bytes(16, 3));
    assert!((4 << 18..(4 << 18) + 1000).contains(&bytes(18, 2)), "{}", bytes(18, 2));
}

#[test]
fn many_zones_build_soon() {
    let zones: Vec<u64> = (0..20_000).collect();
    let nodes = patterned(20_000, &zones, &[1]);
    let ring = ring(&Layout { slot_bits: 20, vnodes: 16, ..Layout::default() }, &nodes);
    assert_eq!(ring.copies(), 2);
}
