//! What holds for every ring.

use crate::clusters::{fleets, layouts, nodes, owner_ids, ring};
use proptest::prelude::*;
use ringcached::ring::{Bound, Diff, Layout, Movement, Node, NodeId, Ring, ZoneId};
use std::collections::{BTreeMap, BTreeSet};

fn zones(ring: &Ring) -> BTreeMap<ZoneId, usize> {
    let mut sizes = BTreeMap::new();
    ring.nodes().iter().for_each(|node| *sizes.entry(node.zone).or_default() += 1);
    sizes
}

/// The most slots a node may hold: the bound, or the next whole slot above the
/// fair share where the bound is less than a slot wide.
fn most(bound: Bound, fair: f64) -> f64 {
    // The fair share is a sum of fixed-point parts; a thousandth of a slot
    // covers their rounding.
    const ROUNDING: f64 = 1e-3;
    match bound {
        Bound::Permille(permille) => {
            (fair * (1.0 + f64::from(permille) / 1000.0)).max((fair + ROUNDING).floor() + 1.0)
                + ROUNDING
        }
        Bound::Unlimited => f64::INFINITY,
    }
}

/// The owners of every slot by the old ring, with the moves carried out.
fn carried_out(old: &Ring, diff: &Diff) -> Vec<BTreeSet<NodeId>> {
    let slots = old.layout().slots();
    let mut held: Vec<BTreeSet<NodeId>> =
        (0..slots).map(|slot| owner_ids(old, slot).into_iter().collect()).collect();
    for one in &diff.moves {
        for slot in one.slots.clone() {
            assert!(held[slot as usize].contains(&one.source), "the source has slot {slot}");
            assert!(held[slot as usize].insert(one.target), "the target lacks slot {slot}");
        }
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn order_of_nodes_is_nothing(
        layout in layouts(),
        (nodes, shuffled) in nodes().prop_flat_map(|nodes| {
            (Just(nodes.clone()), Just(nodes).prop_shuffle())
        }),
    ) {
        let (one, other) = (ring(&layout, &nodes), ring(&layout, &shuffled));
        prop_assert!(one.slots().eq(other.slots()));
        prop_assert_eq!(one.nodes(), other.nodes());
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn owners_are_distinct_nodes(layout in layouts(), nodes in nodes()) {
        let ring = ring(&layout, &nodes);
        let copies = nodes.len().min(layout.copies as usize);
        prop_assert_eq!(ring.copies() as usize, copies);
        for slot in 0..layout.slots() {
            let owners: BTreeSet<NodeId> = owner_ids(&ring, slot).into_iter().collect();
            prop_assert_eq!(owners.len(), copies, "slot {}", slot);
            prop_assert_eq!(ring.slot_owners(slot).len(), copies, "slot {}", slot);
        }
    }

    #[test]
    fn copies_go_round_the_zones(layout in layouts(), nodes in nodes()) {
        let ring = ring(&layout, &nodes);
        let sizes = zones(&ring);
        for slot in 0..layout.slots() {
            let mut held: BTreeMap<ZoneId, usize> = sizes.keys().map(|&zone| (zone, 0)).collect();
            for owner in ring.slot_owners(slot) {
                *held.get_mut(&ring.node(owner).zone).unwrap() += 1;
            }
            // No zone holds two copies more than one that has a node to spare.
            let poorest = held.iter().filter(|&(zone, &held)| held < sizes[zone]).map(|(_, &n)| n);
            if let Some(poorest) = poorest.min() {
                prop_assert!(held.values().all(|&held| held <= poorest + 1), "{held:?}");
            }
        }
    }

    #[test]
    fn bound_is_never_passed(layout in layouts(), nodes in fleets()) {
        // With fewer slots, a tighter bound or a fourth copy, the last slot of
        // one ring in some ten thousand does not fit in.
        let bound = match layout.bound {
            Bound::Permille(permille) => Bound::Permille(permille.max(50)),
            Bound::Unlimited => Bound::Unlimited,
        };
        let slot_bits = layout.slot_bits.max(10);
        let layout = Layout { bound, slot_bits, copies: layout.copies.min(3), ..layout };
        let loads = ring(&layout, &nodes).loads();
        for (load, node) in loads.iter().zip(&nodes) {
            let (primaries, copies) = (f64::from(load.primaries), f64::from(load.copies));
            prop_assert!(primaries <= most(layout.bound, load.primaries_fair), "{node:?} {load:?}");
            let most = most(layout.bound, load.copies_fair);
            prop_assert!(copies <= most, "{node:?} {load:?}");
        }
    }

    #[test]
    fn fair_shares_add_up(layout in layouts(), nodes in nodes()) {
        let ring = ring(&layout, &nodes);
        let slots = f64::from(layout.slots());
        let loads = ring.loads();
        let primaries: f64 = loads.iter().map(|load| load.primaries_fair).sum();
        let copies: f64 = loads.iter().map(|load| load.copies_fair).sum();
        prop_assert!((primaries - slots).abs() < 0.01, "{primaries} of {slots}");
        let all = slots * f64::from(ring.copies());
        prop_assert!((copies - all).abs() < 0.01, "{copies} of {all}");
        prop_assert!(loads.iter().all(|load| load.copies_fair <= slots + 0.01));
        prop_assert_eq!(loads.iter().map(|load| load.primaries).sum::<u32>(), layout.slots());
    }

    #[test]
    fn unbounded_join_misplaces_nothing(layout in layouts(), nodes in nodes(), id in any::<u64>()) {
        prop_assume!(nodes.iter().all(|node| node.id != NodeId(id)));
        let layout = Layout { bound: Bound::Unlimited, copies: 1, ..layout };
        let mut more = nodes.clone();
        more.push(Node::new(NodeId(id)));
        let movement = Movement::new(&ring(&layout, &nodes), &ring(&layout, &more)).unwrap();
        prop_assert_eq!(movement.primaries.misplaced, 0);
        let back = Movement::new(&ring(&layout, &more), &ring(&layout, &nodes)).unwrap();
        prop_assert_eq!(back.primaries.misplaced, 0);
        prop_assert_eq!(back.primaries.moved, movement.primaries.moved);
    }

    #[test]
    fn diff_turns_old_into_new(layout in layouts(), before in nodes(), after in nodes()) {
        // Half of the nodes of one are in the other.
        let after: BTreeMap<NodeId, Node> = before.iter().step_by(2).chain(&after)
            .map(|node| (node.id, *node)).collect();
        let after: Vec<Node> = after.into_values().collect();
        let (old, new) = (ring(&layout, &before), ring(&layout, &after));
        let diff = Diff::new(&old, &new).unwrap();
        for (slot, held) in (0..).zip(carried_out(&old, &diff)) {
            let wanted = owner_ids(&new, slot);
            prop_assert!(wanted.iter().all(|id| held.contains(id)), "slot {}", slot);
        }
        let changed: BTreeMap<u32, &[NodeId]> = diff.changes.iter()
            .flat_map(|change| change.slots.clone().map(|slot| (slot, &*change.new))).collect();
        for slot in 0..layout.slots() {
            let told = changed.get(&slot).map_or_else(|| owner_ids(&old, slot), |new| new.to_vec());
            prop_assert_eq!(told, owner_ids(&new, slot), "slot {}", slot);
        }
        let movement = Movement::new(&old, &new).unwrap();
        prop_assert_eq!(u64::from(diff.copies()), movement.copies.moved);
        prop_assert_eq!(u64::from(diff.primaries()), movement.primaries.moved);
    }

    #[test]
    fn sources_stay_where_they_can(layout in layouts(), nodes in nodes()) {
        prop_assume!(nodes.len() > 1);
        let (old, new) = (ring(&layout, &nodes), ring(&layout, &nodes[1..]));
        let gone = nodes[0].id;
        for one in Diff::new(&old, &new).unwrap().moves {
            let others = one.slots.clone().any(|slot| owner_ids(&old, slot).len() > 1);
            prop_assert!(one.source != gone || !others, "{one:?}");
        }
    }

    #[test]
    fn longer_lists_keep_placement(layout in layouts(), nodes in nodes(), more in nodes()) {
        let own = ring(&layout, &nodes);
        let mut list: BTreeMap<NodeId, Node> = more.iter().map(|node| (node.id, *node)).collect();
        list.extend(nodes.iter().map(|node| (node.id, *node)));
        let list: Vec<Node> = list.into_values().collect();
        let listed = own.listed_among(&list).unwrap();
        prop_assert_eq!(listed.nodes(), &*list);
        prop_assert_eq!(listed.fingerprint(), own.fingerprint());
        for slot in 0..layout.slots() {
            prop_assert_eq!(owner_ids(&listed, slot), owner_ids(&own, slot));
        }
    }
}

/// The rows that the project promises, at the sizes and seeds that fit a test:
/// `docs/benchmarks.md` has all of them.
#[test]
fn joins_move_the_least() {
    const SEEDS: u64 = 8;
    let (mut primaries, mut copies) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let layout = Layout { seed, copies: 3, ..Layout::default() };
        let nodes: Vec<Node> = (0..31).map(|id| Node::new(NodeId(seed << 32 | id))).collect();
        let movement = Movement::new(&ring(&layout, &nodes[..30]), &ring(&layout, &nodes)).unwrap();
        primaries += movement.primaries.ratio() / SEEDS as f64;
        copies += movement.copies.ratio() / SEEDS as f64;
        let misplaced = movement.primaries.misplaced as f64 / movement.compared as f64;
        assert!(misplaced <= 0.002, "seed {seed}: {misplaced}");
    }
    assert!(primaries <= 1.06, "{primaries}");
    assert!(copies <= 1.03, "{copies}");
}
