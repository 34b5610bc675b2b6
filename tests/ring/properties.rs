//! What holds for every ring.

use crate::clusters::{fleets, layouts, nodes, owner_ids, ring};
use proptest::prelude::*;
use ringcached::ring::{Bound, Diff, KeyHash, Layout, Movement, Node, NodeId, Ring, ZoneId};
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

/// Every point as the ring hashes it: position and node, clockwise.
fn points(layout: &Layout, ring: &Ring) -> Vec<(u64, u16)> {
    let mut points = Vec::new();
    for (index, node) in (0..).zip(ring.nodes()) {
        for vnode in 0..node.weight * layout.vnodes {
            let bytes = [&node.id.0.to_le_bytes()[..], &vnode.to_le_bytes()].concat();
            points.push((KeyHash::new(layout.seed, &bytes).0 >> 16, index));
        }
    }
    points.sort_unstable();
    points
}

/// Each node that a slot meets on its way round, where it meets it first, and
/// how far that is.
fn first_meetings(points: &[(u64, u16)], ring: &Ring, slot: u32) -> Vec<(u64, u16)> {
    let position = u64::from(slot) << (48 - u32::from(ring.layout().slot_bits));
    let start = points.partition_point(|point| point.0 < position);
    let mut met: Vec<(u64, u16)> = Vec::new();
    for &(point, node) in points[start..].iter().chain(&points[..start]) {
        if met.iter().all(|meeting| meeting.1 != node) {
            met.push((point.wrapping_sub(position) & ((1 << 48) - 1), node));
        }
    }
    met
}

/// The owners by the definition: whoever comes next clockwise, unless its zone
/// holds more copies than another that has a node to spare.
fn plain_walk(ring: &Ring, points: &[(u64, u16)], slot: u32) -> Vec<NodeId> {
    let sizes = zones(ring);
    let meetings = first_meetings(points, ring, slot);
    let mut owners: Vec<Node> = Vec::new();
    while owners.len() < ring.copies() as usize {
        let held = |zone| owners.iter().filter(|owner| owner.zone == zone).count();
        let spare = sizes.iter().filter(|&(&zone, &size)| held(zone) < size);
        let least = spare.map(|(&zone, _)| held(zone)).min().unwrap();
        let mut nodes = meetings.iter().map(|meeting| *ring.node(meeting.1));
        let next = nodes.find(|node| held(node.zone) == least && !owners.contains(node));
        owners.extend(next);
    }
    owners.into_iter().map(|owner| owner.id).collect()
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
        let list: BTreeSet<NodeId> = nodes.iter().chain(&more).map(|node| node.id).collect();
        let list: Vec<NodeId> = list.into_iter().collect();
        let listed = own.listed_among(&list).unwrap();
        for (slot, owners) in (0..).zip(listed.slots()) {
            let ids: Vec<NodeId> = owners.iter().map(|owner| list[owner as usize]).collect();
            prop_assert_eq!(ids, owner_ids(&own, slot));
        }
    }
}

// Against the definition, point by point: slower, so fewer.
proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn unbounded_walk_is_the_plain_one(layout in layouts(), nodes in nodes()) {
        let layout = Layout { bound: Bound::Unlimited, ..layout };
        let ring = ring(&layout, &nodes);
        let points = points(&layout, &ring);
        for slot in 0..layout.slots() {
            prop_assert_eq!(owner_ids(&ring, slot), plain_walk(&ring, &points, slot), "{}", slot);
        }
    }

    #[test]
    fn runs_are_as_long_as_can_be(layout in layouts(), nodes in nodes()) {
        prop_assume!(nodes.len() > 1);
        let (old, new) = (ring(&layout, &nodes), ring(&layout, &nodes[1..]));
        let diff = Diff::new(&old, &new).unwrap();
        for pair in diff.changes.windows(2) {
            let alike = (&pair[0].old, &pair[0].new) == (&pair[1].old, &pair[1].new);
            prop_assert!(pair[0].slots.end < pair[1].slots.start || !alike, "{pair:?}");
        }
        let mut ends = BTreeMap::new();
        for one in &diff.moves {
            let before = ends.insert((one.source, one.target), one.slots.end);
            prop_assert!(before.is_none_or(|end| end < one.slots.start), "{one:?}");
        }
    }

    #[test]
    fn bounded_primaries_are_stable(layout in layouts(), nodes in nodes()) {
        let ring = ring(&layout, &nodes);
        let points = points(&layout, &ring);
        let loads = ring.loads();
        // How far each node's farthest primary is from its point.
        let mut farthest = vec![0; nodes.len()];
        let mut met: Vec<Vec<(u64, u16)>> = Vec::new();
        for slot in 0..layout.slots() {
            let primary = ring.slot_owners(slot).primary();
            let walk = first_meetings(&points, &ring, slot);
            let distance = walk.iter().find(|meeting| meeting.1 == primary).unwrap().0;
            farthest[primary as usize] = distance.max(farthest[primary as usize]);
            met.push(walk.into_iter().take_while(|meeting| meeting.1 != primary).collect());
        }
        // Whoever a slot passed over is full of slots that are no farther away.
        for (distance, node) in met.into_iter().flatten() {
            let held = &loads[node as usize];
            prop_assert!(farthest[node as usize] >> 7 <= distance >> 7, "{node} {distance}");
            prop_assert!(f64::from(held.primaries) >= held.primaries_fair.floor(), "{held:?}");
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
